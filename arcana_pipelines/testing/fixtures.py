"""Fixtures of pytest for tests of what is built on Arcana. They are there where a `conftest.py` asks for them:

    pytest_plugins = ["arcana_pipelines.testing.fixtures"]

Each begins with `arcana_`, may be replaced by one of your own with its name, and is made again for each test except
the server. docs/testing.md has an example.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.indexed_workspace import IndexedWorkspace
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, seed_world, serve
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines.testing.postgres import OWN_SERVER_VARIABLE, DatabaseServer, database_server
from arcana_pipelines.testing.rerank_server import RerankingServer

__all__ = [
    "arcana_clean_environment",
    "arcana_database",
    "arcana_database_url",
    "arcana_embeddings",
    "arcana_index",
    "arcana_notion",
    "arcana_reranking",
    "arcana_server",
    "arcana_settings",
    "arcana_world",
]

# What steers Arcana, Dagster and what they ask, in the environment that the tests run in.
_STEERING = ("ARCANA_", "DAGSTER_", "NOTION_", "OPENAI_", *(name.upper() for name in Settings.model_fields))


@pytest.fixture(scope="session")
def arcana_server() -> Iterator[DatabaseServer]:
    """The run's PostgreSQL: the embedded one, or the one that `ARCANA_TEST_DATABASE_URL` names."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:12]
    with database_server(run) as server:
        yield server


@pytest.fixture
def arcana_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the environment that the test runs in steers Arcana: no database, no key, no token."""
    for name in os.environ:
        if name.startswith(_STEERING) and name != OWN_SERVER_VARIABLE:
            monkeypatch.delenv(name)


@pytest.fixture
def arcana_database_url(arcana_server: DatabaseServer) -> Iterator[str]:
    """The address of a database with the tables of this release, and nothing in them."""
    with arcana_server.database() as url:
        yield url


@pytest.fixture
def arcana_settings(arcana_clean_environment: None, arcana_database_url: str, tmp_path: Path) -> Settings:
    """Settings of an installation with an empty database and a folder of its own; the small model embeds here."""
    return Settings(  # type: ignore[call-arg]
        arcana_home=tmp_path / "home",
        database_url=SecretStr(arcana_database_url),
        notion_requests_per_minute=0,
        embedding_provider="local-small",
    )


@pytest.fixture
def arcana_database(arcana_settings: Settings) -> Iterator[Database]:
    """The database of `arcana_settings`; `connection()` gives connections to it."""
    with closing(Database(arcana_settings)) as database:
        yield database


@pytest.fixture
def arcana_world() -> NotionWorld:
    """A Notion workspace of eight pages and two rows, in English and Korean, the same in each test; change it."""
    world = seed_world(pages=8, rows=2)
    # What was edited a moment ago is read again by the next sync, as Notion's times are whole minutes.
    world.clock.advance(600)
    return world


@pytest.fixture
def arcana_notion(arcana_world: NotionWorld) -> Iterator[NotionServer]:
    """A stand-in of Notion's API that shows `arcana_world`; `faults` says what goes wrong."""
    with serve(arcana_world) as server:
        yield server


@pytest.fixture
def arcana_embeddings() -> Iterator[EmbeddingServer]:
    """A stand-in of an OpenAI-compatible endpoint for embeddings, at `base_url`."""
    with EmbeddingServer() as server:
        yield server


@pytest.fixture
def arcana_reranking() -> Iterator[RerankingServer]:
    """A stand-in of a reranking endpoint, at `url`."""
    with RerankingServer() as server:
        yield server


@pytest.fixture
def arcana_index(
    arcana_settings: Settings, arcana_world: NotionWorld, arcana_notion: NotionServer
) -> Iterator[IndexedWorkspace]:
    """The workspace `acme`, synced from `arcana_world` once: its index can be searched."""
    settings = arcana_settings.model_copy(update={"notion_base_url": arcana_notion.base_url})
    with closing(Database(settings)) as database:
        workspace = IndexedWorkspace.register(database, arcana_world, arcana_notion, "acme")
        workspace.sync()
        yield workspace
