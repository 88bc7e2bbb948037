"""One look at an export, in the words of the protocol: references, and where each page is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from arcana_pipelines.markdown.urls import without_signatures
from arcana_pipelines.sources.notion_export.archive import RACY_SECONDS, Archive
from arcana_pipelines.sources.notion_export.attachments import Attachments
from arcana_pipelines.sources.notion_export.candidates import UNTITLED
from arcana_pipelines.sources.notion_export.catalogue import Catalogue, Database, Page, Parent
from arcana_pipelines.sources.notion_export.cells import TEXT, Column, read_value
from arcana_pipelines.sources.notion_export.encodings import decode
from arcana_pipelines.sources.notion_export.export import not_safe, open_export
from arcana_pipelines.sources.notion_export.names import ImpossiblePath
from arcana_pipelines.sources.notion_export.packed import look_at_zips
from arcana_pipelines.sources.notion_export.page_text import HEAD_BYTES, take_apart
from arcana_pipelines.sources.notion_export.references import Place, mentioned_pages, read_cell, shown
from arcana_pipelines.sources.notion_export.row_store import RowRecord, RowStore
from arcana_pipelines.sources.notion_export.rows import LoneRow, RowFile, RowIndex, index_rows
from arcana_pipelines.sources.protocol import PageRef

# In every revision: when the reading of exports changes, all pages are read once more. Nothing that reads
# the same is embedded again.
READER = "5"

Item = Page | RowFile | LoneRow | Database


class Snapshot:
    """What an export held when it was looked at. Files are read later, when they are asked for.

    `seen_as` is the fingerprint from just before the look. Raises what `open_export` raises.
    """

    def __init__(self, path: Path, seen_as: str, with_files: bool = False) -> None:
        self.seen_as = seen_as
        self.archive: Archive = open_export(path, with_files)
        try:
            self.catalogue = Catalogue(self.archive.files, self.archive.zips)
        except ImpossiblePath as error:
            self.archive.close()
            raise not_safe(path, error) from error
        self.attachments = Attachments(self.archive, self.catalogue)
        self._store = RowStore()

    @cached_property
    def rows(self) -> RowIndex:
        """The rows of all databases; computing them reads CSVs and the beginnings of row files."""
        return index_rows(self.archive, self.catalogue, self._store)

    @cached_property
    def _zips(self) -> tuple[list[str], list[str]]:
        return look_at_zips(self.archive, self.catalogue)

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
        """What is not indexed, by rule, and what of a table could not be decoded."""
        return [*self.archive.remarks, *self.catalogue.remarks, *self._zips[1], *self.rows.remarks]

    @property
    def problems(self) -> list[str]:
        """What could not be read: with any of these the listing is not whole."""
        return [*self.archive.problems, *self._zips[0], *self.rows.problems]

    def find(self, external_id: str) -> Item | None:
        """Where a page, row or database is."""
        page = self.catalogue.pages.get(external_id)
        if page is not None:
            return self.rows.files.get(page.file.path, page)
        if external_id in self.rows.views:
            return None
        return self.catalogue.databases.get(external_id) or self.rows.lone.get(external_id)

    def record(self, row: RowFile | LoneRow) -> RowRecord:
        """What the tables say of a row."""
        return self._store.read(row.place)

    def mentioned(self, record: RowRecord) -> list[str]:
        """The pages that a row's title and cells name inside of a text, which no relation says."""
        place = Place(self.catalogue, record.folder)
        return [page for text in (record.title, *record.cells.values()) for page in mentioned_pages(text, place.page)]

    def refs(self, now: datetime, problems: list[str]) -> Iterator[PageRef]:
        """Yield databases, then pages, then rows. A file that cannot be read is told in `problems`."""
        for database in self.catalogue.databases.values():
            if database.external_id not in self.rows.views:
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
        head = self.archive.read(page.file, HEAD_BYTES)
        text = take_apart(decode(head, whole=len(head) < HEAD_BYTES)[0], page.name.title)
        title = text.title or page.name.title or UNTITLED
        parent = self.catalogue.parent_of_folder(page.folder)
        stamp = _joined(self.archive.stamp(page.file, now), self.attachments.stamp(page.external_id))
        return _ref(page, "page", parent, title, stamp)

    def _row_ref(self, row: RowFile, now: datetime) -> PageRef:
        record = self.record(row)
        attached = self.attachments.stamp(row.page.external_id, record.cells.values(), record.folder)
        stamp = _joined(self.archive.stamp(row.page.file, now), self._store.digest(row.place), attached)
        parent = Parent("data_source", row.database.external_id)
        return _ref(row.page, "row", parent, row.title, stamp, self._properties(row))

    def _lone_ref(self, row: LoneRow) -> PageRef:
        record = self.record(row)
        attached = self.attachments.stamp(None, record.cells.values(), record.folder)
        return PageRef(
            external_id=row.external_id,
            kind="row",
            parent_kind="data_source",
            parent_id=row.database.external_id,
            title=row.title,
            url=None,
            revision=_joined(self._store.digest(row.place), attached, READER),
            last_edited_at=row.database.file.modified_at,
            properties=self._properties(row),
        )

    def _properties(self, row: RowFile | LoneRow) -> dict[str, dict[str, Any]]:
        record = self.record(row)
        place = Place(self.catalogue, record.folder)
        columns = self.rows.columns.get(row.database.external_id, {})
        return {name: _property(text, place, columns.get(name, TEXT)) for name, text in record.cells.items()}

    def _database_ref(self, database: Database) -> PageRef:
        parent = self.catalogue.parent_of_database(database)
        twins = [file for file in (database.file, database.twin) if file is not None]
        return PageRef(
            external_id=database.external_id,
            kind="data_source",
            is_container=True,
            parent_kind=parent.kind,
            parent_id=parent.external_id,
            title=database.name.title or UNTITLED,
            url=database.name.url,
            # It has no body: nothing is read for it, so a time without a hash will do.
            revision=" ".join(f"{file.size}-{file.modified_at.timestamp()}" for file in twins),
            last_edited_at=max(file.modified_at for file in twins),
            properties=self._columns(database.external_id),
        )

    def _columns(self, database_id: str) -> dict[str, dict[str, Any]]:
        kinds: dict[str, str] = {name: column.type for name, column in self.rows.columns.get(database_id, {}).items()}
        if (title := self.rows.titles.get(database_id)) is not None:
            kinds = {title: "title", **kinds}
        return {name: {"type": kind, "text": "", "value": None} for name, kind in kinds.items()}

    def close(self) -> None:
        """Close the archive and remove what was kept of the tables."""
        self.archive.close()
        self._store.close()


def _joined(*parts: str) -> str:
    return "-".join(filter(None, parts))


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
        url=page.name.url or page.file.path,
        revision=f"{revision}-{READER}",
        last_edited_at=page.file.modified_at,
        properties=properties or {},
    )


def _property(text: str, place: Place, column: Column) -> dict[str, Any]:
    if (value := read_cell(text, place)) is not None:
        return value
    return read_value(column, without_signatures(shown(text, place.page)))
