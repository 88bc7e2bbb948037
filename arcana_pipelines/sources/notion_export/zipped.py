"""An export still in its zip, read in place and never extracted.

Only `.md` and `.csv` members are ever decompressed (and the parts of a zip of zips), so the limits on
size and ratio are for those; a large video beside them is not our concern.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from lzma import LZMAError
from pathlib import Path
from typing import IO, BinaryIO, cast

from arcana_pipelines.errors import InvalidExport
from arcana_pipelines.sources.notion_export.archive import (
    HTML_SUFFIXES,
    SUFFIXES,
    ExportFile,
    PackedFile,
    html_remark,
    in_path_order,
)
from arcana_pipelines.sources.notion_export.names import ImpossiblePath, check_path, clean_name, is_ignored

MAX_MEMBERS = 200_000
MAX_PARTS = 1000
MAX_TOTAL_BYTES = 4 * 1024**3
MAX_RATIO = 200
RATIO_MATTERS_FROM = 1024 * 1024
MAX_SINGLE_READ = 64 * 1024 * 1024
_CHUNK = 1024 * 1024
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAG = 0x1
# `Export-….zip`, `ExportBlock-…-Part-2.zip`, or what the workspace's id stands before.
_PART = re.compile(r"Part-\d+\.zip$|(?:^|[/_])Export(?:Block)?-[0-9a-f-]{32,36}[^/]*\.zip$", re.IGNORECASE)
# A directory of more members than allowed is larger than this: each has 46 bytes beside its name.
_MEMBER = b"PK\x01\x02"
_LARGE_DIRECTORY = 46 * MAX_MEMBERS
_DAMAGE = (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError)


class ZipExport:
    """One look at a zip, or at a zip of `…Part-1.zip`, `…Part-2.zip`.

    Raises:
        InvalidExport: it is not a zip, is damaged, or is not safe to read.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, with_attachments: bool = False) -> None:
        self._with_attachments = with_attachments
        self._attached: dict[str, ExportFile] = {}
        self.problems: list[str] = []
        self.remarks: list[str] = []
        self.zips: list[PackedFile] = []
        self.html: list[str] = []
        self._path = path
        self._open: list[BinaryIO] = []
        self._copies: BinaryIO | None = None
        self._parts = 0
        self.last_change = path.stat().st_mtime
        self._members = 0
        self._bytes = 0
        self._found: dict[str, ExportFile] = {}
        try:
            self._look()
        except BaseException:
            self.close()
            raise
        self.files = in_path_order(self._found)
        self.attachments = in_path_order(self._attached)
        self.remarks += html_remark(sorted(self.html))

    def _look(self) -> None:
        file = self._keep(open(self._path, "rb"))  # noqa: SIM115 - lives as long as this export
        outer = self._zip(_Window(file, 0, file.seek(0, io.SEEK_END)), self._path.name)
        members = [(info, self._safe_name(info)) for info in outer.infolist()]
        self._collect(outer, members)
        # A zip among ordinary pages is an attachment; Notion's parts are named so, or alone.
        alone = not self._found
        for info, name in sorted(members, key=lambda member: member[1]):
            if _is_hidden(name) or not name.lower().endswith(".zip"):
                continue
            if not (alone or is_named_like_a_part(name)):
                self.zips.append(PackedFile(name, None))
                continue
            self._parts += 1
            if self._parts > MAX_PARTS:
                raise self._unsafe(f"it has more than {MAX_PARTS:,} parts")
            self._attached.pop(name, None)
            nested = self._zip(self._part(outer, info, name, file), name)
            self._collect(nested, [(member, self._safe_name(member)) for member in nested.infolist()])

    def _keep(self, file: IO[bytes]) -> BinaryIO:
        self._open.append(cast(BinaryIO, file))
        return self._open[-1]

    def _zip(self, window: _Window, name: str) -> zipfile.ZipFile:
        try:
            archive = zipfile.ZipFile(cast(BinaryIO, window))
        except _TooManyMembers as error:
            raise self._unsafe(f"it has more than {MAX_MEMBERS:,} members") from error
        except _OversizedRead as error:
            raise self._unsafe(f"the directory of {name} is too large") from error
        except (*_DAMAGE, struct.error, OSError) as error:
            raise InvalidExport(
                f"The export {self._path} cannot be read: {name} is not a whole zip ({error}). "
                "Download it from Notion again, or unzip it and give the folder."
            ) from error
        self._members += len(archive.filelist)
        if self._members > MAX_MEMBERS:
            raise self._unsafe(f"it has more than {MAX_MEMBERS:,} members")
        return archive

    def _part(self, outer: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, file: BinaryIO) -> _Window:
        """A part as a seekable file: a view into the outer zip if it is merely stored, else into a file of copies.

        One file for all of them: a process may have a thousand open, and there may be as many parts.
        """
        if info.compress_type == zipfile.ZIP_STORED:
            file.seek(info.header_offset)
            header = file.read(30)
            if len(header) < 30:
                raise InvalidExport(f"The export {self._path} is damaged at {name}. Download it again.")
            name_length, extra_length = struct.unpack("<HH", header[26:30])
            return _Window(file, info.header_offset + 30 + name_length + extra_length, info.file_size)
        self._check(info, name)
        if self._copies is None:
            self._copies = self._keep(tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as this export
        begin = self._copies.tell()
        try:
            with outer.open(info) as stream:
                while chunk := stream.read(_CHUNK):
                    self._copies.write(chunk)
                    if self._copies.tell() > MAX_TOTAL_BYTES:
                        raise self._unsafe(f"{name} unpacks to too much")
        except _DAMAGE as error:
            raise InvalidExport(
                f"The export {self._path} is damaged at {name} ({error}). Download it from Notion again."
            ) from error
        self._copies.flush()
        return _Window(self._copies, begin, self._copies.tell() - begin)

    def _collect(self, archive: zipfile.ZipFile, members: list[tuple[zipfile.ZipInfo, str]]) -> None:
        for info, name in members:
            if info.is_dir() or _is_hidden(name):
                continue
            if name.lower().endswith(HTML_SUFFIXES):
                self.html.append(name)
            if not name.lower().endswith(SUFFIXES):
                self._attach(archive, info, name)
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                self.remarks.append(f"{name}: a link, so it is not read")
                continue
            self._check(info, name)
            file = ExportFile(name, info.file_size, self._date(info), (archive, info))
            held = self._found.setdefault(name, file)
            if held is not file:
                self.remarks.append(f"{name}: is in the zip more than once; the newest is read")
                if file.modified_at > held.modified_at:
                    self._found[name] = file

    def _attach(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> None:
        """Neither size nor ratio matters: whoever reads it counts what comes."""
        if self._with_attachments and not stat.S_ISLNK(info.external_attr >> 16):
            self._attached[name] = ExportFile(name, info.file_size, self._date(info), (archive, info))

    def _check(self, info: zipfile.ZipInfo, name: str) -> None:
        if info.file_size >= RATIO_MATTERS_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise self._unsafe(f"{name} unpacks to more than {MAX_RATIO} times its size")
        self._bytes += info.file_size
        if self._bytes > MAX_TOTAL_BYTES:
            raise self._unsafe(f"it unpacks to more than {MAX_TOTAL_BYTES // 1024**3} GiB of text")

    def _safe_name(self, info: zipfile.ZipInfo) -> str:
        raw = info.filename.encode("utf-8" if info.flag_bits & _UTF8_FLAG else "cp437", "replace")
        name = clean_name(raw).replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        # Nothing is ever unpacked, so `C:` and `..` may be titles; a path that climbs out of the zip is none.
        if name.startswith("/") or _climbs_out(parts):
            raise self._unsafe(f"the member {name[:200]!r} points outside of it")
        path = "/".join(parts)
        try:
            check_path(path)
        except ImpossiblePath as error:
            raise self._unsafe(str(error)) from error
        if info.flag_bits & _ENCRYPTED_FLAG:
            raise InvalidExport(f"The export {self._path} is encrypted ({path}). Unzip it and give the folder instead.")
        return path

    def _unsafe(self, why: str) -> InvalidExport:
        return InvalidExport(
            f"The export {self._path} is not safe to read: {why}. "
            "If you trust it, unzip it and give the folder instead."
        )

    def _date(self, info: zipfile.ZipInfo) -> datetime:
        """A member's date. Zips tell no time zone: nothing in it is younger than the zip, though."""
        zipped_at = datetime.fromtimestamp(self.last_change, UTC)
        try:
            return min(datetime(*info.date_time, tzinfo=UTC), zipped_at)
        except ValueError:  # month 0: the program that zipped it knew no date
            return zipped_at

    def read(self, file: ExportFile, limit: int) -> bytes:
        """Decompress the first `limit` bytes of a member, never more, whatever its header says."""
        data = bytearray()
        for piece in self._pieces(file, limit):
            data += piece
        return bytes(data)

    def pieces(self, file: ExportFile) -> Iterator[bytes]:
        """Decompress a member, which may have more bytes than its header says."""
        return self._pieces(file, None)

    def _pieces(self, file: ExportFile, limit: int | None) -> Iterator[bytes]:
        archive, info = file.locator
        size = 0
        try:
            with archive.open(info) as stream:
                while chunk := stream.read(_CHUNK if limit is None else min(_CHUNK, limit - size)):
                    size += len(chunk)
                    yield chunk
        except _DAMAGE as error:
            raise OSError(errno.EIO, f"the zip is damaged there: {error}") from error

    def mark(self, file: ExportFile) -> str:
        """Checksum and size, both from the zip's directory."""
        info: zipfile.ZipInfo = file.locator[1]
        return f"{info.CRC:08x}-{file.size}"

    def stamp(self, file: ExportFile, now: datetime) -> str:
        """Checksum and size, both from the zip's directory."""
        return self.mark(file)

    def close(self) -> None:
        """Close the zip and remove copied parts."""
        for file in self._open:
            file.close()
        self._open.clear()


def is_named_like_a_part(name: str) -> bool:
    """Whether a zip has the name that Notion gives to an export or to a part of one."""
    return _PART.search(name) is not None


def _is_hidden(name: str) -> bool:
    return any(is_ignored(part) for part in name.split("/"))


def _climbs_out(parts: list[str]) -> bool:
    depth = 0
    for part in parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


class _TooManyMembers(Exception):
    """A zip's directory names more members than an export has."""


class _OversizedRead(Exception):
    """A single read was asked for that no honest zip needs."""


class _Window(io.RawIOBase):
    """Some bytes of a file as a file of its own, which other windows and threads may read at the same time.

    `zipfile` loads a zip's whole directory in one read, before its members can be counted, so reads
    are capped here.
    """

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._length = length
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        if origin + offset < 0:
            raise OSError(errno.EINVAL, "a position before the beginning")
        self._at = origin + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._length - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > MAX_SINGLE_READ:
            raise _OversizedRead
        data = os.pread(self._file.fileno(), wanted, self._start + self._at)
        if len(data) > _LARGE_DIRECTORY and data.count(_MEMBER) > MAX_MEMBERS:
            raise _TooManyMembers
        self._at += len(data)
        return data
