"""One PostgreSQL for a test run, in which each test gets a database of its own, with the tables in it."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep as pause  # a test may have put something else in its place
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from pydantic import SecretStr

from arcana_pipelines.db import schema
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.embedded.keeper import make_database
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.migrations import versions
from arcana_pipelines.settings import Settings

OWN_SERVER_VARIABLE = "ARCANA_TEST_DATABASE_URL"

# Of sessions that make databases: workers of a run start at once.
_MAKING = 4_711_000
# A file system in memory, where Linux has one, and what the server of a run may need there.
_MEMORY, _ROOM_BYTES = Path("/dev/shm"), 2 << 30
# How often it is looked whether a database has sessions left; then PostgreSQL waits for them.
_LOOKS = 500
_numbers = itertools.count()


class DatabaseServer:
    """A PostgreSQL with the roles of the embedded one (`db/embedded/sql/roles.sql`)."""

    def __init__(self, url: str) -> None:
        """`url` is that of any of its databases, for the superuser `postgres`."""
        self._url = url
        # No session is connected to these, so they can be copied: one as a new installation has it, one with tables.
        self._empty = "arcana_empty"
        self._with_tables = f"arcana_{_digest_of_migrations()}"

    def address(self, name: str, role: str = lease.WRITER) -> str:
        """The URL of one of its databases, for a role that gets in without a password."""
        parts = urlsplit(self._url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}@{host}", path=f"/{name}"))

    @contextmanager
    def database(self, *, with_tables: bool = True) -> Iterator[str]:
        """The URL of a new database, for the role that works with it; it is dropped in the end."""
        with self._dropped_copy(self._with_tables if with_tables else self._empty) as url:
            yield url

    @contextmanager
    def copy(self, url: str) -> Iterator[str]:
        """The URL of a copy of one of its databases, to which nobody may be connected; it is dropped in the end."""
        with self._dropped_copy(urlsplit(url).path.removeprefix("/")) as copied:
            yield copied

    def make_ready(self, *, is_ours: bool) -> None:
        """Make the databases that are copied, unless another worker, or a run before, has made them.

        Args:
            is_ours: the server lives no longer than the run. Nothing has to reach its disk then.
        """
        with self._superuser("postgres") as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_MAKING])
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            if self._with_tables in there:
                return
            if is_ours:
                # Processes are killed in tests, the server never; and no database lives so long that it had to be
                # vacuumed.
                for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
                    connection.execute(f"ALTER SYSTEM SET {setting} = off")
                connection.execute("SELECT pg_reload_conf()")
            else:
                make_database(connection, lambda: self._superuser(lease.DATABASE))
            if self._empty not in there:
                self._copy(connection, lease.DATABASE, self._empty)
            # It gets its name when it is whole.
            connection.execute("DROP DATABASE IF EXISTS arcana_unfinished WITH (FORCE)")
            self._copy(connection, self._empty, "arcana_unfinished")
            settings = Settings(database_url=SecretStr(self.address("arcana_unfinished")))  # type: ignore[call-arg]
            database = Database(settings)
            schema.upgrade(database)
            database.close()
            # The first session reads the catalogue and leaves it in a file, for which those of the copies need not.
            self._superuser("arcana_unfinished").close()
            connection.execute(f"ALTER DATABASE arcana_unfinished RENAME TO {self._with_tables}")

    def _superuser(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.address(name, lease.SUPERUSER), autocommit=True)

    @contextmanager
    def _dropped_copy(self, template: str) -> Iterator[str]:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with self._superuser("postgres") as connection:
            self._copy(connection, template, name)
            yield self.address(name)
            self._end_sessions(connection, name)
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _end_sessions(self, connection: psycopg.Connection[Any], name: str) -> None:
        """While one is on its way out, PostgreSQL would wait a tenth of a second before it looks again."""
        sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        for _ in range(_LOOKS):
            if not connection.execute(sessions, [name]).rowcount:
                return
            pause(0.001)

    def _copy(self, connection: psycopg.Connection[Any], template: str, name: str) -> None:
        """Like the installation's own, the copy is the superuser's.

        Its files are copied: to write each page into the log of changes, too, takes four times as long.
        """
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        connection.execute(f"GRANT ALL ON DATABASE {name} TO arcana_owner")


@contextmanager
def database_server(run: str) -> Iterator[DatabaseServer]:
    """The server of a test run, shared by its workers; the last one that leaves stops it.

    It is the embedded one, in a temporary folder, or in memory where 2 GiB are free; or the one that
    `ARCANA_TEST_DATABASE_URL` names: a server that is there for tests alone and lets everybody in without a password
    (`trust`), by its superuser `postgres`. What is made there besides the tests' databases (roles, three databases to
    copy) stays, and makes the next run start sooner.

    Args:
        run: a name that the workers share and other runs do not have.
    """
    own = os.environ.get(OWN_SERVER_VARIABLE)
    if own:
        server = DatabaseServer(own)
        server.make_ready(is_ours=False)
        yield server
        return
    home = _folder_of_runs() / f"arcana-tests-{run}"
    home.mkdir(exist_ok=True)
    lease.acquire_lease(home)
    try:
        server = DatabaseServer(lease.server_url(home, lease.SUPERUSER))
        server.make_ready(is_ours=True)
        yield server
    finally:
        lease.release_lease(home)
        if lease.wait_until_stopped(home):
            shutil.rmtree(home, ignore_errors=True)


def _folder_of_runs() -> Path:
    """Hundreds of files are made and removed for each test: in memory that takes a third of the time."""
    with suppress(OSError):  # other systems have no such folder
        if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES:
            return _MEMORY
    return Path(tempfile.gettempdir())


def _digest_of_migrations() -> str:
    """Names the tables: other migrations make other ones."""
    folder = Path(versions.__file__).parent
    files = sorted(path for path in folder.iterdir() if path.suffix in (".py", ".sql"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
