"""Sensors, on a real Dagster instance: they ask when something changed, and not again on the next tick."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.test_utils import freeze_time

from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.failed_runs import failed_runs
from arcana_pipelines.defs.jobs import FILL_JOB, MAINTENANCE_JOB, tags_of
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.run import execute
from arcana_pipelines.defs.runs import WORKSPACE_TAG, Home
from arcana_pipelines.defs.schedules import schedules
from arcana_pipelines.defs.sensors import index_builds, source_changes, target_deliveries, workspace_registry
from arcana_pipelines.errors import TokenRevoked, WrongUse
from arcana_pipelines.evaluation.golden import Question, Relevant
from arcana_pipelines.evaluation.quality import save_golden
from arcana_pipelines.indexes.builds import builds_of
from arcana_pipelines.indexes.lifecycle import create_index, rebuild_index
from arcana_pipelines.settings import ScheduleTimes, take_anew
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces.lease import workspace_lease
from arcana_pipelines.workspaces.workspaces import find, set_status
from arcana_pipelines_tests.defs.conftest import dies_at_work
from arcana_pipelines_tests.harness import Harness

AUDIT, _, QUALITY, *_ = schedules(ScheduleTimes())


def _tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, definitions=build_defs())
    result = sensor(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def _requested(result: dg.SensorResult | dg.SkipReason) -> list[str]:
    if isinstance(result, dg.SkipReason):
        return []
    return [str(request.partition_key) for request in result.run_requests or []]


def _forget_last_poll(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("UPDATE workspace SET polled_at = NULL, poll_after = NULL")


def test_a_new_workspace_gets_its_partition_and_its_first_sync(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    result = _tick(workspace_registry, instance)
    assert isinstance(result, dg.SensorResult)
    assert [request.partition_keys for request in result.dynamic_partitions_requests or []] == [["acme"]]
    assert _requested(result) == ["acme"]


def test_where_nothing_is_installed_yet_a_tick_is_skipped_and_makes_nothing(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARCANA_HOME", str(tmp_path / "home"))
    for sensor in (workspace_registry, source_changes, index_builds, target_deliveries):
        skipped = _tick(sensor, instance)
        assert isinstance(skipped, dg.SkipReason) and "arcana db upgrade" in str(skipped.skip_message)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("revision", ["0001", "9999"])
def test_with_the_schema_of_another_release_ticks_are_skipped_and_runs_fail_in_a_sentence(
    installed: Harness, instance: dg.DagsterInstance, revision: str
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    with installed.database.connection() as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
    for sensor in (workspace_registry, source_changes, index_builds, target_deliveries):
        skipped = _tick(sensor, instance)
        assert isinstance(skipped, dg.SkipReason) and "`arcana db status` says which" in str(skipped.skip_message)
    with pytest.raises(WrongUse, match=rf"has the schema {revision}.*`arcana db (upgrade|downgrade --to \d+)`"):
        execute(instance, "acme", sync_config(Mode.INCREMENTAL), run_id=str(uuid4()))
    assert installed.rows("SELECT count(*) FROM sync_generation") == [(0,)]


def test_the_partition_of_a_removed_workspace_is_dropped_and_no_other(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme", "ghost", "of-another-installation"])
    with installed.database.connection() as connection:
        connection.execute("INSERT INTO retired_slug (slug) VALUES ('ghost')")
    result = _tick(workspace_registry, instance)
    assert isinstance(result, dg.SensorResult)
    (request,) = result.dynamic_partitions_requests or []
    assert isinstance(request, dg.DeleteDynamicPartitionsRequest)
    assert request.partition_keys == ["ghost"]


def test_the_change_sensor_asks_for_an_edited_workspace_and_not_again_after_its_sync(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    _forget_last_poll(installed.database)
    assert _requested(_tick(source_changes, instance)) == []

    installed.settle()
    installed.world.append_blocks(installed.world.visible_pages()[0], [blocks.paragraph("new words")])
    _forget_last_poll(installed.database)
    assert _requested(_tick(source_changes, instance)) == ["acme"]

    execute(instance, "acme", sync_config(Mode.INCREMENTAL))
    installed.settle()
    execute(instance, "acme", sync_config(Mode.INCREMENTAL))
    _forget_last_poll(installed.database)
    assert _requested(_tick(source_changes, instance)) == []


def test_a_trashed_and_a_restored_page_are_seen(installed: Harness, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    page = installed.world.visible_pages()[0]
    for change in (installed.world.trash, installed.world.restore):
        change(page)
        _forget_last_poll(installed.database)
        assert _requested(_tick(source_changes, instance)) == ["acme"]
        execute(instance, "acme", sync_config(Mode.INCREMENTAL))
    installed.assert_matches_world()


def test_a_revoked_token_gets_one_run_that_tells_people_and_then_ever_rarer_looks(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    tokens = set(installed.world.tokens)
    installed.world.tokens.clear()
    _forget_last_poll(installed.database)
    assert _requested(_tick(source_changes, instance)) == ["acme"]
    with pytest.raises(TokenRevoked):
        execute(instance, "acme", sync_config(Mode.INCREMENTAL))
    for _ in range(2):
        _forget_last_poll(installed.database)
        assert _requested(_tick(source_changes, instance)) == []
    ((problem, failures, pauses),) = installed.rows(
        "SELECT poll_problem, poll_failures, poll_after > now() + interval '2 minutes' FROM workspace"
    )
    assert "401" in problem and failures == 3 and not pauses

    installed.world.tokens |= tokens
    _forget_last_poll(installed.database)
    _tick(source_changes, instance)
    assert installed.rows("SELECT poll_problem, poll_failures FROM workspace") == [(None, 0)]


@pytest.fixture
def env_file(installed: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The file `.env` that `arcana up` read when it began."""
    file = tmp_path / "of-arcana-up.env"
    file.touch(0o600)
    monkeypatch.setenv("ARCANA_ENV_FILE", str(file))
    monkeypatch.setenv("ARCANA_FROM_ENV_FILE", "NOTION_TOKEN,NOTION_BASE_URL")
    yield file
    take_anew({})


