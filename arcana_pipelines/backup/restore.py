"""Restoring a backup into an empty home or an empty database. All of it is read before anything is touched."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arcana_pipelines.backup import dagster_file, installation, logical, manifest, objects, physical, wal
from arcana_pipelines.backup.manifest import Manifest
from arcana_pipelines.backup.vault import Vault, open_vault
from arcana_pipelines.backup.verify import require_whole
from arcana_pipelines.credentials.cipher import KeyRing
from arcana_pipelines.db import schema
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import DAGSTER_SCHEMA, Database
from arcana_pipelines.db.query import scalars
from arcana_pipelines.db.schema import is_half_restored
from arcana_pipelines.db.server import check_server
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import DatabaseUnreachable, RestoreFailed, RestoreRefused
from arcana_pipelines.files.stores.incoming import incoming_folder
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.home import being_restored, is_unfinished, make_home, room_in
from arcana_pipelines.keys import keys
from arcana_pipelines.settings import Settings
from arcana_pipelines.workspaces.workspaces import list_all, storage_path

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# Paths below the directory of a workspace, which is another one now.
_MOVED = (
    "UPDATE index_target SET location = %(now)s || substr(location, length(%(before)s) + 1) "
    "WHERE workspace_id = %(workspace_id)s AND starts_with(location, %(before)s || '/')",
    "UPDATE rag_indexes SET storage_uri = %(now)s || substr(storage_uri, length(%(before)s) + 1) "
    "WHERE workspace_id = %(workspace_id)s AND starts_with(storage_uri, %(before)s || '/')",
    "UPDATE workspace SET storage_path = %(now)s WHERE workspace_id = %(workspace_id)s",
)

Tell = Callable[[int, int], None]

# A server reads its log of changes before it lets anybody in; one that takes longer is stuck.
RECOVERY_SECONDS = 6 * 3600.0
# What may stand in a home that is restored into: what people put there first.
_THEIRS = (".env", ".env.local", "lost+found")
# Where settings of the installation that was backed up are put, for people to read.
SETTINGS = "settings.restored"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored.

    Attributes:
        manifest: of the backup.
        at: the moment that the restored shows; aware.
        files: whose bytes were put into the store.
        files_missing: that the backup did not have; the next sync fetches them from the source.
        secrets: the names of variables that were set there and are not set here.
        notes: what else a person should know.
        seconds: how long it took.
    """

    manifest: Manifest
    at: datetime
    files: int
    files_missing: int
    secrets: list[str]
    notes: list[str]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "backup_id": self.manifest.backup_id,
            "kind": self.manifest.kind,
            "at": self.at.isoformat(),
            "files": self.files,
            "files_missing": self.files_missing,
            "secrets_to_set": self.secrets,
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
        }


@dataclass
class _Work:
    """A restore that is under way."""

    vault: Vault
    manifest: Manifest
    settings: Settings
    scratch: Path
    tell: Tell
    at: datetime | None
    changes: list[str]
    notes: list[str] = field(default_factory=list)
    files: int = 0
    files_missing: int = 0


def restore(
    settings: Settings,
    address: str,
    backup_id: str | None = None,
    *,
    at: datetime | None = None,
    with_files: bool = True,
    reads_files: bool | None = None,
    tell: Tell = lambda number, of: None,
    before_upgrade: Callable[[Database], None] = lambda database: None,
) -> Restored:
    """Restore a backup (the newest, or the one with this id) into the home, or the database, that the settings name.

    `at`: as everything was at this moment (aware), where the server's log of changes was kept.
    `with_files`: their bytes are put into the store; `reads_files`: they are read, by default where they are put.
    `tell` is called with the number of files whose bytes were read or put, and of all. `before_upgrade` gets the
    database as it was backed up, before its schema is brought up to this release.

    Raises:
        RestoreRefused: the home or the database is not empty, or the backup is of a newer release. Nothing was touched.
        BackupDamaged: a part is missing or has other bytes. Nothing was touched.
        BackupRefused: there is no such backup, or ENCRYPTION_KEY does not open it. Nothing was touched.
        RestoreFailed: it ended in the middle. What was made is marked, and used by nothing.
    """
    started = time.monotonic()
    with open_vault(address, settings) as vault, vault.place.locked(exclusive=False):
        if at is not None:
            chosen = wal.backup_before(vault, at)
        else:
            chosen = manifest.newest(vault) if backup_id is None else manifest.read(vault, backup_id)
        refuse_newer(chosen)
        if settings.database_url is None:
            _refuse_home(settings.home)
            if not chosen.details.get("is_embedded", True):
                raise RestoreRefused(
                    f"The backup {chosen.backup_id} is of the files of a server of your own: --data-directory makes "
                    "the data directory of one, or restore a logical backup."
                )
        else:
            _refuse_database(settings, chosen)
        require_whole(vault, chosen, set(), tell, with_files if reads_files is None else reads_files)
        changes = [] if at is None else wal.needed(vault, chosen, at)
        for name in changes:
            vault.get(name)
        said = json.loads(b"".join(vault.read(chosen.folder, chosen.parts[installation.PART])))
        target = _into_home(settings) if settings.database_url is None else _into_database(settings, chosen)
        with target as database:
            work = _Work(vault, chosen, settings, room_in(settings.home), tell, at, changes)
            if chosen.kind == "logical":
                _database(work, database)
            else:
                _server(work, database)
            before_upgrade(database)
            schema.upgrade(database)
            if with_files:
                _files(work, database)
            _folders(database)
            work.notes += _open_keys(database)
            (room_in(settings.home) / SETTINGS).write_text(installation.as_env_file(said), encoding="utf-8")
            if (file := said.get("dagster_yaml")) is not None:
                note = dagster_file.put_back(file, settings, vault.is_encrypted)
                work.notes += [note] if note is not None else []
    return Restored(
        chosen, at or chosen.at, work.files, work.files_missing, installation.missing_secrets(said),
        [*work.notes, *_keys(chosen, settings)], time.monotonic() - started,
    )  # fmt: skip


