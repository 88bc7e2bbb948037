"""A sync without news is the same sync without a run, and whatever is to be done is left to one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arcana_pipelines.pipeline import quiet_sync as module
from arcana_pipelines.pipeline.quiet_sync import quiet_sync
from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def synced(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """Two pages, one below the other, which no sync finds anything to do about."""
    parent = acme.world.add_page("Harbour", blocks=[blocks.paragraph("A grey heron.")])
    acme.world.add_page("Quay", parent=parent, blocks=[blocks.paragraph("A red crane.")])
    acme.settle()
    acme.sync(Mode.FULL)
    monkeypatch.setattr(module, "open_source", lambda *arguments, hurried: acme.source())
    return acme


def _quiet(synced: Harness) -> dict[str, Any] | None:
    report = quiet_sync(synced.database, synced.slug, "run-of-nobody")
    return None if report is None else report.as_dict()


def _generations(synced: Harness) -> list[tuple[Any, ...]]:
    return synced.rows(
        "SELECT generation, mode, listing_complete, finished_at IS NOT NULL FROM sync_generation ORDER BY 1"
    )


def test_it_writes_and_reports_what_any_sync_does_and_asks_no_more(synced: Harness) -> None:
    usual = synced.sync()
    before = synced.rows("SELECT source_cursor, credential_hash FROM workspace")
    synced.server.reset_log()
    report = _quiet(synced)
    assert report is not None
    assert report == {**usual, "generation": usual["generation"] + 1}
    assert len(synced.server.requests) == report["notion"]["requests"] == 2
    assert _generations(synced)[-1] == (report["generation"], "incremental", True, True)
    assert synced.rows("SELECT source_cursor, credential_hash FROM workspace")[0][1] == before[0][1]
    assert synced.rows("SELECT run FROM workspace_lease") == [(None,)]
    synced.assert_matches_world()


def _edit(synced: Harness) -> None:
    (page, *_) = synced.world.visible_pages()
    synced.world.edit_page(page, [blocks.paragraph("A white egret.")])


def _add(synced: Harness) -> None:
    synced.world.add_page("Pier")


def _trash(synced: Harness) -> None:
    *_, page = synced.world.visible_pages()
    synced.world.trash(page)


def _sql(statement: str) -> Callable[[Harness], None]:
    def change(synced: Harness) -> None:
        with synced.database.connection() as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    return change


LEFT = [
    _edit,
    _add,
    _trash,
    _sql("UPDATE source_page SET state = 'pending' WHERE external_id = (SELECT max(external_id) FROM source_page)"),
    _sql("UPDATE source_page SET state = 'quarantined', next_attempt_at = now() - interval '1 second'"),
    _sql("UPDATE source_page SET normaliser = normaliser - 1"),
    _sql("UPDATE source_page SET state = 'suspect'"),
    _sql("UPDATE rag_index_build SET state = 'verifying', promote_when_verified = true"),
    _sql("DELETE FROM published_document"),
    _sql("UPDATE workspace SET source_cursor = NULL"),
    _sql("UPDATE workspace SET credential_hash = 'of another token'"),
]


@pytest.mark.parametrize("change", LEFT)
def test_what_is_to_be_done_is_left_to_a_run_and_nothing_is_written(
    synced: Harness, change: Callable[[Harness], None]
) -> None:
    change(synced)
    before = _generations(synced)
    assert _quiet(synced) is None
    assert _generations(synced) == before


def test_a_listing_that_is_cut_short_is_left_to_a_run(synced: Harness) -> None:
    synced.server.faults.add("POST /v1/search", "403", skip=1)
    before = _generations(synced)
    assert _quiet(synced) is None
    assert _generations(synced) == before


def test_before_the_first_sync_there_is_nothing_quiet(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_source", lambda *arguments, hurried: acme.source())
    assert _quiet(acme) is None


def test_files_that_are_read_otherwise_now_are_left_to_a_run(synced: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _quiet(synced) is not None
    monkeypatch.setattr(module, "reading_of", lambda settings: "with another parser")
    assert _quiet(synced) is None


def test_pages_whose_files_nobody_has_asked_for_are_left_to_a_run(synced: Harness) -> None:
    with synced.database.connection() as connection:
        connection.execute("UPDATE source_page SET files_unknown = true")
    assert _quiet(synced) is not None, "a source that lists none is not asked"
    synced.files = FileRules()
    with synced.database.connection() as connection:
        connection.execute("UPDATE source_page SET files_unknown = true")
    assert _quiet(synced) is None
