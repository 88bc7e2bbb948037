"""An export that was unzipped into a folder."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from arcana_pipelines.sources.notion_export.archive import (
    HTML_SUFFIXES,
    MAX_FILE_BYTES,
    RACY_SECONDS,
    SUFFIXES,
    ExportFile,
    PackedFile,
    html_remark,
    in_path_order,
)
from arcana_pipelines.sources.notion_export.names import check_path, clean_name, is_ignored
from arcana_pipelines.sources.notion_export.zipped import ZipExport, is_named_like_a_part

# A file that was swapped for a link or a pipe after the scan must neither be followed nor block us.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_PIECE = 2**20


class FolderExport:
    """One scan of a folder: names, sizes and times; no file is opened.

    Raises:
        OSError: the folder itself cannot be listed.
        ImpossiblePath: it is deeper, or a name is longer, than any export's.
    """

    def __init__(self, root: Path, with_attachments: bool = False) -> None:
        self.problems: list[str] = []
        self.remarks: list[str] = []
        self.zips: list[PackedFile] = []
        self.html: list[str] = []
        self._zip_stamps: list[str] = []
        self._with_attachments = with_attachments
        self._found: dict[str, ExportFile] = {}
        self._attached: dict[str, ExportFile] = {}
        self._scan(root)
        self.files = in_path_order(self._found)
        self.attachments = in_path_order(self._attached)
        self.remarks += html_remark(sorted(self.html))

    def _scan(self, root: Path) -> None:
        waiting = [(str(root), "")]
        while waiting:
            place, prefix = waiting.pop()
            try:
                with os.scandir(place) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except OSError as error:
                if not prefix:
                    raise
                self.problems.append(f"{prefix}: the folder cannot be listed ({error.strerror})")
                continue
            for entry in entries:
                name = clean_name(os.fsencode(entry.name))
                if not is_ignored(name):
                    self._take(entry, prefix + name, waiting)

    def _take(self, entry: os.DirEntry[str], path: str, waiting: list[tuple[str, str]]) -> None:
        check_path(path)
        try:
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, path + "/"))
                return
            kind = path.lower()
            if kind.endswith(HTML_SUFFIXES):
                self.html.append(path)
            is_attachment = not kind.endswith(SUFFIXES)
            if is_attachment and not (self._with_attachments or kind.endswith(".zip")):
                return
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            self.problems.append(f"{path}: cannot be looked at ({error.strerror})")
            return
        is_part = is_attachment and is_named_like_a_part(path)
        if is_attachment and not is_part and self._with_attachments and stat.S_ISREG(status.st_mode):
            modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
            held = ExportFile(path, status.st_size, modified_at, (entry.path, status.st_mtime_ns))
            self._attached.setdefault(path, held)
        if kind.endswith(".zip"):
            if stat.S_ISREG(status.st_mode):
                self.zips.append(PackedFile(path, partial(ZipExport, Path(entry.path))))
                self._zip_stamps.append(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n")
        elif is_attachment:
            return
        elif not stat.S_ISREG(status.st_mode):
            self.remarks.append(f"{path}: not an ordinary file (a link?), so it is not read")
        else:
            modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
            file = ExportFile(path, status.st_size, modified_at, (entry.path, status.st_mtime_ns))
            held = self._found.setdefault(path, file)
            if held is not file:
                self.remarks.append(f"{path}: two files have this name, spelled differently; the newer is read")
                if file.modified_at > held.modified_at:
                    self._found[path] = file

    def read(self, file: ExportFile, limit: int) -> bytes:
        """Return the first `limit` bytes of a file as it is now."""
        with self._opened(file) as stream:
            return stream.read(limit)

    def pieces(self, file: ExportFile) -> Iterator[bytes]:
        """All bytes of a file as it is now."""
        with self._opened(file) as stream:
            while piece := stream.read(_PIECE):
                yield piece

    def _opened(self, file: ExportFile) -> BinaryIO:
        descriptor = os.open(file.locator[0], _OPEN_FLAGS)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(f"{file.path} is not an ordinary file any more")
        return open(descriptor, "rb")

    def mark(self, file: ExportFile) -> str:
        """Size and time of change."""
        return f"{file.size}-{file.locator[1]}"

    def stamp(self, file: ExportFile, now: datetime) -> str:
        """Size and time of change, and for a fresh file its content too.

        Two edits inside one tick of the file system's clock that leave the size alone look like one. As
        git does for its index, we do not trust the time of a file changed within the last seconds (or in
        the future) and add a hash. Once the file has aged the hash falls off: the revision changes once
        more and the page is read again, which also catches an edit made just after this look.
        """
        mtime_ns: int = file.locator[1]
        stamp = f"{file.size}-{mtime_ns}"
        if now.timestamp() - mtime_ns / 1e9 >= RACY_SECONDS:
            return stamp
        return f"{stamp}-{hashlib.sha256(self.read(file, MAX_FILE_BYTES)).hexdigest()[:16]}"

    @property
    def last_change(self) -> float:
        """The time of the newest file, attachments included."""
        return max((file.locator[1] for file in (*self.files, *self.attachments)), default=0) / 1e9

    def fingerprint(self) -> str:
        """A hash over every path, size and time, of zips too; what could not be listed counts as well."""
        digest = hashlib.sha256()
        for file in (*self.files, *self.attachments):
            digest.update(f"{file.path}\0{file.size}\0{file.locator[1]}\n".encode())
        for stamp in sorted(self._zip_stamps):
            digest.update(stamp.encode())
        for problem in self.problems:
            digest.update(f"{problem}\n".encode())
        return digest.hexdigest()

    def close(self) -> None:
        """Nothing is held open."""
