"""Fits what scores mean (`arcana_pipelines.retrieval.relevance`) to the questions that tuning may read.

    python -m arcana_pipelines_tests.evaluation.calibrate [--model NAME]
    python -m arcana_pipelines_tests.evaluation.calibrate --also FILE FOLDER    # and other questions on other pages

A hit is right when it is of a page that answers. Every set of questions counts the same, and what is fitted to all
but one of them is tried on that one. Each question with an answer is asked once more with the pages that answer left
out: what is nearest then speaks of about the same and does not answer. Of these there are as many as there are
questions with an answer, while few people write down what has none.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.retrieval import ranked_search
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.fusion import Ranking, Scored
from arcana_pipelines.retrieval.relevance import NOTHING_KNOWN, Calibration, Evidence
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.snapshot_search import SnapshotSearch
from arcana_pipelines_tests.evaluation.__main__ import own_database
from arcana_pipelines_tests.evaluation.asking import IndexedPages, pages_of
from arcana_pipelines_tests.evaluation.baseline import HANDBOOK, TUNING_SETS
from arcana_pipelines_tests.evaluation.question_file import NaturalQuestion, read_questions

_HITS = 10
_LEFT_OUT = "left out"  # the kind of a question whose answer is
# So many of the questions with an answer may be refused.
_WRONGLY = 0.04
_RIDGE = 0.3  # of columns with variance 1
_FALLS = np.arange(1.0, 60.0)  # are tried

# The evidence that is tried.
_USES: Mapping[Ranking, Sequence[Sequence[str]]] = {
    "fused": (["words"], ["covered"], ["nearness", "words"], ["nearness", "covered"]),
    "lexical": (["words"], ["covered"]),
}

Floats = NDArray[np.float64]


@dataclass(slots=True)
class _Seen:
    """What a search would say, kept as it is."""

    evidence: Evidence = NOTHING_KNOWN

    def least_of(self, chunks: int) -> float:
        return 0.0

    def scores(self, best: Sequence[tuple[int, float]], evidence: Evidence) -> Sequence[tuple[int, float]]:
        self.evidence = evidence
        return best


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, what was known of its best candidate, how far each hit is below it, and whether the hit is right."""

    question: NaturalQuestion
    evidence: Evidence
    below: list[float]
    right: list[bool]


def ask(pages: IndexedPages, questions: Sequence[NaturalQuestion], ranking: Ranking) -> list[_Asked]:
    """Search as readers do, without a calibration: every question, then those with an answer without the answer."""
    seen = _Seen()
    with patch.object(ranked_search, "calibration_of", lambda *_: seen), pages.searcher() as searcher:
        asked = [_ask(searcher, pages, seen, question, ranking) for question in questions]
        for question in questions:
            if question.relevant:
                with leaving_out(pages.chunks(question.relevant)):
                    asked.append(_ask(searcher, pages, seen, without_answer(question), ranking))
    return asked


def without_answer(question: NaturalQuestion) -> NaturalQuestion:
    """The same question, which no page answers."""
    return question.model_copy(update={"relevant": (), "answer": (), "page_language": None, "kind": _LEFT_OUT})


@contextmanager
def leaving_out(chunks: Set[int]) -> Iterator[None]:
    """Let searches in PostgreSQL find what they would find without these chunks.

    How rare words are is still counted with them. Indexes that really lack the pages were tried, too: what tells
    questions with an answer from those without tells them as well there (area under the curve within 0.006).
    """
    scored = SnapshotSearch._scored

    def others(search: SnapshotSearch, candidates: Sequence[int]) -> list[Scored]:
        return [each for each in scored(search, candidates) if each.chunk not in chunks]

    with patch.object(SnapshotSearch, "_scored", others):
        yield


def _ask(
    searcher: ConnectionSearcher, pages: IndexedPages, seen: _Seen, question: NaturalQuestion, ranking: Ranking
) -> _Asked:
    seen.evidence = NOTHING_KNOWN
    answering = {pages.pages.named(name) for name in question.relevant}
    hits = searcher.search(SearchRequest(question.query, _HITS, ranking=ranking, min_score=0.0)).hits
    below = [hits[0].score - hit.score for hit in hits]
    return _Asked(question, seen.evidence, below, [bool(answering & pages_of(hit)) for hit in hits])


def fitted(sets: Mapping[str, Sequence[_Asked]], uses: Sequence[str]) -> Calibration:
    """The calibration of some sets, by the evidence that it may use, with its threshold.

    The evidence has to tell questions with an answer from those without, as if there were as many of either, and as
    many that nobody answers as have their answer left out. Letters by chance teach nothing: of them nothing is known.
    How fast the scores fall behind the first is what tells right hits from wrong ones.
    """
    every = [each for answers in sets.values() for each in answers if each.below]
    answers = [each for each in every if each.question.relevant or each.evidence != NOTHING_KNOWN]
    is_known = np.array([bool(each.question.relevant) for each in answers])
    is_left_out = np.array([each.question.kind == _LEFT_OUT for each in answers])
    weights = np.zeros(len(answers))
    for these, share in ((is_known, 0.5), (is_left_out, 0.25), (~is_known & ~is_left_out, 0.25)):
        weights[these] = share / max(these.sum(), 1)
    rows = np.array([[getattr(each.evidence, name) for name in uses] for each in answers])
    start, factors = _regression(rows, is_known, weights)
    known = dict(zip(uses, factors, strict=True))
    weighed = (known.get(name, 0.0) for name in ("nearness", "words", "covered"))
    made = Calibration(start, *weighed, fall=0.0, least=0.0, least_of_few=0.0)
    later = [
        (below, is_right, _odds(made, each))
        for each in answers
        if each.question.relevant
        for below, is_right in zip(each.below[1:], each.right[1:], strict=True)
    ]
    below, is_right, odds = (np.array(column) for column in zip(*later, strict=True))
    made = replace(made, fall=float(max(_FALLS, key=lambda fall: _likelihood(odds - fall * below, is_right))))
    of_answerable = [_first(made, each) for answers in sets.values() for each in answers if each.question.relevant]
    least = float(np.quantile(of_answerable, _WRONGLY))
    return replace(made, least=least, least_of_few=least)


