"""What the workspaces are at that a visitor may see, as `arcana status` and the API tell it.

Who may read a workspace is told how fresh it is and how much is not indexed; who administers it what `arcana status`
shows besides: reasons, what waits for a person, and alerts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from arcana_pipelines.alerts.records import OpenAlert, open_alerts
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.indexes.builds import Index, indexes_of
from arcana_pipelines.keys.access import Access
from arcana_pipelines.keys.usage import month_of, searches_of_company
from arcana_pipelines.operations.reports import removal_command
from arcana_pipelines.operations.served_status import ServedStatus, served_status
from arcana_pipelines.operations.status import WorkspaceStatus, workspace_status
from arcana_pipelines.retrieval.shown import shown
from arcana_pipelines.workspaces import workspaces

MOST = 25


@dataclass(frozen=True, slots=True)
class State:
    """A workspace.

    Attributes:
        name: as people call it.
        served: for its readers; None: the key does not read it.
        indexes: those that the key reads.
        whole: for who administers it; None: the key does not, or this server may not look.
        alerts: those that are open, for who administers it.
    """

    slug: str
    name: str
    served: ServedStatus | None
    indexes: Sequence[Index]
    whole: WorkspaceStatus | None
    alerts: Sequence[OpenAlert]

    @property
    def mark(self) -> Literal["paused", "attention", "syncing", "fresh"] | None:
        """It in a word; None: the key may not know."""
        if self.served is None:
            return None
        if self.served.status == "paused":
            return "paused"
        sync = self.served.last_sync
        if self.alerts or self.removals or self.served.not_indexed.quarantined or self.served.edits_seen_to is None:
            return "attention"
        if sync and sync.state in ("running", "waiting"):
            return "syncing"
        return "attention" if sync and (sync.state == "ended" or sync.listing_complete is False) else "fresh"

    @property
    def pages(self) -> int:
        """That can be found, in the index that has most."""
        return max((each.object_count for each in self.indexes), default=0)

    @property
    def removals(self) -> int:
        """Pages whose removal waits for a person."""
        return self.whole.last_sync.waiting_removals if self.whole and self.whole.last_sync else 0

    @property
    def removal_command(self) -> str:
        """What allows that."""
        assert self.whole is not None and self.whole.last_sync is not None
        return removal_command(self.slug, self.whole.last_sync.mode, self.removals)


def states_of(
    database: Database, administered: Database | None, access: Access, after: str
) -> tuple[list[State], str | None]:
    """The state of the workspaces behind a slug that a key sees, and the slug behind which there are more."""
    with database.connection(access.company_id) as connection:
        known: list[tuple[UUID, str, str]] = connection.execute(
            "SELECT workspace_id, slug, name FROM workspace WHERE company_id = %s AND status <> 'deleting' "
            "AND slug > %s ORDER BY slug",
            [access.company_id, after],
        ).fetchall()
        seen = [each for each in known if access.sees(each[0])]
        states = [_of_readers(connection, access, *each) for each in seen[:MOST]]
    if administered is not None and any(access.may("admin", each[0]) for each in seen[:MOST]):
        with administered.connection() as connection:
            alerts = open_alerts(connection)
            states = [
                _of_administrators(connection, state, alerts) if access.may("admin", workspace_id) else state
                for (workspace_id, _, _), state in zip(seen[:MOST], states, strict=True)
            ]
    return states, states[-1].slug if len(seen) > MOST else None


def searches_of_month(database: Database, access: Access) -> tuple[int, int] | None:
    """How many searches the company of a key has made in this month, and how many it may; None: any number."""
    most = access.of_company.searches_per_month
    if most is None:
        return None
    with database.connection(access.company_id) as connection:
        return searches_of_company(connection, access.company_id, month_of(datetime.now(UTC))), most


def _of_readers(connection: Connection, access: Access, workspace_id: UUID, slug: str, name: str) -> State:
    served, indexes = None, []
    if access.may("read", workspace_id):
        served = served_status(connection, workspace_id)
        indexes = [
            each for each in indexes_of(connection, workspace_id) if access.may_in("read", workspace_id, each.name)
        ]
    return State(slug, shown(name) or slug, served, indexes, None, ())


def _of_administrators(connection: Connection, state: State, alerts: Sequence[OpenAlert]) -> State:
    workspace = workspaces.find(connection, state.slug)
    return State(
        state.slug,
        state.name,
        state.served or served_status(connection, workspace.workspace_id),
        state.indexes or indexes_of(connection, workspace.workspace_id),
        workspace_status(connection, workspace),
        [alert for alert in alerts if alert.workspace == state.slug],
    )
