"""Which parts of a question are codes, and how texts may write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.lexical.analysis import term_id
from arcana_pipelines.lexical.codes import MOST, codes_of


@pytest.mark.parametrize(
    ("question", "written"),
    [
        ("error E99", "E99"), ("price of OR-6000?", "OR-6000"), ("what costs OR 6000", "OR 6000"),
        ("E 99 뜨는데", "E 99"),
        ("E_LICENSE_09 뜨는데", "E_LICENSE_09"), ("HR-650의 가격", "HR-650"), ("FW 7.9.9 hangs", "FW 7.9.9"),
        ("is INV-2026-0555 paid", "INV-2026-0555"), ("sev7 answer", "sev7"), ("v2.3.1", "v2.3.1"), ("F 36", "F 36"),
    ],
)  # fmt: skip
def test_a_code_is_a_name_of_letters_and_digits(question: str, written: str) -> None:
    assert [code.written for code in codes_of(question) if code.is_likely] == [written]


@pytest.mark.parametrize(
    "question",
    [
        "10kg in 41s at 9am on the 4th", "600 lines of 2026", "top-10 of 2024, pre-2024", "it was in 2026",
        "over EUR 500",
        "제3조 2층", "WHAT COSTS OF 500", "mail john2@acme.com or see http://x.y/z1", "we are 12", "VAT 2026", "C++17",
    ],
)  # fmt: skip
def test_measures_years_prices_and_addresses_are_none(question: str) -> None:
    assert not [code for code in codes_of(question) if code.is_likely]


def test_what_looks_like_words_is_one_where_a_text_has_it() -> None:
    assert [(code.written, code.is_likely) for code in codes_of("alert w 17")] == [("w 17", False)]


def test_all_ways_to_write_a_code_are_looked_for() -> None:
    (code,) = codes_of("ERR-4012b")
    assert code.whole == (term_id("err-4012b"), term_id("err4012b"))
    assert frozenset(map(term_id, ("~err", "4012b"))) in code.apart
    assert frozenset(map(term_id, ("err4012", "~b"))) in code.apart
    for text in ("err 4012b", "ERR_4012-B", "see ERR-4012b."):
        assert code.pattern.search(text)
    assert not any(code.pattern.search(text) for text in ("ERR-4012", "TERR-4012b", "err 4012bc"))


@given(st.text(max_size=200))
def test_whatever_is_asked_there_are_few_and_they_stand_in_it(question: str) -> None:
    codes = codes_of(question)
    assert len(codes) <= MOST
    assert all(code.written in question and len(code.apart) < 20 for code in codes)
