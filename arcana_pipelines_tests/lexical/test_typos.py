"""Which words of a question are taken for typing errors, and what they are taken for."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.lexical import typos
from arcana_pipelines.lexical.weights import chunk_weights

_FILE = Path(typos.__file__).with_name("common_stems.txt")


def counts(text: str) -> dict[int, int]:
    """Of an index that has only this text."""
    return dict.fromkeys(chunk_weights([("", (), text)])[0].keys.tolist(), 1)


@pytest.mark.parametrize(
    "word",
    "caller seven film empty right parking holidays Monday Berlin kitchen invoices umbrella café".split(),
)
def test_a_word_that_everybody_knows_is_no_typing_error_only_because_no_text_has_it(word: str) -> None:
    assert typos.unknown_words(f"where is the {word} please", {}) == []


@pytest.mark.parametrize(
    "word", "vaccation recieve goverment seperate pasword relase freze paramter holliday deploment".split()
)
def test_a_misspelt_word_is_one(word: str) -> None:
    assert typos.unknown_words(f"where is the {word}", {}) == [word]


@pytest.mark.parametrize("text", ["the frobnicator", "frobnicators", "a frobnicator-3"])
def test_a_rare_word_that_a_text_has_in_any_form_is_none(text: str) -> None:
    assert typos.unknown_words("which frobnicator is it", counts(text)) == []


@pytest.mark.parametrize("question", ["연차 며칠", "C++", "HR-450", "x86", "qwe"])
def test_codes_short_words_and_scripts_without_spaces_are_none(question: str) -> None:
    assert typos.unknown_words(question, {}) == []


@pytest.mark.parametrize(
    ("word", "candidates", "meant"),
    [
        ("freze", ["freeze"], "freeze"), ("ofice", ["office", "ice"], "office"), ("plmw", ["plan"], None),
        ("paramter", ["parameter", "paper"], "parameter"), ("wroking", ["working"], "working"),
        ("vacatoin", ["vacation", "location"], "vacation"), ("zzzzzzzz", ["vacation"], None), ("qzxv", [], None),
    ],
)  # fmt: skip
def test_what_was_meant_is_one_edit_away_or_two_of_a_longer_word(
    word: str, candidates: list[str], meant: str | None
) -> None:
    assert typos.nearest(word, candidates) == meant


def test_the_list_of_what_everybody_knows_is_small_and_in_order() -> None:
    stems = _FILE.read_text(encoding="ascii").split("\n")[:-1]
    assert stems == sorted(set(stems))
    assert all(stem.isalpha() and stem.islower() for stem in stems)
    assert _FILE.stat().st_size < 60_000
