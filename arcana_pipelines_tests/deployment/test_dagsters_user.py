"""Dagster keeps its tables as a user who reads nothing of ours: `deploy/postgres-dagster.sql`."""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._daemon.types import DaemonHeartbeat

from arcana_pipelines.db.client_programs import programs
from arcana_pipelines.db.embedded.lease import DATABASE, SUPERUSER
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.deployment.manifests import ROOT, values

# Dagster makes its tables, and works in them: ten seconds.
pytestmark = pytest.mark.long

OWNER = f"owner_{os.getpid()}"
NAME = f"dagster_{os.getpid()}"

FORBIDDEN = (
    "SELECT * FROM public.document",
    "CREATE TABLE public.mine ()",
    "CREATE TABLE dagster.mine ()",
    "DROP TABLE dagster.runs",
    "TRUNCATE dagster.event_logs",
)


@pytest.fixture
def empty(arcana_server: DatabaseServer) -> Iterator[str]:
    """A database of an owner's, in which the file was run. Its user is the server's: there is one test."""
    with psycopg.connect(arcana_server.address(DATABASE, SUPERUSER), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {OWNER} LOGIN")  # type: ignore[arg-type]
        connection.execute(f"CREATE DATABASE {NAME} OWNER {OWNER} TEMPLATE template0")  # type: ignore[arg-type]
        told = ("-v", "ON_ERROR_STOP=1", "-v", f"owner={OWNER}")
        file = ROOT / "deploy" / "postgres-dagster.sql"
        command = [programs() / "psql", *told, "-d", arcana_server.address(NAME, SUPERUSER), "-f", file]
        environment = {"PATH": os.environ["PATH"], "ARCANA_DAGSTER_DB_PASSWORD": "it's secret"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        yield NAME
        connection.execute(f"DROP DATABASE {NAME} WITH (FORCE)")  # type: ignore[arg-type]
        connection.execute("DROP ROLE arcana_dagster")
        connection.execute(f"DROP ROLE {OWNER}")  # type: ignore[arg-type]


def _storage(server: DatabaseServer, user: str) -> dict[str, Any]:
    """As the chart writes it of our values, but for the place of the server, which is a socket here."""
    ours = values()["postgresql"]
    place = psycopg.conninfo.conninfo_to_dict(server.address(NAME, user))
    config = {
        "username": user,
        "password": "it's secret",
        "hostname": "",
        "db_name": NAME,
        "port": int(place.get("port") or 5432),
        "params": {"options": ours["postgresqlParams"]["options"], "host": place["host"]},
        "scheme": ours["postgresqlScheme"],
    }
    return {"storage": {"postgres": {"postgres_db": config}}}


@dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name="workspace"))
def pages(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """In the place of ours."""
    context.log.info("read")
    return dg.MaterializeResult(metadata={"pages": 3})


def test_dagster_works_as_a_user_who_reads_nothing_of_ours_and_changes_no_table(
    arcana_server: DatabaseServer, empty: str
) -> None:
    with dg.instance_for_test(overrides=_storage(arcana_server, OWNER)) as instance:
        instance.add_dynamic_partitions("workspace", ["acme"])  # opened once, the tables are there
    with psycopg.connect(arcana_server.address(empty, OWNER), autocommit=True) as connection:
        connection.execute("CREATE TABLE document (body text)")

    with dg.instance_for_test(overrides=_storage(arcana_server, "arcana_dagster")) as instance:
        assert instance.get_dynamic_partitions("workspace") == ["acme"]
        done = dg.materialize([pages], partition_key="acme", instance=instance)
        assert done.success
        (event,) = instance.fetch_materializations(pages.key, limit=5).records
        assert event.partition_key == "acme"
        _look(instance)
        instance.delete_run(done.run_id)
        assert instance.get_run_by_id(done.run_id) is None
        instance.delete_dynamic_partition("workspace", "acme")

    with psycopg.connect(arcana_server.address(empty, "arcana_dagster"), autocommit=True) as connection:
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def _look(instance: dg.DagsterInstance) -> None:
    """What the daemon writes down at each of its rounds."""
    origin = "of-a-sensor"
    tick = TickData(origin, "changes", InstigatorType.SENSOR, TickStatus.SKIPPED, 1.0, selector_id=origin)
    instance.create_tick(tick)
    instance.purge_ticks(origin, origin, before=2.0, tick_statuses=[TickStatus.SKIPPED])
    instance.add_daemon_heartbeat(DaemonHeartbeat(1.0, "SENSOR", "it", []))
    instance.event_log_storage.set_concurrency_slots("pool", 2)
