"""The CSV of an exported database."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from arcana_pipelines.documents.characters import clean
from arcana_pipelines.sources.notion_export.archive import MAX_FILE_BYTES, Archive, ExportFile
from arcana_pipelines.sources.notion_export.encodings import decode
from arcana_pipelines.sources.notion_export.names import exact_key, one_line
from arcana_pipelines.sources.notion_export.references import shown

# Of a table in an unknown encoding nothing is known; of one with a broken cell all but that cell.
_BROKEN_SHARE = 0.02


class UnreadableTable(Exception):
    """A CSV that cannot be read now. The message says why."""


class UndecodableTable(UnreadableTable):
    """A CSV in an encoding that nothing tells: reading it again does not help."""


@dataclass(frozen=True)
class Table:
    """Rows as Notion wrote them. `names` are the columns, `title_at` says which of them is the title.

    `damage` says in words what could not be decoded.
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


def read_table(archive: Archive, file: ExportFile) -> Table:
    """Read one CSV whole. The first column is taken for the title.

    Raises:
        UnreadableTable: it is gone, too large or no CSV.
        UndecodableTable: nothing tells its encoding.
    """
    try:
        data = archive.read(file, MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadableTable(f"cannot be read ({error.strerror or error})") from error
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableTable(f"is larger than {MAX_FILE_BYTES // 1024**2} MiB")
    text, damage = decode(data)
    if damage and text.count("\ufffd") > max(_BROKEN_SHARE * len(text), 1):
        raise UndecodableTable("is in an unknown encoding; save it as UTF-8")
    # The default limit of 128 Ki characters a cell is less than a Notion text property may hold.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FILE_BYTES))
    try:
        lines = [
            [clean(cell).strip() for cell in line]
            for line in csv.reader(io.StringIO(text, newline=""))
            if any(cell.strip() for cell in line)
        ]
    except csv.Error as error:
        raise UnreadableTable(f"is not a proper CSV ({error})") from error
    header, *rows = lines or [[""]]
    kept = [row for row in rows if any(row[: len(header)])]
    return Table(_column_names(header), kept, damage=damage)


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
