"""Is there anything to do for a workspace? What the change sensor asks, many times a minute."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError, MissingToken, SourcePaused, SourceUnavailable, TokenRevoked
from arcana_pipelines.ledger import pages, sweeps
from arcana_pipelines.sources.protocol import Mode, PageRef, Source
from arcana_pipelines.sources.registry import open_source
from arcana_pipelines.workspaces.workspaces import Workspace

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# A workspace whose source cannot be asked is asked again after 30 s * 2^(n-1), half an hour at most; one without its
# token after 30 s.
FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Poll:
    """Whether a sync is called for, and why in a few words.

    Attributes:
        needed: a sync is called for.
        reason: why, in a few words.
    """

    needed: bool
    reason: str = ""


def poll_and_record(database: Database, workspace: Workspace) -> None:
    """Ask one workspace's source and write the answer down: `sync_needed`, or what went wrong and when to look again.

    The answer is in the table and nowhere else, so one that comes late is not lost.
    """
    began = _begin(database, workspace)
    try:
        poll = _ask(database, workspace)
    except TokenRevoked as error:
        # One run that fails tells people (the alert); then the looks alone go on, ever more rarely.
        reason = "the token is not accepted" if workspace.poll_failures == 0 else None
        _note_failure(database, workspace, error, reason)
    except SourcePaused as error:
        log.info("workspace '%s': %s", workspace.slug, error)  # the token's pause keeps it from its turn
    except ArcanaError as error:
        _note_failure(database, workspace, error, None)
    else:
        if poll.needed:
            log.info("workspace '%s': %s", workspace.slug, poll.reason)
        _update(
            database, workspace,
            "sync_needed = %s, unchanged_at = CASE WHEN %s THEN unchanged_at ELSE %s END, "
            "poll_failures = 0, poll_problem = NULL, poll_after = NULL",
            poll.reason or None, poll.needed, began,
        )  # fmt: skip


def _ask(database: Database, workspace: Workspace) -> Poll:
    row = workspace
    source = open_source(row.platform, row.source_config, row.credential_ref, row.slug, database, hurried=True)
    try:
        found = poll(database, workspace, source)
        sweeps.take_turn(database, workspace, source)
        return found
    finally:
        source.close()


def _begin(database: Database, workspace: Workspace) -> datetime | None:
    """Note that the workspace has its turn; returns the time, or None where it was removed meanwhile."""
    with database.connection() as connection:
        began: datetime | None = scalar(
            connection,
            "UPDATE workspace SET polled_at = now() WHERE workspace_id = %s RETURNING polled_at",
            [workspace.workspace_id],
        )
    return began


def _note_failure(database: Database, workspace: Workspace, error: ArcanaError, sync_needed: str | None) -> None:
    log.warning("workspace '%s' could not be looked at: %s", workspace.slug, error)
    # A missing token costs no request, and who sets it waits.
    failures = 0 if isinstance(error, MissingToken) else min(workspace.poll_failures, 20)
    pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**failures)
    _update(
        database, workspace,
        "poll_failures = poll_failures + 1, poll_problem = %s, poll_after = now() + make_interval(secs => %s), "
        "sync_needed = coalesce(%s, sync_needed)",
        str(error), pause, sync_needed,
    )  # fmt: skip


def _update(database: Database, workspace: Workspace, assignments: LiteralString, *values: object) -> None:
    with database.connection() as connection:
        connection.execute(
            f"UPDATE workspace SET {assignments} WHERE workspace_id = %s", [*values, workspace.workspace_id]
        )


def poll(database: Database, workspace: Workspace, source: Source, at_once: bool = False) -> Poll:
    """Compare the source's newest pages and its trash with the ledger; nothing is written.

    No connection is held while the source is asked. `at_once`: what a sync of a moment ago left counts, too.

    Raises:
        SourceError: the source could not be asked.
    """
    if workspace.generation == 0:
        return Poll(True, "never listed completely")
    with database.connection() as connection:
        key = {"workspace_id": workspace.workspace_id, "at_once": at_once, "fetches": database.settings.files == "on"}
        left = scalar(connection, load_sql("work_left"), key)
    if left:
        return Poll(True, left)
    if source.capabilities.probes and source.unchanged_since(workspace.source_cursor):
        return Poll(False)
    return _compare(database, workspace, source)


def _compare(database: Database, workspace: Workspace, source: Source) -> Poll:
    def is_unchanged(refs: Sequence[PageRef]) -> list[bool]:
        with database.connection() as connection:
            return pages.are_unchanged(connection, workspace.workspace_id, refs)

    listing = source.enumerate(Mode.INCREMENTAL, workspace.source_cursor, is_unchanged)
    if workspace.source_cursor is None and not source.capabilities.lists_everything:
        return Poll(True, "never listed completely")
    listed = 0
    for batch in listing.batches:
        listed += sum(not ref.in_trash and not ref.is_container for ref in batch)
        changed = sum(not same for same in is_unchanged(batch))
        if changed:
            return Poll(True, f"{changed} pages changed")
    if listing.problems and not listed:
        raise SourceUnavailable("; ".join(listing.problems))
    if workspace.source_cursor is None and listing.complete:
        return Poll(True, "can be listed completely now")
    known = _known(database, workspace.workspace_id, listing.trash_since)
    if listing.trash is not None and known.trashed - listing.trash:
        return Poll(True, "pages left the trash")
    if source.capabilities.lists_everything and listing.complete and listed != known.alive:
        return Poll(True, "pages disappeared")
    return Poll(False)


@dataclass(frozen=True, slots=True)
class _Known:
    alive: int
    trashed: set[str]


def _known(database: Database, workspace_id: UUID, trash_since: datetime | None) -> _Known:
    """`trash_since`: the listing of the trash reaches back to it, not beyond; None: it is whole."""
    with database.connection() as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE state <> 'tombstoned' AND NOT is_container), "
            "coalesce(array_agg(external_id) FILTER (WHERE state = 'tombstoned' AND in_trash "
            "AND (%(since)s::timestamptz IS NULL OR last_edited_at > %(since)s)), '{}') "
            "FROM source_page WHERE workspace_id = %(workspace_id)s",
            {"workspace_id": workspace_id, "since": trash_since},
        ).fetchone()
    assert row is not None
    return _Known(row[0], set(row[1]))
