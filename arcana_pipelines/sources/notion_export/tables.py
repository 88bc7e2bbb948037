"""The CSV of an exported database."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.sources.notion_export.archive import MAX_FILE_BYTES, Archive, ExportFile
from arcana_pipelines.sources.notion_export.encodings import decode
from arcana_pipelines.sources.notion_export.names import exact_key, one_line
from arcana_pipelines.sources.notion_export.references import shown

# Of a table in an unknown encoding nothing is known; of one with a broken cell all but that cell.
_BROKEN_SHARE = 0.02

# A small file can ask for much: each cell becomes an object, and each row repeats the names of its columns. Notion's
# databases have some hundred properties, and the largest that are known some hundred thousand rows.
MOST_COLUMNS = 1000
MOST_CELLS = 5_000_000
MOST_CHARACTERS = 2 * MAX_FILE_BYTES  # of all rows, each with the names of its columns

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")


class UnreadableTable(Exception):
    """A CSV that cannot be read now. The message says why."""


class UnusableTable(UnreadableTable):
    """A CSV in an encoding that nothing tells, or of a size that is not read: reading it again does not help."""


@dataclass(frozen=True)
class Table:
    """Rows as Notion wrote them.

    Attributes:
        names: the columns, in their order.
        rows: the cells of each row, as texts; a row may be shorter than `names`.
        title_at: which of the columns is the title, from 0.
        damage: what could not be decoded, in words; None: nothing.
    """

    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    title_at: int = 0
    damage: str | None = None

    @property
    def columns(self) -> list[str]:
        """The names of the columns but for the title's."""
        return [name for at, name in enumerate(self.names) if at != self.title_at]

    def cell(self, row: int, at: int) -> str:
        """One cell; a row may be shorter than the header."""
        return self.rows[row][at] if at < len(self.rows[row]) else ""

    def title(self, row: int) -> str:
        """The row's title as a person sees it, on one line; it may be empty."""
        return " ".join(shown(self.cell(row, self.title_at)).split())

    def cells(self, row: int) -> dict[str, str]:
        """The row's columns that hold something. Notion writes no line for an empty property."""
        pairs = enumerate(zip(self.names, self.rows[row], strict=False))
        return {name: text for at, (name, text) in pairs if text and at != self.title_at}

    @cached_property
    def by_title(self) -> dict[str, list[int]]:
        """Rows under the comparable form of their title, in the CSV's order."""
        rows: defaultdict[str, list[int]] = defaultdict(list)
        for row in range(len(self.rows)):
            rows[exact_key(self.title(row))].append(row)
        return dict(rows)

    @cached_property
    def ordinals(self) -> list[int]:
        """For each row, how many rows before it have the same title."""
        numbers = [0] * len(self.rows)
        for rows in self.by_title.values():
            for ordinal, row in enumerate(rows):
                numbers[row] = ordinal
        return numbers


def read_table(archive: Archive, file: ExportFile) -> Table:
    """Read one CSV whole. The first column is taken for the title.

    Raises:
        UnreadableTable: it is gone, too large or no CSV.
        UnusableTable: nothing tells its encoding, or it has more columns, cells or text than a table may.
    """
    try:
        data = archive.read(file, MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadableTable(f"cannot be read ({error.strerror or error})") from error
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableTable(f"is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    text, damage = decode(data)
    if damage and text.count("\ufffd") > max(_BROKEN_SHARE * len(text), 1):
        raise UnusableTable("is in an unknown encoding; save it as UTF-8")
    # The default limit of 128 Ki characters a cell is less than a Notion text property may hold.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FILE_BYTES))
    del data
    try:
        lines = _lines(text)
    except csv.Error as error:
        raise UnreadableTable(f"is not a proper CSV ({error})") from error
    header, *rows = lines or [[""]]
    names = _column_names(header)
    kept = [row for row in rows if any(row[: len(header)])]
    written = sum(len(file.stem) + _characters(names, row) for row in kept)
    if written > MOST_CHARACTERS:
        raise UnusableTable(
            f"has rows of {written:,} characters in all, with the names of their columns in each; at most "
            f"{MOST_CHARACTERS:,} are read. Shorten the names, or divide the table"
        )
    return Table(names, kept, damage=damage)


def _characters(names: Sequence[str], row: Sequence[str]) -> int:
    """How much is kept of a row: each property that holds something, with its name."""
    return sum(len(name) + len(cell) for name, cell in zip(names, row, strict=False) if cell)


def _lines(text: str) -> list[list[str]]:
    lines: list[list[str]] = []
    cells = 0
    for line in csv.reader(match[0] for match in _LINE.finditer(text)):
        if not any(cell.strip() for cell in line):
            continue
        cells += len(line)
        if not lines and len(line) > MOST_COLUMNS:
            raise UnusableTable(f"has {len(line):,} columns; at most {MOST_COLUMNS:,} are read. Remove some")
        if cells > MOST_CELLS:
            raise UnusableTable(f"has more than {MOST_CELLS:,} cells, and no more are read. Divide the table")
        lines.append([clean(cell).strip() for cell in line])
    return lines


def _column_names(header: Sequence[str]) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    for number, name in enumerate(header, start=1):
        unique = one_line(name).strip() or f"Column {number}"
        if unique in taken:
            unique = f"{unique} ({number})"
        taken.add(unique)
        names.append(unique)
    return names
