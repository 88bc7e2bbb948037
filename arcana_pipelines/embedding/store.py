"""The store: every embedding that a workspace paid for, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.protocol import Vectors

load_sql = statements_beside(__file__)

Tier = Literal["standard", "batch"]


@dataclass(frozen=True, slots=True)
class StoreKey:
    """What an embedding belongs to besides its text. Workspaces share no embeddings.

    Attributes:
        model: its name in the catalogue.
        dimensions: numbers a vector.
    """

    workspace_id: UUID
    model: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What some texts of one model have cost.

    Attributes:
        texts: how many were embedded.
        tokens: what the provider counted, those that went into finding out what it refuses included.
        cost: US dollars, exact; 0 where the price is not known.
        seconds: how long the request took; 0 of a batch.
        tier: `standard`, or `batch` at half the price.
    """

    texts: int
    tokens: int
    cost: Decimal
    seconds: float = 0.0
    tier: Tier = "standard"


def store(
    connection: Connection, key: StoreKey, hashes: Sequence[bytes], vectors: Vectors, token_counts: Sequence[int]
) -> None:
    """Write one embedding a hash. Only this workspace's run writes here (it holds the lock): nothing conflicts."""
    from arcana_pipelines.db import binary

    workspace, model, dimensions = key.workspace_id.bytes, key.model.encode(), binary.int4(key.dimensions)
    binary.copy(
        connection,
        "embedding_store (workspace_id, embedding_model, dimensions, text_hash, embedding, token_count)",
        (
            binary.row(workspace, model, dimensions, text_hash, binary.vector(vector), binary.int4(tokens))
            for text_hash, vector, tokens in zip(hashes, vectors, token_counts, strict=True)
        ),
    )


def count(connection: Connection, key: StoreKey, usage: Usage) -> None:
    """Add to the running month's usage; belongs into the transaction that stores what was paid for."""
    if not usage.texts and not usage.tokens:
        return
    connection.execute(
        load_sql("usage"),
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
