"""Days of an installation in two hours: `python benchmarks/days.py --hours 2`.

An installation of its own, in a temporary folder and with little priority: the embedded database, `arcana up`
(Dagster's daemon with its sensors and schedules, its web server, the API), the sample workspaces, and a workspace
that is read from a stand-in for Notion. Pages are edited all the time, searches are asked over HTTP at a small
steady rate, and what is nightly comes every ten minutes: audits, golden questions, checks, maintenance, a backup
that is proven. Once in a while everything is restarted, the database is stopped under all others, an upgrade finds
nothing to do, an index is rebuilt and promoted, and every backup is read. After each night, what Dagster and the
ledger keep of ended runs is made a day older, so that what is kept for three days is deleted.

Every ten minutes, and at the end, one screen: what was done, what failed, how old answers were, and how much
memory, files, threads, connections and disk have grown, an hour. Exit code 1: a limit was passed. What it stands
for and what it does not: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psycopg
from days_watched import Watched
from own_server import OURS

from arcana_pipelines.demo.vocabulary import ENGLISH, KOREAN

SLUG = "acme"
NIGHT_MINUTES = 10
KEPT_DAYS = 3
SAMPLE_SECONDS, REPORT_SECONDS = 60.0, 600.0
GIVE_UP_SECONDS = 600.0
MARK = "The tide mark at the harbour wall reads"
# Of a restart: what fails within it is told apart.
SETTLE_SECONDS = 45.0


@dataclass
class Progress:
    """What was done and found so far. Threads write different fields of it."""

    searches: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    stale: int = 0
    edits: int = 0
    lags: list[float] = field(default_factory=list)
    unseen: int = 0
    nights: int = 0
    events: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    restarts: list[tuple[float, float]] = field(default_factory=list)  # from, to, by the monotonic clock

    def is_excused(self, moment: float) -> bool:
        """Whether something was being restarted at this moment."""
        return any(begun <= moment <= ended + SETTLE_SECONDS for begun, ended in self.restarts)


class Installation:
    """`arcana` in an ARCANA_HOME of its own."""

    def __init__(self, folder: Path, notion: str, token: str) -> None:
        self.folder, self.home, self.notion = folder, folder / "home", notion
        self.home.mkdir()
        self.port, self.api_port = _free_port(), _free_port()
        minutes = {"AUDIT": 0, "QUALITY": 2, "CHECK_INSTALLATION": 4, "MAINTENANCE": 6, "BACKUP": 8}
        times = {f"SCHEDULE_{name}": f"{minute}-59/{NIGHT_MINUTES} * * * *" for name, minute in minutes.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.environment = {
            **kept, **times, "ARCANA_HOME": str(self.home), "EMBEDDING_PROVIDER": "local-small",
            "NOTION_BASE_URL": notion, "NOTION_TOKEN": token, "BACKUP_TO": str(folder / "backups"),
            "RETENTION_DAYS": str(KEPT_DAYS), "BACKUP_KEEP_DAYS": str(KEPT_DAYS), "BACKUP_WAL": "on",
            "KEY_REQUESTS_PER_MINUTE": "100000", "NOTION_REQUESTS_PER_MINUTE": "600",
            # Twice: Dagster's code server puts a folder of its own over the first.
            "PYTHONPATH": os.pathsep.join(2 * [str(Path(__file__).resolve().parents[1])]),
        }  # fmt: skip
        self.up: subprocess.Popen[bytes] | None = None
        self.key = ""

    def arcana(self, *arguments: str, given: str | None = None) -> Any:
        """Run a command and return what it says as JSON.

        Raises:
            RuntimeError: it failed; the message is what it said.
        """
        done = subprocess.run(
            [sys.executable, "-m", "arcana_pipelines.cli", *arguments, "--json"], env=self.environment,
            cwd=self.folder, capture_output=True, text=True, input=given, timeout=1800,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(
                f"arcana {' '.join(arguments)} ended with {done.returncode}: {(done.stderr or done.stdout)[-400:]}"
            )
        return json.loads(done.stdout)

    def start(self) -> None:
        """Start everything and wait until the API answers."""
        ports = ["--port", str(self.port), "--api-port", str(self.api_port)]
        with (self.folder / "up.log").open("ab") as log:
            self.up = subprocess.Popen(
                [sys.executable, "-m", "arcana_pipelines.cli", "up", *ports],
                env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until searches can be answered."""
        until = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.api}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
            if self.up is not None and self.up.poll() is not None:
                break
            time.sleep(0.5)
        raise RuntimeError(f"The API did not come up: {(self.folder / 'up.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop everything, as Ctrl-C does."""
        if self.up is not None and self.up.poll() is None:
            self.up.send_signal(signal.SIGINT)
            self.up.wait(180)

    def stop_database(self) -> None:
        """Stop the server under everybody; its keeper starts it again."""
        pid = int((self.home / "postgres/data/postmaster.pid").read_text().partition("\n")[0])
        os.kill(pid, signal.SIGINT)

    @property
    def api(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.api_port}"

    def change(self, call: str, **arguments: Any) -> Any:
        """Change the world that the stand-in shows."""
        body = json.dumps({"call": call, "args": arguments}).encode()
        request = urllib.request.Request(f"{self.notion}/_control", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())["result"]


class Searching(threading.Thread):
    """Asks at a steady rate: made-up questions, half of them asked before, and now and then for the newest mark."""

    def __init__(self, installation: Installation, progress: Progress, rate: float) -> None:
        super().__init__(daemon=True)
        self.installation, self.progress, self.rate = installation, progress, rate
        self.over = threading.Event()
        self.written: list[tuple[int, float]] = []  # marks that nobody has found yet, with when they were written
        self.newest_found = 0
        self._chance = random.Random(1)

    def run(self) -> None:
        """Ask until it is over."""
        begun, sent = time.monotonic(), 0
        while not self.over.wait(max(0.0, begun + sent / self.rate - time.monotonic())):
            sent += 1
            if self.written and sent % 3 == 0:
                self._ask_for_mark()
            else:
                self._ask(self._question())
            if time.monotonic() - begun > (sent + 10) / self.rate:  # it was restarted: nothing is made up for
                begun = time.monotonic() - sent / self.rate

    def _question(self) -> str:
        words = self._chance.choice([ENGLISH, KOREAN])
        topic = self._chance.choice(words.topics)
        return topic if self._chance.random() < 0.5 else f"{topic} {self._chance.randrange(10**6)}"

    def _ask_for_mark(self) -> None:
        mark, written = self.written[0]
        hits = self._ask(f"{MARK} {_mark(mark)}")
        if hits is None:
            return
        marks = [int(found[1]) for hit in hits if (found := re.search(r"\bmark(\d{6})\b", hit["text"]))]
        now = time.monotonic()
        if marks and max(marks) < self.newest_found:
            self.progress.stale += 1
            self.progress.failures.append(f"{_clock()} mark {max(marks)} after {self.newest_found} was found")
        if marks and max(marks) >= mark:
            self.newest_found = max(marks)
            self.progress.lags.extend(now - at for number, at in self.written if number <= self.newest_found)
            self.written = [each for each in self.written if each[0] > self.newest_found]
        elif now - written > GIVE_UP_SECONDS:
            self.progress.unseen += 1
            self.progress.failures.append(f"{_clock()} mark {mark} was not found within {GIVE_UP_SECONDS:.0f} s")
            self.written = self.written[1:]

    def _ask(self, query: str) -> list[dict[str, Any]] | None:
        headers = {"Authorization": f"Bearer {self.installation.key}", "Content-Type": "application/json"}
        asked = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.installation.api_port, timeout=30)
        try:
            body = json.dumps({"query": query, "k": 5})
            connection.request("POST", f"/v1/workspaces/{SLUG}/search", body, headers)
            answer = connection.getresponse()
            told, outcome = json.loads(answer.read()), str(answer.status)
        except (OSError, http.client.HTTPException, ValueError) as error:
            told, outcome = {}, type(error).__name__
        finally:
            connection.close()
        self.progress.milliseconds.append((time.monotonic() - asked) * 1000)
        if outcome == "200":
            self.progress.searches["answered"] += 1
            return list(told["hits"])
        excused = self.progress.is_excused(asked) or self.progress.is_excused(time.monotonic())
        self.progress.searches["failed while restarted" if excused else "failed"] += 1
        if not excused:
            self.progress.failures.append(f"{_clock()} a search ended with {outcome}: {str(told)[:200]}")
        return None


