"""Summaries of the tickets of a workspace: those that are missing or stale, some at once, within the day's budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Literal

import psycopg

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import SummaryRefused, SummaryUnusable, WrongUse
from arcana_pipelines.net.in_flight import in_flight
from arcana_pipelines.net.workers import worker_threads
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.registry import sample_platforms
from arcana_pipelines.tickets.summaries.claims import Claimed, Claims, NoRoom
from arcana_pipelines.tickets.summaries.outcome import Outcome
from arcana_pipelines.workspaces.workspaces import Workspace

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Requests to the model at once, of one process."""

# In a row, without one summary between: then it is not the tickets. Of tickets for which the endpoint did not answer,
# and of those that it refused or made no summary of.
_MOST_UNANSWERED, _MOST_FAILURES = 5, 20

Stop = Literal["budget", "time", "number", "failures"]


@dataclass(slots=True)
class SummariesReport:
    """What one process made of a workspace's tickets.

    Attributes:
        workspace: its slug.
        made: summaries.
        failed: tickets that have none, and rest for a while.
        tokens: that were used, sent and answered.
        stopped: what ended it before all were made; None: nothing did.
        problem: why the last ticket failed, where failures ended it, in words.
    """

    workspace: str
    made: int = 0
    failed: int = 0
    tokens: int = 0
    stopped: Stop | None = None
    problem: str | None = None


def make_summaries(
    connection: Connection,
    workspace: Workspace,
    settings: Settings,
    *,
    most: int | None = None,
    seconds: float | None = None,
) -> SummariesReport:
    """Make the summaries of a workspace that are missing or stale, newest tickets first.

    Each is stored when it is answered: a process that is killed loses what was under way. Failures of the model are in
    the report.

    Args:
        most: tickets that are tried at most.
        seconds: after which no other ticket is begun.

    Raises:
        InvalidSetting: no model is set.
        WrongUse: it is the workspace of the sample.
    """
    if workspace.platform in sample_platforms():
        raise WrongUse(f"'{workspace.slug}' is the sample: no model is paid for its tickets.")
    return _Making(connection, workspace, settings, most, seconds).make()


class _Making:
    def __init__(
        self,
        connection: Connection,
        workspace: Workspace,
        settings: Settings,
        most: int | None,
        seconds: float | None,
    ) -> None:
        from arcana_pipelines.tickets.summaries.model import ChatModel  # half a second of imports

        self._model = ChatModel(settings)
        self._connection = connection
        self._claims = Claims(connection, workspace.workspace_id, settings, self._model.name)
        self._report = SummariesReport(workspace.slug)
        self._most = most
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._begun = 0
        self._under_way = 0
        self._failures = self._unanswered = 0

    def make(self) -> SummariesReport:
        try:
            with (
                worker_threads(AT_ONCE, "summarise") as pool,
                closing(in_flight(pool, self._ask, self._claimed(), AT_ONCE)) as answered,
            ):
                for claimed, future in answered:
                    self._under_way -= 1
                    self._keep(claimed, future.result())
        except BaseException:
            if not self._connection.closed:
                with suppress(psycopg.Error):  # else their time runs out
                    self._claims.let_go()
            raise
        return self._report

    def _ask(self, claimed: Claimed) -> Outcome:
        return self._model.summarise(claimed.prompt)

    def _claimed(self) -> Iterator[Claimed | None]:
        while self._report.stopped is None:
            if self._most is not None and self._begun >= self._most:
                self._report.stopped = "number"
                return
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._report.stopped = "time"
                return
            try:
                claimed = self._claims.take()
            except NoRoom:
                if self._under_way:  # which may need less than was reserved for it
                    yield None
                    continue
                self._report.stopped = "budget"
                return
            if claimed is None:
                return
            self._begun += 1
            self._under_way += 1
            yield claimed

    def _keep(self, claimed: Claimed, outcome: Outcome) -> None:
        is_ours = self._claims.store(claimed, outcome)
        report = self._report
        report.tokens += outcome.usage.input_tokens + outcome.usage.output_tokens
        if not is_ours:
            return
        if outcome.problem is None:
            report.made += 1
            self._failures = self._unanswered = 0
            return
        report.failed += 1
        self._failures += 1
        self._unanswered += not isinstance(outcome.problem, SummaryUnusable | SummaryRefused)
        log.info("no summary of the ticket %s: %s", claimed.ticket.id, outcome.problem)
        is_enough = self._unanswered >= _MOST_UNANSWERED or self._failures >= _MOST_FAILURES
        if is_enough and report.stopped is None:
            report.stopped = "failures"
            report.problem = str(outcome.problem)
