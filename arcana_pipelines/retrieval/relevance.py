"""What a score means: how likely it is that a hit is of a page that answers, and when nothing is said to be found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from arcana_pipelines.embedding.catalogue import E5_MODEL, MULTILINGUAL_MODEL, SMALL_MODEL
from arcana_pipelines.retrieval.fusion import Fusion, Ranking, Scored

# Among fewer chunks the one that answers is often the only one with any word of the question, and has few of them.
FEW_TEXTS = 100
# What it takes from the log odds that all of a question are codes that no text has: the page of another code is as near
# to it, and has its other words. By the square: one beside many words is hardly what is asked for.
OF_MISSING = 28.0
ALL = 0.999
Unjudged = Literal["not_measured", "outdated_index"]

WHY_UNJUDGED: Mapping[Unjudged, str] = {
    "not_measured": "Nobody measured what these scores mean: whatever is nearest is shown.",
    "outdated_index": "An earlier release filled the index: until it is rebuilt whatever is nearest is shown.",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the best candidates of a question: of the first, and of the nearest, the mean of both.

    The first is the one of many by its words, too, so its words say less than those of the one that is nearest in
    meaning. Where both are the same, meaning and words agree.

    Attributes:
        nearness: by meaning, -1 to 1.
        words: what the first has of all that the question's words can score, 0 to 1.
        covered: how much of what the question asks for they say, 0 to 1.
        missing: how much of it are codes that no text has, 0 to 1.
    """

    nearness: float
    words: float
    covered: float
    missing: float = 0.0


NOTHING_KNOWN = Evidence(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression on the evidence (docs/evaluation.md says to what it is fitted, and how).

    Attributes:
        start: the log odds without any evidence.
        nearness: what each unit of the best candidates' nearness adds to them.
        words: the same of the first one's words.
        covered: the same of how much they say of what the question asks for.
        fall: what each unit takes from them by which a hit's score is below the best.
        least: below this score of the best hit nothing is said to be found.
        least_of_few: the same among fewer than `FEW_TEXTS` chunks.
    """

    start: float
    nearness: float
    words: float
    covered: float
    fall: float
    least: float
    least_of_few: float

    def least_of(self, chunks: int) -> float:
        """Below which score of the best hit nothing is said to be found among so many chunks."""
        return self.least if chunks >= FEW_TEXTS else self.least_of_few

    def scores(self, best: Sequence[tuple[int, float]], evidence: Evidence) -> list[tuple[int, float]]:
        """The same candidates in the same order with the odds of each as a share of 1."""
        odds = (
            self.start
            + self.nearness * evidence.nearness
            + self.words * evidence.words
            + self.covered * evidence.covered
            - OF_MISSING * evidence.missing**2
        )
        first = best[0][1] if best else 0.0
        return [(chunk, _share(odds - self.fall * (first - score))) for chunk, score in best]


# By model; of words alone they are the same with every model.
_FUSED: Mapping[str, Calibration] = {
    MULTILINGUAL_MODEL: Calibration(-6.5, 12.6, 0.0, 3.5, 14.0, 0.1, 0.1),
    E5_MODEL: Calibration(-4.1, 9.0, 0.0, 3.0, 13.0, 0.12, 0.12),
    SMALL_MODEL: Calibration(-1.8, 0.0, 9.4, 1.0, 6.0, 0.2, 0.17),
}
_WORDS = Calibration(-1.8, 0.0, 9.4, 1.0, 6.0, 0.2, 0.17)


def calibration_of(model: str, ranking: Ranking, fusion: Fusion) -> Calibration | None:
    """What the scores of a search with a model are made of; None where nobody measured it: they stay as they are."""
    if ranking == "lexical":
        return _WORDS
    return _FUSED.get(model) if (ranking, fusion) == ("fused", "weighted") else None


def evidence(best: Sequence[tuple[int, float]], candidates: Sequence[Scored], attainable: float) -> Evidence:
    """Of candidates, and of the same in their order with their scores."""
    if not best:
        return NOTHING_KNOWN
    first = next(each for each in candidates if each.chunk == best[0][0])
    nearest = max(candidates, key=lambda each: (each.dense, each is first))
    return Evidence(
        (first.dense + nearest.dense) / 2,
        first.lexical / attainable if attainable else 0.0,
        # A text that says all that is asked for has said it, whichever is nearer: a code alone means little to a model.
        1.0 if first.covered >= ALL else (first.covered + nearest.covered) / 2,
    )


def _share(odds: float) -> float:
    return (1 + math.tanh(odds / 2)) / 2
