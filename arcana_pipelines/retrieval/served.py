"""What an index serves: how much of a workspace, which documents, and which of them belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, TypeVar
from uuid import UUID

from psycopg import sql
from pydantic import ConfigDict

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import UnknownDocument
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.filtered import documents_of, has_files
from arcana_pipelines.retrieval.filters import Filters, checked
from arcana_pipelines.retrieval.places import find_indexed
from arcana_pipelines.retrieval.results import DESCRIBED
from arcana_pipelines.retrieval.serving import find_serving
from arcana_pipelines.retrieval.shown import safe_address, shown
from arcana_pipelines.taxonomy.topics import asked_topic

load_sql = statements_beside(__file__)

_Document = TypeVar("_Document", bound="ServedDocument")


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
    """A document without its text."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    document_id: UUID
    """It stays through all versions of the document."""

    external_id: str
    """The page's id in its source."""

    kind: str
    """`page`, `row` of a database, `ticket`, its private `notes`, `article`, or `file` that hangs on one of them."""

    title: str
    """Of a file its name."""

    url: str | None
    """The page's address, where it is one of http, https, mailto or notion. Of a file its page's."""

    path: str
    """The document's place, an ltree of stable labels."""

    depth: int
    """1 for what stands below nothing, counted with the databases that rows stand in."""

    version: int
    """The version that is served, from 1."""

    last_edited_at: str | None
    """When the source says that the page was edited, an ISO 8601 time."""

    published_at: datetime
    """Since when this version is served."""


@dataclass(frozen=True, slots=True)
class RelatedDocument(ServedDocument):
    """A document that has to do with another."""

    how: str
    """What it is to that one: `above`, `below`; `links to` where that one does, `linked from`; `summary`,
    `translation`, `derived` (a file of its page), `duplicate`; and where that one is such of it `summary of`,
    `translation of`, `derived from`."""


def served_workspaces(
    connection: Connection, slugs: Sequence[str], index: str = DEFAULT_INDEX
) -> list[ServedWorkspace]:
    """Those of the workspaces that are there, by slug."""
    # A role of one's own, or one whose rights are of an earlier release, may search without seeing syncs.
    sees_syncs = query.scalar(connection, "SELECT has_column_privilege('sync_generation', 'finished_at', 'SELECT')")
    statement = load_sql("served_workspaces") if sees_syncs else load_sql("served_workspaces_alone")
    return query.rows(connection, ServedWorkspace, statement, {"slugs": list(slugs), "index": index})


def served_documents(
    connection: Connection,
    workspace_id: UUID,
    filters: Filters | None = None,
    after: str | None = None,
    most: int = 50,
    index: str = DEFAULT_INDEX,
) -> list[ServedDocument]:
    """The documents that an index serves, in the order of their tree: what stands below a page follows it.

    Args:
        filters: all but those on properties and links; `below` may name a database, too.
        after: the path of the last document of the answer before; None: from the beginning.

    Raises:
        WrongUse: there is no such index, page or topic, or a filter cannot be meant.
    """
    filters, is_container, topic = checked(filters), False, None
    if filters.below:
        place = find_indexed(connection, workspace_id, filters.below)
        filters, is_container = replace(filters, below=place.external_id), place.is_container
    if filters.topic:
        topic = asked_topic(connection, workspace_id, filters.topic)
    with_files = has_files(connection, workspace_id)
    allowed, parameters = documents_of(filters, is_below_database=is_container, with_files=with_files, topic=topic)
    build = find_serving(connection, workspace_id, index, None, None).build
    statement = sql.SQL(load_sql("served_documents")).format(allowed=allowed)
    parameters |= {"workspace_id": workspace_id, "build": build, "after": after, "most": most}
    return _fit(query.rows(connection, ServedDocument, statement, parameters))


def served_document(connection: Connection, workspace_id: UUID, build: int, document_id: UUID) -> ServedDocument:
    """One of them.

    Raises:
        UnknownDocument: the build does not serve it.
    """
    statement = sql.SQL(load_sql("served_documents")).format(allowed=sql.SQL("%(document_id)s::uuid"))
    parameters = {"workspace_id": workspace_id, "build": build, "document_id": document_id, "after": None, "most": 1}
    documents = _fit(query.rows(connection, ServedDocument, statement, parameters))
    if not documents:
        raise UnknownDocument("The index does not serve this document (yet): it will after a sync, if it is there.")
    return documents[0]


def related_documents(
    connection: Connection, workspace_id: UUID, document_id: UUID, most: int = 10, index: str = DEFAULT_INDEX
) -> list[RelatedDocument]:
    """Documents that stand above or directly below one, that it links to, or that link to it: so many of each.

    Raises:
        WrongUse: there is no such index or document.
    """
    path_of(connection, workspace_id, document_id)
    build = find_serving(connection, workspace_id, index, None, None).build
    parameters = {"workspace_id": workspace_id, "build": build, "document_id": document_id, "most": most}
    return _fit(query.rows(connection, RelatedDocument, load_sql("related_documents"), parameters))


def external_id_of(connection: Connection, workspace_id: UUID, document_id: UUID) -> str:
    """The id that a document's page has in its source.

    Raises:
        UnknownDocument: there is no such document.
    """
    statement = (
        "SELECT external_id FROM source_page WHERE workspace_id = %(workspace_id)s AND document_id = %(document_id)s "
        "UNION ALL "
        "SELECT external_id FROM source_file WHERE workspace_id = %(workspace_id)s AND document_id = %(document_id)s"
    )
    parameters = {"workspace_id": workspace_id, "document_id": document_id}
    external_id: str | None = query.scalar(connection, statement, parameters)
    if external_id is None:
        raise _unknown(document_id)
    return external_id


def path_of(connection: Connection, workspace_id: UUID, document_id: UUID) -> str:
    """The place of a document in its tree.

    Raises:
        UnknownDocument: there is no such document.
    """
    statement = "SELECT path::text FROM document WHERE workspace_id = %s AND document_id = %s AND deleted_at IS NULL"
    path: str | None = query.scalar(connection, statement, [workspace_id, document_id])
    if path is None:
        raise _unknown(document_id)
    return path


def _unknown(document_id: UUID) -> UnknownDocument:
    return UnknownDocument(
        f"There is no document '{document_id}' in this workspace (any more). Search for it by its title."
    )


def _fit(documents: list[_Document]) -> list[_Document]:
    return [replace(each, title=shown(each.title), url=safe_address(each.url)) for each in documents]
