"""What keys were used for: a row for each request, by month (UTC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

Action = Literal["search", "read", "sync", "admin", "mcp", "other"]
# Partitions of so many months to come are made: if nobody makes further ones, rows go into the default one.
AHEAD = 2
_PARENT = "api_usage_logs"
_DEFAULT = "api_usage_logs_default"


@dataclass(frozen=True, slots=True)
class Used:
    """One request, or several that were refused alike. Nothing of what was asked or answered.

    Attributes:
        at: when it was answered.
        key_id: whose key it was.
        company_id: whose company's the key is.
        workspace_id: which workspace was asked for; None: none, or several.
        action: what kind of thing was asked for.
        route: its path as it is written, with placeholders.
        status: the answer's.
        milliseconds: that the answer took.
        hits: how many a search gave.
        tokens: of the questions, as the embedding model counts them.
        request_id: the one of its answer.
        requests: how many.
        is_further: of a request in several workspaces, each of which has a row: not the first of them.
    """

    at: datetime
    key_id: str
    company_id: UUID
    workspace_id: UUID | None
    action: Action
    route: str
    status: int
    milliseconds: int
    hits: int | None
    tokens: int | None
    request_id: str
    requests: int = 1
    is_further: bool = False


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What a key was used for in one month.

    Attributes:
        month: `YYYY-MM`, in UTC.
        company: its name.
        key_id: the key's id.
        name: what people call the key.
        requests: all that had a good key. One in several workspaces counts once, and in each of them.
        searches: those that were answered.
        refused: those that came too often, or beyond the month's searches.
        failed: those that were answered with a fault of the server's.
        hits: that searches gave.
        tokens: of their questions.
    """

    month: str
    company: str
    key_id: str
    name: str
    requests: int
    searches: int
    refused: int
    failed: int
    hits: int
    tokens: int


def record(connection: Connection, used: Sequence[Used]) -> None:
    """Add rows, all or none."""
    columns: dict[str, Any] = {each.name: [getattr(row, each.name) for row in used] for each in fields(Used)}
    connection.execute(load_sql("usage_record"), columns)


def searches_of_family(connection: Connection, key_id: str, since: datetime) -> tuple[list[str], int]:
    """The ids of a key and of those that it was rotated from or into, and how many searches were answered to them since
    a time."""
    found = connection.execute(load_sql("usage_searches"), {"key_id": key_id, "since": since}).fetchone()
    assert found is not None
    family, searches = found
    return family, searches


def searches_of_company(connection: Connection, company_id: UUID, since: datetime) -> int:
    """How many searches were answered to all keys of a company, and to who logs in for it, since a time."""
    searches: int = query.scalar(
        connection, load_sql("usage_searches_of_company"), {"company_id": company_id, "since": since}
    )
    return searches


def by_month(connection: Connection, workspace_id: UUID | None = None) -> list[KeyUsage]:
    """Of one workspace or of all, the newest month first."""
    return query.rows(connection, KeyUsage, load_sql("usage_by_month"), {"workspace_id": workspace_id})


def month_of(time: datetime, further: int = 0) -> datetime:
    """The beginning of a time's month in UTC, or of one that is so many months later."""
    time = time.astimezone(UTC)
    months = time.year * 12 + time.month - 1 + further
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def keep_partitions(connection: Connection, months: int, now: datetime) -> tuple[list[str], list[str]]:
    """Make the partitions of this month and of some to come, and drop those of months that ended longer ago.

    Args:
        connection: the owner's.
        months: so many before this one are kept.
        now: the time.

    Returns:
        The names of those that were made, and of those that were dropped.
    """
    there = set(query.scalars(connection, load_sql("usage_partitions")))
    wanted = {_partition(month_of(now, further)): month_of(now, further) for further in range(AHEAD + 1)}
    made = sorted(wanted.keys() - there)
    for name in made:
        _make(connection, name, wanted[name])
    first = _partition(month_of(now, -months))
    dropped = sorted(name for name in there - {_DEFAULT} if name < first)
    for name in dropped:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE at < %s").format(sql.Identifier(_DEFAULT)), [month_of(now, -months)]
    )
    return made, dropped


def _make(connection: Connection, name: str, begin: datetime) -> None:
    """Make a month's partition with what stands in the default one of it."""
    names = {"new": sql.Identifier(name), "parent": sql.Identifier(_PARENT), "rest": sql.Identifier(_DEFAULT)}
    span = {"begin": sql.Literal(begin), "end": sql.Literal(month_of(begin, 1))}
    with connection.transaction():
        # What comes meanwhile waits: a row of the month in the default partition would refuse the new one.
        for statement in (
            "LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE",
            "CREATE TABLE {new} (LIKE {parent} INCLUDING ALL)",
            "CREATE INDEX ON {new} (key_id, at)",
            "WITH moved AS (DELETE FROM {rest} WHERE at >= {begin} AND at < {end} RETURNING *) "
            "INSERT INTO {new} SELECT * FROM moved",
            "ALTER TABLE {parent} ATTACH PARTITION {new} FOR VALUES FROM ({begin}) TO ({end})",
        ):
            connection.execute(sql.SQL(statement).format(**names, **span))


def _partition(month: datetime) -> str:
    return f"{_PARENT}_{month:%Y_%m}"
