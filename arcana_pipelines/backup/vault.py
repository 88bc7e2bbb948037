"""A place of backups that was opened: with its key, where it has one.

The place's own key is random, and stands in it encrypted with a key made of ENCRYPTION_KEY: so another ENCRYPTION_KEY
needs no other backups. It is made when the first backup is put there, and a place is encrypted or not from then on.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from arcana_pipelines.backup.places import Place, open_place
from arcana_pipelines.backup.sealing import PIECE_BYTES, Broken, Sealer
from arcana_pipelines.credentials.cipher import Key, KeyRing
from arcana_pipelines.errors import BackupDamaged, BackupRefused
from arcana_pipelines.settings import Settings

FORMAT = 1
_ABOUT = "arcana-backups.json"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a backup, in pieces.

    Attributes:
        name: below the backup's folder.
        size: in bytes, before it was packed and encrypted.
        kept: in bytes, as it is in the place.
        sha256: of its content (hex).
    """

    name: str
    pieces: int
    size: int
    kept: int
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class Vault:
    """Reads and writes pieces and parts."""

    def __init__(self, place: Place, sealer: Sealer, place_id: str) -> None:
        self.place = place
        self.sealer = sealer
        self.place_id = place_id

    @property
    def is_encrypted(self) -> bool:
        """Whether who reads the place reads what is in it."""
        return self.sealer.key is not None

    def put(self, name: str, content: bytes) -> int:
        """Keep one piece; returns how many bytes that are in the place."""
        kept = self.sealer.seal(self._bound(name), content)
        self.place.put(name, kept)
        return len(kept)

    def get(self, name: str) -> bytes:
        """A piece.

        Raises:
            BackupDamaged: it is missing, or has other bytes.
        """
        kept = self.place.get(name)
        if kept is None:
            raise BackupDamaged(f"{name} is missing in {self.place.shown}.")
        try:
            return self.sealer.open(self._bound(name), kept)
        except Broken:
            raise BackupDamaged(f"{name} in {self.place.shown} has other bytes than were written there.") from None

    def read(self, folder: str, part: Part) -> Iterator[bytes]:
        """A part in pieces. The last one comes only when all are what was written.

        Raises:
            BackupDamaged: one is missing, or has other bytes.
        """
        digest, size = hashlib.sha256(), 0
        for number in range(part.pieces):
            piece = self.get(piece_name(folder, part.name, number))
            digest.update(piece)
            size += len(piece)
            if number == part.pieces - 1 and (size, digest.hexdigest()) != (part.size, part.sha256):
                raise BackupDamaged(f"{folder}/{part.name} in {self.place.shown} is not what was written there.")
            yield piece

    def _bound(self, name: str) -> str:
        return f"{self.place_id}/{name}"


class PartWriter:
    """Takes a part as it comes and keeps it piece by piece; `part` is known when the block has ended."""

    def __init__(self, vault: Vault, folder: str, name: str) -> None:
        self._vault, self._folder, self._name = vault, folder, name
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._pieces = self._size = self._kept = 0

    @property
    def part(self) -> Part:
        """What was written."""
        return Part(self._name, self._pieces, self._size, self._kept, self._digest.hexdigest())

    def write(self, content: bytes) -> int:
        """Take more of it."""
        self._digest.update(content)
        self._size += len(content)
        self._waiting += content
        while len(self._waiting) >= PIECE_BYTES:
            self._keep(PIECE_BYTES)
        return len(content)

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and (self._waiting or not self._pieces):
            self._keep(len(self._waiting))

    def _keep(self, length: int) -> None:
        piece = bytes(self._waiting[:length])
        del self._waiting[:length]
        self._kept += self._vault.put(piece_name(self._folder, self._name, self._pieces), piece)
        self._pieces += 1


def piece_name(folder: str, part: str, number: int) -> str:
    """What a piece of a part is called in the place."""
    return f"{folder}/{part}.{number:06d}"


@contextmanager
def open_vault(address: str, settings: Settings, may_make: bool = False) -> Iterator[Vault]:
    """The vault at an address. `may_make`: where there is none yet, it is begun.

    Raises:
        BackupRefused: there is none, it cannot be used, or ENCRYPTION_KEY does not open it.
        BackupDamaged: what says how to read it was changed.
    """
    with open_place(address, settings, may_make) as place:
        about = place.get(_ABOUT)
        if about is None:
            if not may_make:
                raise BackupRefused(f"There are no backups at {place.shown}.")
            yield _begin(place, settings)
            return
        try:
            known = json.loads(about)
            form, place_id, is_encrypted = int(known["format"]), str(known["place_id"]), bool(known["is_encrypted"])
        except (ValueError, KeyError, TypeError):
            raise BackupDamaged(f"{_ABOUT} in {place.shown} has other bytes than were written there.") from None
        if form > FORMAT:
            raise BackupRefused(f"The backups at {place.shown} are of a newer release: install that one first.")
        if not is_encrypted:
            if may_make and settings.encryption_key is not None:
                raise BackupRefused(
                    f"The backups at {place.shown} are not encrypted, as there was no ENCRYPTION_KEY when they were "
                    "begun, and now there is one: give another place for encrypted ones."
                )
            yield Vault(place, Sealer(None), place_id)
            return
        yield Vault(place, Sealer(_key_of(place, place_id, settings, may_make)), place_id)


def _begin(place: Place, settings: Settings) -> Vault:
    if next(iter(place.names("backups/")), None) is not None:
        raise BackupDamaged(f"{_ABOUT} is missing in {place.shown}, which has backups.")
    place_id, key = secrets.token_hex(16), None
    if settings.encryption_key is not None:
        key = os.urandom(32)
        _wrap(place, place_id, KeyRing.of(settings).current, key)
    place.settle()
    about = {"format": FORMAT, "place_id": place_id, "is_encrypted": key is not None}
    place.put(_ABOUT, json.dumps(about).encode())
    place.settle()
    return Vault(place, Sealer(key), place_id)


def _key_of(place: Place, place_id: str, settings: Settings, may_make: bool) -> bytes:
    if settings.encryption_key is None:
        raise BackupRefused(
            f"The backups at {place.shown} are encrypted: set the ENCRYPTION_KEY that they were made with."
        )
    ring = KeyRing.of(settings)
    for each in (ring.current, ring.previous):
        if each is None or (wrapped := place.get(_wrapped_name(each))) is None:
            continue
        try:
            key = Sealer(_wrapping(each)).open(place_id, wrapped)
        except Broken:
            raise BackupDamaged(
                f"{_wrapped_name(each)} in {place.shown} has other bytes than were written there."
            ) from None
        if each is not ring.current and may_make:
            # From now on the new one opens it, and the old one, which may be known to others, does not.
            _wrap(place, place_id, ring.current, key)
            place.settle()
            place.delete(_wrapped_name(each))
        return key
    known = ", ".join(sorted(each.name[5:-4] for each in place.names("keys/")))
    raise BackupRefused(
        f"The ENCRYPTION_KEY that is set ({ring.current.key_id}) does not open the backups at {place.shown}, which "
        f"were made with another one ({known or 'lost'}): set that."
    )


def _wrap(place: Place, place_id: str, opener: Key, key: bytes) -> None:
    place.put(_wrapped_name(opener), Sealer(_wrapping(opener)).seal(place_id, key))


def _wrapped_name(opener: Key) -> str:
    return f"keys/{opener.key_id}.key"


def _wrapping(opener: Key) -> bytes:
    """A key made of ENCRYPTION_KEY that opens places of backups and nothing else."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt=None, info=b"arcana: a place of backups, 1").derive(opener.secret)
