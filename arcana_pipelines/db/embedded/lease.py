"""The PostgreSQL that comes with the package, started when `DATABASE_URL` is unset.

One server an `ARCANA_HOME`, shared by every process that uses it: each holds a shared lock on
`leases.lock` (`acquire_lease`). A small keeper process (`keeper`) owns the server, waits for the exclusive lock on
that file, which the kernel grants when the last holder has ended, however it ended, and then stops it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO
from urllib.parse import quote

from arcana_pipelines.db.embedded.private_folders import (
    close_to_others,
    require_own,
    require_private,
    secrets_on_the_way,
    socket_folder,
)
from arcana_pipelines.db.embedded.programs import programs
from arcana_pipelines.errors import DatabaseUnreachable, InvalidSetting
from arcana_pipelines.home import make_home, refuse_unfinished

DATABASE = "arcana"
# Of the socket's name. Said to both sides, so that PGPORT in the environment changes neither.
PORT = "5432"
SUPERUSER = "postgres"
# Who searches may connect as the reader; everything else is done by the role `arcana`, which acts as the owner.
# Who serves companies connects as the server, which reads within transactions alone, as the role of a company.
WRITER, READER, SERVER = "arcana", "arcana_reader", "arcana_server"
START_TIMEOUT_SECONDS = 60.0
# All that the keeper and the server get of our environment; the interpreter may need the last.
ENVIRONMENT = ("PATH", "LANG", "TZ", "HOME", "LD_LIBRARY_PATH")

# What an older release left readable for everybody in ARCANA_HOME.
_PRIVATE = ("postgres", "dagster", "storage", "handbook", "dagster.log")

# As the kernel says it (ENOSPC), in logs of the server and of the keeper.
_NO_SPACE = "No space left on device"

# The module path goes by argument: the environment stays bare.
_KEEPER = (
    "import sys; sys.path[:] = sys.argv[2:]; from arcana_pipelines.db.embedded import keeper; keeper.main(sys.argv[1])"
)

_leases: dict[Path, IO[bytes]] = {}


def server_folder(home: Path) -> Path:
    """Where the embedded server of this `ARCANA_HOME` lives."""
    return home / "postgres"


def exists(home: Path) -> bool:
    """True when this `ARCANA_HOME` has an embedded database."""
    return (server_folder(home) / "data" / "PG_VERSION").exists()


def secrets_in_reach(home: Path) -> list[Path]:
    """Files with secrets that the server's user can read, where that is not the user we are (under root)."""
    folder = server_folder(home)
    if not exists(home) or _server_user(folder) == os.geteuid():
        return []
    places = [folder / "data", programs().parent]
    return sorted({path for place in places for path in secrets_on_the_way(place)})


def acquire_lease(home: Path, role: str = WRITER, asks: bool = True) -> str:
    """Make sure the server runs, keep it running until this process ends, and return its URL.

    Without `asks`, the keeper's locks alone say that it runs, and the caller's own connection shows whether it answers:
    one that died a moment ago does not, and this is to be called again.

    Raises:
        DatabaseUnreachable: the server could not be started; the message points to its log.
        InvalidSetting: the home cannot hold it, or is half restored.
    """
    refuse_unfinished(home)
    folder = server_folder(home)
    if folder not in _leases:
        try:
            make_home(home)
            folder.mkdir(mode=0o700, exist_ok=True)
            require_own(folder)
            close_to_others(home / name for name in _PRIVATE)
            # Waits here while a keeper that found no users is still stopping the server.
            _leases[folder] = locked(folder / "leases.lock")
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise DatabaseUnreachable(
                    f"The disk of {home} (ARCANA_HOME) is full: make room there, first."
                ) from error
            raise InvalidSetting(
                f"ARCANA_HOME: {home} cannot hold the embedded database ({error.strerror}). "
                "Set it to a folder that can be written, or set DATABASE_URL."
            ) from error
    _ensure_server(home, asks)
    return server_url(home, role)


def release_lease(home: Path) -> None:
    """Give up this process's lease; the server stops if it was the last one."""
    lease = _leases.pop(server_folder(home), None)
    if lease is not None:
        lease.close()


def server_url(home: Path, role: str = WRITER, database: str = DATABASE) -> str:
    """The libpq URL of the embedded database: a Unix socket, no password, the kernel says who connects.

    Raises:
        DatabaseUnreachable: the socket's folder is not one to be trusted.
    """
    folder = server_folder(home)
    sockets = socket_folder(folder)
    if sockets is None:
        raise DatabaseUnreachable(f"The embedded PostgreSQL in {folder} was never started.")
    with contextlib.suppress(FileNotFoundError):
        require_private(sockets, _server_user(folder))
    return f"postgresql://{role}@/{database}?host={quote(str(sockets))}&port={PORT}"


