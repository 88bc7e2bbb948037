"""What a run is for, read off the run itself: the same in each process that works on it."""

from __future__ import annotations

import dagster as dg

from arcana_pipelines.defs.jobs import RETRY_JOB
from arcana_pipelines.defs.names import SYNCING
from arcana_pipelines.pipeline.purpose import Purpose


def purpose_of(context: dg.AssetExecutionContext) -> Purpose:
    """By the assets that the run has, in whatever process and under whatever keys, and by its job."""
    names = {node.definition.name for node in context.job_def.nodes}
    if SYNCING[0] not in names:
        return Purpose.FILL
    if context.run.job_name == RETRY_JOB:
        return Purpose.RETRY
    return Purpose.SYNC if names.issuperset(SYNCING) else Purpose.STAGE
