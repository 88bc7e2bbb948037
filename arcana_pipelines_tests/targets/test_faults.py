"""Whatever fails, ends or interferes while a target is delivered to: once it answers, it holds what is published."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import apsw
import psycopg
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import DatabaseUnreachable, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.targets import delivery
from arcana_pipelines.indexes.targets.delivery import deliver, verify_target
from arcana_pipelines.indexes.targets.protocol import Changes
from arcana_pipelines.indexes.targets.registry import open_store
from arcana_pipelines.indexes.targets.targets import Target, drop_target, due_targets, pause
from arcana_pipelines.pipeline import registration
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.targets.test_delivery import LONG, Copied
from arcana_pipelines_tests.targets.test_delivery import world as world  # a fixture
from arcana_pipelines_tests.targets.truth import differences, watched_stores


@pytest.fixture
def copied(acme: Harness) -> Copied:
    copied = Copied(acme, "sqlite")
    assert copied.deliver().error is None and copied.target.state == "live"
    return copied


@pytest.fixture
def paused(copied: Copied) -> Callable[..., None]:
    """A target that missed an edit and is to be delivered to by the test; called, it is edited once more."""

    def edit(number: int = 0) -> None:
        with copied.harness.database.connection() as connection:
            pause(connection, copied.target, True)
            copied.harness.world.edit_page(copied.harness.world.long, LONG.replace("Paragraph 5", f"Part {number}"))
            copied.harness.settle()
            copied.harness.sync()
            pause(connection, copied.target, False)

    edit()
    return edit


def assert_equal(copied: Copied) -> None:
    """It is live, equal, and everything about it is noted."""
    assert differences(copied.harness.database, copied.target) == []
    target = copied.target
    assert (target.state, target.waiting, target.parked, target.last_error) == ("live", 0, 0, None)
    assert target.vector_count == copied.published() and target.serving_build_id == target.active_build_id
    with copied.harness.database.connection() as connection:
        assert not delivery.has_work(connection, target)


def failing(*names: str, error: Exception | None = None, times: int = 1) -> Callable[[str, tuple[Any, ...]], None]:
    """Raises at the first calls of these names."""
    left = times

    def before(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if name in names and left:
            left -= 1
            raise error or TargetUnreachable("it is down on purpose")

    return before


@contextmanager
def child(work: Callable[[Database], object], database: Database) -> Iterator[int]:
    """A process that does some work on connections of its own and ends, one way or another."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            work(Database(database.settings))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(process, signal.SIGCONT)
            os.waitpid(process, 0)


def end_connection_of_deliverer(copied: Copied) -> None:
    with copied.harness.superuser() as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "WHERE l.locktype = 'advisory' AND l.classid = %s AND d.datname = current_database()",
            [delivery._NAMESPACE],
        )


# --- it is down, and comes back ---


@pytest.mark.parametrize("name", ["apply", "count", "settle"])
def test_what_was_told_in_vain_is_told_again(copied: Copied, paused: Callable[..., None], name: str) -> None:
    with watched_stores(failing(name, times=3)):
        for failures in (1, 2, 3):
            assert copied.deliver().error == "it is down on purpose"
            assert copied.target.failures == failures
    done = copied.deliver()
    assert done.error is None
    if name == "apply":
        assert (done.put, done.taken) == (1, 1), "the difference, and no more, however often it was tried"
    assert_equal(copied)


def test_what_is_published_between_two_attempts_is_told_with_what_was_tried(
    copied: Copied, paused: Callable[..., None]
) -> None:
    for number in (1, 2):
        # It has the new rows, and we do not know.
        with watched_stores(after=lambda name: failing("apply")(name, ())):
            assert copied.deliver().error == "it is down on purpose"
        paused(number)
    assert copied.deliver().error is None
    assert_equal(copied)


def test_what_nobody_knows_stays_unknown_until_it_is_told(copied: Copied) -> None:
    copied.harness.rows(
        "INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation, held) "
        "SELECT %s, rag_index_build_id, document_id, 'put', NULL FROM published_document RETURNING 1",
        copied.target.index_target_id,
    )
    told: list[Any] = []
    with watched_stores(failing("apply")):
        copied.deliver()
    with watched_stores(lambda name, arguments: told.append(arguments[1]) if name == "apply" else None):
        done = copied.deliver()
    assert len(told[0].whole) == 6 and done.put == copied.published()
    assert_equal(copied)


