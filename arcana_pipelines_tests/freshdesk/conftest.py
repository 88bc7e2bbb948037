"""A help desk, and the source that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.sources.client import Patience, fingerprint
from arcana_pipelines.sources.freshdesk import source as freshdesk_source
from arcana_pipelines.sources.freshdesk.api import FreshdeskApi
from arcana_pipelines.sources.freshdesk.source import FreshdeskSource
from arcana_pipelines.sources.limiter import RateLimiter
from arcana_pipelines.sources.protocol import FetchedPage, Listing, Mode, PageRef
from arcana_pipelines.testing.conformance.sources import changed
from arcana_pipelines.testing.freshdesk_server import FreshdeskServer, FreshdeskWorld
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.held_clock import move_clock, with_held_clock


@dataclass
class Desk:
    """A stand-in, and sources that read it. Nobody sleeps: who would moves the world's clock."""

    server: FreshdeskServer
    database: Database
    slept: list[float] = field(default_factory=list)

    @property
    def world(self) -> FreshdeskWorld:
        return self.server.world

    def source(
        self, *, key: str | None = None, per_minute: int = 0, lists: int = 0, patience: int = 6, **options: Any
    ) -> FreshdeskSource:
        """A source as another process would open it; `patience` is in attempts."""
        api = self.api(key=key, per_minute=per_minute, lists=lists, patience=patience)
        return FreshdeskSource(api, self.world.domain, **options)

    def api(self, *, key: str | None = None, per_minute: int = 0, lists: int = 0, patience: int = 6) -> FreshdeskApi:
        token = SecretStr(key or self.world.key)
        limits = {"longest_wait": 3600.0, "sleep": self.sleep}
        return FreshdeskApi(
            token,
            self.server.url,
            RateLimiter(self.database, fingerprint(token), per_minute, highest=0, **limits),
            RateLimiter(self.database, f"{fingerprint(token)}:tickets", lists, highest=160, **limits),
            Patience(attempts=patience, timeout=5.0, longest_pause=60.0),
        )

    def sleep(self, seconds: float) -> None:
        """Let so much time pass, for the world and for all limiters."""
        self.slept.append(seconds)
        self.world.clock.advance(seconds)
        move_clock(self.database, seconds)

    def settle(self) -> None:
        self.world.clock.advance(timedelta(minutes=10).total_seconds())


@pytest.fixture
def arcana_database_url(arcana_server: DatabaseServer) -> Iterator[str]:
    """A database of this test's own, whose clock stands still as the world's does."""
    with arcana_server.database() as url:
        yield with_held_clock(url)


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    """A help desk with nothing in it but its agents, and no limits; nobody of this process has polled it yet."""
    freshdesk_source._polls.clear()
    with FreshdeskServer() as server:
        yield Desk(server, database)


@pytest.fixture
def open_desk(database: Database) -> Iterator[Callable[[FreshdeskWorld], Desk]]:
    """A help desk around a world that is there already."""
    with ExitStack() as stack:
        yield lambda world: Desk(stack.enter_context(FreshdeskServer(world)), database)


Listed = tuple[dict[str, PageRef], Listing]


def listed(
    source: FreshdeskSource,
    mode: Mode = Mode.FULL,
    cursor: str | None = None,
    is_unchanged: Callable[..., Any] = changed,
) -> Listed:
    """All that a listing shows, by id, and the listing."""
    listing = source.enumerate(mode, cursor, is_unchanged)
    return {ref.external_id: ref for batch in listing.batches for ref in batch}, listing


def fetched(source: FreshdeskSource, ticket: int | str, mode: Mode = Mode.FULL) -> FetchedPage:
    """A ticket or article as a sync reads it."""
    refs, _ = listed(source, mode)
    return source.fetch(refs[str(ticket)])
