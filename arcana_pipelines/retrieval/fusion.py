"""Words and meaning made one score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# With a model that knows all languages meaning is the better half of most questions.
STRONG_MODEL_WEIGHT = 0.7


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with both of its exact scores: BM25, and the cosine of its vector with the query's."""

    chunk: int
    lexical: float
    dense: float


def fuse(candidates: Sequence[Scored], meaning: float) -> list[tuple[int, float]]:
    """Weighted sum of both scores, each scaled to 0..1 among the candidates; best first."""
    if not candidates:
        return []
    most = max(each.lexical for each in candidates) or 1.0
    low, high = min(each.dense for each in candidates), max(each.dense for each in candidates)
    spread = (high - low) or 1.0
    scores = {
        each.chunk: meaning * (each.dense - low) / spread + (1 - meaning) * each.lexical / most for each in candidates
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def weight_of_meaning(best_lexical: float, attainable: float, is_cjk: bool, is_local: bool) -> float:
    """How much of the fused score is meaning.

    A chunk that has nearly all of the query's words, often and in its headings, needs no help; the fewer words are
    found, the more meaning says. The local model knows little but English (docs/evaluation.md has the measurements).
    """
    if not is_local:
        return STRONG_MODEL_WEIGHT
    uncovered = 1 - min(1.0, best_lexical / attainable) if attainable else 1.0
    return 0.4 * uncovered**2 * (0.5 if is_cjk else 1.0)
