"""Lists in pages: sizes, cursors, and the envelope."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, TypeAlias, TypeVar

from arcana_pipelines.testing.notion_server.http.errors import failed_validation, invalid
from arcana_pipelines.testing.notion_server.model.ids import IdFactory, dashed
from arcana_pipelines.testing.notion_server.model.objects import Json

T = TypeVar("T")

MAX_PAGE_SIZE = 100
_REMEMBERED_CURSORS = 10_000
_KEPT_ORDERS = 8

SortKey: TypeAlias = tuple[Any, ...]


@total_ordering
class Descending:
    """A part of a sort key that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descending) and bool(self.value == other.value)

    def __lt__(self, other: Descending) -> bool:
        return bool(other.value < self.value)

    def __hash__(self) -> int:
        return hash(self.value)


@dataclass(frozen=True, slots=True)
class _Position:
    request: str
    key: SortKey
    returned: int


class Cursors:
    """Opaque cursors of searches and queries: each stands for a place in an order, not for a count.

    So an item that moves behind the place while a client pages is sent again, and one that moves before it
    is not: what changes while paging shows as it would in Notion.
    """

    def __init__(self) -> None:
        self._ids = IdFactory(7)
        self._positions: OrderedDict[str, _Position] = OrderedDict()
        self._orders: OrderedDict[str, tuple[int, list[Any]]] = OrderedDict()

    def page(
        self,
        items: Callable[[], Iterable[T]],
        key: Callable[[T], SortKey],
        *,
        request: Json,
        size: int,
        revision: int | None,
        limit: int | None = None,
    ) -> tuple[list[T], str | None, bool]:
        """The items of one page in order of `key`, the next cursor, and whether the list was cut at `limit`.

        The order is kept while the world's `revision` stays the same; None means it cannot be kept.
        """
        identity = json.dumps({k: v for k, v in request.items() if k not in ("start_cursor", "page_size")})
        start = self._find(request.get("start_cursor"), identity)
        ordered = self._ordered(items, key, identity, revision)
        capped = limit is not None and len(ordered) > limit
        first = 0 if start is None else bisect_left(ordered, start.key, key=lambda pair: pair[0])
        before = 0 if start is None else start.returned
        left = len(ordered) - first if limit is None else min(len(ordered) - first, limit - before)
        taken = [item for _, item in ordered[first : first + min(size, left)]]
        if left <= size:
            return taken, None, capped
        cursor = self._ids.uuid()
        self._positions[cursor] = _Position(identity, ordered[first + size][0], before + size)
        if len(self._positions) > _REMEMBERED_CURSORS:
            self._positions.popitem(last=False)
        return taken, cursor, capped

    def _ordered(
        self,
        items: Callable[[], Iterable[T]],
        key: Callable[[T], SortKey],
        identity: str,
        revision: int | None,
    ) -> list[tuple[SortKey, T]]:
        kept = self._orders.get(identity)
        if kept is not None and revision is not None and kept[0] == revision:
            return kept[1]
        ordered = sorted(((key(item), item) for item in items()), key=lambda pair: pair[0])
        if revision is not None:
            self._orders[identity] = (revision, ordered)
            if len(self._orders) > _KEPT_ORDERS:
                self._orders.popitem(last=False)
        return ordered

    def _find(self, cursor: Any, identity: str) -> _Position | None:
        if cursor is None:
            return None
        if not isinstance(cursor, str) or dashed(cursor) is None:
            raise failed_validation("body", "start_cursor", "a valid uuid or `undefined`", cursor)
        position = self._positions.get(dashed(cursor) or "")
        if position is None or position.request != identity:
            raise invalid(f"The start_cursor provided is invalid: {cursor}")
        return position


def page_by_id(
    items: Sequence[T], id_of: Callable[[T], str], cursor: str | None, size: int
) -> tuple[list[T], str | None]:
    """One page of a list whose cursor is the id of the next item, as for blocks and users."""
    start = 0
    if cursor is not None:
        wanted = dashed(cursor)
        if wanted is None:
            raise failed_validation("query", "start_cursor", "a valid uuid or `undefined`", cursor)
        positions = [at for at, item in enumerate(items) if id_of(item) == wanted]
        if not positions:
            raise invalid(f"The start_cursor provided is invalid: {cursor}")
        start = positions[0]
    following = items[start + size : start + size + 1]
    return list(items[start : start + size]), id_of(following[0]) if following else None


def page_size(raw: Any, where: str) -> int:
    """The page size asked for; `where` is "body" or "query"."""
    if raw is None:
        return MAX_PAGE_SIZE
    if where == "query" and isinstance(raw, str) and raw.lstrip("-").isdigit():
        raw = int(raw)
    wrong = None
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        wrong = "a number"
    elif raw > MAX_PAGE_SIZE:
        wrong = "≤ `100`"
    elif raw < 0:
        wrong = "≥ `0`"
    if wrong:
        raise failed_validation(where, "page_size", f"{wrong} or `undefined`", raw)
    return int(raw) or MAX_PAGE_SIZE


def envelope(kind: str, results: list[Json], cursor: str | None, *, incomplete: bool = False) -> Json:
    """A list object. `request_status` is only sent when the list is incomplete, as recorded."""
    body: Json = {
        "object": "list",
        "results": results,
        "next_cursor": cursor,
        "has_more": cursor is not None,
        "type": kind,
        kind: {},
    }
    if incomplete:
        body["request_status"] = {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"}
    return body
