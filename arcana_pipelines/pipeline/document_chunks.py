"""The stage `document_chunks`: cut what each build lacks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from arcana_pipelines.chunking.chunker import Chunk, chunk_document
from arcana_pipelines.chunking.passages import Passage
from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.db import binary
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import keyset_pages
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.embedding.catalogue import Model, model_named
from arcana_pipelines.errors import PageTooLarge
from arcana_pipelines.indexes.builds import Build, live_builds
from arcana_pipelines.lexical.analysis import TERMS, Weights, chunk_weights
from arcana_pipelines.pipeline.processes import made_in_processes
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
class _Content:
    document_id: UUID
    document_content_id: UUID
    contents: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Uncut:
    """A batch of contents that a build lacks, with all that cutting it needs."""

    build: Build
    model: Model
    rows: list[_Content]
    served: ServedChunks


@dataclass(frozen=True, slots=True)
class _Cut:
    """What becomes of a batch.

    Attributes:
        contents: of each content which chunks it keeps, in their places, since when the version is served that these
            are of, and of a file where in it each chunk stands (JSON).
        chunks: rows of `chunk_stage`.
        passages: the texts of passages by hash.
        words: as written.
        failures: the documents that cannot be cut, with the reason.
    """

    contents: list[tuple[UUID, list[int | None], datetime | None, str | None]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    passages: dict[bytes, str] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    failures: dict[UUID, str] = field(default_factory=dict)


def stage_chunks(connection: Connection, workspace_id: UUID, filling: bool = False, processes: int = 1) -> ChunkReport:
    """Stage every content that a live build does not serve, and what it brings; with `filling`, for new builds too.

    Each batch is one transaction. So many processes at once cut them, where they are many.
    """
    contents = chunks = 0
    for build in live_builds(connection, workspace_id, filling):
        with connection.transaction():
            connection.execute(load_sql("chunks_outdated"), {"build": build.rag_index_build_id})
        model = model_named(build.embedding_model)
        batches = (
            _Uncut(build, model, rows, ServedChunks(connection, build, [row.document_id for row in rows]))
            for rows in _missing(connection, workspace_id, build)
        )
        for cut in made_in_processes(_cut, batches, processes):
            with connection.transaction():
                _stage(connection, build, cut)
                if cut.failures:
                    _quarantine(connection, workspace_id, cut.failures)
            contents += len(cut.contents)
            chunks += len(cut.chunks)
    if chunks >= MANY:
        connection.execute("ANALYZE chunk_stage, content_stage")
    return ChunkReport(contents, chunks)


def _cut(given: _Uncut) -> _Cut:
    """Cut a batch, which needs no database, and make the rows that it is stored as."""
    cut = _Cut()
    # Loaded only when there is something to cut: it takes as long as all of a sync without news.
    words = vocabulary(given.model.vocabulary)
    new: list[tuple[_Content, Chunk]] = []
    for row in given.rows:
        try:
            parts = list(chunk_document(row.contents, given.build.settings.chunker, words))
        except PageTooLarge as error:
            cut.failures[row.document_id] = f"{UNCUT} {error}"
            continue
        except Exception as error:  # the edge of a page: one that cannot be cut delays no other
            log.exception("document %s cannot be cut", row.document_id)
            cut.failures[row.document_id] = f"{UNCUT} {type(error).__name__}: {error}"
            continue
        stay = given.served.kept(row.document_id, parts)
        cut.contents.append((row.document_content_id, stay, given.served.since(row.document_id), _places_of(parts)))
        new += [(row, chunk) for chunk, known in zip(parts, stay, strict=True) if known is None]
    weights = chunk_weights([(row.contents["title"], chunk.heading_path, chunk.text) for row, chunk in new])
    for (row, chunk), weight in zip(new, weights, strict=True):
        passages = chunk.passages(row.contents["title"]) if given.model.compares_passages else []
        cut.chunks.append(_row_of(given.build, row, chunk, weight, passages))
        cut.passages.update((passage.text_hash, passage.embedded) for passage in passages)
        cut.words.update(weight.words)
    return cut


def _places_of(chunks: Sequence[Chunk]) -> str | None:
    if all(chunk.place is None for chunk in chunks):
        return None
    return storable_json([chunk.place for chunk in chunks])


def _quarantine(connection: Connection, workspace_id: UUID, failures: dict[UUID, str]) -> None:
    """Only an edit or a person brings these pages back; what is served of them stays.

    Not one that was edited meanwhile, and whose text of now waits to be cut.
    """
    given = [list(failures), [reason.replace("\0", "") for reason in failures.values()], workspace_id]
    connection.execute(
        "UPDATE source_page p SET state = 'quarantined', outcome = NULL, reason = t.reason, "
        "next_attempt_at = CASE WHEN p.state = 'quarantined' THEN p.next_attempt_at END "
        "FROM unnest(%s::uuid[], %s::text[]) AS t(document_id, reason) "
        "WHERE p.workspace_id = %s AND p.document_id = t.document_id AND p.state IN ('unchanged', 'quarantined')",
        given,
    )
    connection.execute(
        "UPDATE source_file f SET state = 'quarantined', reason = t.reason, next_attempt_at = NULL "
        "FROM unnest(%s::uuid[], %s::text[]) AS t(document_id, reason) "
        "WHERE f.workspace_id = %s AND f.document_id = t.document_id AND f.state IN ('parsed', 'quarantined')",
        given,
    )


def _missing(connection: Connection, workspace_id: UUID, build: Build) -> Iterator[list[_Content]]:
    parameters = {"workspace_id": workspace_id, "uncut": UNCUT, "build": build.rag_index_build_id, "limit": BATCH}
    return keyset_pages(
        connection, _Content, load_sql("chunks_missing"), parameters, {"after": _FIRST},
        lambda row: {"after": row.document_id},
    )  # fmt: skip


def _row_of(build: Build, row: _Content, chunk: Chunk, weight: Weights, passages: Sequence[Passage]) -> bytes:
    return binary.row(
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
        binary.byteas([passage.text_hash for passage in passages]),
    )


def _stage(connection: Connection, build: Build, cut: _Cut) -> None:
    """Note the contents, their new chunks, the texts of passages without a vector, and the words as written.

    A word as written is what a typing error in a question may have meant.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO content_stage (rag_index_build_id, document_content_id, chunk_ids, served_since, places) "
            "VALUES (%s, %s, %s::bigint[], %s, %s::jsonb)",
            [(build.rag_index_build_id, *content) for content in cut.contents],
        )
    binary.copy(
        connection,
        "chunk_stage (rag_index_build_id, document_content_id, position, chunk_content, lead, heading_path, text_hash, "
        "token_count, terms, keys, heading_levels, passages)",
        cut.chunks,
    )
    if cut.passages:
        texts = {"hashes": list(cut.passages), "texts": list(cut.passages.values())}
        connection.execute(load_sql("stage_passages"), {"build": build.rag_index_build_id, **texts})
    connection.execute(
        "INSERT INTO index_word (rag_index_build_id, word) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING",
        [build.rag_index_build_id, sorted(cut.words)],
    )
