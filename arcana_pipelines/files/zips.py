"""What a ZIP file says of its entries, read without unpacking any."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MOST_ENTRIES = 10_000
LARGEST_DIRECTORY = 2 * 2**20
"""In bytes, of the list of entries. Ten thousand entries with ordinary names take half of it."""
LARGEST_SUM = 512 * 2**20
LARGEST_ENTRY = 256 * 2**20
STEEPEST_RATIO = 100
"""Unpacked to packed, of what is larger than a MiB unpacked. Text seldom gets beyond 20."""
_SMALL = 2**20


class TooMuchInside(Exception):
    """A ZIP file would take more room or time than any ordinary one. The message says what, in numbers."""


class _Careful(io.FileIO):
    """A file of which nobody reads a longer list of entries than we allow: its size stands in the file itself."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(LARGEST_DIRECTORY + 1 if size is None or size < 0 else min(size, LARGEST_DIRECTORY + 1))
        if len(data) > LARGEST_DIRECTORY:
            raise TooMuchInside(f"its list of entries is larger than {LARGEST_DIRECTORY:,} bytes")
        return data


def entries(path: Path) -> list[zipfile.ZipInfo]:
    """The entries of a ZIP file in the order of its directory.

    Raises:
        zipfile.BadZipFile: it is none, or is damaged.
        TooMuchInside: the list alone is too long.
    """
    with opened(path) as archive:
        return archive.infolist()


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A ZIP file, of whose entries one reads at most 2 MiB at once. Raises as `entries`."""
    with _Careful(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except (ValueError, OverflowError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
            raise zipfile.BadZipFile(type(error).__name__) from error
        with archive:
            yield archive


def check(listed: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse what claims to unpack to more than we take. It may claim too little: whoever unpacks counts as well.

    Raises:
        TooMuchInside: it does.
    """
    if len(listed) > MOST_ENTRIES:
        raise TooMuchInside(f"{len(listed):,} entries, of {MOST_ENTRIES:,} at most")
    if (total := sum(entry.file_size for entry in listed)) > LARGEST_SUM:
        raise TooMuchInside(f"{total:,} bytes unpacked, of {LARGEST_SUM:,} at most")
    for entry in listed:
        if entry.file_size > LARGEST_ENTRY:
            raise TooMuchInside(f"an entry of {entry.file_size:,} bytes unpacked, of {LARGEST_ENTRY:,} at most")
        if entry.file_size > _SMALL and entry.file_size > STEEPEST_RATIO * max(entry.compress_size, 1):
            raise TooMuchInside(f"an entry that unpacks to more than {STEEPEST_RATIO} times its size")
