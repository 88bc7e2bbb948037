"""What an installation takes while it runs, and how fast that grows: processes, the database, the disk, the logs."""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg

from arcana_pipelines.db.embedded import lease

# Who has just begun fills what it keeps: growth is told from so long after its start on.
WARM_SECONDS = 1200.0
# Growth an hour that is too much, and less than this in all is noise.
LIMITS = {"MB": (12.0, 12.0), "files": (3.0, 3.0), "threads": (2.0, 2.0), "connections": (2.0, 3.0)}
# Caches of the API fill up to this (`caching/caches.py`); a server process has files by the connections that there are.
CACHES_MB = 100.0
MOST_DEAD_SHARE, MANY_ROWS = 0.5, 10_000
_ROLES = (
    ("arcana up", r"arcana_pipelines\.cli up\b"),
    ("API", r"arcana_pipelines\.cli serve\b"),
    ("UI", r"arcana_pipelines\.defs\.webserver|dagster_webserver"),
    ("daemon", r"dagster\._daemon|dagster-daemon"),
    ("code server", r"dagster (?:api grpc|code-server)"),
    ("dagster dev", r"arcana_pipelines\.defs\.dev"),
    ("keeper", r"embedded import keeper"),
    ("runs", r"dagster api (?:execute_run|execute_step)|multiprocessing|loky"),
)
_LONG_LIVED = ("API", "UI", "daemon", "code server", "keeper", "postgres")
_WRONG = re.compile(r"\b(ERROR|CRITICAL|FATAL|PANIC|Traceback)\b")
_VARIES = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+")


def _kilobytes(pid: int) -> int:
    """The memory of a process, of what it shares with others its part, without PostgreSQL's buffers.

    Those fill with what the database has, up to `shared_buffers`, and are given to whoever touches them.
    https://docs.kernel.org/filesystems/proc.html (smaps_rollup).
    """
    told = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kilobytes = {name: int(said.split()[0]) for name, said in told.items()}
    return kilobytes["Pss"] - kilobytes["Pss_Shmem"]


