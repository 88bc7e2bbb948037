"""Making a backup: a snapshot of the database first, then the bytes of the files that it names, the manifest last."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from arcana_pipelines import __version__
from arcana_pipelines.backup import installation, logical, manifest, objects
from arcana_pipelines.backup.copying import copying
from arcana_pipelines.backup.manifest import Kind, Manifest
from arcana_pipelines.backup.vault import Vault, open_vault
from arcana_pipelines.credentials.store import key_ids
from arcana_pipelines.db.engine import Connection, Database, snapshot
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.schema import current_revision
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.files.stores.registry import open_file_store

log = logging.getLogger(__name__)

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Created:
    """A backup that was made.

    Attributes:
        manifest: what it says of itself.
        place: where it is, without secrets.
        is_encrypted: whether who reads the place reads what is in it.
    """

    manifest: Manifest
    place: str
    is_encrypted: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        made = self.manifest
        return {
            "backup_id": made.backup_id,
            "kind": made.kind,
            "bytes": made.kept,
            "seconds": round(made.seconds, 3),
            "place": self.place,
            "encrypted": self.is_encrypted,
            "parent": made.parent,
            "files": made.objects,
            "files_missing": len(made.missing),
        }


def create(database: Database, address: str, kind: Kind = "logical", tell: Tell = lambda number, of: None) -> Created:
    """Back up an installation to a place.

    `tell` is called with the number of files whose bytes are in the place, and of all.

    Raises:
        BackupRefused: the place cannot be used. Nothing was written.
        BackupFailed: the database could not be dumped. What was written is no backup, and goes with the next prune.
    """
    revision = current_revision(database)
    if revision is None:
        raise WrongUse("The database has no tables of ours: there is nothing to back up.")
    with open_vault(address, database.settings, may_make=True) as vault, vault.place.locked(exclusive=False) as is_held:
        if not is_held:
            log.info("%s has no locks, or is being pruned", vault.place.shown)
        return Created(_made(database, vault, kind, revision, tell), vault.place.shown, vault.is_encrypted)


def _made(database: Database, vault: Vault, kind: Kind, revision: str, tell: Tell) -> Manifest:
    started = time.monotonic()
    with database.own_connection() as guard, copying(guard):
        with database.own_connection() as reader:
            reader.execute("SET idle_in_transaction_session_timeout = 0")
            with snapshot(reader):
                at: datetime = scalar(reader, "SELECT now()")
                backup_id = f"{scalar(reader, _ID)}-{secrets.token_hex(3)}"
                folder = manifest.folder_of(backup_id)
                schema = str(scalar(reader, "SELECT current_schema()"))
                listed, number, size = objects.write_list(vault, folder, objects.named_by(reader))
                said = installation.write(vault, folder, database.settings, reader)
                keys = sorted(key_ids(reader))
                exported = str(scalar(reader, "SELECT pg_export_snapshot()"))
                dumped = logical.dump(vault, folder, database, reader, exported, schema)
                server = reader.info.server_version // 10000
        parts = {part.name: part for part in (dumped, listed, said)}
        made = Manifest(
            backup_id=backup_id, kind=kind, at=at, finished_at=at, seconds=0.0, release=__version__, revision=revision,
            schema=schema, server=server, parts=parts, objects=number, object_bytes=size, kept=0, keys=keys,
        )  # fmt: skip
        return _finished(database, vault, made, started, guard, tell)


# In UTC, to the second.
_ID = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISS\"Z\"')"


def _finished(
    database: Database, vault: Vault, made: Manifest, started: float, guard: Connection, tell: Tell
) -> Manifest:
    """Copy the bytes of files, and write the manifest."""
    copier = objects.Copier(vault)
    with open_file_store(database.settings) as store:
        for number, each in enumerate(objects.read_list(vault, made), start=1):
            copier.copy(store, each)
            if number % 100 == 0:
                tell(number, made.objects)
    tell(made.objects, made.objects)
    made = replace(
        made,
        finished_at=scalar(guard, "SELECT clock_timestamp()"),
        seconds=time.monotonic() - started,
        kept=sum(part.kept for part in made.parts.values()) + copier.kept,
        missing=copier.missing,
    )
    manifest.write(vault, made)
    return made
