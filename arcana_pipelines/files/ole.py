"""What stands at the top of an OLE compound file (the container of .xls, .doc, .msg and .hwp).

Format: [MS-CFB]. Read are the header and the directory alone, and of these no more than an ordinary file has.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MOST_SECTORS = 4096  # of the directory: 16 MiB of sectors of the larger size
_MOST_TABLES = 2048  # of the list of tables of sectors
_IN_HEADER = 109  # of them
_LAST_SECTOR = 0xFFFFFFFA
_NOTHING = 0xFFFFFFFF


def top_names(path: Path) -> frozenset[str]:
    """The names of the streams and storages at the top; of a damaged file those that can be read."""
    with path.open("rb") as file:
        header = file.read(512)
        if len(header) < 512 or not header.startswith(MAGIC):
            return frozenset()
        entries = b"".join(_directory(file, header))
    names: set[str] = set()
    seen: set[int] = set()
    waiting = [_field(entries, 0, 76)]
    while waiting:
        at = waiting.pop()
        if at == _NOTHING or at in seen or (at + 1) * 128 > len(entries):
            continue
        seen.add(at)
        length = struct.unpack_from("<H", entries, at * 128 + 64)[0]
        name = entries[at * 128 : at * 128 + max(min(length, 64) - 2, 0)]
        names.add(name.decode("utf-16-le", "replace"))
        waiting += [_field(entries, at, 68), _field(entries, at, 72)]
    return frozenset(names)


def _field(entries: bytes, at: int, offset: int) -> int:
    if (at + 1) * 128 > len(entries):
        return _NOTHING
    return int(struct.unpack_from("<I", entries, at * 128 + offset)[0])


def _directory(file: BinaryIO, header: bytes) -> Iterator[bytes]:
    """Its sectors in order."""
    size = 4096 if struct.unpack_from("<H", header, 30)[0] == 12 else 512
    tables = _tables(file, header, size)
    sector = struct.unpack_from("<I", header, 48)[0]
    seen: set[int] = set()
    while sector < _LAST_SECTOR and sector not in seen and len(seen) < _MOST_SECTORS:
        seen.add(sector)
        yield _sector(file, sector, size)
        table, within = divmod(sector, size // 4)
        if table >= len(tables):
            return
        numbers = _sector(file, tables[table], size)
        if len(numbers) < (within + 1) * 4:
            return
        sector = struct.unpack_from("<I", numbers, within * 4)[0]


def _tables(file: BinaryIO, header: bytes, size: int) -> list[int]:
    """In which sectors it stands which sector follows which."""
    tables = list(struct.unpack_from(f"<{_IN_HEADER}I", header, 76))
    sector = struct.unpack_from("<I", header, 68)[0]
    for _ in range(_MOST_TABLES):
        numbers = _sector(file, sector, size) if sector < _LAST_SECTOR else b""
        if len(numbers) < size:
            break
        *more, sector = struct.unpack(f"<{size // 4}I", numbers)
        tables += more
    return tables


def _sector(file: BinaryIO, sector: int, size: int) -> bytes:
    file.seek((sector + 1) * size)
    return file.read(size)
