"""The store: every embedding that a workspace paid for, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

import numpy as np

from arcana_pipelines.db import binary
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.sql import load_sql
from arcana_pipelines.embedding.provider import Vectors

Tier = Literal["standard", "batch"]


@dataclass(frozen=True, slots=True)
class StoreKey:
    """What an embedding belongs to besides its text."""

    workspace_id: UUID
    model: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What some texts have cost, in the provider's tokens and in US dollars; `seconds` is the time it took."""

    texts: int
    tokens: int
    cost: Decimal
    seconds: float = 0.0
    tier: Tier = "standard"


def store(
    connection: Connection, key: StoreKey, hashes: Sequence[bytes], vectors: Vectors, token_counts: Sequence[int]
) -> None:
    """Write one embedding a hash. Only this workspace's run writes here (it holds the lock): nothing conflicts."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY embedding_store (workspace_id, embedding_model, dimensions, text_hash, embedding, token_count) "
            "FROM STDIN WITH (FORMAT BINARY)"
        ) as copy,
    ):
        copy.write(_copied(key, hashes, vectors, token_counts))


def _copied(key: StoreKey, hashes: Sequence[bytes], vectors: Vectors, token_counts: Sequence[int]) -> bytes:
    """Rows as binary COPY reads them (see `db.binary`), all of one size, so that they are one array.

    A vector is two 16-bit numbers, its dimensions and 0, and its elements
    (https://github.com/pgvector/pgvector/blob/master/src/vector.c: vector_recv).
    """
    model, dimensions = key.model.encode(), vectors.shape[1]
    row = np.dtype(
        [
            ("fields", ">i2"),
            ("workspace_length", ">i4"), ("workspace", "V16"),
            ("model_length", ">i4"), ("model", f"V{len(model)}"),
            ("dimensions_length", ">i4"), ("dimensions", ">i4"),
            ("hash_length", ">i4"), ("hash", f"V{len(hashes[0])}"),
            ("embedding_length", ">i4"), ("elements", ">i2"), ("unused", ">i2"), ("embedding", ">f4", (dimensions,)),
            ("tokens_length", ">i4"), ("tokens", ">i4"),
        ]
    )  # fmt: skip
    rows = np.zeros(len(hashes), dtype=row)
    values = {
        "workspace": np.void(key.workspace_id.bytes),
        "model": np.void(model),
        "dimensions": key.dimensions,
        "hash": np.frombuffer(b"".join(hashes), dtype=row["hash"]),
        "embedding": vectors,
        "tokens": np.array(token_counts),
    }
    rows["fields"] = len(values)
    rows["elements"] = dimensions
    for name, value in values.items():
        rows[name] = value
        rows[f"{name}_length"] = row[name].itemsize + (4 if name == "embedding" else 0)
    return binary.HEAD + rows.tobytes() + binary.TAIL


def count(connection: Connection, key: StoreKey, usage: Usage) -> None:
    """Add to the running month's usage; belongs into the transaction that stores what was paid for."""
    if not usage.texts and not usage.tokens:
        return
    connection.execute(
        load_sql("embeddings_usage"),
        {
            "workspace_id": key.workspace_id,
            "model": key.model,
            "tier": usage.tier,
            "texts": usage.texts,
            "tokens": usage.tokens,
            "cost": usage.cost,
            "seconds": usage.seconds,
        },
    )
