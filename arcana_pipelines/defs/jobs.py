"""Syncing a workspace from source to index, in one process.

In-process, five assets cost 0.5 s of overhead instead of 6; parallelism lives inside the assets and between
workspaces.
"""

from __future__ import annotations

import dagster as dg

from arcana_pipelines.defs.assets import ASSETS, RETRY_JOB
from arcana_pipelines.defs.partitions import workspaces

sync_workspace = dg.define_asset_job(
    "sync_workspace",
    selection=ASSETS,
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="List, read, normalise, chunk, embed and publish one workspace. Costs two requests when "
    "nothing changed.",
)

retry_pages = dg.define_asset_job(
    RETRY_JOB,
    selection=ASSETS,
    partitions_def=workspaces,
    executor_def=dg.in_process_executor,
    description="The same sync, which first takes up what waits in quarantine (or the one page that `page` names).",
)
