"""The targets of a workspace's indexes: added, listed, paused, dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import sql

from arcana_pipelines.audit.record import record
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows, scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, check_name, lock_index

load_sql = statements_beside(__file__)

# The type of an index that PostgreSQL itself serves.
POSTGRESQL = "pgvector"


@dataclass(frozen=True, slots=True)
class Target:
    """A target as its rows say.

    Attributes:
        index_target_id: a number of its own.
        workspace_id: whose index it copies.
        slug: of that workspace.
        rag_index_id: the index.
        index_name: its name.
        name: unique in the workspace.
        kind: `chroma`, `qdrant`, `milvus` or `sqlite`.
        location: a path, or an address without secrets.
        with_text: the texts of chunks are stored, too.
        serves: searches that name no target are answered from it.
        is_paused: nothing is delivered until it is resumed.
        active_build_id: the build that serves the index; None while none does.
        serving_build_id: the build that the store's own name for what serves points to.
        state: `paused`; `filling` until what serves is proven equal, and `live` as long as it is.
        object_count: documents that it has of the build that serves.
        vector_count: chunks of them.
        delivered_at: when that changed last; aware.
        verified_at: when it was compared last; aware.
        verification: what that found (`Parity`); None before the first time.
        waiting: documents that are to be delivered, of all builds.
        parked: documents that the store refuses.
        lag_seconds: how long the one that waits longest has waited; 0 where none does.
        failures: attempts in a row that failed.
        next_attempt_at: nothing is tried before, but by a sync or a command; aware.
        last_error: why the last one failed; None where it did not.
    """

    index_target_id: UUID
    workspace_id: UUID
    slug: str
    rag_index_id: UUID
    index_name: str
    name: str
    kind: str
    location: str
    with_text: bool
    serves: bool
    is_paused: bool
    active_build_id: int | None
    serving_build_id: int | None
    state: str
    object_count: int
    vector_count: int
    delivered_at: datetime | None
    verified_at: datetime | None
    verification: dict[str, Any] | None
    waiting: int
    parked: int
    lag_seconds: float
    failures: int
    next_attempt_at: datetime | None
    last_error: str | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.name,
            "kind": self.kind,
            "location": self.location,
            "index": self.index_name,
            "state": self.state,
            "serves": self.serves,
            "object_count": self.object_count,
            "vector_count": self.vector_count,
            "waiting": self.waiting,
            "parked": self.parked,
            "lag_seconds": round(self.lag_seconds, 3),
            "delivered_at": self.delivered_at.isoformat() if self.delivered_at else None,
            "verified_at": self.verified_at.isoformat() if self.verified_at else None,
            "failures": self.failures,
            "last_error": self.last_error,
        }


def all_targets(connection: Connection) -> list[Target]:
    """Those of all workspaces, by slug and name."""
    return _targets(connection)


def targets_of(connection: Connection, workspace_id: UUID, name: str | None = None) -> list[Target]:
    """The targets of a workspace, or the one of this name, by name.

    Raises:
        WrongUse: there is none of this name.
    """
    found = _targets(connection, workspace_id=workspace_id, name=name)
    if name is not None and not found:
        raise WrongUse(f"There is no target '{name}' in this workspace. `arcana target list` shows those there are.")
    return found


def seen(targets: Sequence[Target]) -> list[Target]:
    """The same, those with their error whose store was a file or a folder of this machine and is not there any more."""
    return [replace(each, last_error=each.last_error or lost(each)) for each in targets]


def lost(target: Target) -> str | None:
    """That the file or folder of a target that had rows is not there any more; None where it is, or there was none."""
    if not target.vector_count or not is_gone(target.location):
        return None
    again = "once it is resumed" if target.is_paused else "by itself"
    return f"{target.location} is not there any more. It is filled again {again}."


def is_gone(location: str) -> bool:
    """Whether a location is a path, as of an embedded store, and nothing is there on this machine."""
    return "://" not in location and not Path(location).exists()


@dataclass(frozen=True, slots=True)
class BuildOfTarget:
    """A build of a target's index, what it was made by, and what the target has of it.

    Attributes:
        build: its number.
        dimensions: numbers of a vector.
        is_serving: it serves the index.
        is_named: the store's own name for what serves points to it.
        collection: its name in the store; None where there is none yet.
        state: `filling` or `live` (proven equal since it serves); None without a collection.
        is_counted: its rows were counted since the last change.
        is_behind: documents wait, and the store does not refuse them.
        made_by: the model, sizes of chunks and fingerprint of the build.
    """

    build: int
    dimensions: int
    is_serving: bool
    is_named: bool
    collection: str | None
    state: str | None
    is_counted: bool
    is_behind: bool
    made_by: dict[str, Any]


def builds_of_target(connection: Connection, target: Target) -> list[BuildOfTarget]:
    """The builds of a target's index, the one that serves first."""
    key = {"index_target_id": target.index_target_id}
    return rows(connection, BuildOfTarget, load_sql("builds_of_target"), key)


