"""The stage `document_chunks`: cut what each build lacks."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from arcana_pipelines.chunking.chunker import Chunk, chunk_document
from arcana_pipelines.chunking.passages import Passage
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.chunking.tokens import Vocabulary, vocabulary
from arcana_pipelines.db import binary
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import keyset_pages
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.errors import PageTooLarge
from arcana_pipelines.indexes.builds import Build, live_builds
from arcana_pipelines.lexical.analysis import TERMS, Weights, chunk_weights
from arcana_pipelines.pipeline.served_chunks import ServedChunks

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

BATCH = 200
# A planner that takes the stage for empty sorts all of it for every page of missing embeddings.
MANY = 1000
# How the reason of a page begins whose text cannot be cut.
UNCUT = "cannot be cut:"
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """What the stage cut, in all live builds together.

    Attributes:
        contents: contents that were cut; one that two builds lack counts twice.
        chunks: those that they bring; what is served already stays.
    """

    contents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class _Uncut:
    document_id: UUID
    document_content_id: UUID
    contents: dict[str, Any]


def stage_chunks(connection: Connection, workspace_id: UUID, filling: bool = False) -> ChunkReport:
    """Stage every content that a live build does not serve, and what it brings; with `filling`, for new builds too.

    Each batch is one transaction.
    """
    contents = chunks = 0
    for build in live_builds(connection, workspace_id, filling):
        with connection.transaction():
            connection.execute(load_sql("chunks_outdated"), {"build": build.rag_index_build_id})
        model = model_named(build.embedding_model)
        for rows in _missing(connection, workspace_id, build):
            # Loaded only when there is something to cut: it takes as long as all of a sync without news.
            cut, failures = _cut(rows, build.settings.chunker, vocabulary(model.vocabulary))
            served = ServedChunks(connection, build, [row.document_id for row in rows])
            kept = [served.kept(row.document_id, parts) for row, parts in cut]
            new = [
                (row, chunk)
                for (row, parts), stay in zip(cut, kept, strict=True)
                for chunk, known in zip(parts, stay, strict=True)
                if known is None
            ]
            weights = chunk_weights([(row.contents["title"], chunk.heading_path, chunk.text) for row, chunk in new])
            found = [chunk.passages(row.contents["title"]) if model.compares_passages else [] for row, chunk in new]
            with connection.transaction():
                _stage(connection, build, [row for row, _ in cut], kept, served)
                _copy(connection, build, new, weights, found)
                _stage_passages(connection, build, itertools.chain.from_iterable(found))
                _learn_words(connection, build, weights)
                if failures:
                    _quarantine(connection, workspace_id, failures)
            contents += len(cut)
            chunks += len(new)
    if chunks >= MANY:
        connection.execute("ANALYZE chunk_stage, content_stage")
    return ChunkReport(contents, chunks)


def _cut(
    rows: Sequence[_Uncut], settings: ChunkerSettings, words: Vocabulary
) -> tuple[list[tuple[_Uncut, list[Chunk]]], dict[UUID, str]]:
    """The chunks of each content, and the documents that cannot be cut, with the reason."""
    cut: list[tuple[_Uncut, list[Chunk]]] = []
    failures: dict[UUID, str] = {}
    for row in rows:
        try:
            cut.append((row, list(chunk_document(row.contents, settings, words))))
        except PageTooLarge as error:
            failures[row.document_id] = f"{UNCUT} {error}"
        except Exception as error:  # the edge of a page: one that cannot be cut delays no other
            log.exception("document %s cannot be cut", row.document_id)
            failures[row.document_id] = f"{UNCUT} {type(error).__name__}: {error}"
    return cut, failures


def _quarantine(connection: Connection, workspace_id: UUID, failures: dict[UUID, str]) -> None:
    """Only an edit or a person brings these pages back; what is served of them stays."""
    connection.execute(
        "UPDATE source_page p SET state = 'quarantined', next_attempt_at = NULL, outcome = NULL, reason = t.reason "
        "FROM unnest(%s::uuid[], %s::text[]) AS t(document_id, reason) "
        "WHERE p.workspace_id = %s AND p.document_id = t.document_id",
        [list(failures), [reason.replace("\0", "") for reason in failures.values()], workspace_id],
    )


def _missing(connection: Connection, workspace_id: UUID, build: Build) -> Iterator[list[_Uncut]]:
    parameters = {"workspace_id": workspace_id, "uncut": UNCUT, "build": build.rag_index_build_id, "limit": BATCH}
    return keyset_pages(
        connection, _Uncut, load_sql("chunks_missing"), parameters, {"after": _FIRST},
        lambda row: {"after": row.document_id},
    )  # fmt: skip


def _stage(
    connection: Connection,
    build: Build,
    rows: Sequence[_Uncut],
    kept: Sequence[Sequence[int | None]],
    served: ServedChunks,
) -> None:
    """Note of each content which chunks it keeps, in their places, and of which version they are."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO content_stage (rag_index_build_id, document_content_id, chunk_ids, served_since) "
            "VALUES (%s, %s, %s::bigint[], %s)",
            [
                (build.rag_index_build_id, row.document_content_id, list(stay), served.since(row.document_id))
                for row, stay in zip(rows, kept, strict=True)
            ],
        )


def _copy(
    connection: Connection,
    build: Build,
    cut: Sequence[tuple[_Uncut, Chunk]],
    weights: Sequence[Weights],
    passages: Sequence[Sequence[Passage]],
) -> None:
    binary.copy(
        connection,
        "chunk_stage (rag_index_build_id, document_content_id, position, chunk_content, lead, heading_path, text_hash, "
        "token_count, terms, keys, heading_levels, passages)",
        (
            binary.row(
                binary.int4(build.rag_index_build_id),
                row.document_content_id.bytes,
                binary.int4(chunk.position),
                chunk.text.encode(),
                chunk.lead.encode(),
                binary.texts(chunk.heading_path),
                chunk.text_hash,
                binary.int4(chunk.token_count),
                binary.sparsevec(TERMS, weight.terms, weight.weights),
                binary.int4s(weight.keys),
                binary.int4s(np.array(chunk.heading_levels, dtype=np.int32)),
                binary.byteas([passage.text_hash for passage in parts]),
            )
            for (row, chunk), weight, parts in zip(cut, weights, passages, strict=True)
        ),
    )


def _stage_passages(connection: Connection, build: Build, passages: Iterable[Passage]) -> None:
    """Note the texts of passages that the build has no vector of."""
    texts = {passage.text_hash: passage.embedded for passage in passages}
    if texts:
        key = {"build": build.rag_index_build_id, "hashes": list(texts), "texts": list(texts.values())}
        connection.execute(load_sql("stage_passages"), key)


def _learn_words(connection: Connection, build: Build, weights: Sequence[Weights]) -> None:
    """Keep the words as written: what a typing error in a question may have meant."""
    words = {word for weight in weights for word in weight.words}
    connection.execute(
        "INSERT INTO index_word (rag_index_build_id, word) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING",
        [build.rag_index_build_id, sorted(words)],
    )
