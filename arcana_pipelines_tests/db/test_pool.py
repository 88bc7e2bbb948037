"""The pool: what it lends, keeps and closes."""

from __future__ import annotations

import os
import resource

import psycopg
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import DatabaseUnreachable


@pytest.fixture
def small(database: Database) -> Database:
    """Keeps one connection and lends two at once."""
    return Database(database.settings.model_copy(update={"database_pool_size": 1, "database_max_overflow": 1}))


def _session(connection: psycopg.Connection[object]) -> int:
    return connection.info.backend_pid


def test_a_connection_is_kept_for_the_next_and_one_above_the_number_is_closed(small: Database) -> None:
    with small.connection() as first, small.connection() as second:
        assert _session(first) != _session(second)
    assert first.closed and not second.closed
    with small.connection() as again:
        assert again is second
    small.close()
    assert second.closed


def test_a_dead_connection_is_replaced_before_it_is_lent(small: Database, database: Database) -> None:
    with small.connection() as first:
        session = _session(first)
    with database.connection() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [session])
    with small.connection() as second:
        assert second.execute("SELECT 1").fetchone() == (1,)
    small.close()


def test_what_is_left_in_a_transaction_or_lent_while_the_pool_closes_is_not_kept(small: Database) -> None:
    with small.connection() as left:
        left.execute("BEGIN")
    assert left.closed
    with small.connection() as late:
        small.close()
    assert late.closed
    with small.connection() as fresh:
        assert fresh.execute("SELECT 1").fetchone() == (1,)
    small.close()


def test_whoever_waits_gets_a_place_again_after_a_failure_to_connect(
    small: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = small.pool
    pool.patience = 0.05
    with monkeypatch.context() as patch:
        patch.setattr(pool, "_connect", lambda: (_ for _ in ()).throw(DatabaseUnreachable("gone")))
        for _ in range(3):
            with pytest.raises(DatabaseUnreachable, match="gone"), small.connection():
                pass
    full = pytest.raises(DatabaseUnreachable, match="All 2 connections")
    with small.connection(), small.connection(), full, small.connection():
        pass
    small.close()


def test_a_process_with_more_than_a_thousand_files_open_has_connections(small: Database) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1300:
        pytest.skip("this system lets a process have no more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1300), hard))
    opened: list[int] = []
    try:
        while not opened or opened[-1] < 1100:
            opened.append(os.dup(0))
        for _ in range(2):
            with small.connection() as connection:
                assert connection.fileno() > 1024
                assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        small.close()
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
