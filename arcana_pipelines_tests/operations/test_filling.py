"""How far the builds are that a run fills."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from arcana_pipelines.embedding import catalogue
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.operations import filling
from arcana_pipelines.operations.filling import Filling, Step, fillings, followed
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.sync import cut_chunks, embed_chunks, publish_indexes
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def handbook(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    """Four pages; the model compares passages, as the multilingual one does."""
    models = tuple(
        replace(model, compares_passages=True) if model.name == SMALL_MODEL else model for model in catalogue._OURS
    )
    monkeypatch.setattr(catalogue, "_OURS", models)
    for number in range(4):
        acme.world.add_page(f"Page {number}", blocks=[blocks.paragraph(f"Zebra number {number} stands here.")])
    acme.settle()
    acme.sync()
    return acme


def looked_at(harness: Harness) -> list[Filling]:
    with harness.database.connection() as connection:
        return fillings(connection, workspaces.find(connection, harness.slug).workspace_id)


def followed_at(harness: Harness, known: list[Filling]) -> list[Filling]:
    with harness.database.connection() as connection:
        return followed(connection, workspaces.find(connection, harness.slug).workspace_id, known)


def rebuild(harness: Harness, **change: Any) -> None:
    with harness.database.connection() as connection:
        workspace_id = workspaces.find(connection, harness.slug).workspace_id
        lifecycle.rebuild_index(connection, workspace_id, "default", lambda held: replace(held, **change), promote=True)


def test_a_rebuild_of_what_was_embedded_goes_through_its_steps(handbook: Harness) -> None:
    (serving,) = looked_at(handbook)
    assert serving.step is Step.FINISHING and (serving.uncut, serving.documents, serving.served) == (0, 4, 4)
    rebuild(handbook)
    assert looked_at(handbook)[0] == serving, "what serves stands first"
    begun = looked_at(handbook)[1]
    assert begun.step is Step.CUTTING and (begun.uncut, begun.cut, begun.served) == (4, 0, 0)
    with handbook.session() as session:
        cut_chunks(session, Purpose.FILL)
        cut = looked_at(handbook)[1]
        assert cut.step is Step.EMBEDDING and (cut.uncut, cut.cut, cut.chunks, cut.passages) == (0, 4, 4, 4)
        assert (cut.unembedded, cut.new_passages) == (0, 0), "another build has them all"
        embed_chunks(session, Purpose.FILL)
        assert looked_at(handbook)[1].step is Step.PUBLISHING
        publish_indexes(session, Purpose.FILL)
    assert [build.step for build in looked_at(handbook)] == [Step.FINISHING], (
        "the build that served before is none of them"
    )


def test_what_was_counted_once_is_followed_by_what_is_quickly_counted(handbook: Harness) -> None:
    rebuild(handbook)
    known = looked_at(handbook)
    assert followed_at(handbook, known) == known
    with handbook.session() as session:
        cut_chunks(session, Purpose.FILL)
        cut = looked_at(handbook)
        assert followed_at(handbook, known) == followed_at(handbook, cut) == cut
        embed_chunks(session, Purpose.FILL)
        assert followed_at(handbook, cut) == looked_at(handbook)
        publish_indexes(session, Purpose.FILL)
    assert followed_at(handbook, cut) == looked_at(handbook)
    assert followed_at(handbook, []) == [], "what begins meanwhile is seen at the next look"


def test_what_is_published_is_known_to_be_embedded(handbook: Harness) -> None:
    rebuild(handbook)
    with handbook.session() as session:
        cut_chunks(session, Purpose.FILL)
        known = [replace(build, unembedded=build.chunks) for build in looked_at(handbook)]
        embed_chunks(session, Purpose.FILL)
        assert followed_at(handbook, known)[-1].unembedded == 4, "as it was counted"
        publish_indexes(session, Purpose.FILL)
    assert followed_at(handbook, known)[-1].unembedded == 0


def test_what_is_to_be_embedded_is_known_while_documents_are_cut(handbook: Harness) -> None:
    rebuild(handbook, dimensions=64)
    with handbook.session() as session:
        cut_chunks(session, Purpose.FILL)
    (cut,) = looked_at(handbook)[1:]
    assert (cut.dimensions, cut.unembedded, cut.new_passages) == (64, 4, 4)


@pytest.mark.parametrize(("uncut", "unembedded"), [(1, 3), (0, 4)])
def test_some_chunks_tell_of_all_while_documents_are_cut_and_then_all_are_counted(
    handbook: Harness, monkeypatch: pytest.MonkeyPatch, uncut: int, unembedded: int
) -> None:
    monkeypatch.setattr(filling, "SAMPLE", 1)
    rebuild(handbook, dimensions=64)
    with handbook.session() as session:
        cut_chunks(session, Purpose.FILL)
    if uncut:  # as if it were still to come
        ((content,),) = handbook.rows("SELECT document_content_id FROM content_stage LIMIT 1")
        for table in ("chunk_stage", "content_stage"):
            handbook.rows(f"DELETE FROM {table} WHERE document_content_id = %s RETURNING 1", content)
    assert (looked_at(handbook)[1].uncut, looked_at(handbook)[1].unembedded) == (uncut, unembedded)


def test_a_page_in_quarantine_is_not_waited_for(handbook: Harness) -> None:
    rebuild(handbook)
    with handbook.database.connection() as connection:
        connection.execute("UPDATE source_page SET state = 'quarantined', reason = 'test' WHERE title = 'Page 1'")
    assert looked_at(handbook)[1].uncut == 3
