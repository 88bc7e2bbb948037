"""Where backups are kept: a folder, or a bucket. A place keeps files by name and knows nothing of what they are."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from arcana_pipelines.errors import BackupRefused
from arcana_pipelines.files.stores.protocol import Bucket
from arcana_pipelines.files.stores.registry import open_bucket
from arcana_pipelines.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
# Of a file that is not whole yet: no name of ours begins so.
_UNFINISHED = ".new-"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file in a place.

    Attributes:
        size: in bytes.
        kept_at: when it was put there, by the place's clock; aware.
    """

    name: str
    size: int
    kept_at: datetime


class Place(Protocol):
    """Files by name, each whole or not there. Names have `/` between their parts.

    All methods:

    Raises:
        BackupRefused: it does not answer, is full or lets nobody in; the message says what to do.
    """

    # For people: where it is, without secrets.
    shown: str
    # Whether `locked` may keep others out.
    has_locks: bool

    def put(self, name: str, content: bytes) -> None:
        """Keep a file; one of this name that is there is replaced in one step. It may reach the disk later."""
        ...

    def settle(self) -> None:
        """Return when all that was put is on the disk."""
        ...

    def get(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""
        ...

    def names(self, prefix: str) -> Iterator[Kept]:
        """The files whose names begin so, which ends at a `/` or is empty."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file, and nothing where there is none."""
        ...

    def leftovers(self) -> Iterator[Kept]:
        """Files that never became whole."""
        ...

    def locked(self, exclusive: bool) -> contextlib.AbstractContextManager[bool]:
        """Keep others from what does not go together: one who deletes (`exclusive`) and those who write or read.

        Gives False where that is not known to hold: somebody else is at work, or the place has no locks.
        """
        ...

    def close(self) -> None:
        """Release what is open."""
        ...


@contextmanager
def open_place(address: str, settings: Settings, may_make: bool = False) -> Iterator[Place]:
    """The place at an address (a folder's path, or `s3://BUCKET/PREFIX`) until the block ends.

    `may_make`: a folder that is missing is made.

    Raises:
        BackupRefused: there is no such place, or it cannot be used.
    """
    if "://" in address:
        parts = urlsplit(address)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
            raise BackupRefused("A place of backups is the path of a folder, or s3://BUCKET/PREFIX.")
        with open_bucket(settings, parts.netloc) as bucket:
            yield BucketPlace(bucket, parts.path.strip("/"), address)
        return
    place: Place = FolderPlace(Path(address).expanduser().absolute(), may_make)
    try:
        yield place
    finally:
        place.close()


def has_backups(address: str, settings: Settings) -> bool:
    """Whether backups lie at an address, of whatever key; false, too, where there is no such place (yet).

    Raises:
        BackupRefused: the address is none, or a bucket does not answer.
    """
    if "://" not in address and not Path(address).expanduser().is_dir():
        return False
    with open_place(address, settings) as place:
        return next(iter(place.names("backups/")), None) is not None


class FolderPlace:
    """See `Place`: a folder, for its owner alone. A file is made beside the others and then gets its name."""

    has_locks = True

    def __init__(self, root: Path, may_make: bool) -> None:
        """`may_make`: a folder that is missing is made."""
        self._root = root
        self.shown = str(root)
        with self._telling():
            if may_make:
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not root.is_dir():
                raise BackupRefused(f"There are no backups at {root}: it is not a folder.")

    def put(self, name: str, content: bytes) -> None:
        """See `Place.put`."""
        path = self._path(name)
        with self._telling():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, new = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                os.replace(new, path)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new)
                raise

    def settle(self) -> None:
        """See `Place.settle`. To wait for each file by itself would take most of the time of a backup."""
        with self._telling():
            handle = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if ctypes.CDLL(None, use_errno=True).syncfs(handle):
                    raise OSError(ctypes.get_errno(), "its file system cannot be written to the disk")
            finally:
                os.close(handle)

    def get(self, name: str) -> bytes | None:
        """See `Place.get`."""
        with self._telling():
            try:
                return self._path(name).read_bytes()
            except FileNotFoundError:
                return None

    def names(self, prefix: str) -> Iterator[Kept]:
        """See `Place.names`."""
        with self._telling():
            for folder, below, files in os.walk(self._root / prefix):
                below.sort()
                for each in sorted(files):
                    path = Path(folder, each)
                    with contextlib.suppress(FileNotFoundError):
                        status = path.lstat()
                        if stat.S_ISREG(status.st_mode) and not each.startswith(_UNFINISHED):
                            name = path.relative_to(self._root).as_posix()
                            yield Kept(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def delete(self, name: str) -> None:
        """See `Place.delete`. Folders that are empty then go with it."""
        path = self._root / name  # also what is not whole, whose name is none of ours
        with self._telling():
            path.unlink(missing_ok=True)
            for parent in path.parents:
                if parent == self._root:
                    break
                try:
                    parent.rmdir()
                except OSError:  # it holds others, or somebody was sooner
                    break

    def leftovers(self) -> Iterator[Kept]:
        """See `Place.leftovers`."""
        with self._telling():
            for path in sorted(self._root.rglob(f"{_UNFINISHED}*")):
                with contextlib.suppress(FileNotFoundError):
                    status = path.lstat()
                    moment = datetime.fromtimestamp(status.st_mtime, UTC)
                    yield Kept(path.relative_to(self._root).as_posix(), status.st_size, moment)

    @contextmanager
    def locked(self, exclusive: bool) -> Iterator[bool]:
        """See `Place.locked`. A folder that cannot be written to has no lock, and nobody who deletes."""
        path = self._root / "lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            yield False
            return
        try:
            try:
                fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                held = True
            except OSError:  # somebody has it, or the file system knows no locks
                held = False
            yield held
        finally:
            os.close(handle)

    def close(self) -> None:
        """See `Place.close`."""

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name) or ".." in name.split("/"):
            raise BackupRefused("A name in a place of backups is none of ours.")
        return self._root / name

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            said = error.strerror or type(error).__name__
            raise BackupRefused(
                f"The place of backups {self._root} cannot be used ({said}): make room there, or let the user who runs "
                "Arcana read and write it."
            ) from error


class BucketPlace:
    """See `Place`: objects in a bucket, below a prefix. It knows no locks: what is young is left alone by who deletes.

    Raises, in the place of BackupRefused:
        FileStoreRefused, FileStoreUnreachable: what the service says, and what to do.
    """

    has_locks = False

    def __init__(self, bucket: Bucket, prefix: str, address: str) -> None:
        """`address` is what it is called; it has no secrets."""
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self.shown = address

    def put(self, name: str, content: bytes) -> None:
        """See `Place.put`."""
        self._bucket.put(self._prefix + name, content)

    def settle(self) -> None:
        """See `Place.settle`: an object that was put is there."""

    def get(self, name: str) -> bytes | None:
        """See `Place.get`."""
        return self._bucket.get(self._prefix + name)

    def names(self, prefix: str) -> Iterator[Kept]:
        """See `Place.names`."""
        for each in self._bucket.names(self._prefix + prefix):
            yield Kept(each.key.removeprefix(self._prefix), each.size, each.stored_at)

    def delete(self, name: str) -> None:
        """See `Place.delete`."""
        self._bucket.delete(self._prefix + name)

    def leftovers(self) -> Iterator[Kept]:
        """See `Place.leftovers`: an object is whole or not there."""
        return iter(())

    @contextmanager
    def locked(self, exclusive: bool) -> Iterator[bool]:
        """See `Place.locked`."""
        yield False

    def close(self) -> None:
        """See `Place.close`."""
