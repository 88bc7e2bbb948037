"""Notion through its API: what there is, what a page says, and whether a missing page is really gone.

Facts about the API that shape this module:
- Search returns whole page objects with their properties, so listing a page costs 1/100 request.
- Times are rounded down to the minute; trashing and moving may leave them unchanged.
- A listing may end incomplete (`request_status`), repeat a cursor, or be capped at 10,000 results.
https://developers.notion.com/reference/post-search
https://developers.notion.com/guides/data-apis/query-large-data-sources
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from arcana_pipelines.documents.characters import clean
from arcana_pipelines.errors import PageRejected, PageUnavailable, RequestInvalid, SourceUnavailable
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.body import BodyReader
from arcana_pipelines.sources.notion.comments import read_comments
from arcana_pipelines.sources.notion.pages import completed_properties, data_source_ref, page_ref, parent_of
from arcana_pipelines.sources.notion.properties import unknown_kinds
from arcana_pipelines.sources.notion.users import UserNames
from arcana_pipelines.sources.protocol import FetchedPage, Listing, Mode, PageRef, Presence

log = logging.getLogger(__name__)

PAGE_SIZE = 100
DEEPEST_BLOCK = 50  # levels of blocks between a page and the page around it
# Minute rounding and the lag of the search index. An edit that the index shows later than this is found by
# the next full listing.
OVERLAP = timedelta(minutes=10)

IsUnchanged = Callable[[Sequence[PageRef]], Sequence[bool]]


class NotionSource:
    """The pages that one token can see."""

    # Deleted for ever, un-shared and a hiccup of the permission system all look like 404.
    absences_needed = 2

    def __init__(self, api: NotionApi, with_comments: bool = False) -> None:
        self.api = api
        self._body = BodyReader(api)
        self._names = UserNames(api)
        self._with_comments = with_comments
        self._trash_of_pages = False

    def credential(self) -> str:
        """A fingerprint of the token (see `Source.credential`)."""
        return self.api.credential

    def identity(self) -> str | None:
        """The Notion workspace that the token belongs to."""
        bot = self.api.call("GET", "users/me").get("bot")
        return bot.get("workspace_id") if isinstance(bot, dict) else None

    def close(self) -> None:
        """Close the connections."""
        self.api.close()

    def enumerate(self, mode: Mode, cursor: str | None, is_unchanged: IsUnchanged) -> Listing:
        """List the pages (see `Source.enumerate`).

        Raises:
            TokenRevoked: 401. Everything else that goes wrong makes the listing incomplete.
        """
        listing = Listing()
        held = _read_cursor(cursor)
        since = _since(held) if mode is Mode.INCREMENTAL else None
        # After a full listing the API is asked again what it knows.
        self._trash_of_pages = since is not None and bool(held.get("trash_of_pages"))
        if mode is Mode.INCREMENTAL and since is None:
            listing.problems.append("the cursor of the last sync is missing or unreadable; everything was listed")
        if since is None:
            listing.batches = self._everything(listing)
        else:
            listing.batches = self._recent(listing, since, is_unchanged)
        return listing

    def fetch(self, ref: PageRef) -> FetchedPage:
        """Read one page (see `Source.fetch`)."""
        body = self._body.read(ref.external_id)
        fetched_at = self.api.server_time or datetime.now(UTC)
        properties = completed_properties(self.api, ref)
        if properties is not None:
            properties = self._names.complete(replace(ref, properties=properties)).properties
        markdown, partial = body.markdown, body.partial
        if self._with_comments:
            comments, problem = read_comments(self.api, self._names, ref.external_id, markdown)
            markdown = "\n\n".join(filter(None, [markdown, comments]))
            partial += (problem,) if problem else ()
        unknown = (*body.unknown_types, *(f"property {kind}" for kind in unknown_kinds(ref.properties)))
        return FetchedPage(markdown, fetched_at, body.links, partial, properties, unknown)

    def _page(self, item: Mapping[str, Any]) -> PageRef:
        return self._names.complete(page_ref(item))

    def confirm(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """Look at one page directly (see `Source.confirm`)."""
        try:
            ref = self._page(self.api.call("GET", f"pages/{external_id}"))
        except PageUnavailable:
            return Presence.GONE, None
        except (PageRejected, SourceUnavailable) as error:
            log.warning("page %s could not be confirmed: %s", external_id, error)
            return Presence.UNKNOWN, None
        if ref.in_trash:
            return Presence.TRASHED, ref
        return self._around(ref) if ref.parent_kind == "block" else (Presence.ALIVE, ref)

    def _around(self, ref: PageRef) -> tuple[Presence, PageRef | None]:
        """A page inside a toggle or column: which page is around it, and is the block itself still there?"""
        kind, parent = ref.parent_kind, ref.parent_id
        for _ in range(DEEPEST_BLOCK):
            if kind != "block" or parent is None:
                return Presence.ALIVE, replace(ref, parent_kind=kind, parent_id=parent)
            try:
                block = self.api.call("GET", f"blocks/{parent}")
            except (PageUnavailable, PageRejected, SourceUnavailable) as error:
                log.info("page %s: the block around it cannot be read: %s", ref.external_id, error)
                return Presence.ALIVE, ref
            if block.get("in_trash") or block.get("archived"):
                return Presence.TRASHED, ref
            kind, parent = parent_of(block.get("parent"))
        return Presence.ALIVE, ref

    def container(self, external_id: str) -> PageRef | None:
        """The data source of a row (see `Source.container`)."""
        try:
            return data_source_ref(self.api.call("GET", f"data_sources/{external_id}"))
        except (PageUnavailable, PageRejected, SourceUnavailable) as error:
            log.info("data source %s cannot be looked at: %s", external_id, error)
            return None

    def unchanged_since(self, cursor: str | None) -> bool:
        """Never known without asking: a listing of the newest pages is as cheap as any other look."""
        return False

    def _everything(self, listing: Listing) -> Iterator[Sequence[PageRef]]:
        """Data sources, all pages oldest first (what is edited meanwhile moves to the end), then all rows."""
        newest = datetime.min.replace(tzinfo=UTC)
        data_sources: dict[str, None] = {}
        for answer in self._pages_of(listing, "search", _search("data_source", "ascending")):
            refs = [data_source_ref(item) for item in answer if item.get("object") == "data_source"]
            listing.source_time = listing.source_time or self.api.server_time
            # The default search lists trashed data sources too.
            data_sources.update((ref.external_id, None) for ref in refs if not ref.in_trash)
            yield refs
        listed: set[str] = set()
        for answer in self._all_listings(listing, data_sources):
            refs = [self._page(item) for item in answer if item.get("object") == "page"]
            fresh = [ref for ref in refs if not ref.in_trash and ref.external_id not in listed]
            listed.update(ref.external_id for ref in fresh)
            newest = max([newest, *(ref.last_edited_at for ref in fresh)])
            yield fresh
        listing.complete = not listing.problems
        listing.cursor = self._cursor(listing.source_time or newest)

    def _all_listings(self, listing: Listing, data_sources: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
        yield from self._pages_of(listing, "search", _search("page", "ascending"))
        for data_source in data_sources:
            yield from self._rows_of(listing, data_source)

    def _rows_of(self, listing: Listing, data_source: str) -> Iterator[list[dict[str, Any]]]:
        """All rows, in windows by creation time when there are more than one query may return."""
        path = f"data_sources/{data_source}/query"
        body: dict[str, Any] = {
            "sorts": [{"timestamp": "created_time", "direction": "ascending"}],
            "page_size": PAGE_SIZE,
        }
        start: str | None = None
        while True:
            capped: list[str] = []
            last: str | None = None
            if start is not None:
                body["filter"] = {"timestamp": "created_time", "created_time": {"on_or_after": start}}
            for rows in self._pages_of(listing, path, body, capped):
                last = rows[-1].get("created_time") or last if rows else last
                yield rows
            if not capped:
                return
            if last is None or last == start:
                listing.problems.append(f"data source {data_source}: {capped[0]}, and its rows cannot be windowed")
                return
            start = last

    def _recent(self, listing: Listing, since: datetime, is_unchanged: IsUnchanged) -> Iterator[Sequence[PageRef]]:
        """Newest first until behind the cursor, then the trash: two requests when nothing happened."""
        newest = since
        before = datetime.max.replace(tzinfo=UTC)
        for answer in self._pages_of(listing, "search", _search("page", "descending")):
            listing.source_time = listing.source_time or self.api.server_time
            refs = [ref for ref in _distinct([self._page(item) for item in answer]) if not ref.in_trash]
            if not refs:
                continue
            last = refs[-1]
            stop = (
                last.last_edited_at < since - OVERLAP
                and _descends(refs, before)
                # A cursor alone is not trusted: clocks differ, and pages are shared late.
                and all(is_unchanged([last]))
            )
            before = last.last_edited_at
            newest = max([newest, *(ref.last_edited_at for ref in refs)])
            yield refs
            if stop:
                break
        if listing.problems:
            return  # whoever does not answer one question is not asked another
        yield from self._trash(listing, is_unchanged)
        listing.complete = not listing.problems
        listing.cursor = self._cursor(listing.source_time or newest)

    def _trash(self, listing: Listing, is_unchanged: IsUnchanged) -> Iterator[Sequence[PageRef]]:
        """Trashed pages and databases, newest first, until a whole answer holds nothing new.

        An API that knows the trash filter only beside a kind of object is asked for pages, and remembered.
        """
        trash: set[str] = set()
        side: Listing = Listing()
        search = _search("page" if self._trash_of_pages else None, "descending", in_trash=True)
        try:
            for answer in self._pages_of(side, "search", search):
                refs = [_any_ref(item) for item in answer]
                if not all(ref.in_trash for ref in refs):
                    log.warning("this Notion API ignores the filter for its trash; the nightly audit finds it")
                    return
                trash.update(ref.external_id for ref in refs)
                news = not all(is_unchanged(refs))
                yield refs
                if refs and not news:
                    listing.trash_since = refs[-1].last_edited_at if len(answer) == PAGE_SIZE else None
                    break
        except RequestInvalid as error:
            if self._trash_of_pages:
                log.warning("this Notion API does not list its trash: %s", error)
                return
            self._trash_of_pages = True
            yield from self._trash(listing, is_unchanged)
            return
        if side.problems:
            listing.problems.extend(side.problems)
            return
        listing.trash = trash

    def _cursor(self, since: datetime) -> str:
        return json.dumps({"since": since.isoformat(), "trash_of_pages": self._trash_of_pages})

    def _pages_of(
        self, listing: Listing, path: str, body: Mapping[str, Any], capped: list[str] | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Follow one listing to its end; what goes wrong is noted and ends it, never raised.

        A result cap is appended to `capped` when given (the caller knows a way around), else to the problems.
        """
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            try:
                answer = self.api.call("POST", path, body={**body, "start_cursor": cursor} if cursor else body)
            except SourceUnavailable as error:
                listing.problems.append(str(error))
                return
            except PageUnavailable as error:
                listing.problems.append(f"listing refused: {error}")
                return
            except PageRejected as error:
                if isinstance(error, RequestInvalid) and cursor is None and "in_trash" in json.dumps(body):
                    raise  # an older API: the caller goes on without
                listing.problems.append(f"listing refused: {error}")
                return
            results = answer.get("results")
            if answer.get("object") != "list" or not isinstance(results, list):
                listing.problems.append(f"{path} answered with something that is no list")
                return
            yield [item for item in results if isinstance(item, dict)]
            status = answer.get("request_status") or {}
            incomplete = status.get("type") == "incomplete"
            if not answer.get("has_more"):
                if incomplete:
                    reason = clean(f"{path} is incomplete: {status.get('incomplete_reason') or 'no reason given'}")
                    (listing.problems if capped is None else capped).append(reason)
                return
            cursor = answer.get("next_cursor")
            if not cursor or cursor in seen:
                listing.problems.append(f"{path} says there is more but repeats its cursor")
                return
            seen.add(cursor)


