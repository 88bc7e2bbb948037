"""Arcana's sync beside those of its peers: seconds, requests, texts embedded, memory, and whether the index is right.

    python benchmarks/peers/compare.py                 # 2,000 pages; about 20 minutes
    python benchmarks/peers/compare.py --pages 100 --latency 0    # a quick look

Run it in the product's environment. It makes the peers' own environment, `benchmarks/peers/.venv`, from
`requirements.txt`. All read the same corpus from the same server and write into databases of the same PostgreSQL,
one after the other, each sync in a process of its own. Prints a Markdown table. Exit code 1: a goal was missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, LiteralString

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psycopg
from machine import memory_of, print_machine
from psycopg.sql import SQL, Identifier

from arcana_pipelines.db.embedded import lease

FOLDER = Path(__file__).parent
PEERS_PYTHON = FOLDER / ".venv" / "bin" / "python"
EDITED_PERCENT = 1.0
PHASES = ("cold", "no-op", "edited", "trashed")


@dataclass(frozen=True)
class Contestant:
    """Who takes part, and how the texts that a reader of its index can find are read: page, text of a chunk."""

    name: str
    title: str
    python: Path
    texts: LiteralString
    packages: tuple[str, ...] = ()
    keeps: bool = True  # whether there is a second sync that builds on the first


ARCANA_TEXTS = (
    "SELECT c.contents->>'external_id', k.chunk_content FROM document_chunk k "
    "JOIN rag_indexes i ON i.active_build_id = k.rag_index_build_id "
    "JOIN document_content c USING (document_content_id) WHERE k.deleted_at IS NULL"
)
PRODUCT_PYTHON = Path(sys.executable)
CONTESTANTS = (
    Contestant("floor", "floor", PEERS_PYTHON, "SELECT page, content FROM chunks", keeps=False),
    Contestant("with_arcana", "Arcana, the five stages", PRODUCT_PYTHON, ARCANA_TEXTS),
    Contestant("with_arcana_command", "Arcana, `arcana sync`", PRODUCT_PYTHON, ARCANA_TEXTS),
    Contestant("with_cocoindex", "CocoIndex", PEERS_PYTHON, "SELECT page, content FROM chunks", ("cocoindex",)),
    Contestant(
        "with_langchain",
        "LangChain",
        PEERS_PYTHON,
        "SELECT langchain_metadata->>'id', content FROM chunks",
        ("langchain-core", "langchain-community", "langchain-postgres"),
    ),
    Contestant(
        "with_llamaindex",
        "LlamaIndex",
        PEERS_PYTHON,
        "SELECT metadata_->>'page_id', text FROM data_chunks",
        ("llama-index-core", "llama-index-readers-notion", "llama-index-vector-stores-postgres"),
    ),
)


@dataclass(frozen=True)
class Measured:
    """One sync. `made`: answers that the server in front had not recorded before and so were slower."""

    seconds: float
    texts_embedded: int
    peak_mb: float
    requests: int
    made: int


@dataclass
class Findings:
    """What the index of one contestant lacks, and what it has too much."""

    missing_pages: int = 0
    coverage: float = 0.0
    new_missing: int = 0
    old_left: int = 0
    trashed_left: bool = False


@dataclass
class Results:
    """All of one contestant's figures."""

    syncs: dict[str, Measured] = field(default_factory=dict)
    findings: dict[str, Findings] = field(default_factory=dict)


# What they run on


