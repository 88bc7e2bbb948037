"""The source `notion_export`: a folder or zip of Notion's "Markdown & CSV" export, read where it lies."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO

from arcana_pipelines.errors import (
    DownloadExpired,
    DownloadFailed,
    DownloadRefused,
    InvalidExport,
    PageRejected,
    PageUnavailable,
    SourceError,
    SourceUnavailable,
)
from arcana_pipelines.sources.notion_export.archive import MAX_FILE_BYTES, ExportFile
from arcana_pipelines.sources.notion_export.body_links import read_links
from arcana_pipelines.sources.notion_export.catalogue import Database
from arcana_pipelines.sources.notion_export.encodings import decode, is_rubbish
from arcana_pipelines.sources.notion_export.export import fingerprint
from arcana_pipelines.sources.notion_export.page_text import take_apart, without_properties
from arcana_pipelines.sources.notion_export.references import Place
from arcana_pipelines.sources.notion_export.rows import LoneRow, RowFile
from arcana_pipelines.sources.notion_export.snapshot import READER, Snapshot
from arcana_pipelines.sources.protocol import (
    Capabilities,
    FetchedPage,
    FileRef,
    Listing,
    Mode,
    PageRef,
    Presence,
    Source,
)

logger = logging.getLogger(__name__)

BATCH = 200


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _fingerprint(path: Path, with_files: bool) -> str:
    return f"{READER}-{fingerprint(path, with_files)}"


class NotionExportSource(Source):
    """One export of one workspace.

    Nothing is opened until something is asked for. Several threads may `fetch` at once.
    """

    capabilities = Capabilities(
        has_containers=True,
        lists_everything=True,
        probes=True,
        # A folder that was read whole and lacks a page has said so: no permission or search index hides it.
        absences_needed=1,
    )

    def __init__(self, path: Path, *, now: Callable[[], datetime] = _utc_now, with_files: bool = False) -> None:
        self._path = path
        self._now = now
        self._with_files = with_files
        self.capabilities = replace(NotionExportSource.capabilities, lists_files=with_files)
        self._lock = threading.RLock()
        self._snapshot: Snapshot | None = None
        # Another thread may still read from a snapshot that was replaced, so all close together.
        self._outdated: list[Snapshot] = []

    def enumerate(
        self, mode: Mode, cursor: str | None, is_unchanged: Callable[[Sequence[PageRef]], Sequence[bool]]
    ) -> Listing:
        """List the whole export, whatever the mode: looking at every file is as cheap as at some.

        What is left out by rule (the second file of one id, a link) is told in `problems` and does not
        make the listing incomplete; what could not be read does.

        Raises:
            InvalidExport: there is no usable export at the path.
            SourceUnavailable: the disk did not answer.
        """
        now = self._now()
        with self._lock:
            snapshot = self._look_again()
            remarks = snapshot.remarks
        listing = Listing(problems=remarks, source_time=now)
        listing.batches = self._batches(snapshot, listing, now)
        return listing

    def _batches(self, snapshot: Snapshot, listing: Listing, now: datetime) -> Iterator[Sequence[PageRef]]:
        unreadable: list[str] = []
        with self._lock:
            unreadable += snapshot.problems
        refs = snapshot.refs(now, unreadable)
        while True:
            with self._lock:
                batch = list(islice(refs, BATCH))
            if not batch:
                break
            yield batch
        listing.problems += unreadable
        listing.complete = not unreadable
        listing.cursor = None if unreadable else snapshot.cursor(now)
        logger.info("listed notion export %s: complete=%s", self._path, listing.complete)

    def fetch(self, ref: PageRef) -> FetchedPage:
        """Read one page's Markdown, without its title and without the lines that repeat its properties.

        A row without a file, and a database, have an empty body.
        """
        fetched_at = self._now()
        with self._lock:
            snapshot = self._current()
        try:
            return self._read(snapshot, ref.external_id, fetched_at)
        except (OSError, PageUnavailable) as error:
            # The snapshot may be older than the export: look again, once.
            with self._lock:
                newer = self._refreshed(snapshot)
            if newer is not snapshot:
                logger.debug("notion export %s changed while being read: %s", self._path, error)
            try:
                return self._read(newer, ref.external_id, fetched_at)
            except FileNotFoundError as missing:
                gone = f"The page {ref.external_id} is not in the export {self._path} any more."
                raise PageUnavailable(gone) from missing
            except OSError as unreadable:
                raise PageRejected(
                    f"The page {ref.external_id} in {self._path} cannot be read: {unreadable}. "
                    "Repair the file or export again."
                ) from unreadable

    def _read(self, snapshot: Snapshot, external_id: str, fetched_at: datetime) -> FetchedPage:
        with self._lock:
            item = snapshot.find(external_id)
            if item is None:
                raise PageUnavailable(f"The page {external_id} is not in the export {self._path}.")
            row = item if isinstance(item, RowFile | LoneRow) else None
            if row is not None and row.database.external_id in snapshot.rows.unreadable:
                raise OSError(f"the table of its database, {row.database.file.path}, cannot be read")
            record = snapshot.record(row) if row is not None else None
            mentioned = snapshot.mentioned(record) if record is not None else []
        partial = record.partial if record is not None else ()
        cells, cells_folder = ((), "") if record is None else (record.cells.values(), record.folder)
        if isinstance(item, LoneRow | Database):
            files = snapshot.attachments.of_page("", "", cells, cells_folder)
            links = tuple(dict.fromkeys(mentioned))
            return FetchedPage("", fetched_at, links=links, partial=partial, files=self._told(files))
        file = item.page.file if isinstance(item, RowFile) else item.file
        data = snapshot.archive.read(file, MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise PageRejected(
                f"The page {file.path} in {self._path} is larger than {MAX_FILE_BYTES // 1024**2} MiB. "
                "Split it in Notion and export again."
            )
        text, damage = decode(data)
        if is_rubbish(text):
            raise PageRejected(
                f"The page {file.path} in {self._path} is in an unknown encoding, or is not text. Save it as UTF-8."
            )
        title = (item.page if isinstance(item, RowFile) else item).name.title
        body = without_properties(take_apart(text, title), record.cells if record is not None else {})
        files = snapshot.attachments.of_page(body, file.folder, cells, cells_folder)
        body, links = read_links(body.strip("\r\n"), Place(snapshot.catalogue, file.folder))
        if damage:
            partial = (f"{file.path}: {damage}", *partial)
        others = tuple(link for link in dict.fromkeys((*links, *mentioned)) if link != external_id)
        return FetchedPage(body, fetched_at, links=others, partial=partial, files=self._told(files))

    def _told(self, files: list[FileRef]) -> tuple[FileRef, ...] | None:
        return tuple(files) if self._with_files else None

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        """Copy a file of the export (see `Source.download`). What lies outside of it, or is a link, is none of it."""
        if not self._with_files:
            raise DownloadRefused("files are not fetched (FILES=off)")
        try:
            with self._lock:
                snapshot = self._refreshed(self._snapshot)
        except SourceUnavailable as error:
            raise DownloadFailed(str(error)) from error
        found = snapshot.attachments.find(file.address)
        if found is None:
            raise DownloadExpired(f"A file is not in the export {self._path} any more.")
        if found.size > most:
            raise DownloadRefused(f"A file is larger than {most:,} bytes.")
        target.seek(0)
        target.truncate()
        size = 0
        for piece in self._pieces(snapshot, found):
            size += len(piece)
            if size > most:
                raise DownloadRefused(f"A file is larger than {most:,} bytes.")
            target.write(piece)

    def _pieces(self, snapshot: Snapshot, file: ExportFile) -> Iterator[bytes]:
        pieces = snapshot.archive.pieces(file)
        while True:
            try:
                piece = next(pieces, None)
            except FileNotFoundError as error:
                raise DownloadExpired(f"A file is not in the export {self._path} any more.") from error
            except OSError as error:
                raise DownloadFailed(f"A file in the export {self._path} cannot be read ({error.strerror}).") from error
            if piece is None:
                return
            yield piece

    def confirm(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """Look again whether the export holds a page, and what it says of itself.

        `GONE` needs an export that was read whole: an unmounted disk, an emptied folder or one unreadable
        sub-folder says nothing about any page.
        """
        try:
            with self._lock:
                snapshot = self._refreshed(self._snapshot)
                item = snapshot.find(external_id)
                if item is not None:
                    return Presence.ALIVE, snapshot.ref(item, self._now())
                return (Presence.UNKNOWN if snapshot.problems else Presence.GONE), None
        except (SourceError, InvalidExport, OSError) as error:
            logger.warning("notion export %s: presence of %s is unknown: %s", self._path, external_id, error)
            return Presence.UNKNOWN, None

    def unchanged_since(self, cursor: str | None) -> bool:
        """Whether the fingerprint is still that of the listing which gave `cursor`.

        False, if unproven: after an incomplete listing, while the export cannot be looked at, and once
        after a listing that met a file changed seconds before (another edit in that moment may show in
        neither size nor time).
        """
        try:
            return cursor is not None and cursor == self.fingerprint()
        except (SourceError, InvalidExport):
            return False

    def fingerprint(self) -> str:
        """A hash over path, size and time of every `.md`, `.csv` and `.zip`, or of the zip. No file is read.

        Where files are told of, those of all others count as well.

        A release that reads exports differently has another one, so that each export is then listed again.

        Raises:
            InvalidExport: there is no export at the path.
            SourceUnavailable: the disk did not answer.
        """
        return _fingerprint(self._path, self._with_files)

    def close(self) -> None:
        """Close the zip, if it is one. The source may be used again."""
        with self._lock:
            if self._snapshot is not None:
                self._outdated.append(self._snapshot)
            for snapshot in self._outdated:
                snapshot.close()
            self._outdated.clear()
            self._snapshot = None

    def _current(self) -> Snapshot:
        """The held snapshot, or a first one. An export that is gone is not a statement about a page."""
        if self._snapshot is None:
            try:
                return self._look_again()
            except InvalidExport as error:
                raise SourceUnavailable(str(error)) from error
        return self._snapshot

    def _refreshed(self, known: Snapshot | None) -> Snapshot:
        """A snapshot that is no older than the export is now."""
        try:
            if self._snapshot is not None and self._snapshot is not known:
                return self._snapshot
            if known is not None and known.seen_as == _fingerprint(self._path, self._with_files):
                return known
            return self._look_again()
        except InvalidExport as error:
            raise SourceUnavailable(str(error)) from error

    def _look_again(self) -> Snapshot:
        seen_as = _fingerprint(
            self._path, self._with_files
        )  # before the look: a change in between is then seen next time
        snapshot = Snapshot(self._path, seen_as, self._with_files)
        if self._snapshot is not None:
            self._outdated.append(self._snapshot)
        self._snapshot = snapshot
        return snapshot
