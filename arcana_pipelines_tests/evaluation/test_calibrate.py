"""What scores mean is learned from questions with an answer, and from the same with the answer left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.retrieval.relevance import NOTHING_KNOWN, Evidence
from arcana_pipelines_tests.evaluation import calibrate
from arcana_pipelines_tests.evaluation.asking import IndexedPages
from arcana_pipelines_tests.evaluation.baseline import SMALL_MODEL
from arcana_pipelines_tests.evaluation.question_file import NaturalQuestion

SOUP = NaturalQuestion(id="1", query="soup in the canteen", language="en", page_language="en", relevant=("Lunch",))
NOISE = NaturalQuestion(id="2", query="zzzz qqqq", language="en", page_language=None, relevant=())


def test_a_question_is_asked_once_more_without_the_pages_that_answer(database: Database, tmp_path: Path) -> None:
    (tmp_path / "lunch.md").write_text("# Lunch\n\nThe canteen has soup on Mondays.", encoding="utf-8")
    (tmp_path / "dinner.md").write_text("# Dinner\n\nThe canteen is closed in the evening.", encoding="utf-8")
    indexed = IndexedPages(database, tmp_path, SMALL_MODEL)
    found, nothing, left_out = calibrate.ask(indexed, [SOUP, NOISE], "lexical")
    assert found.right == [True, False] and nothing.evidence == NOTHING_KNOWN
    assert left_out.right == [False] and not left_out.question.relevant, "what is near is still found"
    assert 0 < left_out.evidence.covered < found.evidence.covered


def test_what_is_learned_tells_questions_with_an_answer_from_those_without() -> None:
    known = [_asked(SOUP, 0.5 + step / 100, 0.6) for step in range(25)]
    near = [_asked(calibrate.without_answer(SOUP), 0.35 + step / 100, 0.3) for step in range(25)]
    far = [_asked(NOISE, 0.1, 0.0), calibrate._Asked(NOISE, NOTHING_KNOWN, [0.0], [False])]
    made = calibrate.fitted({"one": [*known, *near, *far]}, ["nearness", "covered"])
    assert made.nearness > 0 and made.covered > 0 and made.words == 0.0
    told = calibrate.told(made, [*known, *near, *far])
    assert "refused rightly 2 of 2, of those whose answer is left out 25 of 25, wrongly 1 of 25" in told


def _asked(question: NaturalQuestion, nearness: float, covered: float) -> calibrate._Asked:
    is_known = bool(question.relevant)
    return calibrate._Asked(question, Evidence(nearness, 0.0, covered), [0.0, 0.2], [is_known, False])


@pytest.mark.parametrize(("ones", "others", "share"), [([2.0, 3.0], [1.0], 1.0), ([1.0, 2.0], [1.0, 2.0], 0.5)])
def test_the_area_under_the_curve_is_how_often_one_is_above_another(
    ones: list[float], others: list[float], share: float
) -> None:
    assert calibrate._above(ones, others) == share
