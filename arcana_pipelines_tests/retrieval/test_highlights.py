"""Words are marked where they stand; looking piece by piece finds what reading the whole text does."""

from __future__ import annotations

from collections.abc import Set

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.lexical.analysis import has_cjk, numbers
from arcana_pipelines.retrieval.highlights import _RUN, _inside, highlights, terms_in, terms_of

WORDS = ("leave", "Leave", "leaves", "sick-leave", "C++", ".NET", "--flag", "@kim", "연차휴가를", "휴가", "3-4",
         "a-b", "b", "🎉", "don't", "leave,", "(leave)", "leave.leave", "café", "cafe\u0301", "휴가leave",
         "x" * 60 + "leave")  # fmt: skip
BLANKS = (" ", "  ", "\n", "\t", "\u00a0", "\u3000", "\u2028", "\x1c")
texts = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from((*BLANKS, ""))), max_size=12).map(
    lambda parts: "".join(word + blank for word, blank in parts)
)


def read_whole(text: str, terms: Set[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for run in _RUN.finditer(text):
        word = run.group()
        if terms.isdisjoint(numbers(word)):
            continue
        begin, end = _inside(word, terms) if has_cjk(word) else (0, len(word))
        span = (run.start() + begin, run.start() + end)
        if spans and spans[-1][1] >= span[0]:
            spans[-1] = (spans[-1][0], span[1])
        else:
            spans.append(span)
    return spans


@given(texts, st.sampled_from(("leave", "휴가", "C++ leave", ".NET b", "cafe 휴가", "🎉 kim")))
def test_pieces_are_marked_as_the_whole_text_is(text: str, question: str) -> None:
    terms = terms_of(question)
    assert highlights(text, terms) == read_whole(text, terms)
    in_it = {number for run in _RUN.finditer(text) for number in numbers(run.group())}
    assert terms_in(text, terms) == in_it & terms


def test_a_word_is_marked_as_often_as_it_stands() -> None:
    text = "Leave: ask for leave before leaves fall. 연차휴가를 쓰면 휴가가 준다."
    assert [text[begin:end] for begin, end in highlights(text, terms_of("leave 휴가"))] == [
        "Leave", "leave", "leaves", "휴가", "휴가"
    ]  # fmt: skip


@pytest.mark.parametrize("question", ["what is the", "How do I?", "어떻게 하나요", "the"])
def test_nothing_is_marked_where_no_word_says_what_is_asked_for(question: str) -> None:
    assert terms_of(question) == set()
    assert terms_of(f"{question} 휴가 leave") == terms_of("휴가 leave")
