"""Qdrant Edge: the engine of Qdrant in this process, a directory a collection.

https://github.com/qdrant/qdrant/tree/master/lib/edge. One process at a time may have a collection open, so it is opened
for each thing that is read, and kept open from the first change to the end. All vectors are compared: nothing is
approximate.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from uuid import UUID

import numpy as np
import qdrant_edge as edge

from arcana_pipelines.errors import CollectionMissing, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.targets.embedded import EmbeddedLock
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Found, Store, Stored, Vector
from arcana_pipelines.indexes.targets.qdrant.payload import COMPARED, payload, stored

_BATCH = 1_000
_SCAN = 5_000


class EdgeStore(Store):
    """A directory with a directory for each collection."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet.

        Raises:
            TargetUnreachable: there is a file.
        """
        if path.is_file():
            raise TargetUnreachable(f"{path} is a file, and Qdrant Edge keeps its collections in a directory.")
        self._path = path
        self._lock = EmbeddedLock(path)
        self._kept = ExitStack()
        self._opened: dict[str, edge.EdgeShard] | None = None  # None: nothing was changed yet

    def version(self) -> str:
        """See `Store.version`."""
        return f"Qdrant Edge {version('qdrant-edge-py')}"

    def make(self, collection: Collection) -> None:
        """See `Store.make`."""
        self.drop(collection.name)
        assert self._opened is not None
        place = self._path / collection.name
        with self._telling():
            place.mkdir(mode=0o700, parents=True)
            wanted = edge.EdgeVectorParams(size=collection.dimensions, distance=edge.Distance.Cosine)
            shard = edge.EdgeShard.create(str(place), edge.EdgeConfig(vectors=wanted))
            self._opened[collection.name] = shard
            shard.update(edge.UpdateOperation.create_field_index("document_id", edge.PayloadSchemaType.Keyword))

    def drop(self, collection: str) -> None:
        """See `Store.drop`."""
        self._keep()
        assert self._opened is not None
        with self._telling():
            shard = self._opened.pop(collection, None)
            if shard is not None:
                shard.close()
            if (self._path / collection).exists():
                shutil.rmtree(self._path / collection)

    def apply(self, collection: str, changes: Changes) -> None:
        """See `Store.apply`. What is put and what is taken out are steps of their own."""
        self._keep()
        with self._shard(collection) as shard, self._telling(changes):
            waiting = iter(changes.rows)
            while batch := list(islice(waiting, _BATCH)):
                if not all(np.isfinite(row.vector).all() for row in batch):  # which the engine would take
                    raise RowsRefused("A vector has a number that is not finite.")
                points = [
                    edge.Point(id=row.chunk_id, vector=row.vector.tolist(), payload=payload(row)) for row in batch
                ]
                shard.update(edge.UpdateOperation.upsert_points(points))
            if changes.gone:
                shard.update(edge.UpdateOperation.delete_points(list(changes.gone)))
            for document in changes.whole:
                of_document = edge.FieldCondition("document_id", match=edge.MatchValue(str(document)))
                kept: set[int | UUID | str] = {row.chunk_id for row in changes.rows if row.document_id == document}
                others = edge.Filter(must=[of_document], must_not=[edge.HasIdCondition(kept)] if kept else None)
                shard.update(edge.UpdateOperation.delete_points_by_filter(others))

    def settle(self, collection: str, vectors: int) -> None:
        """See `Store.settle`: what was changed is written to its files."""
        with self._shard(collection) as shard, self._telling():
            shard.flush()

    def count(self, collection: str) -> int:
        """See `Store.count`."""
        with self._shard(collection) as shard, self._telling():
            return int(shard.count(edge.CountRequest(exact=True)))

    def scan(self, collection: str) -> Iterator[list[Stored]]:
        """See `Store.scan`."""
        with self._shard(collection) as shard:
            offset, is_over = None, False
            while not is_over:
                with self._telling():
                    points, offset = shard.scroll(
                        edge.ScrollRequest(offset=offset, limit=_SCAN, with_payload=COMPARED, with_vector=False)
                    )
                is_over = offset is None
                yield [row for point in points if (row := stored(point)) is not None]

    def vectors(self, collection: str, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        """See `Store.vectors`."""
        with self._shard(collection) as shard, self._telling():
            found = shard.retrieve(list(chunk_ids), with_payload=False, with_vector=True)
            return {int(point.id): np.asarray(point.vector, dtype=np.float32) for point in found}

    def nearest(self, collection: str, vector: Vector, limit: int) -> list[Found]:
        """See `Store.nearest`. Exact."""
        with self._shard(collection) as shard, self._telling():
            asked = edge.QueryRequest(
                query=edge.Query.Nearest(vector.tolist()), limit=limit, params=edge.SearchParams(exact=True)
            )
            return [Found(int(point.id), point.score) for point in shard.query(asked)]

    def name_serving(self, alias: str, collection: str) -> None:
        """See `Store.name_serving`: a link beside the directories of the collections."""
        self._keep()
        with self._telling():
            new = self._path / f".{alias}"
            new.unlink(missing_ok=True)
            new.symlink_to(collection, target_is_directory=True)
            os.replace(new, self._path / alias)

    def close(self) -> None:
        """See `Store.close`."""
        try:
            for shard in (self._opened or {}).values():
                shard.flush()
                shard.close()
        finally:
            self._opened = None
            self._kept.close()

    def _keep(self) -> None:
        """From now to the end nobody else uses the directory."""
        if self._opened is None:
            self._kept.enter_context(self._lock.exclusive())
            self._opened = {}

    @contextmanager
    def _shard(self, collection: str) -> Iterator[edge.EdgeShard]:
        if self._opened is not None:
            if collection not in self._opened:
                self._opened[collection] = self._load(collection)
            yield self._opened[collection]
            return
        with self._lock.exclusive():
            shard = self._load(collection)
            try:
                yield shard
            finally:
                shard.close()

    def _load(self, collection: str) -> edge.EdgeShard:
        place = self._path / collection
        if not (place / "segments").exists():
            raise CollectionMissing(f"{self._path} holds no collection '{collection}'.")
        with self._telling():
            return edge.EdgeShard.load(str(place))

    @contextmanager
    def _telling(self, changes: Changes | None = None) -> Iterator[None]:
        try:
            yield
        except (RowsRefused, CollectionMissing, TargetUnreachable):
            raise
        except Exception as error:  # the engine raises nothing but `Exception`
            if changes is not None and "dimension" in str(error):
                raise RowsRefused(f"Qdrant Edge refuses rows: {error}") from error
            raise TargetUnreachable(f"Qdrant Edge cannot use {self._path}: {error}") from error
