"""What asks for runs, or does what is too small for one. Each sensor does one thing and derives it from durable state:
a lost tick loses nothing.

https://docs.dagster.io/guides/automate/sensors
"""

from __future__ import annotations

import itertools
import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from types import MappingProxyType

import dagster as dg

from arcana_pipelines.backup.physical import restored_at
from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.alerts import alerts
from arcana_pipelines.defs.backfills import backfill_request
from arcana_pipelines.defs.instance import keeps_runs_here
from arcana_pipelines.defs.jobs import FILL_JOB, OF_NO_WORKSPACE, PURPOSES, READERS, SYNC_JOB
from arcana_pipelines.defs.names import FILLING, our_assets, selection
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.runs import (
    PURPOSE_TAG,
    WORKSPACE_TAG,
    Home,
    busy,
    cancel_restored,
    report_abandoned_runs,
    report_dead_runs,
    run_key,
)
from arcana_pipelines.defs.summaries import ticket_summaries
from arcana_pipelines.defs.ticks import NO_SCHEMA, tick_database
from arcana_pipelines.indexes.lifecycle import fill_requested, rebuild_outdated, to_fill
from arcana_pipelines.ledger.polling import poll_and_record
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.targets import follow_once
from arcana_pipelines.settings import load_launcher_settings
from arcana_pipelines.sources.registry import all_platforms, asset_of
from arcana_pipelines.workspaces.lease import NO_WORKSPACE, is_alive, locked
from arcana_pipelines.workspaces.workspaces import Workspace, due_for_poll, in_need_of_sync, list_all, retired_slugs

log = logging.getLogger(__name__)

