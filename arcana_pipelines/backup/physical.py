"""A physical backup: a server's files, whole or what changed since another one, and a data directory made of them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import psycopg

from arcana_pipelines.backup.manifest import Manifest
from arcana_pipelines.backup.vault import Part, PartWriter, Vault
from arcana_pipelines.db.client_programs import Unusable, environment_for, find_program, words
from arcana_pipelines.db.embedded import keeper, lease
from arcana_pipelines.db.embedded.programs import programs
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.errors import BackupFailed, BackupRefused, RestoreFailed
from arcana_pipelines.postgres_address import Address

PART, LIST = "base.tar", "backup_manifest"

LOWEST_FOR_INCREMENTAL = 17
_PIECE = 1024 * 1024
_RESTORED_AT = "arcana.restored_at"
# A superuser's session obeys nothing that a role of ours can make or set.
_OPTIONS = "-c search_path=pg_catalog,pg_temp -c role=none -c local_preload_libraries="
_RIGHT = (
    "SELECT current_setting('server_version_num')::int / 10000, "
    "(SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = session_user)"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken of a server.

    Attributes:
        parts: what is in the place.
        details: of the server and its log of changes: `system_id`, `timeline`, `start_lsn`, `end_lsn`.
    """

    parts: list[Part]
    details: dict[str, Any]


def address_for(database: Database) -> Address:
    """As whom the files of the database's server are read: the superuser of the embedded one, or the given user."""
    if database.settings.database_url is not None:
        return database.address
    assert database.url  # it runs
    return Address.parse(lease.server_url(database.settings.home, lease.SUPERUSER, "postgres"))


def refuse_without_right(database: Database) -> None:
    """Refuse what this user may not do, before it begins.

    Raises:
        BackupRefused: the user may not replicate.
    """
    if database.settings.database_url is None:
        return
    with database.connection() as connection:
        row = connection.execute(_RIGHT).fetchone()
        user = connection.info.user
    if row is None or not row[1]:
        raise BackupRefused(
            f"The database's user '{user}' may not read the files of its server (it has not the right REPLICATION), so "
            "only logical backups can be made of it: leave out --full and --incremental."
        )


def system_id(database: Database) -> str:
    """What the server, and every copy of its files, is known by."""
    with connected(address_for(database)) as connection:
        return system_id_of(connection)


def system_id_of(connection: psycopg.Connection[Any]) -> str:
    """As `system_id`, of an open connection."""
    row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    assert row is not None
    return str(row[0])


