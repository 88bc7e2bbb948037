"""How many summaries there are and wait, and what they have used."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.sources.registry import sample_platforms

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class SummaryCounts:
    """The tickets of a workspace by what became of their summaries.

    Attributes:
        workspace: its slug.
        made: they have one of their present content.
        failed: none could be made of them as they are; tried again a day later, or when they change.
        waiting: to be made, where a model is set.
        under_way: being made now.
        tokens_today: that were used since midnight (UTC), sent and answered.
    """

    workspace: str
    made: int
    failed: int
    waiting: int
    under_way: int
    tokens_today: int


@dataclass(frozen=True, slots=True)
class MonthlySummaryUsage:
    """What summaries have used in one month.

    Attributes:
        month: `YYYY-MM`, in UTC.
        workspace: its slug.
        model: that was asked.
        requests: that were answered, or may have been.
        input_tokens: that were sent; those of requests whose end nobody saw count with the most they can have used.
        output_tokens: that were answered.
        seconds: that the requests took together.
    """

    month: str
    workspace: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    seconds: float


def summary_counts(
    connection: Connection, workspace_id: UUID | None = None, model: str | None = None
) -> list[SummaryCounts]:
    """Of one workspace or of all that have tickets, the sample not: its tickets are never summarised.

    With `model`, a summary of another model or prompt waits to be made anew, and all are read; without, it counts.
    """
    version = None
    if model:
        from arcana_pipelines.tickets.summaries.prompt import PROMPT_VERSION

        version = PROMPT_VERSION
    asked = {"workspace_id": workspace_id, "model": model, "prompt_version": version, "samples": sample_platforms()}
    return query.rows(connection, SummaryCounts, load_sql("counts"), asked)


def usage_by_month(connection: Connection, workspace_id: UUID | None = None) -> list[MonthlySummaryUsage]:
    """Of one workspace or of all, the newest month first."""
    return query.rows(connection, MonthlySummaryUsage, load_sql("by_month"), {"workspace_id": workspace_id})
