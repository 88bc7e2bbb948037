"""A workspace's lease: one run at a time, shared by its processes, free at once after a crash, and fenced."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from arcana_pipelines.db.engine import Database, snapshot
from arcana_pipelines.db.interruptible import InterruptibleConnection
from arcana_pipelines.errors import LeaseLost, UnknownWorkspace, WrongUse
from arcana_pipelines.indexes.builds import builds_of
from arcana_pipelines.indexes.targets.pgvector import ann
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.workspaces import lease
from arcana_pipelines.workspaces.lease import locked, workspace_lease
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def workspace_id(acme: Harness) -> UUID:
    ((found,),) = acme.rows("SELECT workspace_id FROM workspace")
    assert isinstance(found, UUID)
    return found


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.02)


def seen(acme: Harness) -> set[str]:
    with acme.database.connection() as connection:
        return locked(connection)


def row(acme: Harness) -> tuple[str | None, bool, int]:
    ((run, is_resting, fencing),) = acme.rows("SELECT run, is_resting, fencing FROM workspace_lease")
    return run, is_resting, fencing


def take(acme: Harness, workspace_id: UUID, run: str, **options: bool | Callable[[str], bool]) -> int:
    """Hold the lease for a moment; returns its fencing number."""
    with workspace_lease(acme.database, workspace_id, "acme", run, **options) as held:  # type: ignore[arg-type]
        assert seen(acme) == {"acme"}
        return held.fencing


def in_a_process(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            work()
        os._exit(0)
    return child


def test_one_run_at_a_time_and_each_has_a_number_of_its_own(acme: Harness, workspace_id: UUID) -> None:
    inside, most, numbers = 0, 0, []
    count = threading.Lock()

    def work(run: int) -> None:
        nonlocal inside, most
        with workspace_lease(acme.database, workspace_id, "acme", f"run {run}") as held:
            with count:
                inside += 1
                most = max(most, inside)
                numbers.append(held.fencing)
            time.sleep(0.02)
            with count:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert most == 1 and len(set(numbers)) == 24 and numbers == sorted(numbers)
    assert seen(acme) == set() and row(acme)[0] is None


@pytest.fixture
def crashed(acme: Harness, workspace_id: UUID) -> str:
    """A run whose only process was killed while it held the lease."""
    reading, writing = os.pipe()

    def hold() -> None:
        with workspace_lease(Database(acme.database.settings), workspace_id, "acme", "crashed"):
            os.write(writing, b"x")
            time.sleep(60)

    child = in_a_process(hold)
    assert os.read(reading, 1) == b"x"
    assert seen(acme) == {"acme"}
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "crashed"


def test_a_crashed_holder_keeps_nobody_waiting(acme: Harness, workspace_id: UUID, crashed: str) -> None:
    began = time.monotonic()
    assert take(acme, workspace_id, "next") == 2
    assert time.monotonic() - began < 5


def test_a_step_that_is_tried_again_after_a_crash_has_a_number_of_its_own(
    acme: Harness, workspace_id: UUID, crashed: str
) -> None:
    assert take(acme, workspace_id, crashed) == 2


def test_the_processes_of_one_run_share_its_lease(acme: Harness, workspace_id: UUID) -> None:
    with workspace_lease(acme.database, workspace_id, "acme", "ours") as first:
        assert take(acme, workspace_id, "ours") == first.fencing
        assert row(acme) == ("ours", False, first.fencing), "the other's end frees nothing"
        with acme.database.connection() as connection:
            first.check(connection)
    assert row(acme)[0] is None


def test_between_two_steps_the_lease_is_still_the_runs(acme: Harness, workspace_id: UUID) -> None:
    take(acme, workspace_id, "ours", rests=True)
    assert seen(acme) == {"acme"} and row(acme)[:2] == ("ours", True)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(take, acme, workspace_id, "other")
        time.sleep(0.3)
        assert not other.done()
        take(acme, workspace_id, "ours")
        other.result(timeout=10)


def test_a_lease_that_rests_for_a_run_that_is_over_is_free(acme: Harness, workspace_id: UUID) -> None:
    take(acme, workspace_id, "ours", rests=True)
    assert take(acme, workspace_id, "other", is_over=lambda run: run == "ours") == 2


def test_a_holder_that_gives_no_sign_of_life_is_overtaken_and_writes_nothing_more(acme: Harness) -> None:
    acme.sync()
    before, generations = acme.checksum(), acme.rows("SELECT generation, finished_at FROM sync_generation")
    acme.world.add_page("News", blocks="Words that come too late.")
    acme.settle()
    with acme.session() as session:
        _fall_silent(acme)
        with acme.session() as other:
            assert other.lease.fencing == session.lease.fencing + 1
            with pytest.raises(LeaseLost, match="'acme'"):
                sync(session, SyncRequest())
            with pytest.raises(LeaseLost):
                session.lease.require(session.connection)
            with session.connection.transaction():  # reading is no harm
                session.connection.execute("SELECT 1")
            with pytest.raises(LeaseLost), session.connection.transaction():
                session.connection.execute("UPDATE workspace SET name = 'late'")
            assert other.lease.fencing == row(acme)[2]
            sync(other, SyncRequest())
        assert row(acme)[0] is None
    assert acme.checksum() != before
    assert acme.rows("SELECT count(*) FROM sync_generation") == [(len(generations) + 1,)]
    assert acme.rows("SELECT name FROM workspace") == [("acme",)]
    acme.assert_matches_world()


def _fall_silent(acme: Harness) -> None:
    """As if the holder's host had been gone for longer than a lease is good for, its connection still open."""
    with acme.database.connection() as connection:
        connection.execute("UPDATE workspace_lease SET heartbeat_at = heartbeat_at - %s", [2 * lease.EXPIRES])


