"""The definitions, assembled explicitly: a wheel has no project file to autoload from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from arcana_pipelines.defs import assets, backups, checks, freshness_policy, quality
from arcana_pipelines.defs.file_jobs import FILE_JOBS
from arcana_pipelines.defs.index_jobs import INDEX_JOBS
from arcana_pipelines.defs.jobs import backup_job, installation_job, jobs_for, workspace_jobs
from arcana_pipelines.defs.maintenance import maintenance
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.defs.schedules import schedules as our_schedules
from arcana_pipelines.defs.sensors import SENSORS, asking_for
from arcana_pipelines.defs.summaries import SUMMARY_JOBS
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.settings import ScheduleTimes

__all__ = ["build_defs"]


def build_defs(
    *,
    key_prefix: str | Sequence[str] | None = None,
    resources: Mapping[str, object] | None = None,
    schedules: Sequence[dg.ScheduleDefinition] | None = None,
    sensors: Sequence[dg.SensorDefinition] | None = None,
) -> dg.Definitions:
    """Everything that Dagster shows and runs, to be used alone or merged into a host's own definitions.

    Touches no database and no network, and sets no executor, logger or IO manager: those stay the host's.
    docs/embedding-in-dagster.md shows it at work.

    Args:
        key_prefix: stands before the key of each asset, for a host that has such keys already.
        resources: in the place of ours, by key; what is not named stays. `arcana` is the one there is.
        schedules: in the place of ours, whose times the environment says (`SCHEDULE_…`); `[]` for none.
        sensors: in the place of ours; `[]` for none, and then nothing is synced but by hand.

    Raises:
        InvalidSetting: a `SCHEDULE_…` in the environment is not a time.
    """
    proofs = dg.load_asset_checks_from_modules([backups], asset_key_prefix=key_prefix)
    stepping = dg.load_asset_checks_from_modules([checks], asset_key_prefix=key_prefix)
    installation = [check for check in stepping if check.partitions_def is None]
    health = [check for check in stepping if check.partitions_def is not None]
    by_the_clock = our_schedules(ScheduleTimes()) if schedules is None else schedules
    ours = [
        each
        for each in dg.load_assets_from_modules([assets, quality, backups], key_prefix=key_prefix)
        if isinstance(each, dg.AssetsDefinition)
    ]
    jobs = workspace_jobs(health, installation)
    syncs = [job for job in jobs if job.name in jobs_for(Purpose.SYNC)]
    return dg.Definitions(
        assets=freshness_policy.mark(ours, by_the_clock),
        asset_checks=[*stepping, *proofs],
        jobs=[
            *jobs,
            *INDEX_JOBS,
            *FILE_JOBS,
            *SUMMARY_JOBS,
            installation_job(installation),
            maintenance,
            backup_job(),
            backups.ship_changes,
        ],
        sensors=asking_for(syncs, SENSORS if sensors is None else sensors),
        schedules=by_the_clock,
        resources={"arcana": ArcanaResource(), **(resources or {})},
    )
