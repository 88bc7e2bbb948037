"""What a workspace is at: its indexes, its last sync, and what is not indexed and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.targets.targets import Target, seen, targets_of
from arcana_pipelines.ledger import files, generations, pages
from arcana_pipelines.ledger.counters import Counters, LookupCounts
from arcana_pipelines.ledger.files import FileCount
from arcana_pipelines.ledger.freshness import Freshness, freshness
from arcana_pipelines.ledger.pages import PartialPages
from arcana_pipelines.operations.reports import (
    NotServing,
    Progress,
    ServedIndex,
    builds_not_serving,
    progress_of,
    served_counts,
    sync_report,
)
from arcana_pipelines.sources.registry import out_of_reach
from arcana_pipelines.taxonomy.counts import TopicCounts, topic_counts
from arcana_pipelines.tickets.summaries.counts import SummaryCounts, summary_counts
from arcana_pipelines.workspaces.lease import locked
from arcana_pipelines.workspaces.workspaces import Workspace

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class LastSync:
    """The newest sync of a workspace. An estimate is none.

    Attributes:
        state: `done`, `running`, `interrupted` or `not finished`.
        generation: its number.
        mode: `incremental`, `full` or `audit`.
        listing_complete: the source listed everything that it was asked for; None while it lists.
        problems: why the listing is not complete, in words; of one that is not finished what its own run failed with,
            where an alert says so and it was not the source (see `SourceState.problem`), or since when that run has
            given no sign of life.
        started_at: aware.
        finished_at: aware; None until it is done.
        pages: what became of how many pages (see `SyncReport.pages_as_dict`).
        waiting_removals: pages whose removal waits for a person.
        waiting_titles: of the first ten of these; None: of one without a title.
        lookups: paths of topics that it looked up; None where it did not.
    """

    state: str
    generation: int
    mode: str
    listing_complete: bool | None
    problems: Sequence[str]
    started_at: datetime
    finished_at: datetime | None
    pages: Mapping[str, int]
    waiting_removals: int
    waiting_titles: Sequence[str | None] = ()
    lookups: LookupCounts | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `waiting_titles` and `lookups` only where there are any."""
        told = {**asdict(self), "started_at": self.started_at.isoformat(), "finished_at": _iso(self.finished_at)}
        if not self.waiting_titles:
            del told["waiting_titles"]
        if self.lookups is None:
            del told["lookups"]
        else:
            told["lookups"]["hit_rate"] = self.lookups.hit_rate
        return told


@dataclass(frozen=True, slots=True)
class SourceState:
    """What keeps a workspace from its source, and what the source has that this release does not know.

    Attributes:
        problem: why the source cannot be looked at or read, in words; None where it can.
        paused_until: aware; until then the source wants to be asked nothing. None: it did not say so.
        pause_reason: what it said.
        unknown_types: on how many pages each type stands that is not known.
    """

    problem: str | None
    paused_until: datetime | None
    pause_reason: str | None
    unknown_types: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "paused_until": _iso(self.paused_until)}


@dataclass(frozen=True, slots=True)
class NotIndexed:
    """Pages that are not served as the source has them, for one reason.

    Attributes:
        state: theirs in the ledger: `pending`, `skipped`, `quarantined` or `suspect`.
        reason: in words; empty where there is nothing to say but that they wait.
        pages: how many.
        examples: five of them at most, each with `external_id` and `title`.
    """

    state: str
    reason: str
    pages: int
    examples: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class WorkspaceStatus:
    """What a workspace is at, as `arcana status` tells it.

    Attributes:
        workspace: its slug.
        platform: the kind of its source.
        status: `active`, `paused` or `deleting`.
        indexes: those that serve, with their counts.
        running: how far the run is that works on the workspace now; None where none does.
        last_sync: None before the first one.
        builds_not_serving: builds that are being made.
        freshness: up to when what happened in the source would have been seen.
        source: what keeps it from its source.
        not_indexed: what is not served, a group a reason, the largest first.
        partial: pages that are known to be incomplete in the index.
        targets: copies of the indexes in other stores.
        files: what hangs on its pages, by state and reason.
        summaries: of its tickets; None where it has none.
        topics: of its documents; None where no taxonomy is active.
    """

    workspace: str
    platform: str
    status: str
    indexes: Sequence[ServedIndex]
    running: Progress | None
    last_sync: LastSync | None
    builds_not_serving: Sequence[NotServing]
    freshness: Freshness
    source: SourceState
    not_indexed: Sequence[NotIndexed]
    partial: PartialPages
    targets: Sequence[Target]
    files: Sequence[FileCount]
    summaries: SummaryCounts | None
    topics: TopicCounts | None

    def as_dict(self) -> dict[str, Any]:
        """The JSON that `arcana status` prints."""
        return {
            "workspace": self.workspace,
            "platform": self.platform,
            "status": self.status,
            "indexes": [index.as_dict() for index in self.indexes],
            "running": self.running.as_dict() if self.running else None,
            "last_sync": self.last_sync.as_dict() if self.last_sync else None,
            "builds_not_serving": [build.as_dict() for build in self.builds_not_serving],
            "freshness": self.freshness.as_dict(),
            "source": self.source.as_dict(),
            "not_indexed": [asdict(group) for group in self.not_indexed],
            "partial": self.partial.as_dict(),
            "targets": [target.as_dict() for target in self.targets],
            "files": [asdict(count) for count in self.files],
            "summaries": _summaries(self.summaries),
            "topics": self.topics.as_dict() if self.topics else None,
        }


