"""Ruled tables of a PDF: where their cells are, by pdfplumber."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points, upwards."""

_NEAR = 3.0  # points
_MOST_CELLS = 20_000
_MOST_EDGES = 20_000
_SECONDS_A_PAGE = 3.0


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as rows of cells; a cell that spans several stands in each."""

    box: Box
    rows: Sequence[Sequence[Box | None]]


class _TooSlow(Exception):
    pass


class Ruled:
    """The tables of a document's pages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._document: Any = None

    def on_page(self, index: int) -> list[Grid]:
        """The tables of a page, from the top; none where the page is turned, or takes too long."""
        import pdfplumber
        from pdfminer.pdfparser import PDFSyntaxError
        from pdfminer.psparser import PSException

        try:
            with _at_most(_SECONDS_A_PAGE):
                if self._document is None:
                    self._document = pdfplumber.open(self._path)
                page = self._document.pages[index]
                try:
                    return _grids(page)
                finally:
                    page.close()
        except (
            _TooSlow, PSException, PDFSyntaxError, pdfplumber.utils.exceptions.PdfminerException, ArithmeticError,
            AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
        ):  # fmt: skip
            return []  # of a page that PDFium could read; its lines are text as they stand

    def close(self) -> None:
        """Release what is open."""
        if self._document is not None:
            self._document.close()


def _grids(page: Any) -> list[Grid]:
    if page.rotation or tuple(page.mediabox[:2]) != (0, 0) or len(page.edges) > _MOST_EDGES:
        return []
    height = float(page.mediabox[3])
    grids: list[Grid] = []
    for table in page.find_tables({"explicit_vertical_lines": _open_sides(page.edges)}):
        cells = [(x0, height - bottom, x1, height - top) for x0, top, x1, bottom in table.cells]
        if grid := _grid(cells):
            grids.append(grid)
    return grids


def _open_sides(edges: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines where a table has none at its sides: where three and more of its lines across begin and end."""
    sides: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
    for left, right, at in _across(edges):
        sides.setdefault((round(left / _NEAR), round(right / _NEAR)), []).append((left, right, at))
    lines: list[dict[str, Any]] = []
    for group in sides.values():
        heights = [at for _, _, at in group]
        if len({round(at) for at in heights}) < 3:
            continue
        for x in (min(left for left, _, _ in group), max(right for _, right, _ in group)):
            lines.append(
                {"object_type": "line", "x0": x, "x1": x, "top": min(heights), "bottom": max(heights), "width": 0}
                | {"height": max(heights) - min(heights), "orientation": "v"}
            )
    return lines


def _across(edges: Sequence[dict[str, Any]]) -> Iterator[tuple[float, float, float]]:
    """Lines across (left, right, distance from the top), those in one piece that touch each other."""
    pieces = sorted((round(e["top"]), e["x0"], e["x1"], e["top"]) for e in edges if e["orientation"] == "h")
    joined: list[list[float]] = []
    for row, left, right, at in pieces:
        if joined and joined[-1][0] == row and left <= joined[-1][2] + _NEAR:
            joined[-1][2] = max(joined[-1][2], right)
        else:
            joined.append([row, left, right, at])
    yield from ((left, right, at) for _, left, right, at in joined)


def _grid(cells: Sequence[Box]) -> Grid | None:
    """Cells of any spans as rows and columns."""
    columns = _steps([cell[0] for cell in cells] + [cell[2] for cell in cells])
    heights = _steps([cell[1] for cell in cells] + [cell[3] for cell in cells])
    across, down = len(columns) - 1, len(heights) - 1
    if across < 2 or down < 2 or across * down > _MOST_CELLS:
        return None
    placed: dict[tuple[int, int], Box] = {}
    for cell in cells:
        for row in _covered(heights, cell[1], cell[3]):
            for column in _covered(columns, cell[0], cell[2]):
                placed[row, column] = cell
    rows = [[placed.get((row, column)) for column in range(across)] for row in reversed(range(down))]
    return Grid((columns[0], heights[0], columns[-1], heights[-1]), rows)


def _steps(values: Sequence[float]) -> list[float]:
    steps: list[float] = []
    for value in sorted(values):
        if not steps or value - steps[-1] > _NEAR:
            steps.append(value)
    return steps


def _covered(steps: Sequence[float], begin: float, end: float) -> list[int]:
    return [at for at, (low, high) in enumerate(pairwise(steps)) if begin < (low + high) / 2 < end]


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer. Only in a process of one thread."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
