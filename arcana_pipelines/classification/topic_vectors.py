"""Vectors of topics, and how near the chunks of documents are to them.

A topic's texts are embedded once, with the model of the index `default`, and their vectors are kept in the store of
embeddings: a topic that is called otherwise costs one or two, a version in which nothing else changed none. The chunks
have their vectors already.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from arcana_pipelines.classification.nearest import Topics, scores
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.budget import Budget
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.embedding.language_means import means_of
from arcana_pipelines.embedding.packing import batches, sendable, texts_at_once
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.embedding.protocol import OpenEmbedder, Vectors
from arcana_pipelines.embedding.requests import RequestOutcome, send, store_embedded
from arcana_pipelines.embedding.store import StoreKey
from arcana_pipelines.indexes.builds import Build, chunk_table
from arcana_pipelines.taxonomy.nodes import Node

load_sql = statements_beside(__file__)

# Characters of a topic's text: more would be read by no model to its end.
_LONGEST = 2000
# Chunks that are compared with all topics at once: with 30,000 topics that takes 30 MB.
_CHUNKS_AT_ONCE = 256
# Characters of a text by which it is seen what script it is written in, and the share of letters that decides.
_SAMPLE, _FOREIGN = 1000, 0.3
_LAST_LATIN = "\u024f"
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def topic_texts(node: Node) -> list[str]:
    """What is embedded of a topic: its path, what it is called in other languages, what it is about, other words.

    What is written in Latin letters is one text, and the rest another: a text of two languages is near to neither.
    """
    about = _SENTENCE.split(node.definition or "")
    parts = [" > ".join(node.path), *node.labels.values(), *about, *node.synonyms]
    parts = [part.strip(" .") for part in parts if part.strip(" .")]
    scripts = [[part for part in parts if is_foreign(part) == foreign] for foreign in (False, True)]
    return [". ".join(written)[:_LONGEST] for written in scripts if written]


def embed_topics(
    connection: Connection,
    build: Build,
    nodes: Sequence[Node],
    open_embedder: OpenEmbedder,
    batch_size: int,
    terms: PricingPolicy,
) -> int:
    """Embed the topics whose texts the store lacks, and return how many. Every answered request is committed at once.

    Raises:
        EmbeddingFailed: the provider failed. What was embedded before is stored.
        BudgetReached: the next request might cross the workspace's monthly limit. Likewise.
        InvalidSetting: there is a limit, and the model's price is not known.
        ModelMissing: the weights of a model that runs here are not installed.
    """
    key = StoreKey(build.workspace_id, build.embedding_model, build.dimensions)
    texts = {_hash(text): text for node in nodes for text in _read_by(build, node)}
    known = set(scalars(connection, load_sql("topics_known"), {**build.params, "hashes": list(texts)}))
    missing = [(text_hash, text) for text_hash, text in texts.items() if text_hash not in known]
    if not missing:
        return 0
    budget = Budget(connection, build.workspace_id, key.model, terms)
    embedder = open_embedder(key.model, key.dimensions)
    embedded = 0
    at_once = texts_at_once(key.model, batch_size)
    for outcome in send(embedder, batches(sendable(missing, key.model), at_once), budget):
        embedded += _store(connection, key, outcome, budget)
    return embedded


def read_topics(connection: Connection, build: Build, nodes: Sequence[Node]) -> Topics:
    """The topics with their vectors as chunks have theirs: of unit length, without what they say of a language."""
    hashes = [(node, _hash(text)) for node in nodes for text in _read_by(build, node)]
    parameters = {**build.params, "hashes": list({text_hash for _, text_hash in hashes})}
    with connection.cursor(binary=True) as cursor:
        found = {bytes(row[0]): _vector(row[1]) for row in cursor.execute(load_sql("topics_stored"), parameters)}
    held = [(node, found[text_hash]) for node, text_hash in hashes if text_hash in found]
    if not held:
        return Topics([], np.empty((0, build.dimensions), dtype=np.float32), np.empty(0, dtype=np.int64))
    vectors = _at_unit_length(np.stack([vector for _, vector in held]))
    if means := means_of(build.embedding_model):
        vectors, _ = means.of_passages(vectors)
    begins = [at for at, (node, _) in enumerate(held) if at == 0 or held[at - 1][0] is not node]
    return Topics([held[at][0] for at in begins], vectors, np.array(begins, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Compared:
    """How near a document is to each topic; None: the model does not know its language."""

    document_id: UUID
    near: NDArray[Any] | None


def compare(connection: Connection, build: Build, documents: Sequence[UUID], topics: Topics) -> Iterator[Compared]:
    """Compare the published chunks of documents with all topics, one document after the other. In a transaction.

    Documents without a chunk are left out, and nothing is compared where no topic has a vector.
    """
    if not topics.nodes:
        return
    chunks = sql.Identifier(chunk_table(build.rag_index_build_id))
    statement = sql.SQL(load_sql("chunks_to_compare")).format(chunks=chunks)
    sample = _SAMPLE if _knows_english_alone(build) else 0
    parameters = {"build": build.rag_index_build_id, "documents": list(documents), "sample": sample}
    reading: _Reading | None = None
    with connection.cursor(name="chunks_to_compare", binary=True) as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(_CHUNKS_AT_ONCE):
            vectors = _at_unit_length(np.stack([_vector(row[1]) for row in rows]))
            near = np.maximum.reduceat(vectors @ topics.vectors.T, topics.begins, axis=1)
            for (document_id, _, text), of_chunk in zip(rows, near, strict=True):
                if reading is None or reading.document_id != document_id:
                    if reading is not None:
                        yield reading.compared()
                    reading = _Reading(document_id, of_chunk, of_chunk, is_foreign(text or ""))
                else:
                    reading.best = np.maximum(reading.best, of_chunk)
    if reading is not None:
        yield reading.compared()


def is_foreign(text: str) -> bool:
    """Whether a text is not written in Latin letters, by a good part of them: a model of English does not read it."""
    letters = [character for character in text if character.isalpha()]
    return bool(letters) and sum(letter > _LAST_LATIN for letter in letters) > _FOREIGN * len(letters)


def _read_by(build: Build, node: Node) -> list[str]:
    """The texts of a topic that the build's model can read."""
    texts = topic_texts(node)
    return [text for text in texts if not is_foreign(text)] if _knows_english_alone(build) else texts


def _knows_english_alone(build: Build) -> bool:
    return model_named(build.embedding_model).languages == ("en",)


@dataclass(slots=True)
class _Reading:
    document_id: UUID
    first: NDArray[Any]
    best: NDArray[Any]
    is_foreign: bool

    def compared(self) -> Compared:
        return Compared(self.document_id, None if self.is_foreign else scores(self.first, self.best))


def _store(connection: Connection, key: StoreKey, outcome: RequestOutcome, budget: Budget) -> int:
    with connection.transaction():
        texts = store_embedded(connection, key, outcome, budget.price).texts
        refused = {
            "workspace_id": key.workspace_id, "model": key.model, "dimensions": key.dimensions,
            "hashes": [text_hash for text_hash, _ in outcome.refused],
            "reasons": [reason for _, reason in outcome.refused],
        }  # fmt: skip
        connection.execute(load_sql("topics_refused"), refused)
    return texts


def _hash(text: str) -> bytes:
    """As of a chunk (`Chunk.text_hash`)."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _vector(sent: bytes) -> Vectors:
    """https://github.com/pgvector/pgvector/blob/master/src/vector.c: vector_send"""
    return np.frombuffer(sent, dtype=">f4", offset=4).astype(np.float32)


def _at_unit_length(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return units
