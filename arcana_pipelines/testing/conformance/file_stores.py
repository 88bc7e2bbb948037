"""What every store of files has to do (see `files.stores.protocol`)."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Protocol
from uuid import UUID

import pytest

from arcana_pipelines.errors import FileDamaged, FileMissing, FileStoreRefused, FileStoreUnreachable, WrongUse
from arcana_pipelines.files.stores.protocol import FileStore
from arcana_pipelines.files.stores.registry import key_of, open_file_store, prefix_of
from arcana_pipelines.settings import load_settings

COMPANY, OTHER_COMPANY = UUID(int=1), UUID(int=2)
WORKSPACE, OTHER_WORKSPACE = UUID(int=10), UUID(int=20)
MIB = 1024 * 1024
# In no message, and in nothing that a traceback shows.
SECRET = "canary-of-a-secret-4711"
HOSTILE_KEYS = [
    "",
    "/",
    "../../etc/passwd",
    "/etc/passwd",
    f"{COMPANY}/notion/{WORKSPACE}/aa/../../../../../etc/passwd",
    f"{COMPANY}/../{WORKSPACE}/aa/{'a' * 64}",
    f"{COMPANY}/notion/{WORKSPACE}/ab/{'a' * 64}",
    f"{COMPANY}/notion/{WORKSPACE}/aa/{'a' * 63}",
    f"{COMPANY}/notion/{WORKSPACE}/aa/{'A' * 64}",
    f"{COMPANY}/notion/{WORKSPACE}/aa/{'a' * 64}\n",
    f"{COMPANY}/notion/{WORKSPACE}/aa/{'a' * 64}/x",
    f"/{COMPANY}/notion/{WORKSPACE}/aa/{'a' * 64}",
    f"{COMPANY}/notion/{WORKSPACE}/aa/%2e%2e{'a' * 58}",
    f"{COMPANY}/notion/{WORKSPACE}/aa/{'a' * 63}\0",
    f"{COMPANY}\\notion\\{WORKSPACE}\\aa\\{'a' * 64}",
    f"{COMPANY}/노션/{WORKSPACE}/aa/{'a' * 64}",
]
_PUTTING = """
import sys
from pathlib import Path
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.settings import load_settings
from arcana_pipelines.testing.conformance.file_stores import File
with open_file_store(load_settings()) as store:
    for number in range(500):
        file = File.of(Path(sys.argv[1]), number, int(sys.argv[2]))
        store.put(file.key, file.path, file.sha256, file.size)
        print(number, flush=True)
