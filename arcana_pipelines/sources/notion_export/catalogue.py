"""Pages and databases of an export, and who holds whom: all from names, without opening a file.

Notion writes the children of `Page 0123….md` into a folder `Page 0123…/`, in newer exports `Page/`, and the
rows of `Tasks 4567….csv` into `Tasks 4567…/` or `Tasks/`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from arcana_pipelines.sources.notion_export.archive import ExportFile
from arcana_pipelines.sources.notion_export.names import (
    ExportName,
    dashed,
    exact_key,
    path_id,
    split_name,
    stable_id,
)


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown file."""

    external_id: str
    name: ExportName
    file: ExportFile


@dataclass(frozen=True, slots=True)
class Database:
    """A CSV, or a CSV and its `_all` twin.

    `file` is the one to read: `_all` has every row, the other what a view shows. `shown_on` is the page
    of the very same name, if Notion wrote one to show the database on.
    """

    external_id: str
    name: ExportName
    file: ExportFile
    twin: ExportFile | None
    shown_on: Page | None

    @property
    def folder(self) -> str:
        """The folder that holds the CSV."""
        return self.file.folder


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a page hangs, in the words of `PageRef.parent_kind` and `parent_id`."""

    kind: str = "workspace"
    external_id: str | None = None


@dataclass(slots=True)
class _Owners:
    databases: list[Database] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)


class Catalogue:
    """The structure of one scan.

    `duplicates` are files whose id another file, earlier in path order, has already taken.
    """

    def __init__(self, files: Sequence[ExportFile]) -> None:
        self.remarks: list[str] = []
        self.pages: dict[str, Page] = {}
        self.duplicates: list[Page] = []
        self.databases: dict[str, Database] = {}
        self._in_folder: defaultdict[str, list[Page]] = defaultdict(list)
        self._add_pages([file for file in files if file.is_page])
        self._add_databases([file for file in files if not file.is_page])
        self._owners = self._find_owners(_folders(files))

    def _add_pages(self, files: Iterable[ExportFile]) -> None:
        for file in files:
            name = split_name(file.stem)
            page = Page(dashed(name.notion_id) if name.notion_id else path_id(file.path), name, file)
            self._in_folder[file.folder].append(page)
            first = self.pages.setdefault(page.external_id, page)
            if first is not page:
                self.duplicates.append(page)
                self.remarks.append(f"{file.path}: has the same id as {first.file.path}; only the latter is indexed")

    def _add_databases(self, files: Iterable[ExportFile]) -> None:
        groups: defaultdict[tuple[str, str], list[ExportFile]] = defaultdict(list)
        for file in files:
            groups[file.folder, file.stem.removesuffix("_all")].append(file)
        for (folder, stem), twins in groups.items():
            twins.sort(key=lambda file: not file.stem.endswith("_all"))
            name = split_name(stem)
            shown_on = next((page for page in self._in_folder[folder] if page.file.stem == stem), None)
            database = Database(self._database_id(name, folder, stem), name, twins[0], (*twins, None)[1], shown_on)
            first = self.databases.setdefault(database.external_id, database)
            if first is not database:
                self.remarks.append(
                    f"{database.file.path}: has the same id as {first.file.path}; only the latter is indexed"
                )

    def _database_id(self, name: ExportName, folder: str, stem: str) -> str:
        if name.notion_id is None:
            return path_id(f"{folder}/{stem}.csv".lstrip("/"))
        own = dashed(name.notion_id)
        # The page that shows a database has the same id in its name; two references must not share one.
        return stable_id("database", own) if own in self.pages else own

    def _find_owners(self, folders: Iterable[str]) -> dict[str, _Owners]:
        by_name: defaultdict[tuple[str, str], _Owners] = defaultdict(_Owners)
        for database in self.databases.values():
            stem = database.file.stem.removesuffix("_all")
            for key in _keys(stem, database.name):
                by_name[database.folder, key].databases.append(database)
        for page in (*self.pages.values(), *self.duplicates):
            for key in _keys(page.file.stem, page.name):
                by_name[page.file.folder, key].pages.append(page)
        found: dict[str, _Owners] = {}
        for folder in folders:
            above, _, last = folder.rpartition("/")
            name = split_name(last)
            keys = _keys(last, name)
            # A folder that names an id belongs to that id or to nobody.
            for key in keys[:2] if name.notion_id else keys:
                if (above, key) in by_name:
                    found[folder] = by_name[above, key]
                    break
        return found

    def databases_of(self, folder: str) -> list[Database]:
        """The databases whose rows lie in a folder (several, if they have one name and no id in it)."""
        owners = self._owners.get(folder)
        return owners.databases if owners else []

    def row_folders(self) -> dict[str, list[str]]:
        """For each database, by id, the folders of its rows."""
        found: dict[str, list[str]] = {external_id: [] for external_id in self.databases}
        for folder in sorted(self._owners):
            for database in self._owners[folder].databases:
                found[database.external_id].append(folder)
        return found

    def pages_in(self, folder: str) -> list[Page]:
        """The pages that lie directly in a folder, duplicates too."""
        return self._in_folder.get(folder, [])

    def page_owner(self, folder: str) -> Page | None:
        """The page that a folder belongs to; not the page that only shows the folder's database.

        Where pages of one title share a folder without an id, nothing tells them apart: the first is it.
        """
        owners = self._owners.get(folder)
        if owners is None:
            return None
        stubs = [database.shown_on for database in owners.databases]
        return next((page for page in owners.pages if page not in stubs), None)

    def parent_of_folder(self, folder: str) -> Parent:
        """Who holds what lies in a folder: its owner, or that of the nearest folder above that has one."""
        while folder:
            page = self.page_owner(folder)
            if page is not None:
                return Parent("page", page.external_id)
            databases = self.databases_of(folder)
            if databases:
                return Parent("data_source", databases[0].external_id)
            folder = folder.rpartition("/")[0]
        return Parent()

    def parent_of_database(self, database: Database) -> Parent:
        """The page that shows it, else the owner of the folder that its CSV is in."""
        if database.shown_on is not None:
            return Parent("page", database.shown_on.external_id)
        return self.parent_of_folder(database.folder)


def _keys(stem: str, name: ExportName) -> list[str]:
    """How a file and its folder may be one: the same name, the same id, or the title alone."""
    keys = [f"name:{stem}"]
    if name.notion_id:
        keys.append(f"id:{name.notion_id}")
    keys.append(f"title:{exact_key(name.title).strip(' .')}")
    return keys


def _folders(files: Iterable[ExportFile]) -> list[str]:
    found: set[str] = set()
    for file in files:
        folder = file.folder
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(found)