def _likelihood(odds: Floats, right: NDArray[np.bool_]) -> float:
    return float(-np.logaddexp(0, np.where(right, -odds, odds)).sum())


def _odds(calibration: Calibration, each: _Asked) -> float:
    return float(np.log(1 / (1 - _first(calibration, each)) - 1))


def _first(calibration: Calibration, each: _Asked) -> float:
    return calibration.scores([(0, 0.0)], each.evidence)[0][1] if each.below else 0.0


def _regression(rows: Floats, right: NDArray[np.bool_], weights: Floats) -> tuple[float, list[float]]:
    """Logistic regression by Newton's method, with a small ridge: the start, and the factor of each column."""
    middle, spread = rows.mean(0), rows.std(0) + 1e-9
    columns = np.column_stack([np.ones(len(rows)), (rows - middle) / spread])
    weights = weights / weights.sum() * len(rows)
    ridge = np.diag([0.0, *[_RIDGE] * rows.shape[1]])
    factors = np.zeros(columns.shape[1])
    for _ in range(50):
        share = 1 / (1 + np.exp(-columns @ factors))
        slope = columns.T @ (weights * (share - right)) + ridge @ factors
        factors -= np.linalg.solve(columns.T @ (columns * (weights * share * (1 - share))[:, None]) + ridge, slope)
    plain = factors[1:] / spread
    return float(factors[0] - plain @ middle), plain.tolist()


def told(calibration: Calibration, answers: Sequence[_Asked]) -> str:
    """What a calibration does to a set: refusals, and how often hits of about a score are right."""
    firsts = [(_first(calibration, each), each) for each in answers]
    with_answer = [score for score, each in firsts if each.question.relevant]
    without = [score for score, each in firsts if not each.question.relevant and each.question.kind != _LEFT_OUT]
    left_out = [score for score, each in firsts if each.question.kind == _LEFT_OUT]
    scored = [
        (calibration.scores([(0, 0.0), (1, -below)], each.evidence)[-1][1], is_right)
        for each in answers
        for below, is_right in zip(each.below, each.right, strict=True)
    ]
    shares = []
    for low in np.arange(0, 1, 0.2):
        held = [is_right for score, is_right in scored if low <= score < low + 0.2]
        shares.append(f"{low:.1f}-: {np.mean(held):.2f} of {len(held)}" if held else f"{low:.1f}-: none")
    return (
        f"refused rightly {_below(calibration, without)}, of those whose answer is left out "
        f"{_below(calibration, left_out)}, wrongly {_below(calibration, with_answer)}; "
        f"above those without an answer {_above(with_answer, without):.3f}, with it left out "
        f"{_above(with_answer, left_out):.3f}; right by score {', '.join(shares)}"
    )


def _below(calibration: Calibration, scores: Sequence[float]) -> str:
    return f"{sum(score < calibration.least for score in scores)} of {len(scores)}"


def _above(ones: Sequence[float], others: Sequence[float]) -> float:
    """How often one is above another: the area under the curve; nan where there are none."""
    if not ones or not others:
        return float("nan")
    return float(np.mean([np.mean([(one > other) + 0.5 * (one == other) for other in others]) for one in ones]))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="of the index (default: that of new indexes)")
    parser.add_argument("--also", type=Path, nargs=2, action="append", default=[], metavar=("FILE", "FOLDER"))
    given = parser.parse_args()
    corpora = {HANDBOOK: list(TUNING_SETS)}
    for file, folder in given.also:
        corpora.setdefault(folder, []).append(file)
    asked: dict[Ranking, dict[str, list[_Asked]]] = {"fused": {}, "lexical": {}}
    for folder, files in corpora.items():
        with own_database() as database:
            pages = IndexedPages(database, folder, given.model or model_of(database.settings)[0])
            for ranking, sets in asked.items():
                sets |= {file.stem: ask(pages, read_questions(file), ranking) for file in files}
    for ranking, sets in asked.items():
        for uses in _USES[ranking]:
            print(f"\n{ranking} by {', '.join(uses)}: {_rounded(fitted(sets, uses))}")
            for name, answers in sets.items():
                others = {other: each for other, each in sets.items() if other != name}
                print(f"  {name}, fitted to the others: {told(fitted(others or sets, uses), answers)}")


def _rounded(calibration: Calibration) -> Calibration:
    *factors, least, least_of_few = astuple(calibration)
    return Calibration(*(round(factor, 1) for factor in factors), round(least, 2), round(least_of_few, 2))


if __name__ == "__main__":
    main()
