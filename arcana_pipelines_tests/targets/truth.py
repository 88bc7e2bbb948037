"""What a target is to hold, read from PostgreSQL without the code that compares targets; and stores that fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg import sql

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.errors import CollectionMissing
from arcana_pipelines.indexes.targets import registry
from arcana_pipelines.indexes.targets.protocol import Store
from arcana_pipelines.indexes.targets.targets import Target, builds_of_target
from arcana_pipelines.settings import Settings

Before = Callable[[str, tuple[Any, ...]], None]
# Of a vector that a store has rounded, or kept at unit length.
CLOSE = 1e-4


def differences(database: Database, target: Target, at_rest: bool = True) -> list[str]:
    """What a target has otherwise than PostgreSQL publishes it, of every build: nothing, once it was delivered.

    `at_rest` not, documents that wait are left out, and there is nothing else that may differ.
    """
    found: list[str] = []
    with database.own_connection() as connection:
        builds = builds_of_target(connection, target)
        with registry.open_store(database.settings, target.kind, target.location) as store:
            for build in builds:
                if build.collection is not None:
                    waiting = set() if at_rest else _waiting(connection, target, build.build)
                    wanted = published_rows(connection, build.build)
                    found += _of_collection(store, build.collection, wanted, waiting)
                elif at_rest:
                    found.append(f"build {build.build} has no collection")
    return found


Published = dict[int, tuple[UUID, str, NDArray[np.float32]]]


def _of_collection(store: Store, collection: str, wanted: Published, waiting: set[UUID]) -> list[str]:
    try:
        listed = {row.chunk_id: row for batch in store.scan(collection) for row in batch}
        vectors = store.vectors(collection, list(listed))
        count = store.count(collection)
    except CollectionMissing:
        listed, vectors, count = {}, {}, 0
    wanted = {chunk: row for chunk, row in wanted.items() if row[0] not in waiting}
    left_out = {chunk for chunk, row in listed.items() if row.document_id in waiting}
    found = [f"{collection}: chunk {chunk} is missing" for chunk in wanted.keys() - listed.keys()]
    found += [f"{collection}: {listed[chunk]} is too many" for chunk in listed.keys() - wanted.keys() - left_out]
    for chunk in wanted.keys() & listed.keys():
        document, row_hash, vector = wanted[chunk]
        row = listed[chunk]
        if (row.document_id, row.row_hash) != (document, row_hash):
            found.append(f"{collection}: {row} is not of {document} with {row_hash}")
        elif chunk not in vectors or np.abs(_unit(vectors[chunk]) - vector).max() > CLOSE:
            found.append(f"{collection}: chunk {chunk} has another vector")
    if not waiting and count != len(wanted):
        found.append(f"{collection} counts {count} rows, not {len(wanted)}")
    return found


def _waiting(connection: Connection, target: Target, build: int) -> set[UUID]:
    rows = connection.execute(
        "SELECT document_id FROM sync_operations WHERE index_target_id = %s AND rag_index_build_id = %s",
        [target.index_target_id, build],
    ).fetchall()
    return {document for (document,) in rows}


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return unit


def published_rows(connection: Connection, build: int) -> Published:
    """The published chunks of a build: document, row hash and vector at unit length."""
    rows = connection.execute(
        sql.SQL(
            "SELECT k.document_chunk_id, d.document_id, k.text_hash, k.heading_path, k.chunk_embedding::text "
            "FROM published_document d JOIN {} k ON k.document_chunk_id = ANY(d.chunk_ids) "
            "WHERE d.rag_index_build_id = %s AND k.deleted_at IS NULL"
        ).format(sql.Identifier(f"chunk_b{build}")),
        [build],
    ).fetchall()
    wanted = {}
    for chunk, document, text_hash, headings, written in rows:
        vector = np.array(json.loads(written), dtype=np.float32)
        # As pgvector sends it: its size, nothing, its numbers.
        sent = len(vector).to_bytes(2, "big") + b"\0\0" + vector.astype(">f4").tobytes()
        said = json.dumps(headings, ensure_ascii=False, separators=(",", ":")).encode()
        row_hash = hashlib.sha256(text_hash + said + sent).hexdigest()[:32]
        wanted[chunk] = (document, row_hash, _unit(vector))
    return wanted


class Watched:
    """A store whose calls somebody sees, before and after each; what that raises ends the delivery."""

    def __init__(
        self, store: Store, before: Callable[[str, tuple[Any, ...]], None], after: Callable[[str], None]
    ) -> None:
        self._store, self._before, self._after = store, before, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def called(*arguments: Any) -> Any:
            self._before(name, arguments)
            answer = method(*arguments)
            self._after(name)
            return answer

        return method if name == "close" else called


@contextmanager
def watched_stores(
    before: Before = lambda name, arguments: None,
    after: Callable[[str], None] = lambda name: None,
) -> Iterator[None]:
    """Every store that deliveries of this process open is watched."""

    @contextmanager
    def opened(settings: Settings, kind: str, location: str) -> Iterator[Any]:
        with registry.open_store(settings, kind, location) as store:
            yield Watched(store, before, after)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arcana_pipelines.indexes.targets.delivery.open_store", opened)
        yield
