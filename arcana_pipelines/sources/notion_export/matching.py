"""Which file is which row of one table."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from arcana_pipelines.sources.notion_export.candidates import Candidate
from arcana_pipelines.sources.notion_export.dated_titles import days_of_export, read_title
from arcana_pipelines.sources.notion_export.names import exact_key, loose_key
from arcana_pipelines.sources.notion_export.page_text import Cell, named_lines, said_lines
from arcana_pipelines.sources.notion_export.references import shown
from arcana_pipelines.sources.notion_export.tables import Table

# Notion cuts long file names; a shorter common beginning is chance.
_PREFIX_FROM = 20
# Rows and files that may be each other are told apart pair by pair, up to so many pairs.
_MAX_PAIRS = 250_000
_EMPTY = Cell("")

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Files and rows that belong together, but nothing says which file is which row.

    Attributes:
        files: their numbers among the candidates.
        rows: their numbers in the table.
        same_cells: there are as many of each, and the rows differ in their titles alone: then all is known of the files
            but for their row's title.
    """

    files: tuple[int, ...]
    rows: tuple[int, ...]
    same_cells: bool


@dataclass(slots=True)
class Matches:
    """What is known of which file is which row, and what is not.

    Attributes:
        rows: file number (among the candidates) to row number (in the table).
        untitled: the numbers of files in `rows` of which the row's cells are known, and not its title.
        doubts: what is left undecided.
    """

    rows: dict[int, int] = field(default_factory=dict)
    untitled: set[int] = field(default_factory=set)
    doubts: list[Doubt] = field(default_factory=list)


def match_rows(table: Table, candidates: Sequence[Candidate]) -> Matches:
    """Pair page files with rows.

    By the title in the file; then by that title's letters and digits; then by those of the file name,
    which Notion sanitises. A file without a title has only its name, which Notion cuts short. A title that is a
    date is written differently in the file (`@Today`), so that the other properties tell, and the days themselves.
    """
    matching = _Matching(table, candidates)
    names = [one.page.name.title for one in candidates]
    titles = [one.title for one in candidates]
    for comparable, called in ((exact_key, titles), (loose_key, titles), (loose_key, names)):
        matching.by_title(comparable, called)
    matching.by_beginning()
    matching.by_day()
    return matching.matches


