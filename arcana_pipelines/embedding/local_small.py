"""The small embedder, which is loaded and embeds in no time: WordLlama.

Its vectors are made of English tokens: on Korean it is little better than chance, and search leans on words
there (`arcana_pipelines.retrieval`). For another language take EMBEDDING_PROVIDER=local or openai.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.chunking.tokens import damaged, local_tokens, package_folder
from arcana_pipelines.embedding.answers import checked
from arcana_pipelines.embedding.catalogue import SMALL_MODEL, dimensions_of
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.errors import ModelMissing

DIMENSIONS = dimensions_of(SMALL_MODEL)

# A question needs some rows of the table alone, and each is made float32 when it is read.
_FEW = 8
# The header of the file has fewer bytes; one that is damaged may say any number.
_LONGEST_HEADER = 2**16

_loading = threading.Lock()


def _weights() -> Path:
    return package_folder() / "weights" / f"l2_supercat_{DIMENSIONS}.safetensors"


def missing() -> ModelMissing | None:
    """What to say where the package or its file is not there, which is seen without reading it; else None."""
    try:
        path = _weights()
        try:
            path.stat()
        except OSError as error:
            raise damaged(path, error) from error
    except ModelMissing as error:
        return error
    return None


def _stored() -> NDArray[np.float16]:
    """One row a token, as the package's file has them: a header in JSON behind its length, then the numbers.

    The file is read without the library, whose import takes longer than a search: https://github.com/huggingface/safetensors

    Raises:
        ModelMissing: it is not installed, or cannot be read.
    """
    path = _weights()
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            stored = json.loads(file.read(min(length, _LONGEST_HEADER)))["embedding.weight"]
        rows, width = stored["shape"]
        if stored["dtype"] != "F16" or stored["data_offsets"][0] != 0 or width != DIMENSIONS:
            raise ValueError("it holds other numbers than this release reads")
        return np.asarray(np.memmap(path, "<f2", "r", 8 + length, (rows, width)))
    except (OSError, ValueError, LookupError, TypeError, struct.error) as error:
        raise damaged(path, error) from error


class _Table:
    """The vectors of tokens."""

    def __init__(self) -> None:
        self._rows: NDArray[np.floating[Any]] = _stored()
        self._widening = threading.Lock()

    def widened(self) -> None:
        """Make all rows float32, which takes as long as 500 texts and pays for more than those."""
        with self._widening:
            if self._rows.dtype != np.float32:
                self._rows = self._rows.astype(np.float32)

    def of(self, tokens: NDArray[np.uint32]) -> NDArray[np.float32]:
        """The rows of a text's tokens; a token that the model does not know has the last one."""
        return self._rows.take(tokens, axis=0, mode="clip").astype(np.float32, copy=False)


@cache
def _made() -> _Table:
    return _Table()


def _table() -> _Table:
    with _loading:
        return _made()


class SmallEmbedder:
    """WordLlama in this process."""

    model = SMALL_MODEL
    dimensions = DIMENSIONS
    concurrency = 1

    def __init__(self) -> None:
        """
        Raises:
            ModelMissing: its weights are not installed, or cannot be read.
        """
        _table()

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch (see `Embedder.embed`); rows have unit length."""
        table = _table()
        if len(texts) > _FEW:
            table.widened()
        # wordllama's own tokeniser takes several times as long, and pads every text to the longest of its batch.
        tokens = [local_tokens(text) for text in texts]
        # What `WordLlama.embed` computes: the tokens' mean at unit length, for which their sum does. Rows are added
        # in their order, not by BLAS, so that a text has the same vector on every processor, to the last bit.
        sums = np.stack([np.add.reduce(table.of(ids), axis=0) for ids in tokens])
        lengths = np.sqrt(np.square(sums).sum(axis=1, keepdims=True))
        vectors = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
        # A text without one known token has no direction; any fixed one keeps it storable and unlike others.
        vectors[lengths[:, 0] == 0, 0] = 1.0
        counts = [len(ids) for ids in tokens]
        return Embedded(checked(vectors, texts, DIMENSIONS, SMALL_MODEL), sum(counts), counts)
