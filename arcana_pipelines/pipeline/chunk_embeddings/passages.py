"""Vectors for chunks and their passages, with a model that runs here: they cost time and nothing else.

Only passages go through the model. A chunk's vector is the mean of those of its passages (decision 069).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.chunking.headings import Heading
from arcana_pipelines.chunking.passages import passages
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import keyset_pages, rows, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.budget import Budget
from arcana_pipelines.embedding.language_means import means_of
from arcana_pipelines.embedding.packing import Text, batches, sendable
from arcana_pipelines.embedding.protocol import Embedded, Embedder, Vectors
from arcana_pipelines.embedding.requests import RequestOutcome, send
from arcana_pipelines.indexes.builds import Build

load_sql = statements_beside(__file__)

READ_AHEAD = 1000


@dataclass(frozen=True, slots=True)
class OfPassages:
    """Chunks that were embedded by their passages.

    Attributes:
        chunks: as if they had been embedded themselves; the tokens are those of their passages.
        passages: of all of them.
    """

    chunks: RequestOutcome
    passages: RequestOutcome


@dataclass(frozen=True, slots=True)
class _Chunk:
    text_hash: bytes
    position: int
    chunk_content: str
    heading_path: list[str]
    heading_levels: list[int]
    title: str

    def passages(self) -> dict[bytes, str]:
        """What is embedded of its passages, by hash; as they were when it was cut."""
        headings = list(map(Heading, self.heading_levels, self.heading_path))
        found = passages(self.chunk_content, self.title, headings, is_first=self.position == 0)
        return {passage.text_hash: passage.embedded for passage in found}


@dataclass(frozen=True, slots=True)
class _Staged:
    text_hash: bytes
    embedded: str


def take_over(connection: Connection, build: Build) -> None:
    """Give a build the vectors of its staged passages that another build of the workspace has."""
    with connection.transaction():
        connection.execute(load_sql("known_passages"), build.params)


def embed_chunks(
    connection: Connection, build: Build, places: Sequence[tuple[UUID, int]], embedder: Embedder, budget: Budget
) -> OfPassages:
    """Embed the passages of staged chunks, each given by its content and position, and make their vectors of these.

    Nothing is stored. A chunk is refused where each of its passages is.

    Raises:
        EmbeddingFailed: see `send`.
    """
    import numpy as np

    contents, positions = [content for content, _ in places], [position for _, position in places]
    asked = {"build": build.rag_index_build_id, "contents": contents, "positions": positions}
    found = {chunk.text_hash: chunk.passages() for chunk in rows(connection, _Chunk, load_sql("staged_chunks"), asked)}
    texts = {text_hash: text for parts in found.values() for text_hash, text in parts.items()}
    of_passages = RequestOutcome()
    for outcome in send(embedder, batches(sendable(texts.items(), build.embedding_model), len(texts)), budget):
        of_passages.embedded += outcome.embedded
        of_passages.refused += outcome.refused
        of_passages.probed += outcome.probed
    known = {
        text.text_hash: (vector, count)
        for batch, embedded in of_passages.embedded
        for text, vector, count in zip(batch, embedded.vectors, embedded.counts or map(_tokens, batch), strict=True)
    }
    refused = dict(of_passages.refused)
    of_chunks = RequestOutcome(probed=of_passages.probed)
    made: list[Text] = []
    means: list[Vectors] = []
    for text_hash, parts in found.items():
        if vectors := [known[part] for part in parts if part in known]:
            tokens = sum(count for _, count in vectors)
            made.append(Text(text_hash, "", tokens, tokens))
            means.append(np.mean([vector for vector, _ in vectors], 0))
        else:
            of_chunks.refused.append((text_hash, refused[next(iter(parts))]))
    if made:
        matrix = np.stack(means)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        tokens = sum(embedded.tokens for _, embedded in of_passages.embedded)
        of_chunks.embedded.append((made, Embedded(matrix, tokens, list(map(_tokens, made)))))
    return OfPassages(of_chunks, of_passages)


def store_passages(connection: Connection, build: Build, outcome: RequestOutcome) -> int:
    """Store those that the build does not have, in the caller's transaction; returns how many went through the model.

    What the model refuses leaves the stage as well and is compared by its chunk alone.
    """
    from arcana_pipelines.db import binary

    number, means = binary.int4(build.rag_index_build_id), means_of(build.embedding_model)
    vectors = {
        text.text_hash: vector
        for batch, embedded in outcome.embedded
        for text, vector in zip(
            batch, means.of_passages(embedded.vectors)[0] if means else embedded.vectors, strict=True
        )
    }
    known = "SELECT text_hash FROM passage WHERE rag_index_build_id = %s AND text_hash = ANY(%s)"
    held = set(scalars(connection, known, [build.rag_index_build_id, list(vectors)]))
    binary.copy(
        connection,
        "passage (rag_index_build_id, text_hash, passage_embedding)",
        (
            binary.row(number, text_hash, binary.halfvec(vector))
            for text_hash, vector in vectors.items()
            if text_hash not in held
        ),
    )
    connection.execute(
        "DELETE FROM passage_stage WHERE rag_index_build_id = %s AND text_hash = ANY(%s)",
        [build.rag_index_build_id, [*vectors, *(text_hash for text_hash, _ in outcome.refused)]],
    )
    return len(vectors)


def _tokens(text: Text) -> int:
    return text.tokens


def embed_passages(
    connection: Connection, build: Build, open_embedder: Callable[[], Embedder], at_once: int, budget: Budget
) -> int:
    """Embed the staged passages that a build has no vector of, and return how many there were.

    Every finished batch is committed at once.

    Raises:
        EmbeddingFailed: see `send`. What was embedded before is stored.
    """
    staged = staged_passages(connection, build)
    first = next(staged, None)
    if first is None:
        return 0
    computed = 0
    texts = sendable(itertools.chain([first], staged), build.embedding_model)
    for outcome in send(open_embedder(), batches(texts, at_once), budget):
        with connection.transaction():
            computed += store_passages(connection, build, outcome)
    return computed


def staged_passages(connection: Connection, build: Build) -> Iterator[tuple[bytes, str]]:
    """Hash and embedded text of the passages that a build has no vector of, in the order of the hash."""
    parameters = {"build": build.rag_index_build_id, "limit": READ_AHEAD}
    pages = keyset_pages(
        connection, _Staged, load_sql("staged_passages"), parameters, {"after": b""},
        lambda row: {"after": row.text_hash},
    )  # fmt: skip
    return ((row.text_hash, row.embedded) for page in pages for row in page)
