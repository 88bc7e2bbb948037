"""Which tickets are due, who works on them, and what of the day's budget is left: all of it in the database.

Several processes may work on one workspace. Each takes a ticket, with the tokens that it may need, under a lock of the
workspace that is held for no longer than that; no lock is held while the model is asked. So no ticket is paid for
twice, two processes keep one budget, and a sync that stores tickets waits for nobody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID, uuid4

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import SummaryFailed, SummaryRefused, SummaryUnusable
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.registry import sample_platforms
from arcana_pipelines.tickets.summaries.answer import SummaryText
from arcana_pipelines.tickets.summaries.outcome import MOST_REQUESTS, Outcome
from arcana_pipelines.tickets.summaries.prompt import PROMPT_VERSION, Message, Prompt, prompt_of
from arcana_pipelines.workspaces.workspaces import Workspace, list_all

load_sql = statements_beside(__file__)

# A ticket that the model cannot summarise is tried again after a day, as it is; one that it did not answer for sooner.
_REST_SECONDS = 86_400.0
_SHORT_REST_SECONDS = 3_600.0
# Of one message that is read; more than is ever sent.
_MOST_READ = 20_000
# Nobody works longer on one ticket: each request may be tried some times, in several forms, and pause between.
_TIMEOUTS, _PAUSES_SECONDS = 16, 600.0


@dataclass(frozen=True, slots=True)
class Due:
    """A ticket whose summary is due.

    Attributes:
        messages: what customers see of it besides the description: who wrote it, and what.
        updated_at: by the source's clock.
    """

    id: UUID
    title: str
    description: str
    content_hash: bytes
    updated_at: datetime
    messages: Sequence[tuple[str, str]]

    def prompt(self) -> Prompt:
        """What the model is sent."""
        return prompt_of(
            self.title, [Message("customer", self.description), *(Message(by, text) for by, text in self.messages)]
        )


@dataclass(frozen=True, slots=True)
class Claimed:
    """A ticket that is ours, with what is sent of it."""

    ticket: Due
    prompt: Prompt


class NoRoom(Exception):
    """The next ticket may need more tokens than are left of the day."""


class Claims:
    """What one process takes of a workspace: each ticket once, newest first."""

    def __init__(self, connection: Connection, workspace_id: UUID, settings: Settings, model: str) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._budget = settings.summary_budget
        self._model = model
        self._claim = uuid4()
        self._seconds = _TIMEOUTS * settings.summary_timeout + _PAUSES_SECONDS
        self._after: Due | None = None

    def take(self) -> Claimed | None:
        """Take the next ticket; None where there is none behind the last one.

        Raises:
            NoRoom: its tokens do not fit; it is the next one again.
        """
        with self._connection.transaction():
            self._connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('arcana summaries ' || %s::text, 0))",
                [self._workspace_id],
            )
            self._connection.execute(load_sql("lost"), {"workspace_id": self._workspace_id, "claim": None})
            due = self.next_due()
            if due is None:
                return None
            prompt = due.prompt()
            reserved = query.scalar(
                self._connection,
                load_sql("reserve"),
                {
                    "ticket_id": due.id,
                    "workspace_id": self._workspace_id,
                    "claim": self._claim,
                    "content_hash": due.content_hash,
                    "model": self._model,
                    "prompt_version": PROMPT_VERSION,
                    "tokens": MOST_REQUESTS * prompt.most_tokens,
                    "budget": self._budget,
                    "seconds": self._seconds,
                },
            )
        if reserved is None:
            raise NoRoom
        self._after = due
        return Claimed(due, prompt)

    def next_due(self) -> Due | None:
        """The ticket behind the last one that was taken."""
        return query.find(
            self._connection,
            Due,
            load_sql("next_due"),
            {
                "workspace_id": self._workspace_id,
                "model": self._model,
                "prompt_version": PROMPT_VERSION,
                "after_updated": self._after.updated_at if self._after else None,
                "after_id": self._after.id if self._after else None,
                "most": _MOST_READ,
            },
        )

    def store(self, claimed: Claimed, outcome: Outcome) -> bool:
        """Write down what became of a ticket, in one transaction; False where it is not ours any more."""
        ticket = claimed.ticket
        with self._connection.transaction():
            # In the order in which who deletes a ticket locks: the ticket, then what hangs on it.
            self._connection.execute("SELECT FROM tickets WHERE id = %s FOR NO KEY UPDATE", [ticket.id])
            if outcome.summary is not None:
                ours = self._connection.execute(
                    "DELETE FROM summary_attempt WHERE ticket_id = %s AND claim = %s AND state = 'under_way' "
                    "RETURNING true",
                    [ticket.id, self._claim],
                ).fetchone()
            else:
                assert outcome.problem is not None
                ours = self._connection.execute(
                    load_sql("fail"),
                    {
                        "ticket_id": ticket.id,
                        "claim": self._claim,
                        "reason": str(outcome.problem),
                        "seconds": _rest(outcome.problem),
                    },
                ).fetchone()
            if ours is None:  # its time was over, or the ticket is gone; what it had reserved is counted
                return False
            if outcome.summary is not None:
                self._connection.execute(
                    load_sql("store"),
                    {
                        "ticket_id": ticket.id,
                        "of": ticket.content_hash,
                        "summary": self._as_json(outcome.summary),
                    },
                )
            if outcome.usage.requests:
                self._connection.execute(
                    load_sql("use"),
                    {"workspace_id": self._workspace_id, "model": self._model, **asdict(outcome.usage)},
                )
        return True

    def let_go(self) -> None:
        """Give up what was taken and not stored. What it may have used counts."""
        self._connection.execute(load_sql("lost"), {"workspace_id": self._workspace_id, "claim": self._claim})

    def _as_json(self, summary: SummaryText) -> str:
        return json.dumps(
            {**asdict(summary), "model": self._model, "prompt_version": PROMPT_VERSION}, ensure_ascii=False
        )


def _rest(problem: SummaryFailed) -> float:
    is_of_the_ticket = isinstance(problem, SummaryUnusable | SummaryRefused)
    return _REST_SECONDS if is_of_the_ticket else _SHORT_REST_SECONDS


def with_tickets(connection: Connection) -> list[Workspace]:
    """The active workspaces whose tickets are summarised, by their slugs: those that have some, the sample not."""
    slugs = set(
        query.scalars(
            connection,
            "SELECT w.slug FROM workspace w WHERE w.status = 'active' AND w.platform <> ALL(%s) "
            "AND EXISTS (SELECT FROM tickets t WHERE t.workspace_id = w.workspace_id)",
            [sample_platforms()],
        )
    )
    return [workspace for workspace in list_all(connection) if workspace.slug in slugs]


def is_due(connection: Connection, workspace_id: UUID, settings: Settings, *, all_of_it: bool) -> bool:
    """Whether a run could make a summary now: a ticket is due, and what it may need fits into the day's budget.

    `all_of_it`: those that have one of another model or prompt are looked for, too, which reads every summary.
    """
    if settings.summary_model is None:
        return False
    asked = {
        "workspace_id": workspace_id,
        "model": settings.summary_model,
        "prompt_version": PROMPT_VERSION,
        "all_of_it": all_of_it,
    }
    if not query.scalar(connection, load_sql("any_due"), asked):
        return False
    claims = Claims(connection, workspace_id, settings, settings.summary_model)
    with connection.transaction(force_rollback=True):
        try:
            return claims.take() is not None
        except NoRoom:
            return False
