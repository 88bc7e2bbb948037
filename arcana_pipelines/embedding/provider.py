"""What an embedder is, and which one the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.errors import EmbeddingFailed, InvalidSetting
from arcana_pipelines.settings import Settings

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedded:
    """`vectors` has one row a text; `tokens` is what the provider counted for all of them."""

    vectors: Vectors
    tokens: int


class Embedder(Protocol):
    """Turns texts into vectors of one model and size. Safe to call from several threads."""

    model: str
    dimensions: int
    concurrency: int

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed a batch, in order.

        Raises:
            InputRejected: one of the texts may be refused; a smaller batch may be fine.
            EmbeddingFailed: the provider failed after its retries, or answered with something unusable.
        """
        ...


def model_of(settings: Settings) -> tuple[str, int]:
    """(model, dimensions) that new indexes get."""
    if settings.embedding_provider == "openai":
        return settings.openai_embedding_model, settings.openai_embedding_dimensions
    from arcana_pipelines.embedding.local import DIMENSIONS, MODEL

    return MODEL, DIMENSIONS


def open_embedder(settings: Settings, model: str, dimensions: int) -> Embedder:
    """The embedder for an index's model, wherever the settings say that new indexes go.

    Raises:
        InvalidSetting: the model needs a key that is not set.
    """
    from arcana_pipelines.embedding import local

    if model == local.MODEL:
        return local.LocalEmbedder()
    if settings.openai_api_key is None:
        raise InvalidSetting(
            f"OPENAI_API_KEY is not set, and the index's model '{model}' is embedded through it "
            "(any OpenAI-compatible endpoint: OPENAI_BASE_URL)."
        )
    from arcana_pipelines.embedding.openai_compatible import OpenAIEmbedder

    return OpenAIEmbedder(settings, model, dimensions)


def checked(vectors: Any, texts: Sequence[str], dimensions: int, model: str) -> Vectors:
    """The vectors as float32, refused unless there is one finite, non-zero vector of the right size a text.

    Raises:
        EmbeddingFailed: they are not.
    """
    try:
        array = np.asarray(vectors, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise EmbeddingFailed(f"The model '{model}' answered with something that is no list of vectors.") from error
    if len(array) != len(texts):
        raise EmbeddingFailed(f"The model '{model}' answered {len(array)} vectors for {len(texts)} texts.")
    if array.shape != (len(texts), dimensions):
        raise EmbeddingFailed(
            f"The model '{model}' answered {array.shape} for {len(texts)} texts; the index needs "
            f"{dimensions} dimensions each. Make a new index for another model or size."
        )
    if not np.isfinite(array).all() or not np.any(array, axis=1).all():
        raise EmbeddingFailed(f"The model '{model}' answered with NaN, infinite or zero vectors; none was stored.")
    return array
