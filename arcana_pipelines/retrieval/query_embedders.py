"""The models that embed queries: opened once, and kept for the searches to come."""

from __future__ import annotations

import threading

from arcana_pipelines.embedding.protocol import Embedder
from arcana_pipelines.embedding.registry import open_embedder
from arcana_pipelines.settings import Settings

PATIENCE_SECONDS = 5.0  # of pauses that an embedding provider asks for; then words alone are searched


class QueryEmbedders:
    """Opens each model once. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: dict[tuple[str, int], Embedder] = {}
        self._opening = threading.Lock()

    def of(self, model: str, dimensions: int) -> Embedder:
        """The embedder of an index's model (see `open_embedder` for what it raises)."""
        with self._opening:
            key = (model, dimensions)
            if key not in self._opened:
                self._opened[key] = open_embedder(self._settings, model, dimensions, patience=PATIENCE_SECONDS)
            return self._opened[key]
