"""What calamine does not survive and does not tell of a workbook: values that lie far apart or are many; percentages.

calamine has a place for each cell of a sheet: for a value in A1 and one in XFD1048576, seventeen thousand million. So
sheets are measured before it reads them, and those that are too large are written anew, with as many rows as are read
and no empty ones between.
"""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lxml import etree

from arcana_pipelines.files.parsing.packages import Element, Package, child, local, number, value
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.sheet_rows import column_name

MOST_CELLS = 5_000_000
# A sheet with so many times the rows that are read is cut before, which costs what its merged cells would repeat.
_MANY = 5
MOST_COLUMNS = 1_000  # of a sheet that is written anew
_REFERENCE = re.compile(r"([A-Za-z]{1,3})(\d{1,7})")
_QUOTED = re.compile(r'"[^"]*"|\\.')
_OF_CELL = frozenset({"v", "is"})


@dataclass(frozen=True, slots=True)
class Compacted:
    """A workbook in which sheets were written anew.

    Attributes:
        file: the workbook.
        rows: by the name of such a sheet: the number that each of its rows had, from 1.
        cut: names of sheets of which rows or columns were left out.
    """

    file: io.BytesIO
    rows: dict[str, list[int]] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)


def compacted(path: Path, most_rows: int) -> Compacted | None:
    """An XLSX whose sheets are all small enough to be read; None: they are as they stand.

    Raises:
        Unreadable: the file is damaged or too large.
    """
    with Package.opened(path) as package:
        large = {name: part for name, part in _sheets(package).items() if _is_large(package, part, most_rows)}
        if not large:
            return None
        result = Compacted(io.BytesIO())
        with zipfile.ZipFile(result.file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
            for part in package.names():
                if part not in large.values():
                    with package.stream(part) as source, target.open(part, "w") as copy:
                        shutil.copyfileobj(source, copy)
            for name, part in large.items():
                result.rows[name], is_cut = _write_anew(package, part, target, most_rows)
                if is_cut:
                    result.cut.add(name)
        result.file.seek(0)
        return result


def check_ods(path: Path) -> None:
    """Refuse an ODS whose sheets claim too many cells: it says how often a row and a cell repeat.

    Raises:
        Unreadable: too large, or damaged.
    """
    with Package.opened(path) as package:
        rows = columns = before = 0
        for element in package.elements("content.xml", "table-row", "table"):
            if local(element) == "table":
                rows = columns = before = 0
                continue
            repeated = number(value(element, "number-rows-repeated"), 1)
            width = _last_of_row(element)
            if width:
                rows, columns = before + repeated, max(columns, width)
            before += repeated
            if rows * columns > MOST_CELLS:
                raise Unreadable(Reason.TOO_LARGE, "a sheet has more cells than are read")


def _last_of_row(row: Element) -> int:
    """The number of the last cell of a row that is not empty."""
    column = last = 0
    for cell in row:
        column += number(value(cell, "number-columns-repeated"), 1)
        if len(cell) or value(cell, "value-type"):
            last = column
    return last


def percentages(path: Path, most_rows: int) -> dict[str, set[tuple[int, int]]]:
    """The cells of an XLSX that show their number as a percentage, which calamine does not tell: row and column from 1.

    They are looked for in the first rows of each sheet that have values, by the names of the sheets.

    Raises:
        Unreadable: the file is damaged or too large.
    """
    with Package.opened(path) as package:
        styles = _styles_of_percentages(package)
        if not styles:
            return {}
        return {
            name: {
                (at, _column(cell))
                for at, cells in islice(_with_values(package, part), most_rows)
                for cell in cells
                if cell.get("s") in styles and cell.get("t", "n") == "n"
            }
            for name, part in _sheets(package).items()
        }


def _styles_of_percentages(package: Package) -> set[str]:
    """The numbers of the styles of cells whose format has a percent sign (ECMA-376, 18.8.30: 9 and 10 are built in)."""
    name = next((r.target for r in package.relations(_workbook(package)).values() if r.kind == "styles"), "")
    if name not in package:
        return set()
    root = package.tree(name)
    listed, used = child(root, "numFmts"), child(root, "cellXfs")
    formats = {"9", "10"} | {
        value(entry, "numFmtId") for entry in (listed if listed is not None else ())
        if "%" in _QUOTED.sub("", value(entry, "formatCode") or "")
    }  # fmt: skip
    return {str(n) for n, style in enumerate(used if used is not None else ()) if value(style, "numFmtId") in formats}


def _workbook(package: Package) -> str:
    return next((r.target for r in package.relations().values() if r.kind == "officeDocument"), "xl/workbook.xml")


def _sheets(package: Package) -> dict[str, str]:
    """The parts of the sheets of a workbook, by their names."""
    main = _workbook(package)
    relations = package.relations(main)
    sheets = child(package.tree(main), "sheets")
    found = {}
    for sheet in sheets if sheets is not None else ():
        relation = relations.get(next((text for key, text in sheet.attrib.items() if key.endswith("}id")), ""))
        if relation is not None and relation.kind == "worksheet" and relation.target in package:
            found[value(sheet, "name") or ""] = package.name_of(relation.target)
    return found


def _is_large(package: Package, part: str, most_rows: int) -> bool:
    """Whether the smallest rectangle that holds all values of a sheet has too many cells, or far too many rows."""
    first_row, first, last = 0, 1 << 14, 0
    for count, (at, row) in enumerate(_rows(package, part), start=1):
        columns = [column for column, cell in (_at_end(row), _at_end(row, backwards=True)) if cell is not None]
        if columns:
            first_row = first_row or at
            first, last = min(first, *columns), max(last, *columns)
            if count > _MANY * most_rows or (at - first_row + 1) * (last - first + 1) > MOST_CELLS:
                return True
    return False


def _rows(package: Package, part: str) -> Iterator[tuple[int, Element]]:
    at = 0
    for row in package.elements(part, "row"):
        at = number(row.get("r"), at + 1)
        yield at, row


def _with_values(package: Package, part: str) -> Iterator[tuple[int, list[Element]]]:
    """The rows with a value, and their cells that have one."""
    for at, row in _rows(package, part):
        if cells := [cell for cell in row if any(local(inner) in _OF_CELL for inner in cell)]:
            yield at, cells


def _at_end(row: Element, backwards: bool = False) -> tuple[int, Element | None]:
    """The first cell of a row with a value, or the last, and its column from 1."""
    for cell in reversed(row) if backwards else row:
        if any(local(part) in _OF_CELL for part in cell):
            return _column(cell), cell
    return 0, None


def _column(cell: Element) -> int:
    found = _REFERENCE.fullmatch(cell.get("r") or "")
    if found is None:
        # Without a reference a cell stands behind the one before it.
        before = cell.getprevious()
        return _column(before) + 1 if before is not None and before.get("r") else cell.getparent().index(cell) + 1
    column = 0
    for letter in found[1].upper():
        column = column * 26 + ord(letter) - ord("A") + 1
    return column


def _write_anew(package: Package, part: str, target: zipfile.ZipFile, most_rows: int) -> tuple[list[int], bool]:
    """Write a sheet without its empty rows and columns. Its rows' numbers, and whether something was left out."""
    numbers: list[int] = []
    columns: dict[int, int] = {}
    is_cut = False
    for _, row in islice(_with_values(package, part), most_rows):
        for cell in row:
            columns.setdefault(_column(cell), 0)
    for n, column in enumerate(sorted(columns)):
        columns[column] = n
    with target.open(part, "w") as sheet:
        namespace = ""
        for at, cells in _with_values(package, part):
            if len(numbers) == most_rows:
                is_cut = True
                break
            if not numbers:
                namespace = str(cells[0].tag).rpartition("}")[0].lstrip("{")
                sheet.write(f'<worksheet xmlns="{namespace}"><sheetData>'.encode())
            numbers.append(at)
            sheet.write(f'<row r="{len(numbers)}">'.encode())
            places = [columns[_column(cell)] for cell in cells]
            for place, cell in zip(places, cells, strict=True):
                if place >= MOST_COLUMNS:
                    is_cut = True
                    continue
                cell.set("r", f"{column_name(place)}{len(numbers)}")
                sheet.write(etree.tostring(cell, with_tail=False))
            sheet.write(b"</row>")
        sheet.write(b"</sheetData></worksheet>" if numbers else b"<worksheet/>")
    return numbers, is_cut
