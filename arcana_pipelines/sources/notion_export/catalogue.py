"""Pages and databases of an export, and who holds whom: all from names, without opening a file.

Notion writes the children of `Page 0123….md` into a folder `Page 0123…/`, in newer exports `Page/`, and the
rows of `Tasks 4567….csv` into `Tasks 4567…/` or `Tasks/`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from arcana_pipelines.sources.notion_export.archive import ExportFile, PackedFile
from arcana_pipelines.sources.notion_export.folders import TOP, Folders
from arcana_pipelines.sources.notion_export.names import (
    ExportName,
    dashed,
    exact_key,
    path_id,
    split_name,
    stable_id,
    without_wrapper,
)


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown file.

    Attributes:
        external_id: Notion's id from the file's name, or, without one there, an id made of the path.
        name: the file's name, taken apart.
        folder: the number of the folder that holds it (see `Folders`).
    """

    external_id: str
    name: ExportName
    file: ExportFile
    folder: int


@dataclass(frozen=True, slots=True)
class Database:
    """A CSV, or a CSV and its `_all` twin.

    Attributes:
        external_id: Notion's id from the file's name, unless a page has it; else an id that is made of that, or of the
            path.
        name: the file's name without `_all`, taken apart.
        file: the one to read: `_all` has every row, the other what a view shows.
        twin: the other one; None where there is one alone.
        shown_on: the page of the very same name, if Notion wrote one to show the database on; else None.
        folder: the number of the folder that holds the CSV (see `Folders`).
    """

    external_id: str
    name: ExportName
    file: ExportFile
    twin: ExportFile | None
    shown_on: Page | None
    folder: int


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a page hangs, in the words of `PageRef.parent_kind` and `parent_id`."""

    kind: str = "workspace"
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Databases whose rows may be in the same folders.

    Attributes:
        databases: those that share the folders; without folders, those beside each other.
        folders: the numbers of the folders of rows; empty where the export has none for them.
    """

    databases: Sequence[Database]
    folders: Sequence[int]


@dataclass(slots=True)
class _Owners:
    databases: list[Database] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)


