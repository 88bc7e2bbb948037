"""What was learned, as the views of the database have it: all of it, or a workspace's."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import LiteralString
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.prices import PricingPolicy, cost
from arcana_pipelines.settings import Settings

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question that was not answered, or not for whoever asked it.

    Attributes:
        question: the text; None: texts are not kept.
        question_id: by which it is known again.
        asked: how often.
        unanswered: how often nothing relevant was found.
        no_answer: how often a reader said that it was not answered.
        is_answered_now: when it was last asked something was found.
    """

    workspace: str
    question: str | None
    question_id: str
    asked: int
    unanswered: int
    no_answer: int
    last_asked_at: datetime
    is_answered_now: bool


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question that is registered.

    Attributes:
        question: the text; None: texts are not kept.
        question_id: by which it is known again.
        answered_share: of the times that it was asked, those that found something relevant; 0 to 1.
        cached_share: those that were answered from a cache.
    """

    workspace: str
    question: str | None
    question_id: str
    asked: int
    answered_share: float
    cached_share: float
    first_asked_at: datetime
    last_asked_at: datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """What a reader wrote of an answer, or of a page in it.

    Attributes:
        comment: without addresses and long numbers, as questions are kept.
        verdict: what was said besides.
        question: the text; None: it is not kept (any more).
        question_id: by which it is known again; None: nothing of questions is kept.
        page: the title of the page that it is of; None: of the answer as a whole, or the page is gone.
    """

    workspace: str
    comment: str
    verdict: str
    question: str | None
    question_id: str | None
    page: str | None
    key_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page that was shown in the last 30 days.

    Attributes:
        shown: how often a passage of it was.
    """

    workspace: str
    external_id: str
    title: str
    shown: int
    opened: int
    used: int
    helpful: int
    unhelpful: int
    last_shown_on: date


@dataclass(frozen=True, slots=True)
class StalePage:
    """A page that is shown, and that nobody has edited for a year."""

    workspace: str
    external_id: str
    title: str
    last_edited_at: datetime
    days_unedited: int
    shown: int
    unhelpful: int
    last_shown_on: date


@dataclass(frozen=True, slots=True)
class IndexUse:
    """An index, and the searches of the last 30 days in it.

    Attributes:
        answered: those that found something relevant.
        cached: those that were answered from a cache.
        no_answer: how often a reader said that a question was not answered.
    """

    workspace: str
    index: str
    embedding_model: str
    documents: int
    chunks: int
    updated: datetime | None
    searches: int
    answered: int
    cached: int
    helpful: int
    unhelpful: int
    no_answer: int


@dataclass(frozen=True, slots=True)
class WorkspaceCost:
    """What a workspace cost in one month (UTC), in US dollars.

    Attributes:
        month: its first day.
        texts: that were embedded.
        tokens: of these.
        embedding_cost: what was paid for them.
        searches: that were answered.
        question_tokens: of the questions.
        question_cost: what they cost, at today's price of the model of the index `default`.
    """

    workspace: str
    month: date
    texts: int
    tokens: int
    embedding_cost: Decimal
    searches: int
    question_tokens: int
    question_cost: Decimal

    @property
    def total(self) -> Decimal:
        """Of both."""
        return self.embedding_cost + self.question_cost


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """What a key was used for on one day (UTC)."""

    day: date
    workspace: str | None
    key_id: str
    requests: int
    searches: int
    refused: int
    failed: int
    hits: int
    tokens: int
    p50_ms: int | None
    p95_ms: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """What a process last saw of something that it needs, in the last two hours."""

    reporter: str
    component: str
    state: str
    milliseconds: int | None
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Spent:
    workspace: str
    month: date
    texts: int
    tokens: int
    embedding_cost: Decimal
    searches: int
    question_tokens: int
    model: str | None


# The view of each kind, and what comes first.
_VIEWS: dict[type, tuple[str, LiteralString]] = {
    OpenQuestion: ("v_zero_results", "unanswered + no_answer DESC, last_asked_at DESC, question_id"),
    ShownPage: ("v_top_pages", "helpful + used DESC, shown DESC, title, external_id"),
    StalePage: ("v_stale_hits", "shown DESC, last_edited_at, external_id"),
    IndexUse: ("v_index_stats", "workspace, index"),
    DayOfUse: ("v_usage_daily", "day DESC, requests DESC, key_id, workspace"),
}


def read(connection: Connection, kind: type[query.Row], workspace_id: UUID | None, most: int) -> list[query.Row]:
    """The rows of a report: what matters most first, or what is newest."""
    view, order = _VIEWS[kind]
    names = [sql.Identifier(each.name) for each in fields(kind)]  # type: ignore[arg-type]
    statement = sql.SQL("SELECT {} FROM {} WHERE %s::uuid IS NULL OR workspace_id = %s ORDER BY {} LIMIT %s").format(
        sql.SQL(", ").join(names), sql.Identifier(view), sql.SQL(order)
    )
    return query.rows(connection, kind, statement, [workspace_id, workspace_id, most])


def questions(connection: Connection, workspace_id: UUID | None, most: int) -> list[AskedQuestion]:
    """The questions that are registered, those that were asked most first."""
    of = {"workspace_id": workspace_id, "most": most}
    return query.rows(connection, AskedQuestion, load_sql("questions"), of)


def comments(connection: Connection, workspace_id: UUID | None, most: int) -> list[Comment]:
    """What readers wrote, the newest first."""
    of = {"workspace_id": workspace_id, "most": most}
    return query.rows(connection, Comment, load_sql("comments"), of)


def costs(connection: Connection, settings: Settings, workspace_id: UUID | None, most: int) -> list[WorkspaceCost]:
    """What workspaces cost by month, the newest first."""
    policy = PricingPolicy.of(settings)
    spent = query.rows(
        connection,
        _Spent,
        "SELECT workspace, month, texts, tokens, embedding_cost, searches, question_tokens, i.embedding_model AS model "
        "FROM v_workspace_stats v LEFT JOIN rag_indexes i ON i.workspace_id = v.workspace_id AND i.name = 'default' "
        "WHERE %s::uuid IS NULL OR v.workspace_id = %s ORDER BY month DESC, embedding_cost DESC, workspace LIMIT %s",
        [workspace_id, workspace_id, most],
    )
    return [
        WorkspaceCost(
            each.workspace, each.month, each.texts, each.tokens, each.embedding_cost, each.searches,
            each.question_tokens, cost(each.question_tokens, policy.price(each.model) if each.model else None),
        )
        for each in spent
    ]  # fmt: skip


def health(connection: Connection) -> list[Health]:
    """What processes see of what they need."""
    return query.rows(
        connection, Health, "SELECT reporter, component, state, milliseconds, detail, at FROM v_system_health"
    )