class StandIn:
    """The server with the corpus, in a process of its own."""

    def __init__(self, pages: int) -> None:
        command = [sys.executable, str(FOLDER / "stand_in.py"), str(pages)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address: str = self._answer()

    def order(self, do: str, **given: Any) -> Any:
        """Have it do something; see `stand_in.py`."""
        assert self._process.stdin
        print(json.dumps({"do": do, **given}), file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _answer(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


@dataclass
class Stage:
    """The server, PostgreSQL, and a folder for what the contestants keep in files."""

    stand_in: StandIn
    folder: Path
    home: Path

    def database(self, name: str, role: str = lease.WRITER) -> str:
        """The address of a contestant's database."""
        return re.sub(r"(?<=/)\w+(?=\?)", name, lease.server_url(self.home, role), count=1)

    def clear(self, contestant: Contestant) -> None:
        """An empty database and an empty folder."""
        with psycopg.connect(self.database("postgres", lease.SUPERUSER), autocommit=True) as connection:
            name = Identifier(contestant.name)
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            # With the extensions, which a role of its own may not make.
            connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(name, Identifier(lease.DATABASE)))
            connection.execute(SQL("GRANT ALL ON DATABASE {} TO arcana_owner").format(name))
        shutil.rmtree(self.folder / contestant.name, ignore_errors=True)
        (self.folder / contestant.name).mkdir()

    def sync(self, contestant: Contestant, phase: str) -> Measured:
        """One sync in a process of its own."""
        with psycopg.connect(self.database("postgres", lease.SUPERUSER), autocommit=True) as connection:
            connection.execute("CHECKPOINT")  # so that nobody pays for what the one before has written
        self.stand_in.order("count")
        state = self.folder / contestant.name
        database = self.database(contestant.name)
        output, errors = state / "output", state / "errors"
        with output.open("w") as out, errors.open("w") as err:
            process = subprocess.Popen(
                [contestant.python, FOLDER / f"{contestant.name}.py", phase, state, database, self.stand_in.address],
                env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
                cwd=state, stdout=out, stderr=err,
            )  # fmt: skip
            together = 0
            while process.poll() is None:
                together = max(together, memory_of(process.pid))
                time.sleep(0.2)
        if process.returncode:
            sys.exit(f"{contestant.title}, {phase}, failed:\n{output.read_text()}\n{errors.read_text()}")
        said = json.loads(output.read_text().splitlines()[-1])
        said["peak_mb"] = max(said["peak_mb"], together / 1024**2)  # the first is exact, and of one process alone
        measured = Measured(**said, **self.stand_in.order("count"))
        print(f"{contestant.title}, {phase}: {measured}", file=sys.stderr, flush=True)
        return measured

    def texts(self, contestant: Contestant) -> dict[str, str]:
        """All that a reader of the contestant's index can find, by page."""
        found: dict[str, list[str]] = {}
        with psycopg.connect(self.database(contestant.name)) as connection:
            for page, text in connection.execute(contestant.texts):
                found.setdefault(page, []).append(text)
        return {page: "\n".join(texts) for page, texts in found.items()}


@contextlib.contextmanager
def stage(pages: int) -> Iterator[Stage]:
    """All of it, empty."""
    folder = Path(tempfile.mkdtemp(prefix="arcana-peers-"))
    home = folder / "postgres-home"
    try:
        lease.acquire_lease(home)
        stand_in = StandIn(pages)
        try:
            yield Stage(stand_in, folder, home)
        finally:
            stand_in.close()
    finally:
        lease.release_lease(home)
        lease.wait_until_stopped(home)
        shutil.rmtree(folder, ignore_errors=True)


def prepare_environment() -> None:
    """Make the peers' environment, or make it again if the requirements have changed."""
    wanted = (FOLDER / "requirements.txt").read_text()
    installed = FOLDER / ".venv" / "installed.txt"
    if installed.exists() and installed.read_text() == wanted:
        return
    print("Making the peers' environment …", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / ".venv"], check=True)
    pip = [str(PEERS_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "-r", str(FOLDER / "requirements.txt")], check=True)
    installed.write_text(wanted)


# The comparison


def compare(given: Stage, contestants: Sequence[Contestant], latency: float) -> dict[str, Results]:
    """Take all contestants through all phases, phase by phase, so that all meet the same world."""
    results = {contestant.name: Results() for contestant in contestants}
    edited: dict[str, dict[str, str]] = {}
    trashed: dict[str, str] = {}
    rehearse(given, contestants)
    for phase in PHASES:
        if phase == "edited":
            edited = given.stand_in.order("edit", percent=EDITED_PERCENT)
        if phase == "trashed":
            trashed = given.stand_in.order("trash")
        truth = given.stand_in.order("truth")
        for contestant in contestants:
            if phase == "cold":
                given.clear(contestant)
            elif not contestant.keeps:
                continue
            results[contestant.name].syncs[phase] = given.sync(contestant, phase)
            results[contestant.name].findings[phase] = findings(given.texts(contestant), truth, edited, trashed)
    if latency:
        given.stand_in.order("latency", seconds=latency)
        for contestant in contestants:
            given.clear(contestant)
            results[contestant.name].syncs["late"] = given.sync(contestant, "cold")
    return results


def rehearse(given: Stage, contestants: Sequence[Contestant]) -> None:
    """Let everybody ask everything once, so that the server has recorded its answers."""
    for contestant in contestants:
        given.clear(contestant)
        given.sync(contestant, "cold")
        if contestant.keeps:
            given.sync(contestant, "no-op")


def findings(
    texts: Mapping[str, str],
    truth: Mapping[str, Sequence[str]],
    edited: Mapping[str, Mapping[str, str]],
    trashed: Mapping[str, str],
) -> Findings:
    """Compare what a reader can find with what stands on the pages."""
    there = words_there = 0
    for page, pieces in truth.items():
        wanted = {word for piece in pieces for word in words(piece)}
        there += len(wanted)
        words_there += len(wanted & set(words(texts.get(page, ""))))
    everything = set(words("\n".join(texts.values())))
    return Findings(
        missing_pages=len(truth.keys() - texts.keys()),
        coverage=words_there / there,
        new_missing=sum(change["new"] not in words(texts.get(page, "")) for page, change in edited.items()),
        old_left=sum(change["old"] in everything for change in edited.values()),
        trashed_left=bool(trashed) and (trashed["page"] in texts or trashed["word"] in everything),
    )


def words(text: str) -> list[str]:
    """Words as a person reads them: letters and digits of any script."""
    return re.findall(r"\w+", text)


# The report


def print_table(contestants: Sequence[Contestant], results: Mapping[str, Results], latency: float) -> None:
    """A line a contestant."""
    late = f"cold with {latency * 1000:.0f} ms an answer, s (× floor)"
    columns = [
        "", "cold, s (× floor)", "requests", "texts embedded", "peak MB", "no-op, s / requests",
        "1 % edited, s / requests / texts", "one trashed, s / requests", "pages missing", "words found",
        "after edits: new missing, old left", "after the trash", *([late] if latency else []),
    ]  # fmt: skip
    print("| " + " | ".join(columns) + " |")
    print("|" + " --- |" * len(columns))
    floor = results["floor"].syncs if "floor" in results else {}
    for contestant in contestants:
        cells = _cells(results[contestant.name], floor)
        print(
            "| "
            + " | ".join([contestant.title, *cells, *([_times(results, contestant, "late")] if latency else [])])
            + " |"
        )


def _cells(result: Results, floor: Mapping[str, Measured]) -> list[str]:
    cold, seen = result.syncs["cold"], result.findings
    cells = [_ratio(cold, floor.get("cold")), f"{cold.requests:,}", f"{cold.texts_embedded:,}", f"{cold.peak_mb:.0f}"]
    if "no-op" not in result.syncs:
        return [*cells, "–", "–", "–", f"{seen['cold'].missing_pages}", f"{seen['cold'].coverage:.2%}", "–", "–"]
    idle, edited, trashed = (result.syncs[phase] for phase in ("no-op", "edited", "trashed"))
    return [
        *cells,
        f"{idle.seconds:.2f} / {idle.requests:,}",
        f"{edited.seconds:.2f} / {edited.requests:,} / {edited.texts_embedded:,}",
        f"{trashed.seconds:.2f} / {trashed.requests:,}",
        f"{max(found.missing_pages for found in seen.values())}",
        f"{seen['cold'].coverage:.2%}",
        f"{seen['edited'].new_missing}, {seen['edited'].old_left}",
        "**still there**" if seen["trashed"].trashed_left else "gone",
    ]


def _times(results: Mapping[str, Results], contestant: Contestant, phase: str) -> str:
    floor = results["floor"].syncs.get(phase) if "floor" in results else None
    return _ratio(results[contestant.name].syncs[phase], floor)


def _ratio(measured: Measured, floor: Measured | None) -> str:
    return f"{measured.seconds:.1f}" + (f" ({measured.seconds / floor.seconds:.1f})" if floor else "")


def missed_goals(results: Mapping[str, Results], pages: int, latency: float) -> list[str]:
    """Print each goal with what was measured; returns those that were missed."""
    arcana, floor = results["with_arcana"].syncs, results["floor"].syncs
    coco, chain, llama = (results[name].syncs for name in ("with_cocoindex", "with_langchain", "with_llamaindex"))
    fastest = min(peer["cold"].seconds for peer in (coco, chain, llama))
    edits = max(1, round(pages * EDITED_PERCENT / 100))
    goals = [
        ("cold / floor", arcana["cold"].seconds / floor["cold"].seconds, 3.0),
        ("cold / fastest peer", arcana["cold"].seconds / fastest, 1.0),
        ("no-op / CocoIndex", arcana["no-op"].seconds / coco["no-op"].seconds, 1.0),
        ("1 % edited / CocoIndex", arcana["edited"].seconds / coco["edited"].seconds, 1.0),
        ("requests, no-op", arcana["no-op"].requests, 2),
        ("requests, 1 % edited", arcana["edited"].requests, edits + 2),
        ("peak memory / LlamaIndex", arcana["cold"].peak_mb / llama["cold"].peak_mb, 0.5),
    ]
    if latency:
        goals.append(("cold / floor, late answers", arcana["late"].seconds / floor["late"].seconds, 1.3))
    print("\n| goal of Arcana's five stages | measured | at most | |\n| --- | --- | --- | --- |")
    for name, measured, most in goals:
        print(f"| {name} | {measured:.3g} | {most:g} | {'ok' if measured <= most else '**missed**'} |")
    return [name for name, measured, most in goals if measured > most]


def print_setting(pages: int, results: Mapping[str, Results]) -> None:
    """What was measured on what."""
    print()
    print_machine()
    print(f"{pages:,} pages × 20 blocks. wordllama {metadata.version('wordllama')}; {peer_versions()}.")
    made = sum(sync.made for result in results.values() for sync in result.syncs.values())
    print(f"Answers that had to be made while a sync waited: {made}.")


def peer_versions() -> str:
    """The peers' releases, as pinned."""
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", (FOLDER / "requirements.txt").read_text(), re.MULTILINE))
    return ", ".join(f"{name} {pinned[name]}" for contestant in CONTESTANTS for name in contestant.packages)


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=2_000, help="size of the corpus (%(default)s)")
    parser.add_argument(
        "--latency", type=float, default=50, metavar="MS", help="of the second cold sync; 0: none (%(default)s)"
    )
    parser.add_argument("--only", metavar="NAME,NAME", help=f"of {', '.join(each.name for each in CONTESTANTS)}")
    given = parser.parse_args()
    chosen = given.only.split(",") if given.only else [each.name for each in CONTESTANTS]
    contestants = [each for each in CONTESTANTS if each.name in chosen]
    if len(contestants) < len(chosen):
        parser.error(f"there are only {', '.join(each.name for each in CONTESTANTS)}")
    prepare_environment()
    latency = given.latency / 1000
    with stage(given.pages) as prepared:
        results = compare(prepared, contestants, latency)
        print_table(contestants, results, latency)
        print_setting(given.pages, results)
    if len(contestants) == len(CONTESTANTS):
        sys.exit(bool(missed_goals(results, given.pages, latency)))


if __name__ == "__main__":
    main()
