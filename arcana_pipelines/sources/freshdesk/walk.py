"""All tickets since a time, by keyset: a ticket that is updated meanwhile only moves ahead of the walk.

`updated_since` is inclusive and lifts the default window of 30 days. Pages by number would lose rows: one that is
updated leaves its page, and what stood behind it moves up to a page that was read already. They also end at the 300th.
So each request asks for the first page since the last time seen. Only what was updated within one second (by a bulk
update) is paged by number, and again until nothing new shows up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from arcana_pipelines.errors import AnswerUnusable, PageRejected
from arcana_pipelines.sources.freshdesk.api import LISTS, PER_PAGE, FreshdeskApi, Page
from arcana_pipelines.sources.freshdesk.values import LONG_AGO, moment, number, text

LAST_PAGE = 300
MOST_ANSWERS = 100_000
# More rounds over one second are not made: it is over, and who still changes its tickets moves them out of it.
MOST_ROUNDS = 5

A_SECOND = timedelta(seconds=1)
END_OF_TIME = datetime.max.replace(tzinfo=UTC) - A_SECOND

Row = dict[str, Any]
Version = tuple[int | None, str]


def walk(api: FreshdeskApi, since: datetime, include: str = "") -> Iterator[Page]:
    """Pages of tickets that were updated at `since` or later, oldest first; each in each of its versions once.

    Raises:
        AnswerUnusable: the list is not in the order that was asked for, has no end, or cannot be listed to its end.
        SourceError: see `FreshdeskApi.get`.
    """
    seen: set[Version] = set()  # of the second that is asked from
    for _ in range(MOST_ANSWERS):
        page = _asked(api, since, include, 1)
        yield _without(page, seen)
        if not page.has_more:
            return
        last = max(map(_updated, page.rows))
        if last > since:
            seen = {_version(row) for row in page.rows if _updated(row) == last}
            since = last
        else:
            yield from _rest_of_second(api, since, include, {_version(row) for row in page.rows})
            if since >= END_OF_TIME:
                break
            since, seen = since + A_SECOND, set()
    raise AnswerUnusable("the list of tickets has no end")


def _rest_of_second(api: FreshdeskApi, second: datetime, include: str, seen: set[Version]) -> Iterator[Page]:
    """The tickets of one second that its first page (`seen`) does not show."""
    for round_ in range(MOST_ROUNDS):
        found = 0
        for number_of_page in range(1 if round_ else 2, LAST_PAGE + 1):
            page = _asked(api, second, include, number_of_page)
            own = [row for row in page.rows if _updated(row) == second]
            fresh = _without(Page(own, page.has_more, page.date), seen)
            seen |= {_version(row) for row in own}
            found += len(fresh.rows)
            yield fresh
            if len(own) < len(page.rows) or not page.has_more:
                break
        else:
            raise AnswerUnusable(
                f"more than {LAST_PAGE * PER_PAGE:,} tickets were updated at {second:%Y-%m-%d %H:%M:%S}"
            )
        if round_ and not found:
            return


def _asked(api: FreshdeskApi, since: datetime, include: str, number_of_page: int) -> Page:
    query = {"updated_since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "order_by": "updated_at", "order_type": "asc"}
    try:
        page = api.page(LISTS, page=number_of_page, **query, **({"include": include} if include else {}))
    except PageRejected:
        if not include:
            raise
        # A hundred descriptions may be too large for one answer: these tickets are read one by one.
        page = api.page(LISTS, page=number_of_page, **query)
    # A ticket without a time that can be read stands anywhere.
    times = [since, *(time for time in map(_updated, page.rows) if time != LONG_AGO)]
    if any(later < earlier for earlier, later in pairwise(times)):
        raise AnswerUnusable("the list of tickets is not in the order that was asked for")
    return page


def _without(page: Page, seen: set[Version]) -> Page:
    return Page([row for row in page.rows if _version(row) not in seen], page.has_more, page.date)


def _updated(row: Row) -> datetime:
    return moment(row.get("updated_at"))


def _version(row: Row) -> Version:
    return number(row.get("id")), text(row.get("updated_at"))
