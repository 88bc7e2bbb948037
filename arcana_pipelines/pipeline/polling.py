"""Is there anything to do for a workspace? What the change sensor asks, many times a minute."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.sql import load_sql
from arcana_pipelines.pipeline import ledger
from arcana_pipelines.pipeline.workspaces import Workspace
from arcana_pipelines.sources.protocol import Mode, Source


@dataclass(frozen=True, slots=True)
class Poll:
    """Whether a sync is called for, and why in a few words."""

    needed: bool
    reason: str = ""


def poll(connection: Connection, workspace: Workspace, source: Source) -> Poll:
    """Compare the source's newest pages and its trash with the ledger; nothing is written.

    Raises:
        SourceError: the source could not be asked.
    """
    if workspace.generation == 0 or workspace.source_cursor is None:
        return Poll(True, "never listed completely")
    row = connection.execute(load_sql("work_left"), {"workspace_id": workspace.workspace_id}).fetchone()
    connection.commit()
    if row is not None and row[0]:
        return Poll(True, row[0])
    if source.unchanged_since(workspace.source_cursor):
        return Poll(False)
    return _compare(connection, workspace, source)


def _compare(connection: Connection, workspace: Workspace, source: Source) -> Poll:
    def is_unchanged(refs: object) -> list[bool]:
        return ledger.are_unchanged(connection, workspace.workspace_id, refs)  # type: ignore[arg-type]

    listing = source.enumerate(Mode.INCREMENTAL, workspace.source_cursor, is_unchanged)
    listed = 0
    for batch in listing.batches:
        listed += sum(not ref.in_trash and ref.kind != "data_source" for ref in batch)
        changed = sum(not same for same in is_unchanged(batch))
        connection.commit()
        if changed:
            return Poll(True, f"{changed} pages changed")
    known = _known(connection, workspace.workspace_id)
    if listing.trash is not None and listing.trash_since is None and known.trashed - listing.trash:
        return Poll(True, "pages left the trash")
    if listing.lists_everything and listing.complete and listed != known.alive:
        return Poll(True, "pages disappeared")
    return Poll(False)


@dataclass(frozen=True, slots=True)
class _Known:
    alive: int
    trashed: set[str]


def _known(connection: Connection, workspace_id: UUID) -> _Known:
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE state <> 'tombstoned' AND kind <> 'data_source'), "
        "coalesce(array_agg(external_id) FILTER (WHERE state = 'tombstoned' AND in_trash), '{}') "
        "FROM source_page WHERE workspace_id = %s",
        [workspace_id],
    ).fetchone()
    connection.commit()
    assert row is not None
    return _Known(row[0], set(row[1]))
