"""The chunks that a build serves of some documents, so that those of a new version which are the same stay."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import Build

if TYPE_CHECKING:
    from arcana_pipelines.chunking.chunker import Chunk

load_sql = statements_beside(__file__)


class ServedChunks:
    """What a build serves of some documents, to be taken over chunk by chunk."""

    def __init__(self, connection: Connection, build: Build, documents: Sequence[UUID]) -> None:
        """Read in the snapshot of the caller. What was cut beside a version that is served no more is cut again."""
        self._since: dict[UUID, datetime] = {}
        self._chunks: defaultdict[tuple[UUID, Hashable], deque[int]] = defaultdict(deque)
        parameters = {"build": build.rag_index_build_id, "documents": list(documents)}
        rows = connection.execute(load_sql("chunks_served"), parameters)
        position = 0
        for document, since, chunk, text_hash, heading_path, heading_levels in rows:
            position = position + 1 if document in self._since else 0
            self._since[document] = since
            if chunk is not None:
                key = (position == 0, bytes(text_hash), tuple(heading_path), tuple(heading_levels))
                self._chunks[document, key].append(chunk)

    def since(self, document: UUID) -> datetime | None:
        """Since when the version is served that chunks are taken from; None where none is."""
        return self._since.get(document)

    def kept(self, document: UUID, chunks: Sequence[Chunk]) -> list[int | None]:
        """Of each chunk of a new version the `document_chunk_id` under which it is served already, or None.

        The hash is of title, headings and text. A text that stands twice is two chunks, and stays as often as it stood.
        """
        found = []
        for chunk in chunks:
            key = (chunk.position == 0, chunk.text_hash, chunk.heading_path, chunk.heading_levels)
            same = self._chunks.get((document, key))
            found.append(same.popleft() if same else None)
        return found