class _Matching:
    """One pass over a table. What is matched or in doubt is taken and not looked at again."""

    def __init__(self, table: Table, candidates: Sequence[Candidate]) -> None:
        self.matches = Matches()
        self._table = table
        self._candidates = candidates
        self._free_rows = set(range(len(table.rows)))
        # Of two files of one page the first is it.
        first: dict[str, int] = {}
        for number, one in enumerate(candidates):
            first.setdefault(one.page.external_id, number)
        self._free_files = set(first.values())
        self._lines: dict[int, list[tuple[str | None, str]]] = {}
        self._cells: dict[int, dict[str, str]] = {}
        self._said: dict[int, list[tuple[str, str]]] = {}
        self._seen: dict[int, dict[str, Cell]] = {}

    def by_title(self, comparable: Callable[[str], str], called: Sequence[str]) -> None:
        """Files and rows of one title: those that agree most in their properties first."""
        rows: defaultdict[str, list[int]] = defaultdict(list)
        for row in sorted(self._free_rows if self._free_files else ()):
            rows[comparable(self._table.title(row))].append(row)
        files: defaultdict[str, list[int]] = defaultdict(list)
        for number in sorted(self._free_files if rows else ()):
            key = comparable(called[number])
            # Titles of emoji alone have no letters in common, and an untitled row is no other's namesake.
            if key in rows and (key or comparable is exact_key):
                files[key].append(number)
        for key, numbers in files.items():
            if len(numbers) == len(rows[key]) == 1:
                self._take(numbers[0], rows[key][0])
                continue
            self._pair_equals(numbers, rows[key])
            numbers = [number for number in numbers if number in self._free_files]
            left = [row for row in rows[key] if row in self._free_rows]
            self._settle([(number, row) for number in numbers for row in left], len(numbers) * len(left))

    def by_beginning(self) -> None:
        """A file without a title of its own is called by the beginning of its row's."""
        longer = sorted((loose_key(self._table.title(row)), row) for row in self._free_rows)
        pairs: list[Pair] = []
        for number in sorted(self._free_files):
            beginning = loose_key(self._candidates[number].title)
            if self._candidates[number].from_text or len(beginning) < _PREFIX_FROM:
                continue
            at = bisect_left(longer, (beginning, -1))
            while at < len(longer) and longer[at][0].startswith(beginning) and len(pairs) <= _MAX_PAIRS:
                pairs.append((number, longer[at][1]))
                at += 1
        self._settle(pairs, len(pairs))

    def by_day(self) -> None:
        """Titles that mention a day: by the words beside it, the other properties, and the day."""
        rows = {row: title for row in sorted(self._free_rows) if (title := read_title(self._table.title(row))).mentions}
        called = {number: self._candidates[number].title for number in sorted(self._free_files)}
        files = {number: read_title(title) for number, title in called.items() if "@" in title}
        if len(rows) * len(files) > _MAX_PAIRS:
            self._doubt(files, rows)
            return
        possible: dict[Pair, frozenset[date]] = {}
        for number, title in files.items():
            for row, row_title in rows.items():
                days = days_of_export(title, row_title)
                if days is None:
                    continue
                agreeing, against, _ = self._evidence(number, row)
                if not against and (agreeing or not self._cells_of(row)):
                    possible[number, row] = days
        likely = _likeliest_days(possible)
        pairs = [pair for pair, days in possible.items() if not days or days & likely]
        self._settle(pairs, len(pairs))
        # An export that goes on past midnight has two days. What is left is known by its properties or not at all.
        self._settle([(number, row) for number, row in possible if self._score(number, row)[0]], len(possible))

    def _pair_equals(self, numbers: Sequence[int], rows: Sequence[int]) -> None:
        """Rows that are equal in all that a person sees are any of the files that say just that."""
        saying: defaultdict[frozenset[tuple[str, str]], list[int]] = defaultdict(list)
        for number in numbers:
            saying[_facts((name, text) for name, text in self._lines_of(number) if name is not None)].append(number)
        equal: defaultdict[frozenset[tuple[str, str]], list[int]] = defaultdict(list)
        for row in rows:
            equal[_facts(self._cells_of(row).items())].append(row)
        for facts, ones in saying.items():
            if len({self._shown(row) for row in equal.get(facts, ())}) == 1:
                for number, row in zip(ones, equal[facts], strict=False):
                    self._take(number, row)

    def _settle(self, pairs: Sequence[Pair], count: int) -> None:
        """Take the pairs that agree most, level by level; what is equally good on one level is in doubt."""
        if count > _MAX_PAIRS:
            self._doubt({number for number, _ in pairs}, {row for _, row in pairs})
            return
        scored = [(*self._score(number, row), number, row) for number, row in pairs]
        scored.sort(key=lambda one: (-one[0], one[1], one[2], one[3]))
        for _, level in groupby(scored, key=lambda one: one[:2]):
            free = [(one[2], one[3]) for one in level if one[2] in self._free_files and one[3] in self._free_rows]
            for files in _connected(free):
                self._settle_equals(files)

    def _settle_equals(self, files: dict[int, set[int]]) -> None:
        """Files with the rows that each may be, all equally likely."""
        rows = set().union(*files.values())
        if len(files) == len(rows):
            for number, row in _forced(files):
                self._take(number, row)
                rows.discard(row)
        left = [number for number in files if number in self._free_files]
        if not left:
            return
        all_said = all(not self._score(number, row)[1] for number in left for row in files[number])
        if len({self._shown(row) for row in rows}) == 1 and (len(left) <= len(rows) or all_said):
            for number, row in zip(sorted(left), sorted(rows), strict=False):
                self._take(number, row)
        else:
            self._doubt(left, rows)

    def _doubt(self, files: Iterable[int], rows: Iterable[int]) -> None:
        numbers, places = tuple(sorted(files)), tuple(sorted(rows))
        if not numbers or not places:
            return
        cells = {_facts(self._cells_of(row).items()) for row in places}
        doubt = Doubt(numbers, places, len(numbers) == len(places) and len(cells) == 1)
        self.matches.doubts.append(doubt)
        if doubt.same_cells:
            self.matches.rows.update(zip(numbers, places, strict=True))
            self.matches.untitled.update(numbers)
        self._free_files.difference_update(numbers)
        self._free_rows.difference_update(places)

    def _take(self, number: int, row: int) -> None:
        self.matches.rows[number] = row
        self._free_files.discard(number)
        self._free_rows.discard(row)

    def _score(self, number: int, row: int) -> tuple[int, int]:
        agreeing, against, unsaid = self._evidence(number, row)
        return agreeing, against + unsaid

    def _evidence(self, number: int, row: int) -> tuple[int, int, int]:
        """How many properties are the same in file and row, how many are others, and of how many the file is silent."""
        # A file is held against many rows, and a row against many files: what each says is made out once.
        if number not in self._said:
            self._said[number] = said_lines(self._lines_of(number))
        if row not in self._seen:
            self._seen[row] = {name: Cell(text) for name, text in self._cells_of(row).items()}
        said, cells = self._said[number], self._seen[row]
        agreeing = 0
        for name, text in said:
            cell = cells.get(name, _EMPTY)
            agreeing += text in (cell.seen, cell.first)
        return agreeing, len(said) - agreeing, len(cells.keys() - {name for name, _ in said})

    def _lines_of(self, number: int) -> list[tuple[str | None, str]]:
        if number not in self._lines:
            self._lines[number] = named_lines(self._candidates[number].block, self._table.columns)
        return self._lines[number]

    def _cells_of(self, row: int) -> dict[str, str]:
        if row not in self._cells:
            self._cells[row] = self._table.cells(row)
        return self._cells[row]

    def _shown(self, row: int) -> tuple[str, frozenset[tuple[str, str]]]:
        return self._table.title(row), _facts(self._cells_of(row).items())


