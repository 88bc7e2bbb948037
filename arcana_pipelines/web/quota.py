"""How many searches a key may make in a month (UTC), as its use says. A key and its rotations are one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cachetools import LRUCache

from arcana_pipelines.db.engine import Database
from arcana_pipelines.keys.access import Access
from arcana_pipelines.keys.usage import month_of, searches_of_family
from arcana_pipelines.web.problems import Refused

# So often the log of use is asked, in which other processes write, too. In between this process counts its own.
COUNT_SECONDS = 60.0
# Keys that asked last: of one that is forgotten the log is asked again.
MOST_KEYS = 10_000


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
        # Those of a family have the same one.
        self._months: LRUCache[str, _Month] = LRUCache(MOST_KEYS)

    def take(self, access: Access) -> None:
        """Count a search that begins.

        Raises:
            Refused: 429: the key may make no more in this month.
        """
        most = access.allowance.searches_per_month
        if most is None:
            return
        now = self._now()
        month = self._counted(access, month_of(now))
        with self._lock:
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

    def _counted(self, access: Access, begin: datetime) -> _Month:
        """The month of a key, by the log, if that was not asked lately."""
        with self._lock:
            known = self._months.get(access.key_id)
        if known and known.begin == begin and time.monotonic() - known.counted_at < COUNT_SECONDS:
            return known
        with self._database.connection(access.company_id) as connection:
            family, searches = searches_of_family(connection, access.key_id, begin)
        with self._lock:
            # What was not written yet is counted here alone, by whichever of the family's keys it was asked.
            known = next((month for key_id in family if (month := self._months.get(key_id))), None)
            if known is None or known.begin != begin:
                known = _Month(begin, 0, 0.0)
            known.searches = max(known.searches, searches)
            known.counted_at = time.monotonic()
            self._months.update(dict.fromkeys(family, known))
            return known
