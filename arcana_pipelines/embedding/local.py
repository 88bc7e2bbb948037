"""The embedder that needs no key, no network and no download: WordLlama, 256 dimensions.

Its vectors are made of English tokens: on Korean it is little better than chance, and search leans on words
there (`arcana_pipelines.retrieval`). For another language set EMBEDDING_PROVIDER=openai.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from arcana_pipelines.embedding.provider import Embedded, checked

MODEL = "wordllama-l2-supercat"
DIMENSIONS = 256

_loading = threading.Lock()


@cache
def _model() -> Any:
    import wordllama

    # The loader looks for its weights in the home directory; they are in the package.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True, dim=DIMENSIONS)


class LocalEmbedder:
    """WordLlama in this process."""

    model = MODEL
    dimensions = DIMENSIONS
    concurrency = 1

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch (see `Embedder.embed`); rows have unit length."""
        with _loading:
            model = _model()
        vectors = np.asarray(model.embed(list(texts), norm=True), dtype=np.float32)
        # A text without one known token has no direction; any fixed one keeps it storable and unlike others.
        unknown = ~np.isfinite(vectors).all(axis=1) | ~np.any(vectors, axis=1)
        if unknown.any():
            vectors[unknown] = 0.0
            vectors[unknown, 0] = 1.0
        tokens = sum(sum(encoding.attention_mask) for encoding in model.tokenizer.encode_batch(list(texts)))
        return Embedded(checked(vectors, texts, DIMENSIONS, MODEL), tokens)
