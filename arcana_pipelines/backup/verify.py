"""Reading all of a backup, to the last byte, without restoring it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arcana_pipelines.backup import objects
from arcana_pipelines.backup.manifest import Manifest, chain
from arcana_pipelines.backup.vault import Vault
from arcana_pipelines.errors import BackupDamaged

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was read of a backup.

    Attributes:
        problem: what is wrong first; None: it is what was written.
        size: bytes that were read, as they were before they were packed and encrypted.
    """

    backup_id: str
    kind: str
    problem: str | None
    objects: int
    size: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "backup_id": self.backup_id,
            "kind": self.kind,
            "problem": self.problem,
            "files": self.objects,
            "bytes": self.size,
        }


def verify(vault: Vault, manifest: Manifest, known: set[str], tell: Tell = lambda number, of: None) -> Verified:
    """Read each part of a backup and of those that it needs, and the bytes of all files that it names.

    `known` are the hashes of those that were read before, to which it adds.
    """
    try:
        size = require_whole(vault, manifest, known, tell)
    except BackupDamaged as error:
        return Verified(manifest.backup_id, manifest.kind, str(error), manifest.objects, 0)
    return Verified(manifest.backup_id, manifest.kind, None, manifest.objects, size)


def require_whole(
    vault: Vault, manifest: Manifest, known: set[str], tell: Tell = lambda number, of: None, with_files: bool = True
) -> int:
    """As `verify`; returns the bytes that were read.

    Raises:
        BackupDamaged: something is missing, or has other bytes.
    """
    size = 0
    for each in chain(vault, manifest):
        for part in each.parts.values():
            size += sum(len(piece) for piece in vault.read(each.folder, part))
    if not with_files:
        return size
    missing = set(manifest.missing)
    for number, each_object in enumerate(objects.read_list(vault, manifest), start=1):
        sha256 = each_object.sha256
        if sha256 not in known and sha256 not in missing:
            size += sum(len(piece) for piece in objects.content_of(vault, each_object))
            known.add(sha256)
        tell(number, manifest.objects)
    return size