# --- killed ---


@pytest.mark.slow
@pytest.mark.parametrize("is_new", [True, False], ids=["filling", "following"])
@pytest.mark.parametrize("is_after", [True, False], ids=["after", "before"])
def test_killed_at_any_word_to_the_store(acme: Harness, world: NotionWorld, is_new: bool, is_after: bool) -> None:
    copied = Copied(acme, "sqlite")
    if not is_new:
        copied.deliver()
    for fatal in range(1, 40):
        with acme.database.connection() as connection:
            pause(connection, copied.target, True)
            world.edit_page(world.long, LONG.replace("Paragraph 5", f"Part {fatal}"))  # type: ignore[attr-defined]
            acme.settle()
            acme.sync()
            if is_new:
                connection.execute("DELETE FROM target_collection")
            pause(connection, copied.target, False)
        count = 0
        target = copied.target

        def die(name: str, arguments: tuple[Any, ...] = (), fatal: int = fatal) -> None:
            nonlocal count
            count += 1
            if count == fatal:
                os.kill(os.getpid(), signal.SIGKILL)

        def work(database: Database, target: Target = target, die: Any = die) -> None:
            with watched_stores(**{"after" if is_after else "before": die}):
                deliver(database, target, seconds=60)

        with child(work, acme.database) as process:
            _, status = os.waitpid(process, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        assert copied.deliver().error is None
        assert_equal(copied)
        if not os.WIFSIGNALED(status):
            break
    assert 3 < fatal < 39


def test_a_count_that_was_not_reached_is_made_later(copied: Copied, paused: Callable[..., None]) -> None:
    copied.harness.world.add_page("Another", blocks="More.")
    paused()
    with watched_stores(failing("count")):
        copied.deliver()
    assert copied.target.waiting == 0 and copied.target.object_count == 6
    assert copied.deliver().documents == 0
    assert copied.target.object_count == 7
    assert_equal(copied)


# --- stopped, overtaken, and going on ---


@pytest.mark.slow
@pytest.mark.parametrize("name", ["make", "apply", "count", "name_serving"])
def test_one_who_was_stopped_and_overtaken_undoes_nothing(
    copied: Copied, paused: Callable[..., None], name: str
) -> None:
    database = copied.harness.database
    if name in ("make", "name_serving"):
        with database.connection() as connection:
            connection.execute("DELETE FROM target_collection")
    target = copied.target

    def stop(called: str, arguments: tuple[Any, ...]) -> None:
        if called == name:
            os.kill(os.getpid(), signal.SIGSTOP)

    def work(own: Database) -> None:
        with watched_stores(stop):
            try:
                deliver(own, target, seconds=60)
            except Exception:  # its connection was ended
                os._exit(3)

    with child(work, database) as process:
        _, status = os.waitpid(process, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        end_connection_of_deliverer(copied)
        paused(7)
        assert copied.deliver().error is None
        paused(8)
        assert copied.deliver().error is None
        assert differences(database, copied.target) == []
    copied.deliver()
    assert_equal(copied)
    named = {name for (name,) in copied.harness.rows("SELECT collection FROM target_collection")}
    unwanted = {name for (name,) in copied.harness.rows("SELECT collection FROM unwanted_collection")}
    with apsw.Connection(copied.target.location) as file:
        there = {name for (name,) in file.execute("SELECT name FROM collections")}
    assert there <= named | unwanted, "a collection that nobody knows of"
    file.close()


# --- somebody else changed the store ---


def collection_of(copied: Copied) -> str:
    ((name,),) = copied.harness.rows("SELECT collection FROM target_collection")
    return str(name)


def change(copied: Copied, *statements: str) -> None:
    file = apsw.Connection(copied.target.location)
    for statement in statements:
        file.execute(statement)
    file.close()


def test_a_store_that_was_wiped_is_filled_by_the_next_delivery(copied: Copied, paused: Callable[..., None]) -> None:
    os.unlink(copied.target.location)
    done = copied.deliver()
    assert done.error is None and done.put == copied.published()
    assert_equal(copied)


def test_a_collection_that_is_lost_when_nothing_waits_but_its_name_is_filled_again(copied: Copied) -> None:
    copied.harness.rows("UPDATE index_target SET serving_build_id = NULL RETURNING 1")
    with open_store(copied.harness.database.settings, "sqlite", copied.target.location) as store:
        store.drop(collection_of(copied))
    done = copied.deliver()
    assert done.error is None and done.put == copied.published()
    assert_equal(copied)


def test_rows_that_went_missing_are_found_by_the_next_delivery(copied: Copied, paused: Callable[..., None]) -> None:
    with open_store(copied.harness.database.settings, "sqlite", copied.target.location) as store:
        lost = [row.chunk_id for row in next(store.scan(collection_of(copied)))][:2]
        store.apply(collection_of(copied), Changes(gone=lost))
    done = copied.deliver()
    assert done.error is None and done.put > 1, "the one that was published, and those that were lost"
    assert_equal(copied)


def test_what_differs_is_not_served_and_is_mended(copied: Copied) -> None:
    change(copied, "UPDATE document_chunks SET row_hash = 'nonsense', document_id = 'nobody' WHERE chunk_id % 2 = 0")
    found = verify_target(copied.harness.database, copied.target)
    assert found.parity is not None and found.parity.different and not found.parity.is_equal
    assert found.repair.put == found.parity.different
    assert_equal(copied)


def test_of_a_store_that_was_wiped_all_rows_are_missing_and_come_back(copied: Copied) -> None:
    os.unlink(copied.target.location)
    found = verify_target(copied.harness.database, copied.target)
    assert found.parity is not None and found.parity.missing == found.repair.put == copied.published()
    assert_equal(copied)


def test_until_it_is_mended_it_is_not_live(copied: Copied) -> None:
    change(copied, "UPDATE document_chunks SET row_hash = 'nonsense'")
    with watched_stores(failing("apply")):
        verify_target(copied.harness.database, copied.target)
    assert copied.target.state == "filling"
    assert copied.deliver().error is None
    assert_equal(copied)


def test_a_store_that_keeps_losing_rows_is_told_of_and_not_served(copied: Copied) -> None:
    def lose(name: str) -> None:
        if name == "apply":
            change(copied, "DELETE FROM document_chunks WHERE chunk_id = (SELECT min(chunk_id) FROM document_chunks)")

    with watched_stores(after=lose):
        change(copied, "DELETE FROM document_chunks WHERE chunk_id % 2 = 0")
        verify_target(copied.harness.database, copied.target)
    target = copied.target
    assert target.state == "filling"
    assert target.last_error is not None and "does not hold what it was given" in target.last_error
    assert copied.deliver().error is None
    assert_equal(copied)


# --- documents that are refused ---


def test_a_document_that_is_refused_keeps_back_no_other_and_is_tried_when_it_is_published_again(
    copied: Copied, paused: Callable[..., None]
) -> None:
    harness = copied.harness
    harness.world.add_page("Another", blocks="More.")
    paused(1)
    ((bad,),) = harness.rows(
        "SELECT document_id FROM document_content c JOIN document d USING (document_id) "
        "WHERE c.document_content_id = d.latest_content_id AND c.contents ->> 'title' = 'Long'"
    )

    def refuse(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "apply" and any(row.document_id == bad for row in arguments[1].rows):
            raise RowsRefused("too long, says the store")

    with watched_stores(refuse):
        for _ in range(delivery.MOST_ATTEMPTS):
            assert copied.deliver().error is None
        target = copied.target
        assert (target.waiting, target.parked, target.object_count) == (0, 1, 6)
        with harness.database.connection() as connection:
            assert not delivery.has_work(connection, target)
        assert copied.deliver().parked == 1
        parity = verify_target(harness.database, target).parity
        assert parity is not None and parity.missing == 1 and parity.extra == 1
        assert copied.target.state == "filling", "what is not equal is not served"
    paused(2)
    assert copied.deliver().error is None
    assert_equal(copied)


# --- what PostgreSQL does meanwhile ---


def test_a_target_that_is_dropped_while_it_is_delivered_to(copied: Copied, paused: Callable[..., None]) -> None:
    def drop(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "apply":
            with copied.harness.database.connection() as connection:
                drop_target(connection, copied.target)

    with watched_stores(drop):
        assert "was dropped" in str(copied.deliver().error)
    assert copied.harness.rows("SELECT count(*) FROM unwanted_collection") == [(1,)]
    assert copied.harness.rows("SELECT count(*) FROM sync_operations") == [(0,)]


@pytest.mark.parametrize("name", ["make", "apply", "count"])
def test_a_workspace_that_is_removed_while_it_is_delivered_to(acme: Harness, name: str) -> None:
    copied = Copied(acme, "sqlite")

    def remove(called: str, arguments: tuple[Any, ...]) -> None:
        if called == name and acme.rows("SELECT 1 FROM workspace"):
            registration.remove(acme.database, acme.slug, lambda _: None)

    with watched_stores(remove):
        assert copied.deliver().error is not None
    assert acme.rows("SELECT count(*) FROM index_target") == [(0,)]
    noted = acme.rows("SELECT count(*) FROM unwanted_collection")
    assert noted == [(1,)]


@pytest.mark.parametrize("name", ["make", "apply", "count"])
def test_a_build_that_is_dropped_while_it_is_delivered(copied: Copied, name: str) -> None:
    acme = copied.harness
    with acme.database.connection() as connection:
        pause(connection, copied.target, True)
        build = lifecycle.rebuild_index(connection, copied.workspace_id, "default")
    acme.fill()
    with acme.database.connection() as connection:
        pause(connection, copied.target, False)

    def drop(called: str, arguments: tuple[Any, ...]) -> None:
        if called == name and acme.rows("SELECT 1 FROM rag_index_build WHERE rag_index_build_id <> 1"):
            with acme.database.connection() as connection:
                lifecycle.drop_one_build(
                    acme.database, connection, copied.workspace_id, "default", build.rag_index_build_id
                )

    with watched_stores(drop):
        assert copied.deliver().error is None
    assert_equal(copied)


def test_a_build_that_comes_to_serve_is_proven_first_also_when_it_served_before(copied: Copied) -> None:
    acme = copied.harness
    with acme.database.connection() as connection:
        lifecycle.rebuild_index(connection, copied.workspace_id, "default", promote=True)
    acme.fill()
    assert_equal(copied)
    with acme.database.connection() as connection:
        lifecycle.roll_back(connection, copied.workspace_id, "default")
        assert copied.target.state == "filling"
        assert delivery.has_work(connection, copied.target)
    assert copied.deliver().error is None
    assert_equal(copied)


def test_who_delivers_stops_when_the_target_is_paused(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "DOCUMENTS", 1)
    copied.harness.rows("DELETE FROM target_collection RETURNING 1")

    def stop(name: str) -> None:
        if name == "apply":
            with copied.harness.database.connection() as connection:
                pause(connection, copied.target, True)

    with watched_stores(after=stop):
        done = copied.deliver()
    assert (done.documents, done.waiting, done.error) == (1, 5, None)
    with copied.harness.database.connection() as connection:
        pause(connection, copied.target, False)
    assert copied.deliver().error is None
    assert_equal(copied)


def test_what_is_published_while_a_target_is_compared_is_neither_missing_nor_kept_back(copied: Copied) -> None:
    def edit(name: str) -> None:
        if name == "scan":
            with copied.harness.database.connection() as connection:
                pause(connection, copied.target, True)
            copied.harness.world.edit_page(copied.harness.world.long, LONG.replace("Paragraph 5", "Part"))  # type: ignore[attr-defined]
            copied.harness.settle()
            copied.harness.sync()

    with watched_stores(after=edit):
        parity = verify_target(copied.harness.database, copied.target).parity
    assert parity is not None and parity.is_equal
    assert copied.target.waiting == 1
    with copied.harness.database.connection() as connection:
        pause(connection, copied.target, False)
    assert copied.deliver().error is None
    assert_equal(copied)


def test_chunks_that_are_purged_before_they_were_delivered(copied: Copied, paused: Callable[..., None]) -> None:
    paused(1)
    copied.harness.rows("UPDATE chunk SET deleted_at = deleted_at - interval '90 days' RETURNING 1")
    with copied.harness.database.connection() as connection:
        pause(connection, copied.target, True)
    copied.harness.world.trash(copied.harness.world.add_page("Short-lived"))
    copied.harness.sync()
    with copied.harness.database.connection() as connection:
        pause(connection, copied.target, False)
    assert copied.deliver().error is None
    assert_equal(copied)


def test_a_database_older_than_its_target(copied: Copied, paused: Callable[..., None]) -> None:
    """As after a restored backup: the target has rows of what is not published any more, under numbers used anew."""
    acme = copied.harness
    held = {table: acme.rows(f"SELECT t::text FROM {table} t") for table in ("published_document", "chunk_b1")}
    copied.deliver()
    world = acme.world
    for number in range(3):
        world.add_page(f"Later {number}", blocks=f"What was written later, {number}.")
    world.edit_page(world.long, LONG.replace("Paragraph 7", "Part"))  # type: ignore[attr-defined]
    acme.settle()
    acme.sync()
    assert_equal(copied)
    with acme.superuser() as superuser:
        superuser.execute("SET session_replication_role = replica")
        for table, rows in held.items():
            superuser.execute(f"DELETE FROM {table}")  # type: ignore[arg-type]
            for (row,) in rows:
                superuser.execute(f"INSERT INTO {table} SELECT (%s::{table}).*", [row])  # type: ignore[arg-type]
        superuser.execute(
            "SELECT setval('document_chunk_document_chunk_id_seq', (SELECT max(document_chunk_id) FROM chunk))"
        )
    assert differences(acme.database, copied.target)
    parity = verify_target(acme.database, copied.target).parity
    assert parity is not None and parity.extra and parity.missing
    assert differences(acme.database, copied.target) == [] and copied.target.state == "live"


def test_some_of_many_that_wait_are_looked_up(copied: Copied) -> None:
    """The planner takes a set that was just filled for an empty one, and would compare each with each."""
    target = copied.target
    key = {"index_target_id": target.index_target_id, "build": target.active_build_id}
    with copied.harness.database.own_connection() as connection:
        connection.execute(
            "INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation, held) "
            "SELECT %(index_target_id)s, %(build)s, gen_random_uuid(), 'remove', '{}' FROM generate_series(1, 2000)",
            key,
        )
        limits = {"documents": 200, "chunks": 2000, "except": []}
        statement = f"EXPLAIN (ANALYZE, FORMAT JSON) {delivery.load_sql('take_dirty')}"
        row = connection.execute(statement, {**key, **limits}).fetchone()  # type: ignore[arg-type]
    assert row is not None

    def most_loops(node: dict[str, Any]) -> float:
        return max(node["Actual Loops"], *(most_loops(each) for each in node.get("Plans", [])), 0)

    assert most_loops(row[0][0]["Plan"]) <= 200


def test_a_clock_that_was_set_back_puts_off_nothing(copied: Copied, paused: Callable[..., None]) -> None:
    with copied.harness.database.connection() as connection:
        for ahead, is_due in ((5, False), (60, True), (-1, True)):
            connection.execute(
                "UPDATE index_target SET next_attempt_at = now() + make_interval(mins => %s), failures = 1", [ahead]
            )
            assert bool(due_targets(connection)) is is_due
        connection.execute("UPDATE sync_operations SET since = now() + interval '1 hour'")
        assert copied.target.lag_seconds == 0


def test_only_one_delivers(copied: Copied, paused: Callable[..., None]) -> None:
    other: list[Any] = []

    def beside(name: str) -> None:
        if name == "apply":
            other.append(deliver(copied.harness.database, copied.target, seconds=5, waits=False))

    with watched_stores(after=beside):
        assert copied.deliver().error is None
    assert "Another process is delivering" in other[0].error and copied.target.failures == 0
    assert_equal(copied)


def test_a_lost_connection_is_told_and_nothing_is_lost(copied: Copied, paused: Callable[..., None]) -> None:
    def cut(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "apply":
            end_connection_of_deliverer(copied)

    with watched_stores(cut), pytest.raises((DatabaseUnreachable, psycopg.OperationalError)):
        copied.deliver()
    assert copied.deliver().error is None
    assert_equal(copied)