def test_a_token_that_is_put_into_the_env_file_reaches_the_looks_and_the_runs(
    installed: Harness, env_file: Path, instance: dg.DagsterInstance
) -> None:
    with_token = "".join(f"{name}={installed.environment[name]}\n" for name in ("NOTION_TOKEN", "NOTION_BASE_URL"))
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    env_file.write_text(with_token)
    execute(instance, "acme", sync_config(Mode.FULL))
    env_file.write_text("")
    for _ in range(2):
        _forget_last_poll(installed.database)
        _tick(source_changes, instance)
        ((problem, soon),) = installed.rows(
            "SELECT poll_problem, poll_after <= now() + interval '30 seconds' FROM workspace"
        )
        assert "NOTION_TOKEN, which is not set" in problem and soon

    env_file.write_text(with_token)
    installed.settle()
    installed.world.append_blocks(installed.world.visible_pages()[0], [blocks.paragraph("new words")])
    _forget_last_poll(installed.database)
    assert _requested(_tick(source_changes, instance)) == ["acme"]
    take_anew({})  # a run is another process
    execute(instance, "acme", sync_config(Mode.INCREMENTAL))
    assert installed.rows("SELECT poll_problem FROM workspace") == [(None,)]


def test_a_failed_workspace_pauses_before_it_is_tried_again(installed: Harness, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    tokens = set(installed.world.tokens)
    installed.world.tokens.clear()
    with pytest.raises(TokenRevoked):
        execute(instance, "acme", sync_config(Mode.FULL))
    installed.world.tokens |= tokens
    assert _requested(_tick(workspace_registry, instance)) == []


def test_a_machine_whose_clock_is_hours_ahead_makes_nobody_wait_for_them(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    run = instance.create_run_for_job(
        build_defs().resolve_job_def("sync_workspace"), status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": "acme", WORKSPACE_TAG: "acme"},
    )  # fmt: skip
    with freeze_time(dt.datetime.now(dt.UTC) + dt.timedelta(hours=3)):
        instance.report_run_failed(run)
    assert _requested(_tick(workspace_registry, instance)) == ["acme"]


def test_nor_does_it_when_it_goes_out(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arcana_pipelines.defs.runs.SECOND_LOOK_SECONDS", 0.0)
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    job = build_defs().resolve_job_def("sync_workspace")
    run = instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTING, tags={"dagster/partition": "acme", WORKSPACE_TAG: "acme"}
    )
    with freeze_time(dt.datetime.now(dt.UTC) + dt.timedelta(hours=3)):
        begun = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, job.name)
        instance.report_dagster_event(begun, run.run_id)
    with installed.database.connection() as connection:
        dies_at_work(instance, run, find(connection, "acme"))
    _tick(workspace_registry, instance)
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


def test_a_run_that_died_with_its_code_server_is_noticed_and_a_living_one_is_not(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arcana_pipelines.defs.runs.GRACE", dt.timedelta())
    monkeypatch.setattr("arcana_pipelines.defs.runs.SECOND_LOOK_SECONDS", 0.0)
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    job = build_defs().resolve_job_def("sync_workspace")
    run = instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "acme", "dagster/asset_partition": "acme"}
    )
    with installed.database.connection() as connection:
        acme = find(connection, "acme")
    dies_at_work(instance, run, acme)
    with workspace_lease(installed.database, acme.workspace_id, "acme", "another run"):
        assert _requested(_tick(workspace_registry, instance)) == []
        assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]
    _tick(workspace_registry, instance)
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


