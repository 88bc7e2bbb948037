"""What a backup says of itself. It is written last: without it there is no backup, only parts that go again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from arcana_pipelines.backup.vault import Part, Vault
from arcana_pipelines.errors import BackupDamaged, BackupRefused

Kind = Literal["full", "incremental", "logical"]

FORMAT = 1
_ID = re.compile(r"[0-9]{8}T[0-9]{6}(\.[0-9]{6})?Z-[0-9a-f]{6}")
_FILE = "manifest"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup that is whole.

    Attributes:
        backup_id: its time and a random number, so that ids sort by time.
        kind: `full` and `incremental` are files of the server, `logical` is what `pg_dump` writes.
        parent: the backup that an incremental one needs.
        at: the moment that it shows, by the database's clock; aware.
        finished_at: by the same clock; aware.
        release: the release that made it.
        revision: of the schema.
        schema: the one that our tables are in.
        server: the server's major version.
        parts: by name.
        objects: how many files' bytes it names, and `object_bytes` of them.
        missing: the hashes (hex) of those that the store did not have.
        kept: bytes that were written into the place for it.
        keys: the ids of the ENCRYPTION_KEYs that tokens in the database are encrypted with.
        details: what the kind needs besides.
    """

    backup_id: str
    kind: Kind
    at: datetime
    finished_at: datetime
    seconds: float
    release: str
    revision: str
    schema: str
    server: int
    parts: dict[str, Part]
    objects: int
    object_bytes: int
    kept: int
    parent: str | None = None
    missing: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Where its parts are."""
        return folder_of(self.backup_id)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **asdict(self),
            "format": FORMAT,
            "at": self.at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
        }


def folder_of(backup_id: str) -> str:
    """The folder of a backup in its place."""
    return f"backups/{backup_id}"


def write(vault: Vault, manifest: Manifest) -> None:
    """Make a backup of what was written, when all of it is on the disk."""
    vault.place.settle()
    vault.put(f"{manifest.folder}/{_FILE}", json.dumps(manifest.as_dict()).encode())
    vault.place.settle()


def read(vault: Vault, backup_id: str) -> Manifest:
    """The backup with this id.

    Raises:
        BackupRefused: there is none, or it is of a newer release.
        BackupDamaged: what it says of itself was changed.
    """
    if not _ID.fullmatch(backup_id) or vault.place.get(f"{folder_of(backup_id)}/{_FILE}") is None:
        raise BackupRefused(
            f"There is no backup '{backup_id}' at {vault.place.shown}: `arcana backup list` shows them."
        )
    said = json.loads(vault.get(f"{folder_of(backup_id)}/{_FILE}"))
    if said.pop("format") > FORMAT:
        raise BackupRefused(f"The backup {backup_id} is of a newer release: install that one first.")
    said["parts"] = {name: Part(**part) for name, part in said["parts"].items()}
    for name in ("at", "finished_at"):
        said[name] = datetime.fromisoformat(said[name])
    manifest = Manifest(**said)
    if manifest.backup_id != backup_id:
        raise BackupDamaged(f"The manifest of {backup_id} in {vault.place.shown} is another one's.")
    return manifest


def delete(vault: Vault, backup_id: str) -> None:
    """Let it be no backup any more. Its parts go with the next prune."""
    vault.place.delete(f"{folder_of(backup_id)}/{_FILE}")


def ids(vault: Vault) -> list[str]:
    """The backups that are whole, the oldest first."""
    return sorted(backup_id for backup_id, is_whole in all_ids(vault).items() if is_whole)


def all_ids(vault: Vault) -> dict[str, bool]:
    """All that were begun, and whether each is whole."""
    found: dict[str, bool] = {}
    for kept in vault.place.names("backups/"):
        _, backup_id, file = [*kept.name.split("/", 2), ""][:3]
        if _ID.fullmatch(backup_id):
            found[backup_id] = found.get(backup_id, False) or file == _FILE
    return found


def all_of(vault: Vault) -> Iterator[Manifest]:
    """Those that are whole, the oldest first."""
    for backup_id in ids(vault):
        yield read(vault, backup_id)


def newest(vault: Vault) -> Manifest:
    """The newest one.

    Raises:
        BackupRefused: there is none.
    """
    whole = ids(vault)
    if not whole:
        raise BackupRefused(f"There are no backups at {vault.place.shown}.")
    return read(vault, whole[-1])


def chain(vault: Vault, manifest: Manifest) -> list[Manifest]:
    """What an incremental backup needs, and itself: the full one first. Any other needs only itself.

    Raises:
        BackupDamaged: one of them is missing.
    """
    found = [manifest]
    while (parent := found[0].parent) is not None:
        try:
            found.insert(0, read(vault, parent))
        except BackupRefused:
            raise BackupDamaged(f"The backup {parent}, which {found[0].backup_id} needs, is missing.") from None
    return found
