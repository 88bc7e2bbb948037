"""Hours of an installation in seconds: the clocks of the world and of the database go on, and the sensor looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import arcana_pipelines.ledger.polling as polling
from arcana_pipelines.workspaces.workspaces import due_for_poll, in_need_of_sync
from arcana_pipelines_tests.harness import Harness

# What the database keeps of times that something waits for, or that are told.
_TIMES = {
    "source_sweep": ("began_at", "next_at", "whole_began_at", "whole_ended_at"),
    "workspace": ("polled_at", "poll_after", "unchanged_at"),
    "source_page": ("next_attempt_at",),
    "sync_generation": ("started_at", "finished_at"),
    "source_limit": ("paused_until", "adjusted_at", "sweep_at"),
}
TICK_SECONDS = 10.0


def _moved(table: str, columns: tuple[str, ...]) -> str:
    moved = ", ".join(f"{column} = {column} - make_interval(secs => %(seconds)s)" for column in columns)
    held = " OR ".join(f"{column} IS NOT NULL" for column in columns)
    return f"of_{table} AS (UPDATE {table} SET {moved} WHERE {held})"


# One statement: hundreds of ticks an hour make it the most frequent of all.
_PASS_BY: Any = f"WITH {', '.join(_moved(*each) for each in _TIMES.items())} SELECT"


@dataclass
class Hours:
    """Workspaces that the change sensor looks at, all on one database.

    Time passes when `pass_by` says so: the world's clock goes on, and what the database keeps as times is moved back by
    as much, so that `now()` is later than these by it. The database's own clock stays what it is.

    Attributes:
        passed: seconds so far.
    """

    workspaces: list[Harness]
    passed: float = 0.0

    def pass_by(self, seconds: float) -> None:
        """Let time pass; nobody looks meanwhile."""
        self.passed += seconds
        for world in {id(each.world): each.world for each in self.workspaces}.values():
            world.clock.advance(seconds)
        with self.workspaces[0].database.connection() as connection:
            connection.execute(_PASS_BY, {"seconds": seconds})

    def tick(self) -> None:
        """What a tick of the sensor does: looks at those that are due, and syncs those in need."""
        database = self.workspaces[0].database
        by_slug = {each.slug: each for each in self.workspaces}
        with database.connection() as connection:
            due = due_for_poll(connection, [])
        for workspace in due:
            polling.poll_and_record(database, workspace)
        with database.connection() as connection:
            needy = in_need_of_sync(connection)
        for workspace in needy:
            by_slug[workspace.slug].sync()

    def until(self, happens: Callable[[], bool], most_minutes: float) -> float:
        """Tick every ten seconds until something is so; returns the minutes it took."""
        began = self.passed
        while not happens():
            assert self.passed - began < 60 * most_minutes, f"not within {most_minutes} minutes"
            self.pass_by(TICK_SECONDS)
            self.tick()
        return (self.passed - began) / 60

    def go_on(self, minutes: float) -> None:
        """Tick every ten seconds for so long."""
        ends = self.passed + 60 * minutes
        while self.passed < ends:
            self.pass_by(TICK_SECONDS)
            self.tick()
