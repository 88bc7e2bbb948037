"""Rows are rewritten for a migration that added columns: after it, in batches, each a transaction of its own.

In the migration itself the rewriting would hold its tables to its end, and begin anew when it is interrupted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.locks import wait_for_advisory_lock
from arcana_pipelines.db.query import scalar
from arcana_pipelines.errors import DatabaseBusy

log = logging.getLogger(__name__)

BATCH_ROWS = 1000
SAY_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What is filled after a migration. What reads the rows meanwhile takes those that are left, too.

    Attributes:
        what: the name that people see.
        left: counts the rows that are left: 0, and it is never asked for again in this upgrade. An index has to
            answer it, as each start of a command that upgrades asks.
        batch: rewrites at most `%(size)s` of these, and waits for rows that others hold.
    """

    what: str
    left: LiteralString
    batch: LiteralString


# Those of this release, in order. One stays here until a migration drops what it was filled from.
REWRITES: tuple[Rewrite, ...] = ()


def rewrite(
    database: Database,
    rewrites: Sequence[Rewrite] = (),
    size: int = BATCH_ROWS,
    statement_seconds: float | None = None,
) -> int:
    """Rewrite what is left, in a schema of this release, and return how many rows that were. Says how far it is.

    What is interrupted goes on where it was. Searches and syncs go on meanwhile: they wait for no more than a batch.

    Args:
        statement_seconds: how long a batch may take; None: as long as the database allows.

    Raises:
        DatabaseBusy: others held rows all the time, or a batch took too long. What was rewritten stays so.
    """
    if not rewrites:
        return 0
    done = 0
    with database.own_connection() as connection:
        wait_for_advisory_lock(
            connection, "%s", [schema.LOCK],
            lambda: log.warning("another process changes the schema; waiting for it to end"),
        )  # fmt: skip
        connection.execute(schema.load_sql("migration_limits"), {
            "lock": schema.LOCK_TIMEOUT_MILLISECONDS,
            "statement": None if statement_seconds is None else max(1, round(statement_seconds * 1000)),
        })  # fmt: skip
        for each in rewrites:
            done += _finish(connection, each, size)
    return done


def _finish(connection: Connection, each: Rewrite, size: int) -> int:
    total: int = scalar(connection, each.left)
    done, said = 0, time.monotonic()
    if total:
        log.warning("%s: %s rows, in batches of %s; it can be interrupted, and goes on at the next upgrade",
                    each.what, f"{total:,}", f"{size:,}")  # fmt: skip
    while total and (rows := _batch(connection, each, size, done)):
        done += rows
        if time.monotonic() - said > SAY_EVERY_SECONDS:
            said = time.monotonic()
            log.warning("%s: %s of %s rows", each.what, f"{done:,}", f"{max(total, done):,}")
    if total:
        log.warning("%s: all %s rows are done", each.what, f"{done:,}")
    return done


def _batch(connection: Connection, each: Rewrite, size: int, done: int) -> int:
    """One transaction; the number of its rows. Whoever holds a row is let pass."""
    give_up = time.monotonic() + schema.PATIENCE_SECONDS
    so_far = f"{done:,} rows are done and stay so; `arcana db upgrade` goes on from there."
    while True:
        try:
            with connection.transaction():
                rewritten: psycopg.Cursor[Any] = connection.execute(each.batch, {"size": size})
                return rewritten.rowcount
        except psycopg.errors.QueryCanceled as error:
            raise DatabaseBusy(f"{each.what}: a batch took too long. {so_far}") from error
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if time.monotonic() > give_up:
                raise DatabaseBusy(f"{each.what}: others hold rows of it without an end. {so_far}") from error
            log.warning("%s: rows are in use; trying again", each.what)
            time.sleep(schema.PAUSE_SECONDS)
