"""Texts into requests, by count and by tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from arcana_pipelines.chunking.tokens import estimate_tokens

# https://platform.openai.com/docs/api-reference/embeddings/create: at most 2,048 inputs and 300,000 tokens a
# request. Our count is an estimate, so a request is filled to two thirds.
MOST_TOKENS = 200_000

Item = tuple[bytes, str]


def batches(items: Iterable[Item], most_items: int, most_tokens: int = MOST_TOKENS) -> Iterator[list[Item]]:
    """Group (hash, text) pairs into batches of at most `most_items` and about `most_tokens`."""
    batch: list[Item] = []
    size = 0
    for item in items:
        tokens = estimate_tokens(item[1])
        if batch and (len(batch) >= most_items or size + tokens > most_tokens):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += tokens
    if batch:
        yield batch