def restore_data_directory(
    settings: Settings, address: str, folder: Path, backup_id: str | None = None, at: datetime | None = None
) -> Manifest:
    """Make the data directory of a server of one's own, which is not started here. Files are not restored.

    The server reads its log of changes when it is started, and then goes on in a history of its own.

    Raises:
        RestoreRefused: there is such a folder, or the backup is logical. Nothing was touched.
        ArcanaError: see `restore`.
    """
    with open_vault(address, settings) as vault, vault.place.locked(exclusive=False):
        if at is not None:
            chosen = wal.backup_before(vault, at)
        else:
            chosen = manifest.newest(vault) if backup_id is None else manifest.read(vault, backup_id)
        if chosen.kind == "logical":
            raise RestoreRefused(
                f"The backup {chosen.backup_id} is logical: it is restored into an empty DATABASE_URL."
            )
        changes = folder.with_name(f"{folder.name}-changes")
        if folder.exists() or changes.exists():
            raise RestoreRefused(f"{folder} or {changes} is there already: name a folder that is not.")
        require_whole(vault, chosen, set(), with_files=False)
        names = [] if at is None else wal.needed(vault, chosen, at)
        for name in names:
            vault.get(name)
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            physical.unpack(vault, manifest.chain(vault, chosen), Path(scratch), folder)
        command = "false" if at is None else wal.fetch(vault, names, changes)
        physical.recover(folder, command, None if at is None else at.isoformat())
        physical.note_restored(folder, datetime.now(UTC))
    return chosen


def refuse_newer(chosen: Manifest) -> None:
    """Refuse a backup whose schema this release does not know.

    Raises:
        RestoreRefused: it is newer.
    """
    if chosen.revision > schema.newest_revision():
        raise RestoreRefused(
            f"The backup {chosen.backup_id} has the schema {chosen.revision}, and this release knows "
            f"{schema.newest_revision()}: install the release that made it ({chosen.release})."
        )


def _refuse_home(home: Path) -> None:
    if not home.exists() or is_unfinished(home):
        return
    if not home.is_dir():
        raise RestoreRefused(f"{home} is not a folder: set ARCANA_HOME to one that is empty, or not there yet.")
    found = sorted(each.name for each in home.iterdir() if each.name not in _THEIRS)
    if found:
        raise RestoreRefused(
            f"{home} is not empty ({', '.join(found[:3])}): a backup is restored into an ARCANA_HOME that holds "
            "nothing but .env, or that is not there yet."
        )


def _refuse_database(settings: Settings, chosen: Manifest) -> None:
    if chosen.kind != "logical":
        raise RestoreRefused(
            f"The backup {chosen.backup_id} is one of a server's files, which no database at DATABASE_URL can be "
            "given: restore it without DATABASE_URL into an ARCANA_HOME of its own, or restore a logical one."
        )
    with contextlib.closing(Database(settings)) as database, database.connection() as connection:
        if is_half_restored(connection):
            return
        why = logical.refuse_to_fill(connection, chosen.schema)
    if why is not None:
        raise RestoreRefused(
            f"The backup {chosen.backup_id} is not restored into the database at {database.safe_url}: {why}. "
            "It has to be empty: make a new one and name it in DATABASE_URL."
        )


@contextlib.contextmanager
def _into_home(settings: Settings) -> Iterator[Database]:
    """The embedded database of a home that holds nothing else."""
    with being_restored(settings.home):
        _clear(settings.home)
        with contextlib.closing(Database(settings, may_create=True)) as database:
            yield database


