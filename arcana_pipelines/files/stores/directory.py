"""Files in a directory. A file is made beside the others, and gets its name when all of it is on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from arcana_pipelines.errors import FileDamaged, FileMissing, FileStoreRefused
from arcana_pipelines.files.stores.keys import hash_in, is_key, require_key
from arcana_pipelines.files.stores.on_disk import new_file, sweep, telling
from arcana_pipelines.files.stores.pieces import begun, checked, of_file
from arcana_pipelines.files.stores.protocol import StoredObject

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DEPTH = 5  # parts of a key
# On file systems without hard links. The file gets its name by a rename there, over the same bytes at worst.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)
# While a file is put, somebody may delete the last one of its folder, and so the folder.
_TRIES = 5


class DirectoryStore:
    """See `FileStore`. No link below its root is followed."""

    def __init__(self, root: Path, incoming: Path) -> None:
        """`root` need not exist. `incoming` is for what is not whole yet, in the same file system."""
        self._root = root
        self._incoming = incoming

    def put(self, key: str, source: Path, sha256: str, size: int) -> None:
        """See `FileStore.put`."""
        require_key(key, sha256)
        with source.open("rb") as read:
            if os.fstat(read.fileno()).st_size != size:
                raise FileDamaged("A file to be stored has another size than is said.")
            with telling(self._root):
                if self._is_there(key, size):
                    return
                with new_file(self._incoming) as (path, written):
                    written.writelines(checked(of_file(read), sha256, "A file to be stored"))
                    written.flush()
                    os.fsync(written.fileno())
                    self._name(path, key)
                self._is_there(key, size)

    @contextmanager
    def fetch(self, key: str, sha256: str) -> Iterator[Path]:
        """See `FileStore.fetch`. It is the stored file itself."""
        require_key(key, sha256)
        for _ in self.read(key):
            pass
        yield self._root / key

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `FileStore.read`."""
        return begun(self._pieces(key, hash_in(key), start, length))

    def size(self, key: str) -> int | None:
        """See `FileStore.size`."""
        hash_in(key)
        with telling(self._root):
            status = self._status(key)
            return status.st_size if status is not None else None

    def listing(self, prefix: str) -> Iterator[StoredObject]:
        """See `FileStore.listing`. The names of one folder are in memory: a 256th of a workspace's."""
        with telling(self._root), contextlib.suppress(FileNotFoundError), self._folder(()) as root:
            yield from _walk(root, (), prefix)

    def delete(self, key: str) -> None:
        """See `FileStore.delete`. Folders that are empty then go with it."""
        hash_in(key)
        parts = key.split("/")
        with telling(self._root), contextlib.suppress(FileNotFoundError):
            with self._folder(parts[:-1]) as folder:
                os.unlink(parts[-1], dir_fd=folder)
            for depth in range(_DEPTH - 1, 0, -1):
                with self._folder(parts[: depth - 1]) as folder:
                    try:
                        os.rmdir(parts[depth - 1], dir_fd=folder)
                    except OSError as error:
                        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                            raise
                        return

    def address(self, key: str, name: str, mime_type: str, seconds: int) -> str | None:
        """See `FileStore.address`: none."""
        return None

    def sweep_leftovers(self, older_than: datetime) -> int:
        """See `FileStore.sweep_leftovers`."""
        with telling(self._incoming):
            return sweep(self._incoming, older_than)

    def answer(self) -> str:
        """See `FileStore.answer`."""
        with telling(self._root):
            place = next(each for each in (self._root, *self._root.parents) if each.exists())
            if not place.is_dir() or not os.access(place, os.R_OK | os.W_OK | os.X_OK):
                raise FileStoreRefused(f"{place} is not a folder that you can write to: change its permissions")
            free = f"{shutil.disk_usage(place).free / 1e9:,.1f} GB are free"
            return f"{self._root}, {free}" if place == self._root else f"{self._root} will be made, {free}"

    def close(self) -> None:
        """See `FileStore.close`."""

    def _pieces(self, key: str, sha256: str, start: int, length: int | None) -> Iterator[bytes]:
        with telling(self._root), self._open(key) as file:
            if start or length is not None:
                file.seek(start)
                yield from of_file(file, length=length)
            else:
                yield from checked(of_file(file), sha256, f"The stored file {key}")

    def _open(self, key: str) -> BinaryIO:
        parts = key.split("/")
        try:
            with self._folder(parts[:-1]) as folder:

                def opener(name: str, flags: int) -> int:
                    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)

                return open(parts[-1], "rb", opener=opener)
        except FileNotFoundError as error:
            raise FileMissing(f"There is no stored file {key} in {self._root}.") from error

    def _is_there(self, key: str, size: int) -> bool:
        status = self._status(key)
        if status is not None and status.st_size != size:
            raise FileDamaged(f"The stored file {key} has other bytes than its hash says.")
        return status is not None

    def _status(self, key: str) -> os.stat_result | None:
        parts = key.split("/")
        try:
            with self._folder(parts[:-1]) as folder:
                status = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ELOOP, "what is there is no file")
        return status

    def _name(self, path: Path, key: str) -> None:
        """Give a file its place, where nothing is."""
        parts = key.split("/")
        for attempt in range(1, _TRIES + 1):
            try:
                with self._folder(parts[:-1], make=True) as folder:
                    _link(path, folder, parts[-1])
                    os.fsync(folder)
                    return
            except FileNotFoundError:
                if attempt == _TRIES:
                    raise

    @contextmanager
    def _folder(self, parts: tuple[str, ...] | list[str], make: bool = False) -> Iterator[int]:
        """A descriptor of the folder of these names, which are looked for one below the other."""
        if make:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._root, _FOLDER)
        try:
            for part in parts:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=descriptor)
                        os.fsync(descriptor)
                below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)


def _link(path: Path, folder: int, name: str) -> None:
    try:
        os.link(path, name, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.rename(path, name, dst_dir_fd=folder)


def _walk(folder: int, above: tuple[str, ...], prefix: str) -> Iterator[StoredObject]:
    for name in sorted(os.listdir(folder)):
        parts = (*above, name)
        path = "/".join(parts)
        if len(parts) == _DEPTH:
            if path.startswith(prefix) and is_key(path):
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        yield StoredObject(path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
        elif f"{path}/".startswith(prefix) or prefix.startswith(f"{path}/"):
            try:
                below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            try:
                yield from _walk(below, parts, prefix)
            finally:
                os.close(below)
