"""What a sync did and what the indexes hold, for people and checks to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import Build, builds_of
from arcana_pipelines.indexes.lifecycle import why_not_serving
from arcana_pipelines.ledger import generations, pages
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.sources.registry import out_of_reach
from arcana_pipelines.workspaces.lock import locked
from arcana_pipelines.workspaces.workspaces import Workspace

load_sql = statements_beside(__file__)

MOST_CHANGES = 20


@dataclass(frozen=True, slots=True)
class ServedIndex:
    """An index's own counts beside what is really there."""

    name: str
    embedding_model: str
    dimensions: int
    object_count: int
    vector_count: int
    updated: datetime
    documents: int
    chunks: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "updated": self.updated.isoformat()}


def served_counts(connection: Connection, workspace_id: UUID) -> list[ServedIndex]:
    """Every index of a workspace with its counts and a fresh count of what a search can reach."""
    with connection.cursor(row_factory=class_row(ServedIndex)) as cursor:
        cursor.execute(load_sql("served_counts"), {"workspace_id": workspace_id})
        return cursor.fetchall()


def counts_agree(indexes: Sequence[ServedIndex]) -> bool:
    """True when every index's counts are what is there."""
    return all(index.object_count == index.documents and index.vector_count == index.chunks for index in indexes)


def builds_table(builds: Sequence[Build]) -> str:
    """A small Markdown table of a workspace's builds."""
    lines = ["| index | build | state | model | chunks of about | search | verified |", "|" + " --- |" * 7]
    for build in builds:
        found = build.verification or {}
        said = "" if not found else "yes" if found["passed"] else "; ".join(found["problems"])
        lines.append(
            f"| {_cell(build.index_name)} | {build.rag_index_build_id} | {build.state} "
            f"| {_cell(build.embedding_model)} ({build.dimensions}) | {build.chunker['target_tokens']} tokens "
            f"| {'exact' if build.ann == 'none' else build.ann} | {_cell(said)} |"
        )
    return "\n".join(lines)


def recent_changes(connection: Connection, generation: Generation) -> str:
    """A small Markdown table of what the generation added, changed or could not read."""
    rows = connection.execute(
        "SELECT coalesce(CASE WHEN state = 'quarantined' THEN state ELSE outcome END, state), title, url, reason "
        "FROM source_page WHERE workspace_id = %s AND seen_generation = %s AND kind <> 'data_source' "
        "AND (outcome IN ('added', 'updated') OR state = 'quarantined') "
        "ORDER BY state = 'quarantined' DESC, last_edited_at DESC NULLS LAST, external_id LIMIT %s",
        [generation.workspace_id, generation.number, MOST_CHANGES + 1],
    ).fetchall()
    if not rows:
        return "Nothing changed."
    lines = ["| what | page | note |", "| --- | --- | --- |"]
    for outcome, title, url, reason in rows[:MOST_CHANGES]:
        lines.append(f"| {outcome} | {_linked(title, url)} | {_cell(reason or '')} |")
    if len(rows) > MOST_CHANGES:
        lines.append(f"| … | the first {MOST_CHANGES} are shown | |")
    return "\n".join(lines)


def partial_table(partial: dict[str, Any]) -> str:
    """A small Markdown table of pages that are known to be incomplete, and why."""
    lines = ["| page | what is missing |", "| --- | --- |"]
    for group in partial["reasons"]:
        for page in group["examples"]:
            lines.append(f"| {_linked(page['title'], page['url'])} | {_cell(page['reason'])} |")
        if group["pages"] > len(group["examples"]):
            lines.append(f"| … | {_cell(group['reason'])}: {group['pages']} pages |")
    return "\n".join(lines) if partial["pages"] else "No page is known to be incomplete."


