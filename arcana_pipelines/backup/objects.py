"""The bytes of files in a place of backups: each once, whichever backups and workspaces name it, by its hash."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from pathlib import Path

from arcana_pipelines.backup.manifest import Manifest, all_ids, all_of
from arcana_pipelines.backup.sealing import PIECE_BYTES
from arcana_pipelines.backup.vault import Part, PartWriter, Vault, piece_name
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import BackupDamaged, FileDamaged, FileMissing
from arcana_pipelines.files.stores.keys import hash_in
from arcana_pipelines.files.stores.pieces import checked
from arcana_pipelines.files.stores.protocol import FileStore

PART = "objects"
_STORED = 'SELECT storage_key, size FROM stored_file ORDER BY sha256, storage_key COLLATE "C"'
_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Object:
    """A file's bytes.

    Attributes:
        key: where the store has them.
        size: in bytes.
    """

    key: str
    size: int

    @property
    def sha256(self) -> str:
        """Their hash (hex)."""
        return hash_in(self.key)


def named_by(connection: Connection) -> Iterator[Object]:
    """All that the database names, in the order of their hashes. The connection is in a transaction."""
    with connection.cursor("stored_files") as cursor:
        cursor.itersize = _ROWS
        for key, size in cursor.execute(_STORED):
            yield Object(str(key), int(size))


def of_both(one: Iterable[Object], other: Iterable[Object]) -> Iterator[Object]:
    """What one of two names, each once; both are in the order of `named_by`."""
    for each, _ in groupby(merge(one, other, key=_order)):
        yield each


def _order(each: Object) -> tuple[str, str]:
    return each.sha256, each.key


def write_list(vault: Vault, folder: str, objects: Iterable[Object]) -> tuple[Part, int, int]:
    """Keep which objects a backup names; returns the part, how many, and their bytes."""
    number = total = 0
    with PartWriter(vault, folder, PART) as writer:
        for each in objects:
            writer.write(json.dumps([each.key, each.size]).encode() + b"\n")
            number += 1
            total += each.size
    return writer.part, number, total


def read_list(vault: Vault, manifest: Manifest) -> Iterator[Object]:
    """The objects that a backup names."""
    rest = b""
    for piece in vault.read(manifest.folder, manifest.parts[PART]):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            key, size = json.loads(line)
            yield Object(key, size)


class Copier:
    """Copies objects into the place that it has not yet."""

    def __init__(self, vault: Vault, backup_id: str) -> None:
        """For the backup with this id, which is not whole yet."""
        self._vault = vault
        self._there = {kept.name for kept in vault.place.names("objects/")}
        if {each for each, is_whole in all_ids(vault).items() if not is_whole} - {backup_id}:
            # Of one that was interrupted, with the machine perhaps, some may not be what they seem.
            self._there &= {
                name for each in all_of(vault) for found in read_list(vault, each) for name in pieces_of(vault, found)
            }
        self.kept = 0
        self.copied = 0
        self.missing: list[str] = []

    def look_again(self) -> None:
        """Somebody may have deleted what was there."""
        self._there = {kept.name for kept in self._vault.place.names("objects/")}

    def copy(self, store: FileStore, each: Object) -> None:
        """Copy one, unless it is there. What the store has not, or has with other bytes, is noted."""
        names = pieces_of(self._vault, each)
        if self._there.issuperset(names):
            return
        try:
            for name, piece in zip(names, _regrouped(store.read(each.key)), strict=True):
                self.kept += self._vault.put(name, piece)
        except (FileMissing, FileDamaged, ValueError):  # ValueError: it has another number of pieces
            self.missing.append(each.sha256)
            for name in names:
                self._vault.place.delete(name)
            return
        self._there.update(names)
        self.copied += 1


def pieces_of(vault: Vault, each: Object) -> list[str]:
    """What the pieces of an object are called in the place."""
    name = vault.sealer.name_of(each.sha256)
    count = max(1, -(-each.size // PIECE_BYTES))
    return [piece_name(f"objects/{name[:2]}", name, number) for number in range(count)]


def content_of(vault: Vault, each: Object) -> Iterator[bytes]:
    """An object's bytes. The last piece comes only when all are what their hash says.

    Raises:
        BackupDamaged: they are missing, or others.
    """
    pieces = (vault.get(name) for name in pieces_of(vault, each))
    try:
        yield from checked(pieces, each.sha256, "")
    except FileDamaged:
        raise BackupDamaged(f"A file's bytes in {vault.place.shown} are not those of {each.sha256}.") from None


@contextmanager
def as_file(vault: Vault, each: Object, folder: Path) -> Iterator[Path]:
    """An object in a file of this machine, until the block ends."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for piece in content_of(vault, each):
            file.write(piece)
        file.flush()
        yield Path(file.name)


def _regrouped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces as the place has them; one that is empty where there are none."""
    waiting, given = bytearray(), False
    for piece in pieces:
        waiting += piece
        while len(waiting) >= PIECE_BYTES:
            yield bytes(waiting[:PIECE_BYTES])
            del waiting[:PIECE_BYTES]
            given = True
    if waiting or not given:
        yield bytes(waiting)
