"""What a run works with: the settings, the database, one locked workspace and its source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from uuid import uuid4

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.interruptible import InterruptibleConnection
from arcana_pipelines.embedding.protocol import OpenEmbedder
from arcana_pipelines.embedding.registry import open_embedder as open_embedder_of
from arcana_pipelines.indexes.builds import Build
from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.net.workers import cores
from arcana_pipelines.observing.context import working_for
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.protocol import Mode, Source
from arcana_pipelines.sources.registry import open_source
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.lease import Lease, Role, workspace_lease
from arcana_pipelines.workspaces.workspaces import Workspace

OpenSource = Callable[[Workspace, Database], Source]


@dataclass(frozen=True)
class Session:
    """One workspace being worked on, by no one else at the same time.

    Attributes:
        database: the pool, for what needs a connection of its own.
        connection: the one that the stages work on. A commit of it fails once the lease is lost.
        workspace: its row as it was when the lease was had.
        settings: those of the database, unless the session was opened with others.
        open_source: opens the source; called when a stage first reads from it.
        open_embedder: makes the embedder of a model and its dimensions; called when texts lack embeddings: a sync
            without news needs no model.
        lease: what keeps other runs out.
        is_embedder_given: `open_embedder` is not what the settings name, so that no other process can make the same.
    """

    database: Database
    connection: Connection
    workspace: Workspace
    settings: Settings
    open_source: OpenSource
    open_embedder: OpenEmbedder
    lease: Lease
    is_embedder_given: bool = False

    @cached_property
    def source(self) -> Source:
        """The workspace's source, opened when a stage first reads from it."""
        return self.open_source(self.workspace, self.database)

    @property
    def processes(self) -> int:
        """How many compute at once, this one among them."""
        return self.settings.worker_processes or cores()

    @property
    def generation(self) -> Generation:
        """The newest generation; a stage that runs before any sync opens none and has nothing to do."""
        newest = generations.current(self.connection, self.workspace.workspace_id)
        return newest or Generation(self.workspace.workspace_id, 0, Mode.FULL)

    def gate(self, build: Build) -> list[str]:
        """What the kept golden questions say against letting a build serve (see `quality.gate`)."""
        from arcana_pipelines.evaluation import quality

        return quality.gate(self.connection, self.settings, build)

    def close(self) -> None:
        """Close the source if it was opened."""
        if "source" in self.__dict__:
            self.source.close()


def registered_source(workspace: Workspace, database: Database) -> Source:
    """The source that a workspace was registered with."""
    return open_source(workspace.platform, workspace.source_config, workspace.credential_ref, workspace.slug, database)


@contextmanager
def workspace_session(
    database: Database,
    slug: str,
    *,
    run: str | None = None,
    role: Role = Role.READ,
    rests: bool = False,
    is_over: Callable[[str], bool] = lambda run: False,
    settings: Settings | None = None,
    open_source: OpenSource = registered_source,
    open_embedder: OpenEmbedder | None = None,
) -> Iterator[Session]:
    """Lock a workspace and open what its stages need.

    Args:
        run: the id of the run that the session is part of; other processes of the run share its lease.
        role: what it is for (see `workspaces.lease`, also for `rests` and `is_over`).
        settings: in the place of those that the database was opened with.
        open_source: in the place of the source that the workspace was registered with.
        open_embedder: in the place of the one that the settings name.

    Raises:
        UnknownWorkspace: there is none with this slug.
    """
    settings = settings or database.settings
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        run = run or str(uuid4())
        assert isinstance(connection, InterruptibleConnection)
        with (
            working_for(run=run, workspace=slug, company=str(workspace.company_id)),
            workspace_lease(database, workspace.workspace_id, slug, run, role, rests=rests, is_over=is_over) as lease,
            connection.fenced(partial(lease.check, connection)),
        ):
            # Read again: the run that held the lease has moved the cursor.
            workspace = workspaces.find(connection, slug)
            session = Session(
                database,
                connection,
                workspace,
                settings,
                open_source,
                open_embedder or partial(open_embedder_of, settings),
                lease,
                open_embedder is not None,
            )
            try:
                yield session
            finally:
                session.close()
