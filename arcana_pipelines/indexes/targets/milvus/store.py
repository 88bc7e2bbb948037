"""Milvus as a target, through its own client: a server, or Milvus Lite in a directory that ends in `.db`.

Milvus Lite is a server of one process, on a port of this machine, as long as it is open here. So it is started for each
thing that is read, and kept from the first change to the end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from pymilvus import DataType, MilvusClient, MilvusException
from pymilvus.exceptions import DataNotMatchException, ParamError

from arcana_pipelines.errors import CollectionMissing, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.targets.embedded import EmbeddedLock
from arcana_pipelines.indexes.targets.milvus.index_kind import index_kind
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Found, Row, Store, Stored, Vector

# The client logs each error with its trace before it raises it.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
logging.getLogger("milvus_lite").setLevel(logging.CRITICAL)
# Milvus Lite answers in this process, and what it lacks of a server it logs as an error.
logging.getLogger("grpc._server").setLevel(logging.CRITICAL)

_BATCH = 500
_SCAN = 2_000
_DELETED_AT_ONCE = 1_000
# Of a text, in bytes: what the store takes in a field is 65,535.
LONGEST_TEXT = 60_000
# https://milvus.io/docs/limitations.md
MOST_FOUND = 16_384
# https://github.com/milvus-io/milvus/blob/master/pkg/util/merr/errors.go
_NO_COLLECTION, _NO_DATABASE = 100, 800
_REFUSED = {6, 1100, 1102, 1804}


class MilvusStore(Store):
    """The collections of one database."""

    def __init__(
        self, location: str, *, user: str = "", password: str = "", database: str = "", timeout: float = 30.0
    ) -> None:
        """`location` is the address of a server, or the path of Milvus Lite's directory.

        Raises:
            TargetUnreachable: there is a file.
        """
        self._location = location
        self._path = None if "://" in location else Path(location)
        if self._path is not None and self._path.is_file():
            raise TargetUnreachable(f"{location} is a file, and Milvus Lite keeps its collections in a directory.")
        self._credentials = {"user": user, "password": password}
        self._database = database
        self._timeout = timeout
        self._lock = EmbeddedLock(self._path) if self._path else None
        self._kept = ExitStack()
        self._client: MilvusClient | None = None
        self._loaded: set[str] = set()
        self._kinds: dict[str, tuple[int, str]] = {}

    def version(self) -> str:
        """See `Store.version`."""
        if self._path is not None:
            from importlib.metadata import version

            return f"Milvus Lite {version('milvus-lite')}"
        with self._reading() as client, self._telling():
            return f"Milvus {client.get_server_version()}"

    def make(self, collection: Collection) -> None:
        """See `Store.make`."""
        self.drop(collection.name)
        client = self._changing()
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True)
        schema.add_field("chunk_id", DataType.INT64, is_primary=True)
        schema.add_field("document_id", DataType.VARCHAR, max_length=36)
        schema.add_field("row_hash", DataType.VARCHAR, max_length=32)
        schema.add_field("text", DataType.VARCHAR, max_length=65_535, nullable=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=collection.dimensions)
        with self._telling(given=True):
            client.create_collection(
                collection.name,
                schema=schema,
                index_params=_index(client, collection.size),
                consistency_level="Strong",
                timeout=self._timeout,
            )

    def drop(self, collection: str) -> None:
        """See `Store.drop`."""
        client = self._changing()
        with self._telling():
            if collection in client.list_collections(timeout=self._timeout):
                self._loaded.discard(collection)
                for alias in client.list_aliases(collection, timeout=self._timeout)["aliases"]:
                    client.drop_alias(alias, timeout=self._timeout)
                client.drop_collection(collection, timeout=self._timeout)

    def apply(self, collection: str, changes: Changes) -> None:
        """See `Store.apply`."""
        with self._reading(collection, changes=True) as client, self._telling(collection, given=True):
            waiting = iter(changes.rows)
            while batch := list(islice(waiting, _BATCH)):
                client.upsert(collection, [_values(row) for row in batch], timeout=self._timeout)
            gone = iter(changes.gone)
            while some := list(islice(gone, _DELETED_AT_ONCE)):
                client.delete(collection, ids=some, timeout=self._timeout)
            for document in changes.whole:
                kept = [row.chunk_id for row in changes.rows if row.document_id == document]
                others = f'document_id == "{document}"' + (f" and chunk_id not in {kept}" if kept else "")
                client.delete(collection, filter=others, timeout=self._timeout)

    def settle(self, collection: str, vectors: int) -> None:
        """See `Store.settle`: what was changed is written, and the index is one for so many vectors."""
        wanted = index_kind(vectors)
        with self._reading(collection, changes=True) as client, self._telling(collection):
            client.flush(collection, timeout=self._timeout)
            there = client.describe_index(collection, "vector", timeout=self._timeout)
            if there is None or there.get("index_type") != wanted.name:
                client.release_collection(collection, timeout=self._timeout)
                client.drop_index(collection, "vector", timeout=self._timeout)
                client.create_index(collection, _index(client, vectors), timeout=self._timeout)
                client.load_collection(collection, timeout=self._timeout)
        self._kinds.pop(collection, None)

    def count(self, collection: str) -> int:
        """See `Store.count`."""
        with self._reading(collection) as client, self._telling(collection):
            return self._counted(client, collection)

    def _counted(self, client: MilvusClient, collection: str) -> int:
        found = client.query(
            collection, filter="", output_fields=["count(*)"], consistency_level="Strong", timeout=self._timeout
        )
        return int(found[0]["count(*)"])

    def scan(self, collection: str) -> Iterator[list[Stored]]:
        """See `Store.scan`."""
        with self._reading(collection) as client:
            with self._telling(collection):
                pages = client.query_iterator(
                    collection, batch_size=_SCAN, output_fields=["chunk_id", "document_id", "row_hash"],
                    consistency_level="Strong", timeout=self._timeout,
                )  # fmt: skip
            while True:
                with self._telling(collection):
                    page = pages.next()
                if not page:
                    return
                yield [Stored(row["chunk_id"], _uuid(row["document_id"]), row["row_hash"]) for row in page]

    def vectors(self, collection: str, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        """See `Store.vectors`."""
        with self._reading(collection) as client, self._telling(collection):
            found = client.get(collection, ids=list(chunk_ids), output_fields=["vector"], timeout=self._timeout)
        return {row["chunk_id"]: np.asarray(row["vector"], dtype=np.float32) for row in found}

    def nearest(self, collection: str, vector: Vector, limit: int) -> list[Found]:
        """See `Store.nearest`: at most 16,384."""
        limit = min(limit, MOST_FOUND)
        with self._reading(collection) as client, self._telling(collection):
            if collection not in self._kinds:
                there = client.describe_index(collection, "vector", timeout=self._timeout) or {}
                self._kinds[collection] = (self._counted(client, collection), str(there.get("index_type")))
            vectors, name = self._kinds[collection]
            wanted = index_kind(vectors, limit)
            effort = wanted.effort if wanted.name == name else {}
            (found,) = client.search(
                collection, data=[vector.tolist()], limit=limit, output_fields=["chunk_id"],
                search_params={"metric_type": "COSINE", "params": effort}, timeout=self._timeout,
            )  # fmt: skip
        return [Found(row["chunk_id"], row["distance"]) for row in found]

    def name_serving(self, alias: str, collection: str) -> None:
        """See `Store.name_serving`: an alias, moved in one request."""
        client = self._changing()
        with self._telling(collection):
            known = [
                name
                for each in client.list_collections(timeout=self._timeout)
                for name in client.list_aliases(each, timeout=self._timeout)["aliases"]
            ]
            name = client.alter_alias if alias in known else client.create_alias
            name(collection, alias, timeout=self._timeout)

    def close(self) -> None:
        """See `Store.close`."""
        self._client = None
        self._loaded.clear()
        self._kept.close()

    def _changing(self) -> MilvusClient:
        """The client; from now to the end nobody else uses an embedded store."""
        if self._client is None:
            if self._lock is not None:
                self._kept.enter_context(self._lock.exclusive())
            self._client = self._kept.enter_context(self._connected())
            if self._database:
                with self._telling():
                    if self._database not in self._client.list_databases(timeout=self._timeout):
                        self._client.create_database(self._database, timeout=self._timeout)
                    self._client.use_database(self._database, timeout=self._timeout)
        return self._client

    @contextmanager
    def _reading(self, collection: str | None = None, *, changes: bool = False) -> Iterator[MilvusClient]:
        """The client, with the collection loaded: Milvus Lite forgets that when it ends."""
        if self._path is None or changes or self._client is not None:
            client = self._changing()  # of a server nothing is held
            if self._path is not None and collection is not None and collection not in self._loaded:
                self._load(client, collection)
                self._loaded.add(collection)
            yield client
            return
        assert self._lock is not None
        if not self._path.exists():
            raise CollectionMissing(f"There is nothing at {self._path}.")
        with self._lock.exclusive(), self._connected() as client:
            if collection is not None:
                self._load(client, collection)
            yield client

    def _load(self, client: MilvusClient, collection: str) -> None:
        with self._telling(collection):
            client.load_collection(collection, timeout=self._timeout)

    @contextmanager
    def _connected(self) -> Iterator[MilvusClient]:
        with self._telling():
            if self._path is not None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            client = MilvusClient(self._location, timeout=self._timeout, **self._credentials)
        try:
            yield client
        finally:
            client.close()
            if self._path is not None:
                # The client leaves its server running to the end of the process.
                from milvus_lite.server_manager import server_manager_instance

                server_manager_instance.release_server(self._location)

    @contextmanager
    def _telling(self, collection: str | None = None, *, given: bool = False) -> Iterator[None]:
        """Tell what the store answers in our words; `given`: it may have refused what it was given."""
        try:
            yield
        except MilvusException as error:
            if error.code in (_NO_COLLECTION, _NO_DATABASE) and collection is not None:
                raise CollectionMissing(f"Milvus at {self._location} has no collection '{collection}'.") from error
            # The client looks through what it is given, too.
            if given and (error.code in _REFUSED or isinstance(error, DataNotMatchException | ParamError)):
                raise RowsRefused(f"Milvus at {self._location} refuses what it was given: {error.message}") from error
            raise TargetUnreachable(
                f"Milvus at {self._location} does not answer, or refuses us: {error.message}. Check MILVUS_HOST, "
                "MILVUS_PORT, MILVUS_USER and MILVUS_PASSWORD."
                if self._path is None
                else f"Milvus Lite cannot use {self._location}: {error.message}."
            ) from error


def _index(client: MilvusClient, vectors: int) -> Any:
    kind = index_kind(vectors)
    params = client.prepare_index_params()
    params.add_index(field_name="vector", index_type=kind.name, metric_type="COSINE", params=kind.params)
    return params


def _values(row: Row) -> dict[str, Any]:
    return {
        "chunk_id": row.chunk_id,
        "document_id": str(row.document_id),
        "row_hash": row.row_hash,
        "text": None if row.text is None else row.text.encode()[:LONGEST_TEXT].decode(errors="ignore"),
        "vector": row.vector.tolist(),
        "title": row.title,
        "url": row.url,
        "heading_path": list(row.heading_path),
        "language": row.language,
    }


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
