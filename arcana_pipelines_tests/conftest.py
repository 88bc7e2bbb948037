"""One PostgreSQL a test run, one database a test (cloned from a migrated template), one world a test."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arcana_pipelines.db import schema
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, serve
from arcana_pipelines_tests.harness import Harness

# An installation's database before its tables are made, and with them. Tests clone these: nobody is connected to them.
_EMPTY, _TEMPLATE = "arcana_empty", "arcana_template"
_numbers = itertools.count()

# No test may depend on, or touch, what the person who runs it has configured.
_OURS = ("ARCANA_", "DAGSTER_", "NOTION_", "OPENAI_", *(name.upper() for name in Settings.model_fields))


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the run's PostgreSQL, itself or through other fixtures, is marked `db`."""
    for item in items:
        if "server_home" in getattr(item, "fixturenames", ()):
            item.add_marker("db")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(_OURS):
            monkeypatch.delenv(name)


class Naps:
    """Stands for the waiting between attempts: nobody waits, and it is noted."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def pause(self, seconds: float) -> None:
        if seconds > 0:
            self.seconds.append(seconds)


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    """What would have been slept between attempts."""
    naps = Naps()
    monkeypatch.setattr("arcana_pipelines.net.workers.pause", naps.pause)
    return naps


@pytest.fixture(scope="session")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The ARCANA_HOME of the run's PostgreSQL, shared by all workers of the run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    home = Path(tempfile.gettempdir()) / f"arcana-tests-{run[:12]}"
    home.mkdir(exist_ok=True)
    lease.acquire_lease(home)
    yield home
    lease.release_lease(home)
    if lease.wait_until_stopped(home):
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server_home: Path) -> str:
    """The URL of the server, for its superuser, with a migrated template database in it."""
    url = lease.server_url(server_home, lease.SUPERUSER)
    with (server_home / "template.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_TEMPLATE]).fetchone()
            if row is None:
                # Processes are killed here, the server never: nothing has to reach the disk.
                for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                    connection.execute(f"ALTER SYSTEM SET {setting} = off")
                connection.execute("SELECT pg_reload_conf()")
                # The installation's own database is empty, and has the extensions and the rights.
                for name in (_EMPTY, _TEMPLATE):
                    _make_database(connection, name, lease.DATABASE)
                database = Database(Settings(database_url=named(url, _TEMPLATE)))
                schema.upgrade(database)
                database.close()
    return url


@pytest.fixture
def database_url(template: str) -> Iterator[str]:
    """The URL of a database of this test's own, for the role that works with it."""
    with _database_like(template, _TEMPLATE) as url:
        yield url


@pytest.fixture
def empty_database(template: str) -> Iterator[Database]:
    """A database of this test's own as a new installation has it: no tables."""
    with _database_like(template, _EMPTY) as url:
        database = Database(Settings(database_url=url))
        yield database
        database.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of an installation of this test's own."""
    return Settings(arcana_home=tmp_path / "home", database_url=database_url, notion_requests_per_minute=0)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A database of this test's own."""
    database = Database(settings)
    yield database
    database.close()


@pytest.fixture
def world() -> NotionWorld:
    """A Notion workspace of this test's own."""
    return NotionWorld()


@pytest.fixture
def server(world: NotionWorld) -> Iterator[NotionServer]:
    """A server that shows the world."""
    with serve(world) as running:
        yield running


@pytest.fixture
def acme(database: Database, world: NotionWorld, server: NotionServer) -> Harness:
    """A registered workspace `acme` that reads the world."""
    return Harness.register(database, world, server, "acme")


@pytest.fixture
def another(database: Database) -> Iterator[Callable[[str], Harness]]:
    """Registers more workspaces, each with a world of its own, on the same database."""
    servers: list[NotionServer] = []

    def make(slug: str) -> Harness:
        world = NotionWorld()
        servers.append(serve(world))
        return Harness.register(database, world, servers[-1], slug)

    yield make
    for running in servers:
        running.close()


@contextmanager
def _database_like(server: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        _make_database(connection, name, template)
        yield named(server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _make_database(connection: psycopg.Connection[Any], name: str, template: str) -> None:
    """A copy of a database. It is the superuser's, as the installation's own is."""
    connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[arg-type]
    connection.execute(f"GRANT ALL ON DATABASE {name} TO arcana_owner")  # type: ignore[arg-type]


def named(url: str, name: str, role: str = lease.WRITER) -> str:
    """The URL of another database, for a role of the server."""
    return url.replace(f"{lease.SUPERUSER}@/", f"{role}@/").replace(f"@/{lease.DATABASE}?", f"@/{name}?")
