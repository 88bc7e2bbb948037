"""The embedder that understands a hundred languages, without a key, a network or a download: multilingual-e5-small."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from arcana_pipelines.embedding.answers import checked
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, dimensions_of
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.multilingual_e5.loaded import model
from arcana_pipelines.net.workers import worker_threads


class MultilingualEmbedder:
    """multilingual-e5-small in this process, a text a core at once; each text has the same vector in any company."""

    model = MULTILINGUAL_MODEL
    dimensions = dimensions_of(MULTILINGUAL_MODEL)
    concurrency = 1

    def __init__(self) -> None:
        """
        Raises:
            ModelMissing: its weights are not installed, or are other ones.
        """
        self._model = model()

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch (see `Embedder.embed`); rows have unit length. Of a text 512 tokens are read, and no more."""
        threads = min(len(texts), _cores())
        if threads == 1:
            made = [self._model.embed(text) for text in texts]
        else:
            with worker_threads(threads, "embed") as pool:
                made = list(pool.map(self._model.embed, texts))
        counts = [tokens for _, tokens in made]
        vectors = np.stack([vector for vector, _ in made])
        return Embedded(checked(vectors, texts, self.dimensions, self.model), sum(counts), counts)


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
