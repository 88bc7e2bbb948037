"""What a workspace is at, for its readers: how fresh it is and how much is not indexed, and nothing of its source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import ConfigDict

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.ledger import asked, generations
from arcana_pipelines.ledger.asked import State
from arcana_pipelines.retrieval.shown import shown

load_sql = statements_beside(__file__)

_DESCRIBED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class NewestSync:
    """The newest sync of a workspace."""

    __pydantic_config__: ClassVar[ConfigDict] = _DESCRIBED

    generation: int
    """Its number."""

    state: State
    """`running`; `finished`: all that it read can be found; `ended`: it stopped before, and a later one goes on."""

    mode: str | None
    """`incremental`, `full` or `audit`."""

    started_at: datetime | None

    finished_at: datetime | None

    listing_complete: bool | None
    """The source listed everything that it was asked for. None: that is not known yet."""


@dataclass(frozen=True, slots=True)
class NotIndexed:
    """How many pages are not served as the source has them."""

    __pydantic_config__: ClassVar[ConfigDict] = _DESCRIBED

    pending: int
    """They are still to be read or processed."""

    skipped: int
    """They hold nothing that can be searched."""

    quarantined: int
    """They could not be read; what was read before is still served."""

    suspect: int
    """They were not found, which is looked at again before they are removed."""


@dataclass(frozen=True, slots=True)
class ServedStatus:
    """What a workspace is at."""

    __pydantic_config__: ClassVar[ConfigDict] = _DESCRIBED

    workspace: str
    """Its slug."""

    name: str

    status: str
    """`active`, or `paused`: nothing is synced."""

    edits_seen_to: datetime | None
    """Each edit that the source showed by then was seen. None: there was no complete sync yet."""

    last_sync: NewestSync | None

    not_indexed: NotIndexed


@dataclass(frozen=True, slots=True)
class _Row:
    workspace: str
    name: str
    status: str
    edits_seen_to: datetime | None
    pending: int
    skipped: int
    quarantined: int
    suspect: int


def served_status(connection: Connection, workspace_id: UUID) -> ServedStatus:
    """What a workspace is at now."""
    row = query.one(connection, _Row, load_sql("served_status"), {"workspace_id": workspace_id})
    newest = generations.last_sync(connection, workspace_id)
    sync = asked.find(connection, workspace_id, newest.number) if newest else None
    return ServedStatus(
        workspace=row.workspace,
        name=shown(row.name),
        status=row.status,
        edits_seen_to=row.edits_seen_to,
        last_sync=None
        if sync is None
        else NewestSync(
            sync.generation, sync.state, sync.mode, sync.started_at, sync.finished_at, sync.listing_complete
        ),
        not_indexed=NotIndexed(row.pending, row.skipped, row.quarantined, row.suspect),
    )
