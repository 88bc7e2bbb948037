"""The CSV of an exported database."""

from __future__ import annotations

import csv
import hashlib
import io
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from arcana_pipelines.sources.notion_export.archive import MAX_FILE_BYTES, Archive, ExportFile
from arcana_pipelines.sources.notion_export.names import exact_key
from arcana_pipelines.sources.notion_export.page_text import decode


class UnreadableTable(Exception):
    """A CSV that cannot be read. The message says why."""


@dataclass(frozen=True)
class Table:
    """Rows as Notion wrote them: the first column is the title, `columns` are the others.

    `checksum` is the file's: row numbers mean something only beside the same one.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    checksum: str = ""

    def title(self, row: int) -> str:
        """The row's title, which may be empty."""
        return " ".join(self.rows[row][0].split())

    def cells(self, row: int) -> dict[str, str]:
        """The row's columns that hold something. Notion writes no line for an empty property."""
        return {name: text for name, text in zip(self.columns, self.rows[row][1:], strict=False) if text}

    def digest(self, row: int) -> str:
        """A hash of the row with the names of its columns."""
        whole = repr((self.rows[row][0], self.cells(row)))
        return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:16]

    @cached_property
    def by_title(self) -> dict[str, list[int]]:
        """Rows under the comparable form of their title, in the CSV's order."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for row in range(len(self.rows)):
            found[exact_key(self.title(row))].append(row)
        return dict(found)

    @cached_property
    def ordinals(self) -> list[int]:
        """For each row, how many rows before it have the same title."""
        numbers = [0] * len(self.rows)
        for rows in self.by_title.values():
            for ordinal, row in enumerate(rows):
                numbers[row] = ordinal
        return numbers


EMPTY = Table((), ())


def read_table(archive: Archive, file: ExportFile) -> Table:
    """Read one CSV whole.

    Raises:
        UnreadableTable: it is gone, too large or no CSV.
    """
    try:
        data = archive.read(file, MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadableTable(f"cannot be read ({error.strerror or error})") from error
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableTable(f"is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    # The default limit of 128 Ki characters a cell is less than a Notion text property may hold.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FILE_BYTES))
    try:
        lines = [
            [_clean(cell) for cell in line]
            for line in csv.reader(io.StringIO(decode(data)[0], newline=""))
            if any(cell.strip() for cell in line)
        ]
    except csv.Error as error:
        raise UnreadableTable(f"is not a proper CSV ({error})") from error
    header, *rows = lines or [[""]]
    kept = [row for row in rows if any(row[: len(header)])]
    return Table(_column_names(header), kept, hashlib.sha256(data).hexdigest())


def _clean(cell: str) -> str:
    text = unicodedata.normalize("NFC", cell).replace("\r\n", "\n")
    return text.strip()


def _column_names(header: Sequence[str]) -> list[str]:
    names: list[str] = []
    for number, name in enumerate(header[1:], start=2):
        unique = name or f"Column {number}"
        names.append(f"{unique} ({number})" if unique in names else unique)
    return names
