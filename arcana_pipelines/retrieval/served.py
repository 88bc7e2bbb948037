"""What an index serves: how much of a workspace, which documents, which of them belong together, which passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, chunk_table
from arcana_pipelines.retrieval.filtered import documents_of
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.places import find_indexed
from arcana_pipelines.retrieval.serving import find_serving
from arcana_pipelines.retrieval.shown import safe_address, shown

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


@dataclass(frozen=True, slots=True)
class ServedDocument:
    """A document without its text.

    Attributes:
        document_id: it stays through all versions.
        kind: `page` or `row`.
        title: fit to be shown.
        url: the page's address, where it is one of http, https, mailto or notion.
        depth: 1 for what stands below nothing, counted with the databases that rows stand in.
        version: the one that is served.
        last_edited_at: when the source says that it was edited, an ISO 8601 time.
        how: what it has to do with the document that was asked about; empty where none was.
    """

    document_id: UUID
    kind: str
    title: str
    url: str | None
    depth: int
    version: int
    last_edited_at: str | None
    how: str


def served_workspaces(
    connection: Connection, slugs: Sequence[str], index: str = DEFAULT_INDEX
) -> list[ServedWorkspace]:
    """Those of the workspaces that are there, by slug."""
    # A role of one's own, or one whose rights are of an earlier release, may search without seeing syncs.
    sees_syncs = query.scalar(connection, "SELECT has_column_privilege('sync_generation', 'finished_at', 'SELECT')")
    statement = load_sql("served_workspaces") if sees_syncs else load_sql("served_workspaces_alone")
    return query.rows(connection, ServedWorkspace, statement, {"slugs": list(slugs), "index": index})


def passages_of(connection: Connection, workspace_id: UUID, document_id: str, index: str = DEFAULT_INDEX) -> list[str]:
    """The texts of a document's chunks in the version that the index serves, in their order.

    Raises:
        WrongUse: the workspace has no such index that serves.
    """
    build = find_serving(connection, workspace_id, index, None, None).build
    parameters = {"workspace_id": workspace_id, "document_id": document_id, "build": build}
    statement = sql.SQL(load_sql("served_chunks")).format(chunks=sql.Identifier(chunk_table(build)))
    return query.scalars(connection, statement, parameters)


def served_documents(
    connection: Connection,
    workspace_id: UUID,
    below: str | None = None,
    after: UUID | None = None,
    most: int = 50,
    index: str = DEFAULT_INDEX,
) -> list[ServedDocument]:
    """The documents that an index serves, in the order of their tree: what stands below a page follows it.

    Args:
        below: a page or database, by its id in the source, its address or its title: it and what is below it.
        after: the last document of the answer before; None: from the beginning.

    Raises:
        WrongUse: there is no such index, page or document.
    """
    filters, is_container = Filters(below=below).checked(), False
    if filters.below:
        place = find_indexed(connection, workspace_id, filters.below)
        filters, is_container = replace(filters, below=place.external_id), place.is_container
    allowed, parameters = documents_of(filters, is_below_database=is_container)
    path = None
    if after is not None:
        path = _path_of(connection, workspace_id, after)
    build = find_serving(connection, workspace_id, index, None, None).build
    statement = sql.SQL(load_sql("served_documents")).format(allowed=allowed)
    parameters |= {"workspace_id": workspace_id, "build": build, "after": path, "most": most}
    return _fit(query.rows(connection, ServedDocument, statement, parameters))


def related_documents(
    connection: Connection, workspace_id: UUID, document_id: UUID, most: int = 10, index: str = DEFAULT_INDEX
) -> list[ServedDocument]:
    """Documents that stand above or directly below one, that it links to, or that link to it: so many of each.

    Raises:
        WrongUse: there is no such index or document.
    """
    _path_of(connection, workspace_id, document_id)
    build = find_serving(connection, workspace_id, index, None, None).build
    parameters = {"workspace_id": workspace_id, "build": build, "document_id": document_id, "most": most}
    return _fit(query.rows(connection, ServedDocument, load_sql("related_documents"), parameters))


def external_id_of(connection: Connection, workspace_id: UUID, document_id: UUID) -> str:
    """The id that a document's page has in its source.

    Raises:
        WrongUse: there is no such document.
    """
    statement = "SELECT external_id FROM source_page WHERE workspace_id = %s AND document_id = %s"
    external_id: str | None = query.scalar(connection, statement, [workspace_id, document_id])
    if external_id is None:
        raise _unknown(document_id)
    return external_id


def _path_of(connection: Connection, workspace_id: UUID, document_id: UUID) -> str:
    statement = "SELECT path::text FROM document WHERE workspace_id = %s AND document_id = %s AND deleted_at IS NULL"
    path: str | None = query.scalar(connection, statement, [workspace_id, document_id])
    if path is None:
        raise _unknown(document_id)
    return path


def _unknown(document_id: UUID) -> WrongUse:
    return WrongUse(f"There is no document '{document_id}' in this workspace (any more).")


def _fit(documents: list[ServedDocument]) -> list[ServedDocument]:
    return [replace(each, title=shown(each.title), url=safe_address(each.url)) for each in documents]
