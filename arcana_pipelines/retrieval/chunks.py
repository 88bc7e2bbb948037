"""The chunks of a document as an index serves them: all in their order, or one with its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row
from pydantic import ConfigDict

from arcana_pipelines.chunking.passages import numbers_of
from arcana_pipelines.db.engine import Connection, snapshot
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import UnknownDocument
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, chunk_table
from arcana_pipelines.retrieval.hit_files import shown_place
from arcana_pipelines.retrieval.hit_of_row import link_to
from arcana_pipelines.retrieval.results import DESCRIBED
from arcana_pipelines.retrieval.served import ServedDocument, served_document
from arcana_pipelines.retrieval.serving import find_serving
from arcana_pipelines.retrieval.shown import shown
from arcana_pipelines.retrieval.whole_document import find_document_id

load_sql = statements_beside(__file__)

_GREATEST = 2**63 - 1  # a bigint
_LAST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ServedChunk:
    """A chunk where it stands in its document."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    chunk_id: str
    """It stays through the versions of the document, as long as the text does."""

    position: int
    """Its number in the document, from 0, in the order of the text."""

    heading_path: list[str]
    """The headings above the beginning of the text, outermost first."""

    link: str | None
    """The address that leads to the last of them where the browser can."""

    text: str
    """Markdown. Items of numbered lists have their numbers, and `-` where the list may have begun before the chunk."""

    tokens: int
    """Of the text, as the index's model counts them."""

    place: dict[str, Any] | None = None
    """Of a file where in it the text stands, with what its format has of `page`, `last_page`, `label`, `slide`,
    `sheet`, `rows`, `begin` and `end` (as `file` of a hit)."""


@dataclass(frozen=True, slots=True)
class DocumentChunks:
    """A document without its text, and its chunks, which together are it."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    document: ServedDocument

    chunks: list[ServedChunk]


@dataclass(frozen=True, slots=True)
class ChunkInPlace:
    """A chunk, the document that it is of, and the chunks around it."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    chunk: ServedChunk

    document: ServedDocument

    before: list[ServedChunk]
    """Those before it, in the order of the document."""

    after: list[ServedChunk]
    """Those behind it, likewise."""


def find_chunks(connection: Connection, workspace_id: UUID, asked: str, index: str = DEFAULT_INDEX) -> DocumentChunks:
    """The chunks of the document that `asked` means, in the version that the index serves.

    Raises:
        UnknownDocument: there is no such document, or the index does not serve it.
    """
    document_id = find_document_id(connection, workspace_id, asked)
    with snapshot(connection):
        build = find_serving(connection, workspace_id, index, None, None).build
        document = served_document(connection, workspace_id, build, document_id)
        return DocumentChunks(document, _chunks(connection, workspace_id, build, document))


def find_chunk(
    connection: Connection, workspace_id: UUID, chunk_id: str, neighbours: int = 0, index: str = DEFAULT_INDEX
) -> ChunkInPlace:
    """A chunk that the index serves, with so many before and behind it.

    Raises:
        UnknownDocument: the index serves no such chunk.
    """
    number = int(chunk_id) if chunk_id.isascii() and chunk_id.isdecimal() and len(chunk_id) < 20 else _GREATEST
    with snapshot(connection):
        build = find_serving(connection, workspace_id, index, None, None).build
        statement = sql.SQL(load_sql("chunk_place")).format(chunks=sql.Identifier(chunk_table(build)))
        key = {"workspace_id": workspace_id, "build": build, "chunk": min(number, _GREATEST)}
        row = connection.execute(statement, key).fetchone()
        if row is None:
            raise UnknownDocument("The index serves no such chunk (any more): its text may have changed. Search anew.")
        document_id, position = row
        document = served_document(connection, workspace_id, build, document_id)
        first = max(0, position - neighbours)
        chunks = _chunks(connection, workspace_id, build, document, first, position + neighbours)
    at = position - first
    return ChunkInPlace(chunks[at], document, chunks[:at], chunks[at + 1 :])


def passages_of(connection: Connection, workspace_id: UUID, document_id: str, index: str = DEFAULT_INDEX) -> list[str]:
    """The texts of a document's chunks in the version that the index serves, in their order, numbered as its text.

    Raises:
        WrongUse: the workspace has no such index that serves.
    """
    build = find_serving(connection, workspace_id, index, None, None).build
    texts = [row["text"] for row in _rows(connection, workspace_id, build, UUID(document_id), 0, _LAST)]
    return [numbers_of(text, at == 0).put_into(text) for at, text in enumerate(texts)]


def _chunks(
    connection: Connection, workspace_id: UUID, build: int, document: ServedDocument, first: int = 0, last: int = _LAST
) -> list[ServedChunk]:
    rows = _rows(connection, workspace_id, build, document.document_id, first, last)
    return [_shown(row, document) for row in rows]


def _rows(
    connection: Connection, workspace_id: UUID, build: int, document_id: UUID, first: int, last: int
) -> list[dict[str, Any]]:
    statement = sql.SQL(load_sql("served_chunks")).format(chunks=sql.Identifier(chunk_table(build)))
    key = {"workspace_id": workspace_id, "document_id": document_id, "build": build, "first": first, "last": last}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, key).fetchall()


def _shown(row: Mapping[str, Any], document: ServedDocument) -> ServedChunk:
    headings = [shown(heading) for heading in row["heading_path"]]
    return ServedChunk(
        chunk_id=str(row["chunk_id"]),
        position=row["position"],
        heading_path=headings,
        link=link_to(document.kind, document.url, headings),
        text=shown(numbers_of(row["text"], row["position"] == 0).put_into(row["text"])),
        tokens=row["tokens"],
        place=shown_place(row["place"]),
    )
