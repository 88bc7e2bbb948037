"""What happens by the clock."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.jobs import AUDIT_JOB, CHECK_JOB, MAINTENANCE_JOB, QUALITY_JOB
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.ticks import NO_SCHEMA, tick_database
from arcana_pipelines.evaluation.quality import asked_workspaces
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces.workspaces import active_slugs


def audit_schedule(cron: str = "0 3 * * *", time_zone: str | None = None) -> dg.ScheduleDefinition:
    """The schedule of the audits; without a time zone its times are UTC."""
    return dg.schedule(
        name="audit_sweep",
        job_name=AUDIT_JOB,
        cron_schedule=cron,
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="List everything, prove what is gone, measure the indexes. The only way to see un-shared pages.",
    )(_audits)


def quality_schedule(cron: str = "0 5 * * *", time_zone: str | None = None) -> dg.ScheduleDefinition:
    """The schedule of the golden questions, after the audits; without a time zone its times are UTC."""
    return dg.schedule(
        name="quality_sweep",
        job_name=QUALITY_JOB,
        cron_schedule=cron,
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Ask the golden questions of each workspace that keeps some.",
    )(_questions)


def _audits(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One audit run an active workspace."""
    with tick_database() as database:
        if database is None:
            yield dg.SkipReason(NO_SCHEMA)
            return
        with database.connection() as connection:
            active = active_slugs(connection)
    # A workspace without its partition yet gets its first, whole, sync from the sensor that makes it.
    mirrored = set(workspaces.get_partition_keys(dynamic_partitions_store=context.instance))
    for slug in sorted(active & mirrored):
        yield dg.RunRequest(
            run_key=f"audit:{slug}:{context.scheduled_execution_time.isoformat()}",
            partition_key=slug,
            run_config=sync_config(Mode.AUDIT),
            tags={"arcana/mode": str(Mode.AUDIT)},
        )


def _questions(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
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


maintenance_sweep = dg.ScheduleDefinition(
    name="maintenance_sweep",
    job_name=MAINTENANCE_JOB,
    cron_schedule="0 6 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: delete what Dagster keeps of old runs.",
)

installation_sweep = dg.ScheduleDefinition(
    name="installation_sweep",
    job_name=CHECK_JOB,
    cron_schedule="30 5 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night, after the audits: compare the schema with this release, and look for stale workspaces.",
)

audit_sweep = audit_schedule()
quality_sweep = quality_schedule()

SCHEDULES = [audit_sweep, quality_sweep, installation_sweep, maintenance_sweep]
