"""The keeper: a small process that owns one embedded server, starts it again when it dies, and stops it at the end.

It and the server get an environment of their own: no token of the user's ever reaches a process that executes SQL.

PostgreSQL refuses to run as root. Under root it runs as the system user `arcana_postgres` (made once with useradd),
which owns nothing but the data directory and the socket's folder. Root takes nothing in these as found: it writes
nothing there, follows no link, and signals no process but that user's. All installations of root share that user;
their servers hold no secrets, and no role that we hand out may read a server's files.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import psycopg

from arcana_pipelines.db.embedded.lease import (
    DATABASE,
    ENVIRONMENT,
    PORT,
    READER,
    SUPERUSER,
    WRITER,
    bare_environment,
    locked,
    note_problem,
    try_lock,
)
from arcana_pipelines.db.embedded.private_folders import let_pass, make_socket_folder, read_of_owner, write_for_reader
from arcana_pipelines.db.embedded.programs import programs
from arcana_pipelines.db.reader import grant_to_readers
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError, DatabaseUnreachable

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

SYSTEM_USER = "arcana_postgres"
STOP_SECONDS = 60.0
# Recovery after a crash may take long; one that takes longer than this is stuck.
STUCK_SECONDS = 1800.0
# How often the server is looked at, and how long a keeper waits at most before it tries to start one again.
POLL_SECONDS = 0.5
LONGEST_PAUSE = 30.0
# One that lived so long is not one that cannot live.
STEADY_SECONDS = 60.0

SERVER_OPTIONS = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    # Any role may NOTIFY, and what no session listens to takes space on the disk: 8 MB at most.
    "max_notify_queue_pages": "1024",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    # What changed since a backup, by which another one has that alone: some kB for each 16 MB of the log of changes.
    "summarize_wal": "on",
    # A slot of backups whose place is gone fills no disk.
    "max_slot_wal_keep_size": "8GB",
    "logging_collector": "off",
}

# Backends put their own score back to that of any process.
_OOM = {"PG_OOM_ADJUST_FILE": "/proc/self/oom_score_adj", "PG_OOM_ADJUST_VALUE": "0"}

# The superuser's session finds and obeys nothing that a role of ours can make or set in its database: an operator in
# the schema public would run as him.
_SUPERUSER_OPTIONS = "-c search_path=pg_catalog,pg_temp -c role=none -c local_preload_libraries="
# What the role arcana made may also wait for ever.
_WRITER_OPTIONS = "-c statement_timeout=60s"

# The kernel names the user who reaches the socket. That user may be any role: the files of the database are theirs.
_HBA = (
    "# Written by arcana at every start of the server: changes are lost.\n"
    "local all all peer map=arcana\n"
    "local replication all peer map=arcana\n"  # backups, as the superuser: no other role has the right
)
# What a server says that will let us in later; everything else that it says to us is its last word.
_LATER = re.compile(r"the database system is |too many clients|connection slots are reserved|terminating connection")
# What was said to clients that came too early is not why it ended.
_FATAL = re.compile(rb"(?:FATAL|PANIC|error):\s++(?!the database system |role |database |Peer )(.+)")


def keep(folder: Path) -> None:
    """Run the server until no process holds a lease on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C ends the users; the server ends after them.
    os.umask(0o077)
    # First this lock: who finds a keeper, and this one free, has a server that was prepared.
    with contextlib.closing(locked(folder / "preparing.lock", exclusive=True)):
        kept = _take(folder / "keeper.lock")
        if kept is None:
            return
        try:
            server = _Server(folder)
            server.prepare()
        except (ArcanaError, OSError, psycopg.Error) as error:
            log.exception("the server did not start")
            note_problem(folder, str(error))
            sys.exit(1)
        note_problem(folder, None)
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(server, folder, ended))
    watcher.start()
    with contextlib.closing(locked(folder / "leases.lock", exclusive=True)):
        ended.set()
        watcher.join()
        server.stop()
        kept.close()


def _take(path: Path) -> IO[bytes] | None:
    """The lock, or None when another keeper has it; commands that look have it for a moment only."""
    for _ in range(20):
        lock = try_lock(path)
        if lock is not None:
            return lock
        time.sleep(0.05)
    return None


