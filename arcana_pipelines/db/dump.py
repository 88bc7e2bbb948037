"""A copy of our tables before their schema changes, made by PostgreSQL's own `pg_dump`."""

from __future__ import annotations

import os
from pathlib import Path

from arcana_pipelines.db.client_programs import Program, Unusable, environment_for, find_program, run_quietly
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import BackupFailed
from arcana_pipelines.home import make_home

load_sql = statements_beside(__file__)

# Another session may hold a table for itself; a dump waits no longer than this for it.
LOCK_TIMEOUT_MILLISECONDS = 15 * 60 * 1000
# What every `pg_dump` of ours is told.
OF_DUMPS = (
    "--no-password",
    "--format=custom",
    "--compress=1",
    "--no-unlogged-table-data",
    # Policies bind the owner, too, and let him read everything.
    "--enable-row-security",
    f"--lock-wait-timeout={LOCK_TIMEOUT_MILLISECONDS}",
)


def backup_folder(home: Path) -> Path:
    """Where the dumps of an installation are."""
    return home / "backups"


def dump_tables(database: Database, revision: str) -> Path:
    """Dump our tables, which are at this revision, into a new file of `ARCANA_HOME/backups` and return its path.

    The file is for this user alone, and whole: what a dump that failed left is removed.

    Raises:
        BackupFailed: there is no `pg_dump` that can read the server, or it failed. Nothing was written.
    """
    with database.connection() as connection:
        server = connection.info.server_version // 10000
        is_encrypted = connection.pgconn.ssl_in_use
        taken_at: str = scalar(connection, "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISS\"Z\"')")
        relations = scalars(connection, load_sql("our_relations"), {"names": names_of_ours()})
    program = _able_to_read(server, is_encrypted, database.settings.database_url is None)
    folder = backup_folder(database.settings.home)
    target = folder / f"arcana-{revision}-{taken_at}.dump"
    half_written = target.with_suffix(".part")
    try:
        make_home(database.settings.home)
        folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(half_written, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            _run(program, database, relations, half_written)
            half_written.rename(target)
        finally:
            half_written.unlink(missing_ok=True)
    except OSError as error:
        raise _failed(f"{error.filename or folder} cannot be written ({error.strerror})") from error
    return target


def names_of_ours() -> list[str]:
    """What our releases make. Others may have tables in the same schema: a restored dump must not change them."""
    from arcana_pipelines.db.models import Base
    from arcana_pipelines.db.models.index import CHUNK_SEQUENCE
    from arcana_pipelines.db.models.learning import VIEWS
    from arcana_pipelines.db.models.target import DELIVERY_SEQUENCE

    # `document_chunk` and `job_queue` are views; the first was a table before.
    sequences = (CHUNK_SEQUENCE.name, DELIVERY_SEQUENCE.name)
    return [*Base.metadata.tables, "document_chunk", "job_queue", *VIEWS, *sequences, "alembic_version"]


def _run(program: Program, database: Database, relations: list[str], file: Path) -> None:
    address = database.address
    try:
        environment = environment_for(address)
    except Unusable as error:
        raise _failed(str(error)) from None
    arguments = [
        *OF_DUMPS,
        f"--file={file}",
        *(f"--table={relation}" for relation in relations),
        f"--dbname={address.shown}",
    ]
    said = run_quietly([program.path, *arguments], environment, address)
    if said is not None:
        raise _failed(f"{program.path} said: {said}")


def _able_to_read(server: int, is_encrypted: bool, is_embedded: bool) -> Program:
    try:
        return find_program("pg_dump", server, is_encrypted, is_embedded)
    except Unusable as error:
        raise _failed(str(error)) from None


def _failed(reason: str) -> BackupFailed:
    return BackupFailed(
        f"The database could not be dumped before its schema changes, so nothing was changed: {reason.rstrip('.')}. "
        "If you have a backup of your own (docs/operating.md has how), or need none: `arcana db upgrade --no-backup`."
    )
