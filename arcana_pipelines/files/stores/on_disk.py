"""This machine's disk under a store: files that are not whole yet, and what to say when it fails."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from arcana_pipelines.errors import FileStoreRefused, FileStoreUnreachable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EEXIST)


@contextmanager
def telling(place: Path) -> Iterator[None]:
    """Say what is wrong with the disk, and what to do. What is caught here may come from nothing else.

    Raises:
        FileStoreRefused: the disk is full, or something there is not ours.
        FileStoreUnreachable: anything else.
    """
    try:
        yield
    except OSError as error:
        said = error.strerror or type(error).__name__
        if error.errno in _FULL:
            raise FileStoreRefused(
                f"The disk of {place} is full ({said}): make room there, or keep files in a bucket (S3_BUCKET_NAME)."
            ) from error
        if error.errno in _REFUSED:
            raise FileStoreRefused(
                f"{place} cannot be used ({said}): it and all below it have to be folders and files of the user who "
                "runs Arcana."
            ) from error
        raise FileStoreUnreachable(f"{place} cannot be used now ({said}).") from error


@contextmanager
def new_file(folder: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A file for its owner alone, which is gone at the end; a process that is killed leaves it for `sweep`.

    Raises:
        OSError: it cannot be made.
    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def sweep(folder: Path, older_than: datetime) -> int:
    """Delete the files of a folder that nothing was written to since a time; returns how many.

    Raises:
        OSError: it cannot be done.
    """
    swept = 0
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            path = folder / name
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                if not stat.S_ISDIR(status.st_mode) and status.st_mtime < older_than.timestamp():
                    path.unlink()
                    swept += 1
    return swept