def _watch(server: _Server, folder: Path, ended: threading.Event) -> None:
    """Start the server again whenever it died; after each time in a row, wait twice as long."""
    pause, started, failures = POLL_SECONDS, time.monotonic(), 0
    while not ended.wait(POLL_SECONDS):
        if server.is_alive():
            continue
        if time.monotonic() - started > STEADY_SECONDS:
            pause = POLL_SECONDS
        log.warning("the server died; starting it again")
        try:
            server.start()
            failures = 0
            note_problem(folder, None)
        except (ArcanaError, OSError, psycopg.Error) as error:
            log.warning("it did not start: %s", error)
            failures += 1
            if failures > 2:
                note_problem(folder, str(error))
        started = time.monotonic()
        ended.wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def make_database(server: psycopg.Connection[Any], connected: Callable[[], psycopg.Connection[Any]]) -> None:
    """Make the database `arcana` where it is missing, and bring roles, extensions and rights up to date.

    Args:
        server: the superuser's connection to the database `postgres`, in autocommit.
        connected: opens the superuser's connection to `arcana`.
    """
    if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
        server.execute(f"CREATE DATABASE {DATABASE}")
    server.execute(load_sql("roles"))
    with contextlib.closing(connected()) as connection:
        connection.execute(load_sql("roles_database"))


