"""A store in a directory is used by several readers or by one who changes it, and readers hear of changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from arcana_pipelines.errors import TargetUnreachable
from arcana_pipelines.indexes.targets import embedded, unwanted
from arcana_pipelines.indexes.targets.embedded import EmbeddedLock, lock_file

HOLD = """
import sys
from pathlib import Path
from arcana_pipelines.indexes.targets.embedded import EmbeddedLock
with getattr(EmbeddedLock(Path(sys.argv[1])), sys.argv[2])():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path), how], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(embedded, "PATIENCE_SECONDS", 0.2)
    return tmp_path / "below" / "store"


def test_who_changes_a_store_has_it_alone_until_its_process_ends(path: Path) -> None:
    lock = EmbeddedLock(path)
    with held_by_another(path, "exclusive") as other:
        for way in (lock.shared, lock.exclusive):
            with pytest.raises(TargetUnreachable, match=r"store is in use by another process"), way():
                pass
        other.kill()
        other.wait()
        with lock.shared() as is_changed:
            assert is_changed, "it may have changed something before it was killed"


def test_readers_share_a_store_and_keep_others_from_changing_it(path: Path) -> None:
    lock = EmbeddedLock(path)
    with held_by_another(path, "shared"):
        with lock.shared():
            pass
        with pytest.raises(TargetUnreachable), lock.exclusive():
            pass


def test_a_reader_learns_once_of_each_change_by_others_and_nobody_of_its_own(path: Path) -> None:
    reader, writer = EmbeddedLock(path), EmbeddedLock(path)
    for _ in range(2):
        with writer.exclusive():
            pass
        with reader.shared() as first, reader.shared() as again:
            assert first and not again
    with writer.exclusive() as by_others:
        assert not by_others
    with writer.shared() as by_others:
        assert not by_others


def test_a_lock_whose_file_was_deleted_with_its_store_locks_nothing(path: Path) -> None:
    with EmbeddedLock(path).exclusive():
        lock_file(path).unlink()
        with EmbeddedLock(path).exclusive() as is_changed:
            assert is_changed
            with pytest.raises(TargetUnreachable), EmbeddedLock(path).shared():
                pass


def test_a_store_takes_its_lock_along_when_its_files_are_deleted(path: Path) -> None:
    beside = {path.name + suffix for suffix in unwanted.BESIDE}
    assert lock_file(path).name in beside


def test_a_lock_that_cannot_be_made_is_a_store_that_cannot_be_reached(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TargetUnreachable, match="cannot be locked"), EmbeddedLock(tmp_path / "file" / "store").shared():
        pass
