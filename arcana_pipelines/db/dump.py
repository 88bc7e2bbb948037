"""A copy of our tables before their schema changes, made by PostgreSQL's own `pg_dump`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from arcana_pipelines.db.embedded.lease import bare_environment
from arcana_pipelines.db.embedded.programs import programs
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import BackupFailed
from arcana_pipelines.home import make_home

load_sql = statements_beside(__file__)

# Another session may hold a table for itself; a dump waits no longer than this for it.
LOCK_TIMEOUT_MILLISECONDS = 15 * 60 * 1000
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_LONGEST_REASON = 600  # characters of what pg_dump said


@dataclass(frozen=True, slots=True)
class PgDump:
    """A `pg_dump` that was found.

    Attributes:
        major: its major version: the newest of a server that it can read.
    """

    path: Path
    major: int


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
        relations = scalars(connection, load_sql("our_relations"), {"names": _names()})
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


def _names() -> list[str]:
    """What our releases make. Others may have tables in the same schema: a restored dump must not change them."""
    from arcana_pipelines.db.models import Base
    from arcana_pipelines.db.models.index import CHUNK_SEQUENCE
    from arcana_pipelines.db.models.learning import VIEWS
    from arcana_pipelines.db.models.target import DELIVERY_SEQUENCE

    # `document_chunk` and `job_queue` are views; the first was a table before.
    sequences = (CHUNK_SEQUENCE.name, DELIVERY_SEQUENCE.name)
    return [*Base.metadata.tables, "document_chunk", "job_queue", *VIEWS, *sequences, "alembic_version"]


def _run(program: PgDump, database: Database, relations: list[str], file: Path) -> None:
    address = database.address
    # What stands among the arguments of a process, every user of the machine can read.
    hidden = sorted(address.secrets.keys() - {"password"})
    if hidden:
        raise _failed(
            f"DATABASE_URL has {', '.join(hidden)}, which pg_dump cannot be given without showing it to others"
        )
    environment = bare_environment() | {name: value for name, value in os.environ.items() if name.startswith("PG")}
    if "password" in address.secrets:
        environment["PGPASSWORD"] = address.secrets["password"]
    done = subprocess.run(
        [
            program.path,
            "--no-password",
            "--format=custom",
            "--compress=1",
            "--no-unlogged-table-data",
            # Policies bind the owner, too, and let him read everything.
            "--enable-row-security",
            f"--lock-wait-timeout={LOCK_TIMEOUT_MILLISECONDS}",
            f"--file={file}",
            *(f"--table={relation}" for relation in relations),
            f"--dbname={address.shown}",
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = " ".join(address.without_secrets(done.stderr).split())[:_LONGEST_REASON]
        raise _failed(f"{program.path} said: {said or f'nothing, and ended with {done.returncode}'}")


def _able_to_read(server: int, is_encrypted: bool, is_embedded: bool) -> PgDump:
    """The `pg_dump` for a server of this major version: that of the PATH, or the one that comes with the package.

    The latter is made without TLS: where our own connection is encrypted, its would not be.
    """
    ours = _version_of(programs() / "pg_dump")
    path = shutil.which("pg_dump", path=_absolute_path())
    theirs = None if path is None or is_embedded else _version_of(Path(path))
    for program in (theirs, None if is_encrypted else ours):
        if program is not None and program.major >= server:
            return program
    if theirs is None:
        lack = f"there is no pg_dump on the PATH for the server, a PostgreSQL {server}"
    else:
        lack = f"{theirs.path} is of PostgreSQL {theirs.major}, and the server is a PostgreSQL {server}"
    raise _failed(f"{lack}. Install the client programs of PostgreSQL {server} or newer and run this again")


def _absolute_path() -> str:
    """The PATH without folders that depend on the current directory: an unpacked export may hold a `pg_dump`."""
    return os.pathsep.join(part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(part))


def _version_of(path: Path) -> PgDump | None:
    try:
        done = subprocess.run(
            [path, "--version"],
            env=bare_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(done.stdout)
    return None if version is None else PgDump(path, int(version[1]))


def _failed(reason: str) -> BackupFailed:
    return BackupFailed(
        f"The database could not be dumped before its schema changes, so nothing was changed: {reason.rstrip('.')}. "
        "If you have a backup of your own (docs/operating.md has how), or need none: `arcana db upgrade --no-backup`."
    )
