"""A Qdrant server as a target, through its own client. https://qdrant.tech/documentation/"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from arcana_pipelines.errors import CollectionMissing, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Found, Row, Store, Stored, Vector
from arcana_pipelines.indexes.targets.qdrant.payload import COMPARED, payload, stored

TIMEOUT_SECONDS = 20
_CONNECT_SECONDS = 5.0
# Of one request: a server takes 32 MiB (`service.max_request_size_mb`), a proxy before it maybe less.
_ROWS = 500
_BYTES = 8_000_000
_SCAN = 2_000
# Candidates that a search follows in the graph, at least: on texts this finds 99 of 100 of the nearest ten.
_LEAST_EFFORT = 256
# Too many requests among them: that is none of `ApiException`.
_FAILED = (ResponseHandlingException, ApiException, QdrantException)
# What the client raises of an answer that is none of Qdrant's, such as a page of a proxy.
_NOT_QDRANT = (AssertionError, json.JSONDecodeError)


class QdrantStore(Store):
    """The collections of a server, or of a client that has its own."""

    def __init__(self, client: QdrantClient, place: str) -> None:
        """`place` is what people know it by."""
        self._client = client
        self._place = place

    def version(self) -> str:
        """See `Store.version`."""
        with self._telling():
            return f"Qdrant {self._client.info().version}"

    def make(self, collection: Collection) -> None:
        """See `Store.make`."""
        with self._telling(given=True):
            if self._client.collection_exists(collection.name):
                self._client.delete_collection(collection.name)
            self._client.create_collection(
                collection.name,
                vectors_config=models.VectorParams(size=collection.dimensions, distance=models.Distance.COSINE),
            )
            self._client.create_payload_index(
                collection.name, "document_id", models.PayloadSchemaType.KEYWORD, wait=True
            )

    def drop(self, collection: str) -> None:
        """See `Store.drop`."""
        with self._telling():
            self._client.delete_collection(collection)

    def apply(self, collection: str, changes: Changes) -> None:
        """See `Store.apply`."""
        with self._telling(collection, given=True):
            for batch in _batches(changes.rows):
                self._client.upsert(
                    collection,
                    points=models.Batch(
                        ids=[row.chunk_id for row in batch],
                        vectors=[row.vector.tolist() for row in batch],
                        payloads=[payload(row) for row in batch],
                    ),
                    wait=True,
                )
            if changes.gone:
                self._client.delete(
                    collection, points_selector=models.PointIdsList(points=list(changes.gone)), wait=True
                )
            for document in changes.whole:
                kept = [row.chunk_id for row in changes.rows if row.document_id == document]
                of_document = models.FieldCondition(key="document_id", match=models.MatchValue(value=str(document)))
                others = models.Filter(
                    must=[of_document], must_not=[models.HasIdCondition(has_id=list(kept))] if kept else None
                )
                self._client.delete(collection, points_selector=models.FilterSelector(filter=others), wait=True)

    def settle(self, collection: str, vectors: int) -> None:
        """Nothing: the server makes its index by itself."""

    def count(self, collection: str) -> int:
        """See `Store.count`."""
        with self._telling(collection):
            return self._client.count(collection, exact=True).count

    def scan(self, collection: str) -> Iterator[list[Stored]]:
        """See `Store.scan`."""
        offset: Any = None
        while True:
            with self._telling(collection):
                points, offset = self._client.scroll(
                    collection, limit=_SCAN, offset=offset, with_payload=COMPARED, with_vectors=False
                )
            yield [row for point in points if (row := stored(point)) is not None]
            if offset is None:
                return

    def vectors(self, collection: str, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        """See `Store.vectors`."""
        with self._telling(collection):
            found = self._client.retrieve(collection, ids=list(chunk_ids), with_payload=False, with_vectors=True)
        return {point.id: np.asarray(point.vector, dtype=np.float32) for point in found if isinstance(point.id, int)}

    def nearest(self, collection: str, vector: Vector, limit: int) -> list[Found]:
        """See `Store.nearest`."""
        with self._telling(collection):
            found = self._client.query_points(
                collection,
                query=vector.tolist(),
                limit=limit,
                with_payload=False,
                search_params=models.SearchParams(hnsw_ef=max(_LEAST_EFFORT, 2 * limit)),
            )
        return [Found(point.id, point.score) for point in found.points if isinstance(point.id, int)]

    def name_serving(self, alias: str, collection: str) -> None:
        """See `Store.name_serving`: an alias, moved in one request."""
        with self._telling(collection):
            known = {each.alias_name for each in self._client.get_aliases().aliases}
            moved: list[Any] = []
            if alias in known:
                moved.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
            named = models.CreateAlias(collection_name=collection, alias_name=alias)
            moved.append(models.CreateAliasOperation(create_alias=named))
            self._client.update_collection_aliases(moved)

    def close(self) -> None:
        """See `Store.close`."""
        self._client.close()

    @contextmanager
    def _telling(self, collection: str | None = None, *, given: bool = False) -> Iterator[None]:
        """Tell what the server answers in our words; `given`: it may have refused what it was given."""
        try:
            yield
        except UnexpectedResponse as error:
            raise self._told(error.status_code or 0, _said(error), collection, given) from error
        except (*_FAILED, *_NOT_QDRANT) as error:
            raise TargetUnreachable(
                f"Qdrant at {self._place} does not answer ({type(error).__name__}: {error}). "
                "Is it there, and is it Qdrant?"
            ) from error
        except ValueError as error:  # of a client with its own collections
            if "not found" in str(error):
                raise CollectionMissing(f"Qdrant at {self._place} has no collection '{collection}'.") from error
            raise RowsRefused(f"Qdrant at {self._place} refuses what it was given: {error}") from error

    def _told(self, status: int, said: str, collection: str | None, given: bool) -> Exception:
        # A proxy that has no way to it says 404, too.
        if status == 404 and collection is not None and "Collection" in said:
            return CollectionMissing(f"Qdrant at {self._place} has no collection '{collection}'.")
        if status in (401, 403):
            return TargetUnreachable(f"Qdrant at {self._place} refuses our key ({status}): set QDRANT_API_KEY.")
        if given and status in (400, 409, 413, 422):
            return RowsRefused(f"Qdrant at {self._place} refuses what it was given ({status}): {said}")
        return TargetUnreachable(f"Qdrant at {self._place} answers with {status}: {said}")


def connect(url: str, api_key: str | None) -> QdrantStore:
    """The store at an address."""
    with warnings.catch_warnings():
        # Of a key on its way without TLS, as between containers; docs/targets.md says so.
        warnings.simplefilter("ignore")
        client = QdrantClient(url=url, api_key=api_key, timeout=TIMEOUT_SECONDS, check_compatibility=False)
    # Which takes whole seconds, and the same for everything.
    client.http.client._client.timeout = httpx.Timeout(TIMEOUT_SECONDS, connect=_CONNECT_SECONDS)
    return QdrantStore(client, url)


def _said(error: UnexpectedResponse) -> str:
    return " ".join((error.content or b"").decode("utf-8", "replace").split())[:300]


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """What is sent together: a number of a vector takes up to 22 bytes, a character that is escaped twice as many."""
    longest = max((22 * len(row.vector) + 2 * len((row.text or "").encode()) for row in rows), default=1)
    size = max(1, min(_ROWS, _BYTES // longest))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
