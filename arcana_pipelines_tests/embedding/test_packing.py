"""Requests are filled by count and by tokens, in order, and never beyond what OpenAI takes."""

from __future__ import annotations

import pytest

from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, SMALL_MODEL
from arcana_pipelines.embedding.packing import MOST_TOKENS, Text, batches, measured, texts_at_once

OPENAI = "text-embedding-3-small"


def _texts(*tokens: int, exact: bool = True) -> list[Text]:
    return [
        Text(bytes([number]), f"text {number}", count, count if exact else count * 4)
        for number, count in enumerate(tokens)
    ]


@pytest.mark.parametrize(
    ("tokens", "most_texts", "sizes"),
    [
        ([], 10, []),
        ([1] * 5, 2, [2, 2, 1]),
        ([150_000, 150_000, 1], 10, [2, 1]),
        ([150_000, 150_001, 1], 10, [1, 2]),
        ([MOST_TOKENS + 1, 1], 10, [1, 1]),
        ([8_000] * 40, 2048, [37, 3]),
        ([100] * 5_000, 2048, [2048, 2048, 904]),
    ],
)
def test_a_request_takes_as_many_texts_as_fit(tokens: list[int], most_texts: int, sizes: list[int]) -> None:
    texts = _texts(*(count % 1_000_000 for count in tokens)) if len(tokens) < 256 else [_texts(100)[0]] * len(tokens)
    made = list(batches(texts, most_texts))
    assert [len(batch) for batch in made] == sizes
    assert [text for batch in made for text in batch] == texts


def test_an_estimate_fills_two_thirds() -> None:
    made = list(batches(_texts(*[1_000] * 250, exact=False), 2048))
    assert [len(batch) for batch in made] == [200, 50]


def test_what_takes_long_here_is_stored_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arcana_pipelines.embedding.packing.cores", lambda: 2)
    assert texts_at_once(MULTILINGUAL_MODEL, 100) == 68
    assert texts_at_once(MULTILINGUAL_MODEL, 8) == 8
    assert texts_at_once(SMALL_MODEL, 100) == texts_at_once(OPENAI, 100) == 100


@pytest.mark.parametrize("text", ["Everyone reads it before Monday.", "성수 오피스 첫 주 안내", "🙂" * 10, ""])
def test_tokens_are_counted_for_openai_and_bounded_for_others(text: str) -> None:
    (counted,) = measured([(b"a", text)], OPENAI)
    (guessed,) = measured([(b"a", text)], "somebody-elses-model")
    assert counted.tokens == counted.most_tokens <= guessed.most_tokens
    assert guessed.most_tokens == len(text.encode()) + 4
