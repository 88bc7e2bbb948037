"""Many texts at once by the small model: the rows of all tokens in memory, added by numpy."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.embedding.protocol import Vectors
from arcana_pipelines.embedding.small_vectors import DIMENSIONS, stored_vectors

# A few texts need some rows of the table alone, and each is made float32 when it is read.
_FEW = 8

_loading = threading.Lock()


class _Table:
    """The vectors of tokens."""

    def __init__(self) -> None:
        stored = stored_vectors()
        shape = (stored.rows, DIMENSIONS)
        self._rows: NDArray[np.floating[Any]] = np.asarray(np.memmap(stored.path, "<f2", "r", stored.begin, shape))
        self._widening = threading.Lock()

    def widened(self) -> None:
        """Make all rows float32, which takes as long as 500 texts and pays for more than those."""
        with self._widening:
            if self._rows.dtype != np.float32:
                self._rows = self._rows.astype(np.float32)

    def of(self, tokens: bytes) -> NDArray[np.float32]:
        """The rows of a text's tokens; a token that the model does not know has the last one."""
        numbers = np.frombuffer(tokens, dtype="<u4")
        return self._rows.take(numbers, axis=0, mode="clip").astype(np.float32, copy=False)


@cache
def _made() -> _Table:
    return _Table()


def _table() -> _Table:
    with _loading:
        return _made()


def directions(tokens: Sequence[bytes]) -> Vectors:
    """The mean of each text's tokens (`chunking.tokens.local_tokens`) at unit length, of shape (texts, dimensions).

    Raises:
        ModelMissing: the model is not installed, or cannot be read.
    """
    table = _table()
    if len(tokens) > _FEW:
        table.widened()
    # What `WordLlama.embed` computes: the tokens' mean at unit length, for which their sum does. Rows are added
    # in their order, not by BLAS, so that a text has the same vector on every processor, to the last bit.
    sums = np.stack([np.add.reduce(table.of(ids), axis=0) for ids in tokens])
    lengths = np.sqrt(np.square(sums).sum(axis=1, keepdims=True))
    vectors: Vectors = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
    # A text without one known token has no direction; any fixed one keeps it storable and unlike others.
    vectors[lengths[:, 0] == 0, 0] = 1.0
    return vectors
