"""The stores of targets that searches ask: opened once, and kept for the searches to come."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arcana_pipelines.embedding.protocol import Vectors
from arcana_pipelines.retrieval.serving import Serving
from arcana_pipelines.settings import Settings

if TYPE_CHECKING:
    from arcana_pipelines.indexes.targets.protocol import Store


@dataclass(frozen=True, slots=True)
class Near:
    """What a target finds near to a question.

    Attributes:
        target: its name.
        chunks: `document_chunk_id`s, the nearest first. Some may not be published any more.
        limit: how many were asked for.
    """

    target: str
    chunks: tuple[int, ...]
    limit: int

    @property
    def are_all(self) -> bool:
        """The target has no more."""
        return len(self.chunks) < self.limit


class TargetStores:
    """Stores by kind and location. Safe to share between threads: one thread at a time asks a store."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, str], _Opened] = {}

    def near(self, serving: Serving, vector: Sequence[float] | Vectors, limit: int) -> Near:
        """The chunks that the target of what serves has nearest to a vector.

        Raises:
            TargetUnreachable, CollectionMissing, WrongUse: see `open_store` and `Store.nearest`.
        """
        import numpy as np

        from arcana_pipelines.indexes.targets.registry import open_store

        assert serving.target is not None and serving.collection is not None
        with self._lock:
            opened = self._opened.setdefault((serving.store_kind, serving.store_location), _Opened())
        with opened.lock:
            try:
                if opened.store is None:
                    store = open_store(self._settings, serving.store_kind, serving.store_location)
                    opened.store = opened.stack.enter_context(store)
                found = opened.store.nearest(serving.collection, np.asarray(vector, dtype=np.float32), limit)
            except BaseException:
                opened.close()  # it is opened anew
                raise
        return Near(serving.target, tuple(each.chunk_id for each in found), limit)

    def close(self) -> None:
        """Let go of all of them."""
        with self._lock:
            opened, self._opened = list(self._opened.values()), {}
        for each in opened:
            with each.lock:
                each.close()


class _Opened:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stack = ExitStack()
        self.store: Store | None = None

    def close(self) -> None:
        self.store = None
        self.stack.close()