def take(vault: Vault, folder: str, database: Database, parent: tuple[Manifest, bytes] | None) -> Taken:
    """Write the files of the server into the place as they come; with `parent` what changed since that backup.

    Raises:
        BackupFailed: `pg_basebackup` failed, or there is none for the server.
    """
    address = address_for(database)
    with connected(address) as connection, tempfile.TemporaryDirectory() as scratch:
        server = connection.info.server_version // 10000
        is_embedded = database.settings.database_url is None
        try:
            program = find_program("pg_basebackup", server, connection.pgconn.ssl_in_use, is_embedded)
            environment = environment_for(address)
        except Unusable as error:
            raise BackupFailed(f"The server's files could not be read: {error}.") from None
        # Its log of changes from now on is part of the backup and stays until that is through.
        connection.execute(
            "SELECT pg_create_physical_replication_slot('arcana_backup_' || pg_backend_pid(), true, true)"
        )
        arguments = ["--no-password", "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast"]
        if parent is not None:
            (Path(scratch) / LIST).write_bytes(parent[1])
            arguments.append(f"--incremental={Path(scratch) / LIST}")
        with tempfile.TemporaryFile() as said, PartWriter(vault, folder, PART) as writer:
            process = subprocess.Popen(
                [program.path, *arguments, f"--dbname={address.shown}"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
            )
            assert process.stdout is not None
            try:
                listed = _kept(process.stdout, writer)
                code = process.wait()
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
            if code or listed is None:
                said.seek(0)
                message = words(said.read().decode(errors="replace"), code, address)
                raise BackupFailed(f"The server's files could not be read: {program.path} said: {message}")
        with PartWriter(vault, folder, LIST) as list_writer:
            list_writer.write(listed)
    return Taken([writer.part, list_writer.part], _details(json.loads(listed)))


def unpack(vault: Vault, chain: Sequence[Manifest], folder: Path, data: Path) -> None:
    """Make a data directory, which is not there yet, of a full backup and those that build upon it.

    Raises:
        RestoreFailed: PostgreSQL's own programs do not take it for one.
    """
    made = []
    for number, each in enumerate(chain):
        target = folder / f"unpacking-{number}"
        target.mkdir(mode=0o700)
        made.append(target)
        with tarfile.open(fileobj=_Reader(vault.read(each.folder, each.parts[PART])), mode="r|") as tar:
            for member in tar:
                tar.extract(member, target, filter="data")
    if len(made) == 1:
        made[0].rename(data)
    else:
        _run("pg_combinebackup", "--link", *map(str, made), f"--output={data}")
        for target in made:
            shutil.rmtree(target)
    data.chmod(0o700)
    _run("pg_verifybackup", "--quiet", str(data))


def hand_over(folder: Path) -> None:
    """Give a folder to the user that the embedded server runs as."""
    user = keeper.server_user()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def recover(data: Path, restore_command: str, target: str | None) -> None:
    """Let the server that is started in a data directory read its log of changes to the end, or to a time.

    It then goes on in a history of its own, so that its log is not taken for that of the server it is a copy of.
    `target` is a time as PostgreSQL reads it.
    """
    settings = {
        "restore_command": restore_command,
        "recovery_target_timeline": "current" if target is None else "latest",
        "recovery_target_action": "promote",
        "hot_standby": "off",  # nobody is let in before it is through
    }
    if target is not None:
        settings["recovery_target_time"] = target
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.writelines(f"{name} = '{_quoted(value)}'\n" for name, value in settings.items())
    (data / "recovery.signal").touch(mode=0o600)


def forget_recovery(database: Database) -> None:
    """What `recover` has set is set no more."""
    with connected(address_for(database)) as connection:
        for name in (
            "restore_command", "recovery_target_timeline", "recovery_target_action", "hot_standby",
            "recovery_target_time",
        ):  # fmt: skip
            connection.execute(f"ALTER SYSTEM RESET {name}")
        connection.execute("SELECT pg_reload_conf()")


def note_restored(data: Path, at: datetime) -> None:
    """Let the server that is started in a data directory say when that was made of a backup."""
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write(f"{_RESTORED_AT} = '{at.isoformat()}'\n")


def restored_at(connection: Connection) -> datetime | None:
    """When the data directory of the server was made of a backup (`note_restored`); None: it was not."""
    said = scalar(connection, "SELECT current_setting(%s, true)", [_RESTORED_AT])
    return datetime.fromisoformat(said) if said else None


@contextlib.contextmanager
def connected(address: Address) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own, in autocommit."""
    with psycopg.connect(
        address.url, autocommit=True, application_name="arcana backup", options=_OPTIONS
    ) as connection:
        yield connection


def _kept(stream: IO[bytes], writer: PartWriter) -> bytes | None:
    """Keep an archive as it comes; returns the server's list of files, which is the last in it."""
    listed = None
    copy = _Copy(stream, writer)
    with contextlib.suppress(tarfile.ReadError), tarfile.open(fileobj=copy, mode="r|") as tar:
        for member in tar:
            if member.name == LIST:
                file = tar.extractfile(member)
                listed = None if file is None else file.read()
    while copy.read(_PIECE):
        pass
    return listed


class _Copy(io.RawIOBase):
    """Reads a stream, and keeps what was read."""

    def __init__(self, stream: IO[bytes], writer: PartWriter) -> None:
        self._stream, self._writer = stream, writer

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece = self._stream.read(size)
        self._writer.write(piece)
        return piece


class _Reader(io.RawIOBase):
    """Pieces as a file that is read from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def _details(listed: dict[str, Any]) -> dict[str, Any]:
    *_, last = listed["WAL-Ranges"]
    return {
        "system_id": str(listed.get("System-Identifier", "")),
        "timeline": int(last["Timeline"]),
        "start_lsn": str(listed["WAL-Ranges"][0]["Start-LSN"]),
        "end_lsn": str(last["End-LSN"]),
    }


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [programs() / name, *arguments],
        env=lease.bare_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise RestoreFailed(f"{name} does not take the files for a server's: {' '.join(done.stderr.split())[:600]}")


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
