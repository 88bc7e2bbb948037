"""Questions that go on from others are answered with them, and a change of subject loses nothing."""

from __future__ import annotations

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.evaluation.golden import holds
from arcana_pipelines_tests.evaluation.asking import IndexedPages
from arcana_pipelines_tests.evaluation.baseline import HANDBOOK, SMALL_MODEL
from arcana_pipelines_tests.evaluation.dialogues import CHANGE, FOLLOW_UP, HALVES, ask, line, read_dialogues

# Right pages that are first, of the questions of a kind in each half, alone and with the turns before.
_AGREED = {
    ("tuning", FOLLOW_UP): (7, 18),
    ("tuning", CHANGE): (5, 5),
    ("held_out", FOLLOW_UP): (17, 19),
    ("held_out", CHANGE): (5, 5),
}
# Follow-ups of the half `tuning` whose first hit shows words of the answer.
_SHOWN = 14


@pytest.mark.slow
def test_follow_ups_find_more_with_the_turns_before_and_a_change_of_subject_as_much(database: Database) -> None:
    indexed = IndexedPages(database, HANDBOOK, SMALL_MODEL)
    for (half, kind), (alone, with_turns) in _AGREED.items():
        ranked = ask(indexed, read_dialogues(HALVES[half]), kind)
        first = sum(each.alone == 1 for each in ranked), sum(each.with_turns == 1 for each in ranked)
        assert first[0] >= alone and first[1] >= with_turns, line(half, kind, ranked)
        if (half, kind) == ("tuning", FOLLOW_UP):
            assert sum(each.shown is True for each in ranked) >= _SHOWN, line(half, kind, ranked)


def test_the_answers_of_dialogues_stand_on_their_pages() -> None:
    files = ((path.stem.rpartition(" ")[0], path.read_text(encoding="utf-8")) for path in HANDBOOK.rglob("*.md"))
    titles = {title: text.replace("**", "") for title, text in files}
    turns = [turn for dialogue in read_dialogues(HALVES["tuning"]) for turn in dialogue.turns]
    assert all(turn.answer for turn in turns if turn.kind == FOLLOW_UP)
    for turn in turns:
        said = [titles[title] for title in turn.relevant]
        assert all(any(holds(text, answer) for text in said) for answer in turn.answer), turn.query


def test_the_dialogues_are_in_both_languages_begin_with_a_first_question_and_repeat_none() -> None:
    halves = [read_dialogues(path) for path in HALVES.values()]
    asked = [turn.query for dialogues in halves for dialogue in dialogues for turn in dialogue.turns]
    assert len(asked) == len(set(asked))
    for dialogues in halves:
        assert [sum(each.language == language for each in dialogues) for language in ("en", "ko")] == [5, 5]
        for dialogue in dialogues:
            assert [turn.kind == "first" for turn in dialogue.turns].index(True) == 0
            assert [turn.kind for turn in dialogue.turns].count("first") == 1
        assert sum(turn.kind == CHANGE for dialogue in dialogues for turn in dialogue.turns) >= 5
