"""What a score means: how likely it is that a hit is of a page that answers, and when nothing is said to be found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, SMALL_MODEL
from arcana_pipelines.retrieval.fusion import Fusion, Ranking, Scored


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the best candidate of a question.

    Attributes:
        nearness: by meaning, -1 to 1.
        words: what it has of all that the question's words can score, 0 to 1.
    """

    nearness: float
    words: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression on the evidence (docs/evaluation.md says to what it is fitted, and how).

    Attributes:
        start: the log odds without any evidence.
        nearness: what each unit of the best candidate's nearness adds to them.
        words: the same of its words.
        fall: what each unit takes from them by which a hit's score is below the best.
        least: below this score of the best hit nothing is said to be found.
    """

    start: float
    nearness: float
    words: float
    fall: float
    least: float

    def scores(self, best: Sequence[tuple[int, float]], evidence: Evidence) -> list[tuple[int, float]]:
        """The same candidates in the same order with the odds of each as a share of 1."""
        odds = self.start + self.nearness * evidence.nearness + self.words * evidence.words
        first = best[0][1] if best else 0.0
        return [(chunk, _share(odds - self.fall * (first - score))) for chunk, score in best]


# By model; of words alone they are the same with every model.
_FUSED: Mapping[str, Calibration] = {
    MULTILINGUAL_MODEL: Calibration(-3.5, 10.9, 4.7, 16.0, 0.15),
    SMALL_MODEL: Calibration(-1.4, 0.0, 10.3, 7.0, 0.25),
}
_WORDS = Calibration(-1.4, 0.0, 10.3, 7.0, 0.25)


def calibration_of(model: str, ranking: Ranking, fusion: Fusion) -> Calibration | None:
    """What the scores of a search with a model are made of; None where nobody measured it: they stay as they are."""
    if ranking == "lexical":
        return _WORDS
    return _FUSED.get(model) if (ranking, fusion) == ("fused", "weighted") else None


def evidence(best: Sequence[tuple[int, float]], candidates: Sequence[Scored], attainable: float) -> Evidence:
    """Of candidates, and of the same in their order with their scores."""
    if not best:
        return Evidence(0.0, 0.0)
    leader = next(each for each in candidates if each.chunk == best[0][0])
    return Evidence(leader.dense, leader.lexical / attainable if attainable else 0.0)


def _share(odds: float) -> float:
    return (1 + math.tanh(odds / 2)) / 2