class Editing(threading.Thread):
    """People edit pages, one edit every so many seconds: mostly the text of one, at times a page comes or goes."""

    def __init__(self, installation: Installation, progress: Progress, searching: Searching, every: float) -> None:
        super().__init__(daemon=True)
        self.installation, self.progress, self.searching, self.every = installation, progress, searching, every
        self.over = threading.Event()
        self._chance = random.Random(2)
        # The page that is asked for, and its first block.
        self._marked = installation.change("add_page", title="Harbour wall", blocks=f"{MARK} {_mark(0)}.")
        self._pages: list[str] = list(installation.change("visible_pages"))
        self._added: list[str] = []

    def run(self) -> None:
        """Edit until it is over."""
        while not self.over.wait(self.every * self._chance.uniform(0.5, 1.5)):
            self.progress.edits += 1
            number = self.progress.edits
            words = self._chance.choice([ENGLISH, KOREAN])
            sentence = f"{self._chance.choice(words.topics)}: {number}, {self._chance.choice(words.things)}."
            kind = number % 6
            if kind == 0:
                title = f"{self._chance.choice(words.topics)} {number}"
                self._added.append(self.installation.change("add_page", title=title, blocks=sentence))
            elif kind == 3 and len(self._added) > 5:
                self.installation.change("trash", node_id=self._added.pop(0))
            else:
                self.installation.change(
                    "edit_page" if kind == 1 else "append_blocks",
                    **{"page_id" if kind == 1 else "parent_id": self._chance.choice(self._pages), "blocks": sentence},
                )
            self.installation.change("edit_page", page_id=self._marked, blocks=f"{MARK} {_mark(number)}.")
            self.searching.written.append((number, time.monotonic()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0, help="how long (%(default)s)")
    parser.add_argument("--rate", type=float, default=1.0, help="searches a second (%(default)s)")
    parser.add_argument("--edit-every", type=float, default=75.0, help="seconds between edits (%(default)s)")
    parser.add_argument("--pages", type=int, default=200, help="pages to begin with (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    given = parser.parse_args()
    os.nice(10)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="arcana-days-"))
    with _notion(given.pages) as (notion, token):
        installation = Installation(folder, notion, token)
        try:
            code = _days(installation, given)
        finally:
            installation.stop()
            if not given.keep:
                shutil.rmtree(folder, ignore_errors=True)
    return code


