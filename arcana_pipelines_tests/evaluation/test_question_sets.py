"""The sets of natural questions are sound, and searches answer them no worse than was agreed on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.evaluation.golden import holds, read_golden
from arcana_pipelines_tests.evaluation.asking import IndexedPages, by_pair, measured
from arcana_pipelines_tests.evaluation.baseline import (
    BASELINE,
    FILES_SET,
    HANDBOOK,
    HANDBOOK_SETS,
    HELPDESK_BASELINE,
    HELPDESK_SET,
    SMALL_MODEL,
    measure_sets,
    worse,
)
from arcana_pipelines_tests.evaluation.question_file import NaturalQuestion, Pages, read_questions


@pytest.mark.slow
def test_the_handbook_is_answered_no_worse_than_the_baseline(database: Database) -> None:
    _no_worse(IndexedPages(database, HANDBOOK, SMALL_MODEL), (*HANDBOOK_SETS, FILES_SET), BASELINE)


@pytest.mark.slow
def test_the_helpdesk_is_answered_no_worse_than_the_baseline(database: Database) -> None:
    _no_worse(IndexedPages(database, None, SMALL_MODEL), (HELPDESK_SET,), HELPDESK_BASELINE)


def _no_worse(indexed: IndexedPages, sets: Sequence[Path], baseline: Path) -> None:
    for path in sets:
        for question in read_questions(path):
            texts = indexed.texts(indexed.pages.named(name) for name in question.relevant)
            missing = [words for words in question.answer if not any(holds(text, words) for text in texts)]
            assert not missing, f"{question.id}: these words of the answer stand on none of its pages"
    fallen = worse(json.loads(baseline.read_text(encoding="utf-8")), measure_sets(indexed, sets))
    assert not fallen, "\n".join([*fallen, "Where that is meant: make eval ARGS=--update-baseline"])


def test_the_golden_questions_of_the_documentation_quote_what_their_pages_say() -> None:
    shown = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8").split("```")[1]
    pages = {path.stem.rpartition(" ")[2]: path.read_text(encoding="utf-8") for path in HANDBOOK.rglob("*.md")}
    quoted = [each for question in read_golden(shown.encode()) for each in question.relevant]
    assert all(each.stands_in({each.external_id: pages[UUID(each.external_id).hex]}) for each in quoted)


def test_a_measure_that_falls_is_named_and_a_wrong_refusal_counts_the_other_way() -> None:
    before = {"held_out, fused": {"first": 0.5, "refused_wrongly": 0.1}}
    assert worse(before, {"held_out, fused": {"first": 0.481, "refused_wrongly": 0.119}}) == []
    assert worse(before, {"held_out, fused": {"first": 0.9, "refused_wrongly": 0.0}}) == []
    assert worse(before, {"held_out, fused": {"first": 0.47, "refused_wrongly": 0.13}}) == [
        "held_out, fused: first was 0.5 and is 0.47",
        "held_out, fused: refused_wrongly was 0.1 and is 0.13",
    ]
    assert len(worse(before, {})) == 2


def test_each_set_has_both_languages_across_and_questions_without_an_answer() -> None:
    sets = [read_questions(path) for path in HANDBOOK_SETS]
    queries = [question.query for questions in sets for question in questions]
    assert len(queries) == len(set(queries)) == 191
    for questions in sets:
        assert {"en>en", "ko>ko", "en>ko", "ko>en", "en>none", "ko>none"} == {each.pair for each in questions}
        assert sum(not each.relevant for each in questions) >= 10


def test_half_of_the_questions_about_tickets_are_in_korean() -> None:
    questions = read_questions(HELPDESK_SET)
    assert [each.language for each in questions].count("ko") == 5 and len(questions) == 10
    assert {"en>en", "ko>ko", "en>ko", "ko>en"} == {each.pair for each in questions}


def test_other_pages_are_asked_by_path_and_by_title(database: Database, tmp_path: Path) -> None:
    for path, text in {
        "en/parking.md": "# Parking\n\nThe garage opens at six.",
        "en/lunch.md": "# Lunch\n\nThe canteen has soup on Mondays.",
        "ko/lunch.md": "# 점심\n\n구내식당은 열두 시에 엽니다.",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    asked = [
        _question(id="1", query="when does the garage open", relevant=["parking.md"], answer=["opens at six"]),
        _question(id="2", query="soup in the canteen", relevant=["en/lunch.md"], answer=["words that stand nowhere"]),
        _question(id="3", query="구내식당", language="ko", page_language="ko", relevant=["ko/lunch.md"]),
        _question(id="4", query="zzzz qqqq", page_language=None, relevant=[]),
    ]
    indexed = IndexedPages(database, tmp_path, SMALL_MODEL)
    answers = indexed.ask(asked, "lexical")
    assert [(each.page_rank, each.answer_rank, each.is_refused) for each in answers] == [
        (1, 1, False), (1, None, False), (1, None, False), (None, None, True)
    ]  # fmt: skip
    rows = by_pair(answers)
    assert list(rows) == ["en>en", "ko>ko", "en>none", "all"]
    assert (rows["all"].first, rows["all"].ndcg, rows["all"].answer_first) == (1.0, 1.0, 0.5)
    assert (rows["all"].refused_rightly, rows["all"].refused_wrongly) == (1.0, 0.0)
    assert rows["en>none"].first is None and measured([]).questions == 0
    with pytest.raises(SystemExit, match=r"Question 5: 2 pages are called 'lunch\.md'"):
        indexed.require([_question(id="5", query="lunch", relevant=["lunch.md"])])


def test_a_page_is_named_by_path_first_then_by_title_then_by_the_end_of_its_path() -> None:
    pages = Pages({"1": "a.md", "2": "Two", "3": "b"}, {"x/a.md": "2", "a.md": "3", "y/c.md": "1"})
    assert [pages.named(name) for name in ("a.md", "Two", "x/a.md", "c.md")] == ["3", "2", "2", "1"]
    with pytest.raises(LookupError, match="no pages are called 'd'"):
        pages.named("d")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "2"', "Invalid JSON"),
        ('{"id": "2", "query": "q", "language": "en", "page_language": "en", "relevant": []}', "page_language is null"),
        ('{"id": "2", "query": "q", "language": "en", "page_language": null, "relevant": ["x"]}', "says its language"),
        ('{"id": "1", "query": "q", "language": "en", "page_language": "en", "relevant": ["x"]}', "stands in a line"),
        ('{"id": "2", "query": "q", "language": "en", "page_language": "en", "relevant": ["x"], "a": 1}', "Extra"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    first = '{"id": "1", "query": "first", "language": "en", "page_language": "en", "relevant": ["x"]}'
    file.write_text(f"{first}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=f"own.jsonl, line 3: .*{words}"):
        read_questions(file)


def _question(**fields: object) -> NaturalQuestion:
    return NaturalQuestion.model_validate({"language": "en", "page_language": "en", **fields})
