"""What the next sync would embed of what is staged, without asking a provider."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.budget import spending
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.embedding.packing import measured
from arcana_pipelines.embedding.prices import BATCH_SHARE, PricingPolicy, cost
from arcana_pipelines.embedding.store import StoreKey
from arcana_pipelines.indexes.builds import live_builds
from arcana_pipelines.net.workers import cores
from arcana_pipelines.pipeline.chunk_embeddings.missing import missing_texts
from arcana_pipelines.pipeline.chunk_embeddings.passages import staged_passages
from arcana_pipelines.pipeline.chunk_embeddings.provider_batches import waiting

load_sql = statements_beside(__file__)

# Tokens a second where nothing was measured yet: what OpenAI allows a new account
# (https://platform.openai.com/docs/guides/rate-limits: a million a minute).
_ASSUMED_RATE = 1_000_000 / 60


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is staged and what of it would be sent to a provider.

    Attributes:
        pages: documents with staged chunks, in all indexes together.
        chunks: their chunks.
        texts: distinct texts among them that the store lacks and that wait in no batch.
        tokens: their tokens: counted where the model's vocabulary is known, estimated elsewhere.
        cost: US dollars; None when a model's price is not known.
        seconds: at the rate that was measured lately, or assumed, by the passages of these chunks where it is they that
            are embedded; None when a batch may take up to a day.
        waiting: texts that wait in batches already.
        month: the running one, `YYYY-MM` in UTC.
        spent: US dollars that it has cost so far.
        limit: US dollars that the workspace may spend in a month; None: no limit.
    """

    pages: int
    chunks: int
    texts: int
    tokens: int
    cost: Decimal | None
    seconds: float | None
    waiting: int
    month: str
    spent: Decimal
    limit: Decimal | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "pages": self.pages,
            "chunks": self.chunks,
            "texts": self.texts,
            "tokens": self.tokens,
            "cost": _number(self.cost),
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "waiting": self.waiting,
            "month": self.month,
            "spent": _number(self.spent),
            "limit": _number(self.limit),
        }


def estimate(connection: Connection, workspace_id: UUID, terms: PricingPolicy) -> Estimate:
    """Count what is staged and not embedded. Nothing is written, and no provider is asked."""
    pages = chunks = texts = tokens = 0
    total: Decimal | None = Decimal(0)
    seconds: float | None = 0.0
    for build in live_builds(connection, workspace_id):
        key = StoreKey(workspace_id, build.embedding_model, build.dimensions)
        row = connection.execute(
            "SELECT (SELECT count(*) FROM content_stage WHERE rag_index_build_id = %(build)s), "
            "(SELECT count(*) FROM chunk_stage WHERE rag_index_build_id = %(build)s)",
            build.params,
        ).fetchone()
        assert row is not None
        lacking = lacking_tokens = 0
        for text in measured(missing_texts(connection, key, build), key.model):
            lacking += 1
            lacking_tokens += text.tokens
        pages, chunks, texts, tokens = pages + row[0], chunks + row[1], texts + lacking, tokens + lacking_tokens
        lacking_passages = sum(text.tokens for text in measured(staged_passages(connection, build), key.model))
        price = terms.price(key.model)
        batched = 0 < terms.batch_above < lacking and not model_named(key.model).runs_here
        if price is None or total is None:
            total = None
        else:
            total += cost(lacking_tokens, price) * (BATCH_SHARE if batched else 1)
        if batched:
            seconds = None
        elif seconds is not None:
            seconds += max(lacking_tokens, lacking_passages) / _rate(connection, key.model)
    month = spending(connection, workspace_id)
    limit = terms.monthly_budget if month.embedding_budget is None else month.embedding_budget
    return Estimate(
        pages, chunks, texts, tokens, total, seconds, waiting(connection, workspace_id), month.month, month.spent, limit
    )


def _rate(connection: Connection, model: str) -> float:
    row = connection.execute(load_sql("rate"), {"model": model}).fetchone()
    if row is not None and row[0]:
        return float(row[0])
    of_a_core = model_named(model).tokens_per_second
    return _ASSUMED_RATE if of_a_core is None else of_a_core * cores()


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(round(amount, 8))
