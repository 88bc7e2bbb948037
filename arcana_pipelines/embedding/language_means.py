"""Vectors without what they say of the language they are in.

A small multilingual model puts texts of one language near each other, whatever they say: a question finds all texts
of its own language before any of another. So what the vectors of a language have in common is taken away from them:
the mean over texts of many topics, the same in each language (`benchmarks/languages/`, from which the means are made).
A vector does not change with what else an index holds. Decision 032 has what it was measured by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pgvector import Vector

from arcana_pipelines.embedding.protocol import Vectors


@dataclass(frozen=True, slots=True, eq=False)
class LanguageMeans:
    """What a model's vectors of unit length have in common in each language.

    Attributes:
        languages: ISO 639-1 codes.
        passages: means of texts that are found, of shape (languages, dimensions).
        questions: means of questions, of the same shape.
    """

    languages: tuple[str, ...]
    passages: Vectors
    questions: Vectors

    def of_passages(self, vectors: Vectors) -> tuple[Vectors, list[str]]:
        """Vectors of texts, of shape (texts, dimensions), without their language, at unit length; and the languages."""
        return _without(vectors, self.passages, self.languages)

    def of_question(self, vector: Vectors) -> tuple[Vectors, str]:
        """A question's vector, of shape (dimensions,), without its language, at unit length; and the language."""
        (centred,), (language,) = _without(vector[None], self.questions, self.languages)
        return centred, language

    @property
    def parameters(self) -> dict[str, list[str]]:
        """`languages` and `means` of passages, as statements take them."""
        return {"languages": list(self.languages), "means": [str(Vector(mean).to_text()) for mean in self.passages]}


NO_MEANS: dict[str, list[str]] = {"languages": [], "means": []}


@cache
def means_of(model: str) -> LanguageMeans | None:
    """The means of a model's vectors; None where none were made."""
    file = files(__package__) / "means" / f"{model}.npz"
    if not file.is_file():
        return None
    import numpy as np

    with file.open("rb") as stored, np.load(stored) as arrays:
        return LanguageMeans(
            tuple(map(str, arrays["languages"])),
            arrays["passages"].astype(np.float32),
            arrays["questions"].astype(np.float32),
        )


def between(one: Vectors, other: Vectors, share: float) -> Vectors:
    """The mean of two vectors of unit length, of which the other one is this share; at unit length, or 0."""
    import numpy as np

    mean = (1 - share) * one + share * other
    length = np.linalg.norm(mean)
    return mean / length if length > 0 else mean


def _without(vectors: Vectors, means: Vectors, languages: tuple[str, ...]) -> tuple[Vectors, list[str]]:
    import numpy as np

    nearest = np.argmax(vectors @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T, axis=1)
    rest = vectors - means[nearest]
    lengths = np.linalg.norm(rest, axis=1, keepdims=True)
    return np.divide(rest, lengths, out=np.zeros_like(rest), where=lengths > 0), [languages[at] for at in nearest]
