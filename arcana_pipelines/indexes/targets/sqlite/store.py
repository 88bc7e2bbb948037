"""Collections in a SQLite file: read by anybody's SQLite, searched by meaning with sqlite-vec."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import apsw
import numpy as np

from arcana_pipelines.errors import CollectionMissing, IndexFileRefused, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.index_file import collections
from arcana_pipelines.indexes.index_file.file import changing, create_or_open, said
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Found, Store, Stored, Vector

_SCAN = 2_000
_NEAREST = 4_096  # the most that `k` may be: https://github.com/asg017/sqlite-vec/blob/main/sqlite-vec.c


class SqliteStore(Store):
    """One file, in which each build of each index that is kept there is a collection."""

    answers_alone: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        """The file is made where there is none, with its folder.

        Raises:
            TargetUnreachable: it cannot be opened or made, is something else, damaged, or of a newer release.
        """
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = create_or_open(path, is_shared=True)
        except OSError as error:
            raise TargetUnreachable(
                f"The folder {path.parent} cannot be made ({error.strerror}): see to the rights of the one above it."
            ) from error
        except IndexFileRefused as error:
            raise TargetUnreachable(str(error)) from error
        self._opened = self._inode()

    def _inode(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except OSError:
            return None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError) as error:
            raise RowsRefused(f"The file {self._path} does not take a row: {error}.") from error
        except apsw.Error as error:
            raise TargetUnreachable(said(self._path, error)) from error

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """All of a change in one transaction."""
        with self._telling(), changing(self._connection):
            yield

    def version(self) -> str:
        """See `Store.version`."""
        with self._telling():
            version = self._connection.execute("SELECT vec_version()").get
        return f"SQLite {apsw.sqlite_lib_version()}, sqlite-vec {version}"

    def make(self, collection: Collection) -> None:
        """See `Store.make`."""
        with self._changing():
            collections.make(self._connection, collection)

    def drop(self, collection: str) -> None:
        """See `Store.drop`. Its pages are used again; the file is not smaller."""
        with self._changing():
            collections.drop(self._connection, collection)

    def apply(self, collection: str, changes: Changes) -> None:
        """See `Store.apply`. All of it in one transaction, which is on the disk when this returns."""
        number = self._number(collection)
        with self._changing():
            collections.apply(self._connection, number, changes)

    def settle(self, collection: str, vectors: int) -> None:
        """Nothing: all vectors are compared."""

    def count(self, collection: str) -> int:
        """See `Store.count`."""
        number = self._number(collection)
        with self._telling():
            return int(self._connection.execute(f"SELECT count(*) FROM vectors_{number}").get)

    def scan(self, collection: str) -> Iterator[list[Stored]]:
        """See `Store.scan`. Of one moment."""
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
        """See `Store.vectors`. Those that are searched, not their copies for others."""
        number = self._number(collection)
        found = self._rows(
            f"SELECT k.chunk_id, v.embedding FROM document_chunks k JOIN vectors_{number} v USING (vector_id) "
            "WHERE k.collection_id = ? AND k.chunk_id IN (SELECT value FROM json_each(?))",
            number,
            json.dumps(list(chunk_ids)),
        )
        return {chunk: np.frombuffer(vector, dtype="<f4").astype(np.float32) for chunk, vector in found}

    def nearest(self, collection: str, vector: Vector, limit: int) -> list[Found]:
        """See `Store.nearest`. Exact."""
        number = self._number(collection)
        near = f"SELECT vector_id, distance FROM vectors_{number} WHERE embedding MATCH ?1 AND k = ?2"
        if limit > _NEAREST:
            near = (
                f"SELECT vector_id, vec_distance_cosine(embedding, ?1) AS distance FROM vectors_{number} "
                "ORDER BY distance LIMIT ?2"
            )
        found = self._rows(
            f"SELECT k.chunk_id, near.distance FROM ({near}) near JOIN document_chunks k USING (vector_id) "
            "ORDER BY near.distance, k.chunk_id",
            vector.astype("<f4").tobytes(),
            limit,
        )
        return [Found(chunk, 1 - distance) for chunk, distance in found]

    def name_serving(self, alias: str, collection: str) -> None:
        """See `Store.name_serving`: the column `alias` of `collections`."""
        self._number(collection)  # where there is none, no other loses the name
        with self._changing():
            collections.name_serving(self._connection, alias, collection)

    def close(self) -> None:
        """See `Store.close`. The last one to close writes all into the one file."""
        self._connection.close()

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._telling():
            return self._connection.execute(statement, values).fetchall()

    def _number(self, name: str) -> int:
        if self._inode() != self._opened:
            raise TargetUnreachable(f"The file {self._path} was moved away or replaced: it is opened anew.")
        with self._telling():
            number = collections.number_of(self._connection, name)
        if number is None:
            raise CollectionMissing(f"The file {self._path} has no collection '{name}'.")
        return number


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
