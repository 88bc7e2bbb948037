"""A workspace's lease: one run at a time, shared by its processes, free at once after a crash, and fenced."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import LeaseLost, UnknownWorkspace
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
                session.lease.require()
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
        with session.connection.transaction():
            session.connection.execute("SET TRANSACTION READ ONLY")  # a search among the golden questions
        connection = session.connection
    with acme.database.connection() as pooled:
        assert pooled is connection
        pooled.execute("UPDATE workspace SET name = 'nobody holds it'")
    assert acme.rows("SELECT name FROM workspace") == [("nobody holds it",)]
