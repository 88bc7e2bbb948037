"""Collections in Chroma: a chunk's number is its id, its text the document, what else is known of it the metadata."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
import numpy as np
from chromadb.api.collection_configuration import CreateHNSWConfiguration
from chromadb.api.models.Collection import Collection as ChromaCollection
from chromadb.errors import (
    BatchSizeExceededError,
    ChromaError,
    DuplicateIDError,
    InvalidArgumentError,
    InvalidDimensionException,
    NotFoundError,
)

from arcana_pipelines.errors import CollectionMissing, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.targets.chroma.places import Opened, place_of
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Found, Row, Store, Stored, Vector

# Of one request: a server takes 40 MB, and answers long before the time is over.
_ROWS = 500
_BYTES = 8_000_000
_SCAN = 2_000
# Beams of HNSW. With its defaults (100, 100, 16) Chroma finds fewer of the nearest; docs/targets.md says how many.
HNSW: CreateHNSWConfiguration = {"space": "cosine", "ef_construction": 200, "max_neighbors": 32, "ef_search": 800}
_REFUSED = (InvalidArgumentError, InvalidDimensionException, DuplicateIDError, BatchSizeExceededError)
_DIMENSIONS = "dimensions"
_SERVES = "serves"


class ChromaStore(Store):
    """A directory that this process opens, or a database of a server."""

    def __init__(self, location: str) -> None:
        """A server is not asked yet.

        Raises:
            OSError: a directory cannot be made.
        """
        self._place = place_of(location)

    @contextmanager
    def _telling(self, collection: str = "") -> Iterator[None]:
        try:
            yield
        except NotFoundError as error:
            raise CollectionMissing(f"{self._place} has no collection '{collection}'.") from error
        except json.JSONDecodeError as error:
            raise TargetUnreachable(f"{self._place} does not answer as Chroma does: {error}.") from error
        # Its client looks through what is sent, too, and raises what Python does.
        except (*_REFUSED, ValueError, TypeError) as error:
            raise RowsRefused(f"{self._place} does not take what it is given: {error}") from error
        except httpx.TimeoutException as error:
            raise TargetUnreachable(f"{self._place} takes too long to answer ({type(error).__name__}).") from error
        except (ChromaError, httpx.HTTPError, KeyError, OSError, sqlite3.Error) as error:
            raise TargetUnreachable(f"{self._place} does not answer: {error or type(error).__name__}.") from error

    @contextmanager
    def _reading(self, name: str) -> Iterator[ChromaCollection]:
        with self._telling(name), self._place.reading(name) as opened, _remembering(opened, name):
            yield opened.collection(name)

    @contextmanager
    def _changing(self, name: str) -> Iterator[ChromaCollection]:
        with self._telling(name), self._place.changing() as opened, _remembering(opened, name):
            yield opened.collection(name)

    def version(self) -> str:
        """See `Store.version`."""
        with self._telling():
            return self._place.version()

    def make(self, collection: Collection) -> None:
        """See `Store.make`. The database of a server is made where it is missing."""
        facts = {
            "workspace": collection.workspace,
            "index": collection.index,
            "build": collection.build,
            _DIMENSIONS: collection.dimensions,
            "made_by": json.dumps(collection.made_by, ensure_ascii=False, sort_keys=True),
        }
        with self._telling(collection.name), self._place.changing() as opened:
            self._place.make_database()
            self._drop(opened, collection.name)
            opened.api.create_collection(
                collection.name, configuration={"hnsw": HNSW}, metadata=facts, **opened.there
            )  # fmt: skip

    def drop(self, collection: str) -> None:
        """See `Store.drop`. The SQLite file of a directory is not smaller; a server leaves files of its vectors."""
        with self._telling(collection), self._place.changing() as opened:
            self._drop(opened, collection)
            self._place.dropped()

    def _drop(self, opened: Opened, collection: str) -> None:
        opened.forget(collection)
        with suppress(NotFoundError):
            opened.api.delete_collection(collection, **opened.there)

    def apply(self, collection: str, changes: Changes) -> None:
        """See `Store.apply`. Of a directory nobody of us sees it half done; of a server, others see rows come first."""
        with self._changing(collection) as there:
            size = (there.metadata or {}).get(_DIMENSIONS)
            for row in changes.rows:
                if len(row.vector) != size:
                    raise RowsRefused(f"Chunk {row.chunk_id} has {len(row.vector)} numbers, not {size}.")
            for rows in _batches(changes.rows):
                texts = [row.text for row in rows]
                there.upsert(
                    ids=[str(row.chunk_id) for row in rows],
                    embeddings=np.stack([row.vector for row in rows]),
                    documents=None if None in texts else texts,  # type: ignore[arg-type]
                    metadatas=[_metadata(row) for row in rows],
                )
            gone = {str(chunk) for chunk in changes.gone}
            for documents in _some(list(changes.whole), _ROWS):
                gone.update(there.get(where=_of(documents), include=[])["ids"])
            for ids in _some(sorted(gone - {str(row.chunk_id) for row in changes.rows}), _ROWS):
                there.delete(ids=ids)
            # Chroma writes the index behind our back, after its answer; this waits for it.
            there.count()

    def settle(self, collection: str, vectors: int) -> None:
        """Nothing: the index is kept up with each change."""

    def count(self, collection: str) -> int:
        """See `Store.count`."""
        with self._reading(collection) as there:
            return there.count()

    def scan(self, collection: str) -> Iterator[list[Stored]]:
        """See `Store.scan`. What somebody else wrote under an id that is no chunk's has the number -1."""
        offset = 0
        while True:
            with self._reading(collection) as there:
                found = there.get(include=["metadatas"], limit=_SCAN, offset=offset)
            if not found["ids"]:
                return
            yield [
                _stored(id_, facts or {})
                for id_, facts in zip(found["ids"], found["metadatas"] or [], strict=True)
            ]  # fmt: skip
            offset += len(found["ids"])

    def vectors(self, collection: str, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        """See `Store.vectors`."""
        vectors: dict[int, Vector] = {}
        with self._reading(collection) as there:
            for some in _some(sorted(set(chunk_ids)), _ROWS):
                found = there.get(ids=[str(chunk) for chunk in some], include=["embeddings"])
                for id_, vector in zip(found["ids"], np.asarray(found["embeddings"], dtype=np.float32), strict=True):
                    vectors[int(id_)] = vector
        return vectors

    def nearest(self, collection: str, vector: Vector, limit: int) -> list[Found]:
        """See `Store.nearest`. By its HNSW index."""
        with self._reading(collection) as there:
            found = there.query(query_embeddings=vector[None], n_results=limit, include=["distances"])
        assert found["distances"] is not None
        return [
            Found(chunk, 1 - distance)
            for id_, distance in zip(found["ids"][0], found["distances"][0], strict=True)
            if (chunk := _chunk(id_)) is not None
        ]

    def name_serving(self, alias: str, collection: str) -> None:
        """See `Store.name_serving`: Chroma has no second names, so it stands in the metadata, as `serves`.

        It is there twice for a moment.
        """
        with self._changing(collection) as there:
            there.modify(metadata={**(there.metadata or {}), _SERVES: alias})
        with self._telling(collection), self._place.changing() as opened:
            for each in opened.all_collections():
                facts = dict(each.metadata or {})
                if each.name != collection and facts.get(_SERVES) == alias:
                    del facts[_SERVES]
                    opened.forget(each.name)
                    each.modify(metadata=facts)

    def close(self) -> None:
        """See `Store.close`."""
        self._place.close()


@contextmanager
def _remembering(opened: Opened, name: str) -> Iterator[None]:
    try:
        yield
    except NotFoundError:
        opened.forget(name)
        raise


def _metadata(row: Row) -> dict[str, Any]:
    """Every key each time: what is not sent stays as it was, and None takes it away."""
    return {
        "document_id": str(row.document_id),
        "title": row.title,
        "url": row.url,
        "headings": list(row.heading_path) or None,
        "language": row.language,
        "row_hash": row.row_hash,
    }


def _stored(id_: str, facts: Mapping[str, Any]) -> Stored:
    chunk = _chunk(id_)
    try:
        document = UUID(str(facts.get("document_id")))
    except ValueError:
        document = None
    return Stored(-1 if chunk is None else chunk, document, str(facts.get("row_hash", "")))


def _chunk(id_: str) -> int | None:
    return int(id_) if id_.isascii() and id_.isdecimal() and str(int(id_)) == id_ else None


def _of(documents: Sequence[UUID]) -> dict[str, Any]:
    return {"document_id": {"$in": [str(document) for document in documents]}}


def _batches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        # Vectors go as base64, texts as UTF-8 in JSON.
        bytes_ = row.vector.nbytes * 2 + len((row.text or "").encode()) * 2
        if batch and (len(batch) == _ROWS or size + bytes_ > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += bytes_
    if batch:
        yield batch


def _some(items: Sequence[Any], most: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), most):
        yield list(items[start : start + most])
