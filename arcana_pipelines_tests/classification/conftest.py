"""A synced workspace whose topics are found. Each test has a copy: to sync it takes longer than most tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, serve
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.classification.handbook import Handbook, fill
from arcana_pipelines_tests.harness import Harness


@contextmanager
def _made(server: DatabaseServer, folder: Path, act: Callable[[Handbook], object]) -> Iterator[str]:
    world = NotionWorld()
    fill(world)
    with server.database() as url, serve(world) as notion:
        settings = Settings(  # type: ignore[call-arg]
            arcana_home=folder,
            database_url=SecretStr(url),
            notion_requests_per_minute=0,
            embedding_provider="local-small",
        )
        with closing(Database(settings)) as database:
            acme = Harness.register(database, world, notion, "acme")
            with database.connection() as connection:
                made = Handbook.of(acme, connection)
                made.acme.sync()
                act(made)
        yield url


@pytest.fixture(scope="session")
def handbook_database(arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with _made(arcana_server, tmp_path_factory.mktemp("handbook"), lambda made: None) as url:
        yield url


@pytest.fixture(scope="session")
def waiting_database(arcana_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    def act(made: Handbook) -> None:
        made.release()
        made.classify()

    with _made(arcana_server, tmp_path_factory.mktemp("waiting"), act) as url:
        yield url


@pytest.fixture
def arcana_database_url(request: pytest.FixtureRequest, arcana_server: DatabaseServer) -> Iterator[str]:
    """A database of this test's own, with what the test asks for in it."""
    name = next((name for name in ("waiting", "handbook") if name in request.fixturenames), None)
    made = request.getfixturevalue(f"{name}_database") if name else None
    with arcana_server.copy(made) if made is not None else arcana_server.database() as url:
        yield url


@pytest.fixture
def handbook(database: Database, world: NotionWorld, server: NotionServer) -> Iterator[Handbook]:
    """Three documents, synced; there is no taxonomy yet."""
    fill(world)
    with database.connection() as connection:
        yield Handbook.of(Harness(database, world, server, "acme"), connection)


@pytest.fixture
def waiting(database: Database, world: NotionWorld, server: NotionServer) -> Iterator[Handbook]:
    """The same with a taxonomy: two documents have topics that wait for a person."""
    fill(world)
    with database.connection() as connection:
        yield Handbook.of(Harness(database, world, server, "acme"), connection)
