"""Questions find texts that say what they ask for in other words, in the other language above all."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from arcana_pipelines.lexical import concepts, query_plan
from arcana_pipelines.lexical.analysis import LEAST, LEVELS, query_terms, term_id

_LINES = Path(concepts.__file__).with_name("concepts.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("연차는 며칠까지 이월되나요?", "~vacat"),
        ("Who approves vacations?", "휴가"),
        ("데이터를 지우려면", "~delet"),
        ("delete my data", "=지우"),
        ("안전인증", "~certif"),
    ],
)
def test_a_word_is_looked_for_in_the_other_language(question: str, found: str) -> None:
    term = concepts.in_other_language(question)[term_id(found)]
    assert 0 < term.weight <= concepts.IN_OTHER_LANGUAGE < 1


@pytest.mark.parametrize(("question", "found"), [("연차 이월", "휴가"), ("Who approves vacations?", "~leav")])
def test_so_are_words_of_the_same_meaning_in_the_same_one(question: str, found: str) -> None:
    assert 0 < concepts.in_other_words(question)[term_id(found)].weight <= concepts.IN_SAME_LANGUAGE < 1
    assert term_id(found) not in query_terms(question)


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("How many days off?", "종료"), ("Who works on Friday?", "노동조합"), ("Who works on Friday?", "공사"),
        ("Is a long answer right?", "길"), ("What is on the second floor?", "부업"), ("소 1동은 어디인가요?", "~cow"),
        ("양 팀의 개 수", "~sheep"),
    ],
)  # fmt: skip
def test_parts_of_phrases_and_short_words_with_another_sense_are_not_looked_for(question: str, other: str) -> None:
    assert term_id(other) not in concepts.in_other_language(question)


def test_names_and_numbers_of_a_question_are_the_same_in_both_languages() -> None:
    terms = concepts.in_other_language("HR-1200 배터리는 몇 시간 가나요?")
    assert terms[term_id("hr-1200")].weight == 1
    assert term_id("~batteri") in terms and term_id("배터") not in terms


@pytest.mark.parametrize(
    "question",
    ["what is the wifi password for visitors?", "A customer lost the receipt", "휴가는 어떻게 what is the"],
)
def test_words_that_ask_or_join_count_as_little_there_when_all_others_are_translated(question: str) -> None:
    """Else every "the" of an English text is marked, and gains as much as the words that were asked for."""
    terms = concepts.in_other_language(question)
    small = [terms[number] for word in ("what", "is", "the", "a") if (number := term_id(word)) in terms]
    assert small and all(term.weight <= LEAST for term in small)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("연차는 며칠까지 이월되나요?", "vacation leave carry over"),
        ("HR-1200은 배터리 한 번 충전하면?", "hr 1200 battery pack charge charging"),
        ("Who approves the vacation of Sejin?", "승인 전자결재 휴가 연차 sejin"),
        ("how do I", ""),
        ("xqzvkw plmwk", ""),
    ],
)
def test_what_is_asked_for_is_said_as_texts_of_the_other_language_say_it(question: str, words: str) -> None:
    assert concepts.as_in_other_language(question) == words


@pytest.mark.parametrize(
    "question", ["", "xqzvkw plmwk", "뷁쉙 쫼룝", "how do I", "어떻게 하나요", "W-17", "what can we do"]
)
def test_words_that_only_ask_and_words_without_a_meaning_stand_for_nothing(question: str) -> None:
    assert concepts.in_other_language(question) == concepts.in_other_words(question) == {}


def test_what_means_the_same_is_found_and_is_no_part_of_what_the_question_can_score() -> None:
    question, other = query_terms("연차"), concepts.in_other_language("연차")
    english = term_id("~vacat")
    counts = {english * LEVELS: 3}
    found = query_plan.plan(question, 100, counts, {}, other)
    assert found is not None and found.keys == [english * LEVELS]
    assert query_plan.plan(question, 100, counts) is None
    counts |= {number * LEVELS: 1 for number in question}
    alone, both = query_plan.plan(question, 100, counts), query_plan.plan(question, 100, counts, {}, other)
    assert alone is not None and both is not None
    assert alone.attainable == both.attainable and alone.gains == both.gains
    assert alone.other_vector is None and both.other_gains.keys() == other.keys()


def test_the_file_has_korean_words_and_english_ones_in_every_line_and_no_line_twice() -> None:
    assert all(re.fullmatch(r"[가-힣]+( [가-힣]+)* \| [a-z]+( [a-z]+)*", line) for line in _LINES)
    assert len(set(_LINES)) == len(_LINES) > 1000


@pytest.mark.parametrize(
    ("word", "parts"),
    [("보안점검", ["보안", "점검"]), ("재정렬", ["정렬"]), ("원두통", []), ("경조금", []), ("벤치마크", [])],
)
def test_no_word_is_seen_behind_a_part_of_another_one(word: str, parts: list[str]) -> None:
    assert [meaning.part for meaning in concepts.meanings(word)] == parts


def test_a_word_of_thousands_of_syllables_is_looked_up_piece_by_piece_and_no_piece_is_longer_than_a_known_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up: list[str] = []

    class Named(dict[str, tuple[int, ...]]):
        def __contains__(self, key: object) -> bool:
            looked_up.append(str(key))
            return super().__contains__(key)

    known = concepts._concepts()
    monkeypatch.setattr(concepts, "_concepts", lambda: replace(known, named=Named(known.named)))
    word = "휴가" + "쀍" * 3000 + "규정"
    assert [meaning.part for meaning in concepts.meanings(word)] == ["휴가", "규정"]
    assert len(looked_up) < len(word) * known.longest
