"""The view `job_queue`: whatever waits, with its state, its attempts and why it waits."""

from __future__ import annotations

from typing import Any

import pytest

from arcana_pipelines.indexes.targets.targets import add_target, drop_target, pause, targets_of
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def world() -> NotionWorld:
    world = NotionWorld()
    world.add_page("Canteen", blocks="The canteen has Kimchi. 식당에 김치가 있습니다.")
    world.clock.advance(600)
    return world


@pytest.fixture
def synced(acme: Harness) -> Harness:
    acme.sync()
    return acme


def queue(harness: Harness, kind: str) -> list[tuple[Any, ...]]:
    return harness.rows(
        "SELECT workspace, state, attempts, next_attempt_at > now(), last_error FROM job_queue WHERE kind = %s", kind
    )


def do(harness: Harness, statement: str) -> None:
    with harness.database.connection() as connection:
        connection.execute(statement)  # type: ignore[arg-type]


def test_where_nothing_waits_the_queue_is_empty(synced: Harness) -> None:
    do(synced, "UPDATE workspace SET sync_needed = NULL, sync_asked_at = NULL")
    assert synced.rows("SELECT * FROM job_queue") == []
    columns = (
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'job_queue' ORDER BY ordinal_position"
    )
    assert [name for (name,) in synced.rows(columns)] == [
        "kind", "workspace", "state", "attempts", "next_attempt_at", "last_error", "subject", "since"
    ]  # fmt: skip


def test_deliveries_wait_are_tried_again_pause_and_are_parked(synced: Harness) -> None:
    with synced.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        place = workspaces.storage_path(synced.database.settings, "acme") / "targets" / "sqlite.sqlite"
        target = add_target(connection, workspace_id, "sqlite", str(place), "sqlite")
    assert queue(synced, "target_fill") == [("acme", "waiting", 0, None, None)]
    synced.sync()
    assert queue(synced, "target_fill") == queue(synced, "delivery") == []

    do(
        synced,
        "INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation) "
        "SELECT index_target_id, rag_index_build_id, gen_random_uuid(), 'put' FROM target_collection",
    )
    assert queue(synced, "delivery") == [("acme", "waiting", 0, None, None)]
    do(synced, "UPDATE index_target SET failures = 3, next_attempt_at = now() + interval '1 min', last_error = 'down'")
    assert queue(synced, "delivery") == [("acme", "retrying", 3, True, "down")]
    do(synced, "UPDATE sync_operations SET attempts = 5, parked_reason = 'too large'")
    assert queue(synced, "delivery") == [("acme", "parked", 5, None, "too large")]
    do(synced, "UPDATE sync_operations SET attempts = 0, parked_reason = NULL")
    with synced.database.connection() as connection:
        pause(connection, target, True)
    assert queue(synced, "delivery") == [("acme", "paused", 0, None, "down")]

    with synced.database.connection() as connection:
        drop_target(connection, targets_of(connection, workspace_id)[0])
    assert queue(synced, "delivery") == []
    assert queue(synced, "collection_drop") == [(None, "waiting", 0, None, None)]
    do(synced, "UPDATE unwanted_collection SET failures = 2, next_attempt_at = now() + interval '1 min'")
    assert queue(synced, "collection_drop") == [(None, "retrying", 2, True, None)]


def test_pages_in_quarantine_are_tried_again_or_wait_for_a_person(synced: Harness) -> None:
    do(
        synced,
        "UPDATE source_page SET state = 'quarantined', attempts = 2, reason = 'gone bad', "
        "next_attempt_at = now() + interval '1 hour'",
    )
    assert queue(synced, "page_retry") == [("acme", "retrying", 2, True, "gone bad")]
    do(synced, "UPDATE source_page SET next_attempt_at = NULL")
    assert queue(synced, "page_retry") == [("acme", "parked", 2, None, "gone bad")]


def test_syncs_that_are_asked_for_wait_run_and_are_tried_again(synced: Harness) -> None:
    do(synced, "UPDATE workspace SET sync_needed = NULL, sync_asked_at = now()")
    assert queue(synced, "sync") == [("acme", "waiting", 0, None, None)]
    do(
        synced,
        "UPDATE workspace SET poll_failures = 2, poll_problem = 'HTTP 500', poll_after = now() + interval '1 min'",
    )
    assert queue(synced, "sync") == [("acme", "retrying", 2, True, "HTTP 500")]
    with synced.session():
        assert queue(synced, "sync") == [("acme", "running", 2, True, "HTTP 500")]
    do(synced, "UPDATE workspace SET status = 'paused'")
    assert queue(synced, "sync") == [("acme", "paused", 2, True, "HTTP 500")]


def test_builds_wait_to_be_filled_and_unfit_ones_wait_for_a_person(synced: Harness) -> None:
    do(
        synced,
        "INSERT INTO rag_index_build (rag_index_id, chunker, embedding_model, dimensions, fingerprint) "
        "SELECT rag_index_id, '{}', embedding_model, dimensions, 'another' FROM rag_indexes",
    )
    assert queue(synced, "build_fill") == [("acme", "waiting", 0, None, None)]
    do(
        synced,
        "UPDATE rag_index_build SET state = 'verifying', "
        'verification = \'{"passed": false, "problems": ["recall 0.5"]}\' WHERE fingerprint = \'another\'',
    )
    assert queue(synced, "build_fill") == [("acme", "parked", 0, None, "recall 0.5")]


def test_batches_at_a_provider_wait(synced: Harness) -> None:
    do(
        synced,
        "INSERT INTO embedding_batch (workspace_id, embedding_model, dimensions, texts, most_cost) "
        "SELECT workspace_id, 'a-model', 8, 3, 0 FROM workspace",
    )
    assert queue(synced, "embedding_batch") == [("acme", "running", 0, True, None)]
    do(synced, "UPDATE embedding_batch SET state = 'waiting', provider_batch_id = 'batch_1'")
    assert queue(synced, "embedding_batch") == [("acme", "waiting", 0, True, None)]
    do(synced, "UPDATE embedding_batch SET state = 'done'")
    assert queue(synced, "embedding_batch") == []


def test_whoever_reads_or_serves_for_a_company_does_not_see_it(synced: Harness) -> None:
    for role in ("arcana_reader", "arcana_tenant", "arcana_server"):
        ((may,),) = synced.rows("SELECT has_table_privilege(to_regrole(%s), 'job_queue', 'SELECT')", role)
        assert not may, role
