"""What happens by the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import dagster as dg

from arcana_pipelines.defs.backups import wanted_backup, wanted_log
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.jobs import AUDIT, BACKUP_JOB, CHECK_JOB, MAINTENANCE_JOB, QUALITY_JOB, READERS, SHIP_JOB
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.schedule_times import (
    AUDIT_SCHEDULES,
    LOG_SWEEP,
    LOG_TIMES,
    NAMES,
    ZONE,
    cron_of,
    require_times,
)
from arcana_pipelines.defs.ticks import NO_SCHEMA, tick_database
from arcana_pipelines.evaluation.quality import asked_workspaces
from arcana_pipelines.settings import ScheduleTimes
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.sources.registry import asset_of
from arcana_pipelines.workspaces.workspaces import active_slugs, list_all

Requests = Iterator[dg.RunRequest | dg.SkipReason]


def schedules(times: ScheduleTimes) -> list[dg.ScheduleDefinition]:
    """Our schedules, at these times.

    Raises:
        InvalidSetting: a time or the time zone is none that Dagster knows.
    """
    require_times(times)
    return [
        *(_audits_by(times, asset) for asset in AUDIT_SCHEDULES),
        _schedule(
            times,
            "quality",
            QUALITY_JOB,
            "Ask the golden questions of each workspace that keeps some. After the audits.",
            _questions,
        ),
        _schedule(
            times,
            "check_installation",
            CHECK_JOB,
            "Compare the schema with this release, and look for stale workspaces. After the audits.",
        ),
        _schedule(times, "maintenance", MAINTENANCE_JOB, "Delete what Dagster keeps of old runs."),
        _schedule(
            times,
            "backup",
            BACKUP_JOB,
            "Back up everything, where BACKUP_TO is set, and prove it.",
            wanted_backup,
        ),
        dg.ScheduleDefinition(
            name=LOG_SWEEP,
            job_name=SHIP_JOB,
            cron_schedule=LOG_TIMES,
            execution_timezone=cron_of(times, ZONE),
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description="Put the server's log of changes beside its backups, where BACKUP_WAL is on.",
            execution_fn=wanted_log,
        ),
    ]


def _schedule(
    times: ScheduleTimes,
    key: str,
    job: str,
    description: str,
    requests: Callable[[dg.ScheduleEvaluationContext], Requests] | None = None,
    name: str | None = None,
) -> dg.ScheduleDefinition:
    """The schedule with this key in `NAMES`, running from the start; without `requests` it asks for one run."""
    return dg.ScheduleDefinition(
        name=name or NAMES[key],
        job_name=job,
        cron_schedule=cron_of(times, key),
        execution_timezone=cron_of(times, ZONE),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
        execution_fn=requests,
    )


def _audits_by(times: ScheduleTimes, asset: str) -> dg.ScheduleDefinition:
    """The schedule of audits of the workspaces that this asset reads."""
    return _schedule(
        times,
        "audit",
        READERS[asset][AUDIT],
        f"For each workspace that `{asset}` reads: list everything, prove what is gone, measure the indexes. Sees "
        "renamed columns, which sweeps do not.",
        partial(_audits, asset),
        AUDIT_SCHEDULES[asset],
    )


def _audits(asset: str, context: dg.ScheduleEvaluationContext) -> Requests:
    """One audit run an active workspace that this asset reads."""
    with tick_database() as database:
        if database is None:
            yield dg.SkipReason(NO_SCHEMA)
            return
        with database.connection() as connection:
            rows = list_all(connection)
    active = {row.slug for row in rows if row.status == "active" and asset_of(row.platform) == asset}
    # A workspace without its partition yet gets its first, whole, sync from the sensor that makes it.
    mirrored = set(workspaces.get_partition_keys(dynamic_partitions_store=context.instance))
    for slug in sorted(active & mirrored):
        yield dg.RunRequest(
            run_key=f"audit:{slug}:{context.scheduled_execution_time.isoformat()}",
            partition_key=slug,
            run_config=sync_config(Mode.AUDIT, asset=asset),
        )


def _questions(context: dg.ScheduleEvaluationContext) -> Requests:
    """One run a workspace with golden questions."""
    partitions = workspaces.get_partition_keys(dynamic_partitions_store=context.instance)
    with tick_database() as database:
        if database is None:
            yield dg.SkipReason(NO_SCHEMA)
            return
        with database.connection() as connection:
            active = active_slugs(connection)
            asked = asked_workspaces(connection) & active
    for slug in sorted(set(partitions) & asked):
        yield dg.RunRequest(
            run_key=f"quality:{slug}:{context.scheduled_execution_time.isoformat()}", partition_key=slug
        )
