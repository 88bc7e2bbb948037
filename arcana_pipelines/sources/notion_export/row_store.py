"""The properties of every row, out of memory: written once when a CSV is read, read back row by row."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

_IN_MEMORY = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RowRecord:
    """What the export says of one row.

    Attributes:
        folder: where relative paths in `cells` begin.
        title: as the CSV has it; it may be empty.
        cells: by the column's name: those that hold something, but for the title.
        partial: what of it could not be read, in words.
    """

    folder: str
    title: str
    cells: Mapping[str, str]
    partial: tuple[str, ...] = ()


class RowStore:
    """Records in memory, and from a size on in a file without a name, which is gone with the process.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = io.BytesIO()
        self._end = 0

    def add(self, record: RowRecord) -> int:
        """Write a record; its place is what `read` takes."""
        said = json.dumps([record.title, record.cells])
        line = f"{said}\t{json.dumps([record.folder, record.partial])}\n".encode("ascii")
        if self._end <= _IN_MEMORY < self._end + len(line):
            self._file.seek(0)
            small, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this store
            shutil.copyfileobj(small, self._file)
        self._file.seek(self._end)
        self._file.write(line)
        place, self._end = self._end, self._end + len(line)
        return place

    def read(self, place: int) -> RowRecord:
        """The record that was written there."""
        said, rest = self._line(place).split(b"\t")
        title, cells = json.loads(said)
        folder, partial = json.loads(rest)
        return RowRecord(folder, title, cells, tuple(partial))

    def digest(self, place: int) -> str:
        """A hash of the row with the names of its columns: the same for the same row of the next export."""
        return hashlib.sha256(self._line(place).partition(b"\t")[0]).hexdigest()[:16]

    def _line(self, place: int) -> bytes:
        self._file.seek(place)
        return self._file.readline()

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
