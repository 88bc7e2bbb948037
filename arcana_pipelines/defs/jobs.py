"""Syncing a workspace from source to index, in one process; and what is done with its indexes besides.

In-process, five assets cost 0.5 s of overhead instead of 6; parallelism lives inside the assets and between
workspaces.
"""

from __future__ import annotations

import dagster as dg

from arcana_pipelines.defs.assets import ASSETS, FILLING, RETRY_JOB, STAGING
from arcana_pipelines.defs.checks import CHECKS
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.quality import QUALITY_ASSETS
from arcana_pipelines.sources.protocol import Mode

STAGE_JOB = "stage_workspace"
FILL_JOB = "fill_indexes"
AUDIT_JOB = "audit_workspace"

# Measuring an index costs seconds: an ordinary sync leaves it to the audit, and plans no check that it would not run.
_SYNC = dg.AssetSelection.assets(*ASSETS) - dg.AssetSelection.checks(*CHECKS)

sync_workspace = dg.define_asset_job(
    "sync_workspace",
    selection=_SYNC,
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="List, read, normalise, chunk, embed and publish one workspace. Costs two requests when "
    "nothing changed.",
)

audit_workspace = dg.define_asset_job(
    AUDIT_JOB,
    selection=ASSETS,
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="The same sync, in the mode `audit`, and besides the check of the indexes' health. The schedule "
    "`audit_sweep` and `arcana sync --mode audit` run it.",
    config={"ops": {"notion_pages": {"config": {"mode": Mode.AUDIT.name}}}},
)

retry_pages = dg.define_asset_job(
    RETRY_JOB,
    selection=_SYNC,
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="The same sync, which first takes up what waits in quarantine (or the one page that `page` names).",
)

stage_workspace = dg.define_asset_job(
    STAGE_JOB,
    selection=STAGING,
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="The sync up to the chunks: reads the source, calls no embedding provider, publishes nothing. "
    "`arcana sync --estimate` runs it.",
)

fill_indexes = dg.define_asset_job(
    FILL_JOB,
    selection=FILLING,
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="Fill, verify and, where they may serve, promote the new builds of a workspace's indexes. Reads "
    "nothing from the source.",
)

measure_quality = dg.define_asset_job(
    "measure_quality",
    selection=QUALITY_ASSETS,
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="Ask the golden questions that a workspace keeps (`arcana eval … --keep`). Fails below the baseline.",
)

JOBS = [sync_workspace, audit_workspace, retry_pages, stage_workspace, fill_indexes, measure_quality]
