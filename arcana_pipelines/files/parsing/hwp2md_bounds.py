"""What hwp2md has no setting for, while a document is read by it.

It leaves the cells empty that a merged cell covers, as Markdown has it: here they are marked. It lays out tables as
large as a file says that they are, and unpacks the streams of HWP 5 without a bound: here both have one. Of HWPX it
reads what was deleted while changes were tracked, and leaves out ruby and overlaid letters: here it is given the text
that people see.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hwp2md.hwp5 import body as hwp5_body
from hwp2md.hwp5 import reader as hwp5_reader
from hwp2md.hwpx import body as hwpx_body
from hwp2md.hwpx import reader as hwpx_reader
from lxml import etree

from arcana_pipelines.files.parsing.protocol import Reason, Unreadable

# Noncharacters of Unicode, which no text holds: in a cell that a merged one covers.
AS_LEFT = "\ufdd0"
AS_ABOVE = "\ufdd1"

# Of one stream of an HWP 5, unpacked. The sections of an HWPX are bounded by hwp2md itself, at 50 MiB.
_MOST_BYTES = 100 * 2**20
_MOST_CELLS = 1_000_000
_TEXT = hwpx_body.HP_T
_DELETED, _UNTIL = (f"{{{hwpx_body.NS_HP}}}{name}" for name in ("deleteBegin", "deleteEnd"))
_RUBY, _OVERLAID, _MAIN, _ABOVE = (
    f"{{{hwpx_body.NS_HP}}}{name}" for name in ("dutmal", "compose", "mainText", "subText")
)


@contextmanager
def bounded() -> Iterator[None]:
    """hwp2md with these changes, until the block ends."""
    place_hwp5, place_hwpx = hwp5_body._place_cells, hwpx_body._place_grid
    inflate, parse_section = hwp5_reader._inflate, hwpx_reader.parse_section_xml

    def placed_hwp5(header: Any, cells: Sequence[tuple[Any, Any]]) -> Any:
        _check_cells(header.row_count, header.col_count)
        grid = place_hwp5(header, cells)
        _mark_covered(grid, [cell for cell, _ in cells], lambda mark: [mark])
        return grid

    def placed_hwpx(rows: int, cols: int, cells: Sequence[Any], values: Sequence[Any], fill: Any) -> Any:
        _check_cells(rows, cols)
        grid = place_hwpx(rows, cols, cells, values, fill)
        _mark_covered(grid, cells, lambda mark: mark if fill == "" else (mark,))
        return grid

    def parsed_section(data: bytes) -> Any:
        return _as_seen(parse_section(data))

    hwp5_body._place_cells, hwpx_body._place_grid = placed_hwp5, placed_hwpx
    hwp5_reader._inflate, hwpx_reader.parse_section_xml = _inflated, parsed_section
    try:
        yield
    finally:
        hwp5_body._place_cells, hwpx_body._place_grid = place_hwp5, place_hwpx
        hwp5_reader._inflate, hwpx_reader.parse_section_xml = inflate, parse_section


def too_large() -> Unreadable:
    """What a document is that unpacks to more than it may."""
    return Unreadable(Reason.TOO_LARGE, "the document unpacks to more than may be read")


def _check_cells(rows: int, columns: int) -> None:
    if rows * columns > _MOST_CELLS:
        raise Unreadable(Reason.TOO_LARGE, f"a table of more than {_MOST_CELLS // 10**6} million cells")


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj(-15)
    whole = stream.decompress(data, _MOST_BYTES + 1)
    if len(whole) > _MOST_BYTES:
        raise too_large()
    whole += stream.flush()
    if not whole and not stream.eof:
        raise zlib.error("cut off")  # of what is cut off later, the records say so
    return whole


def _mark_covered(grid: list[list[Any]], cells: Sequence[Any], marked: Callable[[str], Any]) -> None:
    for cell in cells:
        for row in range(max(cell.row, 0), min(cell.row + cell.row_span, len(grid))):
            for column in range(max(cell.col, 0), min(cell.col + cell.col_span, len(grid[row]))):
                if (row, column) != (cell.row, cell.col) and not grid[row][column]:
                    grid[row][column] = marked(AS_LEFT if column > cell.col else AS_ABOVE)


def _as_seen(section: Any) -> Any:
    """A section without what was deleted, and with ruby and overlaid letters as text."""
    if section.getroottree().docinfo.doctype:
        # Entities of its own would be left out without a word, and text with them.
        raise Unreadable(Reason.DAMAGED, "a part of the document declares a type, as none of Hangul's does")
    is_deleted = False
    for text in section.iter(_TEXT):
        text.text = None if is_deleted else text.text
        for mark in text:
            is_deleted = mark.tag == _DELETED or (is_deleted and mark.tag != _UNTIL)
            mark.tail = None if is_deleted else mark.tail
    for element in list(section.iter(_RUBY, _OVERLAID)):
        said = etree.Element(_TEXT)
        above = element.findtext(_ABOVE)
        said.text = (element.findtext(_MAIN) or element.get("composeText") or "") + (f"({above})" if above else "")
        element.getparent().replace(element, said)
    return section
