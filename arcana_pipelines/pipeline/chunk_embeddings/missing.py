"""The stage `chunk_embeddings`: embed the texts that the store lacks, each once."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, partial
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import keyset_pages, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.budget import Budget
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.embedding.packing import batches, sendable, texts_at_once
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.embedding.protocol import Embedder, OffersBatches, OpenEmbedder
from arcana_pipelines.embedding.requests import RequestOutcome, send, store_embedded
from arcana_pipelines.embedding.store import StoreKey, Usage
from arcana_pipelines.indexes.builds import Build, live_builds
from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.counters import Counters, EmbeddingCounts
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.pipeline.chunk_embeddings import passages, provider_batches
from arcana_pipelines.pipeline.chunk_embeddings.refused import reject

load_sql = statements_beside(__file__)

# Texts that are read from the stage at once.
READ_AHEAD = 1000

# Few chunks have more.
PASSAGES_OF_A_CHUNK = 8


@dataclass(slots=True)
class _Tally:
    """What a run has done so far (see `EmbeddingCounts`). The cost is exact until it is told."""

    computed: int = 0
    reused: int = 0
    tokens: int = 0
    cost: Decimal | None = Decimal(0)
    waiting: int = 0
    passages: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, usage: Usage, price: Decimal | None) -> None:
        """Count what was just stored."""
        self.computed += usage.texts
        self.tokens += usage.tokens
        self.cost = None if price is None or self.cost is None else self.cost + usage.cost

    def counts(self) -> EmbeddingCounts:
        """As it is told."""
        return EmbeddingCounts(
            None if self.cost is None else float(round(self.cost, 8)),
            self.reused, self.tokens, self.waiting, self.computed, tuple(self.problems), self.passages,
        )  # fmt: skip


def embed_missing(
    connection: Connection,
    generation: Generation,
    open_embedder: OpenEmbedder,
    batch_size: int,
    terms: PricingPolicy | None = None,
    filling: bool = False,
) -> EmbeddingCounts:
    """Embed and store what staged chunks need, with `filling` those of new builds too.

    Every finished request is committed at once.

    Raises:
        EmbeddingFailed: the provider failed. What was embedded before is stored, and used by the next run.
        BudgetReached: the next request might cross the workspace's monthly limit. Likewise.
        InvalidSetting: there is a limit, and the model's price is not known.
    """
    terms = terms or PricingPolicy()
    report = _Tally()
    workspace_id = generation.workspace_id
    try:
        report.problems = provider_batches.collect(connection, generation, open_embedder, terms, report.add)
        staged = refused = 0
        for build in live_builds(connection, workspace_id, filling):
            is_all = False
            while not is_all:
                seen = _staged(connection, build)
                refused += _embed_build(connection, generation, build, open_embedder, batch_size, terms, report)
                # Another process may have staged more meanwhile: all that are counted were looked at.
                is_all = _staged(connection, build) == seen
            staged += seen
        report.reused = max(0, staged - report.computed - refused - provider_batches.waiting(connection, workspace_id))
    finally:
        if not connection.closed:
            report.waiting = provider_batches.waiting(connection, workspace_id)
            with connection.transaction():
                before = generations.counters(connection, generation).embeddings or EmbeddingCounts()
                generations.merge_counters(connection, generation, Counters(embeddings=before + report.counts()))
    return report.counts()


def _embed_build(
    connection: Connection,
    generation: Generation,
    build: Build,
    open_embedder: OpenEmbedder,
    batch_size: int,
    terms: PricingPolicy,
    report: _Tally,
) -> int:
    """Embed what a build lacks; returns how many texts were refused."""
    key = StoreKey(generation.workspace_id, build.embedding_model, build.dimensions)
    at_once = texts_at_once(key.model, batch_size)
    if model_named(key.model).compares_passages:
        return _embed_passages(connection, generation, build, open_embedder, at_once, terms, report)
    missing = sendable(missing_texts(connection, key, build), key.model)
    first = list(itertools.islice(missing, terms.batch_above + 1))
    # Opened only when there is something to embed: a sync without news needs no model and no key.
    if not first:
        return 0
    embedder = open_embedder(key.model, key.dimensions)
    budget = Budget(connection, key.workspace_id, key.model, terms)
    texts = itertools.chain(first, missing)
    if len(first) > terms.batch_above > 0 and _takes_batches(connection, key, embedder):
        assert isinstance(embedder, OffersBatches)
        provider_batches.send(connection, key, embedder.batches(), texts, budget)
        return 0
    began, refused = time.monotonic(), 0
    for outcome in send(embedder, batches(texts, at_once), budget):
        ended = time.monotonic()
        report.add(_store(connection, generation, key, outcome, budget.price, ended - began), budget.price)
        began = ended
        refused += len(outcome.refused)
    return refused


def _embed_passages(
    connection: Connection,
    generation: Generation,
    build: Build,
    open_embedder: OpenEmbedder,
    at_once: int,
    terms: PricingPolicy,
    report: _Tally,
) -> int:
    """The same with a model that compares passages: those of the chunks without a vector, and then the others."""
    key = StoreKey(generation.workspace_id, build.embedding_model, build.dimensions)
    open_it = cache(partial(open_embedder, key.model, key.dimensions))
    budget = Budget(connection, key.workspace_id, key.model, terms)
    passages.take_over(connection, build)
    refused = 0
    for some in _together(_missing(connection, key, build), at_once):
        began = time.monotonic()
        made = passages.embed_chunks(connection, build, some, open_it(), budget)
        with connection.transaction():
            # Passages leave the stage last: who stages the same ones, and has locked pages, waits from then on.
            usage = _store(connection, generation, key, made.chunks, budget.price, time.monotonic() - began)
            report.passages += passages.store_passages(connection, build, made.passages)
        report.add(usage, budget.price)
        refused += len(made.chunks.refused)
    report.passages += passages.embed_passages(connection, build, open_it, at_once, budget)
    return refused


def _together(chunks: Iterable[_Missing], most: int) -> Iterator[list[tuple[UUID, int]]]:
    """The places of chunks that are embedded and stored at once: so many at most, and with not many more passages than
    those mostly have. A list or a table may have hundreds in one chunk.
    """
    places: list[tuple[UUID, int]] = []
    passages_in = 0
    for chunk in chunks:
        places.append((chunk.document_content_id, chunk.position))
        passages_in += chunk.passages
        if len(places) >= most or passages_in >= most * PASSAGES_OF_A_CHUNK:
            yield places
            places, passages_in = [], 0
    if places:
        yield places


def missing_texts(connection: Connection, key: StoreKey, build: Build) -> Iterator[tuple[bytes, str]]:
    """Hash and text of what a build's staged chunks lack, each text once, read in bounded pages."""
    return ((missing.text_hash, missing.text) for missing in _missing(connection, key, build))


