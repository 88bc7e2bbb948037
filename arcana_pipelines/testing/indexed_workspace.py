"""A registered workspace whose Notion is a world of this process, and the index that its syncs make."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.operations.reports import SyncReport
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.session import Session, workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.sources.protocol import Source
from arcana_pipelines.sources.registry import NOTION_TOKEN_VARIABLE, Opening, platform_named
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.workspaces.companies import DEFAULT

__all__ = ["IndexedWorkspace"]


@dataclass
class IndexedWorkspace:
    """One workspace, its world, and the database with its index.

    Attributes:
        database: whose settings name the server as Notion's address.
        world: change it, as people change a workspace, and `sync`.
        server: shows the world over HTTP; it can be made to fail.
    """

    database: Database
    world: NotionWorld
    server: NotionServer
    slug: str

    @classmethod
    def register(
        cls, database: Database, world: NotionWorld, server: NotionServer, slug: str, company: str = DEFAULT
    ) -> Self:
        """Register it, as the company's of this name; nothing is read yet."""
        index = IndexSettings.of_model(*model_of(database.settings))
        registration.register(database, slug, "notion", index, lambda _: None, lambda _: None, company=company)
        return cls(database, world, server, slug)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which other processes, and Dagster's definitions, find the database and the world."""
        return {
            "ARCANA_HOME": str(self.database.settings.home),
            "ARCANA_ENV_FILE": os.devnull,
            "DATABASE_URL": self.database.url,
            NOTION_TOKEN_VARIABLE: self.world.token,
            "NOTION_BASE_URL": self.server.base_url,
            "NOTION_REQUESTS_PER_MINUTE": "0",
            "EMBEDDING_PROVIDER": self.database.settings.embedding_provider,
        }

    def session(self) -> AbstractContextManager[Session]:
        """The workspace, locked, as the stages of a sync take it."""
        return workspace_session(self.database, self.slug, open_source=lambda _, database: self.source(database))

    def source(self, database: Database) -> Source:
        """The world, as a sync reads it."""
        notion = platform_named("notion")
        assert notion is not None
        return notion.open(Opening(slug=self.slug, config={}, token=SecretStr(self.world.token), database=database))

    def sync(self, request: SyncRequest | None = None) -> SyncReport:
        """Bring the index up to date with the world; by default by an incremental sync."""
        with self.session() as session:
            return sync(session, request or SyncRequest())

    def searcher(self) -> Searcher:
        """A searcher on the database's own connections; a context manager."""
        return Searcher(self.slug, database=self.database)