def test_a_run_of_no_workspace_whose_process_is_gone_is_noticed_and_a_living_one_is_not(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arcana_pipelines.defs.runs.GRACE", dt.timedelta())
    monkeypatch.setattr("arcana_pipelines.defs.runs.SECOND_LOOK_SECONDS", 0.0)
    runs: list[str] = []

    def tick_meanwhile(*_: object) -> tuple[list[str], list[str]]:
        (run,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        _tick(workspace_registry, instance)
        assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]
        runs.append(run.run_id)
        return [], []

    monkeypatch.setattr("arcana_pipelines.defs.maintenance.keep_partitions", tick_meanwhile)
    job = build_defs().resolve_job_def(MAINTENANCE_JOB)
    ended = job.execute_in_process(instance=instance)
    assert ended.success and runs == [ended.run_id]
    killed = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags_of(MAINTENANCE_JOB))
    dies_at_work(instance, killed, None)
    _tick(workspace_registry, instance)
    assert instance.get_run_by_id(killed.run_id).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    (failed,) = failed_runs(instance, {}, Home(None, frozenset()))
    assert (failed.workspace, failed.purpose) == (
        "",
        MAINTENANCE_JOB,
    ) and "process of this run is gone" in failed.message


def test_runs_of_before_the_servers_files_were_restored_are_ended_in_words_and_later_ones_go_on(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(job: str, status: dg.DagsterRunStatus) -> str:
        return instance.create_run_for_job(build_defs().resolve_job_def(job), status=status).run_id

    def status_of(run_id: str) -> dg.DagsterRunStatus:
        return instance.get_run_by_id(run_id).status  # type: ignore[union-attr]

    started, not_started = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED
    before = [run("sync_workspace", started), run(MAINTENANCE_JOB, started)]
    waiting = run("sync_workspace", not_started)
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        connection.execute(RunsTable.update().values(update_timestamp=moment - dt.timedelta(hours=1)))
    after = run(MAINTENANCE_JOB, started)
    monkeypatch.setattr("arcana_pipelines.defs.sensors.restored_at", lambda connection: moment)
    for _ in range(2):
        _tick(workspace_registry, instance)
        assert [status_of(each) for each in before] == [dg.DagsterRunStatus.CANCELED] * 2
        assert (status_of(waiting), status_of(after)) == (not_started, started)
    (said,) = [entry.message for entry in instance.all_logs(before[0], of_type=dg.DagsterEventType.PIPELINE_CANCELED)]
    assert "when the backup was made" in str(said)


def test_a_run_through_dagster_reports_its_counters(installed: Harness, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    run_id = str(uuid4())
    assert execute(instance, "acme", sync_config(Mode.INCREMENTAL), run_id=run_id) == 1, "the generation"
    event = instance.get_latest_materialization_event(dg.AssetKey("notion_pages"))
    assert event is not None
    assert event.run_id == run_id
    materialization = event.asset_materialization
    assert materialization is not None
    assert materialization.partition == "acme"
    assert materialization.metadata["read"].value == len(installed.world.visible_pages())
    assert {"absences_seen_to", "edits_seen_to"} <= materialization.metadata.keys()
    balance = instance.get_latest_asset_check_evaluation_record(
        dg.AssetCheckKey(dg.AssetKey("notion_pages"), "ledger_balances")
    )
    assert balance is not None and balance.event is not None
    counted = {
        name: value.value for name, value in balance.event.dagster_event.asset_check_evaluation_data.metadata.items()
    }
    assert counted.pop("listed") == counted.pop("enumerated") == sum(counted.values())  # type: ignore[arg-type]
    assert not {"added", "updated"} & {*counted, *materialization.metadata}, "neither is known before the next asset"
    content = instance.get_latest_materialization_event(dg.AssetKey("document_content"))
    assert content is not None
    assert content.asset_materialization is not None
    assert content.asset_materialization.metadata["added"].value == len(installed.world.visible_pages())
    installed.assert_matches_world()


def test_a_build_to_be_filled_gets_one_backfill_of_its_workspace_and_the_index_serves_after_it(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    assert isinstance(_tick(index_builds, instance), dg.SkipReason)
    with installed.database.connection() as connection:
        workspace_id = find(connection, "acme").workspace_id
        (serving,) = builds_of(connection, workspace_id)
        create_index(connection, workspace_id, "fine", serving.settings)
    result = _tick(index_builds, instance)
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert request.asset_graph_subset is not None
    assert request.tags["arcana/purpose"] == "fill"
    asked = {
        (each.asset_key.to_user_string(), each.partition_key)
        for each in request.asset_graph_subset.iterate_asset_partitions()
    }
    assert asked == {(name, "acme") for name in ("document_chunks", "chunk_embeddings", "rag_indexes", "index_targets")}
    assert isinstance(_tick(index_builds, instance), dg.SkipReason), "it is asked for"

    execute(instance, "acme", {}, FILL_JOB)
    with installed.database.connection() as connection:
        assert [build.state for build in builds_of(connection, workspace_id, "fine")] == ["active"]
    assert isinstance(_tick(index_builds, instance), dg.SkipReason)


def test_a_backfill_that_nobody_began_is_asked_for_again(installed: Harness, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    with installed.database.connection() as connection:
        rebuild_index(connection, find(connection, "acme").workspace_id, "default")
    assert isinstance(_tick(index_builds, instance), dg.SensorResult)
    with installed.database.connection() as connection:
        connection.execute("UPDATE rag_index_build SET fill_requested_at = now() - interval '6 minutes'")
    assert isinstance(_tick(index_builds, instance), dg.SensorResult)


def test_golden_questions_are_asked_every_night_where_there_are_some(
    installed: Harness, another: Callable[[str], Harness], tmp_path: Path
) -> None:
    another("quiet")
    instance = dg.DagsterInstance.local_temp(str(tmp_path))  # schedules take no ephemeral one
    instance.add_dynamic_partitions(str(workspaces.name), ["acme", "quiet"])
    night = dt.datetime(2026, 1, 6, 5, tzinfo=dt.UTC)

    def asked() -> list[str | None]:
        repository = build_defs().get_repository_def()
        context = dg.build_schedule_context(instance, scheduled_execution_time=night, repository_def=repository)
        return [request.partition_key for request in QUALITY.evaluate_tick(context).run_requests or []]

    assert asked() == []
    with installed.database.connection() as connection:
        page = installed.world.visible_pages()[0]
        save_golden(
            connection,
            find(connection, "acme").workspace_id,
            [Question(query="a question", relevant=(Relevant(external_id=page),))],
        )
    assert asked() == ["acme"]
    execute(instance, "acme", sync_config(Mode.FULL))
    execute(instance, "acme", {}, "measure_quality")
    assert installed.rows("SELECT questions FROM retrieval_quality") == [(1,)]


def test_no_sensor_syncs_a_paused_workspace_until_it_is_resumed(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    with installed.database.connection() as connection:
        set_status(connection, find(connection, "acme").workspace_id, "paused")
    assert _requested(_tick(workspace_registry, instance)) == [], "its first sync waits"
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    installed.settle()
    installed.world.append_blocks(installed.world.visible_pages()[0], [blocks.paragraph("new words")])
    _forget_last_poll(installed.database)
    assert _requested(_tick(source_changes, instance)) == []
    with installed.database.connection() as connection:
        set_status(connection, find(connection, "acme").workspace_id, "active")
    assert _requested(_tick(source_changes, instance)) == ["acme"]


def test_the_nightly_audit_passes_over_paused_workspaces(
    installed: Harness, another: Callable[[str], Harness], tmp_path: Path
) -> None:
    another("resting")
    installed.rows("UPDATE workspace SET status = 'paused' WHERE slug = 'resting' RETURNING 1")
    instance = dg.DagsterInstance.local_temp(str(tmp_path))
    instance.add_dynamic_partitions(str(workspaces.name), ["acme", "resting", "removed-meanwhile"])
    night = dt.datetime(2026, 1, 6, 3, tzinfo=dt.UTC)
    repository = build_defs().get_repository_def()
    context = dg.build_schedule_context(instance, scheduled_execution_time=night, repository_def=repository)
    requests = AUDIT.evaluate_tick(context).run_requests or []
    assert [request.partition_key for request in requests] == ["acme"]
