"""Runs of ours that failed and were not made good since, from Dagster's own records."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster import DagsterEventType, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from arcana_pipelines import errors
from arcana_pipelines.alerts.causes import NOT_STARTED, FailedRun
from arcana_pipelines.defs.jobs import (
    AUDIT,
    BACKUP_JOB,
    CHECK_JOB,
    FILL_JOB,
    OF_NO_WORKSPACE,
    PURPOSES,
    QUALITY_JOB,
    SYNC_JOB,
    jobs_for,
)
from arcana_pipelines.defs.names import FILLING
from arcana_pipelines.defs.runs import JOB_TAG, PARTITION_TAG, PROCESS_GONE, REFUSED_TAG, WORKSPACE_TAG, Home
from arcana_pipelines.errors import LeaseLost
from arcana_pipelines.pipeline.purpose import Purpose

# An audit and a retry sync as well: each makes a failure of the others good.
SYNCING_JOBS = (*jobs_for(Purpose.SYNC), *jobs_for(AUDIT), *jobs_for(Purpose.RETRY))
# Those whose checks say what the job is for.
CHECKED_JOBS = (CHECK_JOB, BACKUP_JOB)
RANGE_TAG = "dagster/asset_partition_range_start"
# The alert `stale` tells of each workspace by itself.
TOLD_ELSEWHERE = "workspaces_are_fresh"
LONGEST_AGO = dt.timedelta(days=7)
_UNDER_WAY_OR_DONE = [
    DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING, DagsterRunStatus.SUCCESS
]  # fmt: skip
# What Dagster says of a run that nothing of ours ended, and what a person can do with.
_OUR_WORDS = (
    (re.compile(r"This run has been marked as failed from outside the execution context"), PROCESS_GONE),
    (re.compile(r"Detected run worker status "), PROCESS_GONE),
)
_TIMED_OUT = re.compile(r"Run timed out due to taking longer than ([\d.]+) seconds to start")
# By what its launcher noted when it had handed the run over: who was to begin it then.
_HANDED_OVER = {
    "Celery task has been forwarded to the broker": (
        "No worker began this run within {} seconds of its being given to the broker: none takes runs of its queue, or "
        "all have enough to do. Start `arcana worker` on a machine; `arcana doctor` says how many answer."
    ),
    "Launching run in a new container": (
        "The container of this run did not begin it within {} seconds: `docker ps -a` and `docker logs` show why, "
        "`arcana doctor` asks Docker."
    ),
    "Kubernetes run worker job created": (
        "The Job of this run did not begin it within {} seconds: `kubectl get pods` and `kubectl describe pod` show "
        "why (no room on a node, no image, a quota), `arcana doctor` asks the cluster."
    ),
}
_NOT_HANDED_OVER = (
    "The daemon could not start this run within {} seconds: its disk is full, the machine has too much to do, or it "
    "went down meanwhile. `arcana doctor` looks at the disk."
)
MOST_RUNS = 200


def failed_runs(instance: dg.DagsterInstance, known: Mapping[tuple[str, str], str], home: Home) -> list[FailedRun]:
    """The newest failed run of each workspace and purpose, unless one of the same purpose has succeeded since.

    Failures of the last week are found, and `known` ones, (workspace, purpose) to run id, however old they are.
    Runs of other people's jobs and of other code locations do not count. The jobs of the whole installation stand
    among them without a workspace.
    """
    week = RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=dt.datetime.now(dt.UTC) - LONGEST_AGO)
    newest: dict[tuple[str, str], RunRecord] = {}
    for record in instance.get_run_records(week, limit=MOST_RUNS):
        key = _workspace_and_purpose(record.dagster_run)
        if key is not None and home.owns(record.dagster_run):
            newest.setdefault(key, record)
    for (slug, _), run_id in known.items():
        if slug and (kept := instance.get_run_record_by_id(run_id)) is not None:
            # Read off the run again: an older release may have noted its purpose by another name.
            key = _workspace_and_purpose(kept.dagster_run)
            if key is not None:
                newest.setdefault(key, kept)
    return [
        *_not_made_good(instance, newest, home),
        *_of_no_workspace(instance, home),
    ]


def _not_made_good(
    instance: dg.DagsterInstance, newest: Mapping[tuple[str, str], RunRecord], home: Home
) -> Iterator[FailedRun]:
    for key, record in newest.items():
        if _is_any(instance, key, home, updated_after=_ended(record), statuses=[DagsterRunStatus.SUCCESS]):
            continue
        failed = _described(instance, record, *key)
        # One that hung and was overtaken may wake up long after the other has succeeded; its end is no news.
        if failed.error == LeaseLost.__name__ and _is_any(
            instance, key, home, created_after=record.create_timestamp, statuses=_UNDER_WAY_OR_DONE
        ):
            continue
        yield failed


def _of_no_workspace(instance: dg.DagsterInstance, home: Home) -> Iterator[FailedRun]:
    """Of each job of the whole installation the newest run, if it failed or one of its checks did."""
    for job in OF_NO_WORKSPACE:
        over = RunsFilter(tags={JOB_TAG: job}, statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE])
        records = instance.get_run_records(over, limit=MOST_RUNS)
        record = next((each for each in records if home.holds(each.dagster_run) is not False), None)
        if record is None:
            continue
        if record.dagster_run.status is DagsterRunStatus.FAILURE:
            yield _described(instance, record, "", job)
        elif job in CHECKED_JOBS and (failed := _failed_checks(instance, record.dagster_run.run_id)):
            yield FailedRun("", job, record.dagster_run.run_id, "", ", ".join(failed))


def _failed_checks(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """A check that fails lets its run succeed."""
    failed = []
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION):
        if entry.dagster_event is not None:
            evaluation = entry.dagster_event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.check_name != TOLD_ELSEWHERE:
                failed.append(evaluation.check_name)
    return failed


def _workspace_and_purpose(run: DagsterRun) -> tuple[str, str] | None:
    """None for a run that is of no workspace, or was none of its workspace's."""
    if REFUSED_TAG in run.tags:
        return None
    slug = run.tags.get(WORKSPACE_TAG) or run.tags.get(PARTITION_TAG) or run.tags.get(RANGE_TAG)
    if slug is None:
        return None
    job = run.tags.get(JOB_TAG) or _job_like({key.path[-1] for key in run.asset_selection or ()})
    return slug, PURPOSES[SYNC_JOB] if job in SYNCING_JOBS else PURPOSES.get(job, job)


