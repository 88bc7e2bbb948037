"""Letters by chance are told from words, in both languages."""

from __future__ import annotations

import pytest

from arcana_pipelines.lexical.analysis import LEVELS, query_terms
from arcana_pipelines.lexical.gibberish import is_gibberish


@pytest.mark.parametrize(
    "query",
    [
        "xqzvkw fwkrssdw",
        "hgwprrp",
        "znmxzsoe dbqpg?",
        "how do I wqkxzj",
        "뷁쉙 쫼룝 캭뎌",
        "ㅁㄴㅇㄹ ㅋㅌㅊㅍ",
        "8402917 55310",
        "먐",
    ],
)
def test_letters_by_chance_mean_nothing(query: str) -> None:
    assert is_gibberish(query, {})


@pytest.mark.parametrize(
    "query",
    [
        "", "how do I", "vacation", "daily", "vaction polciy", "kubernetes", "Aylin Demir", "HR", "W-17",
        "연차", "픽레이트", "온콜 당직표", "뷁쉙 휴가", "xqzvkw vacation",
        "Wie viele Urlaubstage habe ich?", "combien de jours de conge", "Ile dni urlopu mam", "berapa hari cuti saya",
        "montako lomaa minulla on", "有給休暇は何日ですか", "сколько дней отпуска",
    ],
)  # fmt: skip
def test_words_of_any_language_that_the_index_does_not_have_may_mean_something(query: str) -> None:
    assert not is_gibberish(query, {})


def test_a_name_of_any_letters_that_the_index_has_is_a_word() -> None:
    assert not is_gibberish("xqzvkw", {number * LEVELS: 1 for number in query_terms("xqzvkw")})
