"""Runs of one workspace as Dagster remembers them: may another start, and did one die unnoticed?"""

from __future__ import annotations

import datetime as dt
import os
import socket
import time
from collections.abc import Callable

import dagster as dg
from dagster import DagsterRunStatus, RunRecord, RunsFilter

PARTITION_TAG = "dagster/partition"
PROCESS_TAG = "arcana/process"

_UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
_FIRST_PAUSE = dt.timedelta(seconds=30)
_LONGEST_PAUSE = dt.timedelta(minutes=30)
_GRACE = dt.timedelta(minutes=1)
_SECOND_LOOK_SECONDS = 3.0


def may_run(instance: dg.DagsterInstance, slug: str, generation: int) -> str | None:
    """A run key for the workspace's next sync, or None while one runs or pauses after failures.

    The key holds the generation and the last run, because Dagster never runs the same key twice. After n
    failures in a row the next try waits 30 s * 2^(n-1), half an hour at most.
    """
    records = instance.get_run_records(RunsFilter(tags={PARTITION_TAG: slug}), limit=8)
    if any(record.dagster_run.status in _UNFINISHED for record in records):
        return None
    failures = 0
    for record in records:
        if record.dagster_run.status is not DagsterRunStatus.FAILURE:
            break
        failures += 1
    if failures:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (failures - 1))
        if dt.datetime.now(dt.UTC) - _ended(records[0]) < pause:
            return None
    last = records[0].dagster_run.run_id if records else "none"
    return f"{slug}:{generation}:{last}"


def process_tag() -> str:
    """Names this process, so that a run of the command line that was killed can be recognised."""
    return f"{socket.gethostname()}:{os.getpid()}"


def report_dead_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs failed whose process on this host is gone.

    Dagster watches the runs it launched; a run of `arcana sync` that was killed would stay "started" and
    block its workspace's queue.
    """
    host = socket.gethostname()
    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.STARTING])):
        owner, _, pid = run.tags.get(PROCESS_TAG, "").rpartition(":")
        if owner == host and pid.isdigit() and not _is_alive(int(pid)):
            instance.report_run_failed(run, "The process of this run ended without reporting (it was killed).")


def report_abandoned_runs(instance: dg.DagsterInstance, is_locked: Callable[[str], bool]) -> None:
    """Mark runs failed that nobody works on any more.

    A run that died together with its code server stays "started" and would keep the sensors from its workspace.
    A living run holds its workspace's lock from its first asset to its last, so one that is well under way
    without it is dead. It is looked at twice, because a run lets go of the lock just before it reports success.
    """
    suspects = [run_id for run_id, slug in _running_for(instance, _GRACE) if not is_locked(slug)]
    if not suspects:
        return
    time.sleep(_SECOND_LOOK_SECONDS)
    for run_id, slug in _running_for(instance, _GRACE):
        run = instance.get_run_by_id(run_id)
        if run is not None and run_id in suspects and not is_locked(slug):
            instance.report_run_failed(run, "This run ended without reporting: nothing holds its workspace's lock.")


def _running_for(instance: dg.DagsterInstance, at_least: dt.timedelta) -> list[tuple[str, str]]:
    """(run id, workspace) of the runs that started so long ago and have not ended."""
    found = []
    for record in instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.STARTED])):
        began = dt.datetime.fromtimestamp(record.start_time, dt.UTC) if record.start_time else _aware(record)
        slug = record.dagster_run.tags.get(PARTITION_TAG)
        if slug and dt.datetime.now(dt.UTC) - began >= at_least:
            found.append((record.dagster_run.run_id, slug))
    return found


def _aware(record: RunRecord) -> dt.datetime:
    updated = record.update_timestamp
    return updated if updated.tzinfo else updated.replace(tzinfo=dt.UTC)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ended(record: RunRecord) -> dt.datetime:
    if record.end_time is not None:
        return dt.datetime.fromtimestamp(record.end_time, dt.UTC)
    return _aware(record)
