"""How long commands take that do next to nothing: `python benchmarks/command_starts.py`.

    python benchmarks/command_starts.py                 # a minute on two quiet cores
    python benchmarks/command_starts.py --default-model # searches with the default model, too: two minutes more

The sample handbook is indexed in an embedded server, which runs all the time. Each command is a process of its own, as
a shell starts it, ten times in a row. CPU seconds are those of the command, without the database; of the time that
passes the least is compared with the target, as others on the machine only add to it. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from machine import print_machine
from own_server import own_server

from arcana_pipelines import demo

TIMES = 10
QUESTION = "How many vacation days carry over?"
HANDBOOK = Path(demo.__file__).parent / "handbook"
# In seconds.
TARGETS: dict[tuple[str, ...], float] = {
    ("--help",): 0.25,
    ("status",): 0.4,
    ("sync", "handbook"): 0.8,
    ("search", "handbook", QUESTION): 0.4,
}
DEFAULT_MODEL: dict[tuple[str, ...], float] = {("search", "by-default", QUESTION): 0.9}


def arcana(*arguments: str) -> None:
    """Run a command, which has to end well."""
    subprocess.run([sys.executable, "-m", "arcana_pipelines.cli", *arguments], check=True, stdout=subprocess.DEVNULL)


def indexed(slug: str) -> None:
    """The sample handbook as a workspace with an index, which the next sync finds nothing new in."""
    arcana("workspace", "add", slug, "--source", "notion_export", "--path", str(HANDBOOK))
    arcana("sync", slug)
    arcana("sync", slug)


def measured(arguments: tuple[str, ...], most: float) -> bool:
    """Run a command again and again and print what it took; False: more than it may."""
    cpu, wall = [], []
    for _ in range(TIMES):
        before, began = _cpu_of_children(), time.monotonic()
        arcana(*arguments)
        wall.append(time.monotonic() - began)
        cpu.append(_cpu_of_children() - before)
    is_met = min(wall) <= most
    print(
        f"| `arcana {' '.join(arguments[:2])}` | {min(cpu):.2f} ({median(cpu):.2f}) | {min(wall):.2f} "
        f"({median(wall):.2f}) | {most} | {'ok' if is_met else '**missed**'} |",
        flush=True,
    )
    return is_met


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure all, and say whether all was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--default-model", action="store_true")
    given = parser.parse_args()
    print_machine()
    with own_server() as (home, _):
        os.environ["ARCANA_HOME"] = str(home)
        arcana("db", "upgrade")
        indexed("handbook")
        targets = TARGETS
        if given.default_model:
            os.environ["EMBEDDING_PROVIDER"] = "local"
            indexed("by-default")
            os.environ["EMBEDDING_PROVIDER"] = "local-small"
            targets = TARGETS | DEFAULT_MODEL
        print(f"load {os.getloadavg()[0]:.1f}; the least of {TIMES}, in parentheses the median\n")
        print("| command | CPU, s | wall, s | at most | |\n| --- | --- | --- | --- | --- |")
        are_met = [measured(arguments, most) for arguments, most in targets.items()]
    sys.exit(0 if all(are_met) else 1)


if __name__ == "__main__":
    main()
