"""Jobs that commands run in their own process, and the sync reports of those that end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from arcana_pipelines.cli.interrupts import interruptible
from arcana_pipelines.cli.progress import progress
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.counters import Counters
from arcana_pipelines.operations.reports import SyncReport, sync_report
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.sources.registry import check_source, require_platform
from arcana_pipelines.taxonomy.counts import classified_since
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import Workspace


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that ended.

    Attributes:
        seconds: how long it took here, waiting for other runs included.
        run_id: its id in Dagster; None: nothing had changed, and it was over without a run of Dagster's.
        classified: documents that it looked at for topics.
    """

    report: SyncReport
    seconds: float
    run_id: str | None
    classified: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The JSON that `arcana sync` prints."""
        return {**self.report.as_dict(), "seconds": self.seconds, "run_id": self.run_id}


def run_sync(
    database: Database,
    slug: str,
    mode: Mode,
    *,
    as_json: bool = False,
    purpose: Literal["sync", "audit", "retry", "stage"] = "sync",
    **config: Any,
) -> Ran:
    """Run the job that does this for one partition and return its report. `config`: see `SyncConfig`.

    Raises:
        WrongUse: the workspace cannot be synced as it is set up; no run was started.
        Exception: the first failed asset's own error.
    """
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        began = query.scalar(connection, "SELECT now()")
    check_source(workspace.platform, workspace.source_config, workspace.credential_ref, slug, database)
    started = time.monotonic()
    if purpose == "sync" and mode is Mode.INCREMENTAL and not config.get("allow_removals"):
        report = _run_quietly(database, workspace, as_json)
        if report is not None:
            return Ran(report, round(time.monotonic() - started, 3), None)
    from arcana_pipelines.defs.config import sync_config
    from arcana_pipelines.defs.jobs import READERS

    asset = require_platform(workspace.platform, slug).asset
    asked = sync_config(mode, asset=asset, **config)
    run_id, number = run_job(database, workspace, READERS[asset][purpose], asked, as_json=as_json)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        generation = generations.numbered(connection, workspace.workspace_id, number)
        if generation is None:
            raise ArcanaError(f"The run {run_id} ended without a sync of '{slug}'.")
        report = sync_report(connection, workspace, generation)
        classified = classified_since(connection, workspace.workspace_id, began)
    return Ran(report, round(time.monotonic() - started, 3), run_id, classified)


def run_job(
    database: Database, workspace: Workspace, job: str, config: Mapping[str, object], *, as_json: bool
) -> tuple[str, int | None]:
    """Run a job for one partition in this process; returns the run's id and the generation that it opened.

    Raises:
        Interrupted: Ctrl-C or SIGTERM.
        Exception: the first failed asset's own error.
    """
    from arcana_pipelines.defs import partitions, run
    from arcana_pipelines.defs.instance import open_instance

    run_id = str(uuid4())
    fills = job == "fill_indexes"
    begins = "starting" if fills else "listing"
    with open_instance(database) as instance, progress(database, workspace, not as_json, begins, fills):
        partitions.add(instance, workspace.slug)

        def note() -> None:
            run.mark_canceled(instance, run_id)
            _note_interrupted(database, workspace, run_id)

        with _told_of(workspace, note, as_json):
            return run_id, run.execute(instance, workspace.slug, config, job, run_id)


def _run_quietly(database: Database, workspace: Workspace, as_json: bool) -> SyncReport | None:
    """The sync of a workspace where there is nothing to do; None where a run of Dagster's has to do something.

    Raises:
        Interrupted: Ctrl-C or SIGTERM.
    """
    from arcana_pipelines.pipeline.quiet_sync import quiet_sync

    run_id = str(uuid4())
    with (
        progress(database, workspace, not as_json, "looking for changes"),
        _told_of(workspace, lambda: _note_interrupted(database, workspace, run_id), as_json),
    ):
        return quiet_sync(database, workspace.slug, run_id)


@contextmanager
def _told_of(workspace: Workspace, record: Callable[[], None], as_json: bool) -> Iterator[None]:
    """Work on a workspace that an interrupt ends with a sentence, and whose errors name the workspace.

    `record` writes down that it was interrupted.
    """
    message = (
        f"Interrupted. What was read and embedded for '{workspace.slug}' is kept; the next sync goes on from there."
    )
    with interruptible(message, record, as_json) as interrupted:
        try:
            yield
        except BaseException as error:
            # Whatever it was doing, and whatever that made of the interrupt.
            if (signalled := interrupted()) is not None:
                record()
                raise signalled from error
            if isinstance(error, ArcanaError) and f"'{workspace.slug}'" not in str(error):
                raise type(error)(f"Workspace '{workspace.slug}': {error}") from error
            raise


def _note_interrupted(database: Database, workspace: Workspace, run_id: str) -> None:
    with database.connect() as connection:
        # A run that waits for its turn has opened none, and the newest is that of the run it waits for.
        opened = generations.begun_by(connection, workspace.workspace_id, run_id)
        if opened is not None:
            generations.merge_counters(connection, opened, Counters(ended="interrupted"))
