"""Each workspace is read by the asset that its platform names. What asks for runs and what watches them knows both."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from arcana_pipelines import plugins
from arcana_pipelines.cli.main import cli
from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs import partitions
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.failed_runs import failed_runs
from arcana_pipelines.defs.jobs import READERS
from arcana_pipelines.defs.names import READING
from arcana_pipelines.defs.run import execute
from arcana_pipelines.defs.runs import Home
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.errors import SourceUnavailable, WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.sources.registry import Platform, asset_of
from arcana_pipelines.workspaces.workspaces import Workspace
from arcana_pipelines_tests.conformance.conftest import PLUGIN, TICKETS
from arcana_pipelines_tests.harness import Harness

CHECKS = {"ledger_balances", "listing_is_complete", "removals_are_within_the_cap"}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """One of files: an ephemeral one evaluates no tick."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        yield made


@pytest.fixture
def desk(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Path]:
    """The file of tickets of the workspace `desk`, whose platform is a plug-in's, beside `acme`, which is Notion's."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    plugins._all_installed.cache_clear()
    path = tmp_path / "tickets.json"
    path.write_text(json.dumps(TICKETS))
    for slug in ("acme", "desk"):
        partitions.add(instance, slug)
    registration.register(
        installed.database,
        "desk",
        "ticket_desk",
        IndexSettings.of_model(*model_of(installed.database.settings)),
        lambda key: None,
        lambda key: None,
        source_config={"path": str(path)},
    )
    yield path
    plugins._all_installed.cache_clear()
    sys.modules.pop("ticket_desk", None)


def requested(name: str, instance: dg.DagsterInstance) -> list[tuple[str | None, str | None]]:
    """The job and the workspace of each run that a tick of the sensor asks for, as the daemon hears it."""
    defs = build_defs()
    with dg.build_sensor_context(
        instance=instance, definitions=defs, instance_ref=instance.get_ref(), sensor_name=name
    ) as context:
        ticked = defs.resolve_sensor_def(name).evaluate_tick(context)
    return [(request.job_name, request.tags["dagster/partition"]) for request in ticked.run_requests or ()]


def sync_desk(instance: dg.DagsterInstance, mode: Mode = Mode.FULL, purpose: str = "sync") -> None:
    execute(instance, "desk", sync_config(mode, asset="support_tickets"), READERS["support_tickets"][purpose])


def test_a_platform_names_an_asset_that_there_is_and_pages_where_it_names_none(desk: Path) -> None:
    assert [asset_of(name) for name in ("notion", "notion_export", "ticket_desk")] == [READING[0], *READING]
    with pytest.raises(ValueError, match="'crm' says asset='leads', which is none of"):
        Platform(name="crm", title="a CRM", open=lambda opening: None, asset="leads")  # type: ignore[arg-type, return-value]


def test_a_host_finds_both_assets_before_files_and_contents_under_its_prefix() -> None:
    graph = build_defs(key_prefix="knowledge").get_repository_def().asset_graph
    both = {dg.AssetKey(["knowledge", name]) for name in READING}
    for name in ("document_files", "document_content"):
        assert graph.get(dg.AssetKey(["knowledge", name])).parent_keys >= both
    assert {check.name for check in graph.get(dg.AssetKey(["knowledge", "support_tickets"])).check_keys} == CHECKS


def test_each_job_that_reads_has_the_asset_of_its_workspaces_alone() -> None:
    repository = build_defs().get_repository_def()
    for asset, jobs in READERS.items():
        for job in jobs.values():
            assert set(READING).intersection(node.name for node in repository.get_job(job).nodes) == {asset}, job


def test_sensors_ask_for_the_job_that_reads_the_workspace_and_for_none_where_nothing_changed(
    installed: Harness, instance: dg.DagsterInstance, desk: Path
) -> None:
    assert requested("workspace_registry", instance) == [("sync_workspace", "acme"), ("sync_tickets", "desk")]
    execute(instance, "acme", sync_config(Mode.FULL))
    sync_desk(instance)
    assert requested("workspace_registry", instance) == []
    assert requested("source_changes", instance) == []

    changed = {
        **TICKETS,
        "T-1": {**TICKETS["T-1"], "text": "It is warm again.", "updated": "2026-01-08T09:00:00+00:00"},
    }
    desk.write_text(json.dumps(changed))
    installed.rows("UPDATE workspace SET polled_at = NULL, poll_after = NULL RETURNING 1")
    assert requested("source_changes", instance) == [("sync_tickets", "desk")]
    sync_desk(instance, Mode.INCREMENTAL)
    installed.rows("UPDATE workspace SET polled_at = NULL, poll_after = NULL RETURNING 1")
    assert requested("source_changes", instance) == []


def test_each_workspace_is_audited_by_the_schedule_of_its_asset(instance: dg.DagsterInstance, desk: Path) -> None:
    repository = build_defs().get_repository_def()
    night = dt.datetime(2026, 1, 6, 3, tzinfo=dt.UTC)
    asked = {}
    for name in ("audit_sweep", "ticket_audit_sweep"):
        schedule = repository.get_schedule_def(name)
        context = dg.build_schedule_context(instance, scheduled_execution_time=night, repository_def=repository)
        (request,) = schedule.evaluate_tick(context).run_requests or ()
        dg.validate_run_config(repository.get_job(schedule.job_name), request.run_config)
        asked[name] = schedule.job_name, request.partition_key
    assert asked == {"audit_sweep": ("audit_workspace", "acme"), "ticket_audit_sweep": ("audit_tickets", "desk")}


def test_a_run_of_tickets_reports_what_a_run_of_pages_does(instance: dg.DagsterInstance, desk: Path) -> None:
    sync_desk(instance, Mode.AUDIT, "audit")
    event = instance.get_latest_materialization_event(dg.AssetKey("support_tickets"))
    assert event is not None and event.asset_materialization is not None
    shown = event.asset_materialization.metadata
    assert (event.asset_materialization.partition, shown["read"].value, shown["mode"].value) == ("desk", 3, "audit")
    for name in CHECKS:
        found = instance.get_latest_asset_check_evaluation_record(
            dg.AssetCheckKey(dg.AssetKey("support_tickets"), name)
        )
        assert found is not None and found.status.value == "SUCCEEDED"
    assert instance.get_latest_materialization_event(dg.AssetKey("notion_pages")) is None


@pytest.mark.parametrize("purpose", ["sync", "audit", "retry", "stage"])
def test_a_run_of_the_wrong_asset_names_the_right_job_and_changes_nothing(
    purpose: str, installed: Harness, instance: dg.DagsterInstance, desk: Path
) -> None:
    tickets, pages = READERS["support_tickets"][purpose], READERS["notion_pages"][purpose]
    for slug, wrong, reading, right, reader in (
        ("desk", pages, "notion_pages", tickets, "support_tickets"),
        ("acme", tickets, "support_tickets", pages, "notion_pages"),
    ):
        said = f"'{slug}' is read by the asset {reader}, and not by {reading}: run the job {right} for it. Nothing was"
        with pytest.raises(WrongUse, match=said):
            execute(instance, slug, sync_config(Mode.FULL, asset=reading), wrong)
    assert installed.rows("SELECT count(*) FROM sync_generation UNION ALL SELECT count(*) FROM source_page") == [
        (0,), (0,)
    ]  # fmt: skip


def test_such_a_run_is_no_failed_sync_of_the_workspace_and_delays_none(
    instance: dg.DagsterInstance, desk: Path
) -> None:
    with pytest.raises(WrongUse):
        execute(instance, "desk", sync_config(Mode.FULL), "sync_workspace")
    assert failed_runs(instance, {}, Home(None, frozenset())) == []
    assert ("sync_tickets", "desk") in requested("workspace_registry", instance)


def test_where_the_platform_went_with_its_plugin_the_run_that_is_asked_for_says_so(
    instance: dg.DagsterInstance, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr(plugins, "_all_installed", dict)
        assert ("sync_workspace", "desk") in requested("workspace_registry", instance)
        with pytest.raises(WrongUse, match="'desk': The platform 'ticket_desk' is not installed"):
            execute(instance, "desk", sync_config(Mode.FULL), "sync_workspace")


def test_materialize_of_the_wrong_asset_is_told_the_job_that_syncs(instance: dg.DagsterInstance, desk: Path) -> None:
    assets = build_defs().resolve_job_def("__ASSET_JOB")
    with pytest.raises(WrongUse, match="run the job sync_tickets for it"):
        assets.execute_in_process(
            instance=instance,
            partition_key="desk",
            # Nothing in between: the second does not wait for the first, and is told the same.
            asset_selection=[dg.AssetKey("notion_pages"), dg.AssetKey("rag_indexes")],
        )
    assert not instance.get_materialized_partitions(dg.AssetKey("rag_indexes"))


@pytest.mark.parametrize(("slug", "reader", "other"), [("desk", *reversed(READING)), ("acme", *READING)])
def test_materialize_of_everything_reads_with_the_right_asset_and_the_other_leaves_the_workspace_alone(
    slug: str, reader: str, other: str, installed: Harness, instance: dg.DagsterInstance, desk: Path
) -> None:
    assets = build_defs().resolve_job_def("__ASSET_JOB")
    everything = [key for key in assets.asset_layer.executable_asset_keys if key.path != ["retrieval_quality"]]
    result = assets.execute_in_process(instance=instance, partition_key=slug, asset_selection=everything)
    assert result.success
    shown = {key: result.asset_materializations_for_node(key)[0].metadata for key in READING}
    assert set(shown[other]) == {"read_by"} and shown[other]["read_by"].value == reader
    assert shown[reader]["generation"].value == 1
    assert installed.rows("SELECT DISTINCT slug FROM sync_generation JOIN workspace USING (workspace_id)") == [(slug,)]
    assert installed.rows("SELECT count(*) > 0 FROM published_document") == [(True,)]


def test_a_failed_sync_of_tickets_is_known_by_its_purpose_and_an_audit_makes_it_good(
    instance: dg.DagsterInstance, desk: Path
) -> None:
    text = desk.read_text()
    desk.write_text("no JSON")
    with pytest.raises(SourceUnavailable):
        sync_desk(instance)
    home = Home(None, frozenset())
    assert [(run.workspace, run.purpose) for run in failed_runs(instance, {}, home)] == [("desk", "sync")]
    desk.write_text(text)
    sync_desk(instance, Mode.AUDIT, "audit")
    assert failed_runs(instance, {}, home) == []


def test_the_command_line_runs_the_jobs_of_the_workspace(
    instance: dg.DagsterInstance, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run_here(
        database: Database, workspace: Workspace, job: str, config: dict[str, object], *, as_json: bool
    ) -> tuple[str, int | None]:
        ran.append(job)
        return "a run", execute(instance, workspace.slug, config, job)

    monkeypatch.setattr("arcana_pipelines.cli.runs.run_job", run_here)
    for arguments in (
        ["sync", "desk", "--estimate"],
        ["sync", "desk"],
        ["sync", "desk", "--mode", "audit"],
        ["retry", "desk"],
    ):
        done = CliRunner().invoke(cli, [*arguments, "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    assert ran == ["stage_tickets", "sync_tickets", "audit_tickets", "retry_tickets"]
