"""The job that summarises tickets, and the sensor that asks for it. Apart from syncs: it takes no workspace's lease.

No postponed annotations here: Dagster reads the types of `config` and resources at run time.
"""

import datetime as dt
import time

import dagster as dg
from dagster import DagsterRunStatus, RunRecord, RunsFilter
from pydantic import Field

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.defs.jobs import SUMMARISE_JOB, tags_of
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.defs.runs import JOB_TAG, Home
from arcana_pipelines.defs.ticks import NO_SCHEMA, tick_database
from arcana_pipelines.errors import SummaryFailed
from arcana_pipelines.settings import Settings
from arcana_pipelines.tickets.summaries.claims import is_due, with_tickets
from arcana_pipelines.tickets.summaries.making import make_summaries
from arcana_pipelines.tickets.summaries.prompt import PROMPT_VERSION

_FIRST_PAUSE = dt.timedelta(minutes=1)
_LONGEST_PAUSE = dt.timedelta(hours=1)
# A run ends before that by itself; one that was killed may look for hours as if it were at work.
_LONGEST_RUN = dt.timedelta(minutes=30)
_OVER = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)


class SummariesConfig(dg.Config):
    """Whose tickets are summarised, and for how long."""

    workspace: str | None = Field(
        None, min_length=1, description="The slug of one workspace. Left out: all that have tickets share the time."
    )
    minutes: int = Field(
        10, ge=1, le=20, description="After which no other ticket is begun; the sensor asks for the next run."
    )


@dg.op
def summarise(context: dg.OpExecutionContext, config: SummariesConfig, arcana: ArcanaResource) -> None:
    """Make what is missing or stale, each workspace in its turn."""
    database = arcana.database
    if database.settings.summary_model is None:
        context.log.info("SUMMARY_MODEL is not set: nothing is summarised.")
        return
    ends = time.monotonic() + 60 * config.minutes
    problems = []
    with database.connection() as connection:
        ours = [each for each in with_tickets(connection) if config.workspace in (None, each.slug)]
        for number, workspace in enumerate(ours):
            seconds = max(0.0, ends - time.monotonic()) / (len(ours) - number)
            did = make_summaries(connection, workspace, database.settings, seconds=seconds)
            ended = f", ended by: {did.stopped}" if did.stopped else ""
            context.log.info(
                f"{did.workspace}: {did.made} summaries made, {did.failed} failed, {did.tokens} tokens{ended}."
            )
            if did.problem is not None:
                problems.append(f"{did.workspace}: {did.problem}")
    if problems:
        raise SummaryFailed(" ".join(problems))


@dg.job(
    tags=tags_of(SUMMARISE_JOB),
    executor_def=dg.in_process_executor,
    description="Summarise tickets by the chat model of SUMMARY_MODEL: those whose summary is missing, or of another "
    "content, model or prompt, within SUMMARY_BUDGET. The sensor `ticket_summaries` asks for it; `arcana ticket "
    "summarise` does the same for one workspace.",
)
def summarise_tickets() -> None:
    """One op."""
    summarise()


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    job_name=SUMMARISE_JOB,
    description="Asks for summaries of tickets, one run at a time, where SUMMARY_MODEL is set, one is missing or "
    "stale, and the day's budget is not used up: in every workspace but the sample's. Pauses after failures in a row.",
)
def ticket_summaries(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Asks for one run where a workspace has something to be summarised."""
    with tick_database() as database:
        if database is None:
            return dg.SkipReason(NO_SCHEMA)
        model = database.settings.summary_model
        if model is None:
            return dg.SkipReason("SUMMARY_MODEL is not set: tickets are not summarised.")
        records = _records(context)
        if (reason := _rests(records)) is not None:
            return dg.SkipReason(reason)
        # Summaries of another model or prompt are looked for until none is found; they come by no edit.
        known = f"{model}/{PROMPT_VERSION}"
        with database.connection() as connection:
            waits = _waits(connection, database.settings, all_of_it=context.cursor != known)
    if not waits:
        context.update_cursor(known)
        return dg.SkipReason("No ticket waits for a summary that may be made now.")
    last = records[0].dagster_run.run_id if records else "none"
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"{SUMMARISE_JOB}:{last}")])


def _waits(connection: Connection, settings: Settings, *, all_of_it: bool) -> bool:
    return any(
        is_due(connection, workspace.workspace_id, settings, all_of_it=all_of_it)
        for workspace in with_tickets(connection)
    )


def _records(context: dg.SensorEvaluationContext) -> list[RunRecord]:
    """The newest runs of the job, the last one first."""
    home = Home.of(context)
    newest = context.instance.get_run_records(RunsFilter(tags={JOB_TAG: SUMMARISE_JOB}), limit=10)
    return [record for record in newest if home.holds(record.dagster_run) is not False]


def _rests(records: list[RunRecord]) -> str | None:
    """Why no run is asked for now; None where one may be."""
    now = dt.datetime.now(dt.UTC)
    if records and records[0].dagster_run.status not in _OVER and now - _since(records[0]) < _LONGEST_RUN:
        return "A run is at work, or waits for its turn."
    failures = 0
    for record in records:
        if record.dagster_run.status is not DagsterRunStatus.FAILURE:
            break
        failures += 1
    if failures and now - _since(records[0]) < min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (failures - 1)):
        return f"It pauses after {failures} failures in a row."
    return None


def _since(record: RunRecord) -> dt.datetime:
    """When a run ended, began, or was asked for, whichever was last."""
    known = record.end_time or record.start_time
    if known is not None:
        return dt.datetime.fromtimestamp(known, dt.UTC)
    created = record.create_timestamp
    return created if created.tzinfo else created.replace(tzinfo=dt.UTC)


SUMMARY_JOBS = [summarise_tickets]
