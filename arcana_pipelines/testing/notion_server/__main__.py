"""`python -m arcana_pipelines.testing.notion_server`: a seeded workspace in real time, until interrupted."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from arcana_pipelines.testing.notion_server.http.server import serve
from arcana_pipelines.testing.notion_server.world.seeding import seed_world


def main() -> None:
    """Serve; the one line on standard output is the base URL; the token is told on standard error."""
    parser = argparse.ArgumentParser(prog="python -m arcana_pipelines.testing.notion_server", description=__doc__)
    parser.add_argument("--pages", type=int, default=200, help="pages to make (%(default)s)")
    parser.add_argument("--rows", type=int, default=50, help="database rows to make (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another number, another workspace (%(default)s)")
    parser.add_argument("--files", type=int, default=0, help="files to put on pages (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (%(default)s)")
    parser.add_argument("--per-minute", type=int, default=None, help="requests a minute before 429 (no limit)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to each answer (%(default)s)")
    given = parser.parse_args()

    world = seed_world(given.pages, given.rows, given.seed, real_time=True, files=given.files)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with serve(world, port=given.port) as server:
        server.rate_limit(given.per_minute)
        server.latency(given.latency)
        print(f"token: {world.token}", file=sys.stderr, flush=True)
        print(server.base_url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
