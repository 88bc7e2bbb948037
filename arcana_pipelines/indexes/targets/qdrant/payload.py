"""What Qdrant keeps beside a vector, on a server and embedded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from arcana_pipelines.indexes.targets.protocol import Row, Stored

# The keys that a comparison reads.
COMPARED = ["document_id", "row_hash"]


def payload(row: Row) -> dict[str, Any]:
    """All of it at once: an upsert takes the place of what was there. The point's id is the number of the chunk."""
    kept = {
        "document_id": str(row.document_id),
        "title": row.title,
        "url": row.url,
        "heading_path": list(row.heading_path),
        "language": row.language,
        "row_hash": row.row_hash,
    }
    return kept if row.text is None else {**kept, "text": row.text}


def stored(point: Any) -> Stored | None:
    """A point as a comparison reads it; None for one whose id is no number: no chunk of ours has such a one."""
    held: Mapping[str, Any] = point.payload or {}
    if not isinstance(point.id, int):
        return None
    return Stored(point.id, _uuid(held.get("document_id")), str(held.get("row_hash")))


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
