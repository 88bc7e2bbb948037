"""What Prometheus is told of an installation, read from the database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr

from arcana_pipelines.alerts.causes import Cause
from arcana_pipelines.alerts.deliveries import plan
from arcana_pipelines.alerts.records import record
from arcana_pipelines.alerts.severity import LEVELS
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.db.engine import Database
from arcana_pipelines.indexes.targets.targets import add_target
from arcana_pipelines.monitoring import exporter
from arcana_pipelines.monitoring.catalogue import BY_NAME, FIGURES
from arcana_pipelines.monitoring.exporter import Figures
from arcana_pipelines.monitoring.figures import read
from arcana_pipelines.monitoring.sample import Sample
from arcana_pipelines.settings import Settings
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.taxonomy.test_counts import TOPIC, release, say

CANARY = "Kanarienvogel-카나리아"

Told = Callable[..., float | None]


def told_by(database: Database) -> Told:
    """A figure's value by its name and labels; None where it is not told."""
    values = {(sample.name, sample.labels): sample.value for sample in read(database)}
    return lambda name, *labels: values.get((name, labels))


@pytest.fixture
def handbook(acme: Harness) -> Harness:
    """Two pages, read and searchable."""
    acme.world.add_page(f"Vacation {CANARY}", blocks=f"Thirty days. {CANARY}")
    acme.world.add_page("휴가 규정", blocks="모든 직원은 1년에 휴가 30일을 받는다.")
    acme.settle()
    acme.sync()
    return acme


def test_a_synced_workspace_is_told_with_what_it_serves_how_old_that_is_and_how_its_syncs_ended(
    handbook: Harness,
) -> None:
    told = told_by(handbook.database)
    assert told("arcana_database_up") == told("arcana_workspaces", "active") == 1
    assert told("arcana_documents", "acme", "default") == told("arcana_pages", "acme", "unchanged") == 2
    assert told("arcana_chunks", "acme", "default") == 2
    assert told("arcana_pages", "acme", "quarantined") is None
    now = datetime.now(UTC).timestamp()
    for name in ("arcana_sync_timestamp_seconds", "arcana_fresh_timestamp_seconds"):
        assert now - 600 < (told(name, "acme") or 0) <= now
    assert now - 600 < (told("arcana_publish_timestamp_seconds", "acme", "default") or 0) <= now
    (mode,) = [label for label in ("full", "incremental") if told("arcana_sync_seconds", "acme", label)]
    assert told("arcana_syncs_day", "acme", mode, "finished") == told("arcana_generations", "acme") == 1
    assert told("arcana_embedding_usd_month", "acme") == 0
    assert told("arcana_embedding_budget_usd", "acme") is None


def test_a_killed_sync_is_one_that_failed_and_an_interrupted_one_is_not(handbook: Harness) -> None:
    with handbook.database.connection() as connection, connection.transaction():
        connection.execute("UPDATE workspace SET generation = generation + 3")
        connection.execute(
            "INSERT INTO sync_generation (workspace_id, generation, mode, counters) SELECT workspace_id, number, "
            "'incremental', counters::jsonb FROM workspace, (VALUES (2, '{}'), (3, '{\"ended\": \"interrupted\"}'), "
            "(4, '{\"is_estimate\": true}')) AS row(number, counters)"
        )
    told = told_by(handbook.database)
    assert told("arcana_syncs_day", "acme", "incremental", "failed") == 1
    assert told("arcana_syncs_day", "acme", "incremental", "interrupted") == 1


def test_pages_are_told_by_their_state(handbook: Harness) -> None:
    with handbook.database.connection() as connection, connection.transaction():
        connection.execute("UPDATE source_page SET state = 'quarantined' WHERE title = '휴가 규정'")
    told = told_by(handbook.database)
    assert told("arcana_pages", "acme", "quarantined") == told("arcana_pages", "acme", "unchanged") == 1


