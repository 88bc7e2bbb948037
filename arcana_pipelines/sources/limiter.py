"""One adaptive limiter a token, shared by every process of an installation through PostgreSQL.

Sources count requests in a 60-second window, at any pace inside it (Notion:
https://developers.notion.com/reference/request-limits), so this is a sliding window, not a drip. A 429
pauses everybody who uses the token; the allowance shrinks with each and grows back slowly, or is what the source says
that it is (`allow`). The database's clock is the only clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import SourcePaused
from arcana_pipelines.net.workers import pause

load_sql = statements_beside(__file__)

LOWEST_PER_MINUTE = 10
# Business and Enterprise plans allow 600 a minute; nothing in a response says which plan it is.
HIGHEST_PER_MINUTE = 600
# What one answer can make everybody wait. Notion has been seen to ask for ten minutes.
LONGEST_SHARED_PAUSE_SECONDS = 3600.0
# Without a window there is no need to ask the database before each request, only to hear of pauses.
_HEAR_EVERY_SECONDS = 1.0


class RateLimiter:
    """Blocks `acquire` until a request may be sent. `per_minute` 0 switches the window off, not the pauses."""

    def __init__(
        self,
        database: Database,
        credential: str,
        per_minute: int,
        longest_wait: float = 60.0,
        sleep: Callable[[float], None] = pause,
        highest: int = HIGHEST_PER_MINUTE,
    ) -> None:
        """
        Args:
            credential: whose window it is; a source that counts some endpoints by themselves has one for each.
            per_minute: what it begins with.
            longest_wait: seconds that `acquire` waits at most.
            highest: what the window grows to by itself while nobody complains; 0: it does not.
        """
        self._database = database
        self._configured = per_minute
        self._highest = highest
        self._allowed: float | None = None
        self._key = {"credential": credential, "configured": per_minute, "lowest": LOWEST_PER_MINUTE}
        self._longest_wait = longest_wait
        self._sleep = sleep
        self._lock = threading.Lock()  # one question at a time a process: a pool of readers takes one connection
        self._known = False
        self._heard_at = float("-inf")

    def acquire(self, cost: int = 1) -> None:
        """Wait for a place in the window. `cost` is how many requests the source counts this one for.

        Raises:
            SourcePaused: the wait would be longer than `longest_wait` seconds.
        """
        while (wait := self._reserve(cost)) > 0:
            if wait > self._longest_wait:
                raise SourcePaused(f"The token's requests pause for {wait:.0f} s more; a later sync goes on from here.")
            self._sleep(wait)

    def throttled(self, pause_seconds: float, reason: str, shrink: bool) -> None:
        """The server said 429: no process sends for `pause_seconds`, and the window shrinks by a fifth if `shrink`."""
        with self._lock, self._database.connection() as connection:
            self._introduce(connection)
            connection.execute(
                load_sql("limit_throttled"),
                {
                    **self._key,
                    "pause": min(pause_seconds, LONGEST_SHARED_PAUSE_SECONDS),
                    "reason": reason,
                    "shrink": shrink,
                },
            )
        self._heard_at = float("-inf")

    def allow(self, per_minute: float) -> None:
        """The source has said what it allows: the window is that large from now on."""
        with self._lock:
            if not self._configured or per_minute == self._allowed:
                return
            with self._database.connection() as connection:
                self._introduce(connection)
                connection.execute(load_sql("limit_allowed"), {**self._key, "per_minute": per_minute})
            self._allowed = per_minute

    def correct(self, more: int) -> None:
        """The source has counted a request for `more` (or fewer) than `acquire` was told."""
        if self._configured and more:
            with self._lock, self._database.connection() as connection:
                self._introduce(connection)
                connection.execute(load_sql("limit_corrected"), {**self._key, "more": more})

    def last_reason(self) -> str | None:
        """Why the source refused a request last, by any process; None: it has not yet."""
        with self._lock, self._database.connection() as connection:
            row = connection.execute(
                "SELECT reason FROM source_limit WHERE credential_hash = %(credential)s", self._key
            ).fetchone()
        return None if row is None else row[0]

    def _reserve(self, cost: int) -> float:
        """Take a place and return 0, or return the seconds to wait before asking again."""
        with self._lock:
            if not self._configured and time.monotonic() - self._heard_at < _HEAR_EVERY_SECONDS:
                return 0.0
            with self._database.connection() as connection:
                self._introduce(connection)
                wait = self._ask(connection, cost)
            if not wait:
                self._heard_at = time.monotonic()
            return wait

    def _ask(self, connection: Connection, cost: int) -> float:
        if not self._configured:
            return _number(connection.execute(load_sql("limit_pause"), self._key).fetchone())
        parameters = {**self._key, "highest": self._highest, "cost": cost}
        with connection.transaction():
            # The row lock comes first, in a statement of its own: the next one then sees what others have taken.
            connection.execute(
                "SELECT 1 FROM source_limit WHERE credential_hash = %(credential)s FOR UPDATE", self._key
            )
            return _number(connection.execute(load_sql("limit_take"), parameters).fetchone())

    def _introduce(self, connection: Connection) -> None:
        if not self._known:
            connection.execute(load_sql("limit_introduce"), self._key)
            self._known = True


def _number(row: tuple[Any, ...] | None) -> float:
    return float(row[0]) if row and row[0] is not None else 0.0
