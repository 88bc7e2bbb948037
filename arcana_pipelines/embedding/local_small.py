"""The small embedder, which is loaded and embeds in no time: WordLlama.

Its vectors are made of English tokens: on Korean it is little better than chance, and search leans on words
there (`arcana_pipelines.retrieval`). For another language take EMBEDDING_PROVIDER=local or openai.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.chunking.tokens import local_tokens
from arcana_pipelines.embedding.answers import checked
from arcana_pipelines.embedding.catalogue import SMALL_MODEL, dimensions_of
from arcana_pipelines.embedding.protocol import Embedded

DIMENSIONS = dimensions_of(SMALL_MODEL)

_loading = threading.Lock()


def load_library() -> Any:
    """The library's own embedder, a `wordllama.inference.WordLlamaInference`: slower, for the same vectors."""
    with _untouched_logging():
        import wordllama

    # The loader looks for its weights in the home directory; they are in the package.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True, dim=DIMENSIONS)


@cache
def _table() -> NDArray[np.float32]:
    """One row a token."""
    table: NDArray[np.float32] = load_library().embedding
    return table


@contextmanager
def _untouched_logging() -> Iterator[None]:
    """wordllama sets up the root logger when it is imported, which is not a library's business."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


class SmallEmbedder:
    """WordLlama in this process."""

    model = SMALL_MODEL
    dimensions = DIMENSIONS
    concurrency = 1

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch (see `Embedder.embed`); rows have unit length."""
        with _loading:
            table = _table()
        # wordllama's own tokeniser takes several times as long, and pads every text to the longest of its batch.
        tokens = [local_tokens(text) for text in texts]
        # What `WordLlama.embed` computes: the tokens' mean at unit length, for which their sum does. Rows are added
        # in their order, not by BLAS, so that a text has the same vector on every processor, to the last bit.
        sums = np.stack([np.add.reduce(table.take(ids, axis=0, mode="clip"), axis=0) for ids in tokens])
        lengths = np.sqrt(np.square(sums).sum(axis=1, keepdims=True))
        vectors = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
        # A text without one known token has no direction; any fixed one keeps it storable and unlike others.
        vectors[lengths[:, 0] == 0, 0] = 1.0
        counts = [len(ids) for ids in tokens]
        return Embedded(checked(vectors, texts, DIMENSIONS, SMALL_MODEL), sum(counts), counts)
