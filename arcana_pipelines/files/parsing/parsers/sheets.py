"""Workbooks (.xlsx, .xlsb, .xls, .ods): the values that their program has computed and kept, sheet after sheet.

Not read: formulas (one that was never computed has no value), charts, macros, comments, what formats make of numbers.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import python_calamine as calamine

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing import sheet_rows
from arcana_pipelines.files.parsing.blocks import Block, Note, Place, Said
from arcana_pipelines.files.parsing.grid import MOST_OF_REPEATED
from arcana_pipelines.files.parsing.plain import plain
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable
from arcana_pipelines.files.parsing.sheet_rows import Row
from arcana_pipelines.files.parsing.workbooks import MOST_COLUMNS, Compacted, check_ods, compacted, percentages

_MOST_REPEATED = 1_000_000  # cells that merged ones cover, of one sheet
_Cells = Set[tuple[int, int]]
_Merged = Sequence[tuple[tuple[int, int], tuple[int, int]]]


def parse(job: Job) -> Iterator[Said]:
    """Say what stands in the sheets. A sheet is a heading, then text and tables.

    Raises:
        Unreadable: encrypted, damaged, or larger than it may be.
    """
    if job.kind is FileKind.ODS:
        check_ods(job.path)  # of which calamine reads all sheets at once
    book = _opened_by_kind(job)
    anew = compacted(job.path, job.most_rows) if job.kind is FileKind.XLSX else None
    percent = percentages(job.path, job.most_rows) if job.kind is FileKind.XLSX else {}
    with _opened(anew.file) if anew is not None else book as book:
        for n, sheet in enumerate(book.sheets_metadata, start=1):
            if sheet.visible is calamine.SheetVisibleEnum.VeryHidden:
                yield Note(f"sheet {n} can be seen by programs only, and was not read")
            elif sheet.typ is calamine.SheetTypeEnum.WorkSheet:
                if sheet.visible is calamine.SheetVisibleEnum.Hidden:
                    yield Note(f"sheet {n} is hidden, and read as the others")
                yield from _sheet(book, n, sheet.name, anew, percent.get(sheet.name, set()), job.most_rows)


def _opened_by_kind(job: Job) -> calamine.CalamineWorkbook:
    try:
        return _opened(job.path)
    except Unreadable:
        # calamine tells a password from damage only where it knows the kind, which is by the name of the file.
        named = job.directory / f"workbook.{job.kind}"
        shutil.copyfile(job.path, named)
        return _opened(named)


def _opened(file: Path | IO[bytes]) -> calamine.CalamineWorkbook:
    with _errors():
        return calamine.load_workbook(str(file) if isinstance(file, Path) else file)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except calamine.PasswordError as error:
        raise Unreadable(Reason.ENCRYPTED, "it opens with a password") from error
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise Unreadable(Reason.DAMAGED, f"the workbook is broken ({type(error).__name__})") from error
    except BaseException as error:
        # Rust's panic, on bytes that calamine did not foresee, is no Exception, and its class has no name to import.
        if type(error).__name__ != "PanicException":
            raise
        raise Unreadable(Reason.DAMAGED, "the workbook is broken (calamine gave up)") from error


def _sheet(
    book: calamine.CalamineWorkbook, n: int, name: str, anew: Compacted | None, percent: _Cells, most_rows: int
) -> Iterator[Block | Note]:
    try:
        with _errors():
            sheet = book.get_sheet_by_index(n - 1)
            merged: _Merged = sheet.merged_cell_ranges or ()
    except Unreadable:
        yield Note(f"sheet {n} is damaged and was not read")
        return
    label = plain(name)
    numbers = anew.rows.get(name) if anew is not None else None
    rows, has_more = _rows(sheet, most_rows, percent if numbers is None else set())
    own = {at: [cell for cell in cells if cell] for at, cells in rows.items()}
    _repeat(rows, () if numbers is not None else merged)
    kept = [Row(at if numbers is None else numbers[at - 1], cells, own[at]) for at, cells in rows.items()]
    if not kept:
        return
    yield Block("heading", label, level=1, place=Place(sheet=label, first_row=kept[0].number))
    yield from sheet_rows.written(kept, label)
    if has_more:
        yield Note(f"sheet {n}: what follows row {kept[-1].number:,} was not read")
    elif anew is not None and name in anew.cut:
        yield Note(
            f"sheet {n}: of its values, those of the first {most_rows:,} rows and {MOST_COLUMNS:,} columns were read"
        )


def _rows(sheet: calamine.CalamineSheet, most_rows: int, percent: _Cells) -> tuple[dict[int, list[str]], bool]:
    """The rows that hold something, by their number from 1, and whether there are more than are read."""
    first = sheet.start[1] if sheet.start else 0
    rows: dict[int, list[str]] = {}
    for at, values in enumerate(sheet.iter_rows(), start=1):
        cells = [_written(value, (at, column) in percent) for column, value in enumerate(values, start=first + 1)]
        if any(cells):
            if len(rows) == most_rows:
                return rows, True
            rows[at] = [""] * first + cells
    return rows, False


def _repeat(rows: dict[int, list[str]], merged: _Merged) -> None:
    """Write the value of a merged cell into each cell that it covers."""
    budget = _MOST_REPEATED
    for (top, first), (bottom, last) in merged:
        text = rows[top + 1][first] if top + 1 in rows and first < len(rows[top + 1]) else ""
        if not text or len(text) > MOST_OF_REPEATED:
            continue
        # A row that holds nothing of its own is not made one that does.
        for at in range(top + 1, min(bottom + 1, max(rows)) + 1):
            budget -= 1
            cells = rows.get(at)
            if cells is None:
                continue
            for column in range(first, min(last + 1, len(cells))):
                budget -= 1
                cells[column] = cells[column] or text
            if budget < 0:
                return


def _written(value: object, is_percentage: bool = False) -> str:
    """A value as a person writes it. Of the format of its cell only dates and percentages are known."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, bool):
        return str(value).upper()
    if is_percentage and isinstance(value, int | float):
        return f"{value * 100:.10g}%"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time()
        return value.date().isoformat() if is_day else value.isoformat(" ", timespec="minutes")
    if isinstance(value, datetime.time):
        return value.isoformat("minutes" if value.second == 0 else "seconds")
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)
