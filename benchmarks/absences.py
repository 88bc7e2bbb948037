"""How long an un-shared and a deleted page can still be found, and what it costs to find out.

    python benchmarks/absences.py [--pages 2000] [--times 5] [--share 0.01]

A stand-in Notion server shows so many pages, a quarter of them rows of five databases, to an embedded PostgreSQL in a
temporary folder. The change sensor's looks and the syncs that they ask for are the real ones, taken every ten seconds
of a simulated clock: the world's clock goes on, and the times that the database keeps are moved back by as much. At
moments all over a sweep one page is un-shared and one deleted for ever; edits go on meanwhile, six an hour. Exit code
1: one could be found for more than 75 minutes, sweeps took more than their share, or a page that is there was removed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import print_machine
from own_server import own_server

from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.ledger.freshness import freshness
from arcana_pipelines.ledger.sweeps import DEFAULT_PER_MINUTE
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.notion.source import NotionSource
from arcana_pipelines.sources.protocol import Mode, PageRef, Presence, Shown
from arcana_pipelines.testing.notion_server import NotionWorld, serve
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.objects import Page
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.hours import Hours

MOST_MINUTES = 75.0
HOUR = 60.0
EDITS_AN_HOUR = 6


class Counted:
    """What was asked, by the simulated minute, and how much of it by the listings of sweeps."""

    def __init__(self, hours: Hours) -> None:
        self.asked: list[tuple[float, str]] = []
        self.hours = hours
        hours.workspaces[0].server.alter(self._count)
        listed, confirmed = NotionSource.sweep, NotionSource.confirm

        def sweep(source: NotionSource, container: str | None, place: str | None) -> Shown:
            self._note("sweep, listing")
            return listed(source, container, place)

        def confirm(source: NotionSource, external_id: str) -> tuple[Presence, PageRef | None]:
            self._note("look")
            return confirmed(source, external_id)

        NotionSource.sweep, NotionSource.confirm = sweep, confirm  # type: ignore[method-assign]

    def _count(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._note("answer")
        return body

    def _note(self, what: str) -> None:
        self.asked.append((self.hours.passed / 60, what))

    def between(self, first: float, last: float) -> Counter[str]:
        """What was asked in these minutes, by kind."""
        return Counter(what for minute, what in self.asked if first < minute <= last)


def make_world(pages: int) -> NotionWorld:
    """So many pages, a quarter of them rows, made long ago over many days."""
    world = NotionWorld()
    sources = [world.add_database(f"Table {number}").data_source_id for number in range(5)]
    for number in range(pages):
        text = [blocks.paragraph(f"Text {number} of many: heron, crane, egret, stork.")]
        if number % 4:
            world.add_page(f"Page {number}", blocks=text)
        else:
            world.add_row(sources[number // 4 % 5], f"Row {number}", {}, text)
        world.clock.advance(600)
    world.clock.advance(86_400)
    return world


def measure(acme: Harness, times: int, share: float) -> bool:
    """Let pages go, at moments all over a sweep; returns whether a target was missed."""
    rng = random.Random(1)
    print(f"first sync: {acme.sync(Mode.FULL)['notion']['requests']} requests")
    acme.sync()
    hours = Hours([acme])
    counted = Counted(hours)
    hours.go_on(30)
    began, missed = hours.passed / 60, False
    ((workspace_id,),) = acme.rows("SELECT workspace_id FROM workspace")
    for number in range(times):
        hours.go_on(rng.uniform(5, 20))
        unshared, deleted = rng.sample(_to_lose(acme.world), 2)
        acme.world.unshare(unshared)
        acme.world.delete_forever(deleted)
        gone_at = hours.passed / 60
        minutes: dict[str, float] = {}
        while len(minutes) < 2 and hours.passed / 60 - gone_at < 3 * MOST_MINUTES:
            _work(hours, acme, rng)
            for name, page in (("un-shared", unshared), ("deleted", deleted)):
                if name not in minutes and page not in acme.published():
                    minutes[name] = hours.passed / 60 - gone_at
        ok = len(minutes) == 2 and max(minutes.values()) <= MOST_MINUTES
        missed |= not ok
        told = ", ".join(f"{name} page gone after {each:.0f} min" for name, each in sorted(minutes.items()))
        print(f"  {number + 1}: {told or 'none gone'}{'' if ok else '   MISSED'}", flush=True)
    ended = hours.passed / 60
    asked, span = counted.between(began, ended), (ended - began) / HOUR
    of_sweeps = asked["sweep, listing"] / span
    most = DEFAULT_PER_MINUTE * 60 * share
    print(f"\nin {span:.1f} hours, an hour:")
    print(f"  listing requests of sweeps   {of_sweeps:6.1f}   <= {most:.0f} (the share)")
    print(f"  looks at single pages        {asked['look'] / span:6.1f}   by sweeps and syncs")
    print(f"  answers to everything asked  {asked['answer'] / span:6.1f}   most of them to the looks for news")
    removed = set(acme.world.visible_pages()) - acme.published().keys()
    print(f"  pages that are there and were removed: {len(removed)}")
    with acme.database.connection() as connection:
        print(f"  {freshness(connection, workspace_id).as_dict()}")
    return missed or bool(removed) or of_sweeps > most


def _to_lose(world: NotionWorld) -> list[str]:
    """Pages that can be un-shared by themselves: a row is shared as its database is."""
    return [page for page in sorted(world.visible_pages()) if world.node(page, Page).shared]


def _work(hours: Hours, acme: Harness, rng: random.Random) -> None:
    """A minute in which somebody may edit a page."""
    if rng.random() < EDITS_AN_HOUR / HOUR:
        page = rng.choice(sorted(acme.world.visible_pages()))
        acme.world.append_blocks(page, [blocks.paragraph(f"edited {hours.passed}")])
    hours.go_on(1)


def main() -> int:
    """Run and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--share", type=float, default=0.01)
    options = parser.parse_args()
    print_machine()
    world = make_world(options.pages)
    with contextlib.ExitStack() as stack:
        home, url = stack.enter_context(own_server())
        server = stack.enter_context(serve(world))
        # The looks of the sensor open their source as an installation does.
        os.environ.update(NOTION_TOKEN=world.token, NOTION_BASE_URL=server.base_url, NOTION_REQUESTS_PER_MINUTE="0")
        database = Database(Settings(arcana_home=home, database_url=url, sweep_share=options.share))
        schema.upgrade(database)
        missed = measure(Harness.register(database, world, server, "bench"), options.times, options.share)
        database.close()
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
