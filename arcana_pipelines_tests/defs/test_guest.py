"""As a guest in somebody's Dagster: nothing of the host's is touched, and nothing of the host's is needed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import sys
from collections.abc import Mapping
from uuid import uuid4

import dagster as dg
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs import backfills
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.names import FILLING
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.defs.run import execute
from arcana_pipelines.defs.runs import AT_WORK_TAG, WORKSPACE_TAG, Home, at_work, report_abandoned_runs
from arcana_pipelines.defs.sensors import index_builds, workspace_registry
from arcana_pipelines.indexes.builds import builds_of
from arcana_pipelines.indexes.lifecycle import rebuild_index
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces.workspaces import Workspace, find
from arcana_pipelines_tests.defs.conftest import dies_at_work
from arcana_pipelines_tests.harness import Harness

STARTED = dg.DagsterRunStatus.STARTED
OURS = [dg.AssetKey("notion_pages")]


class HostResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Something of the host's own."""

    address: str = "warehouse"


def host() -> dg.Definitions:
    """A project that was there before: daily and dynamic partitions, resources, an executor, a logger, a sensor."""

    @dg.asset(partitions_def=dg.DailyPartitionsDefinition(start_date="2026-01-01"))
    def orders(warehouse: HostResource) -> None: ...

    @dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name="workspace"))
    def workspaces_of_the_host() -> None: ...

    @dg.op
    def slow() -> None: ...

    @dg.job(partitions_def=dg.StaticPartitionsDefinition(["acme"]))
    def sync_everything() -> None:
        slow()

    @dg.logger
    def plain(context: dg.InitLoggerContext) -> object:
        return logging.getLogger("host")

    return dg.Definitions(
        assets=[orders, workspaces_of_the_host],
        jobs=[sync_everything, dg.define_asset_job("daily_orders", selection=[orders])],
        resources={"warehouse": HostResource()},
        loggers={"plain": plain},  # type: ignore[dict-item]
        executor=dg.multiprocess_executor,
    )


