"""What a migration added is filled after it: in batches, each for itself, and from where it was interrupted."""

from __future__ import annotations

import threading

import psycopg
import pytest

from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.db import rewrite, schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.rewrite import Rewrite
from arcana_pipelines.errors import DatabaseBusy

TITLES = Rewrite(
    "titles in small letters",
    "SELECT count(*) FROM shelf WHERE small IS NULL",
    "UPDATE shelf SET small = lower(title) WHERE id IN "
    "(SELECT id FROM shelf WHERE small IS NULL ORDER BY id LIMIT %(size)s)",
)


@pytest.fixture
def shelf(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A table of 25 rows to which a migration has added `small`."""
    monkeypatch.setattr(schema, "PAUSE_SECONDS", 0.01)
    with database.connection() as connection:
        connection.execute("CREATE TABLE shelf (id integer PRIMARY KEY, title text NOT NULL, small text)")
        connection.execute("INSERT INTO shelf SELECT n, 'Book ' || n FROM generate_series(1, 25) n")
    return database


def _left(database: Database) -> int:
    with database.connection() as connection:
        left: int = scalar(connection, TITLES.left)
    return left


def test_an_upgrade_rewrites_what_is_left_and_says_how_far_it_is(
    shelf: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rewrite, "REWRITES", (TITLES,))
    monkeypatch.setattr(rewrite, "SAY_EVERY_SECONDS", -1.0)
    upgrade(shelf)
    assert _left(shelf) == 0
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "25 rows, in batches of 1,000; it can be interrupted, and goes on at the next upgrade",
        "25 of 25 rows",
        "all 25 rows are done",
    ]
    caplog.clear()
    upgrade(shelf)
    assert not caplog.records


def test_what_was_interrupted_goes_on_where_it_was(shelf: Database) -> None:
    with shelf.connection() as connection:
        connection.execute("ALTER TABLE shelf ADD CONSTRAINT stopped CHECK (id <> 17 OR small IS NULL)")
    with pytest.raises(psycopg.errors.CheckViolation):
        rewrite.rewrite(shelf, [TITLES], size=5)
    assert _left(shelf) == 10
    with shelf.connection() as connection:
        connection.execute("ALTER TABLE shelf DROP CONSTRAINT stopped")
    assert rewrite.rewrite(shelf, [TITLES], size=5) == 10
    assert _left(shelf) == 0


def test_rows_that_others_hold_are_waited_for_and_meanwhile_nobody_waits_for_us(
    shelf: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "LOCK_TIMEOUT_MILLISECONDS", 50)
    has_waited = threading.Event()
    monkeypatch.setattr(rewrite.log, "warning", lambda said, *_: "in use" in said and has_waited.set())
    rewriting = threading.Thread(target=rewrite.rewrite, args=[shelf, [TITLES], 5])
    with shelf.own_connection() as other, other.transaction():
        other.execute("UPDATE shelf SET title = 'Book' WHERE id = 7")
        rewriting.start()
        assert has_waited.wait(60)
        assert _left(shelf) == 20
    rewriting.join()
    assert _left(shelf) == 0


def test_rows_that_are_never_free_and_batches_that_take_too_long_end_it_in_a_sentence(
    shelf: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatabaseBusy, match=r"a batch took too long\. 0 rows are done and stay so"):
        rewrite.rewrite(shelf, [Rewrite("slow", TITLES.left, "SELECT pg_sleep(9), %(size)s")], statement_seconds=0.01)
    monkeypatch.setattr(schema, "LOCK_TIMEOUT_MILLISECONDS", 1)
    monkeypatch.setattr(schema, "PATIENCE_SECONDS", 0.0)
    with shelf.own_connection() as other, other.transaction():
        other.execute("SELECT FROM shelf WHERE id = 7 FOR UPDATE")
        with pytest.raises(DatabaseBusy, match="5 rows are done and stay so; `arcana db upgrade` goes on"):
            rewrite.rewrite(shelf, [TITLES], size=5)


def test_those_of_this_release_can_be_asked_what_is_left(database: Database) -> None:
    with database.connection() as connection:
        assert [scalar(connection, each.left) for each in rewrite.REWRITES] == [0] * len(rewrite.REWRITES)
