"""Collections in the file: made, changed, dropped. The caller has the connection, and a transaction around it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import apsw
import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.errors import RowsRefused
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Document, Row
from arcana_pipelines.lexical.analysis import with_pairs

_HELD = """
    SELECT vector_id, title, heading_path, text, keys FROM document_chunks
    WHERE collection_id = ?1 AND chunk_id IN (SELECT value FROM json_each(?2))
    UNION
    SELECT vector_id, title, heading_path, text, keys FROM document_chunks
    WHERE collection_id = ?1 AND document_id IN (SELECT value FROM json_each(?3))
"""
_DOCUMENT = "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_FILE = "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CHUNK = "INSERT INTO document_chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def number_of(connection: apsw.Connection, name: str) -> int | None:
    """The number of a collection; None where there is none of this name."""
    number: int | None = connection.execute("SELECT collection_id FROM collections WHERE name = ?", (name,)).get
    return number


def make(connection: apsw.Connection, collection: Collection) -> int:
    """Make an empty collection in place of one of this name, if there is one. Returns its number."""
    drop(connection, collection.name)
    made_by = json.dumps(dict(collection.made_by), ensure_ascii=False, sort_keys=True)
    connection.execute(
        "INSERT INTO collections (name, workspace, index_name, build, dimensions, made_by, changed_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            collection.name, collection.workspace, collection.index, collection.build, collection.dimensions, made_by,
            _now(),
        ),
    )  # fmt: skip
    number = connection.last_insert_rowid()
    connection.execute(
        f"CREATE VIRTUAL TABLE vectors_{number} USING vec0("
        f"vector_id INTEGER PRIMARY KEY, embedding float[{collection.dimensions}] distance_metric=cosine)"
    )
    # Without contents of their own: what is said there stands in document_chunks.
    connection.execute(
        f"CREATE VIRTUAL TABLE words_{number} USING fts5(words, content='', tokenize='unicode61 remove_diacritics 2')"
    )
    connection.execute(
        f"CREATE VIRTUAL TABLE keys_{number} USING fts5(keys, content='', detail=none, tokenize='ascii')"
    )
    return number


def drop(connection: apsw.Connection, name: str) -> None:
    """Drop a collection, if there is one of this name."""
    number = number_of(connection, name)
    if number is not None:
        for table in (f"vectors_{number}", f"words_{number}", f"keys_{number}"):
            connection.execute(f"DROP TABLE {table}")
        # Its documents and chunks go with it.
        connection.execute("DELETE FROM collections WHERE collection_id = ?", (number,))


def apply(connection: apsw.Connection, number: int, changes: Changes) -> None:
    """See `Store.apply`.

    Raises:
        RowsRefused: a vector has another size than the collection's.
    """
    dimensions = connection.execute("SELECT dimensions FROM collections WHERE collection_id = ?", (number,)).get
    for row in changes.rows:
        if row.vector.shape != (dimensions,):
            raise RowsRefused(f"Chunk {row.chunk_id} has a vector of {row.vector.shape}, not of {dimensions} numbers.")
    _take_out(connection, number, [*changes.gone, *(row.chunk_id for row in changes.rows)], changes.whole)
    _put(connection, number, changes.rows)
    _forget(connection, number, [*changes.removed, *(document.document_id for document in changes.documents)])
    connection.executemany(_DOCUMENT, (_document(number, document) for document in changes.documents))
    connection.executemany(_FILE, (_file(number, each) for each in changes.documents if each.file is not None))
    connection.execute("UPDATE collections SET changed_at = ? WHERE collection_id = ?", (_now(), number))


def name_serving(connection: apsw.Connection, alias: str, name: str) -> None:
    """Let an alias name this collection, and no other."""
    connection.execute("UPDATE collections SET alias = NULL WHERE alias = ?", (alias,))
    connection.execute("UPDATE collections SET alias = ? WHERE name = ?", (alias, name))


def seal(connection: apsw.Connection, number: int, content_hash: str) -> None:
    """Note what all of a collection is, by which `check` knows it."""
    connection.execute("UPDATE collections SET content_hash = ? WHERE collection_id = ?", (content_hash, number))


def hash_of(document: Document) -> str:
    """What its row would have as `file_hash`."""
    return file_hash(_values(document))


def file_hash(values: Sequence[Any]) -> str:
    """What tells a document's row from any other: of its columns between the collection and this."""
    return hashlib.sha256(_json(list(values)).encode("utf-8", "surrogatepass")).hexdigest()


