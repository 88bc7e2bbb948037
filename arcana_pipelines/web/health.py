"""What the server sees of what it needs, once a minute: the database, the rows that wait for it, cache and replica."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio
from anyio.to_thread import run_sync

from arcana_pipelines.caching.redis import RedisStore
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.replica import Replica
from arcana_pipelines.learning.health import Seen, record, reporter
from arcana_pipelines.web.beside import done_beside
from arcana_pipelines.web.use import Log

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
# What takes longer has something wrong with it.
SLOW_MILLISECONDS = 1000


class Health:
    """Looks, and has what is seen written into `system_health`."""

    def __init__(
        self,
        database: Database,
        logs: Sequence[Log[Any]],
        redis: RedisStore | None = None,
        replica: Replica | None = None,
    ) -> None:
        self._database, self._logs, self._redis, self._replica = database, logs, redis, replica
        self._reporter = reporter("api")
        self._away: Seen | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look now, and every minute."""
        async with done_beside(self._go_on):
            yield

    async def _go_on(self) -> None:
        while True:
            await run_sync(self.look, abandon_on_cancel=True)
            await anyio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Look once. While the database is away that cannot be written: it is told when it is back."""
        began = time.monotonic()
        try:
            with self._database.connection() as connection:
                connection.execute("SELECT 1")
                milliseconds = round(1000 * (time.monotonic() - began))
                slow = milliseconds > SLOW_MILLISECONDS
                now = Seen("database", "degraded" if slow else "ok", "It is slow." if slow else "", milliseconds)
                before = [] if self._away is None else [self._away]
                record(
                    connection,
                    self._reporter,
                    [*before, now, *map(_seen, self._logs), *self._cache(), *self._of_replica()],
                )
            self._away = None
        except Exception as error:  # the server goes on, whatever it is
            log.warning("the database is not well: %s", error)
            self._away = self._away or Seen("database", "down", str(error), at=datetime.now(UTC))

    def _of_replica(self) -> Iterator[Seen]:
        if self._replica is not None:
            problem = self._replica.standing.problem
            said = "" if problem is None else f"Searches are read from the database: {problem}."
            yield Seen("replica", "ok" if problem is None else "degraded", said)

    def _cache(self) -> Iterator[Seen]:
        if self._redis is not None:
            began = time.monotonic()
            is_there = self._redis.megabytes() is not None
            milliseconds = round(1000 * (time.monotonic() - began))
            said = "" if is_there else "Redis does not answer: answers are made anew."
            yield Seen("cache", "ok" if is_there else "degraded", said, milliseconds)


def _seen(rows: Log[Any]) -> Seen:
    if rows.dropped:
        return Seen(f"log of {rows.of}", "down", f"{rows.dropped:,} rows were dropped, {rows.waiting:,} wait.")
    if rows.is_away:
        return Seen(f"log of {rows.of}", "degraded", f"{rows.waiting:,} rows wait: the database did not take them.")
    return Seen(f"log of {rows.of}", "ok")
