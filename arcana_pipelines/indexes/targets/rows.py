"""Chunks and documents of a build as targets get them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import chunk_table, passage_table, terms_table
from arcana_pipelines.indexes.targets.protocol import Document, Row, RowDetails, Vector

load_sql = statements_beside(__file__)


def rows_of(
    connection: Connection, build: int, chunks: Sequence[int], with_text: bool, with_details: bool = False
) -> list[Row]:
    """Those of these chunks that are there; with what a store that answers alone reads besides, if wanted."""
    table = sql.Identifier(chunk_table(build))
    statement = sql.SQL(load_sql("rows_to_deliver")).format(chunks=table, row_hash=sql.SQL(load_sql("row_hash")))
    found = _sent(connection, statement, {"chunks": list(chunks), "with_text": with_text})
    details = _details(connection, build, chunks) if with_details else {}
    return [
        Row(
            **{**row, "heading_path": tuple(row["heading_path"]), "vector": _vector(row["vector"])},
            details=details.get(row["chunk_id"]),
        )
        for row in found
    ]


def published_rows(connection: Connection, build: int) -> dict[int, str]:
    """The `row_hash` of each chunk that a build publishes."""
    statement = sql.SQL(load_sql("published_rows")).format(
        chunks=sql.Identifier(chunk_table(build)), row_hash=sql.SQL(load_sql("row_hash"))
    )
    return dict(connection.execute(statement, {"build": build}).fetchall())


def documents_of(
    connection: Connection, build: int, documents: Sequence[UUID], with_text: bool = False
) -> list[Document]:
    """Those of these documents that are published; with text and properties, if wanted."""
    parameters = {"build": build, "documents": list(documents), "with_text": with_text}
    return rows(connection, Document, load_sql("documents_to_deliver"), parameters)


def _details(connection: Connection, build: int, chunks: Sequence[int]) -> dict[int, RowDetails]:
    statement = sql.SQL(load_sql("details_to_deliver")).format(
        chunks=sql.Identifier(chunk_table(build)),
        terms=sql.Identifier(terms_table(build)),
        passages=sql.Identifier(passage_table(build)),
    )
    found = _sent(connection, statement, {"chunks": list(chunks), "build": build})
    return {row["chunk_id"]: _row_details(row) for row in found}


def _sent(connection: Connection, statement: sql.Composed, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    # Vectors as bytes: as texts they would be ten times as long to read.
    with connection.cursor(binary=True, row_factory=dict_row) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def _vector(sent: bytes) -> Vector:
    """https://github.com/pgvector/pgvector/blob/master/src/vector.c: vector_send"""
    import numpy as np

    return np.frombuffer(sent, dtype=">f4", offset=4).astype(np.float32)


def _row_details(row: dict[str, Any]) -> RowDetails:
    """https://github.com/pgvector/pgvector/blob/master/src/sparsevec.c: sparsevec_send; the numbers alone of
    a `halfvec`; https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c: array_send"""
    import numpy as np

    terms, passages = row["terms"], row["passages"]
    (held,) = np.frombuffer(terms, dtype=">i4", count=1, offset=4)
    dimensions = row["dimensions"]
    return RowDetails(
        heading_levels=tuple(row["heading_levels"]),
        terms=np.frombuffer(terms, dtype=">i4", count=held, offset=12).astype(np.int32),
        weights=np.frombuffer(terms, dtype=">f4", count=held, offset=12 + 4 * held).astype(np.float32),
        # An array of no dimension has no elements; of one, each stands behind its length.
        keys=np.frombuffer(row["keys"], dtype=">i4", offset=12)[3::2].astype(np.int32),
        passages=None
        if passages is None
        else np.frombuffer(passages, dtype=">f2").astype(np.float16).reshape(-1, dimensions),
    )
