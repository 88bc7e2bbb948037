"""Texts are cut as the library `tokenizers` cuts them, in a time that grows with their length and no faster."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import arcana_pipelines.demo
from arcana_pipelines.multilingual_e5 import loaded
from arcana_pipelines.multilingual_e5.tokenizer import Tokenizer
from arcana_pipelines.multilingual_e5.weights import Weights
from arcana_pipelines.multilingual_e5.weights_file import checked_weights
from arcana_pipelines_tests.multilingual_e5 import needs_weights

pytestmark = needs_weights

HANDBOOK = sorted(Path(arcana_pipelines.demo.__path__[0], "handbook").rglob("*.md"))
ODD = [
    "휴가 정책은 2026년 1월부터 적용됩니다.",
    "👩‍👩‍👧 🇰🇷 ❤️ 🙂" * 20,
    "\ufdfa" * 200,
    "a\x00b\x00",
    "\u200b\u00ad\u2060 \ufeff",
    "\U00012000\U00012001 \U0010ffff \ue000",
    "ＦＵＬＬ　ｗｉｄｔｈ ①② ㈜ ﬁne Ⅳ ½",
    "中文没有空格" * 50,
    "ภาษาไทย עברית العربية हिन्दी",
    "▁▁ already ▁marked",
    "\n\ttabs\r\nlines \n ",
    "http://example.com/a_b?c=d&e=%20 C++ C# foo::bar() __init__",
    "",
    " ",
]


@pytest.fixture(scope="module")
def cut() -> Tokenizer:
    return loaded.tokenizer()


@pytest.fixture(scope="module")
def library() -> Callable[[str], list[int]]:
    """What `tokenizers` makes of a text whose characters were replaced as the file says."""
    from tokenizers import Tokenizer as Library
    from tokenizers import models, pre_tokenizers

    pieces = Weights(checked_weights()).pieces
    # A control piece that is spelled out is text for us.
    texts = [
        f"\x00\x00{number}\x00\x00" if number in pieces.controls else text for number, text in enumerate(pieces.texts)
    ]
    made = Library(models.Unigram(list(zip(texts, pieces.scores.tolist(), strict=True)), unk_id=pieces.unknown))
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)

    def tokens(text: str) -> list[int]:
        plain = unicodedata.normalize("NFC", text).translate(pieces.replaced)
        plain = " ".join(word for word in plain.split(" ") if word)
        return list(made.encode(plain, add_special_tokens=False).ids) if plain else []

    return tokens


@pytest.mark.slow
@pytest.mark.parametrize("text", [*ODD, *(path.read_text(encoding="utf-8") for path in HANDBOOK)])
def test_tokens_are_those_of_the_library(cut: Tokenizer, library: Callable[[str], list[int]], text: str) -> None:
    assert cut.tokens(text) == library(text)


@pytest.mark.slow
@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=80))
def test_those_of_any_text_are(cut: Tokenizer, library: Callable[[str], list[int]], text: str) -> None:
    assert cut.tokens(text) == library(text)


def test_letters_in_parts_are_the_letters(cut: Tokenizer) -> None:
    for text in ("휴가는 며칠인가요?", "Köln, naïve"):
        assert cut.tokens(unicodedata.normalize("NFD", text)) == cut.tokens(text)


def test_half_a_surrogate_pair_is_unknown_and_stops_nothing(cut: Tokenizer) -> None:
    assert cut.tokens("a \ud800 b")[1:-1] == cut.tokens("a \U0010fffe b")[1:-1]


def test_a_control_mark_that_is_spelled_out_is_text(cut: Tokenizer) -> None:
    for mark in ("<s>", "</s>", "<pad>", "<unk>", "<mask>"):
        assert len(cut.tokens(mark)) > 1 and not {0, 1, 2, 250_001} & set(cut.tokens(mark))


def test_a_chunk_cannot_grow_on_what_is_hardly_a_token(cut: Tokenizer) -> None:
    for text in (" " * 10_000, "\U00012000" * 10_000, "\x00" * 10_000):
        assert len(cut.tokens(text)) < 5 and cut.length(text) >= 500


@pytest.mark.slow
@pytest.mark.parametrize("sign", ["한", "a", "\U00012000", "e\u0301\u0316", "\u0301\u0316", "\ufdfa", "<"])
def test_a_word_of_any_length_takes_time_by_its_length(cut: Tokenizer, sign: str) -> None:
    began = time.process_time()
    cut.tokens(sign * 4_000)
    few = time.process_time() - began
    began = time.process_time()
    cut.tokens(sign * 32_000)
    assert time.process_time() - began < 8 * few * 3 + 0.1
