"""Collections in a SQLite file: read by anybody's SQLite, searched by meaning with sqlite-vec."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import apsw
import numpy as np
import sqlite_vec

from arcana_pipelines.errors import CollectionMissing, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Found, Row, Store, Stored, Vector

_SCAN = 2_000
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS collections (
        collection_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dimensions INTEGER NOT NULL, alias TEXT UNIQUE
    );
    CREATE TABLE IF NOT EXISTS document_chunks (
        collection_id INTEGER NOT NULL REFERENCES collections, chunk_id INTEGER NOT NULL, document_id TEXT NOT NULL,
        title TEXT NOT NULL, url TEXT NOT NULL, heading_path TEXT NOT NULL, language TEXT, text TEXT,
        row_hash TEXT NOT NULL, embedding BLOB NOT NULL, PRIMARY KEY (collection_id, chunk_id)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS document_chunks_of_document ON document_chunks (collection_id, document_id);
"""


class SqliteStore(Store):
    """One file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        with self._telling():
            self._connection = apsw.Connection(str(path))
            self._connection.enable_load_extension(True)
            self._connection.load_extension(sqlite_vec.loadable_path())
            self._connection.enable_load_extension(False)
            self._connection.execute("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            self._connection.execute(_SCHEMA)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (apsw.ConstraintError, apsw.MismatchError) as error:
            raise RowsRefused(f"{self._path}: {error}") from error
        except apsw.Error as error:
            raise TargetUnreachable(f"The file {self._path} cannot be used: {error}. Is its disk full?") from error

    def version(self) -> str:
        """See `Store.version`."""
        with self._telling():
            (version,) = self._rows("SELECT vec_version()")[0]
        return f"SQLite {apsw.sqlite_lib_version()}, sqlite-vec {version}"

    def make(self, collection: Collection) -> None:
        """See `Store.make`."""
        with self._telling(), self._connection:
            self._drop(collection.name)
            self._connection.execute(
                "INSERT INTO collections (name, dimensions) VALUES (?, ?)", (collection.name, collection.dimensions)
            )
            self._connection.execute(
                f"CREATE VIRTUAL TABLE vectors_{self._number(collection.name)} USING vec0("
                f"chunk_id INTEGER PRIMARY KEY, embedding float[{collection.dimensions}] distance_metric=cosine)"
            )

    def drop(self, collection: str) -> None:
        """See `Store.drop`."""
        with self._telling(), self._connection:
            self._drop(collection)

    def _drop(self, name: str) -> None:
        found = self._connection.execute("SELECT collection_id FROM collections WHERE name = ?", (name,)).fetchall()
        for (number,) in found:
            self._connection.execute("DELETE FROM document_chunks WHERE collection_id = ?", (number,))
            self._connection.execute(f"DROP TABLE IF EXISTS vectors_{number}")
            self._connection.execute("DELETE FROM collections WHERE collection_id = ?", (number,))

    def apply(self, collection: str, changes: Changes) -> None:
        """See `Store.apply`. All of it in one transaction."""
        number = self._number(collection)
        with self._telling(), self._connection:
            kept = {row.chunk_id for row in changes.rows}
            gone = set(changes.gone)
            for document in changes.whole:
                found = self._connection.execute(
                    "SELECT chunk_id FROM document_chunks WHERE collection_id = ? AND document_id = ?",
                    (number, str(document)),
                )
                gone |= {chunk for (chunk,) in found}
            for chunk in gone | kept:
                self._connection.execute(
                    "DELETE FROM document_chunks WHERE collection_id = ? AND chunk_id = ?", (number, chunk)
                )
                self._connection.execute(f"DELETE FROM vectors_{number} WHERE chunk_id = ?", (chunk,))
            self._connection.executemany(
                "INSERT INTO document_chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (self._values(number, row) for row in changes.rows),
            )
            self._connection.executemany(
                f"INSERT INTO vectors_{number} (chunk_id, embedding) VALUES (?, ?)",
                ((row.chunk_id, row.vector.tobytes()) for row in changes.rows),
            )

    @staticmethod
    def _values(number: int, row: Row) -> tuple[Any, ...]:
        headings = json.dumps(row.heading_path, ensure_ascii=False)
        return (
            number, row.chunk_id, str(row.document_id), row.title, row.url, headings, row.language, row.text,
            row.row_hash, row.vector.tobytes(),
        )  # fmt: skip

    def settle(self, collection: str, vectors: int) -> None:
        """Nothing: all vectors are compared."""

    def count(self, collection: str) -> int:
        """See `Store.count`."""
        number = self._number(collection)
        with self._telling():
            found = self._rows(f"SELECT count(*) FROM vectors_{number}")
        return int(found[0][0])

    def scan(self, collection: str) -> Iterator[list[Stored]]:
        """See `Store.scan`."""
        number = self._number(collection)
        with self._telling():
            cursor = self._connection.execute(
                "SELECT chunk_id, document_id, row_hash FROM document_chunks WHERE collection_id = ?", (number,)
            )
            batch: list[Stored] = []
            for chunk, document, row_hash in cursor:
                batch.append(Stored(chunk, _uuid(document), row_hash))
                if len(batch) == _SCAN:
                    yield batch
                    batch = []
            yield batch

    def vectors(self, collection: str, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        """See `Store.vectors`."""
        number = self._number(collection)
        with self._telling():
            found = self._rows(
                f"SELECT chunk_id, embedding FROM vectors_{number} WHERE chunk_id IN (SELECT value FROM json_each(?))",
                json.dumps(list(chunk_ids)),
            )
        return {chunk: np.frombuffer(vector, dtype=np.float32) for chunk, vector in found}

    def nearest(self, collection: str, vector: Vector, limit: int) -> list[Found]:
        """See `Store.nearest`. Exact."""
        number = self._number(collection)
        with self._telling():
            found = self._rows(
                f"SELECT chunk_id, distance FROM vectors_{number} WHERE embedding MATCH ? AND k = ?",
                vector.astype(np.float32).tobytes(),
                limit,
            )
        return [Found(chunk, 1 - distance) for chunk, distance in found]

    def name_serving(self, alias: str, collection: str) -> None:
        """See `Store.name_serving`: the column `alias` of `collections`."""
        with self._telling(), self._connection:
            self._connection.execute("UPDATE collections SET alias = NULL WHERE alias = ?", (alias,))
            self._connection.execute("UPDATE collections SET alias = ? WHERE name = ?", (alias, collection))

    def close(self) -> None:
        """See `Store.close`."""
        self._connection.close()

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(statement, values))

    def _number(self, name: str) -> int:
        with self._telling():
            found = self._rows("SELECT collection_id FROM collections WHERE name = ?", name)
        if not found:
            raise CollectionMissing(f"The file {self._path} has no collection '{name}'.")
        return int(found[0][0])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
