"""Which file is which row of one table."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from arcana_pipelines.sources.notion_export.candidates import Candidate
from arcana_pipelines.sources.notion_export.names import exact_key, loose_key
from arcana_pipelines.sources.notion_export.page_text import agreement, alike, named_lines
from arcana_pipelines.sources.notion_export.references import shown
from arcana_pipelines.sources.notion_export.tables import Table

# Notion cuts long file names; a shorter common beginning is chance.
_PREFIX_FROM = 20
# Equal titles are told apart by their properties, pair by pair, up to so many pairs; then by order.
_MAX_PAIRS = 250_000
_RELATIVE = {"yesterday": -1, "today": 0, "tomorrow": 1, "어제": -1, "오늘": 0, "내일": 1}
_WORD = re.compile(r"@\s*(\w+)")
_DATE = re.compile(
    r"(?P<month>[A-Za-z]{3})[a-z]* (?P<day>\d{1,2}),? (?P<year>\d{4})"
    r"|(?P<y>\d{4})(?:년 ?|[-/.] ?)(?P<m>\d{1,2})(?:월 ?|[-/.] ?)(?P<d>\d{1,2})"
)
Day = tuple[int, int, int]
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def match_rows(table: Table, candidates: Sequence[Candidate]) -> dict[int, int]:
    """Pair page files with rows: file number to row number.

    By the title in the file; then by that title's letters and digits; then by those of the file name,
    which Notion sanitises. A file without a title has only its name, which Notion cuts short. A title that is a
    date is written anew in the file (`@Today`), so that the other properties tell.
    """
    matched: dict[int, int] = {}
    free = set(range(len(table.rows)))
    names = [one.page.name.title for one in candidates]
    titles = [one.title for one in candidates]
    for comparable, called in ((exact_key, titles), (loose_key, titles), (loose_key, names)):
        rows: defaultdict[str, list[int]] = defaultdict(list)
        for row in sorted(free):
            rows[comparable(table.title(row))].append(row)
        files: defaultdict[str, list[int]] = defaultdict(list)
        for number, title in enumerate(called):
            key = comparable(title)
            # Titles of emoji alone have no letters in common, and an untitled row is no other's namesake.
            if number not in matched and key in rows and (key or comparable is exact_key):
                files[key].append(number)
        for key, numbers in files.items():
            matched.update(_pair(table, candidates, numbers, rows[key]))
        free -= set(matched.values())
        if not free or len(matched) == len(candidates):
            return matched
    matched.update(_by_beginning(table, candidates, matched, free))
    matched.update(_by_date(table, candidates, matched, free - set(matched.values())))
    return matched


def _by_beginning(
    table: Table, candidates: Sequence[Candidate], matched: dict[int, int], free: set[int]
) -> dict[int, int]:
    longer = sorted((loose_key(table.title(row)), row) for row in free)
    found: dict[int, int] = {}
    used: set[int] = set()
    for number, one in enumerate(candidates):
        beginning = loose_key(one.title)
        if number in matched or one.from_text or len(beginning) < _PREFIX_FROM:
            continue
        at = bisect_left(longer, (beginning, -1))
        while at < len(longer) and longer[at][0].startswith(beginning):
            if longer[at][1] not in used:
                found[number] = longer[at][1]
                used.add(longer[at][1])
                break
            at += 1
    return found


def _pair(table: Table, candidates: Sequence[Candidate], numbers: Sequence[int], rows: Sequence[int]) -> dict[int, int]:
    """Pair files and rows of one title: those that agree most in their properties first, then in order."""
    if len(numbers) == len(rows) == 1 or len(numbers) * len(rows) > _MAX_PAIRS:
        return dict(zip(numbers, rows, strict=False))
    return _best_first(_scores(table, candidates, numbers, rows))


def _scores(
    table: Table, candidates: Sequence[Candidate], numbers: Sequence[int], rows: Sequence[int]
) -> list[tuple[int, int, int]]:
    """For each pair how many properties agree (negative, the best first), the file and the row."""
    cells = {row: table.cells(row) for row in rows}
    scored: list[tuple[int, int, int]] = []
    for number in numbers:
        lines = named_lines(candidates[number].block, table.columns)
        scored += [(-agreement(lines, cells[row]), number, row) for row in rows]
    return sorted(scored)


def _best_first(scored: Sequence[tuple[int, int, int]]) -> dict[int, int]:
    paired: dict[int, int] = {}
    used: set[int] = set()
    for _, number, row in scored:
        if number not in paired and row not in used:
            paired[number] = row
            used.add(row)
    return paired


def _by_date(table: Table, candidates: Sequence[Candidate], matched: dict[int, int], free: set[int]) -> dict[int, int]:
    """Pair what is left, where a title mentions a date: by the other properties, then by the order of days."""
    dated = [row for row in sorted(free) if "@" in table.title(row) or _DATE.search(table.title(row))]
    files = [number for number, one in enumerate(candidates) if number not in matched and "@" in one.title]
    if not dated or not files or len(dated) * len(files) > _MAX_PAIRS:
        return {}
    scored = [pair for pair in _scores(table, candidates, files, dated) if pair[0]]
    found = _best_first([pair for pair in scored if _compatible(table, candidates, pair[1], pair[2])])
    found.update(_by_order_of_days(table, candidates, set(files) - found.keys(), set(dated) - set(found.values())))
    return found


def _by_order_of_days(table: Table, candidates: Sequence[Candidate], files: Set[int], rows: Set[int]) -> dict[int, int]:
    """Pair files and rows whose properties do not tell them apart: as many of each, in the order of their days."""
    alike: defaultdict[frozenset[tuple[str, str]], tuple[list[tuple[int, int]], list[tuple[Day, int]]]]
    alike = defaultdict(lambda: ([], []))
    for number in sorted(files):
        title, block = candidates[number].title, candidates[number].block
        if (rank := _rank(title)) is not None:
            said = {name: text for name, text in named_lines(block, table.columns) if name is not None}
            alike[_facts(said)][0].append((rank, number))
    for row in sorted(rows):
        if (day := _day(table.title(row))) is not None:
            alike[_facts(table.cells(row))][1].append((day, row))
    found: dict[int, int] = {}
    for ranked, days in alike.values():
        if len(ranked) == len(days):
            found.update((number, row) for (_, number), (_, row) in zip(sorted(ranked), sorted(days), strict=True))
    return found


def _facts(cells: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, " ".join(shown(text).split())) for name, text in cells.items() if text)


def _compatible(table: Table, candidates: Sequence[Candidate], number: int, row: int) -> bool:
    """Whether nothing that a file says of itself is otherwise in the row."""
    cells = table.cells(row)
    for name, text in named_lines(candidates[number].block, table.columns):
        cell = cells.get(name, "") if name is not None else text
        # Of a value of several lines the first stands behind the name.
        if text and not (alike(text, cell) or alike(text, cell.partition("\n")[0])):
            return False
    return True


def _rank(title: str) -> int | None:
    word = _WORD.search(title)
    return _RELATIVE.get(word.group(1).casefold()) if word else None


def _day(title: str) -> Day | None:
    found = _DATE.search(title)
    if found is None:
        return None
    if found["y"]:
        return int(found["y"]), int(found["m"]), int(found["d"])
    month = found["month"].casefold()
    return (int(found["year"]), _MONTHS.index(month) + 1, int(found["day"])) if month in _MONTHS else None
