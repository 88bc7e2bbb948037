"""Create, upgrade and check the schema. Alembic is imported only when there is something to do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from psycopg import sql

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.locks import wait_for_advisory_lock
from arcana_pipelines.db.reader import grant_to_readers
from arcana_pipelines.db.server import check_server, refuse_reader, tables_out_of_reach
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import DatabaseBusy, WrongUse

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
_SCRATCH = "arcana_expected_schema"
LOCK = 7270001  # an advisory lock: one migration at a time in a database

# Whoever comes behind a wait for a table waits as well, searches too, and a search gives up after five seconds. So a
# migration waits half a second, lets the others pass, and asks again. Half a second is less than `deadlock_timeout`
# (1 s): where a search and a migration wait for each other, it is the migration that gives up.
LOCK_TIMEOUT_MILLISECONDS = 500
PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 15 * 60.0
# A search reads these before all others. In the same order a migration and a search do not wait for each other.
_SEARCHES_READ_FIRST = ("company", "workspace", "rag_indexes", "rag_index_build")


@cache
def revisions() -> tuple[str, ...]:
    """The revisions of all migration files, in order."""
    return tuple(sorted(path.stem.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")))


def newest_revision() -> str:
    """The revision of the newest migration file."""
    return revisions()[-1]


def current_revision(database: Database) -> str | None:
    """The revision the database is at, or None for an empty one.

    Raises:
        WrongUse: a restore into it was begun and not finished.
    """
    with database.connection() as connection:
        if not database.is_being_restored and is_half_restored(connection):
            raise WrongUse(
                f"A restore into the database at {database.safe_url} is under way or was interrupted, so it is not "
                "used. Run `arcana restore` into it again, or drop the database."
            )
        ours = connection.execute(load_sql("our_schema")).fetchone()
        if ours is None:
            return None
        version = sql.Identifier(ours[0], "alembic_version")
        try:
            row = connection.execute(sql.SQL("SELECT version_num FROM {}").format(version)).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            return None  # `check_server` says which right is missing
        return None if row is None else str(row[0])


def is_half_restored(connection: psycopg.Connection[Any]) -> bool:
    """Whether a restore into this database was begun and not finished."""
    return connection.execute(load_sql("unfinished_restore")).fetchone() == (True,)


def upgrade(
    database: Database,
    revision: str = "head",
    before: Callable[[str, str], object] = lambda current, target: None,
    statement_seconds: float | None = None,
) -> str:
    """Bring the schema to `revision` (default: the newest) and return it. Does nothing when it is there.

    Searches may go on meanwhile: all migrations are one transaction, which waits for no table so long that searches
    would fail behind it, but lets them pass and begins again (for 15 minutes).

    Args:
        before: called with the revisions before and after, when tables that are there are about to change. No other
            process changes them meanwhile. What it raises is raised, and nothing is changed.
        statement_seconds: how long one statement may take; None: as long as the database allows.

    Raises:
        OnlySearches: the user may only search, so that nothing that begins with this could go on.
        WrongUse: the schema is of a newer release.
        DatabaseBusy: a table was in use all the time, or a statement took too long. Nothing was changed.
    """
    with database.connection() as connection:
        refuse_reader(connection)
    target = newest_revision() if revision == "head" else revision
    there = current_revision(database)
    refuse_newer(there)
    if there != target:
        with database.connection() as connection:
            check_server(connection)

        def announce() -> None:
            # Another process may have changed them while this one waited.
            current = current_revision(database)
            if current is not None and current < target:
                before(current, target)

        _migrate(database, "upgrade", target, announce, statement_seconds)
    grant_reads(database)
    return target


def grant_reads(database: Database) -> None:
    """Let the roles that search, where there are some, read what they may.

    Rules for rows are made under a lock that no search passes, so this waits as a migration does (`upgrade`).

    Raises:
        DatabaseBusy: a table was in use all the time.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not _granted(database, give_up):
        time.sleep(PAUSE_SECONDS)


def _granted(database: Database, give_up: float) -> bool:
    """Grant all of it in one transaction; False: a table is in use, and nothing was granted."""
    with database.connection() as connection:
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MILLISECONDS}")
                grant_to_readers(connection)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            _tell_of_use(error, give_up)
            return False
    return True


def _tell_of_use(error: psycopg.Error, give_up: float) -> None:
    """Say that a table is in use.

    Raises:
        DatabaseBusy: it has been for so long that this is given up (`give_up`, a time of `time.monotonic`).
    """
    said = " ".join(str(error).split())
    if time.monotonic() > give_up:
        raise DatabaseBusy(
            f"The schema cannot be changed: others have used a table of it for {PATIENCE_SECONDS / 60:.0f} "
            f"minutes without an end ({said}). Stop what runs, or end what hangs: `SELECT pid, state, query, "
            "pg_blocking_pids(pid) FROM pg_stat_activity` shows it. Nothing was changed."
        ) from error
    log.warning("a table is in use (%s); searches go on, and the change begins again", said)


def downgrade(
    database: Database, revision: str, before: Callable[[str, str], object] = lambda current, target: None
) -> None:
    """Take migrations back, down to `revision` (`base`: all of them). For `before` and errors see `upgrade`."""

    def announce() -> None:
        current = current_revision(database)
        refuse_newer(current)
        if current is not None:
            before(current, revision)

    _migrate(database, "downgrade", revision, announce)


def refuse_newer(current: str | None) -> None:
    """Refuse a schema that a newer release has made.

    Raises:
        WrongUse: `current` is none of this release's revisions.
    """
    if current is not None and current not in revisions():
        raise WrongUse(
            f"The database has the schema {current}, of a newer release than this one, which knows none above "
            f"{newest_revision()}. Install that release; it can also go back: `arcana db downgrade --to "
            f"{newest_revision()}`."
        )


