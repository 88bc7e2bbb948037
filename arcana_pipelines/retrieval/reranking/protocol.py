"""What a reranker is: a model that reads query and text together (a cross-encoder)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Judges how well texts answer a query. Safe to call from several threads."""

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One finite number a text, in their order; higher is better, on any scale.

        Raises:
            RerankingFailed: there is no usable answer, or none in time.
        """
        ...
