"""An index may be served from another store than PostgreSQL, from the workspace's first moment on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import one
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.errors import TargetUnreachable
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.targets.registry import open_store
from arcana_pipelines.indexes.targets.targets import pause, targets_of
from arcana_pipelines.pipeline import registration
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def harness(database: Database, world: NotionWorld, server: NotionServer) -> Harness:
    for number in range(8):
        world.add_page(f"Page {number}", blocks=f"Everyone has {number} days of vacation. 휴가는 {number}일입니다.")
    world.clock.advance(600)
    register(database, "sqlite")
    return Harness(database, world, server, "acme")


def register(database: Database, index_type: str, location: str | None = None) -> None:
    index = IndexSettings.of_model(*model_of(database.settings))
    registration.register(
        database, "acme", "notion", index, lambda _: None, lambda _: None, index_type=index_type,
        index_location=location,
    )  # fmt: skip


def index_row(database: Database) -> dict[str, Any]:
    with database.connection() as connection:
        return one(connection, dict, "SELECT * FROM rag_indexes")


def test_its_row_tells_what_its_store_has(harness: Harness) -> None:
    before = index_row(harness.database)
    assert (before["index_type"], before["object_count"], before["vector_count"]) == ("sqlite", 0, 0)
    harness.sync()
    row = index_row(harness.database)
    assert row["object_count"] == row["published_objects"] == 8 and row["vector_count"] == row["published_vectors"] >= 8
    assert Path(row["storage_uri"]).is_relative_to(harness.database.settings.storage_root)
    with harness.database.connection() as connection:
        (name,) = connection.execute("SELECT collection FROM target_collection").fetchone() or ("",)
    with open_store(harness.database.settings, "sqlite", row["storage_uri"]) as store:
        assert store.count(name) == row["vector_count"]
    with harness.searcher() as searcher:
        assert searcher.search("휴가").target == "sqlite"
        assert searcher.search("휴가", target="pgvector").target is None


def test_its_counts_stay_those_of_the_store_while_it_hears_nothing(harness: Harness) -> None:
    harness.sync()
    with harness.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        pause(connection, targets_of(connection, workspace_id)[0], True)
    before = index_row(harness.database)
    harness.world.add_page("One more", blocks="There is a canteen.")
    harness.world.clock.advance(600)
    harness.sync()
    now = index_row(harness.database)
    assert (now["object_count"], now["updated"]) == (before["object_count"], before["updated"])
    assert now["published_objects"] == before["published_objects"] + 1
    assert now["publish_seq"] > before["publish_seq"], "answers of before are not those of now: words are PostgreSQL's"


def test_where_its_store_does_not_open_nothing_is_registered(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    with pytest.raises((TargetUnreachable, OSError)):
        register(database, "sqlite", str(tmp_path / "file" / "index.sqlite"))
    with database.connection() as connection:
        assert workspaces.slugs(connection) == []
    assert not workspaces.storage_path(database.settings, "acme").exists()