def _any_ref(item: Mapping[str, Any]) -> PageRef:
    return data_source_ref(item) if item.get("object") == "data_source" else page_ref(item)


def _search(kind: str | None, direction: str, in_trash: bool = False) -> dict[str, Any]:
    """A search for one kind of object, or for both."""
    wanted: dict[str, Any] = {"property": "object", "value": kind} if kind else {}
    return {
        "filter": {**wanted, "in_trash": True} if in_trash else wanted,
        "sort": {"timestamp": "last_edited_time", "direction": direction},
        "page_size": PAGE_SIZE,
    }


def _read_cursor(cursor: str | None) -> dict[str, Any]:
    try:
        held = json.loads(cursor or "")
    except ValueError:
        return {}
    return held if isinstance(held, dict) else {}


def _since(held: Mapping[str, Any]) -> datetime | None:
    try:
        since = datetime.fromisoformat(held["since"])
    except (ValueError, KeyError, TypeError):
        return None
    return since if since.tzinfo else since.replace(tzinfo=UTC)


def _distinct(refs: Sequence[PageRef]) -> list[PageRef]:
    return list({ref.external_id: ref for ref in refs}.values())


def _descends(refs: Sequence[PageRef], before: datetime) -> bool:
    """True when the server honoured the sort; stopping early would lose edits otherwise."""
    times = [before, *(ref.last_edited_at for ref in refs)]
    return all(earlier >= later for earlier, later in pairwise(times))
