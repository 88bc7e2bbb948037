"""`arcana report`: what was learned from the use of `arcana serve`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import console, json_option, local_time, print_json, printable, say
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.learning import counts, reports
from arcana_pipelines.settings import Settings
from arcana_pipelines.workspaces import workspaces

_Read = Callable[[Connection, Settings, UUID | None, int], Sequence[Any]]


def _of(kind: type[Any]) -> _Read:
    return lambda connection, settings, workspace_id, most: reports.read(connection, kind, workspace_id, most)


def _questions(connection: Connection, _: Settings, workspace_id: UUID | None, most: int) -> Sequence[Any]:
    return reports.questions(connection, workspace_id, most)


def _comments(connection: Connection, _: Settings, workspace_id: UUID | None, most: int) -> Sequence[Any]:
    return reports.comments(connection, workspace_id, most)


_REPORTS: dict[str, tuple[_Read, str]] = {
    "questions": (_questions, "No question is registered."),
    "unanswered": (_of(reports.OpenQuestion), "No question was left without an answer."),
    "comments": (_comments, "No reader has written anything."),
    "pages": (_of(reports.ShownPage), "No page was shown in the last 30 days."),
    "stale": (_of(reports.StalePage), "No page that was shown is older than a year."),
    "indexes": (_of(reports.IndexUse), "There is no index yet."),
    "costs": (reports.costs, "Nothing has been embedded or asked yet."),
    "days": (_of(reports.DayOfUse), "No key has been used yet."),
    "health": (lambda connection, *_: reports.health(connection), "Nothing was told in the last two hours."),
}


@click.command(name="report")
@click.argument("what", type=click.Choice(list(_REPORTS)))
@click.argument("slug", required=False)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many rows at most.")
@json_option
def command(what: str, slug: str | None, limit: int, as_json: bool) -> None:
    """Show what was learned from the use of `arcana serve`: of all workspaces, or of one.

    \b
    questions    questions that were asked most, and how often they were answered, and from a cache
    unanswered   questions that found nothing, or were said to be not answered
    comments     what readers wrote of answers and of pages in them
    pages        pages that were shown in the last 30 days, those that helped most first
    stale        pages that were shown then, and that nobody has edited for a year
    indexes      searches of the last 30 days by index, and what readers said
    costs        what a workspace cost by month: embeddings, and questions
    days         requests by day, workspace and key
    health       what processes see of what they need: the database, the embedding provider, rows that wait

    Days and months are UTC, costs US dollars.
    """
    read, none = _REPORTS[what]
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id if slug else None
        if what in ("pages", "stale"):
            counts.count_chunks(connection, database.settings)
        rows = [asdict(row) for row in read(connection, database.settings, workspace_id, limit)]
    if as_json:
        print_json({"report": what, "rows": [{name: _told(value) for name, value in row.items()} for row in rows]})
    elif rows:
        _print(rows)
    else:
        say("{}", none)


def _told(value: Any) -> Any:
    """As JSON has it: a cost is a text, since a number of JSON is not exact."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value


def _print(rows: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name, value in rows[0].items():
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        table.add_column(name.replace("_", " "), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_shown(value))) for value in row.values()))
    console().print(table)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return local_time(value)
    if isinstance(value, Decimal):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
