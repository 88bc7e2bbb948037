"""A batch of contents cut into chunks, and the rows that they are stored as. It needs no database.

Imported only when there is something to cut: with the vocabulary it takes as long as all of a sync without news.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np

from arcana_pipelines.chunking.chunker import Chunk, chunk_document
from arcana_pipelines.chunking.passages import Passage
from arcana_pipelines.chunking.tokens import vocabulary
from arcana_pipelines.db import binary
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.errors import PageTooLarge
from arcana_pipelines.indexes.builds import Build
from arcana_pipelines.lexical.analysis import TERMS
from arcana_pipelines.lexical.weights import Weights, chunk_weights
from arcana_pipelines.pipeline.uncut import UNCUT, Content, Uncut

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cut:
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


def cut_batch(given: Uncut) -> Cut:
    """Cut a batch, which needs no database, and make the rows that it is stored as."""
    cut = Cut()
    words = vocabulary(given.model.vocabulary)
    new: list[tuple[Content, Chunk]] = []
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


def _row_of(build: Build, row: Content, chunk: Chunk, weight: Weights, passages: Sequence[Passage]) -> bytes:
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
