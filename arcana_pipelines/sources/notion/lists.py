"""Lists that are read with GET, page after page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from arcana_pipelines.errors import SourceUnavailable
from arcana_pipelines.sources.notion.api import NotionApi


def items(api: NotionApi, path: str, query: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Every item of a list, to its end.

    Raises:
        SourceUnavailable: the list repeats its cursor, so that its end cannot be reached now. Part of a list is never
            taken for all of it.
        PageRejected, PageUnavailable, TokenRevoked: see `NotionApi.call`.
    """
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        more = {"start_cursor": cursor} if cursor else {}
        answer = api.call("GET", path, query={"page_size": 100, **(query or {}), **more})
        yield from (item for item in answer.get("results") or [] if isinstance(item, dict))
        if not answer.get("has_more"):
            return
        cursor = answer.get("next_cursor")
        if not cursor or cursor in seen:
            raise SourceUnavailable(f"{path} says there is more but repeats its cursor")
        seen.add(cursor)