"""


@dataclass(frozen=True, slots=True)
class File:
    """A file to be stored, the same each time for a number and a size."""

    path: Path
    content: bytes
    key: str

    @classmethod
    def of(cls, folder: Path, number: int, size: int = 100, workspace_id: UUID = WORKSPACE) -> File:
        """One in a folder; the name of it there says nothing."""
        content = random.Random(number).randbytes(size)
        path = folder / f"file-{number}-{size}"
        path.write_bytes(content)
        return cls(path, content, key_of(COMPANY, "notion", workspace_id, hashlib.sha256(content).hexdigest()))

    @property
    def sha256(self) -> str:
        """Of its content, in hex."""
        return self.key[-64:]

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content)

    def put_into(self, store: FileStore) -> File:
        """Store it."""
        store.put(self.key, self.path, self.sha256, self.size)
        return self


class Server(Protocol):
    """A server that is killed and started again, with what it had on its disk and at the same address."""

    def kill(self) -> None:
        """End it with SIGKILL."""
        ...

    def start(self) -> None:
        """Start it, and wait until it answers."""
        ...


class FileStoreConformance:
    """Inherit and give the fixtures `variables` and `overwrite`; `broken` and `server` where there is something."""

    # A file that is larger goes in several parts, where a store knows parts.
    PART: ClassVar[int] = 16 * MIB

    @pytest.fixture
    def variables(self) -> Mapping[str, str]:
        """The environment that names an empty store, beside ARCANA_HOME."""
        raise NotImplementedError

    @pytest.fixture
    def overwrite(self) -> Callable[[str, bytes], None]:
        """Puts bytes under a key behind our back."""
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> Mapping[str, str]:
        """The environment that names one that is out of reach."""
        pytest.skip("none out of reach was given")

    @pytest.fixture
    def server(self) -> Server:
        """The server at `variables`."""
        pytest.skip("it has no server")

    @pytest.fixture(autouse=True)
    def configured(self, variables: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The environment of a test and of what it starts."""
        for name, value in {"ARCANA_HOME": str(tmp_path / "home"), **variables}.items():
            monkeypatch.setenv(name, value)

    @pytest.fixture
    def store(self, configured: None) -> Iterator[FileStore]:
        with open_file_store(load_settings()) as store:
            yield store

    def test_it_says_where_it_is_and_writes_nothing(self, store: FileStore, tmp_path: Path) -> None:
        assert store.answer()
        assert list(store.listing("")) == [] and not (tmp_path / "home").exists()

    @pytest.mark.parametrize("parts", [0, 1, 2.5])
    @pytest.mark.parametrize("more", [0, 1])
    def test_what_is_put_comes_back(self, store: FileStore, tmp_path: Path, parts: float, more: int) -> None:
        size = int(parts * self.PART) + more
        file = File.of(tmp_path, 1, size)
        assert store.size(file.key) is None
        file.put_into(store)
        assert store.size(file.key) == size
        pieces = list(store.read(file.key))
        assert b"".join(pieces) == file.content and all(0 < len(piece) <= MIB for piece in pieces)
        with store.fetch(file.key, file.sha256) as path:
            assert path.read_bytes() == file.content

    def test_parts_of_it_can_be_read(self, store: FileStore, tmp_path: Path) -> None:
        file = File.of(tmp_path, 1, 2 * MIB + 10).put_into(store)
        for start, length in (
            (0, 5),
            (7, None),
            (MIB - 3, MIB + 6),
            (2 * MIB, 10),
            (file.size - 1, 1),
            (0, file.size),
        ):
            read = b"".join(store.read(file.key, start, length))
            assert read == file.content[start : file.size if length is None else start + length]

    def test_what_is_put_twice_is_there_once_as_it_was(self, store: FileStore, tmp_path: Path) -> None:
        file = File.of(tmp_path, 1).put_into(store)
        (first,) = store.listing("")
        file.put_into(store)
        assert list(store.listing("")) == [first]
        assert (first.key, first.size) == (file.key, file.size)
        assert abs(datetime.now(UTC) - first.stored_at) < timedelta(minutes=5)

    @pytest.mark.parametrize("parts", [0, 1])
    def test_writers_of_one_key_at_once_are_all_content_and_leave_one_object(
        self, store: FileStore, tmp_path: Path, parts: int
    ) -> None:
        file = File.of(tmp_path, 1, parts * self.PART + 1)
        together = threading.Barrier(4)

        def put(_: int) -> None:
            with open_file_store(load_settings()) as own:
                together.wait()
                file.put_into(own)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(put, range(4)))
        assert [each.key for each in store.listing("")] == [file.key]
        assert b"".join(store.read(file.key)) == file.content
        assert store.sweep_leftovers(datetime.now(UTC) + timedelta(days=2)) == 0

    def test_a_file_that_turns_while_it_is_put_leaves_nothing(self, store: FileStore, tmp_path: Path) -> None:
        for size in (100, self.PART + 1):
            file = File.of(tmp_path, 1, size)
            file.path.write_bytes(file.content[:-1] + bytes([file.content[-1] ^ 1]))
            with pytest.raises(FileDamaged):
                file.put_into(store)
            for wrong in (size - 1, size + 1):
                with pytest.raises(FileDamaged):
                    store.put(file.key, file.path, file.sha256, wrong)
            assert store.size(file.key) is None and list(store.listing("")) == []
        assert store.sweep_leftovers(datetime.now(UTC) + timedelta(days=2)) == 0

    def test_damaged_bytes_are_found_when_they_are_read(
        self, store: FileStore, tmp_path: Path, overwrite: Callable[[str, bytes], None]
    ) -> None:
        file = File.of(tmp_path, 1, 2 * MIB).put_into(store)
        overwrite(file.key, file.content[:-1] + bytes([file.content[-1] ^ 1]))
        with pytest.raises(FileDamaged), store.fetch(file.key, file.sha256):
            pytest.fail("it was handed out")
        read: list[bytes] = []
        with pytest.raises(FileDamaged):
            read.extend(store.read(file.key))
        assert sum(map(len, read)) < file.size, "whoever counts has not all of it"
        store.delete(file.key)
        file.put_into(store)
        assert b"".join(store.read(file.key)) == file.content

    def test_a_key_that_holds_a_half_is_found_when_it_is_put_again(
        self, store: FileStore, tmp_path: Path, overwrite: Callable[[str, bytes], None]
    ) -> None:
        file = File.of(tmp_path, 1).put_into(store)
        overwrite(file.key, file.content[:50])
        with pytest.raises(FileDamaged):
            file.put_into(store)
        with pytest.raises(FileDamaged), store.fetch(file.key, file.sha256):
            pytest.fail("it was handed out")

    def test_what_is_not_there_is_said_before_anything_is_read(self, store: FileStore, tmp_path: Path) -> None:
        file = File.of(tmp_path, 1)
        assert store.size(file.key) is None
        store.delete(file.key)
        with pytest.raises(FileMissing):
            store.read(file.key)
        with pytest.raises(FileMissing):
            store.read(file.key, 5, 10)
        with pytest.raises(FileMissing), store.fetch(file.key, file.sha256):
            pytest.fail("it was handed out")

    def test_what_is_deleted_is_gone_and_nothing_else(self, store: FileStore, tmp_path: Path) -> None:
        one, other = (File.of(tmp_path, number).put_into(store) for number in (1, 2))
        for _ in range(2):
            store.delete(one.key)
            assert [each.key for each in store.listing("")] == [other.key]
        one.put_into(store)
        assert store.size(one.key) == one.size

    def test_the_listing_of_a_workspace_has_all_its_keys_in_their_order_and_no_others(
        self, store: FileStore, tmp_path: Path
    ) -> None:
        ours = sorted(File.of(tmp_path, number).put_into(store).key for number in range(25))
        theirs = [File.of(tmp_path, number, workspace_id=OTHER_WORKSPACE).put_into(store).key for number in range(5)]
        prefix = prefix_of(COMPANY, "notion", WORKSPACE)
        assert [each.key for each in store.listing(prefix)] == ours
        assert [each.key for each in store.listing("")] == ours + sorted(theirs)
        assert [each.key for each in store.listing(ours[3][:-50])] == ours[3:4]
        assert [each.key for each in store.listing(ours[3])] == ours[3:4]
        for nothing in (
            prefix_of(OTHER_COMPANY, "notion", WORKSPACE),
            prefix_of(COMPANY, "notio", WORKSPACE),
            "..",
            "/",
        ):
            assert list(store.listing(nothing)) == []

    def test_a_key_that_is_none_of_ours_is_refused_by_all(self, store: FileStore, tmp_path: Path) -> None:
        file = File.of(tmp_path, 1)
        asks: list[Callable[[str], object]] = [
            lambda key: store.put(key, file.path, file.sha256, file.size),
            lambda key: store.fetch(key, file.sha256).__enter__(),
            lambda key: store.read(key),
            lambda key: store.size(key),
            lambda key: store.delete(key),
        ]
        for key in HOSTILE_KEYS:
            for ask in asks:
                with pytest.raises(WrongUse):
                    ask(key)
        assert list(store.listing("")) == []

    def test_a_key_of_other_bytes_is_refused(self, store: FileStore, tmp_path: Path) -> None:
        one, other = File.of(tmp_path, 1), File.of(tmp_path, 2)
        with pytest.raises(WrongUse):
            store.put(one.key, other.path, other.sha256, other.size)
        one.put_into(store)
        with pytest.raises(WrongUse), store.fetch(one.key, other.sha256):
            pytest.fail("it was handed out")

    def test_a_reader_that_stops_early_holds_nothing_open(self, store: FileStore, tmp_path: Path) -> None:
        file = File.of(tmp_path, 1, 3 * MIB).put_into(store)
        open_before = len(os.listdir("/proc/self/fd"))
        for _ in range(30):
            pieces = store.read(file.key)
            next(pieces)
            del pieces
        assert len(os.listdir("/proc/self/fd")) <= open_before + 10

    @pytest.mark.slow
    def test_a_writer_that_is_killed_leaves_whole_objects_alone(self, store: FileStore, tmp_path: Path) -> None:
        size = MIB
        command = [sys.executable, "-c", _PUTTING, str(tmp_path), str(size)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            done = [int(next(process.stdout)) for _ in range(3)][-1]
            process.kill()
            done = max([done, *map(int, process.stdout.read().split())])
        assert process.returncode == -signal.SIGKILL
        files = {file.key: file for file in (File.of(tmp_path, number, size) for number in range(done + 2))}
        stored = {each.key: each.size for each in store.listing("")}
        # The last word may not have been heard.
        assert set(list(files)[: done + 1]) <= set(stored) <= set(files)
        assert all(b"".join(store.read(key)) == files[key].content for key in stored)
        store.sweep_leftovers(datetime.now(UTC) + timedelta(days=2))
        assert {each.key: each.size for each in store.listing("")} == stored
        for file in files.values():
            file.put_into(store)
        assert len(list(store.listing(""))) == done + 2

    def test_one_that_was_down_comes_back_with_what_it_had(
        self, server: Server, store: FileStore, tmp_path: Path
    ) -> None:
        one, other = File.of(tmp_path, 1).put_into(store), File.of(tmp_path, 2)
        server.kill()
        try:
            with open_file_store(load_settings(), hurried_seconds=3) as hurried:
                _assert_away(hurried, one, FileStoreUnreachable)
        finally:
            server.start()
        other.put_into(store)
        assert b"".join(store.read(one.key)) == one.content and b"".join(store.read(other.key)) == other.content

    def test_one_out_of_reach_is_an_error_of_ours_that_tells_no_secret(
        self, broken: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in broken.items():
            monkeypatch.setenv(name, value)
        with open_file_store(load_settings(), hurried_seconds=3) as store:
            _assert_away(store, File.of(tmp_path, 1), (FileStoreUnreachable, FileStoreRefused))

    def test_it_may_be_closed_twice(self, store: FileStore) -> None:
        store.close()
        store.close()


def _assert_away(store: FileStore, file: File, kinds: type[Exception] | tuple[type[Exception], ...]) -> None:
    asks: list[Callable[[], object]] = [
        store.answer,
        lambda: file.put_into(store),
        lambda: store.fetch(file.key, file.sha256).__enter__(),
        lambda: store.read(file.key),
        lambda: store.size(file.key),
        lambda: list(store.listing("")),
        lambda: store.delete(file.key),
        lambda: store.sweep_leftovers(datetime.now(UTC)),
    ]
    for ask in asks:
        with pytest.raises(kinds) as raised:
            ask()
        told = "".join(traceback.format_exception(raised.value))
        assert SECRET not in told
