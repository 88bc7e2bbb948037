"""Which page file is which row of which database, and which rows have no file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from arcana_pipelines.sources.notion_export.archive import Archive
from arcana_pipelines.sources.notion_export.candidates import UNTITLED, Candidate, read_candidates
from arcana_pipelines.sources.notion_export.catalogue import Catalogue, Database, Group, Page
from arcana_pipelines.sources.notion_export.cells import Column, read_column, unread_in
from arcana_pipelines.sources.notion_export.matching import Matches, match_rows
from arcana_pipelines.sources.notion_export.names import exact_key, loose_key, stable_id
from arcana_pipelines.sources.notion_export.page_text import lone_properties, named_lines, said_lines, seen
from arcana_pipelines.sources.notion_export.row_store import RowRecord, RowStore
from arcana_pipelines.sources.notion_export.tables import Table, UnreadableTable, UnusableTable, read_table
from arcana_pipelines.sources.notion_export.title_column import comparable, title_column, title_keys
from arcana_pipelines.sources.notion_export.views import KnownRows, View

# So many files or rows of one doubt are named.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class RowFile:
    """A page file that is a row.

    Attributes:
        title: the file's own; its row's where the file has none, or names a day like `@Today`.
        database: the one that the row is of.
        place: where the row is in the `RowStore`.
    """

    page: Page
    title: str
    database: Database
    place: int


@dataclass(frozen=True, slots=True)
class LoneRow:
    """A row of the CSV that has no page file.

    Attributes:
        external_id: made of what the row says, so that the same row has it in the next export.
        database: the one that the row is of.
        place: where the row is in the `RowStore`.
    """

    external_id: str
    title: str
    database: Database
    place: int


@dataclass(slots=True)
class RowIndex:
    """Every row of an export. It holds titles and places, no bodies and no cells. Databases go by their ids.

    Attributes:
        files: the page files that are rows, by their path in the export.
        lone: rows without a page file, by their id.
        problems: what keeps the listing from being complete, in words.
        remarks: what a person should know and nothing depends on, in words.
        unreadable: databases whose CSV could not be read: nothing is known about their rows.
        unusable: of databases whose CSV is in an unknown encoding, or too large, what to tell: their row files are
            listed, without properties.
        views: of each CSV that is not a database, the database that it shows.
        columns: of each database what its columns are, by name.
        titles: of each database the name of its title's column.
    """

    files: dict[str, RowFile] = field(default_factory=dict)
    lone: dict[str, LoneRow] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    unusable: dict[str, str] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    columns: dict[str, dict[str, Column]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)


def index_rows(archive: Archive, catalogue: Catalogue, store: RowStore) -> RowIndex:
    """Match all databases with the files in their folders. Reads CSVs and the beginnings of files."""
    matching = _Matching(archive, catalogue, store)
    # Databases with a folder first: what lies in a folder is not up for a flat export's guess.
    for group in catalogue.groups():
        matching.match_group(group)
    matching.match_without_files()
    matching.place_strays()
    return matching.index


@dataclass(frozen=True, slots=True)
class _Matched:
    """The file of a row. The row's title is not known where several rows differ in their titles alone."""

    candidate: Candidate
    is_title_known: bool

    def title(self, of_row: str) -> str:
        """The file's own title, but for a day that it counts from the day of the export (`@Today`)."""
        own = self.candidate.title
        counted = "@" in own and loose_key(own) != loose_key(of_row)
        is_rows = of_row and self.is_title_known and (counted or not self.candidate.from_text)
        return of_row if is_rows else own


