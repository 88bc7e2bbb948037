"""Random histories of targets, as long as one likes: `python benchmarks/target_histories.py --steps 2000 [--seed N]`.

Pages are edited, builds made and rolled back, and targets delivered to while stores and processes fail
(`arcana_pipelines_tests/targets/history_machine.py`), on a PostgreSQL of its own. Exit code 1, with the seed and the
steps, when a target ever differs from what PostgreSQL publishes.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from own_server import own_server

from arcana_pipelines.db import schema
from arcana_pipelines.indexes.targets.registry import kinds
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.pipeline.world_machine import WatchedDatabase
from arcana_pipelines_tests.targets.history_machine import EMBEDDED, Tally, run_histories

STEPS_OF_ONE = 40  # a history; each begins with a new workspace and ends with a convergence
HISTORIES = 5  # of one seed


def main() -> int:
    """Run and report; 1 when a target differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2_000, help="at least so many (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="the first seed (random)")
    known = [kind for kind in EMBEDDED if kind in kinds()]
    parser.add_argument("--kinds", nargs="+", choices=known, default=known, help="(%(default)s)")
    given = parser.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    started, tally, failure = time.monotonic(), Tally(), None
    with own_server() as (home, url):
        settings = Settings(arcana_home=home, database_url=url, batch_size=4, notion_requests_per_minute=0)
        database = WatchedDatabase(settings)
        schema.upgrade(database)
        while tally.steps < given.steps and failure is None:
            failure = run_histories(database, given.kinds, tally, HISTORIES, STEPS_OF_ONE, seed)
            print(f"{tally.steps:>7,} steps, {time.monotonic() - started:,.0f} s, seed {seed}", flush=True)
            seed += failure is None
        database.close()
    for name, number in sorted(tally.items()):
        print(f"  {name:<28}{number:>7,}")
    print(f"{tally.steps:,} steps with {', '.join(given.kinds)}: {0 if failure is None else 1} differences")
    if failure is not None:
        print("\n".join(failure))
        print(f"\nAgain: python benchmarks/target_histories.py --seed {seed} --steps 1 --kinds {' '.join(given.kinds)}")
    return 0 if failure is None else 1


if __name__ == "__main__":
    sys.exit(main())
