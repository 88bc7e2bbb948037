"""The stage `chunk_embeddings`: embed the texts that the store lacks, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from uuid import UUID

from pgvector.psycopg import register_vector

from arcana_pipelines.chunking.tokens import estimate_tokens
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.sql import load_sql
from arcana_pipelines.embedding.batches import Item, batches
from arcana_pipelines.embedding.provider import Embedded, Embedder
from arcana_pipelines.errors import EmbeddingFailed, InputRejected
from arcana_pipelines.indexes.builds import Build, live_builds
from arcana_pipelines.pipeline import ledger
from arcana_pipelines.pipeline.ledger import Generation

READ_AHEAD = 1000
HARMLESS = "hello"

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
                for sifted in _embed(_Sieve(embedder), batches(items, batch_size)):
                    for batch, embedded in sifted.embedded:
                        _store(connection, generation.workspace_id, build, batch, embedded)
                        done += len(batch)
                        computed += len(batch)
                        tokens += embedded.tokens
                    if sifted.refused:
                        _reject(connection, generation, build, sifted.refused)
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


@dataclass(slots=True)
class _Sifted:
    """What became of one batch: the parts that were embedded, and (hash, reason) of each text that is refused."""

    embedded: list[tuple[list[Item], Embedded]] = field(default_factory=list)
    refused: list[tuple[bytes, str]] = field(default_factory=list)


class _Sieve:
    """Halves a batch that is refused until the refused texts are alone."""

    def __init__(self, embedder: Embedder) -> None:
        self.concurrency = embedder.concurrency
        self._embedder = embedder
        self._accepted = False

    def sift(self, batch: list[Item]) -> _Sifted:
        """Embed what is accepted.

        Raises:
            EmbeddingFailed: the provider failed, or it refuses even a harmless text.
        """
        sifted = _Sifted()
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            try:
                embedded = self._embedder.embed([text for _, text in part])
            except InputRejected as error:
                if len(part) > 1:
                    waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
                    continue
                if not self._accepted:
                    self._try_harmless()
                sifted.refused.append((part[0][0], str(error)))
            else:
                self._accepted = True
                sifted.embedded.append((part, embedded))
        return sifted

    def _try_harmless(self) -> None:
        """Is it the text that is wrong, or the model, the size, the endpoint?"""
        try:
            self._embedder.embed([HARMLESS])
        except InputRejected as error:
            raise EmbeddingFailed(f"The provider refuses every text. {error}") from error
        self._accepted = True


def _embed(sieve: _Sieve, groups: Iterator[list[Item]]) -> Iterator[_Sifted]:
    """Send batches with the provider's concurrency and yield each as it is answered."""
    if sieve.concurrency == 1:
        for batch in groups:
            yield sieve.sift(batch)
        return
    with ThreadPoolExecutor(sieve.concurrency, thread_name_prefix="embed") as pool:
        waiting: set[Future[_Sifted]] = set()
        failure: BaseException | None = None
        while True:
            while failure is None and len(waiting) < sieve.concurrency:
                following = next(groups, None)
                if following is None:
                    break
                waiting.add(pool.submit(sieve.sift, following))
            if not waiting:
                break
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                # Even after a failure, what was asked for is paid for: it is stored before the failure is raised.
                if (error := future.exception()) is None:
                    yield future.result()
                else:
                    failure = error
        if failure is not None:
            raise failure


def _reject(connection: Connection, generation: Generation, build: Build, refused: Sequence[tuple[bytes, str]]) -> None:
    connection.execute(
        load_sql("embeddings_reject"),
        {
            **generation.key,
            "build": build.rag_index_build_id,
            "model": build.embedding_model,
            "dimensions": build.dimensions,
            "hashes": [text_hash for text_hash, _ in refused],
            "reasons": [reason for _, reason in refused],
        },
    )
    connection.commit()


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
