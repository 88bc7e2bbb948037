"""Runs of our workspaces as Dagster remembers them: may another start, and did one die unnoticed?

An instance of Dagster may be shared with other code, in our code location and in others. A run is ours when it
carries `WORKSPACE_TAG`: our jobs give it to each run of a partition, and a run that reaches one of our assets in
another way (the Materialize button, a backfill, a job of the host) gets it there. Until then such a run is known by the
assets that it selects in our code location. No other run is looked at.
"""

from __future__ import annotations

import datetime as dt
import os
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import dagster as dg
from dagster import DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from arcana_pipelines.defs.names import our_assets
from arcana_pipelines.workspaces.lease import NO_WORKSPACE
from arcana_pipelines.workspaces.workspaces import Workspace

PARTITION_TAG = "dagster/partition"
# The slug of the workspace that a run of ours works on.
WORKSPACE_TAG = "arcana/workspace"
# Which of our jobs it is; other jobs have it never.
JOB_TAG = "arcana/job"
# What a run was started for, so that the UI can filter by it. Nothing reads it: what a run does follows from its assets
# (`purposes`).
PURPOSE_TAG = "arcana/purpose"
# The workspace whose lock a process of the run holds now, or that it works for all of them (see `at_work`).
AT_WORK_TAG = "arcana/at-work"
PROCESS_TAG = "arcana/process"
# The process that was at work last, for people: which one to look for where a run hangs.
WORKER_TAG = "arcana/worker"
# The asset that reads the workspace, on a run that had only another's: it did nothing, and its failure is no sync's.
REFUSED_TAG = "arcana/read-by"

# Of a run that nothing ended in order; a run that came after it goes on from what it had committed.
PROCESS_GONE = (
    "The process of this run is gone: it was killed, or its machine went down. What it had committed is kept, and the "
    "next run goes on from there."
)

# How long a run must have been started before it can be taken for dead.
GRACE = dt.timedelta(minutes=1)
# After which it is looked at once more.
SECOND_LOOK_SECONDS = 3.0

_UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
_FIRST_PAUSE = dt.timedelta(seconds=30)
_LONGEST_PAUSE = dt.timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Home:
    """Where our definitions are loaded.

    Attributes:
        location: the name of the code location; None where it is not known, as on the command line.
        assets: the keys that our assets have there, with the host's prefix.
    """

    location: str | None
    assets: frozenset[dg.AssetKey]

    @classmethod
    def of(cls, context: dg.SensorEvaluationContext | dg.RunStatusSensorContext) -> Home:
        """That of the sensor which is evaluated."""
        repository = context.repository_def
        origin = getattr(context, "code_location_origin", None)
        return cls(
            origin.location_name if origin else None, frozenset(our_assets(repository).values() if repository else ())
        )

    def owns(self, run: DagsterRun) -> bool:
        """Whether the run is one of ours: also a Materialize, a backfill or a host's job, begun or not."""
        selected = WORKSPACE_TAG in run.tags or not self.assets.isdisjoint(run.asset_selection or ())
        return selected and self.holds(run) is not False

    def holds(self, run: DagsterRun) -> bool | None:
        """Whether the run is of our code location; None: it came from none (the command line), or ours is not known."""
        origin = run.remote_job_origin
        return None if origin is None or self.location is None else origin.location_name == self.location


def busy(instance: dg.DagsterInstance, slugs: Collection[str], home: Home) -> set[str]:
    """Those of the workspaces for which a run of ours waits or is at work."""
    if not slugs:
        return set()
    slugs_of_runs = set()
    for tag in (WORKSPACE_TAG, PARTITION_TAG):
        for run in instance.get_runs(RunsFilter(statuses=_UNFINISHED, tags={tag: sorted(slugs)})):
            if home.owns(run):
                slugs_of_runs.add(run.tags[tag])
    return slugs_of_runs


def run_key(instance: dg.DagsterInstance, slug: str, generation: int, home: Home) -> str | None:
    """A run key for the workspace's next sync, or None while it pauses after failures.

    The key holds the generation and the last run, because Dagster never runs the same key twice. After n
    failures in a row the next try waits 30 s * 2^(n-1), half an hour at most.
    """
    newest = instance.get_run_records(RunsFilter(tags={WORKSPACE_TAG: slug}), limit=8)
    records = [
        record for record in newest if home.owns(record.dagster_run) and REFUSED_TAG not in record.dagster_run.tags
    ]
    failures = 0
    for record in records:
        if record.dagster_run.status is not DagsterRunStatus.FAILURE:
            break
        failures += 1
    if failures:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (failures - 1))
        # By the clock of the machine that ran it, which may be hours ahead: nobody waits for that.
        if -_LONGEST_PAUSE < dt.datetime.now(dt.UTC) - _ended(records[0]) < pause:
            return None
    last = records[0].dagster_run.run_id if records else "none"
    return f"{slug}:{generation}:{last}"


