"""Rows of a sheet or a CSV as text and tables: which row is the header, what stands above it, where one table ends.

A table is said in parts of `ROWS_OF_PART`, each with the header, so that no part is read without the names of its
columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from arcana_pipelines.files.parsing.blocks import Block, Place

ROWS_OF_PART = 50
_LOOKED_AT = 50  # rows of a table from which its width is guessed
_HEADER_WITHIN = 20  # rows
_MOST_HEADER_ROWS = 3
# Numbers with what people and programs write around them, dates, times, truth.
_VALUE = re.compile(
    r"[-+(△▲]?\s?[₩$€£¥]?\s?[\d.,']*\d[\d.,']*(?:[eE][-+]?\d+)?\s?[%원)]?"
    r"|\d{1,4}[-./]\s?\d{1,2}(?:[-./]\s?\d{1,4}\.?)?(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?|\d+:\d{2}(?::\d{2})?"
    r"|true|false|[-–—]|#[A-Z/0!?]+",
    re.I,
)
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is not empty.

    Attributes:
        number: as the program shows it.
        cells: all of them from the first column on.
        own: what stands in it, without what merged cells repeat; None: nothing is repeated.
    """

    number: int
    cells: Sequence[str]
    own: Sequence[str] | None = None


def written(rows: Sequence[Row], sheet: str | None = None) -> Iterator[Block]:
    """The blocks of rows, which ascend."""
    table: _Table | None = None
    for region in _regions(rows):
        at = _header_at(region)
        if table is not None and at is not None and _continues(table, region, at):
            table.rows.extend(region)
            continue
        if table is not None:
            yield from table.blocks(sheet)
            table = None
        if at is None:
            yield from (_line(row, sheet) for row in region)
            continue
        yield from (_line(row, sheet) for row in region[:at])
        table = _Table.begun(region[at:])
    if table is not None:
        yield from table.blocks(sheet)


def column_name(column: int) -> str:
    """What a program calls the column with this number, from 0: `A`, `Z`, `AA`."""
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


@dataclass(slots=True)
class _Table:
    header: list[str]
    header_rows: list[Row]
    rows: list[Row]

    @classmethod
    def begun(cls, rows: Sequence[Row]) -> _Table:
        if not _is_header(rows[0]):
            # Numbers from its first row on: its columns have no other names than the program's.
            width = max(len(row.cells) for row in rows)
            return cls([column_name(n) for n in range(width)], [], list(rows))
        header, height = list(rows[0].cells), 1
        most = min(len(rows), _MOST_HEADER_ROWS) if _has_merged(rows[0]) else 1
        while height < most and _is_below(header, rows[height]):
            header = [
                upper if upper == lower or not lower else f"{upper} {lower}".strip()
                for upper, lower in zip(header, rows[height].cells, strict=False)
            ]
            height += 1
        return cls(header, list(rows[:height]), list(rows[height:]))

    def blocks(self, sheet: str | None) -> Iterator[Block]:
        columns = [
            n
            for n in range(max(len(row.cells) for row in (*self.header_rows, *self.rows)))
            if any(n < len(row.cells) and row.cells[n] for row in (*self.header_rows, *self.rows))
        ]
        header = _of_columns(self.header, columns)
        for begin in range(0, max(len(self.rows), 1), ROWS_OF_PART):
            part = self.rows[begin : begin + ROWS_OF_PART]
            shown = [*(self.header_rows if begin == 0 else ()), *part]
            place = Place(sheet=sheet, first_row=shown[0].number, last_row=shown[-1].number)
            yield Block("table", rows=[header, *(_of_columns(row.cells, columns) for row in part)], place=place)


def _of_columns(cells: Sequence[str], columns: Sequence[int]) -> list[str]:
    return [cells[n] if n < len(cells) else "" for n in columns]


def _line(row: Row, sheet: str | None) -> Block:
    return Block("text", " ".join(_values(row)), place=Place(sheet=sheet, first_row=row.number, last_row=row.number))


def _values(row: Row) -> Sequence[str]:
    """What stands in a row, a merged cell once."""
    return row.own if row.own is not None else [value for value in row.cells if value]


def _regions(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Rows that stand together, without an empty one between them."""
    begin = 0
    for n in range(1, len(rows) + 1):
        if n == len(rows) or rows[n].number != rows[n - 1].number + 1:
            yield rows[begin:n]
            begin = n


def _header_at(region: Sequence[Row]) -> int | None:
    """Where the table of a region begins, which is with its header if it has one; None: it has no table."""
    counts = [len(_values(row)) for row in region[: max(_LOOKED_AT, _HEADER_WITHIN)]]
    wide = [count for count in counts if count > 1]
    if not wide:
        later = (n for n, row in enumerate(region) if len(_values(row)) > 1)
        return next(later, None)
    # As many as most of the wider rows have: what a few rows say of the whole above it is no header.
    enough = max(2, ceil(0.6 * sorted(wide)[round(0.75 * (len(wide) - 1))]))
    first = next(n for n, count in enumerate(counts) if count > 1)
    within = range(first, min(len(counts), _HEADER_WITHIN))
    return next((n for n in within if counts[n] >= enough or _names_numbers(region[n : n + 2])), first)


def _names_numbers(rows: Sequence[Row]) -> bool:
    """Whether most cells of the first of two rows are words with a number below."""
    if len(rows) < 2 or len(_values(rows[0])) < 2:
        return False
    return _values_below_words(rows[0], rows[1]) * 2 > len(_values(rows[0]))


def _values_below_words(upper: Row, lower: Row) -> int:
    return sum(
        bool(above and below) and not _VALUE.fullmatch(above) and _VALUE.fullmatch(below) is not None
        for above, below in zip(upper.cells, lower.cells, strict=False)
    )


def _is_header(row: Row) -> bool:
    """Whether a row names columns: mostly words. Years are names if there is a word beside them."""
    values = _values(row)
    words = sum(not _VALUE.fullmatch(value) for value in values)
    years = sum(bool(_YEAR.fullmatch(value)) for value in values) if words else 0
    return (words + years) * 2 >= len(values)


def _has_merged(row: Row) -> bool:
    return row.own is not None and len(row.own) < sum(map(bool, row.cells))


def _is_below(header: Sequence[str], row: Row) -> bool:
    """Whether a row divides columns of a header: its cells differ from it only below cells that cover several."""
    cells = row.cells
    if len(header) != len(cells):
        return False
    covering = {n for n in range(1, len(header)) if header[n] and header[n] == header[n - 1]}
    covering |= {n - 1 for n in covering}
    return bool(covering) and all(
        (bool(lower) and not _VALUE.fullmatch(lower)) if n in covering else lower in ("", header[n])
        for n, lower in enumerate(cells)
    )


def _continues(table: _Table, region: Sequence[Row], at: int) -> bool:
    """Whether a region behind an empty row is more of the table above: no title, no header of its own."""
    if at > 0:
        return False
    if not _is_header(region[0]) or len(region) == 1:
        return True
    if _reach(row.cells for row in region) != _reach([table.header]):
        return False
    return not _values_below_words(region[0], region[1])


def _reach(rows: Iterable[Sequence[str]]) -> tuple[int, int]:
    """The first and the last column that hold something."""
    columns = {n for cells in rows for n, cell in enumerate(cells) if cell}
    return min(columns, default=0), max(columns, default=0)
