"""The models that embed queries: opened once, and kept for the searches to come. So are vectors of queries, at will."""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from typing import Any

from arcana_pipelines.caching.caches import Cache, Tenant
from arcana_pipelines.embedding.protocol import Embedded, Embedder
from arcana_pipelines.embedding.registry import open_embedder
from arcana_pipelines.settings import Settings

PATIENCE_SECONDS = 5.0  # of pauses that an embedding provider asks for; then words alone are searched


class QueryEmbedders:
    """Opens each model once. Safe to share between threads."""

    def __init__(self, settings: Settings, cache: Cache | None = None) -> None:
        """`cache` keeps vectors of queries."""
        self._settings = settings
        self._cache = cache
        self._opened: dict[tuple[str, int], Embedder] = {}
        self._opening = threading.Lock()

    def of(self, model: str, dimensions: int, tenant: Tenant | None = None) -> Embedder:
        """The embedder of an index's model (see `open_embedder` for what it raises). Of a tenant: with its cache."""
        with self._opening:
            key = (model, dimensions)
            if key not in self._opened:
                self._opened[key] = open_embedder(self._settings, model, dimensions, patience=PATIENCE_SECONDS)
            embedder = self._opened[key]
        return embedder if self._cache is None or tenant is None else _Kept(embedder, self._cache, tenant)


class _Kept:
    """An embedder whose vectors of one query at a time are kept, for a tenant alone: to others the time that an answer
    takes would say that it had been asked."""

    def __init__(self, embedder: Embedder, cache: Cache, tenant: Tenant) -> None:
        self._embedder, self._cache, self._tenant = embedder, cache, tenant
        self.model, self.dimensions, self.concurrency = embedder.model, embedder.dimensions, embedder.concurrency

    def embed(self, texts: Sequence[str]) -> Embedded:
        """See `Embedder`."""
        import numpy as np

        def made() -> tuple[dict[str, Any], bool]:
            embedded = self._embedder.embed(texts)
            vectors = np.asarray(embedded.vectors, dtype="<f4")
            return {"vectors": base64.b64encode(vectors.tobytes()).decode(), "tokens": embedded.tokens}, True

        key = self._cache.key(self._tenant, self.model, self.dimensions, list(texts))
        held = self._cache.had(key, made)
        vectors = np.frombuffer(base64.b64decode(held["vectors"]), dtype="<f4")
        return Embedded(vectors.reshape(len(texts), self.dimensions), held["tokens"])
