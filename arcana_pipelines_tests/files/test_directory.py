"""What a directory does that a bucket need not."""

from __future__ import annotations

import errno
import itertools
import os
import resource
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.errors import FileDamaged, FileStoreRefused, FileStoreUnreachable
from arcana_pipelines.files.stores import directory
from arcana_pipelines.files.stores.directory import DirectoryStore
from arcana_pipelines.files.stores.pieces import of_file
from arcana_pipelines.testing.conformance.file_stores import COMPANY, MIB, OTHER_WORKSPACE, File
from arcana_pipelines_tests.files.killed import Killed, is_killed

EVER = datetime.now(UTC) + timedelta(days=2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def store(root: Path) -> DirectoryStore:
    return DirectoryStore(root, root / "incoming")


def left(root: Path) -> list[str]:
    return sorted(os.listdir(root / "incoming"))


def test_nobody_else_can_read_or_list_what_is_kept(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = File.of(tmp_path, 1).put_into(store)
    finally:
        os.umask(before)
    folders = [root, root / "incoming", *(root / file.key).parents[:4]]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert stat.S_IMODE((root / file.key).stat().st_mode) == 0o600
    assert (root / file.key).stat().st_nlink == 1 and left(root) == []


@pytest.mark.slow
def test_a_process_that_is_killed_at_any_point_leaves_the_whole_file_or_nothing_that_counts(
    store: DirectoryStore, root: Path, tmp_path: Path
) -> None:
    def put(killed: Killed) -> None:
        def pieces(*arguments: Any) -> Iterator[bytes]:
            for piece in of_file(*arguments):
                killed.point()
                yield piece

        directory.of_file = pieces  # type: ignore[assignment]  # in a process of its own
        # Whatever is asked of the system that can be seen: open, mkdir, link, remove and others.
        sys.addaudithook(lambda name, arguments: killed.point())
        file.put_into(store)

    points = 0
    for at in itertools.count(1):
        file = File.of(tmp_path, at, 2 * MIB + 1)
        if not is_killed(put, at):
            break
        points += 1
        stored = list(store.listing(""))
        assert [each.key for each in stored] in ([], [file.key])
        assert store.size(file.key) in (None, file.size)
        for each in stored:
            assert b"".join(store.read(each.key)) == file.content
        file.put_into(store)
        store.delete(file.key)
    assert points > 15
    assert b"".join(store.read(file.key)) == file.content
    assert store.sweep_leftovers(EVER) > 3 and left(root) == []
    assert [each.key for each in store.listing("")] == [file.key]


def test_only_what_is_older_is_swept_and_nothing_that_is_stored(
    store: DirectoryStore, root: Path, tmp_path: Path
) -> None:
    assert store.sweep_leftovers(EVER) == 0
    file = File.of(tmp_path, 1).put_into(store)
    now = datetime.now(UTC)
    for name, hours in (("old", 25), ("new", 23)):
        (root / "incoming" / name).write_bytes(b"half")
        os.utime(root / "incoming" / name, times=(now.timestamp() - hours * 3600,) * 2)
    assert store.sweep_leftovers(now - timedelta(hours=24)) == 1
    assert left(root) == ["new"] and store.size(file.key) == file.size


@pytest.mark.parametrize("depth", range(5))
def test_no_link_is_followed(store: DirectoryStore, root: Path, tmp_path: Path, depth: int) -> None:
    file = File.of(tmp_path, 1).put_into(store)
    outside = tmp_path / "outside"
    place = root.joinpath(*file.key.split("/")[: depth + 1])
    place.rename(outside)
    place.symlink_to(outside)
    for ask in (
        lambda: store.read(file.key),
        lambda: store.size(file.key),
        lambda: file.put_into(store),
        lambda: store.fetch(file.key, file.sha256).__enter__(),
    ):
        with pytest.raises(FileStoreRefused, match="folders and files of the user"):
            ask()
    assert list(store.listing("")) == []
    if depth < 4:
        with pytest.raises(FileStoreRefused):
            store.delete(file.key)
    else:
        store.delete(file.key)
        assert outside.read_bytes() == file.content


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [
        (errno.ENOSPC, FileStoreRefused, "is full.*make room there, or keep files in a bucket"),
        (errno.EDQUOT, FileStoreRefused, "is full"),
        (errno.EROFS, FileStoreRefused, "cannot be used"),
        (errno.EACCES, FileStoreRefused, "cannot be used"),
        (errno.EIO, FileStoreUnreachable, "cannot be used now"),
    ],
)
def test_a_disk_that_does_not_take_it_is_told_in_a_sentence_and_keeps_nothing(
    store: DirectoryStore,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[Exception],
    said: str,
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    file = File.of(tmp_path, 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(kind, match=said):
            file.put_into(store)
    assert left(root) == [] and store.size(file.key) is None
    file.put_into(store)
    assert store.size(file.key) == file.size


def test_a_disk_that_is_full_in_the_middle_of_a_file_is_told(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    file = File.of(tmp_path, 1, 3 * MIB)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, before[1]))
    try:
        with pytest.raises(FileStoreRefused, match="is full"):
            file.put_into(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert left(root) == [] and list(store.listing("")) == []


def test_a_file_system_without_hard_links_does_as_well(
    store: DirectoryStore, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    file = File.of(tmp_path, 1).put_into(store).put_into(store)
    assert b"".join(store.read(file.key)) == file.content and left(root) == []


def test_folders_go_with_their_last_file_and_come_back_while_it_is_put(
    store: DirectoryStore, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = File.of(tmp_path, 1).put_into(store)
    other = File.of(tmp_path, 2, workspace_id=OTHER_WORKSPACE).put_into(store)
    store.delete(file.key)
    assert os.listdir(root / str(COMPANY) / "notion") == [str(OTHER_WORKSPACE)]
    store.delete(other.key)
    assert os.listdir(root) == ["incoming"]
    link, times = os.link, iter([True, True, False])

    def link_later(*arguments: Any, **named: Any) -> None:
        if next(times):
            (root / file.key).parent.rmdir()
        link(*arguments, **named)

    monkeypatch.setattr(os, "link", link_later)
    file.put_into(store)
    assert b"".join(store.read(file.key)) == file.content


def test_a_listing_reads_a_folder_when_its_turn_comes(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        File.of(tmp_path, number).put_into(store)
    listdir, read = os.listdir, []

    def counted(folder: int) -> list[str]:
        read.append(folder)
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", counted)
    objects = store.listing("")
    next(objects)
    assert len(read) <= 6
    assert len(list(objects)) == 59


def test_what_others_have_put_there_is_neither_listed_nor_touched(
    store: DirectoryStore, root: Path, tmp_path: Path
) -> None:
    file = File.of(tmp_path, 1).put_into(store)
    folder = (root / file.key).parent
    (folder / ("ff" + "0" * 62)).write_bytes(b"in the folder of another hash")
    (folder / f".{file.sha256}").write_bytes(b"")
    (folder / (file.sha256[:2] + "f" * 62)).mkdir()
    (root / "README").write_bytes(b"")
    assert [each.key for each in store.listing("")] == [file.key]


def test_what_turns_while_it_is_read_is_not_whole(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    file = File.of(tmp_path, 1, 3 * MIB).put_into(store)
    pieces = store.read(file.key)
    first = next(pieces)
    with (root / file.key).open("r+b") as stored:
        stored.truncate(MIB + 5)
    read = [first]
    with pytest.raises(FileDamaged):
        read.extend(pieces)


def test_it_says_what_is_free_and_whether_it_can_be_written(root: Path, tmp_path: Path) -> None:
    store = DirectoryStore(root, root / "incoming")
    assert "will be made" in store.answer() and "GB are free" in store.answer() and not root.exists()
    File.of(tmp_path, 1).put_into(store)
    assert store.answer().startswith(f"{root}, ")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileStoreRefused, match="not a folder that you can write to"):
        DirectoryStore(tmp_path / "file", tmp_path / "file" / "incoming").answer()
