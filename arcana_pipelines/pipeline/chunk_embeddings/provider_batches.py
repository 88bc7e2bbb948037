"""Backfills through a provider's batch interface: sent in one run, collected by a later one.

A batch is a row before anything is sent, and the provider is given that row's id, so a run that is killed at any
point leaves either nothing at the provider or a batch that the next run finds.
"""

from __future__ import annotations

import itertools
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.budget import Budget
from arcana_pipelines.embedding.packing import Text
from arcana_pipelines.embedding.prices import BATCH_SHARE, PricingPolicy, cost
from arcana_pipelines.embedding.protocol import BatchAnswer, Batches, OffersBatches, OpenEmbedder, SentBatch
from arcana_pipelines.embedding.store import StoreKey, Usage, count, store
from arcana_pipelines.errors import EmbeddingFailed
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.pipeline.chunk_embeddings.refused import reject

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# Answers that are stored in one transaction.
_TOGETHER = 500


def waiting(connection: Connection, workspace_id: UUID) -> int:
    """How many texts wait for the answer of a batch."""
    row = connection.execute(
        "SELECT count(*) FROM embedding_batch_text JOIN embedding_batch USING (embedding_batch_id) "
        "WHERE workspace_id = %s",
        [workspace_id],
    ).fetchone()
    return 0 if row is None else int(row[0])


def failed_lately(connection: Connection, key: StoreKey) -> bool:
    """Whether a batch failed within a day: what it left is sent directly, not into the same failure again."""
    return (
        connection.execute(
            "SELECT 1 FROM embedding_batch WHERE workspace_id = %s AND embedding_model = %s AND dimensions = %s "
            "AND state = 'failed' AND finished_at > now() - interval '1 day' LIMIT 1",
            [key.workspace_id, key.model, key.dimensions],
        ).fetchone()
        is not None
    )


def send(connection: Connection, key: StoreKey, batches: Batches, texts: Iterator[Text], budget: Budget) -> None:
    """Send texts, in as many batches as it takes. Returns when the last is sent, not when it is answered.

    Raises:
        EmbeddingFailed: the provider failed. Batches that were sent before are kept.
        BudgetReached: the next text might cross the workspace's monthly limit. Likewise.
    """
    following = next(texts, None)
    while following is not None:
        with tempfile.TemporaryFile() as file:
            hashes: list[bytes] = []
            size, most, room = 0, Decimal(0), budget.room()
            while following is not None and len(hashes) < batches.most_texts:
                line = batches.encode(following.text_hash, following.text)
                more = budget.most([following], BATCH_SHARE)
                if size + len(line) > batches.most_bytes or (room is not None and most + more > room):
                    break
                file.write(line)
                hashes.append(following.text_hash)
                size, most = size + len(line), most + more
                following = next(texts, None)
            if not hashes:
                assert following is not None
                raise budget.reached(budget.most([following], BATCH_SHARE))
            batch_id = _record(connection, key, hashes, most)
            _note_look(connection, batch_id, batches.send(file, str(batch_id)))
        log.info("batch %s of %d texts sent", batch_id, len(hashes))


def collect(
    connection: Connection,
    generation: Generation,
    open_embedder: OpenEmbedder,
    terms: PricingPolicy,
    note: Callable[[Usage, Decimal | None], None],
) -> list[str]:
    """Look after the workspace's open batches, and store what those that have ended bring.

    `note` hears of each stored part and of its price a million tokens. Returns what went wrong, for people.

    Raises:
        EmbeddingFailed: the provider cannot be asked.
    """
    problems: list[str] = []
    for row in _open(connection, generation.workspace_id):
        key = StoreKey(generation.workspace_id, row["embedding_model"], row["dimensions"])
        embedder = open_embedder(key.model, key.dimensions)
        if not isinstance(embedder, OffersBatches):
            raise EmbeddingFailed(f"The model '{key.model}' waits for a batch, and its provider offers none any more.")
        batches = embedder.batches()
        sent = _find(connection, row, batches)
        if sent is None:
            continue
        _note_look(connection, row["embedding_batch_id"], sent)
        if sent.state == "waiting":
            continue
        price = terms.price(key.model)
        read = _Read()
        for usage in _store_answers(connection, key, row["embedding_batch_id"], batches.answers(sent), price, read):
            note(usage, price)
        # Where everything is refused, it is the request that is wrong: the texts go again, directly, and that tells.
        with connection.transaction():
            if read.stored:
                reject(connection, generation, key, read.refused)
            else:
                read.useless += len(read.refused)
            problems += _finish(connection, row["embedding_batch_id"], sent, read.useless)
        batches.delete(sent)
    return problems


