"""What a build lacks: contents that are to be cut, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

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


def uncut_batches(connection: Connection, workspace_id: UUID, build: Build, most: int = BATCH) -> Iterator[Uncut]:
    """All that a build lacks, in batches of so many contents at most."""
    model = model_named(build.embedding_model)
    parameters = {"workspace_id": workspace_id, "uncut": UNCUT, "build": build.rag_index_build_id, "limit": most}
    for rows in keyset_pages(
        connection, Content, load_sql("chunks_missing"), parameters, {"after": _FIRST},
        lambda row: {"after": row.document_id},
    ):  # fmt: skip
        yield Uncut(build, model, rows, ServedChunks(connection, build, [row.document_id for row in rows]))