@contextmanager
def at_work(instance: dg.DagsterInstance, run: DagsterRun, workspace: Workspace | None) -> Iterator[None]:
    """Note in Dagster that the run holds the workspace's lock, and when it has let go in order.

    None: it works for the whole installation.
    """
    tags = {AT_WORK_TAG: _note(run, workspace.workspace_id if workspace else NO_WORKSPACE), WORKER_TAG: process_tag()}
    instance.add_run_tags(run.run_id, tags | ({WORKSPACE_TAG: workspace.slug} if workspace else {}))
    try:
        yield
    finally:
        instance.add_run_tags(run.run_id, {AT_WORK_TAG: _note(run, None)})


def _note(run: DagsterRun, holds: UUID | None) -> str:
    # Names the run, because a run that is executed again takes over the tags of the first.
    return f"{holds or 'ended'}/{run.run_id[:8]}"


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
        if run.remote_job_origin is not None:  # Executed again through Dagster, with the tags of the first.
            continue
        owner, _, pid = run.tags.get(PROCESS_TAG, "").rpartition(":")
        if owner == host and pid.isdigit() and not _is_alive(int(pid)):
            instance.report_run_failed(run, PROCESS_GONE)


def report_abandoned_runs(
    instance: dg.DagsterInstance,
    workspaces: Mapping[str, Workspace],
    is_at_work: Callable[[str, str], bool],
    home: Home,
    jobs: Collection[str] = (),
) -> None:
    """Mark runs of ours failed that no process works on any more.

    A run that died together with its code server stays "started" and would keep the sensors from its workspace.
    What it has noted (`at_work`) says that a process of it works for its workspace, or, of one of `jobs`, for the whole
    installation; the database says that none does (`is_at_work`: of a slug, empty for the installation, and the id of a
    run). A run of our own jobs that has noted nothing died before its first asset, and one that has let go and is not
    ended died before it could tell Dagster; what other jobs do before and after ours is not our business. It is looked
    at twice, because the note and the lock are two things.
    """

    of_workspaces = {slug: workspace.workspace_id for slug, workspace in workspaces.items()}

    def running() -> list[tuple[str, str]]:
        of_jobs = _running_for(instance, JOB_TAG, dict.fromkeys(jobs, NO_WORKSPACE), home)
        return [*_running_for(instance, WORKSPACE_TAG, of_workspaces, home), *((run_id, "") for run_id, _ in of_jobs)]

    suspects = [run_id for run_id, slug in running() if not is_at_work(slug, run_id)]
    if not suspects:
        return
    time.sleep(SECOND_LOOK_SECONDS)
    for run_id, slug in running():
        run = instance.get_run_by_id(run_id)
        if run is not None and run_id in suspects and not is_at_work(slug, run_id):
            instance.report_run_failed(run, _silent(run, slug))


def _silent(run: DagsterRun, slug: str) -> str:
    host, _, pid = run.tags.get(WORKER_TAG, "").rpartition(":")
    where = f" ({pid} on {host})" if run.tags.get(AT_WORK_TAG, "").endswith(run.run_id[:8]) and pid else ""
    if not slug:  # nothing keeps one that has only lost its connection from going on
        return f"{PROCESS_GONE} It was process{where}." if where else PROCESS_GONE
    return (
        f"This run has given no sign of life for a minute or more. Its process{where} is gone, or hangs: if it is "
        "still there, end it. It writes nothing more; what it had committed is kept, and the next run goes on from "
        "there."
    )


def cancel_restored(instance: dg.DagsterInstance, before: dt.datetime | None = None) -> None:
    """Mark runs canceled that were at work when the backup was made that this instance was restored from.

    No process works on them, and their end is no failure that anybody has to hear of. `before`: when it was restored,
    if runs may have begun since.
    """
    at_work_then = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    for run in instance.get_runs(RunsFilter(statuses=at_work_then, updated_before=before)):
        instance.report_run_canceled(run, "It was at work when the backup was made that was restored.")


def _running_for(
    instance: dg.DagsterInstance, tag: str, noted_for: Mapping[str, UUID], home: Home
) -> list[tuple[str, str]]:
    """(run id, value of the tag) of the runs that should be at work by now, or have ended: for `GRACE` and longer.

    `noted_for`: by the values of the tag, what such a run notes (`_note`).
    """
    running, now = [], dt.datetime.now(dt.UTC)
    filters = RunsFilter(statuses=[DagsterRunStatus.STARTED], tags={tag: sorted(noted_for)})
    for record in instance.get_run_records(filters) if noted_for else ():
        run = record.dagster_run
        value = run.tags[tag]
        noted = run.tags.get(AT_WORK_TAG)
        since = dt.datetime.fromtimestamp(record.start_time, dt.UTC) if record.start_time else _aware(record)
        if noted == _note(run, noted_for[value]):
            is_expected = home.holds(run) is not False or tag == WORKSPACE_TAG
            # By the clock of its machine: one that began later than now has begun.
            since = now - abs(now - since)
        elif noted == _note(run, None):
            # Our jobs let go when all is done: what is left of them is to say so. It is a while since the note, not
            # since the start, that they have for that.
            is_expected = JOB_TAG in run.tags and home.holds(run) is not False
            since = _aware(record)
        else:
            is_expected = JOB_TAG in run.tags and home.holds(run) is True
        if is_expected and now - since >= GRACE:
            running.append((run.run_id, value))
    return running


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
