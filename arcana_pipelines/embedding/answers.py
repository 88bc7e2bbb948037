"""Checks of what a provider answered, for all embedders."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from arcana_pipelines.embedding.protocol import Vectors
from arcana_pipelines.errors import EmbeddingFailed


def numbers(embedding: Any) -> Any:
    """An embedding as an endpoint sends it: a list, or its float32 in base64."""
    return np.frombuffer(base64.b64decode(embedding), dtype="<f4") if isinstance(embedding, str) else embedding


def sane_tokens(said: Any, most: int) -> int:
    """What an endpoint counted; 0 when it counts nothing. A monthly limit is kept by this number.

    Raises:
        ValueError: it is not a count of at most `most` tokens.
    """
    if said is None:
        return 0
    if type(said) is not int or not 0 <= said <= most:
        raise ValueError(f"it counts {str(said)[:40]} tokens where there are {most} at most")
    return said


def checked(vectors: Any, texts: Sequence[str], dimensions: int, model: str) -> Vectors:
    """The vectors as float32, refused unless there is one finite, non-zero vector of the right size a text.

    Raises:
        EmbeddingFailed: they are not.
    """
    try:
        array = np.asarray(vectors, dtype=np.float32)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise EmbeddingFailed(f"The model '{model}' answered with something other than a list of vectors.") from error
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
