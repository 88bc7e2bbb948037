"""What is done once a night for the whole installation."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.maintenance import prune
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.run import execute
from arcana_pipelines.defs.runs import JOB_TAG, WORKSPACE_TAG, Home
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.harness import Harness

OURS = Home(None, frozenset())


def ended(
    instance: dg.DagsterInstance, job: str, slug: str | None, status: dg.DagsterRunStatus, **tags: str
) -> dg.DagsterRun:
    """A run that is over."""
    tags |= {WORKSPACE_TAG: slug} if slug else {}
    return instance.create_run_for_job(build_defs().resolve_job_def(job), status=status, tags=tags)


def soon() -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5)


@pytest.mark.slow
def test_of_old_runs_the_newest_and_the_newest_successful_of_each_workspace_and_job_stay(
    instance: dg.DagsterInstance,
) -> None:
    success, failure = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
    gone = [ended(instance, "sync_workspace", "acme", status) for status in (failure, success, success, failure)]
    kept = [
        ended(instance, "sync_workspace", "acme", success),
        ended(instance, "sync_workspace", "globex", success),
        ended(instance, "audit_workspace", "acme", success),
    ]
    gone.append(ended(instance, "sync_workspace", "acme", failure))
    kept.append(ended(instance, "sync_workspace", "acme", failure))
    kept.append(ended(instance, "sync_workspace", None, success, whose="theirs"))
    gone.append(ended(instance, "maintenance", None, success, **{JOB_TAG: "maintenance"}))
    kept.append(ended(instance, "maintenance", None, success, **{JOB_TAG: "maintenance"}))
    kept.append(ended(instance, "sync_workspace", "acme", dg.DagsterRunStatus.STARTED))

    assert prune(instance, OURS, soon() - dt.timedelta(days=30)) == 0, "none is old"
    assert prune(instance, OURS, soon()) == len(gone)
    assert {run.run_id for run in instance.get_runs()} == {run.run_id for run in kept}
    assert prune(instance, OURS, soon()) == 0


def test_a_workspace_stays_materialised_when_its_old_runs_are_forgotten(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    for _ in range(3):
        execute(instance, "acme", sync_config(Mode.INCREMENTAL))
    assert prune(instance, OURS, soon()) == 2
    for asset in ("notion_pages", "rag_indexes"):
        assert instance.get_materialized_partitions(dg.AssetKey(asset)) == {"acme"}
    assert len(instance.all_logs(instance.get_runs()[0].run_id)) > 10, "its events are there"


def test_many_runs_are_forgotten_page_by_page(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arcana_pipelines.defs.maintenance._PAGE", 2)
    for _ in range(8):
        ended(instance, "sync_workspace", "acme", dg.DagsterRunStatus.SUCCESS)
    assert prune(instance, OURS, soon()) == 7


def test_the_nightly_job_runs(installed: Harness, instance: dg.DagsterInstance) -> None:
    job = build_defs().resolve_job_def("maintenance")
    result = job.execute_in_process(instance=instance)
    assert result.success and result.output_for_node("prune_history") == 0
    assert result.output_for_node("end_conversations") == 0
    this_month = f"api_usage_logs_{dt.datetime.now(dt.UTC):%Y_%m}"
    assert installed.rows("SELECT to_regclass(%s) IS NOT NULL", this_month) == [(True,)], "for what keys are used for"
    assert result.output_for_node("learn") == 0


class TestChecksOfTheInstallation:
    def passed(self, instance: dg.DagsterInstance, check: str) -> bool:
        result = build_defs().resolve_job_def("check_installation").execute_in_process(instance=instance)
        (evaluation,) = (each for each in result.get_asset_check_evaluations() if each.check_name == check)
        return evaluation.passed

    def test_a_table_that_somebody_changed_is_told(self, installed: Harness, instance: dg.DagsterInstance) -> None:
        assert self.passed(instance, "schema_has_not_drifted")
        with installed.database.connection() as connection:
            connection.execute("ALTER TABLE document ADD COLUMN theirs text")
        assert not self.passed(instance, "schema_has_not_drifted")

    def test_a_workspace_that_nothing_has_looked_at_for_a_day_is_told(
        self, installed: Harness, instance: dg.DagsterInstance
    ) -> None:
        assert self.passed(instance, "workspaces_are_fresh")
        self.age(installed.database)
        assert not self.passed(instance, "workspaces_are_fresh")

    def age(self, database: Database) -> None:
        with database.connection() as connection:
            connection.execute("UPDATE workspace SET created_at = now() - interval '27 hours', polled_at = NULL")
