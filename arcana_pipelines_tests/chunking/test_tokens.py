"""Tokens are counted as the model counts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter

from arcana_pipelines.chunking.tokens import estimate_tokens, local_tokens, question_tokens, vocabulary
from arcana_pipelines.embedding.catalogue import SMALL_MODEL, model_named
from arcana_pipelines.embedding.local_small import SmallEmbedder

TEXTS = [
    "The retention policy of HR-200 is 30 days.",
    "휴가 정책은 2026년 1월부터 적용됩니다.",
    "| Part | Price |\n| --- | --- |\n| battery | 1,200.50 |",
    "```python\ndef main() -> None:\n    print('안녕')\n```",
    "naïve 👩‍👩‍👧 ∑ x²  two blanks\tand a tab",
]


def test_for_the_local_model_the_count_is_that_of_its_embedder() -> None:
    assert sum(vocabulary(model_named(SMALL_MODEL).vocabulary).count(TEXTS)) == SmallEmbedder().embed(TEXTS).tokens


@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=100) | st.text("ae <s>/_▁\n휴가"))
def test_a_question_has_the_tokens_of_a_text(text: str) -> None:
    assert question_tokens(text) == local_tokens(text)


@pytest.mark.parametrize("model", ["text-embedding-3-small", "text-embedding-ada-002", "a-model-nobody-knows"])
def test_for_other_models_it_is_that_of_openai(model: str) -> None:
    for text, tokens in zip(TEXTS, vocabulary(model_named(model).vocabulary).count(TEXTS), strict=True):
        fits = TextSplitter.from_tiktoken_model("text-embedding-3-small", tokens, trim=False)
        too_small = TextSplitter.from_tiktoken_model("text-embedding-3-small", tokens - 1, trim=False)
        assert len(fits.chunks(text)) == 1
        assert len(too_small.chunks(text)) > 1


@pytest.mark.parametrize("name", [SMALL_MODEL, "cl100k_base"])
def test_no_text_has_no_token_and_a_control_token_spelled_out_stops_nothing(name: str) -> None:
    empty, control = vocabulary(name).count(["", "<|endoftext|> </s> \x00"])
    assert empty == 0
    assert control > 0


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("word", 1), ("internationalisation", 4), ("휴가", 2), ("2026", 2)]
)
def test_the_estimate_counts_in_the_units_it_says(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens
