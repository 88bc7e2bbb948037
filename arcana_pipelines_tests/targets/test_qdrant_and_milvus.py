"""Qdrant and Milvus, as far as they can be had here: Edge, the client's own collections, and Lite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from qdrant_client import QdrantClient

from arcana_pipelines.errors import CollectionMissing, RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.targets.milvus.index_kind import index_kind
from arcana_pipelines.indexes.targets.milvus.store import MilvusStore
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Row, Store
from arcana_pipelines.indexes.targets.qdrant.edge import EdgeStore
from arcana_pipelines.indexes.targets.qdrant.server import QdrantStore, connect
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request
from arcana_pipelines.testing.qdrant_server import QdrantServer

Open = Callable[[], Store]
NAME = "acme_default_b1_0123abcd"


# What the client's own collections lack, they say.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact"),
]


@pytest.fixture(params=["edge", "client", "server", "milvus"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "edge":
        yield lambda: EdgeStore(tmp_path / "x.qdrant")
    elif request.param == "milvus":
        yield lambda: MilvusStore(str(tmp_path / "x.db"))
    elif request.param == "server":
        with QdrantServer("key") as server:
            yield lambda: connect(server.address, "key")
    else:
        yield lambda: QdrantStore(QdrantClient(path=str(tmp_path / "x")), "here")


def rows(document: UUID, first: int, count: int, dimensions: int = 16, text: str = "휴가 🎉") -> list[Row]:
    random = np.random.default_rng(first)
    vectors = random.normal(size=(count, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        Row(
            first + number, document, "Title", "https://notion.so/x", text, ("A", "B"), None, "ab" * 16, vectors[number]
        )
        for number in range(count)
    ]


def test_what_is_put_is_there_as_it_was_put(open_store: Open) -> None:
    one, other = uuid4(), uuid4()
    put = [*rows(one, 10, 30), *rows(other, 100, 5)]
    with closing(open_store()) as store:
        store.make(Collection(NAME, 16, 35))
        store.apply(NAME, Changes(rows=put))
        store.apply(NAME, Changes(rows=put))
        store.settle(NAME, store.count(NAME))
        assert store.count(NAME) == 35
        listed = {row.chunk_id: row for batch in store.scan(NAME) for row in batch}
        assert set(listed) == {row.chunk_id for row in put}
        assert listed[100].document_id == other and listed[100].row_hash == "ab" * 16
    with closing(open_store()) as store:
        vectors = store.vectors(NAME, [10, 104, 9_999])
        assert set(vectors) == {10, 104} and np.dot(vectors[10], put[0].vector) > 0.9999
        found = store.nearest(NAME, put[3].vector, 5)
        assert found[0].chunk_id == put[3].chunk_id and found[0].nearness > 0.999 and len(found) == 5
        store.apply(NAME, Changes(rows=rows(one, 10, 2), gone=[100, 101, 77_777], whole=[one]))
        assert store.count(NAME) == 5
        store.name_serving("acme_default", NAME)
        store.name_serving("acme_default", NAME)
        store.make(Collection(NAME, 16, 0))
        assert store.count(NAME) == 0 and [row for batch in store.scan(NAME) for row in batch] == []
        store.drop(NAME)
        store.drop(NAME)
        with pytest.raises(CollectionMissing):
            store.count(NAME)
        with pytest.raises(CollectionMissing):
            store.apply(NAME, Changes(rows=put))


@pytest.mark.parametrize("dimensions", [384, 1_536, 3_072])
def test_long_texts_and_vectors(open_store: Open, dimensions: int) -> None:
    put = rows(uuid4(), 1, 3, dimensions, "휴가 규정 " * 6_000)
    with closing(open_store()) as store:
        store.make(Collection(NAME, dimensions, 3))
        store.apply(NAME, Changes(rows=put))
        assert store.count(NAME) == 3
        with pytest.raises(RowsRefused):
            store.apply(NAME, Changes(rows=rows(uuid4(), 50, 1, dimensions + 1)))


@pytest.mark.parametrize(
    ("vectors", "name"),
    [(0, "FLAT"), (9_999, "FLAT"), (10_000, "IVF_FLAT"), (99_999, "IVF_FLAT"), (100_000, "HNSW"), (5_000_000, "HNSW")],
)
def test_the_index_of_milvus_follows_the_size(vectors: int, name: str) -> None:
    kind = index_kind(vectors)
    assert kind.name == name and set(kind.effort) <= {"nprobe", "ef"}


def test_milvus_makes_the_index_anew_when_the_size_passes_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arcana_pipelines.indexes.targets.milvus.index_kind.FLAT_BELOW", 50)
    monkeypatch.setattr("arcana_pipelines.indexes.targets.milvus.index_kind.IVF_BELOW", 100)
    put = rows(uuid4(), 1, 120)
    with closing(MilvusStore(str(tmp_path / "x.db"))) as store:
        store.make(Collection(NAME, 16, 0))
        for size, name in ((20, "FLAT"), (80, "IVF_FLAT"), (120, "HNSW"), (20, "FLAT")):
            store.apply(NAME, Changes(rows=put[:size], gone=[row.chunk_id for row in put[size:]]))
            store.settle(NAME, size)
            assert store._client is not None
            assert store._client.describe_index(NAME, "vector")["index_type"] == name
            assert store.count(NAME) == size
            assert store.nearest(NAME, put[7].vector, 3)[0].chunk_id == put[7].chunk_id


class TestAQdrantServerThatFails:
    @pytest.fixture
    def server(self) -> Iterator[QdrantServer]:
        with QdrantServer() as server:
            yield server

    @pytest.fixture
    def store(self, server: QdrantServer) -> Iterator[Store]:
        with closing(connect(server.address, None)) as store:
            store.make(Collection(NAME, 16, 1))
            yield store

    @pytest.mark.parametrize("status", [429, 500, 503, 0])
    def test_it_is_told_and_putting_again_is_harmless(self, server: QdrantServer, store: Store, status: int) -> None:
        put = Changes(rows=rows(uuid4(), 1, 3))
        server.faults = [status]
        with pytest.raises(TargetUnreachable, match=server.address):
            store.apply(NAME, put)
        assert store.count(NAME) == (3 if status == 0 else 0)
        store.apply(NAME, put)
        assert store.count(NAME) == 3

    def test_a_key_that_it_refuses_is_named_and_not_shown(self, server: QdrantServer) -> None:
        server.api_key = "right"
        with closing(connect(server.address, "wrong-key")) as store, pytest.raises(TargetUnreachable) as refused:
            store.version()
        assert "QDRANT_API_KEY" in str(refused.value) and "wrong-key" not in str(refused.value)

    def test_one_that_is_away_is_told(self, server: QdrantServer, store: Store) -> None:
        server.close()
        with pytest.raises(TargetUnreachable, match="does not answer"):
            store.count(NAME)

    def test_rows_are_sent_in_pieces_that_a_server_takes(self, server: QdrantServer) -> None:
        put = rows(uuid4(), 1, 600, 3_072, "휴가 규정 " * 1_000)
        with closing(connect(server.address, None)) as store:
            store.make(Collection(NAME, 3_072, len(put)))
            store.apply(NAME, Changes(rows=put))
            assert store.count(NAME) == len(put)


class SomethingElse(AnsweringServer):
    """A server at the address that is none of Qdrant."""

    def __init__(self, given: Answer) -> None:
        self.given = given
        super().__init__()

    def answer(self, request: Request) -> Answer:
        return self.given


@pytest.mark.parametrize(
    "given",
    [
        Answer(200, b"<html>It works!</html>", {"Content-Type": "text/html"}),
        Answer(200, b'{"result": null}'),
        Answer(404, b"<html>404 page not found</html>", {"Content-Type": "text/html"}),
        Answer(301, b"", {"Location": "/elsewhere"}),
    ],
)
def test_an_answer_that_is_none_of_qdrants_is_neither_a_refusal_nor_a_lost_collection(given: Answer) -> None:
    with SomethingElse(given) as server, closing(connect(server.address, None)) as store:
        for ask in (
            store.version,
            lambda: store.count(NAME),
            lambda: store.make(Collection(NAME, 16, 1)),
            lambda: store.apply(NAME, Changes(rows=rows(uuid4(), 1, 1))),
        ):
            with pytest.raises(TargetUnreachable, match=server.address):
                ask()


def test_a_collection_that_is_made_again_is_another_one_though_a_name_leads_to_it(open_store: Open) -> None:
    with closing(open_store()) as store:
        store.make(Collection(NAME, 16, 1))
        store.apply(NAME, Changes(rows=rows(uuid4(), 1, 3)))
        store.name_serving("acme_default", NAME)
        store.make(Collection(NAME, 8, 1))
        store.apply(NAME, Changes(rows=rows(uuid4(), 1, 2, 8)))
        assert store.count(NAME) == 2


def test_what_the_client_of_milvus_refuses_itself_is_a_refusal(tmp_path: Path) -> None:
    with closing(MilvusStore(str(tmp_path / "x.db"))) as store:
        store.make(Collection(NAME, 16, 1))
        half = replace(rows(uuid4(), 1, 1)[0], title="half a character: \ud83c")
        with pytest.raises(RowsRefused):
            store.apply(NAME, Changes(rows=[half]))


def test_a_directory_of_edge_is_used_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arcana_pipelines.indexes.targets.embedded.PATIENCE_SECONDS", 0.05)
    with closing(EdgeStore(tmp_path / "x")) as one, closing(EdgeStore(tmp_path / "x")) as other:
        one.make(Collection(NAME, 4, 0))
        with pytest.raises(TargetUnreachable, match="in use"):
            other.count(NAME)
        one.close()
        assert other.count(NAME) == 0


def test_the_name_that_stays_leads_to_what_serves(tmp_path: Path) -> None:
    with closing(EdgeStore(tmp_path / "x")) as store:
        for name in ("a_b1", "a_b2"):
            store.make(Collection(name, 4, 0))
            store.name_serving("a", name)
    assert (tmp_path / "x" / "a").resolve().name == "a_b2"
