"""The embedder of a model of one's own: any export of sentence-transformers, in the folder EMBEDDING_MODEL_PATH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.embedding.answers import checked
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.errors import EmbeddingFailed, WrongUse
from arcana_pipelines.net.workers import on_each_core
from arcana_pipelines.onnx_models.folder import ModelFolder
from arcana_pipelines.onnx_models.running import ModelFailed, RunningModel


class OnnxEmbedder:
    """A model in this process, a text a core at once."""

    concurrency = 1

    def __init__(self, folder: ModelFolder, name: str, dimensions: int) -> None:
        """
        Raises:
            WrongUse: the model cannot be loaded, is no embedder, or has vectors of another size.
        """
        self.model, self.dimensions = name, dimensions
        self._folder = folder
        self._running = RunningModel(folder)
        if (size := len(self._embed("hello")[0])) != dimensions:
            raise WrongUse(
                f"The model in {folder.path} makes vectors of {size} dimensions; the index has {dimensions}."
            )

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch (see `Embedder.embed`); rows have unit length."""
        made = on_each_core(self._embed, texts, "embed")
        counts = [tokens for _, tokens in made]
        return Embedded(
            checked([vector for vector, _ in made], texts, self.dimensions, self.model), sum(counts), counts
        )

    def _embed(self, text: str) -> tuple[NDArray[np.float32], int]:
        try:
            outputs, mask = self._running.run(text)
        except ModelFailed as error:
            raise EmbeddingFailed(f"The model '{self.model}' failed: {error}") from error
        answered = self._vector(outputs, mask)
        if answered is None:
            raise WrongUse(
                f"The model in {self._folder.path} answers with no vector of a text, and with none of its tokens: is "
                "it an embedder?"
            )
        vector: NDArray[np.float32] = answered.astype(np.float32)
        length = float(np.linalg.norm(vector))
        if length == 0:  # of a text without a token
            vector[0], length = 1.0, 1.0
        return vector / length, int(mask.sum())

    def _vector(self, outputs: Mapping[str, NDArray[Any]], mask: NDArray[np.int64]) -> NDArray[Any] | None:
        """The vector of the one text that was asked; None where the outputs hold none."""
        whole = outputs.get(_WHOLE)
        if whole is not None:
            return whole[0] if whole.ndim == 2 and len(whole) == 1 and whole.size else None
        of_tokens = next((output[0] for output in outputs.values() if output.ndim == 3 and len(output) == 1), None)
        return None if of_tokens is None or of_tokens.shape[1] == 0 else self._pooled(of_tokens, mask)

    def _pooled(self, of_tokens: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        if len(of_tokens) == 0:
            return np.zeros(of_tokens.shape[1], np.float32)
        if self._folder.pooling == "cls":
            return np.asarray(of_tokens[0])
        if self._folder.pooling == "last":
            return np.asarray(of_tokens[-1])
        return np.asarray(of_tokens.mean(0))  # without padding every token counts


# How exports of sentence-transformers call the vector of the whole text, where they have one.
_WHOLE = "sentence_embedding"
