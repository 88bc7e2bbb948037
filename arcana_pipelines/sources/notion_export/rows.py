"""Which page file is which row of which database, and which rows have no file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from arcana_pipelines.sources.notion_export.archive import Archive
from arcana_pipelines.sources.notion_export.catalogue import Catalogue, Database, Page
from arcana_pipelines.sources.notion_export.names import exact_key, loose_key, stable_id
from arcana_pipelines.sources.notion_export.page_text import (
    HEAD_BYTES,
    agreement,
    decode,
    lone_properties,
    named_lines,
    take_apart,
)
from arcana_pipelines.sources.notion_export.tables import EMPTY, Table, UnreadableTable, read_table

UNTITLED = "Untitled"
# Notion cuts long file names; a shorter common beginning is chance.
_PREFIX_FROM = 20
# Equal titles are told apart by their properties, pair by pair, up to so many pairs; then by order.
_MAX_PAIRS = 250_000


@dataclass(frozen=True, slots=True)
class RowFile:
    """A page file that is a row. Without `row` the CSV lacks it, and `lines` are its properties."""

    page: Page
    title: str
    database: Database
    row: int | None
    lines: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LoneRow:
    """A row of the CSV that has no page file."""

    external_id: str
    title: str
    database: Database
    row: int


@dataclass(slots=True)
class RowIndex:
    """Every row of an export. It holds titles and places, no bodies and no cells.

    `unreadable` names the databases whose CSV could not be read: nothing is known about their rows.
    `checksums` tells, for each database, the state of the CSV that the row numbers belong to.
    """

    files: dict[str, RowFile] = field(default_factory=dict)
    lone: dict[str, LoneRow] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    checksums: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a page file when rows are sought: its title and the lines below it.

    `from_text` says that the title is the page's own and not the file's name.
    """

    page: Page
    title: str
    from_text: bool
    block: Sequence[str]


class _Heads:
    """The beginnings of page files, each read once. An unreadable one is left to the listing to report."""

    def __init__(self, archive: Archive, catalogue: Catalogue) -> None:
        self._archive = archive
        self._catalogue = catalogue
        self._read: dict[str, Candidate | None] = {}

    def of(self, folders: Iterable[str], taken: Mapping[str, RowFile]) -> list[Candidate]:
        """The candidates in these folders that are not `taken`."""
        pages = [page for folder in folders for page in self._catalogue.pages_in(folder)]
        found = [self._candidate(page) for page in pages if page.file.path not in taken]
        return [candidate for candidate in found if candidate is not None]

    def _candidate(self, page: Page) -> Candidate | None:
        path = page.file.path
        if path not in self._read:
            try:
                text = take_apart(decode(self._archive.read(page.file, HEAD_BYTES))[0])
            except OSError:
                self._read[path] = None
            else:
                title = text.title or page.name.title or UNTITLED
                self._read[path] = Candidate(page, title, text.title is not None, text.block)
        return self._read[path]


def index_rows(archive: Archive, catalogue: Catalogue) -> RowIndex:
    """Match all databases with the files in their folders. Reads CSVs and the beginnings of files."""
    index = RowIndex()
    heads = _Heads(archive, catalogue)
    columns: dict[str, Sequence[str]] = {}
    folders = catalogue.row_folders()
    # Databases with a folder first: what lies in a folder is not up for a flat export's guess.
    for database in sorted(catalogue.databases.values(), key=lambda one: not folders[one.external_id]):
        try:
            table = read_table(archive, database.file)
        except UnreadableTable as error:
            index.problems.append(f"{database.file.path}: {error}; its rows are not listed")
            index.unreadable.add(database.external_id)
            table = EMPTY
        columns[database.external_id] = table.columns
        index.checksums[database.external_id] = table.checksum
        own = folders[database.external_id]
        if own:
            candidates = heads.of(own, index.files)
        else:
            # An export "without folders for sub-pages" puts rows beside their CSV, among all other pages:
            # there only a file whose lines are this table's columns is one of its rows.
            nearby = heads.of([database.folder], index.files)
            candidates = [one for one in nearby if _fits(one, table)]
        matched = match_rows(table, candidates)
        for number, row in matched.items():
            one = candidates[number]
            index.files[one.page.file.path] = RowFile(one.page, one.title, database, row, {})
        for lone in _lone_rows(database, table, set(matched.values())):
            index.lone[lone.external_id] = lone
    _place_strays(index, catalogue, heads, columns)
    return index


def match_rows(table: Table, candidates: Sequence[Candidate]) -> dict[int, int]:
    """Pair page files with rows: file number to row number.

    By the title in the file; then by that title's letters and digits; then by those of the file name,
    which Notion sanitises. A file without a title has only its name, which Notion cuts short.
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
    left = [(loose_key(table.title(row)), row) for row in sorted(free)]
    for number, one in enumerate(candidates):
        beginning = loose_key(one.title)
        if number in matched or one.from_text or len(beginning) < _PREFIX_FROM:
            continue
        longer = next((row for key, row in left if row in free and key.startswith(beginning)), None)
        if longer is not None:
            matched[number] = longer
            free.discard(longer)
    return matched


def _pair(table: Table, candidates: Sequence[Candidate], numbers: Sequence[int], rows: Sequence[int]) -> dict[int, int]:
    """Pair files and rows of one title: those that agree most in their properties first, then in order."""
    if len(numbers) == len(rows) == 1 or len(numbers) * len(rows) > _MAX_PAIRS:
        return dict(zip(numbers, rows, strict=False))
    cells = {row: table.cells(row) for row in rows}
    scored: list[tuple[int, int, int]] = []
    for number in numbers:
        lines = named_lines(candidates[number].block, table.columns)
        scored += [(-agreement(lines, cells[row]), number, row) for row in rows]
    paired: dict[int, int] = {}
    used: set[int] = set()
    for _, number, row in sorted(scored):
        if number not in paired and row not in used:
            paired[number] = row
            used.add(row)
    return paired


def _fits(one: Candidate, table: Table) -> bool:
    """Whether a file that lies anywhere looks like a row of this table."""
    rows = table.by_title.get(exact_key(one.title), [])
    lines = named_lines(one.block, table.columns)
    return any(agreement(lines, table.cells(row)) for row in rows)


def _lone_rows(database: Database, table: Table, matched: set[int]) -> Iterable[LoneRow]:
    for row in range(len(table.rows)):
        if row not in matched:
            title = table.title(row)
            external_id = stable_id(database.external_id, exact_key(title), str(table.ordinals[row]))
            yield LoneRow(external_id, title or UNTITLED, database, row)


def _place_strays(index: RowIndex, catalogue: Catalogue, heads: _Heads, columns: Mapping[str, Sequence[str]]) -> None:
    """Files in a database's folder that its CSV does not name: rows too, unless a page shares the folder."""
    for folder in sorted({folder for own in catalogue.row_folders().values() for folder in own}):
        if catalogue.page_owner(folder) is not None:
            continue
        database = catalogue.databases_of(folder)[0]
        for one in heads.of([folder], index.files):
            lines = lone_properties(one.block, columns[database.external_id])
            index.files[one.page.file.path] = RowFile(one.page, one.title, database, None, lines)
