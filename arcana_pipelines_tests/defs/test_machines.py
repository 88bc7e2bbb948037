"""Runs on other machines: one whose machine is gone is failed and made good; handed out late, one does nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from celery import Celery
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import pack_value
from dagster_celery.make_app import make_app

from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.names import EMBEDDING_POOL
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.sensors import index_builds, source_changes, workspace_registry
from arcana_pipelines.defs.worker import add_task
from arcana_pipelines.indexes.lifecycle import rebuild_index
from arcana_pipelines.settings import load_settings
from arcana_pipelines.workspaces.lease import EXPIRES, workspace_lease
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.defs.conftest import dies_at_work
from arcana_pipelines_tests.harness import Harness

STARTED, FAILURE, SUCCESS = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """One that other processes could open, too: what Celery's task does."""
    with dg.instance_for_test(overrides={"run_monitoring": {"enabled": False}}) as shared:
        shared.add_dynamic_partitions(str(workspaces.name), ["acme"])
        yield shared


@pytest.fixture
def run(instance: dg.DagsterInstance) -> Callable[[dg.DagsterRunStatus], str]:
    """Makes a run of the sync of `acme`, as the daemon makes it for a launcher."""
    origin = ReconstructableRepository.for_module("arcana_pipelines.definitions", "defs")
    job = origin.get_reconstructable_job("sync_workspace")

    def make(status: dg.DagsterRunStatus) -> str:
        made = instance.create_run_for_job(
            job.get_definition(),
            run_id=str(uuid4()),
            status=status,
            tags={"dagster/partition": "acme"},
            job_code_origin=job.get_python_origin(),
        )
        return made.run_id

    return make


def status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def delivered(instance: dg.DagsterInstance, run_id: str) -> None:
    """Carry out Celery's task for a run, as a worker does that gets it from the broker."""
    assert task_of_worker().apply((message_for(instance, run_id),)).successful()


def task_of_worker() -> Any:
    """What a worker of the installation does with a message."""
    return add_task(Celery(set_as_current=False), Database(load_settings()))


def message_for(instance: dg.DagsterInstance, run_id: str) -> Any:
    """What the daemon sends for a run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None and run.job_code_origin is not None
    arguments = ExecuteRunArgs(job_origin=run.job_code_origin, run_id=run_id, instance_ref=instance.get_ref())
    return pack_value(arguments)


def asked_for(instance: dg.DagsterInstance, sensor: dg.SensorDefinition = workspace_registry) -> list[dg.RunRequest]:
    """The runs that a tick of a sensor asks for."""
    found = sensor(dg.build_sensor_context(instance=instance, definitions=build_defs()))
    if isinstance(found, dg.SkipReason):
        return []
    assert isinstance(found, dg.SensorResult)
    return list(found.run_requests or [])


def tick(instance: dg.DagsterInstance) -> list[str]:
    """The workspaces that the registry's sensor asks a sync for."""
    return [str(request.partition_key) for request in asked_for(instance)]


def test_a_run_whose_machine_has_not_beaten_for_a_minute_is_failed_although_its_connection_stands_and_is_made_good(
    installed: Harness, instance: dg.DagsterInstance, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("GRACE", dt.timedelta()), ("SECOND_LOOK_SECONDS", 0.0), ("_FIRST_PAUSE", dt.timedelta())):
        monkeypatch.setattr(f"arcana_pipelines.defs.runs.{name}", value)
    run_id = run(STARTED)
    record = instance.get_run_by_id(run_id)
    assert record is not None
    with installed.database.connection() as connection:
        acme = find(connection, "acme")
    dies_at_work(instance, record, acme)
    with workspace_lease(installed.database, acme.workspace_id, "acme", run_id):
        assert tick(instance) == [] and status_of(instance, run_id) is STARTED
        with installed.database.connection() as connection:
            connection.execute("UPDATE workspace_lease SET heartbeat_at = heartbeat_at - %s", [EXPIRES])
        assert tick(instance) == ["acme"] and status_of(instance, run_id) is FAILURE
    again = run(dg.DagsterRunStatus.STARTING)
    delivered(instance, again)
    assert status_of(instance, again) is SUCCESS
    installed.assert_matches_world()


