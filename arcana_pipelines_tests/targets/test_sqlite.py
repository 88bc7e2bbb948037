"""A SQLite file as a target: anybody reads it, a change is there whole or not at all, and what is wrong is said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import apsw
import numpy as np
import pytest

from arcana_pipelines.errors import RowsRefused, TargetUnreachable
from arcana_pipelines.indexes.index_file import file
from arcana_pipelines.indexes.targets.delivery import deliver
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Row
from arcana_pipelines.indexes.targets.sqlite.store import SqliteStore
from arcana_pipelines.indexes.targets.targets import add_target, targets_of
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

DOCUMENT = UUID(int=7)


def a_row(chunk: int, text: str = "Everyone has 15 days of 연차휴가를.", dimensions: int = 8) -> Row:
    vector = np.random.default_rng(chunk).standard_normal(dimensions).astype(np.float32)
    vector /= np.linalg.norm(vector)
    return Row(chunk, DOCUMENT, "Leave", "https://wiki.example/leave", text, ("Days",), "en", f"{chunk:032x}", vector)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "below" / "target.sqlite")
    store.make(Collection("one", 8, 10))
    yield store
    store.close()


def filled(acme: Harness, place: Path) -> None:
    acme.sync()
    with acme.database.connection() as connection:
        workspace = workspaces.find(connection, acme.slug).workspace_id
        target = add_target(connection, workspace, "sqlite", str(place), "sqlite")
    assert deliver(acme.database, target, seconds=60).error is None
    with acme.database.connection() as connection:
        assert targets_of(connection, workspace)[0].state == "live"


def test_sqlite_without_extensions_reads_what_was_delivered(acme: Harness, tmp_path: Path) -> None:
    page = acme.world.add_page("휴가", blocks=[blocks.heading("연차"), blocks.paragraph("연차휴가를 신청한다. " * 300)])
    acme.world.add_page("Canteen", blocks="The canteen opens at noon.")
    acme.world.clock.advance(600)
    filled(acme, tmp_path / "target.sqlite")
    with sqlite3.connect(tmp_path / "target.sqlite") as reader:
        facts = reader.execute("SELECT workspace, index_name, alias IS NOT NULL, made_by FROM collections").fetchall()
        assert facts[0][:3] == (acme.slug, "default", 1) and json.loads(facts[0][3])["model"] == "wordllama-l2-supercat"
        external_id, text, chunk_ids = reader.execute(
            "SELECT external_id, text, chunk_ids FROM documents WHERE title = '휴가'"
        ).fetchone()
        assert external_id == page and "연차휴가를" in text and len(json.loads(chunk_ids)) > 1
        titles = reader.execute(
            "SELECT DISTINCT k.title FROM words_1 JOIN document_chunks k ON k.vector_id = words_1.rowid "
            "WHERE words_1 MATCH '휴가'"
        ).fetchall()
        assert titles == [("휴가",)], "a word of two syllables inside of another is found"
        in_order = [row[0] for row in reader.execute("SELECT text FROM chunks_in_order WHERE title = '휴가'")]
        stored = dict(reader.execute("SELECT chunk_id, embedding FROM document_chunks"))
    published = acme.rows(
        "SELECT k.document_chunk_id, k.chunk_embedding::real[], k.chunk_content FROM chunk k "
        "WHERE k.deleted_at IS NULL ORDER BY k.document_chunk_id"
    )
    assert len(stored) == len(published)
    for chunk, vector, _ in published:
        ours = np.array(vector, dtype=np.float32)
        assert np.allclose(np.frombuffer(stored[chunk], "<f4"), ours / np.linalg.norm(ours), atol=1e-6)
    assert in_order == [content for _, _, content in published if "연차휴가를" in content]


def test_what_was_changed_and_taken_out_is_found_no_more(store: SqliteStore, tmp_path: Path) -> None:
    store.apply("one", Changes(rows=[a_row(1), a_row(2)]))
    store.apply("one", Changes(rows=[a_row(1, "Nobody works on Sunday.")], gone=[2]))
    with sqlite3.connect(tmp_path / "below" / "target.sqlite") as reader:
        for word, chunks in (("everyone", 0), ("sunday", 1), ("휴가", 0)):
            (found,) = reader.execute("SELECT count(*) FROM words_1 WHERE words_1 MATCH ?", [word]).fetchone()
            assert found == chunks, word
    assert store.count("one") == 1


def test_a_change_is_there_whole_or_not_at_all(store: SqliteStore) -> None:
    store.apply("one", Changes(rows=[a_row(1)]))
    with pytest.raises(RowsRefused, match=r"target\.sqlite"):
        store.apply("one", Changes(rows=[a_row(2), a_row(3), a_row(3)], gone=[1]))
    with pytest.raises(RowsRefused, match="not of 8 numbers"):
        store.apply("one", Changes(rows=[a_row(2), a_row(3, dimensions=9)], gone=[1]))
    assert [row.chunk_id for batch in store.scan("one") for row in batch] == [1]


def test_a_full_disk_is_told_and_nothing_is_changed(store: SqliteStore) -> None:
    store.apply("one", Changes(rows=[a_row(1)]))
    store._connection.execute(f"PRAGMA max_page_count = {store._connection.pragma('page_count') + 4}")
    with pytest.raises(TargetUnreachable, match=r"disk of .* is full"):
        store.apply("one", Changes(rows=[a_row(chunk, "word " * 3000) for chunk in range(2, 40)], gone=[1]))
    assert store.count("one") == 1
    store._connection.execute("PRAGMA max_page_count = 100000")
    store.apply("one", Changes(rows=[a_row(2)], gone=[1]))
    assert store.count("one") == 1


def test_a_file_that_another_process_writes_is_waited_for_and_told(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "BUSY_SECONDS", 0.05)
    late = SqliteStore(tmp_path / "below" / "target.sqlite")
    with file.changing(store._connection):
        store._connection.execute("UPDATE collections SET build = 2")
        assert late.count("one") == 0, "readers do not wait"
        with pytest.raises(TargetUnreachable, match="another process"):
            late.apply("one", Changes(rows=[a_row(1)]))
    late.apply("one", Changes(rows=[a_row(1)]))
    late.close()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (b"This is no database, but a text of some length." * 40, "is no SQLite database"),
        ("CREATE TABLE other (id)", "of something else"),
        (f"PRAGMA application_id = {file.APPLICATION_ID}; PRAGMA user_version = {file.VERSION + 1}", "newer release"),
    ],
)
def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path: Path, made: bytes | str, said: str) -> None:
    place = tmp_path / "some.sqlite"
    if isinstance(made, bytes):
        place.write_bytes(made)
    else:
        connection = apsw.Connection(str(place))
        connection.execute(made)
        connection.close()
    before = place.read_bytes()
    with pytest.raises(TargetUnreachable, match=said) as told:
        SqliteStore(place)
    assert str(place) in str(told.value)
    assert place.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(TargetUnreachable, match="cannot be made"):
        SqliteStore(tmp_path / "file" / "below" / "target.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(TargetUnreachable, match="is a folder: move it away"):
        SqliteStore(tmp_path / "folder.sqlite")


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        (apsw.ReadOnlyError, "see to the rights"),
        (apsw.CantOpenError, "see to the rights"),
        (apsw.FullError, "Make room"),
        (apsw.BusyError, "try again"),
        (apsw.CorruptError, "move it away"),
        (apsw.NotADBError, "move it away"),
        (apsw.IOError, "cannot be used"),
    ],
)
def test_each_fault_of_a_file_names_the_file_and_the_next_step(error: type[apsw.Error], next_step: str) -> None:
    told = file.said(Path("/srv/handbook.sqlite"), error("disk I/O error"))
    assert "/srv/handbook.sqlite" in told and next_step in told