def _days(installation: Installation, given: argparse.Namespace) -> int:
    progress = Progress()
    print(f"{_clock()} {installation.folder}, for {given.hours:g} hours", flush=True)
    installation.start()
    installation.arcana("workspace", "add", SLUG, "--source", "notion")
    installation.arcana("sync", SLUG)
    golden = installation.arcana("eval", SLUG, "--suggest", "--limit", "20")["questions"]
    installation.arcana("eval", SLUG, "-", "--keep", "--baseline", given="\n".join(map(json.dumps, golden)))
    made = installation.arcana("key", "create", "--workspace", SLUG, "--scope", "search", "--scope", "read")
    installation.key = made["key"]
    installation.arcana("backup", "create")
    searching = Searching(installation, progress, given.rate)
    editing = Editing(installation, progress, searching, given.edit_every)
    watched = Watched(installation.home, installation.folder / "backups", os.getpid())
    for thread in (searching, editing):
        thread.start()
    _go_on(installation, progress, watched, given.hours * 3600)
    for thread in (searching, editing):
        thread.over.set()
        thread.join()
    print(f"\n{_clock()} THE END", flush=True)
    return _report(progress, watched, is_end=True)


def _go_on(installation: Installation, progress: Progress, watched: Watched, seconds: float) -> None:
    """Carry out the plan, look every minute, report every ten, and let a day pass after each night."""
    begun = time.monotonic()
    plan = [(begun + part * seconds, name, act) for part, name, act in _PLAN]
    next_look = begun
    next_report, next_night = begun + 2 * SAMPLE_SECONDS, begun + NIGHT_MINUTES * 60
    while (now := time.monotonic()) < begun + seconds:
        if plan and now >= plan[0][0]:
            _, name, act = plan.pop(0)
            _carry_out(installation, progress, watched, name, act)
        if now >= next_night:
            next_night += NIGHT_MINUTES * 60
            progress.nights += 1
            with contextlib.closing(watched.connect()) as connection:
                for statement in _A_DAY_LATER:
                    connection.execute(statement)
        if now >= next_look:
            next_look = now + SAMPLE_SECONDS
            try:
                watched.look(progress.is_excused)
            except psycopg.OperationalError as error:
                progress.failures.append(f"{_clock()} no look: {error}")
        if now >= next_report:
            next_report = begun + REPORT_SECONDS * (1 + (now - begun) // REPORT_SECONDS)
            print(f"\n{_clock()} after {(now - begun) / 60:.0f} minutes", flush=True)
            _report(progress, watched, is_end=False)
        time.sleep(1.0)


def _carry_out(
    installation: Installation, progress: Progress, watched: Watched, name: str, act: Callable[[Installation], None]
) -> None:
    """Do one thing of the plan, and note what came of it."""
    begun = time.monotonic()
    is_restart = act in (_restart, _stop_database)
    if is_restart:
        progress.restarts.append((begun, begun + GIVE_UP_SECONDS))
    try:
        act(installation)
        said = f"{name}: {time.monotonic() - begun:.0f} s"
    except (RuntimeError, OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        said = f"{name} FAILED: {error}"
        progress.failures.append(f"{_clock()} {said}")
    if is_restart:
        progress.restarts[-1] = begun, time.monotonic()
        watched.processes_are_new()
    progress.events.append(f"{_clock()} {said}")
    print(progress.events[-1], flush=True)


def _restart(installation: Installation) -> None:
    installation.stop()
    installation.start()


def _stop_database(installation: Installation) -> None:
    installation.stop_database()
    time.sleep(2.0)
    installation.wait_until_ready()


def _rebuild(installation: Installation) -> None:
    # In two steps the second is refused where a page was edited between them.
    installation.arcana("index", "rebuild", SLUG, "--promote")


def _upgrade(installation: Installation) -> None:
    installation.arcana("db", "upgrade")
    if installation.arcana("db", "status")["state"] != "current":
        raise RuntimeError("the schema is not this release's")


def _read_backups(installation: Installation) -> None:
    installation.arcana("backup", "verify")


def _reconcile(installation: Installation) -> None:
    for command in (("index", "verify", SLUG), ("db", "check"), ("doctor",)):
        installation.arcana(*command)


# When, as a share of the whole. What is restarted is restarted early: growth is told from then on.
_PLAN: list[tuple[float, str, Callable[[Installation], None]]] = [
    (0.08, "everything restarted", _restart),
    (0.14, "the database stopped under the others", _stop_database),
    (0.25, "a rebuild promoted", _rebuild),
    (0.40, "an upgrade with nothing to do", _upgrade),
    (0.55, "a rebuild promoted", _rebuild),
    (0.75, "all backups read", _read_backups),
    (0.92, "index, schema and installation checked", _reconcile),
]

# The newest of each kind stay as they are: alerts and sensors ask how old they are.
_A_DAY_LATER = (
    "UPDATE dagster.runs SET update_timestamp = update_timestamp - interval '1 day' "
    "WHERE status IN ('SUCCESS', 'FAILURE', 'CANCELED') AND update_timestamp < now() - interval '2 minutes'",
    "UPDATE dagster.job_ticks SET timestamp = timestamp - interval '1 day' WHERE type = 'SENSOR' "
    "AND status <> 'STARTED' AND timestamp < now() - interval '5 minutes'",
    "UPDATE sync_generation SET started_at = started_at - interval '1 day', finished_at = finished_at - "
    "interval '1 day' WHERE finished_at < now() - interval '9 minutes'",
    "UPDATE source_page SET removed_at = removed_at - interval '1 day' WHERE removed_at IS NOT NULL",
)


def _report(progress: Progress, watched: Watched, is_end: bool) -> int:
    """Print one screen; the exit code: 1 where a limit was passed."""
    found = sorted(progress.milliseconds)
    at = lambda share: found[min(len(found) - 1, int(share * len(found)))] if found else 0.0  # noqa: E731
    lags = sorted(progress.lags)
    searches, searched = progress.searches, max(1, progress.searches.total())
    print(
        f"searches {searched:,}: failed {searches['failed']}, failed while restarted "
        f"{searches['failed while restarted']}; p50 {at(0.5):.0f} ms, p99 {at(0.99):.0f} ms; stale answers "
        f"{progress.stale}\nedits {progress.edits}: found after {lags[len(lags) // 2] if lags else 0:.0f} s at the "
        f"median, {max(lags, default=0):.0f} s at worst; never {progress.unseen}; nights {progress.nights}"
    )
    verdicts = watched.report(progress.nights)
    limits = [
        (searches["failed"] == 0, f"searches that failed: {searches['failed']}"),
        (progress.stale == 0, f"stale answers: {progress.stale}"),
        (progress.unseen == 0, f"edits never found: {progress.unseen}"),
        (not any(" FAILED: " in event for event in progress.events), "something of the plan failed"),
        *verdicts,
    ]
    if is_end:
        print("\n".join(progress.events))
    for failure in progress.failures[-8:]:
        print(f"  ! {failure[:300]}")
    missed = [name for is_met, name in limits if not is_met]
    print(f"VERDICT: {'as it should be' if not missed else 'NOT as it should be: ' + '; '.join(missed)}", flush=True)
    return 1 if missed else 0


@contextlib.contextmanager
def _notion(pages: int) -> Iterator[tuple[str, str]]:
    """The stand-in in a process of its own: (address, token)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "arcana_pipelines.testing.notion_server", "--pages", str(pages), "--files", "10"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[1],
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stderr is not None
        token = process.stderr.readline().removeprefix("token:").strip()
        address = process.stdout.readline().strip()
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield address, token
    finally:
        process.terminate()
        process.wait(30)


def _mark(number: int) -> str:
    return f"mark{number:06d}"


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
