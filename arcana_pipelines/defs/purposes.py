"""What a run is for, read off the run itself: the same in each process that works on it."""

from __future__ import annotations

import dagster as dg

from arcana_pipelines.defs.jobs import jobs_for
from arcana_pipelines.defs.names import PUBLISHING, READING
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.targets import SECONDS

LAUNCHED_SECONDS = 30.0


def purpose_of(context: dg.AssetExecutionContext) -> Purpose:
    """By the assets that the run has, in whatever process and under whatever keys, and by its job."""
    if not reads_source(context.job_def):
        return Purpose.FILL
    if context.run.job_name in jobs_for(Purpose.RETRY):
        return Purpose.RETRY
    return Purpose.SYNC if _names(context.job_def).issuperset(PUBLISHING[1:]) else Purpose.STAGE


def delivery_seconds(context: dg.AssetExecutionContext) -> float:
    """How long a run delivers to targets: where Dagster launched it, its sensor does what is left, and the next sync of
    the workspace does not wait in the queue for a store that is slow."""
    return LAUNCHED_SECONDS if context.run.remote_job_origin else SECONDS


def reads_source(job: dg.JobDefinition) -> bool:
    """Whether the source is read in this run."""
    return bool(readers_in(job))


def readers_in(job: dg.JobDefinition) -> set[str]:
    """Which of the assets that read a source are in this run."""
    return _names(job).intersection(READING)


def _names(job: dg.JobDefinition) -> set[str]:
    return {node.definition.name for node in job.nodes}
