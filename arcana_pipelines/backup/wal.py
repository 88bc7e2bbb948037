"""The server's log of changes (WAL) in a place of backups, by which a server is restored as it was at any moment.

It is fetched with `pg_receivewal` from a replication slot, now and then. PostgreSQL's `archive_command` would run as
the server's user, who can neither write where backups are nor encrypt them; and a process that streams all the time
would have to be kept alive. The slot keeps what was not fetched yet, up to `max_slot_wal_keep_size`.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from arcana_pipelines.backup import manifest, physical
from arcana_pipelines.backup.manifest import Manifest
from arcana_pipelines.backup.places import Kept
from arcana_pipelines.backup.sealing import PIECE_BYTES
from arcana_pipelines.backup.vault import Vault
from arcana_pipelines.db.client_programs import Unusable, environment_for, find_program, run_quietly
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import BackupDamaged, BackupFailed, BackupRefused, RestoreRefused
from arcana_pipelines.home import room_in

log = logging.getLogger(__name__)

SLOT = "arcana_backup"
# What was fetched and is not in the place yet, below the home.
WAITING = "backup-wal"
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_FILE = re.compile(r"[0-9A-F]{24}|[0-9A-F]{8}\.history")
_SECONDS = 3600.0
_SLOT = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s"


@dataclass(frozen=True, slots=True)
class Shipped:
    """What was put into the place.

    Attributes:
        segments: files of 16 MB, as the server has them.
        size: bytes in the place.
        until: the server can be restored as it was at any moment up to this one; aware.
    """

    segments: int
    size: int
    until: datetime

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"segments": self.segments, "bytes": self.size, "until": self.until.isoformat()}


def keep(database: Database) -> None:
    """Let the server keep its log of changes from now on until it is shipped."""
    with physical.connected(physical.address_for(database)) as connection:
        _keep(connection)


def is_kept(database: Database) -> bool:
    """Whether the server keeps its log for us: since the first backup with BACKUP_WAL."""
    with physical.connected(physical.address_for(database)) as connection:
        return connection.execute(_SLOT, [SLOT]).fetchone() is not None


def forget(database: Database) -> None:
    """Let the server keep its log for nobody any more."""
    with physical.connected(physical.address_for(database)) as connection:
        if connection.execute(_SLOT, [SLOT]).fetchone() is not None:
            connection.execute("SELECT pg_drop_replication_slot(%s)", [SLOT])
            log.warning("BACKUP_WAL is off: the server keeps its log of changes for backups no longer")


def ship(vault: Vault, database: Database) -> Shipped:
    """Put the log of changes up to now into the place.

    Raises:
        BackupFailed: `pg_receivewal` failed, or there is none for the server.
        BackupRefused: another server with the same history ships into the place.
    """
    address = physical.address_for(database)
    folder = room_in(database.settings.home) / WAITING
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder), physical.connected(address) as connection:
        _keep(connection)
        until, end = _switched(connection)
        system_id = physical.system_id_of(connection)
        try:
            program = find_program(
                "pg_receivewal", connection.info.server_version // 10000, connection.pgconn.ssl_in_use,
                database.settings.database_url is None,
            )  # fmt: skip
            environment = environment_for(address)
        except Unusable as error:
            raise BackupFailed(f"The log of changes could not be read: {error}.") from None
        said = run_quietly(
            [
                program.path, "--no-password", "--no-loop", f"--slot={SLOT}", f"--directory={folder}",
                f"--endpos={_written(end - 1)}", "--status-interval=1", f"--dbname={address.shown}",
            ],
            environment,
            address,
            _SECONDS,
        )  # fmt: skip
        if said is not None:
            raise BackupFailed(f"The log of changes could not be read: {program.path} said: {said}")
        number, size = _put(vault, folder, system_id)
        vault.place.settle()
        for path in folder.iterdir():
            if _FILE.fullmatch(path.name):
                path.unlink()
        vault.put(_until_name(system_id), json.dumps({"until": until.isoformat()}).encode())
    return Shipped(number, size, until)


def until(vault: Vault, system_id: str) -> datetime | None:
    """Up to when the log of a server is in the place; None: none of it is."""
    if vault.place.get(_until_name(system_id)) is None:
        return None
    return datetime.fromisoformat(json.loads(vault.get(_until_name(system_id)))["until"])


def backup_before(vault: Vault, at: datetime) -> Manifest:
    """The newest backup of a server's files that can be brought to a moment with the log that is in the place.

    Raises:
        RestoreRefused: there is none, or the log does not reach so far.
    """
    found = [each for each in manifest.all_of(vault) if each.kind != "logical" and each.at <= at]
    if not found:
        raise RestoreRefused(f"There is no backup of a server's files from before {at.isoformat()}.")
    known = until(vault, found[-1].details["system_id"])
    if known is None or known < at:
        reach = "none of it is there" if known is None else f"it reaches to {known.isoformat()}"
        raise RestoreRefused(f"The log of changes at {vault.place.shown} does not reach {at.isoformat()}: {reach}.")
    return found[-1]


def needed(vault: Vault, chosen: Manifest, at: datetime) -> list[str]:
    """The files of the log that bring a backup to a moment.

    Raises:
        BackupDamaged: one is missing.
    """
    system_id = chosen.details["system_id"]
    first, last = number_of_lsn(chosen.details["start_lsn"]), None
    for each in manifest.all_of(vault):
        # What was begun after that moment begins behind it in the log, too.
        if each.kind != "logical" and each.details["system_id"] == system_id and _begun(each) > at:
            last = number_of_lsn(each.details["start_lsn"])
            break
    names, numbers = [], set()
    for kept in vault.place.names(f"{_folder(system_id)}/"):
        name = kept.name.rsplit("/", 1)[1]
        if not _SEGMENT.fullmatch(name):
            names.append(kept.name)
        elif first <= number_of(name) and (last is None or number_of(name) <= last):
            names.append(kept.name)
            numbers.add(number_of(name))
    gaps = [number for number in range(first, max(numbers, default=first) + 1) if number not in numbers]
    if gaps:
        raise BackupDamaged(f"The log of changes at {vault.place.shown} has a gap of {len(gaps)} files.")
    return names


def fetch(vault: Vault, names: list[str], folder: Path) -> str:
    """Put files of the log into a folder, and return the command by which a server takes them from there."""
    folder.mkdir(mode=0o700)
    for name in names:
        (folder / name.rsplit("/", 1)[1]).write_bytes(vault.get(name))
    return f"cp {shlex.quote(str(folder)).replace('%', '%%')}/%f %p"


def old_files(vault: Vault, kept: list[Manifest]) -> Iterator[Kept]:
    """Files of the log that no backup needs that is kept."""
    first: dict[str, int] = {}
    for each in kept:
        if each.kind != "logical":
            number = number_of_lsn(each.details["start_lsn"])
            first[each.details["system_id"]] = min(number, first.get(each.details["system_id"], number))
    for found in vault.place.names("wal/"):
        _, system_id, name = found.name.split("/", 2)
        is_segment = _SEGMENT.fullmatch(name) is not None
        if system_id not in first or (is_segment and number_of(name) < first[system_id]):
            yield found


def number_of(segment: str) -> int:
    """Which one of its log a file of 16 MB is, on whichever timeline."""
    return int(segment[8:16], 16) * (2**32 // PIECE_BYTES) + int(segment[16:], 16)


def number_of_lsn(lsn: str) -> int:
    """The file that a place in the log is in."""
    return _read(lsn) // PIECE_BYTES


def _keep(connection: psycopg.Connection[Any]) -> None:
    size = connection.execute("SELECT pg_size_bytes(current_setting('wal_segment_size'))").fetchone()
    if size != (PIECE_BYTES,):
        raise BackupRefused("The server's log of changes is not in files of 16 MB: it is not kept (BACKUP_WAL=off).")
    state = connection.execute(_SLOT, [SLOT]).fetchone()
    if state == ("lost",):
        log.warning(
            "more was changed than the server keeps: times between the last shipping and now cannot be restored"
        )
        connection.execute("SELECT pg_drop_replication_slot(%s)", [SLOT])
        state = None
    if state is None:
        connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", [SLOT])


def _switched(connection: psycopg.Connection[Any]) -> tuple[datetime, int]:
    """Let the server begin another file of its log; returns the time that the one before reaches to, and its end."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    # A transaction that is committed after that time: by it a restore knows that it has come so far.
    connection.execute("SELECT pg_current_xact_id()")
    switched = connection.execute("SELECT pg_switch_wal()::text").fetchone()
    assert row is not None and switched is not None
    return row[0], -(-_read(switched[0]) // PIECE_BYTES) * PIECE_BYTES


def _put(vault: Vault, folder: Path, system_id: str) -> tuple[int, int]:
    number = size = 0
    for path in sorted(folder.iterdir()):
        if not _FILE.fullmatch(path.name):
            continue
        name, content = f"{_folder(system_id)}/{path.name}", path.read_bytes()
        if vault.place.get(name) is None:
            size += vault.put(name, content)
            number += 1
        elif vault.get(name) != content:
            raise BackupRefused(
                f"Another server with the history of this one ships its log into {vault.place.shown}: give this one a "
                "place of its own."
            )
    return number, size


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with open(os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _begun(each: Manifest) -> datetime:
    return datetime.fromisoformat(each.backup_id.split("-")[0])


def _folder(system_id: str) -> str:
    return f"wal/{system_id}"


def _until_name(system_id: str) -> str:
    return f"{_folder(system_id)}/until"


def _read(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def _written(position: int) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
