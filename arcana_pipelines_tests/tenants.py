"""Two companies with a workspace each, and the database as a server of both has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

import pytest

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.indexes.builds import chunk_table, passage_table, terms_table
from arcana_pipelines.learning import answers, counts, feedback
from arcana_pipelines.learning.answers import Answer, Asked
from arcana_pipelines.learning.questions import KeptQuestion
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server import NotionWorld, serve
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import Workspace
from arcana_pipelines_tests import topics
from arcana_pipelines_tests.harness import Harness


@dataclass
class Tenant:
    """A company with one workspace, synced."""

    harness: Harness
    workspace_id: UUID
    company: UUID
    build: int
    page: str

    @property
    def partitions(self) -> list[str]:
        return [chunk_table(self.build), terms_table(self.build), passage_table(self.build)]


def _use(database: Database, connection: Connection, workspace: Workspace) -> None:
    """One question of this company, with what a reader said of the answer."""
    document = scalar(
        connection, "SELECT document_id FROM document WHERE workspace_id = %s LIMIT 1", [workspace.workspace_id]
    )
    kept = KeptQuestion(bytes(32), f"where is the harbour of {workspace.slug}?")
    asked = Asked(workspace.workspace_id, "default", kept, ((str(document), 0),), True, False, False)
    answers.record(connection, [Answer(workspace.company_id, "abcdefgh", f"asked-{workspace.slug}", asked)])
    shown = feedback.find(connection, "abcdefgh", f"asked-{workspace.slug}", document, 0)
    assert shown is not None
    feedback.keep(connection, database.settings, shown, "helpful", None)
    counts.count_chunks(connection, database.settings)


def _tenant(database: Database, slug: str, text: str) -> Iterator[Tenant]:
    world = NotionWorld()
    running = serve(world)
    harness = Harness.register(database, world, running, slug, f"Company {slug}")
    for number in range(10 if slug == "theirs" else 0):  # worlds give the same ids, one after the other
        world.add_page(f"Page {number}", blocks=[blocks.paragraph("Nothing of note.")])
    page = world.add_page(f"Harbour {slug}", blocks=[blocks.paragraph(text)])
    world.add_page(f"Pier {slug}", blocks=[blocks.paragraph("Below the harbour.")], parent=page)
    tasks = world.add_database("Tasks", schema={"Status": "select"})
    world.add_row(tasks.data_source_id, f"Task {slug}", {"Status": "Open"})
    harness.sync()
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        # The small model has no passages: one vector stands for them.
        connection.execute("UPDATE chunk SET passages = ARRAY['\\x01'::bytea]")
        connection.execute(
            "INSERT INTO passage SELECT DISTINCT ON (rag_index_build_id) rag_index_build_id, '\\x01'::bytea, "
            "chunk_embedding::halfvec FROM chunk ON CONFLICT DO NOTHING"
        )
        build = scalar(
            connection, "SELECT active_build_id FROM rag_indexes WHERE workspace_id = %s", [workspace.workspace_id]
        )
        _use(database, connection, workspace)
        nodes = topics.release(connection, workspace.workspace_id, [f"Places/{slug}"])
        topics.give_topic(connection, workspace.workspace_id, f"Harbour {slug}", *nodes.values())
    yield Tenant(harness, workspace.workspace_id, workspace.company_id, build, page)
    running.close()


@pytest.fixture
def ours(database: Database) -> Iterator[Tenant]:
    yield from _tenant(database, "ours", "A grey heron stands in the shallow water.")


@pytest.fixture
def theirs(database: Database) -> Iterator[Tenant]:
    yield from _tenant(database, "theirs", "A grey heron stands on the pier of the others.")


@pytest.fixture
def served(database: Database, settings: Settings) -> Iterator[Database]:
    """The database as the server has it, with one connection that it uses again and again."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value().replace(f"{lease.WRITER}@", f"{lease.SERVER}@")
    changed = {"database_url": type(settings.database_url)(url), "database_pool_size": 1, "database_max_overflow": 0}
    with closing(Database(settings.model_copy(update=changed), serves=True)) as served:
        yield served
