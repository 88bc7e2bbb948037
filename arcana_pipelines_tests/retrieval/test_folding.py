"""Folding: the shortcuts change the time it takes, never the answer."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Set
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcana_pipelines.retrieval import folding
from arcana_pipelines.retrieval.folding import are_alike
from arcana_pipelines.retrieval.highlights import terms_of
from arcana_pipelines.retrieval.results import Hit


def hit(number: int, text: str, kind: str = "page", title: str = "") -> Hit:
    page = f"page-{number}"
    return Hit(
        score=0.5, document_id=page, external_id=page, kind=kind, title=title or f"Title {number}", url=None,
        link=None, path="a", heading_path=[], position=0, text=text, version=1, last_edited_at=None,
    )  # fmt: skip


def fold(hits: Iterable[Hit], most: int, asked: Set[int]) -> list[Hit]:
    return folding.fold(hits, most, asked).hits


def folded(texts: list[str], most: int) -> list[tuple[str, list[str]]]:
    """(page, the pages that are folded into it)."""
    hits = fold([hit(number, text) for number, text in enumerate(texts)], most, asked=set())
    return [(each.external_id, [twin.external_id for twin in each.duplicates]) for each in hits]


def compared_in_full(texts: list[str], most: int) -> list[tuple[str, list[str]]]:
    """The definition: every text with every one before it."""
    kept: list[tuple[Hit, list[str]]] = []
    for number, text in enumerate(texts):
        one = hit(number, text)
        twin = next((twins for other, twins in kept if are_alike(one, other, set())), None)
        if twin is not None:
            twin.append(one.external_id)
        elif len(kept) == most:
            break
        else:
            kept.append((one, []))
    return [(each.external_id, twins) for each, twins in kept]


@st.composite
def repetitive(draw: st.DrawFn) -> list[str]:
    """Texts of which many are others with a few characters changed, around the limit of what is alike."""
    texts = draw(st.lists(st.text(alphabet="abc 휴가😀", max_size=60), min_size=1, max_size=5))
    for _ in range(draw(st.integers(0, 15))):
        text = draw(st.sampled_from(texts)) * draw(st.integers(1, 3))
        for _ in range(draw(st.integers(0, 5))):
            at = draw(st.integers(0, len(text)))
            text = text[:at] + draw(st.sampled_from(["", "x", "y"])) + text[at + draw(st.integers(0, 1)) :]
        texts.append(text)
    return texts


@pytest.mark.slow
@settings(max_examples=300)
@given(repetitive(), st.integers(1, 30))
def test_the_same_is_folded_as_by_comparing_all_texts_in_full(texts: list[str], most: int) -> None:
    assert folded(texts, most) == compared_in_full(texts, most)


def test_a_text_with_one_other_word_in_thirty_is_the_same_text() -> None:
    text = "Whoever finds the door of the archive open closes it and tells the reception which one it was. "
    assert folded([text, "Another text.", text.replace("archive", "archives"), text], 10) == [
        ("page-0", ["page-2", "page-3"]),
        ("page-1", []),
    ]


def test_no_more_is_looked_at_than_is_asked_for() -> None:
    hits = iter([hit(number, text) for number, text in enumerate(["one", "two", "three", "four"])])
    assert [each.text for each in fold(hits, 2, set())] == ["one", "two"] and next(hits).text == "four"
    assert fold([], 10, set()) == []


def test_what_repeats_a_text_of_an_earlier_answer_is_told_apart_from_what_is_new() -> None:
    hits = [hit(number, text) for number, text in enumerate(["one", "two", "one", "three", "four"])]
    found = folding.fold(hits, 2, set(), before=[hit(9, "one")])
    assert [each.text for each in found.hits] == ["two", "three"] and found.is_more
    assert [each.external_id for each in found.repeated] == ["page-0", "page-2"]
    assert not folding.fold(hits, 4, set()).is_more


def test_what_repeats_the_last_text_that_is_asked_for_is_named_with_it() -> None:
    assert folded(["one", "two", "two", "three"], 2) == [("page-0", []), ("page-1", ["page-2"])]


LONG = "Whoever finds the door of the archive open closes it and tells the reception. {} It is locked at night. "


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("The code is 4711.", "The code is 4712."),
        ("It opens at 9:30.", "It opens at 9:00."),
        ("Fine: €5", "Fine: $5"),
        ("출입 번호는 4711입니다.", "출입 번호는 4117입니다."),
        ("Lowest: -5°", "Lowest: 5°"),
        ("Since 2026-01-01.", ""),
        ("Room A1, then B2.", "Room B2, then A1."),
    ],
)
def test_other_numbers_are_another_answer_however_alike_the_texts_are(here: str, there: str) -> None:
    texts = [LONG.format("") * 4 + LONG.format(each) for each in (here, there)]
    assert folded(texts, 10) == [("page-0", []), ("page-1", [])]


def test_a_number_between_other_marks_is_the_same_number() -> None:
    texts = [LONG.format("The code is **4711**.") * 3, LONG.format("The code is 4711.") * 3]
    assert folded(texts, 10) == [("page-0", ["page-1"])]


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("Turn off the light.", "turn  off\n\nthe LIGHT."),
        ("Turn **off** the `light`.", "Turn off the light."),
        ("불을 끄세요.", unicodedata.normalize("NFD", "불을  끄세요.")),
    ],
)
def test_a_text_that_is_set_in_another_way_is_the_same_text(here: str, there: str) -> None:
    (only,) = fold([hit(0, here), hit(1, there)], 10, set())
    assert [(twin.external_id, twin.differences) for twin in only.duplicates] == [("page-1", [])]


def test_where_a_page_words_it_differently_the_hit_says_how() -> None:
    here, there = LONG.format("Smoking is allowed.") * 3, LONG.format("Smoking is not allowed.") * 3
    (only,) = fold([hit(0, here), hit(1, there)], 10, set())
    assert only.duplicates[0].differences == [("", "not")] * 3
    (only,) = fold([hit(0, here), hit(1, here)], 10, set())
    assert only.duplicates[0].differences == []


def test_rows_are_hits_of_their_own_unless_nothing_tells_them_apart() -> None:
    text = "Offices\nPerson: {}\nHouse rules: " + LONG.format("") * 3
    kim, lee = text.format("김하나"), text.format("이두리")
    assert len(fold([hit(0, kim, "row", "Seoul"), hit(1, lee, "row", "Seoul")], 10, set())) == 2
    assert len(fold([hit(0, kim, "row", "Seoul"), hit(1, kim, "row", "Busan")], 10, set())) == 2
    assert len(fold([hit(0, kim, "row", "Seoul"), hit(1, kim, "row", "Seoul")], 10, set())) == 1


def test_a_title_is_shown_with_its_page_so_its_number_makes_no_other_text() -> None:
    body = LONG.format("The code is 4711.") * 3
    hits = fold(
        [hit(0, f"# Notes 1\n\n{body}", title="Notes 1"), hit(1, f"# Notes 2\n\n{body}", title="Notes 2")], 10, set()
    )
    assert [(twin.title, twin.differences) for twin in hits[0].duplicates] == [("Notes 2", [])]


def test_a_word_of_the_question_that_one_of_them_has_makes_them_two_answers() -> None:
    seoul, busan = (
        LONG.format("The house keeper lives in Seoul.") * 3,
        LONG.format("The house keeper lives in Busan.") * 3,
    )
    assert len(fold([hit(0, seoul), hit(1, busan)], 10, terms_of("door of the archive"))) == 1
    assert len(fold([hit(0, seoul), hit(1, busan)], 10, terms_of("house keepers in Busan"))) == 2


def test_a_page_is_named_once_however_many_of_its_chunks_repeat_the_text() -> None:
    text = LONG.format("") * 4
    (only,) = fold([hit(0, text), hit(1, text), hit(1, text + " ")], 10, set())
    assert [twin.external_id for twin in only.duplicates] == ["page-1"]


def test_the_numbers_of_a_text_without_blanks_are_sought_once() -> None:
    one, other = hit(1, "[" * 40_000), hit(2, "[" * 40_001)
    started = thread_time()
    assert are_alike(one, other, set())
    assert thread_time() - started < 1
