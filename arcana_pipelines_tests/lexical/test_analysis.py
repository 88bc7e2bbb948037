"""Which terms a text has: the same in a document, in a query and beside Korean particles."""

from __future__ import annotations

import time
import unicodedata

import pytest

from arcana_pipelines.lexical.analysis import LEAST, numbers, query_terms, term_id, tokens
from arcana_pipelines.lexical.weights import chunk_weights


def terms(text: str) -> set[str]:
    return {token.term for token in tokens(text)}


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("C++", "c++"), ("We use C++.", "c++"), ("C++로 씁니다", "c++"), ("C++17", "c++17"), ("C++20 modules", "c++"),
        ("Ｃ＋＋", "c++"), ("C#은 쉽다", "c#"), ("(C#)", "c#"), ("C♯", "c#"), ("F#, then", "f#"), (".NET은", ".net"),
        ("“.NET”", ".net"), ("C#/.NET", ".net"), ("Objective-C++", "objective-c++"), ("R&D를", "r&d"), ("A/B", "a/b"),
        ("@alice님", "@alice"), ("#4711.", "#4711"), ("node.js", "node.js"), ("--dry-run", "--dry-run"),
        ("U.S.", "u.s"), ("Python 3.11", "3.11"),
    ],
)  # fmt: skip
def test_a_name_that_a_sign_makes_is_a_term_in_a_text_and_in_a_query(text: str, term: str) -> None:
    assert term in terms(text)
    assert term_id(term) in {number for word in text.split() for number in numbers(word)}
    assert term_id(term) in query_terms(text)


@pytest.mark.parametrize("text", ["C++", "C#", "C++17", "언어 C++로"])
def test_its_letter_is_found_by_itself_and_says_little_in_a_query_for_the_name(text: str) -> None:
    assert "c" in terms(text)
    assert query_terms(text)[term_id("c")].weight == LEAST
    assert query_terms("C")[term_id("c")].weight == 1.0


@pytest.mark.parametrize("text", ["a # b + c", "# Title", "- item", "...and so on", "was.The", "1 + 2", "--", "a@"])
def test_signs_that_belong_to_no_name_make_no_term(text: str) -> None:
    assert not {term for token in tokens(text) if (term := token.term)[0] in "#@.-+" or term[-1] in "#+"}


@pytest.mark.parametrize(
    "hidden", "\xad \u200b \u200c \u200d \u2060 \u200e \u200f \ufeff \ufe0f \u061c \u202e".split(" ")
)
@pytest.mark.parametrize(("word", "at"), [("employee", 2), ("연차", 1), ("회의실을", 2)])
def test_what_nobody_sees_is_part_of_no_term(hidden: str, word: str, at: int) -> None:
    written = f"{word[:at]}{hidden}{word[at:]}"
    assert terms(written) == terms(word)
    assert query_terms(f"the {written}") == query_terms(f"the {word}")
    one, other = (chunk_weights([("", (), text)])[0] for text in (written, word))
    assert list(one.terms) == list(other.terms)


@pytest.mark.parametrize("character", "ﷺﷻ㌖⑽㏂")
def test_characters_that_stand_for_many_are_found_by_those_and_do_not_make_a_text_of_thousands(character: str) -> None:
    assert set(numbers(character)) == set(numbers(unicodedata.normalize("NFKC", character)))
    many = f"a{character * 5000}b"
    assert len(numbers(many)) < 200
    assert {term_id(token.term) for token in tokens(many)} == set(numbers(many)), "a page and a question agree"


def test_a_name_of_thousands_of_parts_takes_no_square_of_time() -> None:
    started = time.process_time()
    assert len(numbers("a-" * 40_000 + "b")) > 40_000
    assert time.process_time() - started < 2