def sync_report(connection: Connection, workspace: Workspace, generation: Generation) -> dict[str, Any]:
    """The JSON that `arcana sync` prints, without seconds and run id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT mode, listing_complete, problems, counters FROM sync_generation "
            "WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s",
            generation.key,
        )
        row = cursor.fetchone()
    assert row is not None
    noted = row["counters"]
    by_outcome = {**generations.counts(connection, generation), "removed": noted.get("removed", 0)}
    by_outcome["pending"] += by_outcome.pop("read")
    report: dict[str, Any] = {
        "workspace": workspace.slug,
        "generation": generation.number,
        "mode": row["mode"],
        "listing_complete": bool(row["listing_complete"]),
        "pages": by_outcome,
        "chunks": noted.get("chunks") or {"published": 0, "retired": 0},
        "embeddings": noted.get("embeddings") or {"computed": 0, "reused": 0, "tokens": 0, "cost": 0.0},
        "notion": {"requests": 0, "throttled": 0, **(noted.get("notion") or {})},
        "partial": pages.partial_pages(connection, workspace.workspace_id),
    }
    if row["problems"]:
        report["problems"] = row["problems"]
    if noted.get("waiting_removals"):
        report["waiting_removals"] = noted["waiting_removals"]
    if not_serving := builds_not_serving(connection, workspace.workspace_id):
        report["builds_not_serving"] = not_serving
    return report


def builds_not_serving(connection: Connection, workspace_id: UUID) -> list[dict[str, Any]]:
    """Builds that are being made, with what keeps each from serving (JSON-ready)."""
    return [
        {"index": build.index_name, "build": build.rag_index_build_id, "reasons": reasons}
        for build in builds_of(connection, workspace_id)
        if (reasons := why_not_serving(connection, build))
    ]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sync is: pages, chunks that wait and those of them that are embedded, documents served.

    `is_indexing`: the index over the vectors is being made, which may take minutes.
    """

    listed: int
    pending: int
    chunks: int
    embedded: int
    served: int
    is_indexing: bool


def progress_of(connection: Connection, workspace_id: UUID) -> Progress:
    """What a sync that runs now has done so far."""
    row = connection.execute(load_sql("progress"), {"workspace_id": workspace_id}).fetchone()
    assert row is not None
    return Progress(*row)


def is_incomplete(report: dict[str, Any]) -> bool:
    """True when a sync ended but left something out: exit code 3."""
    pages = report["pages"]
    left_out = (
        pages["quarantined"]
        or pages["pending"]
        or report.get("waiting_removals")
        or report["embeddings"].get("waiting")
    )
    return not report["listing_complete"] or bool(left_out)


def workspace_status(connection: Connection, workspace: Workspace) -> dict[str, Any]:
    """Indexes, last sync and what is not indexed, grouped by the same reason."""
    generation = generations.current(connection, workspace.workspace_id)
    last = connection.execute(
        "SELECT generation, mode, listing_complete, problems, started_at, finished_at FROM sync_generation "
        "WHERE workspace_id = %s ORDER BY generation DESC LIMIT 1",
        [workspace.workspace_id],
    ).fetchone()
    noted = {} if generation is None else generations.counters(connection, generation)
    is_running = workspace.slug in locked(connection)
    groups = connection.execute(load_sql("not_indexed"), {"workspace_id": workspace.workspace_id}).fetchall()
    return {
        "workspace": workspace.slug,
        "platform": workspace.platform,
        "status": workspace.status,
        "indexes": [index.as_dict() for index in served_counts(connection, workspace.workspace_id)],
        "running": asdict(progress_of(connection, workspace.workspace_id)) if is_running else None,
        "last_sync": None
        if last is None or generation is None
        else {
            "state": _state_of(last[5] is not None, is_running, noted),
            "generation": last[0],
            "mode": last[1],
            "listing_complete": last[2],
            "problems": last[3],
            "started_at": last[4].isoformat(),
            "finished_at": last[5].isoformat() if last[5] else None,
            "pages": sync_report(connection, workspace, generation)["pages"],
            "waiting_removals": noted.get("waiting_removals", 0),
        },
        "builds_not_serving": builds_not_serving(connection, workspace.workspace_id),
        "source": _source_state(connection, workspace),
        "not_indexed": [
            {"state": state, "reason": reason, "pages": count, "examples": examples}
            for state, reason, count, examples in groups
        ],
        "partial": pages.partial_pages(connection, workspace.workspace_id),
    }


def _state_of(is_finished: bool, is_running: bool, noted: Mapping[str, Any]) -> str:
    if is_finished:
        return "done"
    return "running" if is_running else str(noted.get("ended") or "not finished")


def _source_state(connection: Connection, workspace: Workspace) -> dict[str, Any]:
    """What keeps the workspace from its source, if anything, and what the source has that we do not know."""
    row = connection.execute(
        "SELECT w.poll_problem, l.paused_until, l.reason FROM workspace w LEFT JOIN source_limit l "
        "ON l.credential_hash = w.credential_hash AND l.paused_until > now() WHERE w.workspace_id = %s",
        [workspace.workspace_id],
    ).fetchone()
    assert row is not None
    problem, paused_until, reason = row
    return {
        # A missing export is seen here first, where no sensor runs.
        "problem": out_of_reach(workspace.platform, workspace.source_config) or problem,
        "paused_until": paused_until.isoformat() if paused_until else None,
        "pause_reason": reason,
        "unknown_types": pages.unknown_types(connection, workspace.workspace_id),
    }


def _linked(title: str, url: str | None) -> str:
    shown = _cell(title or "Untitled")
    return f"[{shown}]({url})" if url else shown


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("[", "(").replace("]", ")").split())[:160]
