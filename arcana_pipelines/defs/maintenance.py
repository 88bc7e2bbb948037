"""What is looked after once a night for the whole installation: its checks, Dagster's records of old runs, the log of
what keys were used for, what is learned from it, and conversations that are over.

A run leaves some 40 kB of events, and Dagster keeps them for ever. Runs of other people's jobs are not touched.

No postponed annotations here: Dagster reads the types of resources at run time.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
from dagster import DagsterRun, DagsterRunStatus, RunsFilter

from arcana_pipelines.conversations.conversations import delete_expired
from arcana_pipelines.defs.jobs import MAINTENANCE_JOB, OF_NO_WORKSPACE, tags_of
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.defs.runs import JOB_TAG, WORKSPACE_TAG, Home
from arcana_pipelines.keys.usage import keep_partitions
from arcana_pipelines.learning.counts import count_chunks, forget

_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_PAGE = 200
# Deleted in one night: minutes, whatever has piled up. The rest goes in the next.
MOST_RUNS = 5_000


@dg.op
def prune_history(context: dg.OpExecutionContext, arcana: ArcanaResource) -> int:
    """Delete what Dagster keeps of our old runs, but the newest of each workspace and job; returns how many."""
    days = arcana.database.settings.retention_days
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    origin = context.run.remote_job_origin
    home = Home(origin.location_name if origin else None, frozenset())
    pruned = prune(context.instance, home, before)
    context.log.info(f"Deleted Dagster's records of {pruned} runs that ended more than {days} days ago.")
    return pruned


@dg.op
def keep_usage(context: dg.OpExecutionContext, arcana: ArcanaResource) -> int:
    """Make the coming months' partitions of the log of use, and drop old ones; returns how many were dropped."""
    months = arcana.database.settings.usage_log_months
    with arcana.database.connection() as connection:
        made, dropped = keep_partitions(connection, months, dt.datetime.now(dt.UTC))
    context.log.info(f"Made {made or 'no'} and dropped {dropped or 'no'} partitions of the log of use.")
    return len(dropped)


@dg.op
def learn(context: dg.OpExecutionContext, arcana: ArcanaResource) -> int:
    """Count how often chunks were shown and what readers said, and forget what is old; returns how many rows went."""
    settings = arcana.database.settings
    with arcana.database.connection() as connection:
        days = count_chunks(connection, settings)
        forgotten = forget(connection, settings, dt.datetime.now(dt.UTC))
    context.log.info(f"Counted {days} days of answers, and forgot {forgotten} rows of what was learned from use.")
    return forgotten


@dg.op
def end_conversations(context: dg.OpExecutionContext, arcana: ArcanaResource) -> int:
    """Delete what was asked in conversations that are over; returns how many these were."""
    with arcana.database.connection() as connection:
        deleted = delete_expired(connection)
    context.log.info(f"Deleted {deleted} conversations that are over.")
    return deleted


@dg.job(
    name=MAINTENANCE_JOB,
    tags=tags_of(MAINTENANCE_JOB),
    executor_def=dg.in_process_executor,
    description="Deletes what Dagster keeps of runs of ours that ended more than RETENTION_DAYS ago, but the newest, "
    "and the newest successful, of each workspace and job; and what keys were used for more than USAGE_LOG_MONTHS ago. "
    "Counts how often chunks were shown and what readers said of them, and forgets answers, questions and feedback "
    "after SEARCH_LOG_DAYS, QUESTION_DAYS and ANALYTICS_MONTHS; and conversations that are over. "
    "The schedule `maintenance_sweep` runs it.",
)
def maintenance() -> None:
    prune_history()
    keep_usage()
    learn()
    end_conversations()


def prune(instance: dg.DagsterInstance, home: Home, before: dt.datetime) -> int:
    """Delete our finished runs that were last updated before `before`, with their events and logs; returns how many.

    Of each workspace and job the newest run stays, and the newest that succeeded: partitions stay materialised, and
    sensors and alerts still find what they compare with.
    """
    kept: dict[tuple[str | None, str], set[str]] = {}
    pruned = 0
    for run in _old(instance, before):
        if not (home.owns(run) or (run.tags.get(JOB_TAG) in OF_NO_WORKSPACE and home.holds(run) is not False)):
            continue
        key = run.tags.get(WORKSPACE_TAG), run.job_name
        if key not in kept:
            kept[key] = _newest(instance, *key)
        if run.run_id in kept[key]:
            continue
        instance.compute_log_manager.delete_logs(prefix=[run.run_id])
        instance.delete_run(run.run_id)
        pruned += 1
        if pruned == MOST_RUNS:
            break
    return pruned


def _old(instance: dg.DagsterInstance, before: dt.datetime) -> Iterator[DagsterRun]:
    """The newest first: a page's cursor is its last run, which may be deleted when the next page is asked for."""
    old = RunsFilter(statuses=_FINISHED, updated_before=before)
    runs = [record.dagster_run for record in instance.get_run_records(old, limit=_PAGE)]
    while runs:
        following = instance.get_run_records(old, limit=_PAGE, cursor=runs[-1].run_id)
        yield from runs
        runs = [record.dagster_run for record in following]


def _newest(instance: dg.DagsterInstance, workspace: str | None, job: str) -> set[str]:
    tags = {JOB_TAG: job} if workspace is None else {WORKSPACE_TAG: workspace}
    any_end = RunsFilter(tags=tags, job_name=job, statuses=_FINISHED)
    success = RunsFilter(tags=tags, job_name=job, statuses=[DagsterRunStatus.SUCCESS])
    return {run.run_id for wanted in (any_end, success) for run in instance.get_runs(wanted, limit=1)}
