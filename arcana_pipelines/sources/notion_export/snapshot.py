"""One look at an export, in the words of the protocol: references, and where each page is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from arcana_pipelines.sources.notion_export.archive import RACY_SECONDS, Archive
from arcana_pipelines.sources.notion_export.catalogue import Catalogue, Database, Page, Parent
from arcana_pipelines.sources.notion_export.export import open_export
from arcana_pipelines.sources.notion_export.page_text import HEAD_BYTES, decode, take_apart
from arcana_pipelines.sources.notion_export.rows import UNTITLED, LoneRow, RowFile, RowIndex, index_rows
from arcana_pipelines.sources.notion_export.tables import Table, UnreadableTable, read_table
from arcana_pipelines.sources.protocol import PageRef

_TABLES_HELD = 4

Item = Page | RowFile | LoneRow | Database


class Snapshot:
    """What an export held when it was looked at. Files are read later, when they are asked for.

    `seen_as` is the fingerprint from just before the look. Raises what `open_export` raises.
    """

    def __init__(self, path: Path, seen_as: str) -> None:
        self.seen_as = seen_as
        self.archive: Archive = open_export(path)
        self.catalogue = Catalogue(self.archive.files)
        self._tables: OrderedDict[str, Table] = OrderedDict()

    @cached_property
    def rows(self) -> RowIndex:
        """The rows of all databases; computing them reads CSVs and the beginnings of row files."""
        return index_rows(self.archive, self.catalogue)

    def cursor(self, now: datetime) -> str:
        """The fingerprint; marked if something was so fresh that an equal one later would prove nothing."""
        return self.seen_as if now.timestamp() - self.archive.last_change >= RACY_SECONDS else f"{self.seen_as}~"

    def ref(self, item: Item, now: datetime) -> PageRef:
        """What one item says of itself. Raises OSError if it cannot be read."""
        if isinstance(item, Page):
            return self._page_ref(item, now)
        if isinstance(item, Database):
            return self._database_ref(item)
        if item.database.external_id in self.rows.unreadable:
            raise OSError(f"{item.database.file.path} cannot be read")
        return self._row_ref(item, now) if isinstance(item, RowFile) else self._lone_ref(item)

    @property
    def remarks(self) -> list[str]:
        """What is not indexed, by rule."""
        return [*self.archive.remarks, *self.catalogue.remarks]

    @property
    def problems(self) -> list[str]:
        """What could not be read: with any of these the listing is not whole."""
        return [*self.archive.problems, *self.rows.problems]

    def find(self, external_id: str) -> Item | None:
        """Where a page, row or database is."""
        page = self.catalogue.pages.get(external_id)
        if page is not None:
            return self.rows.files.get(page.file.path, page)
        return self.catalogue.databases.get(external_id) or self.rows.lone.get(external_id)

    def cells(self, row: RowFile | LoneRow) -> Mapping[str, str]:
        """The properties of a row that hold something, as text."""
        if row.row is None:
            return row.lines if isinstance(row, RowFile) else {}
        return self._table(row.database).cells(row.row)

    def refs(self, now: datetime, problems: list[str]) -> Iterator[PageRef]:
        """Yield databases, then pages, then rows. A file that cannot be read is told in `problems`."""
        for database in self.catalogue.databases.values():
            yield self._database_ref(database)
        placed = self.rows.files
        for page in self.catalogue.pages.values():
            if page.file.path not in placed:
                yield from self._tried(page, now, problems)
        in_table_order = sorted(placed.values(), key=lambda row: row.database.file.path)
        for row in in_table_order:
            kept = self.catalogue.pages[row.page.external_id] == row.page
            if kept and row.database.external_id not in self.rows.unreadable:
                yield from self._tried(row, now, problems)
        for lone in self.rows.lone.values():
            yield from self._tried(lone, now, problems)

    def _tried(self, item: Page | RowFile | LoneRow, now: datetime, problems: list[str]) -> list[PageRef]:
        try:
            return [self.ref(item, now)]
        except OSError as error:
            what = item.title if isinstance(item, LoneRow) else _page_of(item).file.path
            problems.append(f"{what}: cannot be read ({error.strerror or error}); it is not listed")
            return []

    def _page_ref(self, page: Page, now: datetime) -> PageRef:
        head = decode(self.archive.read(page.file, HEAD_BYTES))[0]
        title = take_apart(head).title or page.name.title or UNTITLED
        parent = self.catalogue.parent_of_folder(page.file.folder)
        return _ref(page, "page", parent, title, self.archive.stamp(page.file, now))

    def _row_ref(self, row: RowFile, now: datetime) -> PageRef:
        stamp = self.archive.stamp(row.page.file, now)
        if row.row is not None:
            stamp += f"-{self._table(row.database).digest(row.row)}"
        parent = Parent("data_source", row.database.external_id)
        return _ref(row.page, "row", parent, row.title, stamp, _properties(self.cells(row)))

    def _lone_ref(self, row: LoneRow) -> PageRef:
        return PageRef(
            external_id=row.external_id,
            kind="row",
            parent_kind="data_source",
            parent_id=row.database.external_id,
            title=row.title,
            url=None,
            revision=self._table(row.database).digest(row.row),
            last_edited_at=row.database.file.modified_at,
            properties=_properties(self.cells(row)),
        )

    def _database_ref(self, database: Database) -> PageRef:
        parent = self.catalogue.parent_of_database(database)
        twins = [file for file in (database.file, database.twin) if file is not None]
        return PageRef(
            external_id=database.external_id,
            kind="data_source",
            parent_kind=parent.kind,
            parent_id=parent.external_id,
            title=database.name.title or UNTITLED,
            url=database.name.url,
            # It has no body: nothing is read for it, so a time without a hash will do.
            revision=" ".join(f"{file.size}-{file.modified_at.timestamp()}" for file in twins),
            last_edited_at=max(file.modified_at for file in twins),
        )

    def _table(self, database: Database) -> Table:
        held = self._tables.pop(database.external_id, None)
        if held is None:
            try:
                held = read_table(self.archive, database.file)
            except UnreadableTable as error:
                raise OSError(f"{database.file.path} {error}") from error
            if held.checksum != self.rows.checksums.get(database.external_id):
                # Row numbers of the old table would give each page another one's properties.
                raise OSError(f"{database.file.path} has changed since it was looked at")
            while len(self._tables) >= _TABLES_HELD:
                self._tables.popitem(last=False)
        self._tables[database.external_id] = held
        return held

    def close(self) -> None:
        """Close the archive."""
        self.archive.close()


def _page_of(item: Page | RowFile) -> Page:
    return item if isinstance(item, Page) else item.page


def _ref(
    page: Page,
    kind: str,
    parent: Parent,
    title: str,
    revision: str,
    properties: Mapping[str, Mapping[str, Any]] | None = None,
) -> PageRef:
    return PageRef(
        external_id=page.external_id,
        kind=kind,
        parent_kind=parent.kind,
        parent_id=parent.external_id,
        title=title,
        url=page.name.url,
        revision=revision,
        last_edited_at=page.file.modified_at,
        properties=properties or {},
    )


def _properties(cells: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    return {name: {"type": "text", "text": text, "value": text} for name, text in cells.items()}