class _Server:
    """initdb, start and stop of one data directory."""

    def __init__(self, folder: Path) -> None:
        self.programs = programs()
        self.folder = folder
        self.data = folder / "data"
        self.log_file = folder / "server.log"
        self.sockets = Path()  # known when it is started
        self.process: subprocess.Popen[bytes] | None = None
        self.user = server_user()

    def start(self) -> None:
        """`prepare` it, while processes that wait for the server see by the lock that it is not ready."""
        with contextlib.closing(locked(self.folder / "preparing.lock", exclusive=True)):
            self.prepare()

    def prepare(self) -> None:
        """Start it, or take over the one that a killed keeper left, and bring the roles up to date.

        Raises:
            DatabaseUnreachable: it does not start; the message has PostgreSQL's own words.
        """
        self._prepare_folders()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._say_who_may_connect()
        if self.is_alive() and not self._is_as_we_start_it():
            self.stop()  # an older release started it
        try:
            self._prepare_database(self._connect())
        except BaseException:
            self.stop()  # no process may work with a database that is not prepared
            raise

    def is_alive(self) -> bool:
        """False when the postmaster has ended, also one that another process started."""
        if self.process is not None:
            return self.process.poll() is None
        return self._pid() is not None

    def stop(self) -> None:
        """Stop it in order, or, when that takes too long, at once: it then recovers at its next start."""
        pid = self._pid()
        if pid is None and self.process is not None and self.process.poll() is None:
            pid = self.process.pid  # Somebody removed its folder, and with it the note of its number.
        for number in (signal.SIGINT, signal.SIGQUIT):
            if pid is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + STOP_SECONDS
            while self.is_alive() and time.monotonic() < deadline:
                time.sleep(0.02)
            if not self.is_alive():
                break
        self.process = None

    def _prepare_folders(self) -> None:
        uid, gid = self.user.pw_uid, self.user.pw_gid
        self.sockets = make_socket_folder(self.folder, uid, gid)
        self.data.mkdir(mode=0o700, exist_ok=True)
        if self.data.stat().st_uid != uid:
            if self.data.is_symlink():
                raise DatabaseUnreachable(f"{self.data} is a link to a folder that is not {self.user.pw_name}'s.")
            os.chown(self.data, uid, gid, follow_symlinks=False)
        if uid != os.geteuid():
            for path in (self.data, self.sockets, self.programs / "postgres"):
                let_pass(path, uid, gid, self.folder.parent)

    def _initialise(self) -> None:
        log.info("making the database in %s", self.data)
        arguments = [
            "--pgdata",
            str(self.data),
            "--username",
            SUPERUSER,
            "--auth=peer",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]
        begin = self._log_size()
        with self.log_file.open("ab") as output:
            made = subprocess.run(
                [self.programs / "initdb", *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **self._as_user(),
            )
        if made.returncode:
            raise DatabaseUnreachable(last_words(self.log_file, begin) or f"initdb ended with {made.returncode}")

    def _say_who_may_connect(self) -> None:
        """The user we run as (root, or the owner of the files), named by the kernel; no one else, and no passwords.

        The files are in our own folder: the server reads them, and cannot change them.
        """
        us = pwd.getpwuid(os.geteuid()).pw_name.replace('"', '""')
        for name, text in (("pg_hba.conf", _HBA), ("pg_ident.conf", f'arcana "{us}" all\n')):
            write_for_reader(self.folder / name, text, self.user.pw_uid, self.user.pw_gid)

    def _access_options(self) -> dict[str, str]:
        return {"hba_file": str(self.folder / "pg_hba.conf"), "ident_file": str(self.folder / "pg_ident.conf")}

    def _launch(self) -> None:
        options = {**SERVER_OPTIONS, **self._access_options(), "unix_socket_directories": str(self.sockets)}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **self._as_user(),
            )
        # A kernel that lacks memory should end a backend, whose work is repeated, and not the server. Only root may.
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.process.pid}/oom_score_adj").write_text("-900")

    def _as_user(self) -> dict[str, Any]:
        """Arguments of subprocess: the server's user, and nothing of our environment but what it is started with."""
        other = self.user.pw_uid != os.geteuid()
        return {
            "cwd": self.data,
            "env": bare_environment() | _OOM,
            "user": self.user.pw_uid if other else None,
            "group": self.user.pw_gid if other else None,
            "extra_groups": [] if other else None,
        }

    def _connect(self) -> psycopg.Connection[Any]:
        """The superuser's connection to the running server, which is launched where there is none."""
        deadline = time.monotonic() + STUCK_SECONDS
        begin = self._log_size()
        if not self.is_alive():
            self._launch()
        while True:
            try:
                return self._connected("postgres")
            except psycopg.OperationalError as error:
                said = " ".join(str(error).split())
                if time.monotonic() > deadline:
                    raise
                if "FATAL:" in said and not _LATER.search(said):
                    raise DatabaseUnreachable(said) from error
                if not self.is_alive():
                    reason = last_words(self.log_file, begin) or said
                    # A killed server and its backends are gone a moment later.
                    lingers = "shared memory block" in reason or "postmaster.pid" in reason
                    if not lingers or time.monotonic() > deadline - STUCK_SECONDS + 10:
                        raise DatabaseUnreachable(reason) from error
                    time.sleep(0.2)
                    begin = self._log_size()
                    self._launch()
                time.sleep(0.02)  # it starts, or recovers, which may take its time

    def _connected(self, database: str, role: str = SUPERUSER) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self.sockets),
            port=PORT,
            requirepeer=self.user.pw_name,
            user=role,
            dbname=database,
            autocommit=True,
            options=_SUPERUSER_OPTIONS if role == SUPERUSER else _WRITER_OPTIONS,
        )

    def _prepare_database(self, connection: psycopg.Connection[Any]) -> None:
        with contextlib.closing(connection):
            make_database(connection, lambda: self._connected(DATABASE))
        try:
            # The tables are found by the search path, so whatever is on it may run: not as the superuser.
            with contextlib.closing(self._connected(DATABASE, WRITER)) as connection:
                grant_to_readers(connection)
        except psycopg.Error as error:
            log.warning("the role %s may lack rights: %s", READER, error)

    def _pid(self) -> int | None:
        """The postmaster's process id, None when it does not run."""
        uid = self.user.pw_uid
        try:
            note = read_of_owner(self.data, "postmaster.pid", uid, 1024) or b""
            pid = int(note.partition(b"\n")[0])
            status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            users = {int(user) for user in status["Uid"].split()}
        except (OSError, ValueError, KeyError):
            return None
        # Whatever the file says, no process of another user is the server.
        is_server = status["Name"] == "postgres" and status["State"][0] not in "ZX" and users == {uid}
        return pid if pid > 0 and is_server and self._is_at_home(pid) else None

    def _is_at_home(self, pid: int) -> bool:
        """A process id may have been given to another server: this one works in our data directory."""
        try:
            return os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(self.data)
        except PermissionError:
            return True
        except OSError:
            return False

    def _is_as_we_start_it(self) -> bool:
        """True when the running server has a bare environment, and lets in whom the files in our folder name."""
        try:
            process = Path(f"/proc/{self._pid()}")
            environment, arguments = (process / "environ").read_bytes(), (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return True
        names = {entry.partition(b"=")[0].decode(errors="replace") for entry in environment.split(b"\0") if entry}
        access = {os.fsencode(f"{name}={value}") for name, value in self._access_options().items()}
        return names <= {*ENVIRONMENT, *_OOM} and access <= set(arguments)

    def _log_size(self) -> int:
        return self.log_file.stat().st_size if self.log_file.exists() else 0


def last_words(server_log: Path, begin: int) -> str | None:
    """Why PostgreSQL ended, as its log says it from byte `begin` on."""
    with server_log.open("rb") as file:
        file.seek(begin)
        text = file.read()
    messages = _FATAL.findall(text) or [b" ".join(line for line in text.splitlines() if b"LOG:" not in line)]
    return " ".join(messages[-1].decode(errors="replace").split()) or None


def server_user() -> pwd.struct_passwd:
    """The user that embedded servers run as: we, or, under root, another one, which is made where it is missing."""
    return _system_user() if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _system_user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=True)
    return pwd.getpwnam(SYSTEM_USER)


def main(folder: str) -> None:
    """Keep the server of this folder; what happens goes to standard error, which is `keeper.log`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    keep(Path(folder))
