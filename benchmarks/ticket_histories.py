"""Random histories of a help desk, as long as one likes: `python benchmarks/ticket_histories.py --steps 3000`.

People work in it, its API fails, syncs are killed and gone on with
(`arcana_pipelines_tests/pipeline/ticket_histories.py`), on a PostgreSQL of its own. Exit code 1, with the seed and the
steps, when what is searched, kept or said ever differs from what it should be once nothing fails any more.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from own_server import own_server

from arcana_pipelines.db import schema
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.pipeline.ticket_histories import TicketHistory, quickly
from arcana_pipelines_tests.pipeline.world_machine import WatchedDatabase

STEPS_OF_ONE = 60  # a history; each begins with a new workspace and ends with a convergence


def main() -> int:
    """Run and report; 1 when something differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3_000, help="at least so many (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="the first seed (random)")
    parser.add_argument("--go-on", action="store_true", help="do not end with the first difference")
    given = parser.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    started, took, failed = time.monotonic(), Counter[str](), 0
    with own_server() as (home, url):
        settings = Settings(arcana_home=home, database_url=url, batch_size=4)
        database = WatchedDatabase(settings)
        schema.upgrade(database)
        while took.total() < given.steps and (given.go_on or not failed):
            history = TicketHistory(database, seed, f"desk-{seed}")
            try:
                with quickly():
                    history.take(STEPS_OF_ONE)
            except Exception:
                failed += 1
                traceback.print_exc()
                print(" ".join(history.steps))
                print(f"\nAgain: python benchmarks/ticket_histories.py --seed {seed} --steps 1")
            finally:
                history.close()
            took += history.took
            print(f"{took.total():>7,} steps, {time.monotonic() - started:,.0f} s, seed {seed}", flush=True)
            seed += 1
            with database.connection() as connection:
                connection.execute("DELETE FROM workspace")
        database.close()
    for name, number in sorted(took.items()):
        print(f"  {name:<28}{number:>7,}")
    print(f"{took.total():,} steps: {failed} differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
