"""Texts into requests, by count and by tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from arcana_pipelines.chunking.tokens import estimate_tokens, vocabulary
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.net.workers import cores

# https://platform.openai.com/docs/api-reference/embeddings/create: at most 2,048 inputs and 300,000 tokens a request.
MOST_TOKENS = 300_000

# What a model that runs here embeds at once takes about so long; then it is stored, and a watcher sees it. A chunk has
# about so many tokens.
_SECONDS, _TOKENS_OF_A_CHUNK = 4, 200


@dataclass(frozen=True, slots=True)
class Text:
    """A text to embed.

    Attributes:
        text_hash: 16 bytes that name its embedding (`Chunk.text_hash`).
        text: as it is sent, with the model's prefix.
        tokens: counted where the model's vocabulary is known, estimated elsewhere; 0 of a model that runs here
            (`sendable`).
        most_tokens: never too low: without the vocabulary one token a byte, and four marks around the text; 0 of a
            model that runs here (`sendable`).
    """

    text_hash: bytes
    text: str
    tokens: int
    most_tokens: int


def measured(items: Iterable[tuple[bytes, str]], model: str) -> Iterator[Text]:
    """(hash, text) pairs with their tokens for a model."""
    known = model_named(model)
    count = vocabulary(known.vocabulary).count if known.vocabulary is not None else None
    for text_hash, text in _with_prefix(items, known.passage_prefix):
        if count is None:
            yield Text(text_hash, text, estimate_tokens(text), len(text.encode()) + 4)
        else:
            (tokens,) = count([text])
            yield Text(text_hash, text, tokens, tokens)


def sendable(items: Iterable[tuple[bytes, str]], model: str) -> Iterator[Text]:
    """(hash, text) pairs as they are sent: a model that runs here has no price and no limit, and counts by itself."""
    known = model_named(model)
    if not known.runs_here:
        return measured(items, model)
    return (Text(text_hash, text, 0, 0) for text_hash, text in _with_prefix(items, known.passage_prefix))


def _with_prefix(items: Iterable[tuple[bytes, str]], prefix: str) -> Iterable[tuple[bytes, str]]:
    """The texts as the model wants to read them; the hash stays that of what is stored."""
    return ((text_hash, prefix + text) for text_hash, text in items) if prefix else items


def texts_at_once(model: str, most: int) -> int:
    """How many texts make a batch: fewer than `most` for a model that runs here and is slow."""
    of_a_core = model_named(model).tokens_per_second
    if of_a_core is None:
        return most
    return max(1, min(most, round(_SECONDS * of_a_core * cores() / _TOKENS_OF_A_CHUNK)))


def batches(texts: Iterable[Text], most_texts: int) -> Iterator[list[Text]]:
    """Group texts into requests of at most `most_texts`, and of as many tokens as a request may have.

    An estimate has been seen a third too low (Korean), so without the vocabulary a request is filled to two thirds.
    """
    batch: list[Text] = []
    size = 0
    for text in texts:
        tokens = text.tokens if text.tokens == text.most_tokens else min(text.most_tokens, text.tokens * 3 // 2)
        if batch and (len(batch) >= most_texts or size + tokens > MOST_TOKENS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += tokens
    if batch:
        yield batch
