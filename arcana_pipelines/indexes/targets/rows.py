"""Chunks of a build as targets get them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from psycopg import sql
from psycopg.rows import dict_row

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import chunk_table
from arcana_pipelines.indexes.targets.protocol import Row, Vector

load_sql = statements_beside(__file__)


def rows_of(connection: Connection, build: int, chunks: Sequence[int], with_text: bool) -> list[Row]:
    """Those of these chunks that are there."""
    table = sql.Identifier(chunk_table(build))
    statement = sql.SQL(load_sql("rows_to_deliver")).format(chunks=table, row_hash=sql.SQL(load_sql("row_hash")))
    # Vectors as bytes: as texts they would be ten times as long to read.
    with connection.cursor(binary=True, row_factory=dict_row) as cursor:
        found = cursor.execute(statement, {"chunks": list(chunks), "with_text": with_text}).fetchall()
    return [
        Row(**{**row, "heading_path": tuple(row["heading_path"]), "vector": _vector(row["vector"])}) for row in found
    ]


def _vector(sent: bytes) -> Vector:
    """https://github.com/pgvector/pgvector/blob/master/src/vector.c: vector_send"""
    return np.frombuffer(sent, dtype=">f4", offset=4).astype(np.float32)