def test_a_holder_renews_its_lease(acme: Harness, workspace_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "EXPIRES", timedelta(seconds=1))
    with workspace_lease(acme.database, workspace_id, "acme", "ours") as held:
        time.sleep(2)
        assert seen(acme) == {"acme"}
        with acme.database.connection() as connection:
            held.check(connection)


def test_a_holder_whose_connection_was_cut_takes_it_up_again(
    acme: Harness, workspace_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    with workspace_lease(acme.database, workspace_id, "acme", "ours") as held:
        (cut,) = _processes(acme)
        acme.rows("SELECT pg_terminate_backend(%s)", cut)
        _wait_for(lambda: _processes(acme) not in ([], [cut]))
        assert seen(acme) == {"acme"}
        with acme.database.connection() as connection:
            held.check(connection)
    assert row(acme)[0] is None


def _processes(acme: Harness) -> list[int]:
    """Of the server: those that show that a holder is alive."""
    found = acme.rows(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        lease._NAMESPACE,
    )
    return [process for (process,) in found]


def _wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within ten seconds")


def test_whoever_waits_is_told_for_which_run_and_for_how_long_at_most(
    acme: Harness, workspace_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    with acme.session() as session:
        with acme.database.connection() as connection:
            said = lease._who(connection, workspace_id)
        assert session.lease.run in said and "its last sign of life was at 20" in said and "60 seconds" in said


def test_whoever_waits_for_a_workspace_that_is_removed_is_told_so(acme: Harness, workspace_id: UUID) -> None:
    with ThreadPoolExecutor(1) as pool:
        with workspace_lease(acme.database, workspace_id, "acme", "ours"):
            waiting = pool.submit(take, acme, workspace_id, "other")
            time.sleep(0.2)
            acme.rows("DELETE FROM workspace RETURNING 1")
        with pytest.raises(UnknownWorkspace):
            waiting.result(timeout=10)


def test_postgresql_refuses_what_a_holder_writes_outside_a_transaction(acme: Harness) -> None:
    with acme.session() as session:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.connection.execute("UPDATE workspace SET name = 'not fenced'")
        with session.connection.transaction():
            session.connection.execute("UPDATE workspace SET name = 'fenced'")
        with snapshot(session.connection):  # a search among the golden questions
            session.connection.execute("SELECT name FROM workspace")
        connection = session.connection
    with acme.database.connection() as pooled:
        assert pooled is connection
        pooled.execute("UPDATE workspace SET name = 'nobody holds it'")
    assert acme.rows("SELECT name FROM workspace") == [("nobody holds it",)]


def test_an_overtaken_holder_drops_and_makes_no_index(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.sync()
    monkeypatch.setattr(ann, "ANN_FROM", 5)
    with acme.session() as session:
        _fall_silent(acme)
        with acme.session() as other:
            (build,) = builds_of(other.connection, other.workspace.workspace_id)
            ann.ensure_ann(other.connection, build, 100)
            with pytest.raises(LeaseLost):
                ann.ensure_ann(session.connection, replace(build, ann_setting="none"), 100)
    assert acme.rows("SELECT ann FROM rag_index_build") == [("ivfflat",)]
    assert acme.rows("SELECT to_regclass(%s) IS NOT NULL", ann.ann_index_of(build.rag_index_build_id)) == [(True,)]


class TestWhatIsToldAtTheEnd:
    def test_a_statement_s_own_error_is_told_as_what_it_is(self, acme: Harness) -> None:
        with pytest.raises(psycopg.errors.UndefinedTable), acme.session() as session:
            session.connection.execute("SELECT * FROM nothing_such")

    def test_a_connection_that_died_hides_no_other_error(self, acme: Harness) -> None:
        def work() -> None:
            with acme.session() as session:
                acme.rows("SELECT pg_terminate_backend(%s, 5000)", session.connection.info.backend_pid)
                raise WrongUse("the reason")

        with pytest.raises(WrongUse, match="the reason"):
            work()

    def test_a_connection_that_died_when_all_was_done_is_no_error(self, acme: Harness) -> None:
        with acme.session() as session:
            acme.rows("SELECT pg_terminate_backend(%s, 5000)", session.connection.info.backend_pid)
        acme.sync()

    def test_a_workspace_that_was_removed_is_not_said_to_be_another_run_s(self, acme: Harness) -> None:
        with acme.session() as session:
            acme.rows("DELETE FROM workspace RETURNING 1")
            with pytest.raises(UnknownWorkspace), session.connection.transaction():
                session.connection.execute("INSERT INTO retired_slug (slug) VALUES ('late')")
            with pytest.raises(UnknownWorkspace):
                sync(session, SyncRequest())


def test_an_interrupt_while_a_session_begins_leaves_no_fence_on_the_pooled_connection(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = InterruptibleConnection.execute

    def interrupted(connection: InterruptibleConnection, statement: str, *rest: Any, **options: Any) -> Any:
        done = execute(connection, statement, *rest, **options)
        if statement == "SET default_transaction_read_only = on":
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(InterruptibleConnection, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt), acme.session():
        pass
    with acme.database.connection() as connection:
        connection.execute("UPDATE workspace SET name = 'nobody holds it'")
        with connection.transaction():
            connection.execute("UPDATE workspace SET name = 'here neither'")


def test_of_two_steps_that_end_at_once_the_last_lets_the_lease_rest(acme: Harness, workspace_id: UUID) -> None:
    for number in range(10):
        run = f"run {number}"
        with ExitStack() as first, ExitStack() as second, ThreadPoolExecutor(2) as pool:
            for step in (first, second):
                step.enter_context(workspace_lease(acme.database, workspace_id, "acme", run, rests=True))
            both = threading.Barrier(2, timeout=10)
            list(pool.map(lambda step, at: (at.wait(), step.close()), (first, second), (both, both)))
        assert row(acme)[:2] == (run, True)
        acme.rows("UPDATE workspace_lease SET run = NULL, is_resting = false RETURNING 1")


def test_a_run_of_two_workspaces_lets_go_of_each_by_itself(acme: Harness, workspace_id: UUID) -> None:
    other = Harness.register(acme.database, acme.world, acme.server, "globex")
    ((other_id,),) = acme.rows("SELECT workspace_id FROM workspace WHERE slug = %s", other.slug)
    with workspace_lease(acme.database, other_id, "globex", "ours"):
        with workspace_lease(acme.database, workspace_id, "acme", "ours"):
            assert seen(acme) == {"acme", "globex"}
        assert seen(acme) == {"globex"}


def test_a_lease_that_has_ended_is_not_taken_up_again_by_a_late_connection(
    acme: Harness, workspace_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "_PATIENCE_SECONDS", 0.1)
    connect, has_ended, is_connecting = acme.database.connect, threading.Event(), threading.Event()

    def late(**options: Any) -> Any:
        if threading.current_thread().name == "lease":
            is_connecting.set()
            assert has_ended.wait(10)
        return connect(**options)

    monkeypatch.setattr(acme.database, "connect", late)
    with workspace_lease(acme.database, workspace_id, "acme", "ours") as held:
        (cut,) = _processes(acme)
        acme.rows("SELECT pg_terminate_backend(%s, 5000)", cut)
        assert is_connecting.wait(10)
    has_ended.set()
    held._thread.join(10)
    assert not held._thread.is_alive() and _processes(acme) == [] and seen(acme) == set()


def test_a_run_without_a_workspace_is_alive_while_its_process_says_so_also_after_its_session_was_ended(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SHOWN_SECONDS", 0.05)

    def is_alive(run: str) -> bool:
        with acme.database.connection() as connection:
            return lease.is_alive(connection, lease.NO_WORKSPACE, run)

    with lease.shown_alive(acme.database, "ours"):
        assert is_alive("ours") and not is_alive("theirs")
        (cut,) = _processes(acme)
        acme.rows("SELECT pg_terminate_backend(%s, 5000)", cut)
        _wait_for(lambda: is_alive("ours"))
        assert _processes(acme) != [cut]
    _wait_for(lambda: not is_alive("ours"))
