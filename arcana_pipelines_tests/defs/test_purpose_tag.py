"""The tag by which the UI filters runs: on each run that we start, and believed by nobody."""

from __future__ import annotations

import dagster as dg
import pytest

from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.runs import PURPOSE_TAG
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.harness import Harness


def test_each_job_s_runs_say_what_they_are_for() -> None:
    repository = build_defs().get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    assert {job.name: job.run_tags.get(PURPOSE_TAG) for job in jobs} == {
        "sync_workspace": "sync",
        "audit_workspace": "audit",
        "retry_pages": "retry",
        "stage_workspace": "stage",
        "sync_tickets": "sync",
        "audit_tickets": "audit",
        "retry_tickets": "retry",
        "stage_tickets": "stage",
        "fill_indexes": "fill",
        "measure_quality": "quality",
        "check_installation": "check",
        "maintenance": "maintenance",
        "rebuild_index": "rebuild",
        "promote_index": "promote",
        "rollback_index": "rollback",
        "parse_files": "parse",
        "summarise_tickets": "summarise",
        "back_up": "backup",
        "ship_changes": "backup",
    }


@pytest.mark.parametrize("said", ["fill", "audit", "nonsense"])
def test_a_run_does_what_its_assets_say_whatever_the_tag_says(
    installed: Harness, instance: dg.DagsterInstance, said: str
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    result = (
        build_defs()
        .resolve_job_def("sync_workspace")
        .execute_in_process(
            instance=instance, partition_key="acme", run_config=sync_config(Mode.FULL), tags={PURPOSE_TAG: said}
        )
    )
    assert result.success
    assert installed.rows("SELECT count(*) > 0 FROM published_document") == [(True,)]
    (run,) = instance.get_runs(dg.RunsFilter(tags={PURPOSE_TAG: said}))
    assert run.run_id == result.run_id