def test_what_embeddings_cost_this_month_is_told_beside_what_they_may(handbook: Harness) -> None:
    with handbook.database.connection() as connection, connection.transaction():
        connection.execute("DELETE FROM embedding_usage")
        connection.execute("UPDATE workspace SET embedding_budget = 5")
        connection.execute(
            "INSERT INTO embedding_usage (workspace_id, month, embedding_model, tier, texts, tokens, cost, seconds) "
            "SELECT workspace_id, month, 'text-embedding-3-small', 'standard', 10, 1000, 0.25, 1 FROM workspace, "
            "(VALUES (date_trunc('month', now() AT TIME ZONE 'UTC')::date), ('2020-01-01'::date)) AS months(month)"
        )
    told = told_by(handbook.database)
    assert told("arcana_embedding_tokens_month", "acme") == 1000
    assert (told("arcana_embedding_usd_month", "acme"), told("arcana_embedding_budget_usd", "acme")) == (0.25, 5)


def test_open_alerts_are_told_by_cause_and_how_bad_they_are(handbook: Harness) -> None:
    causes = [
        Cause("failed_run", "acme", "It failed.", "arcana sync acme", CANARY, subject="sync"),
        Cause("stale", "acme", "It is old.", "arcana sync acme"),
    ]
    with handbook.database.connection() as connection:
        record(connection, causes, LEVELS, 30)
        plan(connection, ["webhook"], [])
        with connection.transaction():
            connection.execute("UPDATE alert SET since = now() - interval '11 minutes' WHERE cause = 'stale'")
    told = told_by(handbook.database)
    assert (
        told("arcana_alerts", "failed_run", "broken", "acme") == told("arcana_alerts", "stale", "waiting", "acme") == 1
    )
    assert told("arcana_alerts_untold") == 1


def test_what_waits_for_targets_is_told(handbook: Harness) -> None:
    with handbook.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        add_target(connection, workspace_id, "sqlite", "/nowhere/acme.sqlite", "copy")
    told = told_by(handbook.database)
    assert told("arcana_target_lag_seconds", "acme", "copy", "sqlite") == 0
    assert told("arcana_target_live", "acme", "copy", "sqlite") == 0


def test_topics_are_told_against_the_limits_that_they_have_to_hold(handbook: Harness) -> None:
    with handbook.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        release(connection, workspace_id, "1.0.0", TOPIC)
        say(connection, "휴가 규정", TOPIC, "given")
        with connection.transaction():
            connection.execute(
                "INSERT INTO taxonomy_settings (workspace_id, topic_properties) VALUES (%s, '{Topic}')", [workspace_id]
            )
            # Both bring the path of a node, and one of them has no topic yet.
            connection.execute(
                "INSERT INTO document_property (workspace_id, document_id, name, text) "
                "SELECT d.workspace_id, d.document_id, 'Topic', 'topic 0' FROM document d"
            )
    told = told_by(handbook.database)
    assert told("arcana_topic_assigned_ratio", "acme") == told("arcana_topic_matched_ratio", "acme") == 0.5
    assert told("arcana_topics", "acme", "given") == 1


def test_the_server_below_is_told_by_table_and_by_what_sessions_do(handbook: Harness) -> None:
    told = told_by(handbook.database)
    assert (told("arcana_database_bytes") or 0) > 1_000_000
    assert (told("arcana_table_bytes", "chunk") or 0) > (told("arcana_table_bytes", "retired_slug") or 0) > 0
    assert told("arcana_table_dead_rows", "source_page") is not None
    assert (told("arcana_connections", "active") or 0) >= 1
    assert told("arcana_connections_most") and told("arcana_locks_waiting") == told("arcana_statements_long") == 0
    assert (told("arcana_home_disk_bytes") or 0) > (told("arcana_home_free_bytes") or 0) > 0
    tables = {sample.labels[0] for sample in read(handbook.database) if sample.name == "arcana_table_bytes"}
    assert not [name for name in tables if "_b" in name and name.rsplit("_b", 1)[1].isdigit()]  # parts of a table


def test_each_figure_has_labels_as_the_catalogue_says(handbook: Harness) -> None:
    samples = read(handbook.database)
    assert {sample.name for sample in samples} <= set(BY_NAME)
    assert not [sample for sample in samples if len(sample.labels) != len(BY_NAME[sample.name].labels)]
    assert len(BY_NAME) == len(FIGURES)