def _job_like(assets: set[str]) -> str:
    """Which of our jobs does what a run of "Materialize", of a backfill or of a host's job did."""
    if assets == {"retrieval_quality"}:
        return QUALITY_JOB
    return FILL_JOB if assets and assets <= {*FILLING, "doc_taxonomy", "retrieval_quality"} else SYNC_JOB


def _is_any(instance: dg.DagsterInstance, key: tuple[str, str], home: Home, **which: Any) -> bool:
    """Whether there is such a run (arguments of `RunsFilter`) of this workspace and purpose."""
    for tag in (WORKSPACE_TAG, PARTITION_TAG):
        later = RunsFilter(tags={tag: key[0]}, **which)
        records = instance.get_run_records(later, limit=MOST_RUNS)
        if any(home.owns(each.dagster_run) and _workspace_and_purpose(each.dagster_run) == key for each in records):
            return True
    return False


def _ended(record: RunRecord) -> dt.datetime:
    return dt.datetime.fromtimestamp(record.end_time or record.create_timestamp.timestamp(), dt.UTC)


def _described(instance: dg.DagsterInstance, record: RunRecord, slug: str, purpose: str) -> FailedRun:
    run_id = record.dagster_run.run_id
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE):
        if entry.dagster_event is not None:
            error = behind = entry.dagster_event.step_failure_data.error
            while error is not None and (behind := behind.cause if behind else None) is not None:
                # The root says most; but one of ours says in words what those behind it mean.
                if _is_ours(behind.cls_name) or not _is_ours(error.cls_name):
                    error = behind
            if error is not None:
                return FailedRun(slug, purpose, run_id, error.cls_name or "", _own_words(error.message, error.cls_name))
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.PIPELINE_FAILURE):
        said = entry.message or entry.user_message
        if (late := _TIMED_OUT.match(said)) is not None:
            return FailedRun(slug, purpose, run_id, NOT_STARTED, _who_did_not_begin(instance, run_id).format(late[1]))
        return FailedRun(slug, purpose, run_id, "", _in_our_words(said))
    return FailedRun(slug, purpose, run_id, "", "no reason given")


def _who_did_not_begin(instance: dg.DagsterInstance, run_id: str) -> str:
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
        noted = (entry.dagster_event.message if entry.dagster_event else None) or ""
        for handed_over, sentence in _HANDED_OVER.items():
            if handed_over in noted:
                return sentence
    return _NOT_HANDED_OVER


def _in_our_words(text: str) -> str:
    return next((ours for dagsters, ours in _OUR_WORDS if dagsters.match(text)), text)


def _is_ours(cls_name: str | None) -> bool:
    return isinstance(getattr(errors, cls_name or "", None), type)


def _own_words(text: str, cls_name: str | None) -> str:
    # Dagster keeps "package.module.Class: message\n".
    _, separator, words = text.partition(f"{cls_name}: ")
    return (words if separator else text).strip()