# A tick that outlives the 60 s of Dagster's sensor RPC loses its requests; one of 20 s keeps the others punctual.
LAST_START_SECONDS = 10.0
TICK_SECONDS = 15.0
POLL_THREADS = 48
# Runs asked for in one tick; the rest is asked for in the next.
MOST_REQUESTS = 50


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    job_name=SYNC_JOB,
    description="Mirrors the workspace table into partitions and asks for each new workspace's first sync.",
)
def workspace_registry(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Adds and removes partitions; requests first syncs."""
    with tick_database() as database:
        if database is None:
            return dg.SkipReason(NO_SCHEMA)
        with database.connection() as connection:
            rows = list_all(connection)
            restored = restored_at(connection)
            if restored is not None and keeps_runs_here(database.settings):
                cancel_restored(context.instance, restored)
            report_dead_runs(context.instance)
            known = {row.slug: row for row in rows}

            def is_at_work(slug: str, run: str) -> bool:
                if not slug:
                    return is_alive(connection, NO_WORKSPACE, run)
                return slug in locked(connection) or is_alive(connection, known[slug].workspace_id, run)

            report_abandoned_runs(context.instance, known, is_at_work, Home.of(context), OF_NO_WORKSPACE)
            retired = retired_slugs(connection)
    registered = set(known)
    mirrored = set(workspaces.get_partition_keys(dynamic_partitions_store=context.instance))
    # What was never a workspace here is not ours to drop: another installation may use the same instance.
    new, gone = sorted(registered - mirrored), sorted(mirrored & retired)
    changes = [workspaces.build_add_request(new)] if new else []
    removals = [workspaces.build_delete_request(gone)] if gone else []
    unread = [row for row in rows if row.generation == 0 and row.status == "active"]
    requests = _requests(context, unread, load_launcher_settings().tags_of_embedding)
    if not (new or gone or requests):
        return dg.SkipReason(f"{len(registered)} workspaces, all mirrored.")
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=[*changes, *removals])


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    job_name=SYNC_JOB,
    description="Looks at every source, least recently polled first, and asks for a sync where something changed.",
)
def source_changes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Polls workspaces concurrently inside the tick's time budget."""
    with tick_database() as database:
        if database is None:
            return dg.SkipReason(NO_SCHEMA)
        cheap = [platform.name for platform in all_platforms() if platform.is_cheap_to_ask]
        with database.connection() as connection:
            at_work = locked(connection)
            due = [row for row in due_for_poll(connection, cheap) if row.slug not in at_work]
        looked_at = _look_at(database, due)
        with database.connection() as connection:
            needy = in_need_of_sync(connection)
    requests = _requests(context, needy)
    said = f"Looked at {looked_at} of {len(due)} workspaces that were due"
    if not requests:
        waiting = f"; {len(needy)} need a sync that runs already or pauses after a failure" if needy else ""
        return dg.SkipReason(f"{said}{waiting}.")
    context.log.info(f"{said}; asking for {len(requests)} syncs.")
    return dg.SensorResult(run_requests=requests)


def _look_at(database: Database, due: list[Workspace]) -> int:
    """Look at as many workspaces as the tick's time allows; returns how many had their turn.

    One that did not come to its turn stays among the least recently polled: it is first next time. One whose
    source hangs costs the others one thread for a few seconds, and writes its answer down when it has it.
    """
    started = time.monotonic()

    def turn(workspace: Workspace) -> bool:
        if time.monotonic() - started > LAST_START_SECONDS:
            return False
        poll_and_record(database, workspace)
        return True

    pool = ThreadPoolExecutor(POLL_THREADS, thread_name_prefix="poll")
    turns = [pool.submit(turn, workspace) for workspace in due]
    done, late = wait(turns, timeout=TICK_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    return sum(future.result() for future in done) + len(late)


def _may_run(context: dg.SensorEvaluationContext, rows: list[Workspace]) -> Iterator[tuple[Workspace, str]]:
    """Those that may run now, each with the key of its run."""
    home = Home.of(context)
    at_work = busy(context.instance, [row.slug for row in rows], home)
    for row in rows:
        if row.slug not in at_work and (key := run_key(context.instance, row.slug, row.generation, home)):
            yield row, key


def _requests(
    context: dg.SensorEvaluationContext, rows: list[Workspace], tags: Mapping[str, str] = MappingProxyType({})
) -> list[dg.RunRequest]:
    """Run requests for those that may run now, so many at a time that the queue stays readable."""
    may = itertools.islice(_may_run(context, rows), MOST_REQUESTS)
    return [_request(row.slug, READERS[asset_of(row.platform)][Purpose.SYNC], tags, key) for row, key in may]


def _request(slug: str, job: str, tags: Mapping[str, str], key: str | None = None) -> dg.RunRequest:
    return dg.RunRequest(run_key=key, job_name=job, partition_key=slug, tags={**tags, WORKSPACE_TAG: slug})


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    asset_selection=selection(*FILLING),
    description="Begins a new build of indexes that this release would cut differently, and asks for a backfill of the "
    "workspaces whose new builds are to be filled.",
)
def index_builds(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Asks for the filling of builds that no run is filling."""
    with tick_database() as database:
        if database is None:
            return dg.SkipReason(NO_SCHEMA)
        with database.connection() as connection:
            rows = {row.slug: row for row in list_all(connection) if row.status == "active"}
            for row in rows.values():
                rebuild_outdated(connection, row.workspace_id)
            waiting = [rows[slug] for slug in to_fill(connection) if slug in rows]
            filled = fill_requested(connection, [row.slug for row, _ in _may_run(context, waiting)])
    if not filled:
        return dg.SkipReason(f"{len(waiting)} workspaces have a build to be filled; none can begin now.")
    ours = our_assets(context.repository_def) if context.repository_def else {}
    tags = {**load_launcher_settings().tags_of_embedding, PURPOSE_TAG: PURPOSES[FILL_JOB]}
    backfill = backfill_request([ours[name] for name in FILLING], filled, tags) if ours else None
    return dg.SensorResult(run_requests=[backfill] if backfill else [_request(slug, FILL_JOB, tags) for slug in filled])


@dg.sensor(
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Delivers what was published to the targets that do not have it yet, and drops collections that nobody "
    "wants any more. In the tick itself: a run would take longer to start than most deliveries take.",
)
def target_deliveries(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Follows the publishes of all workspaces, those of a sync that still reads among them."""
    with tick_database() as database:
        if database is None:
            return dg.SkipReason(NO_SCHEMA)
        did = follow_once(database)
    failed = [f"{each.target}: {each.error}" for each in did.deliveries if each.error is not None]
    put, taken = sum(each.put for each in did.deliveries), sum(each.taken for each in did.deliveries)
    said = f"{did.due} targets were due: {put} rows put, {taken} taken out. {did.dropped} collections were dropped."
    return dg.SkipReason(" ".join([said, *failed]))


SENSORS = [workspace_registry, source_changes, index_builds, target_deliveries, alerts, ticket_summaries]
_ASKING_FOR_SYNCS = (workspace_registry, source_changes)


def asking_for(
    syncs: Sequence[dg.UnresolvedAssetJobDefinition], sensors: Sequence[dg.SensorDefinition]
) -> list[dg.SensorDefinition]:
    """The sensors, those of ours that ask for syncs with the jobs that sync: a request picks that of its workspace.

    The jobs are made after the sensors, because they know a host's prefix.
    """
    with warnings.catch_warnings():
        # Dagster warns of its parameter `owners`, which it hands on here itself.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return [each.with_updated_jobs(syncs) if each in _ASKING_FOR_SYNCS else each for each in sensors]