class _Matching:
    """One pass over all databases. It holds the candidates of one folder at a time."""

    def __init__(self, archive: Archive, catalogue: Catalogue, store: RowStore) -> None:
        self.index = RowIndex()
        self._archive = archive
        self._catalogue = catalogue
        self._store = store
        self._known = KnownRows(store)
        self._folders = catalogue.row_folders()
        self._columns: dict[str, Sequence[str]] = {}
        self._without_files: list[Database] = []

    def match_group(self, group: Group) -> None:
        """Match databases that share folders, the one that says most first."""
        folders = group.folders or [group.databases[0].folder]
        pages = [page for folder in folders for page in self._catalogue.pages_in(folder)]
        # Where two files are one page, the newer is to be the row.
        pages.sort(key=lambda page: self._catalogue.pages[page.external_id] is not page)
        candidates = read_candidates(self._archive, pages, self.index.files)
        by_key: defaultdict[str, list[Candidate]] = defaultdict(list)
        for one in candidates:
            for key in title_keys(one):
                by_key[key].append(one)
        dated = [one for one in candidates if "@" in one.title]
        alone = len(group.databases) == 1 and bool(group.folders)
        for database in group.databases if alone else sorted(group.databases, key=self._says_most):
            table = self._table(database)
            if table is None:
                continue
            certain = candidates if alone else [one for one in dated if _only_says(one, table.names)]
            table = replace(table, title_at=title_column(table, by_key, len(candidates), certain))
            if group.folders:
                own = set(self._folders[database.external_id])
                possible = candidates if alone else [one for one in candidates if one.page.folder in own]
                free = [one for one in possible if one.page.file.path not in self.index.files]
            else:
                # An export "without folders for sub-pages" puts rows beside their CSV, among all other pages.
                free = self._fitting(table, by_key, dated)
            matches = match_rows(table, free)
            rows = {*matches.rows.values(), *(row for doubt in matches.doubts for row in doubt.rows)}
            if not rows:
                self._without_files.append(database)
                continue
            if not alone and 2 * len(rows) < len(table.rows):
                view = self._known.view(database, table)
                if view is not None and not view.known.intersection(rows):
                    self._join(database, view, free)
                    continue
            self._tell_doubts(database, table, free, matches)
            self._register(database, table, _files_of_rows(free, matches))
        for folder in group.folders:
            left = [
                one for one in candidates if one.page.folder == folder and one.page.file.path not in self.index.files
            ]
            if left and self._catalogue.page_owner(folder) is None:
                for database in self._catalogue.databases_of(folder):
                    self._known.add_files(database, (one.title for one in left))

    def match_without_files(self) -> None:
        """Take in tables whose rows have no files: views of other databases, or rows without pages."""
        for database in sorted(self._without_files, key=self._says_most):
            table = self._table(database)
            if table is None:
                continue
            view = self._known.view(database, table)
            if view is None:
                self._register(database, replace(table, title_at=title_column(table, {})), {})
            else:
                folders = self._folders[view.database.external_id]
                pages = (page for folder in folders for page in self._catalogue.pages_in(folder))
                self._join(database, view, read_candidates(self._archive, pages, self.index.files))

    def place_strays(self) -> None:
        """Files in a database's folder that its CSV does not name: rows too, unless a page shares the folder."""
        for folder in sorted({folder for own in self._folders.values() for folder in own}):
            databases = [one for one in self._catalogue.databases_of(folder) if one.external_id not in self.index.views]
            if not databases or self._catalogue.page_owner(folder) is not None:
                continue
            database = databases[0]
            strays: list[Mapping[str, str]] = []
            for one in read_candidates(self._archive, self._catalogue.pages_in(folder), self.index.files):
                lines = lone_properties(one.block, self._columns.get(database.external_id, ()))
                said = self.index.unusable.get(database.external_id)
                partial = (said,) if said else ()
                self._add_file(one, one.title, database, RowRecord(one.page.file.folder, "", lines, partial))
                strays.append(lines)
            self._tell_more(f"pages that {database.file.path} lacks", database, strays)

    def _says_most(self, database: Database) -> tuple[int, bool, str]:
        """For sorting: a view has no more rows and columns than its database, and mostly no `_all`."""
        table = self._table(database)
        cells = len(table.rows) * len(table.names) if table is not None else 0
        return -cells, not database.file.stem.endswith("_all"), database.file.path

    def _table(self, database: Database) -> Table | None:
        try:
            table = read_table(self._archive, database.file)
        except UnusableTable as error:
            said = f"{database.file.path}: {error}"
            if database.external_id not in self.index.unusable:
                self.index.problems.append(f"{said}; its rows without pages are not listed")
                self.index.unusable[database.external_id] = f"{said}; its properties are not known"
            return None
        except UnreadableTable as error:
            if database.external_id not in self.index.unreadable:
                self.index.problems.append(f"{database.file.path}: {error}; its rows are not listed")
                self.index.unreadable.add(database.external_id)
            return None
        remark = f"{database.file.path}: {table.damage}"
        if table.damage and remark not in self.index.remarks:
            self.index.remarks.append(remark)
        return table

    def _tell_doubts(self, database: Database, table: Table, files: Sequence[Candidate], matches: Matches) -> None:
        """Say which files could not be told apart. They are never given to some row at random."""
        for doubt in matches.doubts:
            ones = _counted([files[number].title for number in doubt.files], "file")
            rows = _counted([table.title(row) for row in doubt.rows], "row")
            said = (
                "all of one and the same content; nothing tells which title is whose, so each has its file's own"
                if doubt.same_cells
                else "and nothing tells which is which; the files are listed beside these rows"
            )
            self.index.remarks.append(f"{database.file.path}: {ones} belong to {rows}, {said}")

    def _register(self, database: Database, table: Table, files: Mapping[int, _Matched]) -> None:
        """Take in a database of which `files` says which rows have one."""
        self._columns[database.external_id] = table.columns
        self._read_columns(database, table)
        places: dict[int, int] = {}
        for row in range(len(table.rows)):
            title = table.title(row)
            record = _record(database, table, row)
            one = files.get(row)
            if one is not None:
                places[row] = self._add_file(one.candidate, one.title(title), database, record)
                continue
            external_id = stable_id(database.external_id, exact_key(title), str(table.ordinals[row]))
            places[row] = self._add_lone(external_id, title, database, record)
        self._known.add(database, table, places, has_files=bool(files))

    def _read_columns(self, database: Database, table: Table) -> None:
        """Decide what the columns are, and tell what of them cannot be read as that."""
        columns: dict[str, Column] = {}
        for at, name in enumerate(table.names):
            if at == table.title_at:
                self.index.titles[database.external_id] = name
                continue
            cells = (table.cell(row, at) for row in range(len(table.rows)))
            column = columns[name] = read_column(cell for cell in cells if cell)
            self._tell_column(database.file.path, name, column)
        self.index.columns[database.external_id] = columns

    def _tell_column(self, path: str, name: str, column: Column) -> None:
        self.index.remarks += [f"{path}: in column '{name}' {said}" for said in column.remarks()]

    def _tell_more(self, path: str, database: Database, rows: Sequence[Mapping[str, str]]) -> None:
        """Tell what of rows that the database's own table lacks is not what its columns are."""
        for name, column in self.index.columns.get(database.external_id, {}).items():
            if column.type != "text":
                self._tell_column(path, name, unread_in(column, [cells.get(name, "") for cells in rows]))

    def _join(self, view_of: Database, view: View, candidates: Sequence[Candidate]) -> None:
        """Take in a view: the rows that only it holds are rows of the database that it shows."""
        self.index.views[view_of.external_id] = view.database.external_id
        left = [row for row in range(len(view.table.rows)) if row not in view.known]
        rest = replace(view.table, rows=[view.table.rows[row] for row in left])
        free = [one for one in candidates if one.page.file.path not in self.index.files]
        matches = match_rows(rest, free)
        self._tell_doubts(view_of, rest, free, matches)
        matched = _files_of_rows(free, matches)
        places: dict[int, int] = {}
        self._tell_more(view_of.file.path, view.database, [rest.cells(row) for row in range(len(rest.rows))])
        for row in range(len(rest.rows)):
            title = rest.title(row)
            record = _record(view_of, rest, row)
            if (one := matched.get(row)) is not None:
                places[row] = self._add_file(one.candidate, one.title(title), view.database, record)
                continue
            external_id = stable_id(view.database.external_id, "view", exact_key(title), str(rest.ordinals[row]))
            if external_id not in self.index.lone:
                places[row] = self._add_lone(external_id, title, view.database, record)
        if places:
            self._known.add_rows(view.database, rest, places)

    def _add_file(self, one: Candidate, title: str, database: Database, record: RowRecord) -> int:
        place = self._store.add(record)
        self.index.files[one.page.file.path] = RowFile(one.page, title, database, place)
        return place

    def _add_lone(self, external_id: str, title: str, database: Database, record: RowRecord) -> int:
        place = self._store.add(record)
        self.index.lone[external_id] = LoneRow(external_id, title or UNTITLED, database, place)
        return place

    def _fitting(
        self, table: Table, by_key: Mapping[str, Sequence[Candidate]], dated: Sequence[Candidate]
    ) -> list[Candidate]:
        """The files that look like rows of this table though they lie among other pages.

        A file proves itself by a property. A row without any property has none to prove: its title must be the only
        one of its kind in the table and among the files.
        """
        fitting: dict[str, Candidate] = {}
        rows: defaultdict[str, list[int]] = defaultdict(list)
        for row in range(len(table.rows)):
            if key := comparable(table.title(row)):
                rows[key].append(row)
        for key, numbers in rows.items():
            ones = [one for one in by_key.get(key, ()) if one.page.file.path not in self.index.files]
            # Any number of files and rows may have one title, so all that the rows say is gathered once.
            facts = {(name, seen(text)) for row in numbers if ones for name, text in table.cells(row).items()}
            for one in ones:
                proven = not facts.isdisjoint(said_lines(named_lines(one.block, table.columns)))
                only = len(ones) == len(numbers) == 1 and not table.cells(numbers[0])
                if proven or only:
                    fitting[one.page.file.path] = one
        for one in dated:
            if one.page.file.path not in self.index.files and _only_says(one, table.columns):
                fitting[one.page.file.path] = one
        return list(fitting.values())


def _record(database: Database, table: Table, row: int) -> RowRecord:
    cells = table.cells(row)
    broken = [name for name, text in cells.items() if "\ufffd" in text] if table.damage else []
    partial = (f"{database.file.path}: {table.damage} (in {', '.join(broken)})",) if broken else ()
    return RowRecord(database.file.folder, table.cell(row, table.title_at), cells, partial)


def _only_says(one: Candidate, columns: Sequence[str]) -> bool:
    """Whether a file begins with properties of a table and with nothing else."""
    lines = named_lines(one.block, columns)
    return bool(lines) and all(name is not None for name, _ in lines)


def _files_of_rows(files: Sequence[Candidate], matches: Matches) -> dict[int, _Matched]:
    return {row: _Matched(files[number], number not in matches.untitled) for number, row in matches.rows.items()}


def _counted(titles: Sequence[str], what: str) -> str:
    """`2 files (@Today, @Tomorrow)`; of many only the first are named."""
    named = ", ".join(title or UNTITLED for title in titles[:_MOST_NAMED])
    more = f" and {len(titles) - _MOST_NAMED} more" if len(titles) > _MOST_NAMED else ""
    return f"{len(titles)} {what}{'' if len(titles) == 1 else 's'} ({named}{more})"
