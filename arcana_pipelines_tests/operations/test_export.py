"""Exports: whole or not there, of one moment, a batch at a time, the same in every format."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arcana_pipelines.cli.main import main
from arcana_pipelines.documents.contents import user_id_of
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.operations import export
from arcana_pipelines.operations.export import COLUMNS, Kind
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

TEXT = '연차 휴가는 15일, "반차"는 4시간\n둘째 줄; a,b'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder: the harness has its home beside it."""
    (tmp_path / "exports").mkdir()
    return tmp_path / "exports"


@pytest.fixture
def handbook(acme: Harness) -> Harness:
    acme.world.add_page("휴가, 규정", blocks=[blocks.heading("연차"), blocks.paragraph(TEXT)])
    for number in range(30):
        acme.world.add_page(f"Page {number}", blocks=[blocks.paragraph(f"Zebra number {number} stands here.")])
    acme.world.clock.advance(600)
    acme.sync()
    return acme


def written(harness: Harness, kind: Kind, file: Path, **options: Any) -> export.Exported:
    with harness.database.connection() as connection:
        workspace_id = workspaces.find(connection, harness.slug).workspace_id
        return export.export(connection, workspace_id, kind, file, **options)


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of a file of any format, as JSON has them."""
    if file.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
        return [{name: plain(value) for name, value in row.items()} for row in rows]
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]
    lists, numbers = {"heading_path", "embedding"}, {"version", "position", "token_count", "chunk_id"}
    with file.open(encoding="utf-8", newline="") as opened:
        return [
            {name: json.loads(value) if name in lists | numbers else value or None for name, value in row.items()}
            for row in csv.DictReader(opened)
        ]


def plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


@pytest.mark.parametrize("kind", list(COLUMNS))
@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_every_row_is_there_and_the_same_in_every_format(
    handbook: Harness, folder: Path, kind: Kind, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    monkeypatch.setitem(export.ROWS, kind, 7)  # several batches
    file, plainly = folder / f"out.{ending}", folder / "plain.jsonl"
    told = written(handbook, kind, file)
    written(handbook, kind, plainly)
    rows, expected = read(file), read(plainly)
    assert len(rows) == told.rows >= 31 and told.bytes == file.stat().st_size
    assert list(rows[0]) == [column.name for column in COLUMNS[kind]]
    for row, same in zip(rows, expected, strict=True):
        for vector in (row, same):
            if "embedding" in vector:
                vector["embedding"] = np.array(vector["embedding"], dtype=np.float32).tolist()
        if "published_at" in row:
            assert datetime.fromisoformat(row.pop("published_at")) == datetime.fromisoformat(same.pop("published_at"))
        assert row == same


@pytest.mark.parametrize("kind", list(COLUMNS))
def test_after_each_batch_it_is_told_how_many_rows_are_written_of_how_many(
    handbook: Harness, folder: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(export.ROWS, kind, 7)
    told: list[tuple[int, int]] = []
    rows = written(handbook, kind, folder / "out.jsonl", tell=lambda done, of: told.append((done, of))).rows
    assert told == [(min(7 * batch, rows), rows) for batch in range(1, -(-rows // 7) + 1)] and len(told) > 4


def test_texts_are_those_of_the_index(handbook: Harness, folder: Path) -> None:
    written(handbook, "chunks", folder / "chunks.jsonl")
    written(handbook, "documents", folder / "documents.csv")
    (chunk,) = [row for row in read(folder / "chunks.jsonl") if row["title"] == "휴가, 규정"]
    assert chunk["heading_path"] == ["연차"] and "연차 휴가는 15일" in chunk["text"]
    (document,) = [row for row in read(folder / "documents.csv") if row["title"] == "휴가, 규정"]
    assert "둘째 줄; a,b" in document["text"] and document["version"] == 1
    assert document["user_id"] == str(user_id_of("notion", handbook.world.acting_user))
    assert document["edited_by"] is None, "the source gave no name with the page"


def test_vectors_are_those_of_the_index_to_the_last_bit(handbook: Harness, folder: Path) -> None:
    written(handbook, "embeddings", folder / "vectors.jsonl")
    rows = handbook.rows(
        "SELECT document_chunk_id, chunk_embedding::real[] FROM document_chunk WHERE deleted_at IS NULL"
    )
    stored = {chunk: np.array(vector, dtype=np.float32) for chunk, vector in rows}
    for row in read(folder / "vectors.jsonl"):
        assert np.array_equal(stored.pop(row["chunk_id"]), np.array(row["embedding"], dtype=np.float32))
    assert not stored


class TestFiles:
    def test_one_that_is_there_stays_unless_it_may_be_overwritten(self, handbook: Harness, folder: Path) -> None:
        file = folder / "out.csv"
        file.write_text("mine", encoding="utf-8")
        with pytest.raises(WrongUse, match="there already"):
            written(handbook, "chunks", file)
        assert file.read_text(encoding="utf-8") == "mine"
        written(handbook, "chunks", file, overwrite=True)
        assert file.read_text(encoding="utf-8").startswith("chunk_id,") and list(folder.iterdir()) == [file]

    def test_one_that_is_made_meanwhile_stays(
        self, handbook: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = folder / "out.csv"
        batches = export._batches
        monkeypatch.setattr(export, "_batches", lambda *given: file.write_text("mine") and batches(*given))
        with pytest.raises(WrongUse, match="there already"):
            written(handbook, "chunks", file)
        assert file.read_text() == "mine" and list(folder.iterdir()) == [file]

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_an_export_that_fails_leaves_everything_as_it_was(
        self, handbook: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
    ) -> None:
        file = folder / "out.jsonl"
        if overwrite:
            file.write_text("before", encoding="utf-8")

        def breaks(*given: Any) -> Any:
            yield from []
            raise KeyboardInterrupt

        monkeypatch.setattr(export, "_batches", breaks)
        with pytest.raises(KeyboardInterrupt):
            written(handbook, "documents", file, overwrite=overwrite)
        assert [each.read_text(encoding="utf-8") for each in folder.iterdir()] == ["before"] * overwrite

    @pytest.mark.parametrize(
        ("name", "said"),
        [("out.xlsx", "parquet, .csv or .jsonl"), ("none/out.csv", "no folder"), ("d.csv", "a folder")],
    )
    def test_one_that_cannot_be_is_refused(self, acme: Harness, folder: Path, name: str, said: str) -> None:
        (folder / "d.csv").mkdir()
        with pytest.raises(WrongUse, match=said):
            written(acme, "chunks", folder / name)

    def test_an_index_that_does_not_serve_is_refused(self, acme: Harness, folder: Path) -> None:
        with pytest.raises(WrongUse, match="no index 'other'"):
            written(acme, "chunks", folder / "out.csv", index="other")
        assert not list(folder.iterdir())


def test_without_pyarrow_a_sentence_says_what_to_install(
    acme: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(WrongUse, match=r"pip install 'arcana-pipelines\[export\]'"):
        written(acme, "chunks", folder / "out.parquet")


def test_another_workspace_s_rows_are_not_in_it(handbook: Harness, another: Any, folder: Path) -> None:
    other = another("beta")
    other.sync()
    assert written(other, "chunks", folder / "beta.csv").rows < written(handbook, "chunks", folder / "a.csv").rows


def test_the_command_wants_one_file(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for files in ([], ["--chunks", str(folder / "a.csv"), "--documents", str(folder / "b.csv")]):
        with pytest.raises(SystemExit) as ended:
            main(["export", "acme", *files])
        assert (
            ended.value.code == 2
            and "one of --documents, --chunks, --embeddings and --sqlite" in capsys.readouterr().err
        )
