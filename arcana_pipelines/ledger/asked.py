"""Syncs that somebody asked for, who may not run them: the sensor starts them, and their numbers are known before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.ledger.counters import Counters
from arcana_pipelines.workspaces.lease import locked

load_sql = statements_beside(__file__)

# The sensor looks every ten seconds; a run takes some to start.
LATE = timedelta(minutes=2)
_LATE = (
    "It has not begun within two minutes: its source may not be readable, or Dagster's daemon does not run. "
    "`arcana status --check` says why, where the installation is."
)

State = Literal["waiting", "running", "finished", "ended"]


@dataclass(frozen=True, slots=True)
class AskedSync:
    """A sync, as whoever asked for it sees it.

    Attributes:
        generation: its number.
        state: `waiting`: it has not begun. `running`. `finished`: all that it read can be found. `ended`: it stopped
            before that, and a later one goes on from there.
        mode: `incremental`, `full` or `audit`; None while it waits.
        asked_at: when it was asked for, while it waits.
        listing_complete: the source listed everything that it was asked for; None: that is not known yet.
        pages: what became of the pages: `added`, `updated`, `unchanged`, `quarantined` and so on; None until it ended.
        removed: pages that are proven gone.
        waiting_removals: pages whose removal waits for a person.
        problems: why the listing is not complete, or why it waits so long, in words.
    """

    generation: int
    state: State
    mode: str | None = None
    asked_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    listing_complete: bool | None = None
    pages: dict[str, int] | None = None
    removed: int = 0
    waiting_removals: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    slug: str
    newest: int
    asked_at: datetime | None
    waited: timedelta | None
    mode: str | None
    started_at: datetime | None
    finished_at: datetime | None
    listing_complete: bool | None
    problems: list[str] | None
    counters: dict[str, object] | None


def ask(connection: Connection, workspace_id: UUID) -> int:
    """Ask for a sync, which the sensor `source_changes` starts at its next tick; returns the generation it will be.

    One that was asked for and has not begun yet is that sync. One that is at work is not: it may have looked already.

    Raises:
        WrongUse: the workspace is paused.
    """
    number: int | None = query.scalar(
        connection,
        "UPDATE workspace SET sync_asked_at = coalesce(sync_asked_at, now()) "
        "WHERE workspace_id = %s AND status = 'active' RETURNING generation + 1",
        [workspace_id],
    )
    if number is None:
        raise WrongUse("The workspace is paused: nothing is synced until `arcana workspace resume`.")
    return number


def find(connection: Connection, workspace_id: UUID, number: int) -> AskedSync | None:
    """A sync by its number; None where there is none of it, and none was asked for."""
    row = query.find(connection, _Row, load_sql("asked_sync"), {"workspace_id": workspace_id, "number": number})
    if row is None:
        return None
    if row.mode is None:
        waits = row.asked_at is not None and number == row.newest + 1
        late = (_LATE,) if row.waited is not None and row.waited > LATE else ()
        return AskedSync(number, "waiting", asked_at=row.asked_at, problems=late) if waits else None
    state: State = "finished" if row.finished_at is not None else "ended"
    if state == "ended" and number == row.newest and row.slug in locked(connection):
        state = "running"
    noted = Counters.of(row.counters or {})
    return AskedSync(
        number,
        state,
        row.mode,
        None,
        row.started_at,
        row.finished_at,
        row.listing_complete,
        None if noted.pages is None else noted.pages.as_dict(),
        noted.removed or 0,
        noted.waiting_removals or 0,
        tuple(row.problems or ()),
    )
