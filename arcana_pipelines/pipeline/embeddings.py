"""The stage `chunk_embeddings`: embed the texts that the store lacks, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from uuid import UUID

from pgvector.psycopg import register_vector

from arcana_pipelines.chunking.tokens import estimate_tokens
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.sql import load_sql
from arcana_pipelines.embedding.batches import Item, batches
from arcana_pipelines.embedding.provider import Embedded, Embedder
from arcana_pipelines.indexes.builds import Build, live_builds
from arcana_pipelines.pipeline import ledger
from arcana_pipelines.pipeline.ledger import Generation

READ_AHEAD = 1000

OpenEmbedder = Callable[[str, int], Embedder]


@dataclass(frozen=True, slots=True)
class EmbeddingReport:
    """`computed` texts were sent to the provider, `reused` staged chunks found theirs in the store."""

    computed: int
    reused: int
    tokens: int


def embed_missing(
    connection: Connection, generation: Generation, open_embedder: OpenEmbedder, batch_size: int
) -> EmbeddingReport:
    """Embed and store what staged chunks need. Every finished batch is committed at once.

    Raises:
        EmbeddingFailed: the provider failed. What was embedded before is stored, and used by the next run.
    """
    computed = reused = tokens = 0
    try:
        for build in live_builds(connection, generation.workspace_id):
            staged = _staged(connection, build)
            connection.commit()
            done = 0
            # Opened only when there is something to embed: a sync without news needs no model and no key.
            embedder: Embedder | None = None
            for items in _missing(connection, generation.workspace_id, build):
                embedder = embedder or open_embedder(build.embedding_model, build.dimensions)
                for batch, embedded in _embed(embedder, batches(items, batch_size)):
                    _store(connection, generation.workspace_id, build, batch, embedded)
                    done += len(batch)
                    computed += len(batch)
                    tokens += embedded.tokens
            reused += staged - done
    finally:
        if not connection.closed:
            connection.rollback()
            report = {"embeddings": {"computed": computed, "reused": max(0, reused), "tokens": tokens}}
            ledger.note(connection, generation, report)
            connection.commit()
    return EmbeddingReport(computed, reused, tokens)


def _staged(connection: Connection, build: Build) -> int:
    row = connection.execute(
        "SELECT count(*) FROM chunk_stage WHERE rag_index_build_id = %s", [build.rag_index_build_id]
    ).fetchone()
    return 0 if row is None else int(row[0])


def _missing(connection: Connection, workspace_id: UUID, build: Build) -> Iterator[Sequence[Item]]:
    after = b""
    while True:
        items = connection.execute(
            load_sql("embeddings_missing"),
            {
                "workspace_id": workspace_id,
                "build": build.rag_index_build_id,
                "model": build.embedding_model,
                "dimensions": build.dimensions,
                "after": after,
                "limit": READ_AHEAD,
            },
        ).fetchall()
        connection.commit()
        if not items:
            return
        after = items[-1][0]
        yield [(bytes(text_hash), text) for text_hash, text in items]


def _embed(embedder: Embedder, groups: Iterator[list[Item]]) -> Iterator[tuple[list[Item], Embedded]]:
    """Send batches with the provider's concurrency and yield each as it is answered."""

    def embed(batch: list[Item]) -> Embedded:
        return embedder.embed([text for _, text in batch])

    if embedder.concurrency == 1:
        for batch in groups:
            yield batch, embed(batch)
        return
    with ThreadPoolExecutor(embedder.concurrency, thread_name_prefix="embed") as pool:
        waiting: dict[Future[Embedded], list[Item]] = {}
        failure: BaseException | None = None
        while True:
            while failure is None and len(waiting) < embedder.concurrency:
                following = next(groups, None)
                if following is None:
                    break
                waiting[pool.submit(embed, following)] = following
            if not waiting:
                break
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                batch = waiting.pop(future)
                # Even after a failure, what was asked for is paid for: it is stored before the failure is raised.
                if (error := future.exception()) is None:
                    yield batch, future.result()
                else:
                    failure = error
        if failure is not None:
            raise failure


def _store(connection: Connection, workspace_id: UUID, build: Build, batch: Sequence[Item], embedded: Embedded) -> None:
    register_vector(connection)
    # Only this workspace's run writes here (it holds the lock), so there is nothing to conflict with.
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY embedding_store (workspace_id, embedding_model, dimensions, text_hash, embedding, token_count) "
            "FROM STDIN WITH (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["uuid", "text", "int4", "bytea", "vector", "int4"])
        for (text_hash, text), vector in zip(batch, embedded.vectors, strict=True):
            key = (workspace_id, build.embedding_model, build.dimensions, text_hash)
            copy.write_row((*key, vector, estimate_tokens(text)))
    connection.commit()
