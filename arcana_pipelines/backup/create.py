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
from arcana_pipelines.backup import facts, installation, logical, manifest, objects, physical, wal
from arcana_pipelines.backup.copying import copying
from arcana_pipelines.backup.manifest import Kind, Manifest
from arcana_pipelines.backup.vault import Part, Vault, open_vault
from arcana_pipelines.credentials.store import key_ids
from arcana_pipelines.db.engine import Connection, Database, snapshot
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.schema import current_revision
from arcana_pipelines.errors import BackupFailed, WrongUse
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


def create(database: Database, address: str, kind: Kind | None = None, tell: Tell = lambda number, of: None) -> Created:
    """Back up an installation to a place.

    Args:
        kind: None: `full` of the embedded server, `logical` of any other.
        tell: called with the number of files whose bytes are in the place, and of all.

    Raises:
        BackupRefused: the place cannot be used, or the user may not make such a backup. Nothing was written.
        BackupFailed: the database could not be read. What was written is no backup, and goes with the next prune.
    """
    if kind is None:
        kind = "full" if database.settings.database_url is None else "logical"
    revision = current_revision(database)
    if revision is None:
        raise WrongUse("The database has no tables of ours: there is nothing to back up.")
    if kind != "logical":
        physical.refuse_without_right(database)
    with open_vault(address, database.settings, may_make=True) as vault, vault.place.locked(exclusive=False) as is_held:
        if not is_held:
            log.info("%s has no locks, or is being pruned", vault.place.shown)
        made = _Making(database, vault, revision, tell).make(kind)
        return Created(made, vault.place.shown, vault.is_encrypted)


class _Making:
    """A backup that is being made."""

    def __init__(self, database: Database, vault: Vault, revision: str, tell: Tell) -> None:
        self.database, self.vault, self.revision, self.tell = database, vault, revision, tell
        self.started = time.monotonic()

    def make(self, kind: Kind) -> Manifest:
        """Make it, and nothing that its snapshot names is deleted meanwhile."""
        with self.database.own_connection() as guard, copying(guard), self.database.own_connection() as reader:
            reader.execute("SET idle_in_transaction_session_timeout = 0")
            with snapshot(reader):
                if kind == "logical":
                    made = self._logical(reader)
                else:
                    made = self._physical(reader, guard, kind == "incremental")
            return self._finished(made, guard)

    def _begun(self, reader: Connection) -> tuple[str, datetime]:
        """The id of a new backup, and the moment that a snapshot shows."""
        row = reader.execute(_ID).fetchone()
        assert row is not None
        return f"{row[0]}-{secrets.token_hex(3)}", row[1]

    def _logical(self, reader: Connection) -> Manifest:
        backup_id, at = self._begun(reader)
        folder = manifest.folder_of(backup_id)
        schema = str(scalar(reader, "SELECT current_schema()"))
        listed, number, size = objects.write_list(self.vault, folder, objects.named_by(reader))
        held = facts.sums(reader, schema)
        exported = str(scalar(reader, "SELECT pg_export_snapshot()"))
        dumped = logical.dump(self.vault, folder, self.database, reader, exported, schema)
        return self._manifest(reader, backup_id, "logical", at, [dumped, listed], (number, size), None, {}, held)

    def _physical(self, reader: Connection, guard: Connection, is_incremental: bool) -> Manifest:
        if self.database.settings.backup_wal == "on":
            wal.keep(self.database)
        else:
            wal.forget(self.database)
        parent = self._parent() if is_incremental else None
        if is_incremental and parent is None:
            log.warning("there is no backup that an incremental one could build upon: a full one is made")
        backup_id, _ = self._begun(reader)
        schema = str(scalar(reader, "SELECT current_schema()"))
        before = facts.sums(reader, schema)
        folder = manifest.folder_of(backup_id)
        try:
            taken = physical.take(self.vault, folder, self.database, parent)
        except BackupFailed as error:
            if parent is None:
                raise
            log.warning("no incremental backup can be made, so a full one is: %s", error)
            for kept in list(self.vault.place.names(f"{folder}/")):
                self.vault.place.delete(kept.name)
            parent = None
            taken = physical.take(self.vault, folder, self.database, None)
        with guard.transaction():  # what is there now, and what was when the files began to be read
            at: datetime = scalar(guard, "SELECT now()")
            both = objects.of_both(objects.named_by(reader), objects.named_by(guard))
            listed, number, size = objects.write_list(self.vault, folder, both)
            held = facts.steady(before, facts.sums(guard, schema))
        details = {**taken.details, "is_embedded": self.database.settings.database_url is None}
        kind: Kind = "full" if parent is None else "incremental"
        named = None if parent is None else parent[0].backup_id
        parts = [*taken.parts, listed]
        return self._manifest(guard, backup_id, kind, at, parts, (number, size), named, details, held)

    def _parent(self) -> tuple[Manifest, bytes] | None:
        """The newest backup of the files of this server, and its list of them."""
        system_id = physical.system_id(self.database)
        for backup_id in reversed(manifest.ids(self.vault)):
            found = manifest.read(self.vault, backup_id)
            if found.kind != "logical" and found.details["system_id"] == system_id:
                return found, b"".join(self.vault.read(found.folder, found.parts[physical.LIST]))
        return None

    def _manifest(
        self, connection: Connection, backup_id: str, kind: Kind, at: datetime, parts: list[Part],
        named: tuple[int, int], parent: str | None, details: dict[str, Any], held: facts.Sums,
    ) -> Manifest:  # fmt: skip
        folder = manifest.folder_of(backup_id)
        said = installation.write(self.vault, folder, self.database.settings, connection)
        answers = facts.searches(self.database, self.database.settings)
        known = facts.keep(self.vault, folder, {"tables": held, "searches": answers})
        return Manifest(
            backup_id=backup_id, kind=kind, at=at, finished_at=at, seconds=0.0, release=__version__,
            revision=self.revision, schema=str(scalar(connection, "SELECT current_schema()")),
            server=connection.info.server_version // 10000, parts={part.name: part for part in (*parts, said, known)},
            objects=named[0], object_bytes=named[1], kept=0, parent=parent, keys=sorted(key_ids(connection)),
            details=details,
        )  # fmt: skip

    def _finished(self, made: Manifest, guard: Connection) -> Manifest:
        """Copy the bytes of files, and write the manifest."""
        copier = objects.Copier(self.vault, made.backup_id)
        with open_file_store(self.database.settings) as store:
            for number, each in enumerate(objects.read_list(self.vault, made), start=1):
                copier.copy(store, each)
                if number % 100 == 0 or number == made.objects:
                    self.tell(number, made.objects)
            if not self.vault.place.has_locks and not copier.missing:
                # Who prunes may not have seen that this one was begun, and have deleted what no other names.
                copier.look_again()
                for each in objects.read_list(self.vault, made):
                    copier.copy(store, each)
        made = replace(
            made,
            finished_at=scalar(guard, "SELECT clock_timestamp()"),
            seconds=time.monotonic() - self.started,
            kept=sum(part.kept for part in made.parts.values()) + copier.kept,
            missing=copier.missing,
        )
        manifest.write(self.vault, made)
        if made.kind != "logical" and self.database.settings.backup_wal == "on":
            wal.ship(self.vault, self.database)
        return made


# In UTC, to the microsecond: of two backups within a second the newer one is known.
_ID = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISS.US\"Z\"'), now()"
