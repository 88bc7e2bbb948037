"""ZIP archives: their files, each to be read as one of its own, and nothing else of them."""

from __future__ import annotations

import re
import stat
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from arcana_pipelines.files import zips
from arcana_pipelines.files.kinds import FileKind, kind_of
from arcana_pipelines.files.parsing.blocks import Inside, Note, Said
from arcana_pipelines.files.parsing.plain import plain
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable

_MOST_FILES = 20
# Of one file: what a process that reads one may write is 128 MiB.
_LARGEST = 100 * 2**20
_LARGEST_SUM = 400 * 2**20
_SMALL = 2**20
_PIECE = 2**16
_LONGEST_NAME = 300
_ENCRYPTED = 0x1
_NEEDS_PASSWORD = "files that open with a password"
_UTF_8 = 0x800
# What systems put beside people's files.
_OF_SYSTEMS = re.compile(r"(?:^|/)(?:__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)", re.I)
_SEPARATORS = re.compile(r"[/\\]+")
_DRIVE = re.compile(r"[A-Za-z]:\Z")
# Formats of archives that are not read, inside or outside.
_ARCHIVES = (
    b"PK\3\4",
    b"PK\5\6",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
)
_WRONG = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)


class _LeftOut(Exception):
    """An entry is not handed on. The message says why, of many."""


def parse(job: Job) -> Iterator[Said]:
    """Say the files of an archive, in its order: twenty at most, no folders, no archives in it.

    Raises:
        Unreadable: damaged, all of it encrypted, or without a file that may be read.
    """
    try:
        listed = zips.entries(job.path)
    except zips.TooMuchInside as error:
        raise Unreadable(Reason.TOO_LARGE, str(error)) from error
    except (zipfile.BadZipFile, OSError) as error:
        raise Unreadable(Reason.DAMAGED, "its list of entries cannot be read") from error
    left_out: Counter[str] = Counter()
    said = size = 0
    with zips.opened(job.path) as archive:
        for entry in listed:
            name = _name(entry)
            if entry.is_dir() or not name or _OF_SYSTEMS.search(name) or _is_link(entry):
                continue
            path = job.directory / f"entry-{said + 1}"
            try:
                if said == _MOST_FILES:
                    raise _LeftOut(f"files after the first {_MOST_FILES}")
                size += _unpack(archive, entry, path, min(_LARGEST, _LARGEST_SUM - size))
            except _LeftOut as why:
                left_out[str(why)] += 1
                if path.exists():
                    path.write_bytes(b"")  # it cannot be removed from here, and takes no room
                continue
            said += 1
            yield Inside(name, path.name)
    if not said:
        raise _nothing(left_out)
    yield from (Note(f"{why}: {count}") for why, count in left_out.items())


def _nothing(left_out: Counter[str]) -> Unreadable:
    if set(left_out) == {_NEEDS_PASSWORD}:
        return Unreadable(Reason.ENCRYPTED, "its files open with a password")
    why = ", ".join(f"{why}: {count}" for why, count in left_out.items())
    return Unreadable(Reason.NO_TEXT, f"the archive holds no file that is read{f' ({why})' if why else ''}")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, most: int) -> int:
    """Write an entry to `path`: how many bytes. They are counted, for what an entry says of its size may be a lie."""
    if entry.flag_bits & _ENCRYPTED:
        raise _LeftOut(_NEEDS_PASSWORD)
    written = 0
    try:
        with archive.open(entry) as source, path.open("wb") as file:
            for piece in _pieces(source):
                written += len(piece)
                if written > most or written > max(_SMALL, zips.STEEPEST_RATIO * entry.compress_size):
                    raise _LeftOut("files that unpack to too much")
                file.write(piece)
    except _WRONG as error:
        raise _LeftOut("damaged files") from error
    if _is_archive(path):
        raise _LeftOut("archives in the archive")
    return written


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        yield piece


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        beginning = file.read(8)
    return beginning.startswith(_ARCHIVES) and kind_of(path) in (FileKind.ZIP, FileKind.OTHER)


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _name(entry: zipfile.ZipInfo) -> str:
    """The name of an entry with its folders, as a label: nothing in it leads anywhere."""
    name = entry.orig_filename
    if not entry.flag_bits & _UTF_8:
        # Without the flag for UTF-8 the standard library takes the alphabet of the first PCs. Korean programs write
        # CP949, those of Apple UTF-8.
        name = _guessed(name)
    parts = _SEPARATORS.split(unicodedata.normalize("NFC", name.partition("\0")[0]))
    kept = [part for part in map(plain, parts) if part not in ("", ".", "..") and not _DRIVE.match(part)]
    return "/".join(kept)[-_LONGEST_NAME:]


def _guessed(name: str) -> str:
    try:
        raw = name.encode("cp437")
    except UnicodeEncodeError:
        return name
    for codec in ("utf-8", "cp949"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return name
