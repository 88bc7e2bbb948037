"""How much of a question a text says, whatever its words and its language."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.lexical.analysis import term_id
from arcana_pipelines.lexical.codes import KnownCode, codes_of
from arcana_pipelines.lexical.coverage import MOST_WORDS, Coverage, asked_words
from arcana_pipelines.lexical.weights import chunk_weights

TEXTS = [
    "You get 27 vacation days. Ask your lead.",
    "휴가는 팀장이 승인합니다.",
    "The canteen is open at noon.",
    "vacation vacation vacation vacation",
]


def covered(question: str, *texts: str, rarity: dict[int, float] | None = None) -> list[float]:
    """Of each text, among which all words are equally rare unless something else is said."""
    rarities = defaultdict(lambda: 1.0, rarity or {})
    coverage = Coverage(list(asked_words(question)), rarities)
    return [coverage.of(set(each.terms.tolist())) for each in chunk_weights([("", (), text) for text in texts])]


@pytest.mark.parametrize("question", ["Who approves vacations?", "휴가는 누가 승인하나요?"])
def test_a_text_says_what_is_asked_for_in_either_language(question: str) -> None:
    english, korean, other, _ = covered(question, *TEXTS)
    assert korean >= 0.8, "holiday and approval, both"
    assert 0.4 <= english <= 0.6, "the holiday alone"
    assert other == 0


def test_a_word_counts_once_however_often_a_text_has_it() -> None:
    _, _, _, often = covered("vacation of a lead", *TEXTS)
    assert often == covered("vacation of a lead", "one vacation")[0] == 0.5


def test_the_word_itself_counts_more_than_another_of_the_same_meaning_in_its_language() -> None:
    itself, alike, in_korean = covered("vacation", "a vacation", "a holiday", "휴가")
    assert 0 < alike < itself == in_korean == 1


def test_rare_words_count_more_than_common_ones() -> None:
    rarity = {term_id("~zebra"): 9.0}
    rare, common = covered("zebra crossing", "a zebra", "a crossing", rarity=rarity)
    assert (rare, common) == (0.9, 0.1)


def test_each_known_word_of_a_compound_is_asked_for() -> None:
    both, one, none = covered("안전인증", "안전 인증", "safety first", "점심")
    assert both == 1 and 0 < one < 1 and none == 0


def test_words_that_only_ask_are_not_asked_for() -> None:
    assert [*asked_words("how do I do this"), *asked_words("어떻게 하나요?")] == []
    assert covered("how do I do it without a badge", "badge")[0] > 0.4
    assert [covered(f"휴가가 {word}?", "휴가")[0] for word in "있습니까 있으면 있어야 있는".split()] == [1.0] * 4
    assert covered("먼지를 없애는", "먼지")[0] < 1.0


def test_forms_of_a_word_are_the_word_and_names_are_names() -> None:
    assert covered("이월되나요", "이월은 닷새까지 됩니다") == [1]


def test_a_part_of_a_code_is_not_the_code() -> None:
    asked = codes_of("the HR-1200 robot")[0]
    whole = KnownCode(asked, tuple(frozenset((term,)) for term in asked.whole), is_missing=False)
    apart = KnownCode(asked, asked.apart, is_missing=False)
    for code in (whole, apart):
        words = list(asked_words("HR-1200", codes=[code]))
        coverage = Coverage(words, defaultdict(lambda: 1.0))
        said, part = (
            set(each.terms.tolist()) for each in chunk_weights([("", (), "the HR-1200"), ("", (), "1200 of HR")])
        )
        assert coverage.of(said) == 1 and coverage.missing == 0
        assert coverage.of(part) == (code is apart), "of parts no more is known"


def test_what_is_missing_is_the_share_of_codes_that_no_text_has() -> None:
    code = codes_of("E99")[0]
    words = list(asked_words("error E99", codes=[KnownCode(code, (frozenset(code.whole),), is_missing=True)]))
    rarity = defaultdict(lambda: 1.0, {code.whole[0]: 3.0})
    assert Coverage(words, rarity).missing == 0.75


def test_of_a_long_question_the_first_words_are_looked_for() -> None:
    assert len(list(asked_words(" ".join(f"word{number}" for number in range(1_000))))) == MOST_WORDS


@given(st.text(max_size=60), st.text(max_size=60))
def test_it_is_a_share_whatever_is_asked_and_said(question: str, text: str) -> None:
    words = list(asked_words(question))
    if words:
        (share,) = covered(question, text or "x")
        assert 0 <= share <= 1 + 1e-9


def test_a_text_without_a_term_says_nothing() -> None:
    coverage = Coverage(list(asked_words("vacation")), defaultdict(lambda: 1.0))
    assert coverage.of(set()) == 0 and coverage.of({term_id("~vacat")}) == 1
