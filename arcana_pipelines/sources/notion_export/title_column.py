"""Which column of a CSV is the title: a view may show it anywhere.

The row files say it. A file is called by its row's title, and has a line for every other property that holds
something, but none for the title.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from arcana_pipelines.documents.values import halfwidth, read_checkbox, read_number, read_period
from arcana_pipelines.sources.notion_export.candidates import Candidate
from arcana_pipelines.sources.notion_export.names import exact_key, loose_key
from arcana_pipelines.sources.notion_export.page_text import named_lines
from arcana_pipelines.sources.notion_export.references import mentioned_pages, shown
from arcana_pipelines.sources.notion_export.tables import Table

# What Notion calls the title of a new database, and what people call it where no file tells.
_USUAL = re.compile(
    r"(?:page |task |project |document |item |event )?(?:name|title)"
    r"|제목|이름|(?:작업|업무|프로젝트|문서|페이지|회의) ?(?:이름|제목|명)",
    re.IGNORECASE,
)
# Of a title this is not all.
_SIGNS_ALONE = re.compile(r"[\d\s.,:/%+-]*")
_SURE = 0.9


def title_column(
    table: Table, files: Mapping[str, Sequence[Candidate]], count: int = 0, rows: Sequence[Candidate] = ()
) -> int:
    """The number of the title's column.

    Args:
        table: any of its columns may be the title.
        files: the files that may be its rows, under the keys of `title_keys`.
        count: how many files those are.
        rows: those of the files that are rows whatever they are called.
    """
    if len(table.names) < 2 or not table.rows:
        return 0
    best, most = 0, 0
    for at in range(len(table.names) if count else 0):
        called = _called(table, at, files)
        if called > most:
            best, most = at, called
        if most and most >= _SURE * min(len(table.rows), count):
            break
    if most:
        return best
    without_lines = _without_lines(table, rows)
    return _usual(table) if without_lines is None else without_lines


def title_keys(one: Candidate) -> list[str]:
    """The forms of a file's title under which its row may be found."""
    return list(dict.fromkeys(key for key in (comparable(one.title), loose_key(one.page.name.title)) if key))


def comparable(title: str) -> str:
    """A title's letters and digits, or, where it has none, the title."""
    return loose_key(title) or exact_key(title)


def _called(table: Table, at: int, files: Mapping[str, Sequence[Candidate]]) -> int:
    """How many files are called as a row's cell, have no line for this column, and are not what the cell links to."""
    name = table.names[at]
    # A column may name other rows (`Parent`): many rows then name the few files that are called so.
    rows: Counter[str] = Counter()
    linked: defaultdict[str, set[str]] = defaultdict(set)
    for row in range(len(table.rows)):
        cell = table.cell(row, at)
        key = comparable(shown(cell))
        if key and key in files:
            rows[key] += 1
            linked[key].update(mentioned_pages(cell))
    return sum(
        min(count, sum(not _has_line(one, name) and one.page.external_id not in linked[key] for one in files[key]))
        for key, count in rows.items()
    )


def _has_line(one: Candidate, name: str) -> bool:
    return any(line.startswith(f"{name}:") for line in one.block)


def _without_lines(table: Table, rows: Sequence[Candidate]) -> int | None:
    """The first column that no file has a line for, if all rows of the table hold it and other columns have lines."""
    said: set[str] = set()
    for one in rows:
        said.update(name for name, _ in named_lines(one.block, table.names) if name is not None)
    if not said:
        return None
    for at, name in enumerate(table.names):
        if name not in said and all(table.cell(row, at) for row in range(len(table.rows))):
            return at
    return None


def _usual(table: Table) -> int:
    """Without any file: the first column, unless it cannot be a title and another one is called so."""
    if all(_is_bare(table.cell(row, 0)) for row in range(len(table.rows))):
        for at, name in enumerate(table.names):
            if at and _USUAL.fullmatch(name):
                return at
    return 0


def _is_bare(cell: str) -> bool:
    """Whether a cell is a number, a date or a check box: no title where another column is called one."""
    read = (read_number(cell), read_period(cell, True), read_checkbox(cell))
    return _SIGNS_ALONE.fullmatch(halfwidth(cell)) is not None or any(value is not None for value in read)
