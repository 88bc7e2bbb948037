"""The definitions, assembled explicitly: a wheel has no project file to autoload from."""

from __future__ import annotations

import dagster as dg

from arcana_pipelines.defs.assets import ASSETS
from arcana_pipelines.defs.checks import CHECKS
from arcana_pipelines.defs.index_jobs import INDEX_JOBS
from arcana_pipelines.defs.jobs import JOBS
from arcana_pipelines.defs.quality import QUALITY_ASSETS
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.defs.schedules import audit_sweep, quality_sweep
from arcana_pipelines.defs.sensors import SENSORS


def build_defs() -> dg.Definitions:
    """Everything that Dagster shows and runs. Touches no database and no network."""
    return dg.Definitions(
        assets=[*ASSETS, *QUALITY_ASSETS],
        asset_checks=CHECKS,
        jobs=[*JOBS, *INDEX_JOBS],
        sensors=SENSORS,
        schedules=[audit_sweep, quality_sweep],
        resources={"arcana": ArcanaResource()},
        executor=dg.in_process_executor,
    )