def workspace_status(connection: Connection, workspace: Workspace, summary_model: str | None = None) -> WorkspaceStatus:
    """Indexes, last sync and what is not indexed, grouped by the same reason.

    Summaries of another model than `summary_model` wait to be made anew.
    """
    parameters = {"workspace_id": workspace.workspace_id}
    is_running = workspace.slug in locked(connection)
    return WorkspaceStatus(
        workspace=workspace.slug,
        platform=workspace.platform,
        status=workspace.status,
        indexes=served_counts(connection, workspace.workspace_id),
        running=progress_of(connection, workspace.workspace_id) if is_running else None,
        last_sync=_last_sync(connection, workspace, is_running),
        builds_not_serving=builds_not_serving(connection, workspace.workspace_id),
        freshness=freshness(connection, workspace.workspace_id),
        source=_source_state(connection, workspace),
        not_indexed=query.rows(connection, NotIndexed, load_sql("not_indexed"), parameters),
        partial=pages.partial_pages(connection, workspace.workspace_id),
        targets=seen(targets_of(connection, workspace.workspace_id)),
        files=files.counts(connection, workspace.workspace_id),
        summaries=next(iter(summary_counts(connection, workspace.workspace_id, summary_model)), None),
        topics=next(iter(topic_counts(connection, workspace.workspace_id)), None),
    )


def _summaries(counts: SummaryCounts | None) -> dict[str, int] | None:
    if counts is None:
        return None
    return {name: value for name, value in asdict(counts).items() if name != "workspace"}


def _last_sync(connection: Connection, workspace: Workspace, is_running: bool) -> LastSync | None:
    generation = generations.last_sync(connection, workspace.workspace_id)
    if generation is None:
        return None
    times = query.one(
        connection,
        _Times,
        "SELECT started_at, finished_at, listing_complete FROM sync_generation "
        "WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s",
        generation.params,
    )
    noted = generations.counters(connection, generation)
    report = sync_report(connection, workspace, generation)
    state = _state_of(times.finished_at is not None, is_running, noted)
    return LastSync(
        state=state,
        generation=report.generation,
        mode=report.mode,
        listing_complete=times.listing_complete,
        problems=report.problems or (_failure(connection, workspace, noted.run) if state == "not finished" else []),
        started_at=times.started_at,
        finished_at=times.finished_at,
        pages=report.pages_as_dict(),
        waiting_removals=report.waiting_removals,
        waiting_titles=_waiting_titles(connection, workspace) if report.waiting_removals else (),
        lookups=noted.lookups,
    )


def _waiting_titles(connection: Connection, workspace: Workspace) -> list[str | None]:
    return query.scalars(
        connection,
        "SELECT title FROM source_page WHERE workspace_id = %s AND state = 'suspect' AND NOT is_container "
        "ORDER BY external_id LIMIT 10",
        [workspace.workspace_id],
    )


def _failure(connection: Connection, workspace: Workspace, run: str | None) -> list[str]:
    """Why the run with this id has not finished, where an alert of it says so, or else its lease."""
    told = query.scalars(
        connection,
        "SELECT a.detail FROM alert a JOIN workspace w ON w.slug = a.workspace "
        "WHERE w.workspace_id = %s AND w.poll_problem IS NULL AND a.resolved_at IS NULL "
        "AND a.cause = 'failed_run' AND a.subject = 'sync' AND a.detail <> '' "
        "AND a.run_id = %s",
        [workspace.workspace_id, run],
    )
    if told or run is None:
        return told
    silent = query.scalars(
        connection,
        "SELECT to_char(heartbeat_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM workspace_lease l "
        "JOIN workspace w USING (workspace_id) WHERE workspace_id = %s AND run = %s AND w.poll_problem IS NULL",
        [workspace.workspace_id, run],
    )
    return [
        f"Its run {run} has given no sign of life since {since} UTC: its process is gone, or hangs. If it is still "
        "there, end it. The next sync goes on from what it had committed, by itself where `arcana up` runs."
        for since in silent
    ]


@dataclass(frozen=True, slots=True)
class _Times:
    started_at: datetime
    finished_at: datetime | None
    listing_complete: bool | None


def _state_of(is_finished: bool, is_running: bool, noted: Counters) -> str:
    if is_finished:
        return "done"
    return noted.ended or ("running" if is_running else "not finished")


def _source_state(connection: Connection, workspace: Workspace) -> SourceState:
    held = query.one(
        connection,
        _Polled,
        "SELECT w.poll_problem, l.paused_until, l.reason FROM workspace w LEFT JOIN source_limit l "
        "ON l.credential_hash = w.credential_hash AND l.paused_until BETWEEN now() AND now() + interval '1 hour' "
        "WHERE w.workspace_id = %s",
        [workspace.workspace_id],
    )
    return SourceState(
        # A missing export is seen here first, where no sensor runs.
        problem=out_of_reach(workspace.platform, workspace.source_config) or held.poll_problem,
        paused_until=held.paused_until,
        pause_reason=held.reason,
        unknown_types=pages.unknown_types(connection, workspace.workspace_id),
    )


@dataclass(frozen=True, slots=True)
class _Polled:
    poll_problem: str | None
    paused_until: datetime | None
    reason: str | None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
