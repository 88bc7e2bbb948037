"""`python -m arcana_pipelines.testing.freshdesk_server`: a seeded help desk in real time, until interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from arcana_pipelines.testing.freshdesk_server.plans import PLANS
from arcana_pipelines.testing.freshdesk_server.seeding import seed_world
from arcana_pipelines.testing.freshdesk_server.server import FreshdeskServer


def main() -> None:
    """Serve; the one line on standard output is the address; on standard error is what to set, to be pasted."""
    parser = argparse.ArgumentParser(prog="python -m arcana_pipelines.testing.freshdesk_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (%(default)s)")
    parser.add_argument("--tickets", type=int, default=200, help="tickets to make (%(default)s)")
    parser.add_argument("--days", type=int, default=200, help="days over which they came in (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another number, another help desk (%(default)s)")
    parser.add_argument("--plan", choices=sorted(PLANS), default="unlimited", help="whose limits hold (%(default)s)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to each answer (%(default)s)")
    given = parser.parse_args()

    world = seed_world(given.tickets, seed=given.seed, days=given.days, real_time=True, archive=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with FreshdeskServer(world, given.plan, port=given.port) as server:
        server.latency_seconds = given.latency
        tickets = list(world.tickets.values())
        removed = [each for each in tickets if each.deleted or each.spam]
        listed = sum(each.is_listed for each in tickets)
        for line in (
            f"{listed} tickets are listed, {len(removed)} are in the trash or spam, and "
            f"{len(tickets) - listed - len(removed)} archived. In the shell that reads them:",
            f"export FRESHDESK_BASE_URL={server.url}",
            f"export FRESHDESK_DOMAIN={world.domain}",
            f"export FRESHDESK_API_KEY={world.key}",
        ):
            print(line, file=sys.stderr, flush=True)
        print(server.url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
