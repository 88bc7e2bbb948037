"""Every target keeps to the protocol: one class a kind, and a way to reach it."""

from __future__ import annotations

import functools
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.indexes.builds import Build, builds_of
from arcana_pipelines.indexes.targets.chroma import places
from arcana_pipelines.indexes.targets.pgvector.ann import nearest_statement, tune
from arcana_pipelines.indexes.targets.protocol import Found, Row, Stored, Vector
from arcana_pipelines.indexes.targets.rows import rows_of
from arcana_pipelines.testing.conformance.targets import (
    DeliveryConformance,
    Filled,
    ReadingConformance,
    Server,
    TargetConformance,
)
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request
from arcana_pipelines.testing.qdrant_server import QdrantServer
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.targets.truth import published_rows


def wiping(path: Path) -> None:
    """Delete a file or directory, and what lies beside it under its name."""
    for each in path.parent.glob(f"{path.name}*"):
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()


class Published:
    """What PostgreSQL itself serves of a build: its publish is its put, so it is read as it stands."""

    def __init__(self, connection: Connection, build: Build) -> None:
        self.connection = connection
        self.build = build

    def count(self, collection: str) -> int:
        found = self.connection.execute("SELECT published_vectors FROM rag_indexes").fetchone()
        assert found is not None
        return int(found[0])

    def scan(self, collection: str) -> Iterator[list[Stored]]:
        rows = rows_of(self.connection, self.build.rag_index_build_id, self._chunks(), with_text=False)
        yield [Stored(row.chunk_id, row.document_id, row.row_hash) for row in rows]

    def vectors(self, collection: str, chunk_ids: Sequence[int]) -> Mapping[int, Vector]:
        rows = rows_of(self.connection, self.build.rag_index_build_id, chunk_ids, with_text=False)
        return {row.chunk_id: row.vector for row in rows}

    def nearest(self, collection: str, vector: Vector, limit: int) -> list[Found]:
        statement = nearest_statement(self.build.rag_index_build_id, self.build.dimensions, self.build.ann)
        with self.connection.transaction():
            tune(self.connection, self.build.ann, self.build.ann_effort)
            found = self.connection.execute(statement, {"vector": str(vector.tolist()), "candidates": limit})
            return [Found(chunk, score) for chunk, score in found.fetchall()]

    def _chunks(self) -> list[int]:
        published = "SELECT unnest(chunk_ids) FROM published_document WHERE rag_index_build_id = %s"
        return [chunk for (chunk,) in self.connection.execute(published, [self.build.rag_index_build_id])]


class TestPgvector(ReadingConformance):
    @pytest.fixture
    def filled(self, acme: Harness) -> Iterator[Filled]:
        for number in range(24):
            acme.world.add_page(f"Page {number}", blocks=f"Rule {number}: everyone has {number} days of 연차휴가.")
        acme.world.clock.advance(600)
        acme.sync()
        with acme.database.connection() as connection:
            (build,) = builds_of(connection, workspaces.find(connection, acme.slug).workspace_id)
            # Read without the code that is tested.
            rows = [
                Row(chunk, document, "", "", None, (), None, row_hash, vector.astype(np.float32))
                for chunk, (document, row_hash, vector) in published_rows(connection, build.rag_index_build_id).items()
            ]
            yield Filled(Published(connection, build), "", rows)


class TestSqlite(TargetConformance, DeliveryConformance):
    @pytest.fixture
    def kind(self) -> str:
        return "sqlite"

    @pytest.fixture
    def wipe(self, location: str) -> Callable[[], None]:
        return functools.partial(wiping, Path(location))

    @pytest.fixture
    def broken(self, tmp_path: Path) -> str:
        (tmp_path / "no-database").write_bytes(b"This is no database, but a text of some length." * 40)
        return str(tmp_path / "no-database")