class Catalogue:
    """The structure of one scan.

    Of several files of one id the newest is it (an export may be unpacked over an older one); the others
    are `duplicates`.

    Raises:
        ImpossiblePath: there are more folders than any export has.
    """

    def __init__(self, files: Sequence[ExportFile], zips: Sequence[PackedFile] = ()) -> None:
        self.remarks: list[str] = []
        self.pages: dict[str, Page] = {}
        self.duplicates: list[Page] = []
        self.databases: dict[str, Database] = {}
        self._folders = Folders()
        self._in_folder: defaultdict[int, list[Page]] = defaultdict(list)
        self._at_path: dict[str, str] = {}
        self._add_pages([file for file in files if file.is_page])
        self._add_databases([file for file in files if not file.is_page])
        for packed in zips:
            self._folders.add(_folder_of(packed))
        self._by_name: dict[tuple[int, str], _Owners] = {}
        self._owners = self._find_owners()

    def page_at(self, path: str) -> str | None:
        """The id of the page or database whose file has exactly this path."""
        return self._at_path.get(without_wrapper(path))

    def holds(self, external_id: str) -> bool:
        """Whether the export has a page or database of this id."""
        return external_id in self.pages or external_id in self.databases

    def has_folder(self, path: str) -> bool:
        """Whether a folder that was catalogued has exactly this path."""
        return self._folders.find(path) is not None

    def _add_pages(self, files: Iterable[ExportFile]) -> None:
        for file in files:
            name = split_name(file.stem)
            external_id = dashed(name.notion_id) if name.notion_id else path_id(file.path)
            page = Page(external_id, name, file, self._folders.add(file.folder))
            self._in_folder[page.folder].append(page)
            self._at_path[without_wrapper(file.path)] = external_id
            held = self.pages.setdefault(external_id, page)
            if held is page:
                continue
            if file.modified_at > held.file.modified_at:
                self.pages[external_id] = page
                self.duplicates.append(held)
            else:
                self.duplicates.append(page)
        for page in self.duplicates:
            self._tell_older(page.file, self.pages[page.external_id].file)

    def _tell_older(self, file: ExportFile, kept: ExportFile) -> None:
        newer = ", which is newer" if kept.modified_at > file.modified_at else ""
        self.remarks.append(f"{file.path}: has the same id as {kept.path}{newer}; only the latter is indexed")

    def _add_databases(self, files: Iterable[ExportFile]) -> None:
        groups: defaultdict[tuple[int, str], list[ExportFile]] = defaultdict(list)
        for file in files:
            groups[self._folders.add(file.folder), file.stem.removesuffix("_all")].append(file)
        stubs = {(page.folder, page.file.stem): page for page in (*self.duplicates, *self.pages.values())}
        for (folder, stem), twins in groups.items():
            twins = self._without_older(twins)
            name = split_name(stem)
            database = Database(
                self._database_id(name, twins[0].folder, stem),
                name,
                twins[0],
                (*twins, None)[1],
                stubs.get((folder, stem)),
                folder,
            )
            for file in twins:
                self._at_path[without_wrapper(file.path)] = database.external_id
            held = self.databases.setdefault(database.external_id, database)
            if held is not database:
                if database.file.modified_at > held.file.modified_at:
                    self.databases[database.external_id], database, held = database, held, database
                self._tell_older(database.file, held.file)

    def _without_older(self, files: list[ExportFile]) -> list[ExportFile]:
        """The `_all` and the other, the newest of each where parts of several exports hold them."""
        kept: dict[bool, ExportFile] = {}
        for file in sorted(files, key=lambda file: file.modified_at, reverse=True):
            held = kept.setdefault(not file.stem.endswith("_all"), file)
            if held is not file:
                self._tell_older(file, held)
        return [kept[shown] for shown in sorted(kept)]

    def _database_id(self, name: ExportName, folder: str, stem: str) -> str:
        if name.notion_id is None:
            return path_id(f"{folder}/{stem}.csv".lstrip("/"))
        own = dashed(name.notion_id)
        # The page that shows a database has the same id in its name; two references must not share one.
        return stable_id("database", own) if own in self.pages else own

    def _find_owners(self) -> dict[int, _Owners]:
        by_name: defaultdict[tuple[int, str], _Owners] = defaultdict(_Owners)
        for database in self.databases.values():
            stem = database.file.stem.removesuffix("_all")
            for key in _keys(stem, database.name):
                by_name[database.folder, key].databases.append(database)
        for page in (*self.pages.values(), *self.duplicates):
            for key in _keys(page.file.stem, page.name):
                by_name[page.folder, key].pages.append(page)
        self._by_name = by_name
        owners: dict[int, _Owners] = {}
        for folder in self._folders.all():
            above, last = self._folders.parent(folder), self._folders.name(folder)
            name = split_name(last)
            keys = _keys(last, name)
            # A folder that names an id belongs to that id or to none.
            for key in keys[:2] if name.notion_id else keys:
                if (above, key) in by_name:
                    owners[folder] = by_name[above, key]
                    break
        return owners

    def databases_of(self, folder: int) -> list[Database]:
        """The databases whose rows lie in a folder (several, if they have one name and no id in it)."""
        owners = self._owners.get(folder)
        return owners.databases if owners else []

    def row_folders(self) -> dict[str, list[int]]:
        """For each database, by id, the folders of its rows."""
        folders: dict[str, list[int]] = {external_id: [] for external_id in self.databases}
        for folder, owners in self._owners.items():
            for database in owners.databases:
                folders[database.external_id].append(folder)
        return folders

    def groups(self) -> list[Group]:
        """All databases: those that share folders together, then those without folders by the folder of their CSV."""
        folders = self.row_folders()
        grouped: set[str] = set()
        groups: list[Group] = []
        for external_id in self.databases:
            if external_id in grouped or not folders[external_id]:
                continue
            waiting, own, shared = [external_id], {external_id: None}, dict[int, None]()
            while waiting:
                for folder in folders[waiting.pop()]:
                    shared[folder] = None
                    for other in self.databases_of(folder):
                        if other.external_id not in own:
                            own[other.external_id] = None
                            waiting.append(other.external_id)
            grouped.update(own)
            groups.append(Group([self.databases[one] for one in own], list(shared)))
        beside: defaultdict[int, list[Database]] = defaultdict(list)
        for external_id, database in self.databases.items():
            if not folders[external_id]:
                beside[database.folder].append(database)
        return [*groups, *(Group(databases, ()) for databases in beside.values())]

    def pages_in(self, folder: int) -> list[Page]:
        """The pages that lie directly in a folder, duplicates too."""
        return self._in_folder.get(folder, [])

    def page_owner(self, folder: int) -> Page | None:
        """The page that a folder belongs to; not the page that only shows the folder's database.

        Where pages of one title share a folder without an id, nothing tells them apart: the first is it.
        """
        owners = self._owners.get(folder)
        if owners is None:
            return None
        stubs = [database.shown_on for database in owners.databases]
        return next((page for page in owners.pages if page not in stubs), None)

    def parent_of_folder(self, folder: int) -> Parent:
        """Who holds what lies in a folder: its owner, or that of the nearest folder above that has one."""
        while folder != TOP:
            page = self.page_owner(folder)
            if page is not None:
                return Parent("page", page.external_id)
            databases = self.databases_of(folder)
            if databases:
                return Parent("data_source", databases[0].external_id)
            folder = self._folders.parent(folder)
        return Parent()

    def pages_of_folder(self, path: str) -> list[str]:
        """The ids of the pages whose files lie in a folder, which need not be one that was catalogued.

        They are those that the folder is named after; where there are none, those beside the files, or the same of the
        nearest folder above. A database's folder has the files of its rows, each of which has a folder in there.
        """
        while True:
            above, _, last = path.rpartition("/")
            number = self._folders.find(above) if path else None
            name = split_name(last)
            keys = _keys(last, name)
            for key in keys[:2] if name.notion_id else keys:
                owners = None if number is None else self._by_name.get((number, key))
                if owners is not None:
                    return list(dict.fromkeys(page.external_id for page in owners.pages))
            beside = self._folders.find(path)
            if beside is not None and (pages := self.pages_in(beside)):
                return list(dict.fromkeys(page.external_id for page in pages))
            if not path:
                return []
            path = above

    def holder_of(self, packed: PackedFile) -> Parent:
        """The page or database in whose folder a zip lies."""
        return self.parent_of_folder(self._folders.add(_folder_of(packed)))

    def parent_of_database(self, database: Database) -> Parent:
        """The page that shows it, else the owner of the folder that its CSV is in."""
        if database.shown_on is not None:
            return Parent("page", database.shown_on.external_id)
        return self.parent_of_folder(database.folder)


def _folder_of(packed: PackedFile) -> str:
    return without_wrapper(packed.path).rpartition("/")[0]


def _keys(stem: str, name: ExportName) -> list[str]:
    """How a file and its folder may be one: the same name, the same id, or the title alone."""
    keys = [f"name:{stem}"]
    if name.notion_id:
        keys.append(f"id:{name.notion_id}")
    keys.append(f"title:{exact_key(name.title).strip(' .')}")
    return keys