@pytest.fixture
def acme_row(installed: Harness) -> Workspace:
    with installed.database.connection() as connection:
        return find(connection, "acme")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run counts as dead at once."""
    monkeypatch.setattr("arcana_pipelines.defs.runs.GRACE", dt.timedelta())
    monkeypatch.setattr("arcana_pipelines.defs.runs.SECOND_LOOK_SECONDS", 0.0)


def _context(instance: dg.DagsterInstance, defs: dg.Definitions) -> dg.SensorEvaluationContext:
    return dg.build_sensor_context(instance=instance, definitions=defs)


def _start(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    tags: Mapping[str, str],
    selected: list[dg.AssetKey] | None = None,
) -> str:
    run = instance.create_run_for_job(
        job, status=STARTED, tags=dict(tags), asset_selection=frozenset(selected) if selected else None
    )
    return run.run_id


def _status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


class TestForeignRuns:
    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize(
        ("job", "partition"),
        [("daily_orders", "2026-01-06"), ("__ASSET_JOB", "2026-01-06"), ("sync_everything", "acme")],
    )
    def test_a_started_run_of_the_host_is_left_alone(
        self, installed: Harness, instance: dg.DagsterInstance, job: str, partition: str
    ) -> None:
        merged = dg.Definitions.merge(host(), build_defs())
        selected = [dg.AssetKey("orders")] if job == "__ASSET_JOB" else None
        run_id = _start(instance, merged.resolve_job_def(job), {"dagster/partition": partition}, selected)
        workspace_registry(_context(instance, merged))
        assert _status(instance, run_id) is STARTED

    @pytest.mark.usefixtures("impatient")
    def test_a_job_of_the_host_goes_on_after_our_assets_in_it_have_let_go(
        self, installed: Harness, instance: dg.DagsterInstance, acme_row: Workspace
    ) -> None:
        merged = dg.Definitions.merge(host(), build_defs())
        run_id = _start(instance, merged.resolve_job_def("__ASSET_JOB"), {}, OURS)
        run = instance.get_run_by_id(run_id)
        assert run is not None
        with at_work(instance, run, acme_row):
            pass
        workspace_registry(_context(instance, merged))
        assert _status(instance, run_id) is STARTED

    @pytest.mark.usefixtures("impatient")
    def test_a_run_of_our_jobs_that_died_between_its_last_asset_and_its_end_is_ended(
        self, instance: dg.DagsterInstance, acme_row: Workspace
    ) -> None:
        job = build_defs().resolve_job_def("sync_workspace")
        run = instance.get_run_by_id(_start(instance, job, {WORKSPACE_TAG: "acme", **(job.run_tags or {})}))
        assert run is not None
        with at_work(instance, run, acme_row):
            pass
        report_abandoned_runs(instance, {"acme": acme_row}, lambda slug, run: False, Home("ours", frozenset()))
        assert _status(instance, run.run_id) is dg.DagsterRunStatus.FAILURE

    @pytest.mark.usefixtures("impatient")
    def test_a_run_that_is_executed_again_is_not_taken_for_the_one_that_died(
        self, installed: Harness, instance: dg.DagsterInstance, acme_row: Workspace
    ) -> None:
        merged = dg.Definitions.merge(host(), build_defs())
        job = merged.resolve_job_def("__ASSET_JOB")
        first = instance.get_run_by_id(_start(instance, job, {}, OURS))
        assert first is not None
        dies_at_work(instance, first, acme_row)
        died = instance.get_run_by_id(first.run_id)
        assert died is not None and died.tags[WORKSPACE_TAG] == "acme"
        again = _start(instance, job, {name: died.tags[name] for name in (WORKSPACE_TAG, AT_WORK_TAG)}, OURS)
        workspace_registry(_context(instance, merged))
        assert _status(instance, first.run_id) is dg.DagsterRunStatus.FAILURE
        assert _status(instance, again) is STARTED

    @pytest.mark.usefixtures("impatient")
    def test_a_run_of_another_installation_with_a_workspace_of_the_same_name_is_left_alone(
        self, installed: Harness, instance: dg.DagsterInstance, acme_row: Workspace
    ) -> None:
        job = build_defs().resolve_job_def("sync_workspace")
        run = instance.get_run_by_id(_start(instance, job, {WORKSPACE_TAG: "acme"}))
        assert run is not None
        dies_at_work(instance, run, find_like(acme_row))
        report_abandoned_runs(instance, {"acme": acme_row}, lambda slug, run: False, Home("ours", frozenset()))
        assert _status(instance, run.run_id) is STARTED

    def test_failures_and_waiting_runs_of_the_host_delay_no_sync(
        self, installed: Harness, instance: dg.DagsterInstance
    ) -> None:
        merged = dg.Definitions.merge(host(), build_defs())
        job = merged.resolve_job_def("sync_everything")
        tags = {"dagster/partition": "acme"}
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.NOT_STARTED, tags=tags)
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE, tags=tags)
        result = workspace_registry(_context(instance, merged))
        assert isinstance(result, dg.SensorResult)
        assert [request.partition_key for request in result.run_requests or []] == ["acme"]

    def test_a_materialize_of_our_assets_that_waits_in_the_queue_keeps_a_second_sync_away(
        self, installed: Harness, instance: dg.DagsterInstance
    ) -> None:
        merged = dg.Definitions.merge(host(), build_defs())
        instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
        instance.create_run_for_job(
            merged.resolve_job_def("__ASSET_JOB"),
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags={"dagster/partition": "acme"},
            asset_selection=frozenset(OURS),
        )
        assert isinstance(workspace_registry(_context(instance, merged)), dg.SkipReason)

    def test_partitions_of_the_host_with_a_name_like_ours_stay(
        self, installed: Harness, instance: dg.DagsterInstance
    ) -> None:
        instance.add_dynamic_partitions("workspace", ["north", "south"])
        instance.add_dynamic_partitions(str(workspaces.name), ["of-another-installation"])
        result = workspace_registry(_context(instance, dg.Definitions.merge(host(), build_defs())))
        assert isinstance(result, dg.SensorResult)
        assert [request.partition_keys for request in result.dynamic_partitions_requests or []] == [["acme"]]
        assert workspaces.name != "workspace"


def find_like(workspace: Workspace) -> Workspace:
    """A workspace of the same name in another database."""
    return dataclasses.replace(workspace, workspace_id=uuid4())


class TestMerge:
    def test_the_host_keeps_its_executor_and_our_jobs_have_their_own(self) -> None:
        assert build_defs().executor is None
        merged = dg.Definitions.merge(host(), build_defs())
        dg.Definitions.validate_loadable(merged)
        assert merged.resolve_job_def("daily_orders").executor_def.name == "multiprocess"
        ours = [job.name for job in build_defs().jobs or ()]
        assert {merged.resolve_job_def(name).executor_def.name for name in ours} == {"in_process"}

    def test_alone_what_is_materialized_by_hand_runs_in_one_process(self) -> None:
        from arcana_pipelines.definitions import defs

        assert defs.resolve_job_def("__ASSET_JOB").executor_def.name == "in_process"

    def test_a_host_that_has_an_asset_of_the_same_name_gives_ours_a_prefix(self) -> None:
        @dg.asset(key=["raw", "document_content"])
        def theirs() -> None: ...

        merged = dg.Definitions.merge(dg.Definitions(assets=[theirs]), build_defs(key_prefix=["knowledge", "notion"]))
        dg.Definitions.validate_loadable(merged)
        keys = {spec.key.to_user_string() for spec in merged.resolve_all_asset_specs()}
        assert {"raw/document_content", "knowledge/notion/document_content", "knowledge/notion/rag_indexes"} <= keys

    def test_resources_schedules_and_sensors_can_be_the_hosts(self) -> None:
        mine = ArcanaResource()
        defs = build_defs(resources={"arcana": mine, "warehouse": HostResource()}, schedules=[], sensors=[])
        assert (list(defs.schedules or ()), list(defs.sensors or ())) == ([], [])
        assert defs.resources is not None and defs.resources["arcana"] is mine
        dg.Definitions.validate_loadable(dg.Definitions.merge(dg.Definitions(resources={"arcana": mine}), defs))


class TestPrefix:
    @pytest.fixture
    def prefixed(self, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
        monkeypatch.setenv("ARCANA_KEY_PREFIX", "company/kb")
        return build_defs(key_prefix=["company", "kb"])

    def test_syncs_checks_and_backfills_find_the_assets_under_their_prefix(
        self, installed: Harness, instance: dg.DagsterInstance, prefixed: dg.Definitions
    ) -> None:
        instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
        execute(instance, "acme", sync_config(Mode.AUDIT), "audit_workspace")
        installed.assert_matches_world()
        assert instance.get_latest_materialization_event(dg.AssetKey(["company", "kb", "rag_indexes"])) is not None
        _rebuild(installed.database)
        result = index_builds(_context(instance, prefixed))
        assert isinstance(result, dg.SensorResult)
        (request,) = result.run_requests or []
        assert request.asset_graph_subset is not None
        asked = {each.asset_key.to_user_string() for each in request.asset_graph_subset.iterate_asset_partitions()}
        assert asked == {f"company/kb/{name}" for name in FILLING}

    def test_a_sync_leaves_new_builds_to_be_filled_and_the_job_that_lists_nothing_fills_them(
        self, installed: Harness, instance: dg.DagsterInstance, prefixed: dg.Definitions
    ) -> None:
        instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
        execute(instance, "acme", sync_config(Mode.FULL))
        build = _rebuild(installed.database)
        execute(instance, "acme", sync_config(Mode.INCREMENTAL))
        assert _state(installed.database, build) == "building"
        execute(instance, "acme", {}, "fill_indexes")
        assert _state(installed.database, build) != "building"


def _rebuild(database: Database) -> int:
    with database.connection() as connection:
        return rebuild_index(connection, find(connection, "acme").workspace_id, "default").rag_index_build_id


def _state(database: Database, build_id: int) -> str:
    with database.connection() as connection:
        found = builds_of(connection, find(connection, "acme").workspace_id)
    return next(build.state for build in found if build.rag_index_build_id == build_id)


def test_where_dagster_takes_no_backfill_from_a_sensor_each_workspace_gets_a_run(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    _rebuild(installed.database)
    monkeypatch.setitem(sys.modules, "dagster._core.definitions.assets.graph.asset_graph_subset", None)
    assert backfills.backfill_request([], [], {}) is None
    result = index_builds(_context(instance, build_defs()))
    assert isinstance(result, dg.SensorResult)
    requested = [(request.job_name, request.partition_key) for request in result.run_requests or []]
    assert requested == [("fill_indexes", "acme")]