class TestChromaDirectory(TargetConformance, DeliveryConformance):
    MOST = 2_000  # more takes it a minute; that it is told some at a time shows as well

    @pytest.fixture
    def kind(self) -> str:
        return "chroma"

    @pytest.fixture
    def wipe(self, location: str) -> Callable[[], None]:
        return functools.partial(wiping, Path(location))

    @pytest.fixture
    def broken(self, tmp_path: Path) -> str:
        (tmp_path / "damaged").mkdir()
        (tmp_path / "damaged" / "chroma.sqlite3").write_bytes(b"This is no database, but a text." * 40)
        return str(tmp_path / "damaged")


class TestQdrantEdge(DeliveryConformance):
    """The rest of the suite is in `test_conformance_of_servers`."""

    @pytest.fixture
    def kind(self) -> str:
        return "qdrant"

    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        return str(tmp_path / "below" / "store")

    @pytest.fixture
    def wipe(self, location: str) -> Callable[[], None]:
        return functools.partial(wiping, Path(location))


class TestQdrantOverHttp(DeliveryConformance):
    """The stand-in of a server; the rest of the suite is in `test_conformance_of_servers`."""

    @pytest.fixture
    def kind(self) -> str:
        return "qdrant"

    @pytest.fixture
    def stand_in(self) -> Iterator[QdrantServer]:
        with QdrantServer() as server:
            yield server

    @pytest.fixture
    def location(self, stand_in: QdrantServer) -> str:
        return stand_in.address

    @pytest.fixture
    def wipe(self, stand_in: QdrantServer) -> Callable[[], None]:
        def wipe() -> None:
            stand_in._collections.clear()
            stand_in._aliases.clear()

        return wipe


class ChromaServer:
    """`chroma run` on a free port of the loopback interface."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        program = Path(sys.executable).with_name("chroma")
        where = ["--path", str(self.path), "--host", "127.0.0.1", "--port", str(self.port)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([program, "run", *where], **quiet)  # type: ignore[call-overload]
        until = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{self.address}/api/v2/heartbeat").is_success:
                    return
            except httpx.HTTPError:
                assert time.monotonic() < until and self.process.poll() is None, "it does not start"
            time.sleep(0.05)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait()


@pytest.fixture(scope="module")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    server = ChromaServer(tmp_path_factory.mktemp("chroma"))
    yield server
    server.end()


class Refusing(AnsweringServer):
    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__()

    def answer(self, request: Request) -> Answer | None:
        return Answer(self.status, b"<html>no</html>")


class TestChromaServer(TargetConformance, DeliveryConformance):
    MOST = 2_000  # as of the directory
    numbers = iter(range(1_000))

    @pytest.fixture
    def kind(self) -> str:
        return "chroma"

    @pytest.fixture
    def location(self, chroma_server: ChromaServer) -> str:
        # A database a test: starting a server takes seconds.
        return f"{chroma_server.address}/tests/test_{next(self.numbers)}"

    @pytest.fixture
    def server(self, chroma_server: ChromaServer) -> Server:
        return chroma_server

    @pytest.fixture
    def wipe(self, location: str, chroma_server: ChromaServer) -> Callable[[], None]:
        tenant, database = location.split("/")[-2:]

        def wipe() -> None:
            place = f"{chroma_server.address}/api/v2/tenants/{tenant}/databases/{database}"
            for collection in httpx.get(f"{place}/collections").json():
                httpx.delete(f"{place}/collections/{collection['name']}").raise_for_status()
            httpx.delete(place).raise_for_status()

        return wipe

    @pytest.fixture(params=["away", "silent", 200, 302, 401, 403, 404, 429, 500, 503])
    def broken(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        if isinstance(request.param, int):
            with Refusing(request.param) as server:
                yield f"{server.address}/tests/main"
            return
        monkeypatch.setattr(places, "TIMEOUT", httpx.Timeout(0.2))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}/tests/main"
            if request.param == "away":
                listening.close()
            yield address
