"""Texts that an embedding provider refuses, and the pages they stand on."""

from __future__ import annotations

from collections.abc import Sequence

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.store import StoreKey
from arcana_pipelines.ledger.generations import Generation

load_sql = statements_beside(__file__)


def reject(connection: Connection, generation: Generation, key: StoreKey, refused: Sequence[tuple[bytes, str]]) -> None:
    """Remember (hash, reason) pairs, so that they are not sent again, and quarantine their pages."""
    if not refused:
        return
    connection.execute(
        load_sql("reject"),
        {
            "workspace_id": generation.workspace_id,
            "model": key.model,
            "dimensions": key.dimensions,
            "hashes": [text_hash for text_hash, _ in refused],
            "reasons": [reason for _, reason in refused],
        },
    )
