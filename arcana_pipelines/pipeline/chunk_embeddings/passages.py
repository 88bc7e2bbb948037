"""Vectors for the passages of chunks, with a model that runs here: they cost time and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import keyset_pages
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.budget import Budget
from arcana_pipelines.embedding.language_means import means_of
from arcana_pipelines.embedding.packing import batches, sendable
from arcana_pipelines.embedding.protocol import Embedder
from arcana_pipelines.embedding.requests import RequestOutcome, send
from arcana_pipelines.indexes.builds import Build

load_sql = statements_beside(__file__)

READ_AHEAD = 1000


@dataclass(frozen=True, slots=True)
class _Staged:
    text_hash: bytes
    embedded: str


def embed_passages(
    connection: Connection, build: Build, open_embedder: Callable[[], Embedder], at_once: int, budget: Budget
) -> int:
    """Embed the passages that a build has no vector of, and return how many there were.

    Those that another build of the workspace has are copied. Every finished batch is committed at once.

    Raises:
        EmbeddingFailed: see `send`. What was embedded before is stored.
    """
    with connection.transaction():
        connection.execute(load_sql("known_passages"), build.params)
    staged = staged_passages(connection, build)
    first = next(staged, None)
    if first is None:
        return 0
    computed = 0
    texts = sendable(itertools.chain([first], staged), build.embedding_model)
    for outcome in send(open_embedder(), batches(texts, at_once), budget):
        computed += _store(connection, build, outcome)
    return computed


def staged_passages(connection: Connection, build: Build) -> Iterator[tuple[bytes, str]]:
    """Hash and embedded text of the passages that a build has no vector of, in the order of the hash."""
    parameters = {"build": build.rag_index_build_id, "limit": READ_AHEAD}
    pages = keyset_pages(
        connection, _Staged, load_sql("staged_passages"), parameters, {"after": b""},
        lambda row: {"after": row.text_hash},
    )  # fmt: skip
    return ((row.text_hash, row.embedded) for page in pages for row in page)


def _store(connection: Connection, build: Build, outcome: RequestOutcome) -> int:
    """Store a batch; what the model refuses leaves the stage as well and is compared by its chunk alone."""
    from arcana_pipelines.db import binary

    number, means = binary.int4(build.rag_index_build_id), means_of(build.embedding_model)
    vectors = [
        (text.text_hash, vector)
        for batch, embedded in outcome.embedded
        for text, vector in zip(
            batch, means.of_passages(embedded.vectors)[0] if means else embedded.vectors, strict=True
        )
    ]
    with connection.transaction():
        binary.copy(
            connection,
            "passage (rag_index_build_id, text_hash, passage_embedding)",
            (binary.row(number, text_hash, binary.halfvec(vector)) for text_hash, vector in vectors),
        )
        done = [text_hash for text_hash, _ in (*vectors, *outcome.refused)]
        connection.execute(
            "DELETE FROM passage_stage WHERE rag_index_build_id = %s AND text_hash = ANY(%s)",
            [build.rag_index_build_id, done],
        )
    return len(vectors)