class Watched:
    """Looks at an installation from outside, and keeps what it saw."""

    def __init__(self, home: Path, backups: Path, us: int) -> None:
        """`us`: the process of the benchmark, which is no part of what is measured."""
        self.home, self.backups, self.us = home, backups, us
        self.series: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        self.most: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.excused_errors = 0
        self.failed_runs: Counter[str] = Counter()
        self.tables: dict[str, list[int]] = {}
        self.dead: tuple[float, str] = (0.0, "")
        self._read_to = {path: path.stat().st_size for path in self._logs()}
        self._read_runs: set[str] = set()
        self._seconds: dict[int, tuple[float, float]] = {}  # of a processor, at the first look and at the last
        self._began = time.monotonic()
        self._processes_began = self._began

    def connect(self) -> psycopg.Connection[Any]:
        """As the application; it keeps no server running."""
        return psycopg.connect(lease.server_url(self.home), autocommit=True, connect_timeout=10)

    def processes_are_new(self) -> None:
        """Processes were restarted: what they took before is no part of their growth."""
        self._processes_began = time.monotonic()
        for key in [key for key in self.series if key[1] in LIMITS]:
            del self.series[key]

    def look(self, is_excused: Callable[[float], bool]) -> None:
        """Note how it is now.

        Raises:
            psycopg.OperationalError: the database does not answer, and nothing is being restarted.
        """
        self._look_at_processes()
        self._read_logs(is_excused(time.monotonic()))
        try:
            with contextlib.closing(self.connect()) as connection:
                self._look_at_database(connection, is_excused(time.monotonic()))
        except psycopg.OperationalError:
            if not is_excused(time.monotonic()):
                raise
        for name, folder in (
            ("database files", self.home / "postgres/data/base"),
            ("log of changes", self.home / "postgres/data/pg_wal"),
            ("Dagster's files", self.home / "dagster"),
            ("storage", self.home / "storage"),
            ("backups", self.backups),
        ):
            self._note(name, "disk", _size(folder) / 1e6)
        self._note("logs", "disk", sum(each.stat().st_size for each in self.home.glob("*.log*")) / 1e6)

    def report(self, nights: int) -> list[tuple[bool, str]]:
        """Print what was seen, and return what is judged: (is it met, what it is)."""
        verdicts: list[tuple[bool, str]] = []
        hours = (time.monotonic() - self._began) / 3600
        share = sum(last - first for first, last in self._seconds.values()) / max(1.0, time.monotonic() - self._began)
        print(f"a processor's time {100 * share:.0f} % of one core; {hours:.2f} hours")
        print(f"  {'':14} {'MB':>7} {'/h':>7} {'files':>6} {'/h':>6} {'threads':>8} {'/h':>6}")
        for role in (*_LONG_LIVED, "arcana up", "dagster dev", "runs"):
            if not self.series.get((role, "MB")):
                continue
            cells = []
            for unit in ("MB", "files", "threads"):
                now, growth, in_all = self._growth(role, unit)
                cells.append((now, growth))
                most, noise = LIMITS[unit]
                if (role, unit) == ("API", "MB"):
                    noise = CACHES_MB
                if role in _LONG_LIVED and (role, unit) != ("postgres", "files"):
                    verdicts.append((growth <= most or in_all <= noise, f"{role} grows by {growth:.1f} {unit} an hour"))
            (size, a), (files, b), (threads, c) = cells
            print(f"  {role:14} {size:7.0f} {a:+7.1f} {files:6.0f} {b:+6.1f} {threads:8.0f} {c:+6.1f}")
        now, growth, in_all = self._growth("server", "connections")
        most, noise = LIMITS["connections"]
        verdicts.append((growth <= most or in_all <= noise, f"connections grow by {growth:.1f} an hour"))
        print(
            f"connections {now:.0f} ({growth:+.1f} an hour, at most {self.most['connections']}); oldest transaction "
            f"{self.most['transaction']} s; runs {self.most['runs']:,}, failed {sum(self.failed_runs.values())}"
        )
        disks = [key for key in self.series if key[1] == "disk"]
        print("disk, MB (an hour): " + ", ".join(self._told(*key) for key in disks))
        grown = sorted(((sizes[-1] - sizes[0], name) for name, sizes in self.tables.items()), reverse=True)[:5]
        print("tables that grew, MB: " + ", ".join(f"{name} {size / 1e6:+.1f}" for size, name in grown))
        print(
            f"most dead rows: {100 * self.dead[0]:.0f} % {self.dead[1]}; errors in logs {self.errors.total()}, "
            f"{self.excused_errors} while restarted; nights {nights}"
        )
        for line, count in self.errors.most_common(5):
            print(f"  {count} x {line[:200]}")
        verdicts += [
            (not self.errors, f"errors in logs: {self.errors.total()}"),
            (not self.failed_runs, f"runs failed: {dict(self.failed_runs)}"),
            (self.dead[0] <= MOST_DEAD_SHARE, f"rows that are gone: {100 * self.dead[0]:.0f} % {self.dead[1]}"),
        ]
        return verdicts

    def _told(self, name: str, unit: str) -> str:
        now, growth, _ = self._growth(name, unit)
        return f"{name} {now:.1f} ({growth:+.1f})"

    def _note(self, name: str, unit: str, value: float) -> None:
        self.series[name, unit].append((time.monotonic(), value))

    def _growth(self, name: str, unit: str) -> tuple[float, float, float]:
        """What it is now, how much more an hour (the median of all pairs), and how much more in all."""
        seen = self.series.get((name, unit), [])
        if not seen:
            return 0.0, 0.0, 0.0
        since = (self._processes_began if unit in LIMITS else self._began) + WARM_SECONDS
        warm = [each for each in seen if each[0] >= since]
        slopes = [
            (later - value) / (at - when)
            for number, (when, value) in enumerate(warm)
            for at, later in warm[number + 1 :]
            if at - when > 300
        ]
        if not slopes:
            return seen[-1][1], 0.0, 0.0
        third = max(1, len(warm) // 3)
        in_all = statistics.median(v for _, v in warm[-third:]) - statistics.median(v for _, v in warm[:third])
        return seen[-1][1], 3600 * statistics.median(slopes), in_all

    def _look_at_processes(self) -> None:
        sums: dict[str, Counter[str]] = defaultdict(Counter)
        for process in psutil.process_iter(["cmdline", "cwd"]):
            if process.pid == self.us:
                continue
            with contextlib.suppress(psutil.Error, OSError):
                role = self._role(process)
                if role is None:
                    continue
                with process.oneshot():
                    times = process.cpu_times()
                    # Of what it has started and what has ended, too.
                    spent = times.user + times.system + times.children_user + times.children_system
                    sums[role]["KB"] += _kilobytes(process.pid)
                    sums[role]["files"] += process.num_fds()
                    sums[role]["threads"] += process.num_threads()
                if role in ("arcana up", *_LONG_LIVED):
                    self._seconds[process.pid] = self._seconds.get(process.pid, (spent, 0.0))[0], spent
        for role, total in sums.items():
            self._note(role, "MB", total["KB"] / 1024)
            self._note(role, "files", total["files"])
            self._note(role, "threads", total["threads"])

    def _role(self, process: psutil.Process) -> str | None:
        """What it is to this installation; None: it is no part of it."""
        command = " ".join(process.info["cmdline"] or ())
        if process.info["cwd"] == str(self.home / "postgres/data"):
            return "postgres"
        if str(self.home) in command and "keeper" in command:
            return "keeper"
        if not command or process.environ().get("ARCANA_HOME") != str(self.home):
            return None
        return next((role for role, pattern in _ROLES if re.search(pattern, command)), "runs")

    def _look_at_database(self, connection: psycopg.Connection[Any], excused: bool) -> None:
        (connections, transaction), = connection.execute(
            "SELECT count(*), coalesce(max(extract(epoch FROM now() - xact_start)), 0)::int FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()  # fmt: skip
        self._note("server", "connections", connections)
        self.most["connections"] = max(self.most["connections"], connections)
        self.most["transaction"] = max(self.most["transaction"], transaction)
        for name, size, live, dead in connection.execute(
            "SELECT schemaname || '.' || relname, pg_total_relation_size(relid), n_live_tup, n_dead_tup "
            "FROM pg_stat_user_tables"
        ).fetchall():
            name = name.removeprefix("public.")
            self.tables.setdefault(name, []).append(size)
            if live + dead > MANY_ROWS and dead / (live + dead) > self.dead[0]:
                self.dead = dead / (live + dead), f"of {name} ({live + dead:,})"
        self._note("database", "disk", sum(sizes[-1] for sizes in self.tables.values()) / 1e6)
        runs = connection.execute("SELECT run_id, pipeline_name, status FROM dagster.runs").fetchall()
        self.most["runs"] = max(self.most["runs"], len(runs))
        for run, job, status in runs:
            if status == "FAILURE" and run not in self._read_runs:
                self._read_runs.add(run)
                if not excused:
                    self.failed_runs[job] += 1

    def _logs(self) -> list[Path]:
        return [*self.home.glob("*.log"), *self.home.glob("postgres/*.log")]

    def _read_logs(self, excused: bool) -> None:
        for path in self._logs():
            begin = self._read_to.get(path, 0)
            size = path.stat().st_size
            with path.open(encoding="utf-8", errors="replace") as file:
                file.seek(begin if size >= begin else 0)
                for line in file:
                    if _WRONG.search(line):
                        if excused:
                            self.excused_errors += 1
                        else:
                            self.errors[f"{path.name}: {_VARIES.sub('N', line.strip())}"] += 1
                self._read_to[path] = size


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
