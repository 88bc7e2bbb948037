"""Deleting old backups, and what no backup names any more. May be killed at any moment, and begun again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from arcana_pipelines.backup import manifest, objects, wal
from arcana_pipelines.backup.manifest import Manifest
from arcana_pipelines.backup.vault import Vault
from arcana_pipelines.errors import BackupRefused

# Where a place has no locks, what is younger may belong to a backup that is being made.
UNFINISHED_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted.

    Attributes:
        backups: their ids.
        kept: how many there still are.
        files: of the place.
        size: bytes of them.
    """

    backups: list[str]
    kept: int
    files: int
    size: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"backups": self.backups, "kept": self.kept, "files": self.files, "bytes": self.size}


def prune(vault: Vault, days: int, now: datetime) -> Pruned:
    """Delete backups that are older than so many days, but the newest, and none that a kept one needs.

    What killed backups left goes, too. A backup loses its manifest first: it is whole, or it is none.

    Raises:
        BackupRefused: somebody makes, reads or prunes backups there.
        BackupDamaged: a backup that is kept does not say which files it names. Nothing was deleted.
    """
    with vault.place.locked(exclusive=True) as is_held:
        if not is_held and vault.place.has_locks:
            raise BackupRefused(f"The backups at {vault.place.shown} are in use: try again when that has ended.")
        before = None if is_held else now - UNFINISHED_AFTER
        return _pruned(vault, now - timedelta(days=days), before)


def _pruned(vault: Vault, oldest: datetime, before: datetime | None) -> Pruned:
    """`before`: what was put there since is left alone where no backup names it; None: it is nobody's."""
    every = list(manifest.all_of(vault))
    states = defaultdict(bool, manifest.all_ids(vault))
    kept = kept_ones(every, oldest)
    kept_ids = {each.backup_id for each in kept}
    named = {
        name for each in kept for found in objects.read_list(vault, each) for name in objects.pieces_of(vault, found)
    }
    old = [each.backup_id for each in every if each.backup_id not in kept_ids]
    for backup_id in reversed(old):  # those that need others first
        manifest.delete(vault, backup_id)
    files = size = 0
    for found in list(vault.place.leftovers()):
        if before is None or found.kept_at < before:
            vault.place.delete(found.name)
    # What is being made names some that no whole one does.
    is_busy = before is not None and any(
        kept.kept_at >= before and not states[kept.name.split("/")[1]] for kept in vault.place.names("backups/")
    )
    whole = {each.backup_id for each in every}
    for folder in ("backups/",) if is_busy else ("backups/", "objects/"):
        for found in vault.place.names(folder):
            if folder == "objects/":
                is_wanted, was_whole = found.name in named, False
            else:
                backup_id = found.name.split("/")[1]
                is_wanted, was_whole = backup_id in kept_ids, backup_id in whole
            if not is_wanted and (before is None or was_whole or found.kept_at < before):
                vault.place.delete(found.name)
                files, size = files + 1, size + found.size
    for found in list(wal.old_files(vault, kept)):
        vault.place.delete(found.name)
        files, size = files + 1, size + found.size
    return Pruned(old, len(kept), files, size)


def kept_ones(every: list[Manifest], oldest: datetime) -> list[Manifest]:
    """Those that are not older, or else the newest; and what they need."""
    wanted = {each.backup_id for each in every if each.at >= oldest} or {each.backup_id for each in every[-1:]}
    for each in reversed(every):  # a backup is younger than what it needs
        if each.backup_id in wanted and each.parent is not None:
            wanted.add(each.parent)
    return [each for each in every if each.backup_id in wanted]