def disk_was_full(home: Path) -> bool:
    """True when the last that the server wrote into its log is that its disk is full."""
    try:
        with (server_folder(home) / "server.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            return _NO_SPACE.encode() in file.read()
    except OSError:
        return False


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


def locked(path: Path, exclusive: bool = False) -> IO[bytes]:
    """The file with a lock on it, which lasts until it is closed. Waits for it."""
    return _locked(path, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)


def try_lock(path: Path) -> IO[bytes] | None:
    """The file with an exclusive lock, or None when another process holds a lock on it."""
    try:
        return _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def bare_environment() -> dict[str, str]:
    """What a process that executes SQL, or starts one, gets of our environment: no tokens."""
    return {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}


def note_problem(folder: Path, problem: str | None) -> None:
    """What keeps the server from starting, for the commands that wait for it; None: nothing."""
    path = folder / "problem"
    if problem is None:
        path.unlink(missing_ok=True)
        return
    with contextlib.suppress(OSError):  # the disk may be full: then there is no note but the log
        path.with_suffix(".new").write_text(problem, encoding="utf-8")
        path.with_suffix(".new").replace(path)


def _locked(path: Path, how: int) -> IO[bytes]:
    # A user who can read a file can lock it, and the server's user may pass through the folder.
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
    try:
        if os.fstat(file.fileno()).st_mode & 0o077:
            os.fchmod(file.fileno(), 0o600)  # of an older release
        fcntl.flock(file, how)
    except BaseException:
        file.close()
        raise
    return file


def _is_kept(folder: Path) -> bool:
    lock = try_lock(folder / "keeper.lock")
    if lock is None:
        return True
    lock.close()
    return False


def _has_users(folder: Path) -> bool:
    try:
        _locked(folder / "leases.lock", fcntl.LOCK_SH | fcntl.LOCK_NB).close()
    except BlockingIOError:
        return False  # the keeper has it for itself: it is stopping the server
    lock = try_lock(folder / "leases.lock")
    if lock is None:
        return True
    lock.close()
    return False


def _server_user(folder: Path) -> int:
    """The user id that the server runs as: the owner of its data."""
    return (folder / "data").stat().st_uid


def _ensure_server(home: Path, asks: bool) -> None:
    """Return as soon as the server answers (see `acquire_lease`); start a keeper unless one is at work."""
    folder = server_folder(home)
    with contextlib.closing(_locked(folder / "starting.lock", fcntl.LOCK_EX)):
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        keeper: subprocess.Popen[bytes] | None = None
        try:
            while True:
                # In this order: a keeper is one only while it prepares the server, or has.
                kept, refusal = _is_kept(folder), _refusal(home, asks)
                if keeper is None and not kept:
                    note_problem(folder, None)
                    (folder / "ready").unlink(missing_ok=True)  # of an older release, whose keeper was killed
                    keeper = _start_keeper(folder)
                elif kept and refusal is None:
                    return
                elif (folder / "problem").exists() or (keeper is not None and keeper.poll() is not None):
                    raise _not_started(folder)
                elif time.monotonic() > deadline:
                    raise _not_started(folder, f"it does not answer yet: {refusal}")
                elif (folder / "ready").exists():
                    raise _not_started(folder, "an older release of Arcana uses it. End that (arcana up, syncs) first")
                time.sleep(0.02)
        finally:
            if keeper is not None and keeper.returncode is None:
                keeper.returncode = 0  # it outlives us on purpose: we do not wait for it


def _refusal(home: Path, asks: bool) -> str | None:
    """Why the server may not let us in yet, or what it says to us when it is asked; None when it lets us in."""
    if socket_folder(server_folder(home)) is None or not exists(home):
        return "it is being made"
    if asks:
        import psycopg

        try:
            psycopg.connect(server_url(home), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            return " ".join(str(error).split())
    try:
        _locked(server_folder(home) / "preparing.lock", fcntl.LOCK_SH | fcntl.LOCK_NB).close()
    except BlockingIOError:
        return "it is being prepared"
    return None


def _not_started(folder: Path, problem: str | None = None) -> DatabaseUnreachable:
    if problem is None:
        with contextlib.suppress(OSError):
            problem = (folder / "problem").read_text(encoding="utf-8")
    said = f"The embedded PostgreSQL in {folder} does not run{f': {problem}' if problem else ''}."
    logs = f"{folder / 'server.log'} and {folder / 'keeper.log'}"
    if _NO_SPACE in problem if problem else disk_was_full(folder.parent):
        return DatabaseUnreachable(
            f"{said} Make room on its disk, then run this again: nothing is lost. See also {logs}."
        )
    return DatabaseUnreachable(f"{said} Read {logs}, or set DATABASE_URL to a server of your own.")


def _start_keeper(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "keeper.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-c", _KEEPER, str(folder), *(path for path in sys.path if path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=bare_environment(),
        )