def _facts(cells: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((name, " ".join(shown(text).split())) for name, text in cells if text)


def _likeliest_days(possible: Mapping[Pair, frozenset[date]]) -> frozenset[date]:
    """The days of the export on which the most files and rows belong together."""
    files: defaultdict[date, set[int]] = defaultdict(set)
    rows: defaultdict[date, set[int]] = defaultdict(set)
    for (number, row), days in possible.items():
        for day in days:
            files[day].add(number)
            rows[day].add(row)
    belonging = Counter({day: min(len(numbers), len(rows[day])) for day, numbers in files.items()})
    most = max(belonging.values(), default=0)
    return frozenset(day for day, count in belonging.items() if count == most)


def _connected(pairs: Iterable[Pair]) -> Iterator[dict[int, set[int]]]:
    """The files that share rows with each other, and the rows that each may be."""
    of_file: defaultdict[int, set[int]] = defaultdict(set)
    of_row: defaultdict[int, set[int]] = defaultdict(set)
    for number, row in pairs:
        of_file[number].add(row)
        of_row[row].add(number)
    seen: set[int] = set()
    for start in of_file:
        if start in seen:
            continue
        group: dict[int, set[int]] = {}
        waiting = [start]
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            group[number] = of_file[number]
            for row in of_file[number]:
                waiting += of_row.pop(row, ())
        yield group


def _forced(files: Mapping[int, set[int]]) -> list[Pair]:
    """The pairs that are the only way to give each file a row, and each row a file."""
    ends: defaultdict[tuple[bool, int], set[tuple[bool, int]]] = defaultdict(set)  # (is it a row?, its number)
    for number, rows in files.items():
        for row in rows:
            ends[False, number].add((True, row))
            ends[True, row].add((False, number))
    taken: list[Pair] = []
    waiting = list(ends)
    while waiting:
        end = waiting.pop()
        if len(ends.get(end, ())) != 1:
            continue
        (other,) = ends[end]
        taken.append((other[1], end[1]) if end[0] else (end[1], other[1]))
        for one, partner in ((end, other), (other, end)):
            for more in ends.pop(one) - {partner}:
                ends[more].discard(one)
                waiting.append(more)
    return taken
