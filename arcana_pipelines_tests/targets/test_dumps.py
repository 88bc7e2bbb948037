"""A target in a file, and from a file into a target: the same rows, and what PostgreSQL publishes besides."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.targets.dumps import dump, load
from arcana_pipelines.indexes.targets.registry import kinds, location_of, open_store
from arcana_pipelines.indexes.targets.targets import Target, add_target, targets_of
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def world() -> NotionWorld:
    world = NotionWorld()
    for number in range(4):
        world.add_page(f"Page {number}", blocks=f"Everyone has {number} days of vacation. 휴가는 {number}일입니다.")
    world.clock.advance(600)
    return world


class Copied:
    """A workspace with a target that has all of it."""

    def __init__(self, harness: Harness) -> None:
        self.harness, self.database = harness, harness.database
        harness.sync()
        with self.database.connection() as connection:
            self.workspace_id = workspaces.find(connection, harness.slug).workspace_id
        self.add("sqlite")
        harness.sync()

    def add(self, name: str, kind: str = "sqlite") -> Target:
        directory = workspaces.storage_path(self.database.settings, "acme")
        place = location_of(self.database.settings, kind, directory, None, name)
        with self.database.connection() as connection:
            return add_target(connection, self.workspace_id, kind, place, name)

    def target(self, name: str = "sqlite") -> Target:
        with self.database.connection() as connection:
            return targets_of(connection, self.workspace_id, name)[0]

    def held(self, name: str) -> dict[int, list[float]]:
        """The vectors in a target's store."""
        target = self.target(name)
        ((collection,),) = self.harness.rows(
            "SELECT collection FROM target_collection WHERE index_target_id = %s", target.index_target_id
        )
        with open_store(self.database.settings, target.kind, target.location) as store:
            chunks = [row.chunk_id for batch in store.scan(collection) for row in batch]
            return {chunk: vector.tolist() for chunk, vector in store.vectors(collection, chunks).items()}


@pytest.fixture
def copied(acme: Harness) -> Copied:
    return Copied(acme)


def lines(file: Path) -> list[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def written(file: Path, read: list[dict[str, Any]]) -> Path:
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in read)
    return file


@pytest.mark.parametrize("kind", kinds())
def test_a_target_is_the_same_from_a_file(copied: Copied, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "acme.jsonl.gz"
    assert (dump(copied.database, copied.target(), file).rows) == copied.target().vector_count == 4
    header, *rows, trailer = lines(file)
    assert (header["format"], header["workspace"], header["kind"]) == ("arcana-target", "acme", "sqlite")
    assert trailer == {"rows": 4} and "휴가" in rows[0]["text"] and rows[0]["title"].startswith("Page")
    assert file.stat().st_mode & 0o777 == 0o600 and list(tmp_path.glob("acme*")) == [file]

    copied.add("other", kind)
    loaded = load(copied.database, copied.target("other"), file, seconds=60)
    assert (loaded.rows, loaded.left_out, loaded.delivery.put) == (4, 0, 0)
    assert loaded.parity is not None and loaded.parity.is_equal and loaded.parity.count == 4
    assert copied.target("other").state == "live" and copied.target("other").object_count == 4
    ours, theirs = copied.held("sqlite"), copied.held("other")
    assert ours.keys() == theirs.keys()
    assert all(np.allclose(ours[chunk], theirs[chunk], atol=1e-6) for chunk in ours)
    again = tmp_path / "again.jsonl.gz"
    assert dump(copied.database, copied.target("other"), again).rows == 4


def test_what_was_published_since_is_delivered_and_what_was_removed_is_left_out(copied: Copied, tmp_path: Path) -> None:
    file = tmp_path / "acme.jsonl.gz"
    dump(copied.database, copied.target(), file)
    world = copied.harness.world
    first = next(iter(world.visible_pages()))
    world.edit_page(first, "Nobody has any vacation at all.")
    copied.harness.settle()
    copied.harness.sync()
    loaded = load(copied.database, copied.target(), file, seconds=60)
    assert (loaded.rows, loaded.left_out, loaded.delivery.put) == (3, 1, 1)
    assert loaded.parity is not None and loaded.parity.is_equal


def test_rows_that_somebody_changed_in_a_file_do_not_come_from_it(copied: Copied, tmp_path: Path) -> None:
    file = tmp_path / "acme.jsonl.gz"
    dump(copied.database, copied.target(), file)
    header, *rows, trailer = lines(file)
    rows[0]["vector"] = rows[1]["vector"]
    rows[2]["text"] = "What nobody wrote."
    rows[3]["row_hash"] = "0" * 32
    loaded = load(copied.database, copied.target(), written(file, [header, *rows, trailer]), seconds=60)
    assert (loaded.rows, loaded.left_out, loaded.delivery.put) == (2, 2, 2)
    assert loaded.parity is not None and loaded.parity.is_equal and loaded.parity.nearest > 0.999
    again = tmp_path / "again.jsonl.gz"
    dump(copied.database, copied.target(), again)
    assert not any(row.get("text") == "What nobody wrote." for row in lines(again))


def test_a_file_that_is_not_whole_changes_nothing(copied: Copied, tmp_path: Path) -> None:
    file = tmp_path / "acme.jsonl.gz"
    dump(copied.database, copied.target(), file)
    header, *rows, trailer = lines(file)
    whole, before = file.read_bytes(), copied.held("sqlite")
    ends = {
        "no whole dump": lambda: file.write_bytes(whole[: len(whole) // 2]),
        "has 3 rows of 4": lambda: written(file, [header, *rows[:3], trailer]),
        "last line is missing": lambda: written(file, [header, *rows]),
        "first line does not say so": lambda: written(file, [{"format": "another"}]),
        "cannot be read": lambda: file.write_text("no gzip"),
        "of build 99": lambda: written(file, [{**header, "build": 99}, *rows, trailer]),
        "is no whole dump": lambda: written(file, [header, {"chunk_id": 1}, trailer]),
    }
    for said, make in ends.items():
        make()
        with pytest.raises(WrongUse, match=said):
            load(copied.database, copied.target(), file, seconds=60)
    assert copied.held("sqlite") == before
    assert copied.target().state == "live" and copied.target().failures == 0


def test_a_file_that_is_there_is_not_written_over(copied: Copied, tmp_path: Path) -> None:
    file = tmp_path / "acme.jsonl.gz"
    file.write_text("somebody's")
    with pytest.raises(WrongUse, match="is there already"):
        dump(copied.database, copied.target(), file)
    assert file.read_text() == "somebody's"


def test_a_target_that_holds_nothing_has_nothing_to_write(copied: Copied, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="holds nothing yet"):
        dump(copied.database, copied.add("empty"), tmp_path / "empty.gz")
    assert not list(tmp_path.glob("empty*"))


def test_a_load_that_ends_in_the_middle_is_finished_by_whoever_delivers_next(
    copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "acme.jsonl.gz"
    dump(copied.database, copied.target(), file)
    monkeypatch.setattr("arcana_pipelines.indexes.targets.dumps.ROWS", 2)
    from arcana_pipelines.indexes.targets import dumps

    taken, ours = [], dumps._take_in

    def take_in(*arguments: Any) -> int:
        if taken:
            raise KeyboardInterrupt
        taken.append(ours(*arguments))
        return taken[-1]

    monkeypatch.setattr(dumps, "_take_in", take_in)
    with pytest.raises(KeyboardInterrupt):
        load(copied.database, copied.target(), file, seconds=60)
    assert taken == [2] and copied.target().state == "filling"
    copied.harness.sync()
    assert copied.target().state == "live" and copied.target().vector_count == 4
