"""Chroma as a target: in a directory that anybody's Chroma opens, and on a server with a database a workspace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from arcana_pipelines.errors import CollectionMissing, TargetUnreachable, WrongUse
from arcana_pipelines.indexes.targets.chroma.addresses import parts_of, with_database_of
from arcana_pipelines.indexes.targets.chroma.store import ChromaStore
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Row
from arcana_pipelines.indexes.targets.registry import location_of, open_store
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.targets.test_delivery import Copied
from arcana_pipelines_tests.targets.test_delivery import world as world  # a fixture

# Files and threads of a process that does nothing else: those of the process of the tests are others' as well. Threads
# of Chroma's runtime may end a moment after it was closed; what is never let go of grows with each time.
OPENED_OFTEN = """
import json, os, sys
from contextlib import closing
from arcana_pipelines.indexes.targets.chroma.store import ChromaStore

def held():
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

seen = []
for _ in range(12):
    with closing(ChromaStore(sys.argv[1])) as opened:
        assert opened.count("one") == 1
    seen.append(held())
print(json.dumps(seen))
"""
# Of a process that has nothing of ours.
PLAIN = """
import json, sys
import chromadb
client = chromadb.PersistentClient(sys.argv[1], settings=chromadb.Settings(anonymized_telemetry=False))
found = []
for collection in client.list_collections():
    got = collection.get(include=["documents", "metadatas", "embeddings"])
    near = collection.query(query_embeddings=got["embeddings"][:1], n_results=1)["ids"][0]
    got["embeddings"] = got["embeddings"].tolist()
    found.append({"name": collection.name, "metadata": collection.metadata, "near": near, **got})
assert not [name for name in sys.modules if name.startswith("arcana")]
print(json.dumps(found, default=str))
"""


def plainly_read(path: str) -> list[dict[str, Any]]:
    printed = subprocess.run(
        [sys.executable, "-I", "-c", PLAIN, path], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    found: list[dict[str, Any]] = json.loads(printed.splitlines()[-1])
    return found


def a_row(chunk: int, document: int = 7, dimensions: int = 8) -> Row:
    vector = np.random.default_rng(chunk).standard_normal(dimensions).astype(np.float32)
    vector /= np.linalg.norm(vector)
    return Row(
        chunk, UUID(int=document), "Leave", "https://a.example/", "15 days", ("A",), "en", f"{chunk:032x}", vector
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChromaStore]:
    with closing(ChromaStore(str(tmp_path / "below" / "chroma"))) as store:
        store.make(Collection("one", 8, 10))
        yield store


def test_a_plain_client_finds_what_was_delivered(acme: Harness) -> None:
    copied = Copied(acme, "chroma")
    assert copied.deliver().error is None
    target = copied.target
    assert target.state == "live" and target.vector_count == copied.published()
    (found,) = plainly_read(target.location)
    assert found["metadata"]["workspace"] == acme.slug and found["metadata"]["index"] == "default"
    assert found["metadata"]["serves"] == f"acme_default_{target.index_target_id.hex[:8]}"
    assert json.loads(found["metadata"]["made_by"])["model"]
    assert len(found["ids"]) == copied.published() and found["near"] == found["ids"][:1]
    facts = {row["title"]: row for row in found["metadatas"]}
    assert set(facts["Long"]) >= {"document_id", "title", "url", "row_hash"}
    assert any("휴가 규정" in text for text in found["documents"])
    np.testing.assert_allclose(np.linalg.norm(found["embeddings"], axis=1), 1, atol=1e-3)


def test_one_who_keeps_a_directory_open_searches_what_others_put_into_it(store: ChromaStore, tmp_path: Path) -> None:
    with closing(ChromaStore(str(tmp_path / "below" / "chroma"))) as searching:
        for chunk in range(1, 4):
            store.apply("one", Changes(rows=[a_row(chunk)], gone=[chunk - 1]))
            for _ in range(2):
                assert [near.chunk_id for near in searching.nearest("one", a_row(chunk).vector, 5)] == [chunk]
        store.make(Collection("one", 8, 10))
        assert searching.nearest("one", a_row(1).vector, 5) == []
        store.drop("one")
        with pytest.raises(CollectionMissing):
            searching.nearest("one", a_row(1).vector, 5)


def test_a_dropped_collection_takes_its_vectors_along_and_others_keep_theirs(
    store: ChromaStore, tmp_path: Path
) -> None:
    path = tmp_path / "below" / "chroma"
    rows = [a_row(chunk, dimensions=64) for chunk in range(1, 1200)]
    for name in ("two", "three"):
        store.make(Collection(name, 64, 1200))
        store.apply(name, Changes(rows=rows))
    assert len([each for each in path.iterdir() if each.is_dir()]) == 2
    (path / "notes").mkdir()
    store.drop("two")
    assert len([each for each in path.iterdir() if each.is_dir()]) == 2
    assert store.count("three") == 1199
    assert store.nearest("three", rows[4].vector, 1)[0].chunk_id == 5


def test_a_directory_is_opened_and_let_go_of_without_a_trace(store: ChromaStore, tmp_path: Path) -> None:
    store.apply("one", Changes(rows=[a_row(1)]))
    store.close()
    asked = [sys.executable, "-c", OPENED_OFTEN, str(tmp_path / "below" / "chroma")]
    seen = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    (files, threads), (files_then, threads_then) = min(seen[:6]), min(seen[6:])
    assert files_then <= files + 2 and threads_then <= threads + 2


def test_what_is_no_directory_of_chroma_is_said(database: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something else")
    opening = open_store(database.settings, "chroma", str(tmp_path / "file"))
    with pytest.raises(TargetUnreachable, match="file cannot be opened"), opening:
        pass
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "chroma.sqlite3").write_text("no database" * 100)
    refused = pytest.raises(TargetUnreachable, match=r"damaged does not answer.*not a database")
    with open_store(database.settings, "chroma", str(tmp_path / "damaged")) as store, refused:
        store.version()


@pytest.mark.parametrize(
    ("address", "base", "tenant", "database"),
    [
        ("http://chroma:8000", "http://chroma:8000", "default_tenant", "arcana_acme"),
        ("https://proxy/stores/", "https://proxy/stores", "default_tenant", "arcana_acme"),
        ("http://chroma:8000/ours/main", "http://chroma:8000", "ours", "main"),
        ("https://proxy/stores/ours/main", "https://proxy/stores", "ours", "main"),
    ],
)  # fmt: skip
def test_a_workspace_has_a_database_of_its_own_unless_one_is_named(
    address: str, base: str, tenant: str, database: str
) -> None:
    assert parts_of(with_database_of(address, "acme")) == (base, tenant, database)
    assert with_database_of(with_database_of(address, "acme"), "other") == with_database_of(address, "acme")


def test_the_location_of_a_target_names_the_database(database: Any, tmp_path: Path) -> None:
    where = location_of(database.settings, "chroma", tmp_path / "acme", "http://127.0.0.1:8000", "chroma")
    assert where == "http://127.0.0.1:8000/default_tenant/arcana_acme"
    with pytest.raises(WrongUse, match="holds no name, password or key"):
        location_of(database.settings, "chroma", tmp_path / "acme", "http://me:secret@127.0.0.1:8000", "chroma")