def due_targets(connection: Connection) -> list[Target]:
    """Those of all workspaces to which something is to be delivered now, who has waited longest first."""
    due = scalars(connection, sql.SQL(load_sql("due_targets")).format(has_work=sql.SQL(load_sql("has_work"))))
    found = _targets(connection, targets=due) if due else []
    return sorted(found, key=lambda target: -target.lag_seconds)


def _targets(connection: Connection, **wanted: Any) -> list[Target]:
    everything = {"workspace_id": None, "name": None, "targets": None}
    return rows(connection, Target, load_sql("targets"), {**everything, **wanted})


def default_name(kind: str, index: str = DEFAULT_INDEX) -> str:
    """What a target is called of which nothing else is said."""
    return kind if index == DEFAULT_INDEX else f"{index}-{kind}"[:63]


def add_target(
    connection: Connection,
    workspace_id: UUID,
    kind: str,
    location: str,
    name: str,
    *,
    index: str = DEFAULT_INDEX,
    with_text: bool = True,
    serves: bool = False,
    actor: str | None = None,
) -> Target:
    """Add a target to an index. It is filled by whoever delivers next.

    `location` is one of `registry.location_of`. `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        WrongUse: there is no such index, or the name breaks the rules or is taken.
    """
    check_name(name, "a target")
    rag_index_id = scalar(
        connection, "SELECT rag_index_id FROM rag_indexes WHERE workspace_id = %s AND name = %s", [workspace_id, index]
    )
    if rag_index_id is None:
        raise WrongUse(f"There is no index '{index}' in this workspace. `arcana index list` shows those there are.")
    wanted = {
        "workspace_id": workspace_id,
        "rag_index_id": rag_index_id,
        "name": name,
        "kind": kind,
        "location": location,
        "with_text": with_text,
        "serves": serves,
    }
    with connection.transaction():
        # No publish falls between this row and what is read for the filling.
        lock_index(connection, rag_index_id)
        if not connection.execute(load_sql("add_target"), wanted).rowcount:
            raise WrongUse(f"There is already a target '{name}' in this workspace. Give this one another --name.")
        details = {"index": index, "kind": kind, "location": location}
        record(connection, actor, "target.added", name, workspace_id=workspace_id, details=details)
    return targets_of(connection, workspace_id, name)[0]


def pause(connection: Connection, target: Target, is_paused: bool) -> None:
    """Deliver nothing more to a target, or go on. What it misses meanwhile waits."""
    with connection.transaction():
        connection.execute(
            "UPDATE index_target SET is_paused = %s, failures = 0, next_attempt_at = NULL WHERE index_target_id = %s",
            [is_paused, target.index_target_id],
        )


def drop_target(connection: Connection, target: Target, actor: str | None = None) -> None:
    """Drop a target. Its collections go as soon as its store answers.

    `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        WrongUse: the index is served from it.
    """
    if target.serves:
        raise WrongUse(
            f"The index '{target.index_name}' of workspace '{target.slug}' is served from the target '{target.name}'. "
            "Drop the index instead, or the workspace."
        )
    with connection.transaction():
        lock_index(connection, target.rag_index_id)
        connection.execute("DELETE FROM index_target WHERE index_target_id = %s", [target.index_target_id])
        record(connection, actor, "target.dropped", target.name, workspace_id=target.workspace_id)