def test_nothing_that_people_or_sources_wrote_is_told(handbook: Harness) -> None:
    with handbook.database.connection() as connection, connection.transaction():
        for statement in (
            "UPDATE source_page SET url = %s, reason = %s, state = 'quarantined', unknown_types = ARRAY[%s]",
            "UPDATE workspace SET name = %s, poll_problem = %s, poll_failures = 3, source_cursor = %s",
            "INSERT INTO system_health (at, reporter, component, state, detail) "
            "VALUES (now(), %s, 'cache', 'down', %s || %s)",
            "INSERT INTO alert (cause, workspace, subject, detail, text) VALUES ('failed_run', 'acme', %s, %s, %s)",
        ):
            connection.execute(statement, [CANARY] * 3)
    registry = CollectorRegistry()
    registry.register(Figures(handbook.database))
    told = generate_latest(registry).decode()
    assert (
        'arcana_component_state{component="cache"} 2.0' in told and 'arcana_poll_failures{workspace="acme"} 3.0' in told
    )
    assert "Kanarienvogel" not in told and "카나리아" not in told


def test_a_database_that_does_not_answer_is_told_and_nothing_else_of_it(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": SecretStr("postgresql://arcana:secret@127.0.0.1:1/arcana")})
    with closing(Database(away)) as database:
        samples = {sample.name: sample.value for sample in read(database)}
    assert samples["arcana_database_up"] == 0
    assert set(samples) <= {
        "arcana_build_info", "arcana_database_up", "arcana_home_disk_bytes", "arcana_home_free_bytes",
        "arcana_read_seconds", "arcana_read_timestamp_seconds",
    }  # fmt: skip


def test_it_is_read_once_in_fifteen_seconds_however_often_it_is_asked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, readings = [100.0], []
    monkeypatch.setattr(exporter, "read", lambda database: readings.append(now[0]) or [])
    figures = Figures(database, clock=lambda: now[0])
    for moment in (100.0, 101.0, 114.9, 115.0, 120.0, 131.0):
        now[0] = moment
        list(figures.collect())
    assert readings == [100.0, 115.0, 131.0]


def test_where_it_takes_long_it_is_read_in_a_twentieth_of_the_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, readings = [0.0], []

    def slow(database: Database) -> list[Sample]:
        readings.append(now[0])
        now[0] += 3
        return []

    monkeypatch.setattr(exporter, "read", slow)
    figures = Figures(database, clock=lambda: now[0])
    for moment in (0.0, 20.0, 59.0, 60.0):
        now[0] = max(now[0], moment)
        list(figures.collect())
    assert readings == [0.0, 60.0]


def test_backups_are_told_by_their_place_and_seldom_asked_for(database: Database, tmp_path: Path) -> None:
    def told(database: Database) -> dict[str, float]:
        registry = CollectorRegistry()
        registry.register(Figures(database))
        return {
            sample.name: sample.value
            for family in registry.collect()
            for sample in family.samples
            if sample.name.startswith("arcana_backup")
        }

    assert told(database) == {}
    away = database.settings.model_copy(update={"backup_to": str(tmp_path / "away")})
    with closing(Database(away)) as other:
        assert told(other) == {"arcana_backup_place_up": 0}
    settings = database.settings.model_copy(update={"backup_to": str(tmp_path / "backups")})
    with open_vault(settings.backup_to, settings, may_make=True), closing(Database(settings)) as other:
        assert told(other) == {
            "arcana_backup_place_up": 1,
            "arcana_backup_timestamp_seconds": 0,
            "arcana_backup_proven_timestamp_seconds": 0,
        }


def test_dagsters_queue_is_told_where_dagster_keeps_its_runs_beside_us(database: Database) -> None:
    assert told_by(database)("arcana_dagster_queue_seconds") is None
    begun = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=90)
    with database.connection() as connection, connection.transaction():
        connection.execute("CREATE SCHEMA IF NOT EXISTS dagster")
        connection.execute(
            "CREATE TABLE dagster.runs "
            "(run_id text, status text, create_timestamp timestamp, update_timestamp timestamp)"
        )
        connection.cursor().executemany(
            "INSERT INTO dagster.runs VALUES (%s, %s, %s, %s)",
            [(f"{n}", status, begun, begun) for n, status in enumerate(["QUEUED", "STARTED", "SUCCESS", "FAILURE"])],
        )
    told = told_by(database)
    assert 90 <= (told("arcana_dagster_queue_seconds") or 0) < 300
    assert [told("arcana_dagster_runs", status) for status in ("queued", "started", "starting")] == [1, 1, 0]
    assert told("arcana_dagster_runs_day", "success") == told("arcana_dagster_runs_day", "failure") == 1
