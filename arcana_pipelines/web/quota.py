"""How many searches a key may make in a month (UTC), as its use says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from arcana_pipelines.db.engine import Database
from arcana_pipelines.keys.access import Access
from arcana_pipelines.keys.usage import month_of, searches_of
from arcana_pipelines.web.problems import Refused

# So often the log of use is asked, in which other processes write, too. In between this process counts its own.
COUNT_SECONDS = 60.0


@dataclass(slots=True)
class _Month:
    begin: datetime
    searches: int
    counted_at: float


class Quotas:
    """The searches of this month. Safe to share between threads."""

    def __init__(self, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._now = now
        self._lock = threading.Lock()
        self._months: dict[str, _Month] = {}

    def take(self, access: Access) -> None:
        """Count a search that begins.

        Raises:
            Refused: 429: the key may make no more in this month.
        """
        most = access.allowance.searches_per_month
        if most is None:
            return
        now = self._now()
        self._count(access, month_of(now))
        with self._lock:
            month = self._months[access.key_id]
            is_left = month.searches < most
            month.searches += is_left
        if not is_left:
            ends = month_of(now, 1)
            said = (
                f"The key {access.key_id} may make {most:,} searches a month, and has. The month ends on "
                f"{ends:%Y-%m-%d} at 00:00 UTC; whoever made the key can make one that may more."
            )
            seconds = max(1, round((ends - now).total_seconds()))
            raise Refused(429, "quota-used-up", said, {"Retry-After": str(seconds)})

    def give_back(self, access: Access) -> None:
        """Count a search no more: it was not answered."""
        with self._lock:
            if month := self._months.get(access.key_id):
                month.searches = max(0, month.searches - 1)

    def _count(self, access: Access, begin: datetime) -> None:
        """Ask the log, if that was not done lately."""
        with self._lock:
            known = self._months.get(access.key_id)
        if known and known.begin == begin and time.monotonic() - known.counted_at < COUNT_SECONDS:
            return
        with self._database.connection(access.company_id) as connection:
            counted = searches_of(connection, access.key_id, begin)
        with self._lock:
            known = self._months.get(access.key_id)
            # What was not written yet is counted here alone.
            of_ours = known.searches if known and known.begin == begin else 0
            self._months[access.key_id] = _Month(begin, max(counted, of_ours), time.monotonic())
