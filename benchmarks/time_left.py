"""How right the time left is that a line on the terminal says: `python benchmarks/time_left.py`.

    python benchmarks/time_left.py                    # exports and rebuilds of 20,000 pages, 100,000 chunks, 20 minutes
    python benchmarks/time_left.py rebuild --scale 0.1
    python benchmarks/time_left.py rebuild --model wordllama-l2-supercat --processes 1

`arcana export` and `arcana index rebuild` run in processes and on a terminal of their own, five times each. Compared is
what the line said when a tenth, a quarter and half of the time had gone, from its first word to the end of the command,
with what it took from there. Chunks are of the default model's size, with passages; vectors are made up, and a rebuild
finds all of them in the store. The first rebuild knows nothing of the machine, the others what the one before measured.
Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from unittest.mock import patch

from index_build import Writer, installation, made_up, met, registered_with, run_stages
from machine import print_machine
from search_speed import made_up_vectors

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, dimensions_of
from arcana_pipelines.embedding.multilingual import MultilingualEmbedder
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, IndexSettings, builds_of
from arcana_pipelines.workspaces import workspaces

PAGES, CHUNKS_OF_A_PAGE = 20_000, 5
RUNS = 5
MOST_WRONG = 0.20
SLUG = "timed"
SECONDS_LEFT, LEFT = re.compile(r"([\d.]+) s left"), re.compile(r"(?:(\d+):)?(\d+):(\d\d) left")
NEW_LINE = re.compile(r"[\r\n]|\x1b\[2K")


@dataclass(frozen=True)
class Seen:
    """When a line said how many seconds were left (None: it did not), and how long it took from its first word on."""

    said: list[tuple[float, float | None]]
    took: float

    def error(self, share: float) -> float:
        """By which part of what was left it was wrong when this share of the time had gone; 1 where it said nothing."""
        at = share * self.took
        left = next((left for when, left in reversed(self.said) if when <= at), None)
        really = self.took - at
        return 1.0 if left is None else abs(left - really) / really


def seen(database: Database, processes: int | None, *arguments: str) -> Seen:
    """Run a command on a terminal of its own, and see what it shows.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    ours, its = pty.openpty()
    ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    environment = {
        **os.environ,
        "ARCANA_HOME": str(database.settings.home),
        "DATABASE_URL": database.url,
        "TERM": "xterm",
    }
    if processes:
        environment["WORKER_PROCESSES"] = str(processes)
    command = [sys.executable, "-m", "arcana_pipelines.cli", *arguments]
    running = subprocess.Popen(command, env=environment, stdin=its, stdout=its, stderr=its)
    os.close(its)
    said: list[tuple[float, float | None]] = []
    while True:
        try:
            shown = os.read(ours, 1 << 16).decode(errors="replace")
        except OSError:  # its end was closed
            break
        if SLUG in shown and (lines := [line for line in NEW_LINE.split(shown) if f"{SLUG}: " in line]):
            said.append((time.monotonic(), _left(lines[-1])))
    os.close(ours)
    if code := running.wait():
        raise subprocess.CalledProcessError(code, command)
    began = said[0][0]
    return Seen([(at - began, left) for at, left in said], time.monotonic() - began)


def _left(line: str) -> float | None:
    if (found := SECONDS_LEFT.search(line)) is not None:
        return float(found[1])
    if (found := LEFT.search(line)) is None:
        return None
    hours, minutes, seconds = found.groups(default="0")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def exported(database: Database, processes: int | None) -> Seen:
    """An export of all documents."""
    with tempfile.TemporaryDirectory() as folder:
        return seen(database, processes, "export", SLUG, "--documents", str(Path(folder) / "pages.jsonl"))


def rebuilt(database: Database, processes: int | None) -> Seen:
    """A rebuild, which goes when it was seen."""
    done = seen(database, processes, "index", "rebuild", SLUG)
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, SLUG).workspace_id
        for build in builds_of(connection, workspace_id):
            if build.state != "active":
                number = build.rag_index_build_id
                lifecycle.drop_one_build(database, connection, workspace_id, DEFAULT_INDEX, number)
    return done


PARTS = {"export": exported, "rebuild": rebuilt}


def measure(name: str, run: Callable[[], Seen]) -> bool:
    """Run it five times and print; False: the median of the errors is too large at one of the shares."""
    runs = [run() for _ in range(RUNS)]
    print(f"\n## {name}\n\n| took, seconds | wrong by, at 0.1 | 0.25 | 0.5 | 0.75 |\n| --- | --- | --- | --- | --- |")
    for each in runs:
        errors = " | ".join(f"{each.error(share):.0%}" for share in (0.1, 0.25, 0.5, 0.75))
        print(f"| {each.took:.1f} | {errors} |", flush=True)
    outcomes = [
        met(f"median error at {share}", statistics.median(each.error(share) for each in runs), MOST_WRONG)
        for share in (0.1, 0.25, 0.5)
    ]
    return all(outcomes)


def main() -> int:
    """Run and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure (default: both)")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes (%(default)s)")
    parser.add_argument("--model", default=MULTILINGUAL_MODEL, help="%(default)s")
    parser.add_argument("--processes", type=int, help="that cut (default: as many as there are cores)")
    given = parser.parse_args()
    print_machine()
    print(f"load average {os.getloadavg()[0]:.1f}")
    pages = int(PAGES * given.scale)
    index = IndexSettings.of_model(given.model, dimensions_of(given.model))
    writer = Writer(1, sentences=7, words=12)
    with installation() as database, patch.object(MultilingualEmbedder, "embed", made_up_vectors):
        registered_with(database, SLUG, made_up(SLUG, pages, writer, CHUNKS_OF_A_PAGE), index)
        run_stages(database, SLUG)
        outcomes = [
            measure(
                f"{part} of {pages:,} pages, {pages * CHUNKS_OF_A_PAGE:,} chunks",
                lambda run=PARTS[part]: run(database, given.processes),
            )
            for part in given.parts or PARTS
        ]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
