"""Databases come from the plug-in for pytest that users have, too; one world a test, which is empty at first."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any, get_args

import fastapi._compat.v2
import hypothesis
import pytest
import uvicorn.server
from mcp.server.mcpserver.tools import Tool
from pydantic import TypeAdapter
from pydantic._internal import _fields
from sqlalchemy import Engine, event

from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, serve
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.caching.valkey import Valkey
from arcana_pipelines_tests.harness import Harness

pytest_plugins = [
    "arcana_pipelines.testing.fixtures",
    "arcana_pipelines_tests.files.buckets",
    "arcana_pipelines_tests.observing.lines",
    "arcana_pipelines_tests.observing.spans",
    "arcana_pipelines_tests.rewritten",
    "arcana_pipelines_tests.tenants",
]

# The same examples wherever and whenever: what fails, fails again. Others, which `make fuzz` tries:
# --hypothesis-profile=others
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("others", deadline=None, print_blob=True)
hypothesis.settings.load_profile("same")

# Hundreds of tests make an API, for which pydantic parses the modules of the same dataclasses once for each of them, to
# read their docstrings, and FastAPI makes the same validators of them: three quarters of the time that it takes.
_fields.extract_docstrings_from_cls = cache(_fields.extract_docstrings_from_cls)
_validators: dict[Any, tuple[TypeAdapter[Any], object]] = {}


def _validator(kind: Any, *, config: Any = None) -> TypeAdapter[Any]:
    """What validates a field of an API, made once; `kind` is `Annotated`."""
    annotation, *metadata = get_args(kind)
    told = (annotation, repr(metadata), repr(config))
    if told not in _validators:
        # With the metadata: the name of a function has its address, which no other one gets while it lives.
        _validators[told] = (TypeAdapter(kind, config=config), metadata)
    return _validators[told][0]


fastapi._compat.v2.TypeAdapter = _validator  # type: ignore[assignment, misc]

# Each API has the tools of assistants, too, whose schemas are those of the functions' texts: the rest is the same.
_described: dict[CodeType, Tool] = {}
_describe = Tool.from_function


def _tool(function: Callable[..., Any], **told: Any) -> Tool:
    code = function.__code__
    if code not in _described:
        _described[code] = _describe(function, **told)
    return _described[code].model_copy(update={"fn": function})


Tool.from_function = _tool  # type: ignore[method-assign, assignment]


class _Hasty:
    """`asyncio` for uvicorn, whose servers sleep a tenth of a second before they look whether they should end, and
    another one until their connections may have: half of what a test of the API waits for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


uvicorn.server.asyncio = _Hasty()  # type: ignore[attr-defined]


# Nothing has to reach the disk: processes are killed in tests, the machine never.
os.fsync = lambda _: None


@event.listens_for(Engine, "connect")
def _wait_for_no_disk(connection: object, _: object) -> None:
    """Dagster's files, where each event is a commit or two."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = off")


def pytest_collection_finish() -> None:
    """Leave what was imported and collected, a million objects, out of what is looked through for garbage."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers() -> int:
    """One more than cores: a worker waits for its database, for processes that it starts, and for time to pass."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the run's PostgreSQL, itself or through other fixtures, is marked `db`."""
    for item in items:
        if "arcana_server" in getattr(item, "fixturenames", ()):
            item.add_marker("db")


@pytest.fixture(autouse=True)
def _clean_environment(arcana_clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may depend on, or touch, what the person who runs it has configured.

    Where the model does not matter it is the small one, which is loaded and embeds in no time.
    """
    monkeypatch.setenv("EMBEDDING_PROVIDER", "local-small")


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


@pytest.fixture
def settings(arcana_settings: Settings) -> Settings:
    """Settings of an installation of this test's own; parts of the suite change them."""
    return arcana_settings


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A database of this test's own."""
    database = Database(settings)
    yield database
    database.close()


@pytest.fixture
def empty_database(arcana_server: DatabaseServer) -> Iterator[Database]:
    """A database of this test's own as a new installation has it: no tables."""
    with arcana_server.database(with_tables=False) as url:
        database = Database(Settings(database_url=url))
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


@pytest.fixture
def valkey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Valkey]:
    """A Valkey that answers, as late as a machine lets it that is busy with other tests."""
    monkeypatch.setattr("arcana_pipelines.caching.redis.TIMEOUT_SECONDS", 1.0)
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.end()
