"""How the server below is told to people: sizes, and what they should look at."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from arcana_pipelines.cli.commands import doctor
from arcana_pipelines.cli.main import cli
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.learning import health
from arcana_pipelines.monitoring.figures import read
from arcana_pipelines.monitoring.installation import InstallationState, TableSize, installation_state
from arcana_pipelines.monitoring.statements import Statement, slowest
from arcana_pipelines.operations.disk import Disk
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.harness import Harness

WELL = InstallationState(10**9, [TableSize("chunk", 10**8, 1000, 10)], [], 0, None, Disk(50 * 10**9, 100 * 10**9))


def test_what_is_well_has_no_problems() -> None:
    assert WELL.problems == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"disk": Disk(5 * 10**9, 100 * 10**9)}, "5.0 GB of 100.0 GB are free on the disk of ARCANA_HOME"),
        ({"bloated": [TableSize("chunk", 1, 300_000, 200_000)]}, "200,000 rows of chunk are gone and still take space"),
        ({"oldest_transaction_seconds": 9000.0}, "a transaction has been open for 2.5 hours"),
        ({"slow_statements": [Statement(7, 40, 2.5, 100.0)]}, "statement 7 takes 2.5 s on average (40 calls)"),
    ],
)
def test_what_a_person_should_look_at_is_a_sentence(changed: dict[str, object], problem: str) -> None:
    assert replace(WELL, **changed).problems == [problem]  # type: ignore[arg-type]


def test_a_large_disk_of_which_a_tenth_is_free_is_not_full() -> None:
    assert not Disk(30 * 10**9, 4 * 10**12).is_nearly_full


def test_it_is_read_from_a_server_that_does_not_time_statements(acme: Harness) -> None:
    with acme.database.connection() as connection:
        state = installation_state(connection, acme.database.settings.home)
    assert state.database_bytes > 10**6 and state.slow_statements is None and not state.bloated
    assert len(state.tables) == 5 and state.tables[0].bytes >= state.tables[-1].bytes


def test_status_and_doctor_tell_it(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = acme.database.settings
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("ARCANA_HOME", str(settings.arcana_home))
    said = CliRunner().invoke(cli, ["status", "--json"], catch_exceptions=False)
    assert json.loads(said.stdout)["installation"]["problems"] == []
    assert "database: " in CliRunner().invoke(cli, ["status"], catch_exceptions=False).stdout
    assert doctor._size(acme.database).endswith("; statements are not timed (docs/monitoring.md)")
    full = replace(WELL, disk=Disk(1, 100 * 10**9))
    monkeypatch.setattr(doctor, "installation_state", lambda *_: full)
    with pytest.raises(ArcanaError, match=r"docs/monitoring\.md says what can be done"):
        doctor._size(acme.database)


def test_doctor_asks_the_collector_of_traces(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._monitoring(settings) == "logs are text; no traces (OTEL_EXPORTER_OTLP_ENDPOINT is not set)"
    asked = settings.model_copy(update={"log_format": "json", "otel_exporter_otlp_endpoint": "http://127.0.0.1:4318"})
    for is_taken in (True, False):
        monkeypatch.setattr("arcana_pipelines.observing.traces.is_taken", lambda seconds, it=is_taken: it)
        if is_taken:
            assert doctor._monitoring(asked) == "logs are JSON; http://127.0.0.1:4318 takes traces"
        else:
            with pytest.raises(ArcanaError, match="takes no traces"):
                doctor._monitoring(asked)


class TestStatementsThatTheServerTimes:
    def test_are_told_slowest_first_without_their_text_and_those_of_this_database_alone(self, acme: Harness) -> None:
        with acme.database.connection() as connection:
            with connection.transaction():
                connection.execute(
                    "CREATE TABLE pg_stat_statements (queryid bigint, dbid oid, calls bigint, total_exec_time float8)"
                )
                connection.execute(
                    "INSERT INTO pg_stat_statements SELECT row.id, d.oid, row.calls, row.ms FROM pg_database d, "
                    "(VALUES (1, 10, 20000.0), (2, 9, 90000.0), (3, 100, 500.0)) AS row(id, calls, ms) "
                    "WHERE d.datname = current_database() UNION ALL SELECT 4, 0, 50, 500000.0"
                )
            assert [(each.query_id, each.mean_seconds) for each in slowest(connection) or ()] == [(1, 2.0), (3, 0.005)]
        told = {sample.name: sample.value for sample in read(acme.database)}
        assert (told["arcana_statements_slow"], told["arcana_statement_slowest_seconds"]) == (1, 2.0)

    def test_are_not_told_where_the_extension_is_there_and_the_server_began_without_it(self, acme: Harness) -> None:
        with acme.superuser() as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
        with acme.database.connection() as connection:
            assert slowest(connection) is None
        assert "arcana_statements_slow" not in {sample.name for sample in read(acme.database)}


def test_doctor_does_not_call_an_embedder_well_that_failed_beside_it(acme: Harness) -> None:
    with acme.database.connection() as connection:
        health.record(connection, "daemon", [health.Seen(health.EMBEDDER, "ok"), health.Seen("another thing", "ok")])
    assert "embedding provider" in doctor._health(acme.database, embeds=True)
    assert doctor._health(acme.database, embeds=False) == "daemon: another thing are well"
