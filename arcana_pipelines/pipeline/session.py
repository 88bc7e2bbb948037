"""What a run works with: the settings, the database, one locked workspace and its source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.protocol import Embedder
from arcana_pipelines.embedding.registry import open_embedder
from arcana_pipelines.indexes.builds import Build
from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.protocol import Mode, Source
from arcana_pipelines.sources.registry import open_source
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.lock import workspace_lock
from arcana_pipelines.workspaces.workspaces import Workspace


@dataclass
class Session:
    """One workspace being worked on, and nobody else working on it.

    A run that does not list the source is there to fill new builds; one that does leaves them for later, so that
    readers need not wait for what changed.
    """

    database: Database
    connection: Connection
    workspace: Workspace
    filling: bool = True

    @property
    def settings(self) -> Settings:
        """The settings that the database was opened with."""
        return self.database.settings

    @cached_property
    def source(self) -> Source:
        """The workspace's source, opened when a stage first reads from it."""
        row = self.workspace
        return open_source(row.platform, row.source_config, row.credential_ref, row.slug, self.database)

    @property
    def generation(self) -> Generation:
        """The newest generation; a stage that runs before any sync opens none and has nothing to do."""
        found = generations.current(self.connection, self.workspace.workspace_id)
        self.connection.commit()
        return found or Generation(self.workspace.workspace_id, 0, Mode.FULL)

    def open_embedder(self, model: str, dimensions: int) -> Embedder:
        """The embedder for one model."""
        return open_embedder(self.settings, model, dimensions)

    def gate(self, build: Build) -> list[str]:
        """What the kept golden questions say against letting a build serve (see `quality.gate`)."""
        from arcana_pipelines.evaluation import quality

        return quality.gate(self.connection, self.settings, build)

    def close(self) -> None:
        """Close the source if it was opened."""
        if "source" in self.__dict__:
            self.source.close()


@contextmanager
def workspace_session(database: Database, slug: str) -> Iterator[Session]:
    """Lock a workspace and open what its stages need.

    Raises:
        UnknownWorkspace: there is none with this slug.
    """
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        connection.commit()
        with workspace_lock(database, workspace.workspace_id, slug):
            # Read again: whoever held the lock has moved the cursor.
            session = Session(database, connection, workspaces.find(connection, slug))
            connection.commit()
            try:
                yield session
            finally:
                # Stages commit what is whole. A run may end here without an exception although one of them failed
                # (Dagster tears its resources down so): what it left open is half of something.
                if not connection.closed:
                    connection.rollback()
                session.close()