def _missing(connection: Connection, key: StoreKey, build: Build) -> Iterator[_Missing]:
    parameters = {
        "workspace_id": key.workspace_id,
        "build": build.rag_index_build_id,
        "model": key.model,
        "dimensions": key.dimensions,
        "limit": READ_AHEAD,
    }
    first = {"after_content": UUID(int=0), "after_position": -1}
    for page in keyset_pages(connection, _Missing, load_sql("missing"), parameters, first, _Missing.key):
        yield from page


@dataclass(frozen=True, slots=True)
class _Missing:
    document_content_id: UUID
    position: int
    text_hash: bytes
    text: str
    passages: int

    def key(self) -> dict[str, Any]:
        return {"after_content": self.document_content_id, "after_position": self.position}


def _staged(connection: Connection, build: Build) -> int:
    staged: int = scalar(
        connection, "SELECT count(*) FROM chunk_stage WHERE rag_index_build_id = %s", [build.rag_index_build_id]
    )
    return staged


def _takes_batches(connection: Connection, key: StoreKey, embedder: Embedder) -> bool:
    return isinstance(embedder, OffersBatches) and not provider_batches.failed_lately(connection, key)


def _store(
    connection: Connection,
    generation: Generation,
    key: StoreKey,
    outcome: RequestOutcome,
    price: Decimal | None,
    seconds: float,
) -> Usage:
    """Store what came of one request, with what it cost, in one transaction."""
    with connection.transaction():
        usage = store_embedded(connection, key, outcome, price, seconds)
        reject(connection, generation, key, outcome.refused)
    return usage
