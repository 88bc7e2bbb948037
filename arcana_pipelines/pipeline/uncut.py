"""What a build lacks: contents that are to be cut, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import keyset_pages
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.catalogue import Model, model_named
from arcana_pipelines.indexes.builds import Build
from arcana_pipelines.pipeline.served_chunks import ServedChunks

load_sql = statements_beside(__file__)

BATCH = 200
# How the reason of a page begins whose text cannot be cut.
UNCUT = "cannot be cut:"
_FIRST = UUID(int=0)
_OF_PAGES = sql.SQL(
    "AND d.document_id = ANY(ARRAY(SELECT document_id FROM source_page "
    "WHERE workspace_id = %(workspace_id)s AND external_id = ANY(%(pages)s)))"
)


@dataclass(frozen=True, slots=True)
class Content:
    """A version of a document."""

    document_id: UUID
    document_content_id: UUID
    contents: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Uncut:
    """A batch of contents that a build lacks, with all that cutting it needs."""

    build: Build
    model: Model
    rows: list[Content]
    served: ServedChunks


def uncut_batches(
    connection: Connection, workspace_id: UUID, build: Build, pages: Sequence[str] | None = None
) -> Iterator[Uncut]:
    """All that a build lacks, or what it lacks of some pages, in batches."""
    model = model_named(build.embedding_model)
    statement = sql.SQL(load_sql("chunks_missing")).format(of_pages=sql.SQL("") if pages is None else _OF_PAGES)
    parameters = {
        "workspace_id": workspace_id,
        "uncut": UNCUT,
        "build": build.rag_index_build_id,
        "pages": pages,
        "limit": BATCH,
    }
    for rows in keyset_pages(
        connection, Content, statement, parameters, {"after": _FIRST}, lambda row: {"after": row.document_id}
    ):
        yield Uncut(build, model, rows, ServedChunks(connection, build, [row.document_id for row in rows]))