def _open(connection: Connection, workspace_id: UUID) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT * FROM embedding_batch WHERE workspace_id = %s AND state IN ('sending', 'waiting') "
            "ORDER BY created_at",
            [workspace_id],
        )
        return cursor.fetchall()


def _record(connection: Connection, key: StoreKey, hashes: list[bytes], most: Decimal) -> UUID:
    with connection.transaction():
        batch_id: UUID = scalar(
            connection,
            "INSERT INTO embedding_batch (workspace_id, embedding_model, dimensions, texts, most_cost) "
            "VALUES (%s, %s, %s, %s, %s) RETURNING embedding_batch_id",
            [key.workspace_id, key.model, key.dimensions, len(hashes), most],
        )
        connection.execute("INSERT INTO embedding_batch_text SELECT %s, unnest(%s::bytea[])", [batch_id, hashes])
    return batch_id


def _note_look(connection: Connection, batch_id: UUID, sent: SentBatch) -> None:
    with connection.transaction():
        connection.execute(
            "UPDATE embedding_batch SET state = 'waiting', provider_batch_id = %s, input_file_id = %s, "
            "checked_at = now() WHERE embedding_batch_id = %s",
            [sent.batch_id, next(iter(sent.files), None), batch_id],
        )


def _find(connection: Connection, row: dict[str, Any], batches: Batches) -> SentBatch | None:
    """The batch as its provider sees it; None when the run that wanted to send it died before it did."""
    batch_id = row["embedding_batch_id"]
    sent = row["provider_batch_id"]
    batch = batches.status(sent) if sent is not None else batches.find(str(batch_id))
    if batch is None:
        with connection.transaction():
            connection.execute("DELETE FROM embedding_batch WHERE embedding_batch_id = %s", [batch_id])
    return batch


@dataclass(slots=True)
class _Read:
    """What the answers of a batch were: vectors, refusals with their reasons, and neither."""

    stored: int = 0
    refused: list[tuple[bytes, str]] = field(default_factory=list)
    useless: int = 0


def _store_answers(
    connection: Connection,
    key: StoreKey,
    batch_id: UUID,
    answers: Iterator[BatchAnswer],
    price: Decimal | None,
    read: _Read,
) -> Iterator[Usage]:
    """Store vectors part by part, each part with its usage in one transaction; `read` hears of all answers."""
    while part := list(itertools.islice(answers, _TOGETHER)):
        with connection.transaction():
            # A run that was killed here before has stored some of them already.
            answered = scalars(
                connection,
                load_sql("answered"),
                {"batch": batch_id, "hashes": [answer.text_hash for answer in part]},
            )
            open_hashes = {bytes(text_hash) for text_hash in answered}
            part = list({answer.text_hash: answer for answer in part if answer.text_hash in open_hashes}.values())
            good = [(answer.text_hash, answer.vector, answer.tokens) for answer in part if answer.vector is not None]
            refused = [(answer.text_hash, answer.refused) for answer in part if answer.refused is not None]
            tokens = sum(answer.tokens for answer in part)
            usage = Usage(len(good), tokens, cost(tokens, price) * BATCH_SHARE, tier="batch")
            if good:
                import numpy as np

                hashes, vectors, counts = zip(*good, strict=True)
                store(connection, key, hashes, np.stack(vectors), counts)
            count(connection, key, usage)
        read.stored += len(good)
        read.refused += refused
        read.useless += len(part) - len(good) - len(refused)
        yield usage


def _finish(connection: Connection, batch_id: UUID, sent: SentBatch, useless: int) -> list[str]:
    """Close a batch; texts without a useful answer may be sent again. Returns what to tell people, if anything.

    In the caller's transaction.
    """
    silent = connection.execute("DELETE FROM embedding_batch_text WHERE embedding_batch_id = %s", [batch_id]).rowcount
    left = silent + useless
    problems = []
    if left or sent.state == "failed":
        reason = f" ({sent.reason})" if sent.reason else ""
        problems.append(
            f"The batch {sent.batch_id} ended without an answer to {left} texts{reason}; they are sent again."
        )
    connection.execute(
        "UPDATE embedding_batch SET state = %s, reason = %s, finished_at = now() WHERE embedding_batch_id = %s",
        ["failed" if problems else "done", "; ".join(problems) or None, batch_id],
    )
    return problems
