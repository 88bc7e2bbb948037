"""Which statements are slow, where the server counts them (pg_stat_statements). Never their text."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows, scalar
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

SLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Statement:
    """A kind of statement that was run ten times or more.

    Attributes:
        query_id: by which `pg_stat_statements` has its text.
        mean_seconds: that it took on average.
        total_seconds: that all of it took together.
    """

    query_id: int
    calls: int
    mean_seconds: float
    total_seconds: float


def slowest(connection: Connection, most: int = 20) -> list[Statement] | None:
    """The slowest kinds of statements of this database, or None where the server does not count them."""
    if scalar(connection, "SELECT to_regclass('pg_stat_statements') IS NULL"):
        return None
    try:
        with connection.transaction():
            return rows(connection, Statement, load_sql("slow_statements"), {"most": most})
    except (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.InsufficientPrivilege):
        return None  # the extension is there, and the server was not started with it
