"""The workspace that a search names."""

from __future__ import annotations

from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import UnknownWorkspace


def workspace_named(connection: Connection, slug: str) -> UUID:
    """The id of the workspace with this slug. Reads no more of it than a search may.

    Raises:
        UnknownWorkspace: there is none.
    """
    row = connection.execute(
        "SELECT workspace_id FROM workspace WHERE slug = %s AND status <> 'deleting'", [slug]
    ).fetchone()
    if row is None:
        raise UnknownWorkspace.named(slug)
    workspace_id: UUID = row[0]
    return workspace_id