def require_current(database: Database) -> None:
    """Refuse to work on a schema of another release.

    Raises:
        WrongUse: the schema is older or newer than this release's; the message says what to run.
    """
    current = current_revision(database)
    if current is None:
        with database.connection() as connection:
            tables_out_of_reach(connection)
    refuse_newer(current)
    if current != newest_revision():
        state = "has no tables of ours yet" if current is None else f"has the schema {current}"
        raise WrongUse(f"The database {state}; this release needs {newest_revision()}. Run `arcana db upgrade`.")


def drift(database: Database) -> list[str]:
    """What differs between the models and the live schema, a line each. Empty when they agree.

    The models are created in a scratch schema inside a transaction that is rolled back, and PostgreSQL's
    own descriptions of columns, constraints and indexes are compared.

    Raises:
        WrongUse: this user may make no schema.
    """
    from arcana_pipelines.db.models import Base

    with database.connection() as own:
        refuse_reader(own)
    with database.in_transactions() as connection:
        if not connection.exec_driver_sql("SELECT has_database_privilege(current_database(), 'CREATE')").scalar_one():
            grant = connection.exec_driver_sql(
                "SELECT format('GRANT CREATE ON DATABASE %%I TO %%I;', current_database(), current_user)"
            ).scalar_one()
            raise WrongUse(
                f"To compare the tables with the models, a schema is made for a moment. Let the database's "
                f"owner allow it: {grant}"
            )
        live = _described(connection)
        connection.exec_driver_sql(f"CREATE SCHEMA {_SCRATCH}")
        # The schemas of before stay behind it: extensions may be in any of them.
        connection.exec_driver_sql(
            f"SELECT set_config('search_path', '{_SCRATCH}, ' || current_setting('search_path'), true)"
        )
        Base.metadata.create_all(connection, checkfirst=False)
        expected = _described(connection)
        connection.rollback()
    missing = [f"missing: {line}" for line in sorted(expected - live)]
    return missing + [f"unexpected: {line}" for line in sorted(live - expected)]


def _described(connection: Connection) -> set[str]:
    """What is in the schema that is first on the search path."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return {row[0] for row in driver.execute(load_sql("describe_schema"))}


def _migrate(
    database: Database,
    direction: Literal["upgrade", "downgrade"],
    target: str,
    announce: Callable[[], None] = lambda: None,
    statement_seconds: float | None = None,
) -> None:
    from alembic import command
    from alembic.config import Config

    config: Config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    run = command.upgrade if direction == "upgrade" else command.downgrade
    with database.own_connection() as lock:
        wait_for_advisory_lock(
            lock, "%s", [LOCK], lambda: log.warning("another process changes the schema; waiting for it to end")
        )
        announce()
        locks = _locks(lock, direction, current_revision(database), target)
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not _tried(database, lambda: run(config, target), config, locks, statement_seconds, give_up):
            time.sleep(PAUSE_SECONDS)


def _tried(
    database: Database, run: Callable[[], None], config: Config, locks: list[str], statement_seconds: float | None,
    give_up: float,
) -> bool:  # fmt: skip
    """Run migrations in a transaction; False: a table is in use, and nothing was changed."""
    from sqlalchemy.exc import OperationalError

    with database.in_transactions() as connection:
        connection.exec_driver_sql(load_sql("migration_limits"), {
            "lock": LOCK_TIMEOUT_MILLISECONDS,
            "statement": None if statement_seconds is None else max(1, round(statement_seconds * 1000)),
        })  # fmt: skip
        connection.commit()
        config.attributes["connection"], config.attributes["locks"] = connection, locks
        try:
            run()
            connection.commit()
        except OperationalError as error:
            if isinstance(error.orig, psycopg.errors.QueryCanceled) and statement_seconds is not None:
                raise DatabaseBusy(
                    f"A statement of the migration took more than {statement_seconds:g} seconds. Nothing was changed."
                ) from error
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
                raise
            _tell_of_use(error.orig, give_up)
            return False
    return True


def _locks(connection: psycopg.Connection[Any], direction: str, current: str | None, target: str) -> list[str]:
    """Statements that lock what the migrations will, before the first of them runs.

    One that took one table, was long at work, and then waited for another would have let searches wait for the first.
    """
    from arcana_pipelines.db.dump import names_of_ours
    from arcana_pipelines.db.upgrade_plan import steps_down, steps_up

    if current is None or (current >= target if direction == "upgrade" else current <= target != "base"):
        return []
    plan = steps_up if direction == "upgrade" else steps_down
    steps = plan(connection, current, target)
    for_searches = {table for step in steps for table in step.stops_searches}
    if any(step.asks_first for step in steps):
        # Which ones it locks cannot be told. Locked later, in the midst of its work, they end searches in deadlocks.
        for_searches.update(names_of_ours())
    for_writes = {table for step in steps for table in step.stops_writes} - for_searches
    tables = {
        name for (name,) in connection.execute(load_sql("tables_to_lock"), {"names": [*for_searches, *for_writes]})
    }
    return [
        f"LOCK TABLE {', '.join(sorted(tables & names, key=_as_searches_lock))} IN {mode} MODE"
        for names, mode in ((for_writes, "SHARE ROW EXCLUSIVE"), (for_searches, "ACCESS EXCLUSIVE"))
        if tables & names
    ]


def _as_searches_lock(table: str) -> tuple[int, str]:
    first = _SEARCHES_READ_FIRST
    return (first.index(table) if table in first else len(first), table)
