"""Qdrant and Milvus keep to the protocol of stores, as far as they can be had here.

Of Qdrant: the embedded engine, a stand-in over HTTP, the client's own collections, and the server that `QDRANT_URL`
names when the tests begin: it is to be one whose collections nobody needs. Of Milvus: Lite in a directory, and Lite as
a server with a database for each workspace.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from milvus_lite.adapter.grpc.server import start_server_in_thread
from qdrant_client import QdrantClient

from arcana_pipelines.indexes.targets import registry
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Store
from arcana_pipelines.indexes.targets.qdrant.server import QdrantStore
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.conformance.targets import (
    DIMENSIONS,
    ONE,
    TargetConformance,
    hashes,
    held,
    opened,
    rows_of,
)
from arcana_pipelines.testing.qdrant_server import QdrantServer

LIVE_QDRANT, LIVE_KEY = os.environ.get("QDRANT_URL"), os.environ.get("QDRANT_API_KEY")
NOBODY = "http://127.0.0.1:9"


class TestQdrantEdge(TargetConformance):
    @pytest.fixture
    def kind(self) -> str:
        return "qdrant"

    @pytest.fixture
    def broken(self, tmp_path: Path) -> str:
        (tmp_path / "a-file").write_bytes(b"")
        return str(tmp_path / "a-file")


class TestQdrantStandIn(TargetConformance):
    @pytest.fixture
    def kind(self) -> str:
        return "qdrant"

    @pytest.fixture
    def location(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        monkeypatch.setenv("QDRANT_API_KEY", "key-of-the-stand-in")
        with QdrantServer("key-of-the-stand-in") as server:
            yield server.address

    @pytest.fixture
    def broken(self) -> str:
        return NOBODY


@pytest.mark.skipif(LIVE_QDRANT is None, reason="QDRANT_URL names no server")
class TestQdrant(TargetConformance):
    @pytest.fixture
    def kind(self) -> str:
        return "qdrant"

    @pytest.fixture
    def location(self, monkeypatch: pytest.MonkeyPatch) -> str:
        assert LIVE_QDRANT is not None
        if LIVE_KEY is not None:
            monkeypatch.setenv("QDRANT_API_KEY", LIVE_KEY)
        return LIVE_QDRANT


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect", "ignore:Local mode performs exact")
class TestQdrantLocalMode(TargetConformance):
    """What a server does in the same client. Some dozens of points a second: it is for tests, and no kind of target."""

    MOST = 300

    @pytest.fixture
    def kind(self, monkeypatch: pytest.MonkeyPatch) -> str:
        def open_local(settings: Settings, location: str) -> Store:
            return QdrantStore(QdrantClient(path=location), location)

        local = registry.TargetKind(name="qdrant-local", open=open_local, file="", extra="qdrant")
        monkeypatch.setattr(registry, "_OURS", (*registry._OURS, local))
        return local.name

    def test_one_that_is_open_sees_what_another_puts_or_is_alone(self) -> None:  # type: ignore[override]
        """The client refuses to open a folder twice, and leaves a file open then."""

    def test_what_a_killed_process_had_done_is_there_and_the_rest_can_be_told_again(self) -> None:  # type: ignore[override]
        """Another process knows nothing of this kind."""


class TestMilvusLite(TargetConformance):
    MOST = 2_000

    @pytest.fixture
    def kind(self) -> str:
        return "milvus"

    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        return str(tmp_path / "below" / "store.db")

    @pytest.fixture
    def broken(self, tmp_path: Path) -> str:
        (tmp_path / "a-file.db").write_bytes(b"")
        return str(tmp_path / "a-file.db")


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server, database, port = start_server_in_thread(str(tmp_path_factory.mktemp("milvus")), "127.0.0.1", 0)
    yield f"http://127.0.0.1:{port}"
    server.stop(grace=0)
    database.close()


class TestMilvusOverTheNetwork(TargetConformance):
    MOST = 2_000

    @pytest.fixture
    def kind(self) -> str:
        return "milvus"

    @pytest.fixture
    def location(self, milvus: str) -> str:
        return f"{milvus}/arcana_acme"

    @pytest.fixture
    def broken(self) -> str:
        return NOBODY

    def test_workspaces_have_databases_in_which_the_same_names_are_others(self, kind: str, milvus: str) -> None:
        with opened(kind, f"{milvus}/arcana_one") as one, opened(kind, f"{milvus}/arcana_two") as two:
            for store, document in ((one, 1), (two, 2)):
                store.make(Collection(ONE, DIMENSIONS, 0))
                store.apply(ONE, Changes(rows=rows_of(document, range(1, 4))))
                store.name_serving("serves", ONE)
            one.apply(ONE, Changes(gone=[1, 2], whole=[rows_of(2, [1])[0].document_id]))
            assert held(one) == hashes(rows_of(1, [3])) and held(two) == hashes(rows_of(2, range(1, 4)))
            one.drop(ONE)
            assert (
                held(two) == hashes(rows_of(2, range(1, 4)))
                and len(two.nearest(ONE, rows_of(2, [1])[0].vector, 9)) == 3
            )
