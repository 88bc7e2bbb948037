"""What is there to search: workspaces with what their indexes serve, and the passages of a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.serving import find_serving

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class ServedWorkspace:
    """A workspace, and what its index serves.

    Attributes:
        workspace: its slug.
        name: as people call it.
        documents: pages and rows that can be found.
        published_at: when the index last changed; None: the workspace has no such index.
        synced_at: when the last sync ended; None: none did, or who asks may not know.
    """

    workspace: str
    name: str
    documents: int
    published_at: datetime | None
    synced_at: datetime | None


def served_workspaces(
    connection: Connection, slugs: Sequence[str], index: str = DEFAULT_INDEX
) -> list[ServedWorkspace]:
    """Those of the workspaces that are there, by slug."""
    # A role of one's own, or one whose rights are of an earlier release, may search without seeing syncs.
    sees_syncs = query.scalar(connection, "SELECT has_column_privilege('sync_generation', 'finished_at', 'SELECT')")
    statement = load_sql("served_workspaces" if sees_syncs else "served_workspaces_alone")
    return query.rows(connection, ServedWorkspace, statement, {"slugs": list(slugs), "index": index})


def passages_of(connection: Connection, workspace_id: UUID, document_id: str, index: str = DEFAULT_INDEX) -> list[str]:
    """The texts of a document's chunks in the version that the index serves, in their order.

    Raises:
        WrongUse: the workspace has no such index that serves.
    """
    build = find_serving(connection, workspace_id, index, None, None).build
    parameters = {"workspace_id": workspace_id, "document_id": document_id, "build": build}
    return query.scalars(connection, load_sql("served_chunks"), parameters)
