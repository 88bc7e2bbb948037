"""What a target is to hold, read from PostgreSQL without the code that compares targets; and stores that fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from psycopg import sql

from arcana_pipelines.db.engine import Database
from arcana_pipelines.indexes.targets import registry
from arcana_pipelines.indexes.targets.protocol import Store
from arcana_pipelines.indexes.targets.targets import Target, builds_of_target
from arcana_pipelines.settings import Settings

Before = Callable[[str, tuple[Any, ...]], None]
# Of a vector that a store has rounded, or kept at unit length.
CLOSE = 1e-4


def differences(database: Database, target: Target) -> list[str]:
    """What a target has otherwise than PostgreSQL publishes it, of every build: nothing, once it was delivered."""
    found: list[str] = []
    with database.own_connection() as connection:
        builds = builds_of_target(connection, target)
        with registry.open_store(database.settings, target.kind, target.location) as store:
            for build in builds:
                if build.collection is None:
                    found.append(f"build {build.build} has no collection")
                    continue
                wanted = _published(connection, build.build)
                listed = {row.chunk_id: row for batch in store.scan(build.collection) for row in batch}
                vectors = store.vectors(build.collection, list(listed))
                where = f"build {build.build}, chunk"
                found += [f"{where} {chunk} is missing" for chunk in wanted.keys() - listed.keys()]
                found += [f"{where} {chunk} is too many" for chunk in listed.keys() - wanted.keys()]
                for chunk in wanted.keys() & listed.keys():
                    document, row_hash, vector = wanted[chunk]
                    row = listed[chunk]
                    if (row.document_id, row.row_hash) != (document, row_hash):
                        found.append(f"{where} {chunk} is {row}, not of {document} with {row_hash}")
                    elif np.abs(vectors[chunk] / np.linalg.norm(vectors[chunk]) - vector).max() > CLOSE:
                        found.append(f"{where} {chunk} has another vector")
                if store.count(build.collection) != len(wanted):
                    found.append(f"build {build.build} counts {store.count(build.collection)}, not {len(wanted)}")
    return found


def _published(connection: Any, build: int) -> dict[int, tuple[Any, str, np.ndarray[Any, Any]]]:
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
        wanted[chunk] = (document, row_hash, vector / np.linalg.norm(vector))
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
