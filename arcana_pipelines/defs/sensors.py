"""What asks for runs. Each sensor does one thing and derives it from durable state: a lost tick loses nothing.

https://docs.dagster.io/guides/automate/sensors
"""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as DeadlinePassed

import dagster as dg
import psycopg

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import current_revision, newest_revision
from arcana_pipelines.defs.jobs import sync_workspace
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.runs import may_run, report_abandoned_runs, report_dead_runs
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.pipeline.lock import is_locked
from arcana_pipelines.pipeline.polling import Poll, poll
from arcana_pipelines.pipeline.workspaces import Workspace, due_for_poll, every, note_polled
from arcana_pipelines.settings import load_settings
from arcana_pipelines.sources.registry import open_source

log = logging.getLogger(__name__)

# A tick that outlives the 60 s of Dagster's sensor RPC loses everything it found.
TICK_SECONDS = 20.0
POLL_THREADS = 16


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    job=sync_workspace,
    description="Mirrors the workspace table into partitions and asks for each new workspace's first sync.",
)
def workspace_registry(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Adds and removes partitions; requests first syncs."""
    database = Database(load_settings())
    try:
        if current_revision(database) != newest_revision():
            return dg.SkipReason("The database has no current schema yet: run `arcana db upgrade`.")
        with database.connection() as connection:
            rows = every(connection)
            connection.commit()
            report_dead_runs(context.instance)
            report_abandoned_runs(context.instance, lambda slug: is_locked(connection, slug))
    finally:
        database.close()
    registered = {row.slug for row in rows}
    mirrored = set(workspaces.get_partition_keys(dynamic_partitions_store=context.instance))
    new, gone = sorted(registered - mirrored), sorted(mirrored - registered)
    changes = [workspaces.build_add_request(new)] if new else []
    removals = [workspaces.build_delete_request(gone)] if gone else []
    first = [row for row in rows if row.generation == 0 and row.status == "active"]
    requests = [_request(row, key) for row in first if (key := may_run(context.instance, row.slug, row.generation))]
    if not (new or gone or requests):
        return dg.SkipReason(f"{len(registered)} workspaces, all mirrored.")
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=[*changes, *removals])


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    job=sync_workspace,
    description="Looks at every source, least recently polled first, and asks for a sync where something changed.",
)
def source_changes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Polls workspaces concurrently inside the tick's time budget."""
    database = Database(load_settings())
    try:
        if current_revision(database) != newest_revision():
            return dg.SkipReason("The database has no current schema yet: run `arcana db upgrade`.")
        with database.connection() as connection:
            due = due_for_poll(connection)
        needed = _poll_all(database, due)
    finally:
        database.close()
    requests = [
        _request(workspace, key)
        for workspace in due
        if workspace.slug in needed and (key := may_run(context.instance, workspace.slug, workspace.generation))
    ]
    if not requests:
        waiting = f", {len(needed)} changed and already running or pausing after a failure" if needed else ""
        return dg.SkipReason(f"Polled {len(due)} workspaces{waiting}.")
    return dg.SensorResult(run_requests=requests)


def _poll_all(database: Database, due: list[Workspace]) -> set[str]:
    """The slugs that need a sync. A workspace that cannot be asked costs the others nothing."""
    needed: set[str] = set()
    deadline = time.monotonic() + TICK_SECONDS
    pool = ThreadPoolExecutor(POLL_THREADS, thread_name_prefix="poll")
    try:
        waiting = {pool.submit(_poll_one, database, workspace): workspace for workspace in due}
        for future in as_completed(waiting, timeout=max(0.1, deadline - time.monotonic())):
            workspace = waiting[future]
            try:
                found = future.result()
            except (ArcanaError, psycopg.Error) as error:
                log.warning("workspace '%s' could not be polled: %s", workspace.slug, error)
                continue
            if found.needed:
                log.info("workspace '%s': %s", workspace.slug, found.reason)
                needed.add(workspace.slug)
    except DeadlinePassed:
        log.warning("the tick's %s s passed before all %d workspaces were polled", TICK_SECONDS, len(due))
    finally:
        # Those that did not come to their turn stay the least recently polled: they are first next time.
        pool.shutdown(wait=False, cancel_futures=True)
    return needed


def _poll_one(database: Database, workspace: Workspace) -> Poll:
    settings = database.settings
    with database.connection() as connection:
        note_polled(connection, workspace.workspace_id)
        connection.commit()
        source = open_source(
            workspace.platform, workspace.source_config, workspace.credential_ref, workspace.slug, settings
        )
        try:
            return poll(connection, workspace, source)
        finally:
            source.close()


def _request(workspace: Workspace, run_key: str) -> dg.RunRequest:
    return dg.RunRequest(run_key=run_key, partition_key=workspace.slug, tags={"arcana/workspace": workspace.slug})


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    monitored_jobs=[sync_workspace],
    description="Tells people that a sync failed: one error line in the log, and a POST to "
    "ALERT_WEBHOOK_URL when it is set.",
)
def failed_syncs(context: dg.RunFailureSensorContext) -> None:
    """Reports one failed run."""
    slug = context.dagster_run.tags.get("dagster/partition", "?")
    causes = [_cause(event) for event in context.get_step_failure_events()]
    text = f"The sync of workspace '{slug}' failed (run {context.dagster_run.run_id}): "
    text += causes[0] if causes else context.failure_event.message or "no reason given"
    context.log.error(text)
    url = load_settings().alert_webhook_url
    if url:
        request = urllib.request.Request(
            url, data=json.dumps({"text": text}).encode(), headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10):
            pass


def _cause(event: dg.DagsterEvent) -> str:
    """The innermost error of a failed step, which is ours."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return (error.message if error else event.message or "no reason given").strip()


SENSORS = [workspace_registry, source_changes, failed_syncs]
