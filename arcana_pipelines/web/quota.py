"""How many searches a key, and a company with all of its keys, may make in a month (UTC), as their use says. A key and
its rotations are one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cachetools import LRUCache

from arcana_pipelines.db.engine import Database
from arcana_pipelines.keys.access import Access
from arcana_pipelines.keys.usage import month_of, searches_of_company, searches_of_family
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
            Refused: 429: the key may make no more in this month, or all keys of its company together may not.
        """
        if not access.is_counted:
            return
        now = self._now()
        begin = month_of(now)
        of_key, of_company = access.allowance.searches_per_month, access.of_company.searches_per_month
        counted = []
        if of_key is not None:
            counted.append((of_key, self._counted(access, begin), "key"))
        if of_company is not None:
            counted.append((of_company, self._counted_of_company(access.company_id, begin), "company"))
        with self._lock:
            reached = next((each for each in counted if each[1].searches >= each[0]), None)
            for _, month, _ in counted if reached is None else ():
                month.searches += 1
        if reached is not None:
            most, _, limit_of = reached
            raise _used_up(access, most, limit_of, now)

    def give_back(self, access: Access) -> None:
        """Count a search no more: it was not answered."""
        with self._lock:
            for name in (access.key_id, _name_of(access.company_id)):
                if month := self._months.get(name):
                    month.searches = max(0, month.searches - 1)

    def _counted(self, access: Access, begin: datetime) -> _Month:
        """The month of a key, by the log, if that was not asked lately."""
        if known := self._known(access.key_id, begin):
            return known
        with self._database.connection(access.company_id) as connection:
            family, searches = searches_of_family(connection, access.key_id, begin)
        return self._noted(family, begin, searches)

    def _counted_of_company(self, company_id: UUID, begin: datetime) -> _Month:
        """The same of a company."""
        name = _name_of(company_id)
        if known := self._known(name, begin):
            return known
        with self._database.connection(company_id) as connection:
            searches = searches_of_company(connection, company_id, begin)
        return self._noted([name], begin, searches)

    def _known(self, name: str, begin: datetime) -> _Month | None:
        with self._lock:
            known = self._months.get(name)
        is_fresh = known is not None and known.begin == begin and time.monotonic() - known.counted_at < COUNT_SECONDS
        return known if is_fresh else None

    def _noted(self, names: Sequence[str], begin: datetime, searches: int) -> _Month:
        with self._lock:
            # What was not written yet is counted here alone, by whichever of the names it was asked.
            known = next((month for name in names if (month := self._months.get(name))), None)
            if known is None or known.begin != begin:
                known = _Month(begin, 0, 0.0)
            known.searches = max(known.searches, searches)
            known.counted_at = time.monotonic()
            self._months.update(dict.fromkeys(names, known))
            return known


def _name_of(company_id: UUID) -> str:
    return f"company:{company_id}"  # no key is called so


def _used_up(access: Access, most: int, limit_of: str, now: datetime) -> Refused:
    ends = month_of(now, 1)
    if limit_of == "key":
        said = f"The key {access.key_id} may make {most:,} searches a month, and has."
        remedy = "whoever made the key can make one that may more"
    else:
        said = f"All keys of the company together may make {most:,} searches a month, and have."
        remedy = "whoever runs the server can raise that (`arcana company limit`)"
    seconds = max(1, round((ends - now).total_seconds()))
    return Refused(
        429,
        "quota-used-up",
        f"{said} The month ends on {ends:%Y-%m-%d} at 00:00 UTC; {remedy}.",
        {"Retry-After": str(seconds)},
        limit_of=limit_of,
    )
