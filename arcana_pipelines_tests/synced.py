"""A database in which a workspace was synced, of which each test gets a copy: to sync it takes longer than most tests.

Worlds give the same ids, one after the other: what was read from one is up to date with another that was filled alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server import NotionWorld, serve
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.harness import Harness


@contextmanager
def synced(server: DatabaseServer, folder: Path, fill: Callable[[NotionWorld], object]) -> Iterator[str]:
    """The URL of a database whose workspace `acme` has read a world that was filled so."""
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
            Harness.register(database, world, notion, "acme").sync()
        yield url
