"""Is a file whole? Its structure, its counts, and what it holds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import apsw

from arcana_pipelines.errors import IndexFileRefused
from arcana_pipelines.indexes.index_file.collections import file_hash

_DOCUMENTS = "SELECT * FROM documents WHERE collection_id = ? ORDER BY document_id"
_CHUNKS = (
    "SELECT chunk_id, document_id, title, heading_path, heading_levels, language, text, row_hash, embedding, passages, "
    "terms, weights, keys FROM document_chunks WHERE collection_id = ? ORDER BY chunk_id"
)


def check(connection: apsw.Connection, path: Path) -> None:
    """Refuse a file that is damaged, or was not written to its end. All of it is read.

    Raises:
        IndexFileRefused: it is.
    """
    problems = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
    if problems != ["ok"]:
        raise _damaged(path, problems[0])
    collections: list[Any] = connection.execute("SELECT collection_id, content_hash FROM collections").fetchall()
    for number, sealed in collections:
        chunks = _count(connection, "SELECT count(*) FROM document_chunks WHERE collection_id = ?", number)
        named = "SELECT count(*) FROM documents d, json_each(d.chunk_ids) WHERE d.collection_id = ?"
        if chunks != _count(connection, f"SELECT count(*) FROM vectors_{number}"):
            raise _damaged(path, "it has another number of vectors than of chunks")
        if sealed is not None and chunks != _count(connection, named, number):
            raise _damaged(path, "its documents have other chunks than there are")
        if sealed is not None and sealed != content_hash(connection, number):
            raise _damaged(path, "what it holds is not what was written")


def content_hash(connection: apsw.Connection, number: int) -> str:
    """SHA-256 of all that a collection holds: documents by their hashes, whole rows of chunks."""
    held = hashlib.sha256()
    row: Any
    for row in connection.execute(_DOCUMENTS, (number,)):
        _, *values, stored = row
        held.update((stored if file_hash(values) == stored else "").encode())
    for row in connection.execute(_CHUNKS, (number,)):
        for value in row:
            held.update(_as_bytes(value))
    return held.hexdigest()


def _as_bytes(value: Any) -> bytes:
    """With its length and type, so that no two rows are the same bytes."""
    sent = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    return f"{type(value).__name__}{len(sent)}:".encode() + sent


def _count(connection: apsw.Connection, statement: str, *values: int) -> int:
    return int(connection.execute(statement, values).get)


def _damaged(path: Path, how: str) -> IndexFileRefused:
    return IndexFileRefused(
        f"The file {path} is damaged, or was not written to its end ({how}): export it again with --force, or copy it "
        "again."
    )
