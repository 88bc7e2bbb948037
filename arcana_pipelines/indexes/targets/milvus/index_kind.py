"""Which index Milvus makes over vectors: the more of them, the less a search looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

# https://milvus.io/docs/index.md
FLAT_BELOW = 10_000
IVF_BELOW = 100_000


@dataclass(frozen=True, slots=True)
class IndexKind:
    """An index, and how a search uses it.

    Attributes:
        name: `FLAT`, `IVF_FLAT` or `HNSW`.
        params: how it is made.
        effort: how hard a search looks, by the parameter's name.
    """

    name: str
    params: dict[str, Any]
    effort: dict[str, int]


def index_kind(vectors: int, limit: int = 10) -> IndexKind:
    """The index for so many vectors, with the effort of a search for `limit` of them."""
    if vectors < FLAT_BELOW:
        return IndexKind("FLAT", {}, {})
    if vectors < IVF_BELOW:
        lists = round(4 * math.sqrt(vectors))
        return IndexKind("IVF_FLAT", {"nlist": lists}, {"nprobe": lists // 4})
    return IndexKind("HNSW", {"M": 16, "efConstruction": 200}, {"ef": max(256, 2 * limit)})