def key_term(key: int) -> str:
    """How a key is spelled in `keys_N`."""
    return f"{key:08x}"


def _take_out(connection: apsw.Connection, number: int, chunks: Sequence[int], documents: Sequence[UUID]) -> None:
    found: list[tuple[Any, ...]] = connection.execute(
        _HELD, (number, json.dumps(list(chunks)), json.dumps([str(document) for document in documents]))
    ).fetchall()
    # FTS5 without contents is told what it had.
    for table, column, held in (
        ("words", "words", [(each[0], _words(each[1], json.loads(each[2]), each[3])) for each in found]),
        ("keys", "keys", [(each[0], _keys(each[4])) for each in found if each[4]]),
    ):
        connection.executemany(
            f"INSERT INTO {table}_{number} ({table}_{number}, rowid, {column}) VALUES ('delete', ?, ?)", held
        )
    for statement in (
        f"DELETE FROM vectors_{number} WHERE vector_id = ?",
        "DELETE FROM document_chunks WHERE vector_id = ?",
    ):
        connection.executemany(statement, [(each[0],) for each in found])


def _put(connection: apsw.Connection, number: int, rows: Sequence[Row]) -> None:
    # Also after the vectors of chunks that somebody else took out: a comparison finds these too many.
    last = connection.execute(
        f"SELECT max(coalesce((SELECT max(vector_id) FROM document_chunks), 0), "
        f"coalesce((SELECT max(rowid) FROM vectors_{number}_rowids), 0))"
    ).get
    numbered = list(enumerate(rows, start=last + 1))
    connection.executemany(_CHUNK, (_chunk(vector_id, number, row) for vector_id, row in numbered))
    connection.executemany(
        f"INSERT INTO vectors_{number} (vector_id, embedding) VALUES (?, ?)",
        ((vector_id, _bytes(row.vector, "<f4")) for vector_id, row in numbered),
    )
    connection.executemany(
        f"INSERT INTO words_{number} (rowid, words) VALUES (?, ?)",
        ((vector_id, _words(row.title, row.heading_path, row.text)) for vector_id, row in numbered),
    )
    connection.executemany(
        f"INSERT INTO keys_{number} (rowid, keys) VALUES (?, ?)",
        ((vector_id, _keys(_bytes(row.details.keys, ">i4"))) for vector_id, row in numbered if row.details is not None),
    )


def _forget(connection: apsw.Connection, number: int, documents: Iterable[UUID]) -> None:
    connection.executemany(
        "DELETE FROM documents WHERE collection_id = ? AND document_id = ?",
        [(number, str(document)) for document in documents],
    )


def _values(document: Document) -> tuple[Any, ...]:
    return (
        str(document.document_id), document.external_id, document.kind, document.title, document.url, document.path,
        document.version, document.last_edited_at, document.published_at.astimezone(UTC).isoformat(),
        _json(list(document.chunk_ids)), document.text,
        None if document.properties is None else _json(document.properties),
    )  # fmt: skip


def _document(number: int, document: Document) -> tuple[Any, ...]:
    values = _values(document)
    return (number, *values, file_hash(values))


def _file(number: int, document: Document) -> tuple[Any, ...]:
    assert document.file is not None
    places = document.file["places"]
    return (
        number, str(document.document_id), document.file["name"] or "", document.file["mime_type"],
        None if places is None else _json(places), document.file["copy_of"], document.file["page_external_id"],
        document.file["page_title"], document.file["page_url"],
    )  # fmt: skip


def _chunk(vector_id: int, number: int, row: Row) -> tuple[Any, ...]:
    details = row.details
    return (
        vector_id, number, row.chunk_id, str(row.document_id), row.title, _json(list(row.heading_path)),
        _json(list(details.heading_levels)) if details else None, row.language, row.text, row.row_hash,
        _bytes(row.vector, "<f4"),
        _bytes(details.passages, "<f2") if details and details.passages is not None else None,
        _bytes(details.terms, "<i4") if details else None,
        _bytes(details.weights, "<f4") if details else None,
        _bytes(details.keys, ">i4") if details else None,
    )  # fmt: skip


def _words(title: str, heading_path: Iterable[str], text: str | None) -> str:
    return with_pairs("\n".join((title, *heading_path, text or "")))


def _keys(stored: bytes) -> str:
    return stored.hex(" ", 4)


def _bytes(numbers: NDArray[Any], kind: str) -> bytes:
    return np.asarray(numbers, dtype=kind).tobytes()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _now() -> str:
    return datetime.now(UTC).isoformat()
