"""How fresh a workspace is: up to when everything that happened in its source would have been seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class Freshness:
    """Up to when everything would have been seen, and where the sweep stands. Times are aware and the database's.

    Attributes:
        absences_seen_to: each page that was gone by then was missed: the last listing of everything, or the last whole
            sweep, began at this time. None: there was none.
        edits_seen_to: each edit that the source showed by then was seen: the last complete listing, or the last look
            that found nothing new, began at this time. None: there was none.
        unlisted: pages that no sweep shows although they are there; that they are gone is seen by audits alone.
        began_at: of the sweep that is under way; None: none is.
        requests: of the sweep that is under way so far.
        whole_began_at: of the last whole sweep; None: there was none.
        whole_ended_at: its end.
        whole_requests: what it asked.
        problem: why the last sweep that ended proved nothing, in words; None: it was whole.
    """

    absences_seen_to: datetime | None
    edits_seen_to: datetime | None
    unlisted: int
    began_at: datetime | None
    requests: int
    whole_began_at: datetime | None
    whole_ended_at: datetime | None
    whole_requests: int | None
    problem: str | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }


def freshness(connection: Connection, workspace_id: UUID) -> Freshness:
    """How fresh a workspace is now."""
    return query.one(connection, Freshness, load_sql("freshness"), {"workspace_id": workspace_id})