def test_a_worker_carries_out_a_run_and_one_that_gets_the_same_again_does_nothing(
    installed: Harness, instance: dg.DagsterInstance, run: Callable[..., str]
) -> None:
    run_id = run(dg.DagsterRunStatus.STARTING)
    delivered(instance, run_id)
    assert status_of(instance, run_id) is SUCCESS
    installed.assert_matches_world()
    before = installed.checksum(), installed.rows("SELECT count(*) FROM sync_generation")
    installed.server.reset_log()
    delivered(instance, run_id)
    assert status_of(instance, run_id) is SUCCESS
    assert (installed.checksum(), installed.rows("SELECT count(*) FROM sync_generation")) == before
    assert installed.server.requests == []


def test_a_run_that_is_handed_out_twice_at_once_is_carried_out_once(
    installed: Harness, instance: dg.DagsterInstance, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, task = run(dg.DagsterRunStatus.STARTING), task_of_worker()
    message = message_for(instance, run_id)
    begun = []

    def begin(*_: Any, **__: Any) -> int:
        begun.append(run_id)
        if len(begun) == 1:  # the broker hands it out again before Dagster knows that it has begun
            assert task.apply((), {"execute_job_args_packed": message}).successful()
        return 0

    monkeypatch.setattr("dagster_celery.tasks._execute_run_command_body", begin)
    assert task.apply((message,)).successful()
    assert begun == [run_id]
    delivered(instance, run_id)  # and again when that has ended, as of any other run
    assert begun == [run_id, run_id]


def test_a_message_names_a_run_and_nothing_else_that_a_worker_does(
    installed: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celery._state._on_app_finalizers", set())  # tasks of other tests are every app's
    app = make_app({"set_as_current": False})
    add_task(app, installed.database)
    assert {name for name in app.tasks if not name.startswith("celery.")} == {"execute_job"}
    assert list(app.conf.accept_content) == ["json"] and not app.conf.worker_pool_restarts


def test_a_run_that_was_failed_meanwhile_is_not_carried_out_when_the_broker_hands_it_out_late(
    installed: Harness, run: Callable[..., str], instance: dg.DagsterInstance
) -> None:
    run_id = run(FAILURE)
    delivered(instance, run_id)
    assert status_of(instance, run_id) is FAILURE
    assert installed.server.requests == [] and installed.rows("SELECT count(*) FROM sync_generation") == [(0,)]


def test_runs_that_embed_a_whole_workspace_carry_the_tags_by_which_they_go_to_machines_of_their_own(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_RUN_TAGS", '{"dagster-celery/queue": "embedding"}')
    (first,) = asked_for(instance)
    assert first.tags["dagster-celery/queue"] == "embedding"
    installed.sync()
    with installed.database.connection() as connection:
        rebuild_index(connection, find(connection, "acme").workspace_id, "default")
    (backfill,) = asked_for(instance, index_builds)
    assert backfill.tags["dagster-celery/queue"] == "embedding"
    page = installed.world.visible_pages()[0]
    installed.world.set_title(page, "Edited")
    installed.settle()
    assert not [run for run in asked_for(instance, source_changes) if "dagster-celery/queue" in run.tags]


def test_runs_that_embed_are_in_a_pool_and_others_are_not() -> None:
    in_pool = {
        name: EMBEDDING_POOL in build_defs().resolve_job_def(name).graph.pools
        for name in ("sync_workspace", "fill_indexes", "stage_workspace", "measure_quality")
    }
    assert in_pool == {
        "sync_workspace": True,
        "fill_indexes": True,
        "stage_workspace": False,
        "measure_quality": False,
    }
