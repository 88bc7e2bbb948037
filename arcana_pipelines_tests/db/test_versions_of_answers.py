"""What an index answers by is counted with each change, by whoever makes it, and nobody waits for each other."""

from __future__ import annotations

import json

import psycopg
import pytest

from arcana_pipelines.db.engine import Connection
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def synced(acme: Harness) -> Harness:
    acme.world.add_page("Handbook", blocks="Everyone has 30 days.")
    tasks = acme.world.add_database("Tasks", schema={"State": "select"})
    acme.world.add_row(tasks.data_source_id, "Mend the heater", {"State": "Open"})
    acme.settle()
    acme.sync()
    return acme


def places(acme: Harness) -> int:
    (changes,) = acme.rows("SELECT changes FROM workspace_places")[0]
    return int(changes)


def publishes(acme: Harness) -> int:
    (publish_seq,) = acme.rows("SELECT publish_seq FROM rag_indexes")[0]
    return int(publish_seq)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE source_page SET title = title || '!'",
        "UPDATE source_page SET last_edited_at = now()",
        "UPDATE document SET path = path || 'moved'",
        "UPDATE document SET deleted_at = now()",
        "UPDATE document_property SET text = 'Done'",
        "DELETE FROM document_property",
        "UPDATE source_page SET url = 'https://notion.so/x'",
        "DELETE FROM source_page WHERE is_container",
        "INSERT INTO source_page (workspace_id, external_id, kind, parent_kind, title, revision, seen_generation) "
        "SELECT workspace_id, 'new', 'page', 'workspace', 'Handbook', '', 1 FROM workspace",
    ],
)
def test_what_filters_look_at_counts_once_a_transaction(synced: Harness, change: str) -> None:
    before = places(synced)
    with synced.database.connection() as connection, connection.transaction():
        connection.execute(change)
    assert places(synced) == before + 1


@pytest.mark.parametrize(
    "change", ["UPDATE source_page SET seen_generation = 7", "UPDATE source_page SET title = title"]
)
def test_what_they_do_not_look_at_and_what_stays_does_not(synced: Harness, change: str) -> None:
    before = places(synced)
    with synced.database.connection() as connection:
        connection.execute(change)
    assert places(synced) == before


def test_a_sync_without_news_changes_no_number(synced: Harness) -> None:
    synced.sync()
    before = places(synced), publishes(synced)
    synced.sync()
    assert (places(synced), publishes(synced)) == before


def test_a_publish_counts(synced: Harness) -> None:
    before = publishes(synced)
    synced.world.add_page("Parking", blocks="At the gate.")
    synced.settle()
    synced.sync()
    assert publishes(synced) > before


def test_how_hard_the_serving_build_looks_counts_and_is_told_as_a_publish(synced: Harness) -> None:
    before = publishes(synced)
    with synced.database.connection() as connection, synced.database.connect() as listening:
        listening.execute("LISTEN arcana_published")
        connection.execute("UPDATE rag_index_build SET ann = 'ivfflat', ann_effort = 4")
        connection.execute("UPDATE rag_index_build SET ann_effort = 8")
        connection.execute("UPDATE rag_index_build SET ann_effort = ann_effort, updated_at = now()")
        told = [json.loads(notice.payload)["publish_seq"] for notice in listening.notifies(timeout=5, stop_after=2)]
    assert told == [before + 1, before + 2] and publishes(synced) == before + 2


def test_how_hard_a_build_looks_that_does_not_serve_does_not_count(synced: Harness) -> None:
    with synced.database.connection() as connection:
        connection.execute("UPDATE rag_indexes SET active_build_id = NULL")
        before = publishes(synced)
        connection.execute("UPDATE rag_index_build SET ann_effort = 8")
    assert publishes(synced) == before


def test_nothing_is_counted_of_what_was_rolled_back(synced: Harness) -> None:
    before = places(synced)
    with synced.database.connection() as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE source_page SET title = 'Another'")
    assert places(synced) == before


def test_two_that_change_pages_of_a_workspace_at_once_do_not_wait_for_each_other(synced: Harness) -> None:
    before = places(synced)

    def rename(connection: Connection, title: str) -> None:
        connection.execute("UPDATE source_page SET title = title || '!' WHERE title = %s", [title])

    with synced.database.connection() as one, synced.database.connection() as other:
        other.execute("SET lock_timeout = '5s'")
        try:
            with one.transaction():
                rename(one, "Handbook")
                with other.transaction():
                    rename(other, "Mend the heater")
        except psycopg.errors.LockNotAvailable:
            pytest.fail("the second waited for the first, which may wait for the second")
        finally:
            other.execute("RESET lock_timeout")
    assert places(synced) == before + 2
