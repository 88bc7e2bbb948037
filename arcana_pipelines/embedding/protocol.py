"""What an embedder is: it turns texts into vectors, and may offer batches that are answered later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BatchAnswer",
    "Batches",
    "Embedded",
    "EmbeddedQuestion",
    "Embedder",
    "EmbedsQuestions",
    "OffersBatches",
    "OpenEmbedder",
    "SentBatch",
    "Vectors",
]

Vectors: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Embedded:
    """What an embedder answers for one batch of texts.

    Attributes:
        vectors: float32 of shape (texts, dimensions), in the order of the texts.
        tokens: what the provider counted for all texts together.
        counts: tokens of each text, in the order of the texts; None where the provider counts only the whole.
    """

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


@dataclass(frozen=True, slots=True)
class EmbeddedQuestion:
    """What an embedder answers for one question.

    Attributes:
        vector: its numbers.
        tokens: what the provider counted.
    """

    vector: list[float]
    tokens: int


@runtime_checkable
class EmbedsQuestions(Protocol):
    """An embedder that needs less for one question than for a batch: a search that starts does without numpy."""

    def embed_question(self, text: str) -> EmbeddedQuestion:
        """The vector of `Embedder.embed`, up to what float32 rounds.

        Raises:
            EmbeddingFailed: see `Embedder.embed`.
        """
        ...


OpenEmbedder = Callable[[str, int], Embedder]


@dataclass(frozen=True, slots=True)
class SentBatch:
    """A batch as its provider knows it.

    Attributes:
        batch_id: the provider's id.
        state: `waiting` until it is answered; `failed` also when it ended early or is not known. A failed one may have
            answers.
        reason: of a failed one: why, in the provider's words; else empty.
        answers: ids of the files that hold answers and refusals; empty before there are any.
        files: ids of everything that the provider keeps of it: what `Batches.delete` deletes.
    """

    batch_id: str
    state: Literal["waiting", "done", "failed"]
    reason: str = ""
    answers: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What became of one text of a batch: a vector, a refusal, or neither (it may be sent again).

    Attributes:
        text_hash: names the text, as it was given to `Batches.encode`.
        vector: float32 of shape (dimensions,); None without one.
        tokens: what the provider counted for the text; 0 without a vector.
        refused: why the provider refuses the text, in its words: sent again, it would be refused again. None: it does
            not.
    """

    text_hash: bytes
    vector: Vectors | None = None
    tokens: int = 0
    refused: str | None = None


class Batches(Protocol):
    """Sends many texts at once and fetches their vectors hours later."""

    most_texts: int
    most_bytes: int

    def encode(self, text_hash: bytes, text: str) -> bytes:
        """One text as it stands in the file that is sent."""
        ...

    def find(self, key: str) -> SentBatch | None:
        """The batch that was sent with this key, if it ever was."""
        ...

    def send(self, file: IO[bytes], key: str) -> SentBatch:
        """Send a file of lines; with a key that was sent before, nothing is sent again."""
        ...

    def status(self, batch_id: str) -> SentBatch:
        """How far a batch is."""
        ...

    def answers(self, batch: SentBatch) -> Iterator[BatchAnswer]:
        """What became of the texts, in any order; texts of which nothing is said may be sent again."""
        ...

    def delete(self, batch: SentBatch) -> None:
        """Delete what the provider keeps of it."""
        ...


@runtime_checkable
class OffersBatches(Protocol):
    """An embedder with a batch interface."""

    def batches(self) -> Batches:
        """The same model through it."""
        ...