@contextlib.contextmanager
def _into_database(settings: Settings, chosen: Manifest) -> Iterator[Database]:
    """The empty database at DATABASE_URL, with a mark in it until all is restored."""
    make_home(settings.home)
    with contextlib.closing(Database(settings)) as database:
        database.is_being_restored = True
        with database.connection() as connection, connection.transaction():
            if is_half_restored(connection):
                for statement in scalars(
                    connection, load_sql("what_to_drop"), {"schemas": [chosen.schema, DAGSTER_SCHEMA]}
                ):
                    connection.execute(statement)
            else:
                check_server(connection)
            connection.execute("CREATE SCHEMA IF NOT EXISTS arcana_restore_unfinished")
            for extension in ("ltree", "pg_trgm", "vector"):
                connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        yield database
        with database.connection() as connection:
            connection.execute("DROP SCHEMA arcana_restore_unfinished")


def _clear(home: Path) -> None:
    """Remove what a restore that was killed has left."""
    if lease.server_folder(home).exists() and not lease.wait_until_stopped(home):
        raise RestoreFailed(f"{home} holds a server that another process uses: end that first.")
    for each in home.iterdir():
        if each.name in _THEIRS or each.name == "restore-unfinished":
            continue
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def _database(work: _Work, database: Database) -> None:
    work.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = work.manifest.parts[logical.PART]
    with tempfile.NamedTemporaryFile(dir=work.scratch, prefix="restoring-") as file:
        for piece in work.vault.read(work.manifest.folder, part):
            file.write(piece)
        file.flush()
        logical.load(Path(file.name), database, logical.jobs_here())


def _server(work: _Work, database: Database) -> None:
    """Make the data directory of the embedded server, and wait until it is through with its log of changes."""
    home = work.settings.home
    folder = lease.server_folder(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    data = folder / "data"
    physical.unpack(work.vault, manifest.chain(work.vault, work.manifest), folder, data)
    scratch = folder / "changes"
    if work.at is None:
        physical.recover(data, "false", None)
    else:
        physical.recover(data, wal.fetch(work.vault, work.changes, scratch), work.at.isoformat())
        physical.hand_over(scratch)
    physical.hand_over(data)
    deadline = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            lease.acquire_lease(home)
            break
        except DatabaseUnreachable as error:
            if "does not answer yet" not in str(error) or time.monotonic() > deadline:
                raise RestoreFailed(str(error)) from error
    physical.forget_recovery(database)
    shutil.rmtree(scratch, ignore_errors=True)


def _files(work: _Work, database: Database) -> None:
    """Put the bytes of files into the store, unless they are there."""
    there = {kept.name for kept in work.vault.place.names("objects/")}
    scratch = incoming_folder(database.settings)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_file_store(database.settings) as store, _named(work, database) as named:
        for number, each in enumerate(named, start=1):
            if not there.issuperset(objects.pieces_of(work.vault, each)):
                work.files_missing += 1
            elif store.size(each.key) != each.size:
                with objects.as_file(work.vault, each, scratch) as path:
                    store.put(each.key, path, each.sha256, each.size)
                work.files += 1
            work.tell(number, work.manifest.objects)


@contextlib.contextmanager
def _named(work: _Work, database: Database) -> Iterator[Iterator[objects.Object]]:
    """The files that the database names: at another moment than the backup's they are others."""
    if work.at is None:
        yield objects.read_list(work.vault, work.manifest)
        return
    with database.own_connection() as connection, connection.transaction():
        yield objects.named_by(connection)


def _folders(database: Database) -> None:
    """Each workspace has its directory below this home, empty at first; what is to be in it is looked for there."""
    with database.connection() as connection:
        for row in list_all(connection):
            folder = storage_path(database.settings, row.slug)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            moved = {"workspace_id": row.workspace_id, "before": row.storage_path, "now": str(folder)}
            if moved["before"] != moved["now"]:
                with connection.transaction():
                    for statement in _MOVED:
                        connection.execute(statement, moved)


def _open_keys(database: Database) -> list[str]:
    """What to do about keys of programs: any that was revoked after the backup is good again."""
    with database.connection() as connection:
        number = keys.good(connection)
    if not number:
        return []
    return [
        f"Keys of programs that are good, as they were when the backup was made: {number}. Any that was revoked since "
        "is good again: look at `arcana key list`, and revoke it once more (arcana key revoke KEY_ID)."
    ]


def _keys(chosen: Manifest, settings: Settings) -> list[str]:
    """What to do about tokens that nobody can read here."""
    if not chosen.keys:
        return []
    ring = KeyRing.of(settings) if settings.encryption_key is not None else None
    unknown = [key for key in chosen.keys if ring is None or ring.named(key) is None]
    if not unknown:
        return []
    return [
        f"Tokens in the database are encrypted with the key {', '.join(unknown)}, which is not set: set it as "
        "ENCRYPTION_KEY or ENCRYPTION_KEY_PREVIOUS, or give the tokens again (arcana workspace set SLUG --token-stdin)."
    ]
