"""An export of which a part is still zipped: nothing is removed, and nobody syncs it in vain."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.ledger.freshness import freshness
from arcana_pipelines.ledger.polling import Poll, poll, poll_and_record
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest
from arcana_pipelines.pipeline.sync import sync as synced
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filters import Filters, Limits
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.sources.notion_export import NotionExportSource
from arcana_pipelines.workspaces import workspaces

PART = "Export-ab-Part-2.zip"


@pytest.fixture
def export(database: Database, tmp_path: Path) -> Path:
    """A workspace whose first part is unpacked and whose second is not."""
    root = tmp_path / "export"
    write(root / "Part 1", {f"하나 {1:032x}.md": "# 하나\n\n첫째"})
    with zipfile.ZipFile(root / PART, "w") as part:
        part.writestr(f"둘 {2:032x}.md", "# 둘\n\n둘째")
    model, dimensions = model_of(database.settings)
    settings = IndexSettings(model, dimensions, ChunkerSettings())
    registration.register(
        database,
        "archive",
        "notion_export",
        settings,
        lambda _: None,
        lambda _: None,
        source_config={"path": str(root)},
    )
    return root


def write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def unpack(export: Path) -> None:
    with zipfile.ZipFile(export / PART) as part:
        part.extractall(export / "Part 2")


def sync(database: Database, export: Path) -> bool:
    """Returns whether the listing was whole."""
    with workspace_session(database, "archive", open_source=lambda *_: NotionExportSource(export)) as session:
        return synced(session, SyncRequest()).listing_complete


def documents(database: Database) -> list[str]:
    with database.connection() as connection:
        found = connection.execute(
            "SELECT c.contents->>'title' FROM document d JOIN document_content c "
            "ON c.document_content_id = d.latest_content_id WHERE d.deleted_at IS NULL ORDER BY 1"
        ).fetchall()
    return [title for (title,) in found]


def polled(database: Database, export: Path) -> Poll:
    source = NotionExportSource(export)
    with database.connection() as connection:
        workspace = workspaces.find(connection, "archive")
    try:
        return poll(database, workspace, source)
    finally:
        source.close()


def test_pages_of_a_part_that_is_zipped_again_stay(database: Database, export: Path) -> None:
    unpack(export)
    assert sync(database, export)
    assert documents(database) == ["둘", "하나"]
    shutil.rmtree(export / "Part 2")
    for _ in range(3):
        assert not sync(database, export)
    assert documents(database) == ["둘", "하나"]


def test_an_export_that_was_never_whole_is_synced_again_when_something_changes_and_not_before(
    database: Database, export: Path
) -> None:
    assert polled(database, export) == Poll(True, "never listed completely")
    assert not sync(database, export)
    assert not polled(database, export).needed
    write(export / "Part 1", {f"셋 {3:032x}.md": "# 셋"})
    assert polled(database, export).needed
    assert not sync(database, export)
    assert not polled(database, export).needed
    (export / PART).unlink()
    assert polled(database, export) == Poll(True, "can be listed completely now")
    assert sync(database, export)
    assert documents(database) == ["셋", "하나"]


def test_each_listing_and_each_look_sees_absences_too(database: Database, export: Path) -> None:
    """Everything is listed whatever the mode, so there are no sweeps."""
    unpack(export)
    (export / PART).unlink()
    for _ in range(2):
        assert sync(database, export)
    with database.connection() as connection:
        workspace = workspaces.find(connection, "archive")
        listed = freshness(connection, workspace.workspace_id)
        poll_and_record(database, workspace)
        looked = freshness(connection, workspace.workspace_id)
    assert listed.absences_seen_to is not None and listed.absences_seen_to == listed.edits_seen_to
    assert looked.absences_seen_to == looked.edits_seen_to
    assert looked.edits_seen_to is not None and looked.edits_seen_to > listed.absences_seen_to
    assert looked.whole_began_at is None and looked.began_at is None


def test_a_hit_of_a_file_without_an_address_has_its_path_for_whoever_may_find_all(
    database: Database, export: Path
) -> None:
    write(export / "운영" / "guides", {"deploy.md": "# Deploying\n\nStop the queue worker before the snapshot."})
    sync(database, export)

    def first(query: str, limits: Limits = ()) -> tuple[str | None, str | None]:
        with database.connection() as connection:
            workspace = workspaces.find(connection, "archive").workspace_id
            hit, *_ = (
                ConnectionSearcher(connection, database.settings, workspace, limits=limits)
                .search(SearchRequest(query, 1, min_score=0))
                .hits
            )
        return hit.url, hit.source_path

    assert first("queue worker") == (None, "운영/guides/deploy.md")
    assert first("첫째") == (f"https://www.notion.so/{1:032x}", None)
    assert first("queue worker", (Filters(kinds=["page"]),)) == (None, None)
