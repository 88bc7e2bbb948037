"""A sync whose stages have a process each ends in the same index as one whose stages share one."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from arcana_pipelines.defs import checks, partitions
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.jobs import SYNC_JOB
from arcana_pipelines.defs.names import SYNCING, selection
from arcana_pipelines.defs.run import execute
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.harness import Harness


def by_processes() -> dg.JobDefinition:
    """A host's job over our assets. Each process that works on a step makes it anew."""
    job = dg.define_asset_job(
        "sync_by_processes",
        selection(*SYNCING) - dg.AssetSelection.checks(*dg.load_asset_checks_from_modules([checks])),
        partitions_def=partitions.workspaces,
        config=partitions.partitioned(),
        executor_def=dg.multiprocess_executor.configured({"max_concurrent": 1}),
    )
    return dg.Definitions.merge(build_defs(), dg.Definitions(jobs=[job])).resolve_job_def("sync_by_processes")


def sync_by_processes(instance: dg.DagsterInstance, slug: str, mode: Mode) -> dg.JobExecutionResult:
    return dg.execute_job(
        dg.reconstructable(by_processes),
        instance,
        run_config={**sync_config(mode), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={"dagster/partition": slug},
        raise_on_error=True,
    )


def test_steps_in_processes_of_their_own_end_in_the_same_index(installed: Harness, tmp_path: Path) -> None:
    world = installed.world
    twin = Harness.register(installed.database, world, installed.server, "twin")
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        for slug in ("acme", "twin"):
            partitions.add(instance, slug)
        execute(instance, "acme", sync_config(Mode.FULL), SYNC_JOB)
        result = sync_by_processes(instance, "twin", Mode.FULL)
        assert result.success
        workers = result.filter_events(lambda event: event.event_type_value == "STEP_WORKER_STARTED")
        assert len(workers) == len(SYNCING), "each stage had a process of its own"
    assert twin.checksum() == installed.checksum()
    twin.assert_matches_world()
