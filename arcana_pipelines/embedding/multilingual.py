"""The embedder that understands a hundred languages, without a key, a network or a download: multilingual-e5-small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcana_pipelines.embedding.answers import checked
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, dimensions_of
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.multilingual_e5 import loaded
from arcana_pipelines.net.workers import on_each_core


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
        loaded.require()

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch (see `Embedder.embed`); rows have unit length. Of a text 512 tokens are read, and no more."""
        made = on_each_core(loaded.model().embed, texts, "embed")
        counts = [tokens for _, tokens in made]
        vectors = np.stack([vector for vector, _ in made])
        return Embedded(checked(vectors, texts, self.dimensions, self.model), sum(counts), counts)
