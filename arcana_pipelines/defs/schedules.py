"""What happens by the clock."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping

import dagster as dg

from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.jobs import AUDIT_JOB, CHECK_JOB, MAINTENANCE_JOB, QUALITY_JOB
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.ticks import NO_SCHEMA, tick_database
from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.evaluation.quality import asked_workspaces
from arcana_pipelines.settings import ScheduleTimes
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces.workspaces import active_slugs

# As in the name of a variable (SCHEDULE_AUDIT) and in the component's YAML (`audit`).
ZONE = "time_zone"
TIMES = tuple(name.removeprefix("schedule_") for name in ScheduleTimes.model_fields)


def schedules(times: ScheduleTimes) -> list[dg.ScheduleDefinition]:
    """Our schedules, at these times.

    Raises:
        InvalidSetting: a time or the time zone is none that Dagster knows.
    """
    at = {key: str(getattr(times, f"schedule_{key}")) for key in TIMES}
    if wrong := time_problems(at):
        raise InvalidSetting(
            "; ".join(f"SCHEDULE_{key.upper()}: {problem}" for key, problem in wrong.items())
            + ". Mend the environment or the .env file (.env.example explains each variable)."
        )
    zone = at[ZONE]
    audit = dg.schedule(
        name="audit_sweep",
        job_name=AUDIT_JOB,
        cron_schedule=at["audit"],
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="List everything, prove what is gone, measure the indexes. The only way to see un-shared pages.",
    )(_audits)
    questions = dg.schedule(
        name="quality_sweep",
        job_name=QUALITY_JOB,
        cron_schedule=at["quality"],
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Ask the golden questions of each workspace that keeps some. After the audits.",
    )(_questions)
    installation = dg.ScheduleDefinition(
        name="installation_sweep",
        job_name=CHECK_JOB,
        cron_schedule=at["check_installation"],
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Compare the schema with this release, and look for stale workspaces. After the audits.",
    )
    maintenance = dg.ScheduleDefinition(
        name="maintenance_sweep",
        job_name=MAINTENANCE_JOB,
        cron_schedule=at["maintenance"],
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Delete what Dagster keeps of old runs.",
    )
    return [audit, questions, installation, maintenance]


def time_problems(at: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each of these times and time zones, by the same keys (`TIMES`). No value is repeated."""
    problems = {}
    for key, value in at.items():
        if key == ZONE:
            if not value.strip() or not _is_taken("0 3 * * *", value):
                problems[key] = "must be the name of a time zone, for example Asia/Seoul or UTC"
        elif not _is_taken(value, "UTC"):
            problems[key] = (
                "must be a cron expression of five fields (minute, hour, day of the month, month, day of the week), "
                "for example 0 3 * * * for every day at three"
            )
        elif not _ever_comes(value):
            problems[key] = "must be a time that comes: no month has that day"
    return problems


def _is_taken(cron: str, time_zone: str) -> bool:
    """Whether Dagster takes them for a schedule."""
    with warnings.catch_warnings():
        # Of intervals such as */40, which the schedule itself then warns of.
        warnings.simplefilter("ignore", UserWarning)
        try:
            dg.ScheduleDefinition(name="tried", job_name="tried", cron_schedule=cron, execution_timezone=time_zone)
        except dg.DagsterInvalidDefinitionError:
            return False
    return True


def _ever_comes(cron: str) -> bool:
    """False for "0 0 31 4 *": Dagster takes it, and its daemon then fails at each look. True where it does not say."""
    try:
        from dagster._utils.schedules import schedule_execution_time_iterator
    except ImportError:
        return True
    try:
        next(schedule_execution_time_iterator(time.time(), cron, "UTC"))
    except Exception:
        return False
    return True


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
