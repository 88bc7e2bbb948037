"""A streaming replica of the run's PostgreSQL, which can be paused, killed and stopped in the middle of its work."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.embedded.keeper import server_user
from arcana_pipelines.db.embedded.programs import programs
from arcana_pipelines.postgres_address import Address

_SECONDS = 60.0


class Standby:
    """A standby of the server at an address of the superuser's, with its files and its socket in a folder."""

    def __init__(self, primary: str, folder: Path) -> None:
        self._primary = primary
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._user = server_user()
        # The primary keeps what it has not got, however much others write while it is paused or dead.
        self._slot = f"standby_{os.getpid()}"

    def make(self) -> None:
        """Copy the primary's files, and begin to follow its log."""
        os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._let_in()
        address = Address.parse(self._primary)
        subprocess.run(
            [programs() / "pg_basebackup", "--no-password", "--no-sync", f"--pgdata={self._data}", "--checkpoint=fast",
             "--wal-method=stream", "--write-recovery-conf", "--create-slot", f"--slot={self._slot}",
             f"--dbname={address.shown}"],
            check=True, capture_output=True, env=lease.bare_environment(),
        )  # fmt: skip
        for path in (self._data, *self._data.rglob("*")):
            os.chown(path, self._user.pw_uid, self._user.pw_gid, follow_symlinks=False)
        self.start()

    def _let_in(self) -> None:
        """The kernel says to the primary who follows: under root that is another user than ours."""
        with psycopg.connect(self._primary, autocommit=True) as primary:
            (file,) = _row(primary, "SHOW ident_file")
            line = f'arcana "{self._user.pw_name}" all\n'
            if line not in Path(file).read_text():
                with Path(file).open("a") as users:
                    users.write(line)
            primary.execute("SELECT pg_reload_conf()")

    def url(self, of_primary: str) -> str:
        """The address here of a database that the primary has at another one."""
        parts = urlsplit(of_primary)
        return f"{parts.scheme}://{parts.username}@{parts.path}?host={self._folder}&port={lease.PORT}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {
            "listen_addresses": "", "port": lease.PORT, "unix_socket_directories": str(self._folder),
            "shared_buffers": "32MB", "max_connections": "200", "hot_standby": "on", "fsync": "off",
            "logging_collector": "off",
            "hba_file": str(self._folder / "hba.conf"),
        }  # fmt: skip
        (self._folder / "hba.conf").write_text("local all all trust\n")
        (self._folder / "hba.conf").chmod(0o644)
        is_other = self._user.pw_uid != os.geteuid()
        with (self._folder / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [programs() / "postgres", "-D", self._data, *(f"--{name}={value}" for name, value in options.items())],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._data, env=lease.bare_environment(),
                user=self._user.pw_uid if is_other else None, group=self._user.pw_gid if is_other else None,
                extra_groups=[] if is_other else None, start_new_session=True,
            )  # fmt: skip
        self._wait_until(self._answers)

    def catch_up(self) -> None:
        """Wait until it has what the primary has now."""
        with psycopg.connect(self._primary, autocommit=True) as primary, self._connected() as here:
            (now,) = _row(primary, "SELECT pg_current_wal_flush_lsn()")
            self._wait_until(lambda: _row(here, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", now)[0])

    def pause(self) -> None:
        """Let it replay no more; what is sent is kept."""
        with self._connected() as here:
            here.execute("SELECT pg_wal_replay_pause()")
            self._wait_until(lambda: _row(here, "SELECT pg_get_wal_replay_pause_state()")[0] == "paused")

    def resume(self) -> None:
        """Let it replay again."""
        with self._connected() as here:
            here.execute("SELECT pg_wal_replay_resume()")

    def set(self, name: str, value: str) -> None:
        """Change a setting of its own."""
        with self._connected() as here:
            here.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            here.execute("SELECT pg_reload_conf()")
            self._wait_until(lambda: _row(here, f"SHOW {name}")[0] == value)

    def freeze(self) -> None:
        """Let all of its processes stand still, with their connections open."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """After `freeze`."""
        self._signal_all(signal.SIGCONT)

    def kill(self) -> None:
        """As a machine does that goes out."""
        assert self._process is not None
        self._signal_all(signal.SIGKILL)
        self._process.wait()

    def end(self) -> None:
        """At the end of a test."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        with psycopg.connect(self._primary, autocommit=True) as primary:
            its = "FROM pg_replication_slots WHERE slot_name = %s"
            primary.execute(f"SELECT pg_terminate_backend(active_pid) {its}", [self._slot])
            self._wait_until(lambda: not _row(primary, f"SELECT count(active_pid) {its}", self._slot)[0])
            primary.execute(f"SELECT pg_drop_replication_slot(slot_name) {its}", [self._slot])

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            os.kill(pid, number)

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=str(self._folder), port=lease.PORT, user=lease.SUPERUSER, dbname="postgres", autocommit=True
        )

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self._said()
        try:
            self._connected().close()
        except psycopg.OperationalError:
            return False
        return True

    def _said(self) -> str:
        log = self._folder / "log"
        return log.read_text()[-2000:] if log.exists() else "it was never started"

    def _wait_until(self, is_so: Any) -> None:
        deadline = time.monotonic() + _SECONDS
        while not is_so():
            assert time.monotonic() < deadline, self._said()
            time.sleep(0.01)


@contextmanager
def standby_of(primary: str) -> Iterator[Standby]:
    """A standby that follows, and is ended; its socket's folder has a short name."""
    folder = Path(tempfile.mkdtemp(prefix="arcana-standby-"))
    folder.chmod(0o755)
    standby = Standby(primary, folder)
    try:
        standby.make()
        yield standby
    finally:
        standby.end()
        shutil.rmtree(folder, ignore_errors=True)


def _row(connection: psycopg.Connection[Any], statement: str, *parameters: object) -> Any:
    return connection.execute(statement, parameters or None).fetchone()
