"""Who may use a store that is a file or a directory: several readers, or one who changes it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from arcana_pipelines.errors import TargetUnreachable

# So long others who use the store are waited for.
PATIENCE_SECONDS = 5.0
_LOOK_SECONDS = 0.01


class EmbeddedLock:
    """The lock of a store at a path, for each open store one; a file beside it, which is deleted with the store.

    In the file stands who changed the store last, so that one who keeps it open learns that it has to open it again.
    The lock goes with its process. It holds between threads, too, each with a lock of its own, but not between hosts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = lock_file(path)
        self._seen = b""

    @contextmanager
    def shared(self) -> Iterator[bool]:
        """Read the store within the block: nobody changes it.

        Yields:
            True where it was changed by others since this lock was held last, and the first time.

        Raises:
            TargetUnreachable: it is in use for too long, or the file cannot be made.
        """
        with self._held(fcntl.LOCK_SH) as file:
            stamp = os.pread(file, 64, 0)
            # A store that nobody of us has changed yet is new to whoever comes first.
            is_changed = stamp != self._seen or not stamp
            self._seen = stamp
            yield is_changed

    @contextmanager
    def exclusive(self, *, is_change: bool = True) -> Iterator[bool]:
        """Change the store within the block: nobody else uses it. For stores that only one process may open, that, too.

        Args:
            is_change: False where others need not open it again afterwards.

        Yields:
            True where it was changed by others since this lock was held last, and the first time.

        Raises:
            TargetUnreachable: it is in use for too long, or the file cannot be made.
        """
        with self._held(fcntl.LOCK_EX) as file:
            stamp = os.pread(file, 64, 0)
            is_changed = stamp != self._seen or not stamp
            if is_change:
                # Before anything is changed: whoever changes it may be killed.
                stamp = uuid4().hex.encode()
                os.pwrite(file, stamp, 0)
            self._seen = stamp
            yield is_changed

    @contextmanager
    def _held(self, how: int) -> Iterator[int]:
        until = time.monotonic() + PATIENCE_SECONDS
        while (file := self._try(how)) is None:
            if time.monotonic() >= until:
                raise TargetUnreachable(
                    f"The store {self._path} is in use by another process, which delivers to it or reads it. "
                    "Try again when that has ended."
                )
            time.sleep(_LOOK_SECONDS)
        try:
            yield file
        finally:
            os.close(file)

    def _try(self, how: int) -> int | None:
        """The open file with its lock; None while others have it."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TargetUnreachable(f"The store {self._path} cannot be locked: {error}.") from error
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            # One that was deleted since it was opened locks nothing: others have a new one.
            if os.path.samestat(os.fstat(file), os.stat(self._name)):
                return file
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError as error:
            os.close(file)
            raise TargetUnreachable(f"The store {self._path} cannot be locked: {error}.") from error
        os.close(file)
        return None


def lock_file(path: Path) -> Path:
    """Where the lock of a store at a path is."""
    return path.with_name(f"{path.name}.lock")
