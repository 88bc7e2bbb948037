"""Run the model-based test for as long as one likes: `python benchmarks/soak.py --steps 10000 [--seed N]`.

It starts a PostgreSQL of its own in a temporary folder. Exit code 1, with the seed and the shortest list of steps,
when the index ever differs from the world.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from own_server import own_server

from arcana_pipelines.db import schema
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.pipeline.world_machine import Tally, WatchedDatabase, run_histories

STEPS_OF_ONE = 100  # a history; each begins with a new world and ends with a convergence
HISTORIES = 10  # of one seed
SAY_EVERY = 250


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000, help="at least so many (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="the first seed; each seed is ten histories (random)")
    given = parser.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    started = time.monotonic()
    tally = Tally()
    tally.progress = lambda: _say(tally, given.steps, started)
    failure: list[str] | None = None
    with _database() as database:
        while tally.steps < given.steps and failure is None:
            failure = run_histories(database, tally, HISTORIES, STEPS_OF_ONE, seed)
            seed += failure is None
    _summary(tally, time.monotonic() - started, differences=failure is not None)
    if failure is None:
        return 0
    print(f"\nThe index differed from the world. Seed {seed}; the shortest list of steps:\n")
    print("\n".join(failure))
    print(f"\nAgain: python benchmarks/soak.py --seed {seed} --steps {HISTORIES * STEPS_OF_ONE}")
    return 1


@contextlib.contextmanager
def _database() -> Iterator[WatchedDatabase]:
    """A migrated database on an embedded server of our own."""
    with own_server() as (home, url):
        settings = Settings(arcana_home=home, database_url=url, batch_size=4, notion_requests_per_minute=0)
        database = WatchedDatabase(settings)
        schema.upgrade(database)
        yield database
        database.close()


def _say(tally: Tally, steps: int, started: float) -> None:
    if tally.steps % SAY_EVERY == 0:
        seconds = time.monotonic() - started
        runs = tally.runs.total()
        print(f"{tally.steps:>7} of {steps} steps, {runs} runs, {seconds:.0f} s", file=sys.stderr, flush=True)


def _summary(tally: Tally, seconds: float, differences: bool) -> None:
    def table(title: str, counts: Counter[str]) -> None:
        print(f"\n{title}: {counts.total()}")
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            print(f"  {count:>7}  {name}")

    table("steps", tally.operations)
    table("faults", tally.faults)
    table("runs", tally.runs)
    table("convergences", tally.convergences)
    print(f"\nlooks at the index: {tally.looks}")
    print(f"kills: {tally.runs['killed']}")
    print(f"pages compared that showed another page's old title: {tally.stale_labels}")
    print(f"differences: {int(differences)}")
    print(f"seconds: {seconds:.0f}")


if __name__ == "__main__":
    sys.exit(main())
