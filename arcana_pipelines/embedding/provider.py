"""What an embedder is, and which one the settings name."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.errors import EmbeddingFailed, InvalidSetting, WrongUse
from arcana_pipelines.settings import Settings

Vectors = NDArray[np.float32]

RUN_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Embedded:
    """`vectors` has one row a text; `tokens` is what the provider counted for all of them, `counts` for each."""

    vectors: Vectors
    tokens: int
    counts: Sequence[int] | None = None


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


OpenEmbedder = Callable[[str, int], Embedder]


@dataclass(frozen=True, slots=True)
class SentBatch:
    """A batch as its provider knows it. `files` are the ids of everything it keeps there."""

    batch_id: str
    state: Literal["waiting", "done", "failed"]
    reason: str = ""
    answers: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What became of one text of a batch: a vector, a refusal with its reason, or neither (it may be sent again)."""

    text_hash: bytes
    vector: Vectors | None = None
    tokens: int = 0
    refused: str | None = None


class Batches(Protocol):
    """Sends many texts at once and fetches their vectors hours later."""

    most_texts: int
    most_bytes: int

    def line(self, text_hash: bytes, text: str) -> bytes:
        """One text as it stands in the file that is sent."""
        ...

    def find(self, key: str) -> SentBatch | None:
        """The batch that was sent with this key, if it ever was."""
        ...

    def send(self, file: IO[bytes], key: str) -> SentBatch:
        """Send a file of lines; with a key that was sent before, nothing is sent again."""
        ...

    def look(self, batch_id: str) -> SentBatch:
        """How far a batch is."""
        ...

    def answers(self, batch: SentBatch) -> Iterator[BatchAnswer]:
        """What became of the texts, in any order; texts of which nothing is said may be sent again."""
        ...

    def forget(self, batch: SentBatch) -> None:
        """Delete what the provider keeps of it."""
        ...


@runtime_checkable
class OffersBatches(Protocol):
    """An embedder with a batch interface."""

    def batches(self) -> Batches:
        """The same model through it."""
        ...


def model_of(settings: Settings) -> tuple[str, int]:
    """(model, dimensions) that new indexes get."""
    if settings.embedding_provider == "openai":
        return settings.openai_embedding_model, settings.openai_embedding_dimensions
    from arcana_pipelines.embedding.local import DIMENSIONS, MODEL

    return MODEL, DIMENSIONS


# https://platform.openai.com/docs/guides/embeddings
_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}


def dimensions_of(model: str) -> int:
    """The size of a model's vectors when nobody asks for another.

    Raises:
        WrongUse: it is not known.
    """
    from arcana_pipelines.embedding.local import DIMENSIONS, MODEL

    found = DIMENSIONS if model == MODEL else _DIMENSIONS.get(model)
    if found is None:
        raise WrongUse(f"The size of the vectors of '{model}' is not known: say it with --dimensions.")
    return found


def open_embedder(settings: Settings, model: str, dimensions: int, patience: float = RUN_PATIENCE_SECONDS) -> Embedder:
    """The embedder for an index's model, wherever the settings say that new indexes go.

    `patience` is how many seconds of pauses that a server asks for one call may sit out.

    Raises:
        InvalidSetting: the model needs a key that is not set.
        WrongUse: the local model has vectors of another size.
    """
    from arcana_pipelines.embedding import local

    if model == local.MODEL:
        if dimensions != local.DIMENSIONS:
            raise WrongUse(f"The local model's vectors have {local.DIMENSIONS} dimensions, not {dimensions}.")
        return local.LocalEmbedder()
    if settings.openai_api_key is None:
        raise InvalidSetting(
            f"OPENAI_API_KEY is not set, and the index's model '{model}' is embedded through it "
            "(any OpenAI-compatible endpoint: OPENAI_BASE_URL)."
        )
    from arcana_pipelines.embedding.openai.embedder import OpenAIEmbedder

    return OpenAIEmbedder(settings, model, dimensions, patience)


def numbers(embedding: Any) -> Any:
    """An embedding as an endpoint sends it: a list, or its float32 in base64."""
    return np.frombuffer(base64.b64decode(embedding), dtype="<f4") if isinstance(embedding, str) else embedding


def sane_tokens(said: Any, most: int) -> int:
    """What an endpoint counted; 0 when it counts nothing. A monthly limit is kept by this number.

    Raises:
        ValueError: it is no count of at most `most` tokens.
    """
    if said is None:
        return 0
    if type(said) is not int or not 0 <= said <= most:
        raise ValueError(f"it counts {str(said)[:40]} tokens where there are {most} at most")
    return said


def probe(settings: Settings, model: str, dimensions: int) -> None:
    """Ask a model for one vector, so that a wrong name, key or size is found before anything is made of it.

    Raises:
        EmbeddingFailed, WrongUse: see `open_embedder` and `Embedder.embed`.
    """
    open_embedder(settings, model, dimensions).embed(["hello"])


def checked(vectors: Any, texts: Sequence[str], dimensions: int, model: str) -> Vectors:
    """The vectors as float32, refused unless there is one finite, non-zero vector of the right size a text.

    Raises:
        EmbeddingFailed: they are not.
    """
    try:
        array = np.asarray(vectors, dtype=np.float32)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
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
