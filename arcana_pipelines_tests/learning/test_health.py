"""What a process saw of what it needs is written when that changes, and at most once a minute."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from arcana_pipelines.cli.commands import report as report_command
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import DatabaseUnreachable
from arcana_pipelines.learning.health import Seen, record
from arcana_pipelines.web import use
from arcana_pipelines.web.health import Health
from arcana_pipelines.web.use import UseLog
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import served, serving
from arcana_pipelines_tests.web.test_use import a_row, eventually

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def rows(acme: Harness) -> list[tuple[Any, ...]]:
    return acme.rows("SELECT component, state, detail FROM system_health ORDER BY at, component")


def see(acme: Harness, *seen: tuple[int, str]) -> list[str]:
    with acme.database.connection() as connection:
        for seconds, state in seen:
            at = NOON + timedelta(seconds=seconds)
            record(connection, "api on a", [Seen("database", state, at=at)])  # type: ignore[arg-type]
    return [f"{at - NOON} {state}" for at, state in acme.rows("SELECT at, state FROM system_health ORDER BY at")]


def test_a_state_is_written_when_it_changes_and_once_an_hour(acme: Harness) -> None:
    seen = [(60 * minute, "down" if minute in (10, 11, 12) else "ok") for minute in range(125)]
    assert see(acme, *seen) == ["0:00:00 ok", "0:10:00 down", "0:13:00 ok", "1:13:00 ok"]


def test_nothing_is_written_twice_in_a_minute(acme: Harness) -> None:
    seen = [(second, ("ok", "down")[second % 2]) for second in range(130)]
    assert see(acme, *seen) == ["0:00:00 ok", "0:01:01 down", "0:02:02 ok"]


def test_each_component_of_each_process_is_its_own(acme: Harness) -> None:
    with acme.database.connection() as connection:
        for by in ("api on a", "api on b", "api on a"):
            record(connection, by, [Seen("database", "ok"), Seen("embedding provider", "down", "x" * 1000)])
        found = connection.execute("SELECT reporter, component, length(detail) FROM v_system_health").fetchall()
    assert found == [
        (by, component, length)
        for by in ("api on a", "api on b")
        for component, length in (("database", 0), ("embedding provider", 500))
    ]


class TestTheServer:
    def test_says_at_its_start_that_all_is_well(self, acme: Harness) -> None:
        with served(acme), eventually() as wait:
            wait(lambda: len(rows(acme)) == 3)
        assert rows(acme) == [
            ("database", "ok", ""), ("log of what keys were used for", "ok", ""), ("log of what was asked", "ok", ""),
        ]  # fmt: skip

    def test_tells_afterwards_that_the_database_was_away_and_since_when(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = serving(acme.database)
        health = Health(database, ())

        @contextmanager
        def away(*_: Any) -> Any:
            raise DatabaseUnreachable("The database is away.")
            yield

        with monkeypatch.context() as patch:
            patch.setattr(Database, "connection", away)
            health.look()
            health.look()
        assert rows(acme) == []
        health._away = Seen("database", "down", "The database is away.", at=datetime.now(UTC) - timedelta(minutes=5))
        health.look()
        database.close()
        assert rows(acme) == [("database", "down", "The database is away."), ("database", "ok", "")]

    def test_tells_that_rows_wait_and_that_some_were_dropped(
        self, acme: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = serving(acme.database)
        uses = UseLog(database)

        def fails(*_: Any) -> None:
            raise DatabaseUnreachable("The database is away.")

        monkeypatch.setattr(use, "record", fails)
        monkeypatch.setattr(use, "MOST_WAITING", 3)
        uses.add(a_row(), a_row())
        uses.flush()
        Health(database, (uses,)).look()
        acme.rows("UPDATE system_health SET at = at - interval '2 minutes' RETURNING 1")
        uses.add(a_row(), a_row())
        Health(database, (uses,)).look()
        database.close()
        assert [row for row in rows(acme) if row[0] != "database"] == [
            ("log of what keys were used for", "degraded", "2 rows wait: the database did not take them."),
            ("log of what keys were used for", "down", "1 rows were dropped, 3 wait."),
        ]


def test_is_read_by_the_report_while_it_is_new(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_command, "open_database", lambda: acme.database)

    def report() -> Any:
        return json.loads(CliRunner().invoke(report_command.command, ["health", "--json"]).output)["rows"]

    assert report() == []
    with acme.database.connection() as connection:
        record(connection, "api on a", [Seen("database", "ok", milliseconds=2)])
        record(connection, "api on b", [Seen("database", "down", at=datetime.now(UTC) - timedelta(hours=3))])
    (told,) = report()
    assert (told["reporter"], told["component"], told["state"], told["milliseconds"]) == (
        "api on a",
        "database",
        "ok",
        2,
    )
