"""Create, upgrade and check the schema. Alembic is imported only when there is something to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.locks import wait_for_advisory_lock
from arcana_pipelines.db.reader import grant_to_readers
from arcana_pipelines.db.server import check_server, refuse_reader, tables_out_of_reach
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
_SCRATCH = "arcana_expected_schema"
_LOCK = 7270001  # an advisory lock: one migration at a time in a database


def newest_revision() -> str:
    """The revision of the newest migration file."""
    return max(path.stem.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


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
    database: Database, revision: str = "head", before: Callable[[str, str], object] = lambda current, target: None
) -> str:
    """Bring the schema to `revision` (default: the newest) and return it. Does nothing when it is there.

    `before` is called with the revisions before and after, when tables that are there are about to change. No other
    process changes them meanwhile. What it raises is raised, and nothing is changed.

    Raises:
        OnlySearches: the user may only search, so that nothing that begins with this could go on.
    """
    with database.connection() as connection:
        refuse_reader(connection)
    target = newest_revision() if revision == "head" else revision
    if current_revision(database) != target:
        with database.connection() as connection:
            check_server(connection)
        from alembic import command

        def announce() -> None:
            # Another process may have changed them while this one waited.
            current = current_revision(database)
            if current is not None and current < target:
                before(current, target)

        _migrate(database, lambda config: command.upgrade(config, revision), announce)
    grant_reads(database)
    return target


def grant_reads(database: Database) -> None:
    """Let the roles that search, where there are some, read what they may."""
    with database.connection() as connection:
        grant_to_readers(connection)


def downgrade(database: Database, revision: str) -> None:
    """Take migrations back, down to `revision` (`base`: all of them)."""
    from alembic import command

    _migrate(database, lambda config: command.downgrade(config, revision))


def require_current(database: Database) -> None:
    """Refuse to work on a schema of another release.

    Raises:
        WrongUse: the schema is older or newer than this release's; the message says what to run.
    """
    current = current_revision(database)
    if current is None:
        with database.connection() as connection:
            tables_out_of_reach(connection)
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


def _migrate(database: Database, run: Any, announce: Callable[[], None] = lambda: None) -> None:
    from alembic.config import Config

    config: Config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.own_connection() as lock:
        wait_for_advisory_lock(
            lock, "%s", [_LOCK], lambda: log.warning("another process changes the schema; waiting for it to end")
        )
        announce()
        with database.in_transactions() as connection:
            config.attributes["connection"] = connection
            run(config)
            connection.commit()
