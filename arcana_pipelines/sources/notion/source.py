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
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import pairwise
from typing import IO, Any, TypeVar

import psycopg

from arcana_pipelines.errors import (
    AnswerUnusable,
    ArcanaError,
    DownloadRefused,
    PageRejected,
    PageUnavailable,
    RequestInvalid,
    SourceUnavailable,
)
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.body import BodyReader
from arcana_pipelines.sources.notion.comments import read_comments
from arcana_pipelines.sources.notion.lists import Progress, mappings
from arcana_pipelines.sources.notion.page_files import PageFiles
from arcana_pipelines.sources.notion.pages import (
    LONG_AGO,
    completed,
    data_source_ref,
    is_trashed,
    notion_id,
    page_id_of,
    page_ref,
    parent_of,
    path_id,
)
from arcana_pipelines.sources.notion.properties import unknown_kinds
from arcana_pipelines.sources.notion.users import UserNames
from arcana_pipelines.sources.protocol import (
    Capabilities,
    FetchedPage,
    FileRef,
    Listing,
    Mode,
    PageRef,
    Presence,
    Shown,
    Source,
    Traffic,
)

log = logging.getLogger(__name__)

PAGE_SIZE = 100
DEEPEST_BLOCK = 50  # levels of blocks between a page and the page around it
# Minute rounding and the lag of the search index. An edit that the index shows later than this is found by
# the next full listing.
OVERLAP = timedelta(minutes=10)

A_DAY = timedelta(days=1)
# Answers of one listing, a hundred pages each.
MOST_LISTED = 100_000

Read = TypeVar("Read")
IsUnchanged = Callable[[Sequence[PageRef]], Sequence[bool]]


class Trash(StrEnum):
    """How an API lists its trash. Found by one request and kept beside the cursor until the next full listing."""

    OF_ALL = "all"
    OF_PAGES = "pages"


class NotionSource(Source):
    """The pages that one token can see."""

    def __init__(self, api: NotionApi, with_comments: bool = False, files: FileRules | None = None) -> None:
        """`files`: which of them are told of and fetched; None: none."""
        self.api = api
        self._files = None if files is None else PageFiles(api, files)
        self._body = BodyReader(api, with_media=files is not None)
        self._names = UserNames(api)
        self._with_comments = with_comments
        self.capabilities = Capabilities(
            lists_trash=True,
            has_containers=True,
            reads_comments=with_comments,
            # Deleted for ever, un-shared and a hiccup of the permission system all look like 404.
            absences_needed=2,
            sweeps=True,
            lists_files=files is not None,
        )

    def credential(self) -> str:
        """A fingerprint of the token (see `Source.credential`)."""
        return self.api.credential

    def identity(self) -> str | None:
        """The Notion workspace that the token belongs to."""
        answer = self.api.users.me()
        bot = answer.get("bot") if answer["object"] == "user" else None
        return notion_id(bot.get("workspace_id")) if isinstance(bot, dict) else None

    def traffic(self) -> Traffic:
        """Requests to Notion."""
        return Traffic(self.api.traffic.requests, self.api.traffic.throttled)

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
        if mode is Mode.INCREMENTAL and since is None:
            listing.problems.append("the cursor of the last sync is missing or unreadable; everything was listed")
        if since is None:
            listing.batches = self._everything(listing)
        else:
            listing.batches = self._recent(listing, since, _trash_known(held), is_unchanged)
        return listing

    def fetch(self, ref: PageRef) -> FetchedPage:
        """Read one page (see `Source.fetch`)."""
        body = self._body.read(ref.external_id)
        fetched_at = self.api.server_time or datetime.now(UTC)
        markdown, partial = body.markdown, body.partial
        title = properties = None
        if (whole := completed(self.api, ref)) is not None:
            title, partial = whole.title, (*partial, *whole.partial)
            properties = self._names.complete(replace(ref, properties=whole.properties)).properties
        if self._with_comments:
            comments, problem = read_comments(self.api, self._names, ref.external_id, markdown)
            markdown = "\n\n".join(filter(None, [markdown, comments]))
            partial += (problem,) if problem else ()
        unknown = (*body.unknown_types, *(f"property {kind}" for kind in unknown_kinds(ref.properties)))
        files = None if self._files is None else self._files.of_page(ref, body.media, fetched_at)
        return FetchedPage(markdown, fetched_at, body.links, partial, properties, unknown, title, files)

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        """Write the bytes of a file (see `Source.download`).

        Raises:
            TokenRevoked: a page had to be asked where its file is, and nothing can be read with this token.
        """
        if self._files is None:
            raise DownloadRefused("files are not fetched (FILES=off)")
        self._files.download(file, target, most)

    def _page(self, item: Mapping[str, Any]) -> PageRef:
        """The reference of a listed page.

        Raises:
            AnswerUnusable: it has no proper id.
        """
        try:
            ref = self._names.complete(page_ref(item))
            if self._files is not None:
                self._files.note(ref.external_id, item)
        except (ArcanaError, psycopg.Error):
            raise
        except Exception as error:  # the edge of a page: one that cannot be understood delays no other
            external_id = path_id(item.get("id"))
            log.exception("page %s cannot be understood", external_id)
            problem = f"cannot be understood: {type(error).__name__}: {error}"
            return PageRef(external_id, "page", "workspace", None, "", None, "", LONG_AGO, problem=problem)
        now = self.api.server_time
        if now is not None and ref.last_edited_at > now + A_DAY:
            # Nothing was edited tomorrow. Taken as it is, it would never be settled.
            ref = replace(ref, last_edited_at=LONG_AGO)
        return ref

    def _pages(self, listing: Listing, answer: Sequence[Mapping[str, Any]]) -> list[PageRef]:
        """The pages of one answer. One without an id cannot be named: the listing is not whole."""
        return _understood(listing, answer, "page", self._page)

    def confirm(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """Look at one page directly (see `Source.confirm`)."""
        try:
            answer = self.api.pages.retrieve(path_id(external_id))
            ref = self._page(answer)
        except PageUnavailable:
            return Presence.GONE, None
        except (PageRejected, SourceUnavailable) as error:
            log.warning("page %s could not be confirmed: %s", external_id, error)
            return Presence.UNKNOWN, None
        if answer["object"] != "page" or ref.external_id != notion_id(external_id) or ref.problem:
            log.warning("page %s could not be confirmed: Notion answered with something else", external_id)
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
                block = self.api.blocks.retrieve(path_id(parent))
            except (PageUnavailable, PageRejected, SourceUnavailable) as error:
                log.info("page %s: the block around it cannot be read: %s", ref.external_id, error)
                return Presence.ALIVE, ref
            if block["object"] != "block" or notion_id(block.get("id")) != parent:
                log.info("page %s: Notion answered with something else than the block around it", ref.external_id)
                return Presence.ALIVE, ref
            if block.get("in_trash") is True or block.get("archived") is True:
                return Presence.TRASHED, ref
            kind, parent = parent_of(block.get("parent"))
        return Presence.ALIVE, ref

    def container(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """Look at one data source directly (see `Source.container`)."""
        try:
            answer = self.api.data_sources.retrieve(path_id(external_id))
            ref = data_source_ref(answer)
        except PageUnavailable:
            return Presence.GONE, None
        except (PageRejected, SourceUnavailable) as error:
            log.info("data source %s cannot be looked at: %s", external_id, error)
            return Presence.UNKNOWN, None
        if answer["object"] != "data_source" or ref.external_id != notion_id(external_id):
            return Presence.UNKNOWN, None
        ref = self._placed(ref)
        return Presence.TRASHED if ref.in_trash else Presence.ALIVE, ref

    def _placed(self, ref: PageRef) -> PageRef:
        """A data source inside a toggle or column, with the page around it as its parent. In a deleted block it is in
        the trash with it."""
        if ref.in_trash or ref.parent_kind != "block":
            return ref
        presence, around = self._around(ref)
        return replace(around or ref, in_trash=presence is Presence.TRASHED)

    def sweep(self, container: str | None, place: str | None) -> Shown:
        """List all pages, newest first, or the rows of one data source, one request at a time (see `Source.sweep`).

        Newest first: what is edited between two requests moves away to the front, where an incremental listing sees it,
        and pushes nothing out of what is still to come.
        """
        held = json.loads(place) if place else {}
        if container is None:
            path, body = "search", _search("page", "descending")
            answer = self.api.search(**body, start_cursor=held.get("cursor"))
        else:
            path, body = f"data_sources/{container}/query", _rows(held.get("start"))
            answer = self.api.data_sources.query(path_id(container), **body, start_cursor=held.get("cursor"))
        results = _results(answer, path)
        following = _place_after(answer, results, held, path, may_be_windowed=container is not None)
        return Shown(_ids_shown(results, path), following)

    def _everything(self, listing: Listing) -> Iterator[Sequence[PageRef]]:
        """Data sources, all pages oldest first (what is edited meanwhile moves to the end), then all rows."""
        newest = datetime.min.replace(tzinfo=UTC)
        data_sources: dict[str, None] = {}
        for answer in self._pages_of(listing, "search", self.api.search, _search("data_source", "ascending")):
            refs = _understood(listing, answer, "data_source", data_source_ref)
            listing.source_time = listing.source_time or self.api.server_time
            # The default search lists trashed data sources too.
            data_sources.update((ref.external_id, None) for ref in refs if not ref.in_trash)
            yield [self._placed(ref) for ref in refs]
        listed: set[str] = set()
        for answer in self._all_listings(listing, data_sources):
            refs = self._pages(listing, answer)
            fresh = [ref for ref in refs if not ref.in_trash and ref.external_id not in listed]
            listed.update(ref.external_id for ref in fresh)
            newest = max([newest, *(ref.last_edited_at for ref in fresh)])
            yield fresh
        listing.complete = not listing.problems
        # What the API knows of its trash is tried again after a full listing.
        listing.cursor = _cursor(listing.source_time or newest, Trash.OF_ALL)

    def _all_listings(self, listing: Listing, data_sources: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
        yield from self._pages_of(listing, "search", self.api.search, _search("page", "ascending"))
        for data_source in data_sources:
            yield from self._rows_of(listing, data_source)

    def _rows_of(self, listing: Listing, data_source: str) -> Iterator[list[dict[str, Any]]]:
        """All rows, in windows by creation time when there are more than one query may return."""
        path, query = f"data_sources/{data_source}/query", partial(self.api.data_sources.query, data_source)
        start: str | None = None
        while True:
            capped: list[str] = []
            last: str | None = None
            for rows in self._pages_of(listing, path, query, _rows(start), capped):
                last = _newest_made(rows) or last
                yield rows
            if not capped:
                return
            if last is None or last == start:
                listing.problems.append(f"data source {data_source}: {capped[0]}, and its rows cannot be windowed")
                return
            start = last

    def _recent(
        self, listing: Listing, since: datetime, trash: Trash, is_unchanged: IsUnchanged
    ) -> Iterator[Sequence[PageRef]]:
        """Newest first until behind the cursor, then the trash: two requests when nothing happened."""
        newest = since
        before = datetime.max.replace(tzinfo=UTC)
        for answer in self._pages_of(listing, "search", self.api.search, _search("page", "descending")):
            listing.source_time = listing.source_time or self.api.server_time
            refs = [ref for ref in _distinct(self._pages(listing, answer)) if not ref.in_trash]
            if not refs:
                continue
            last = refs[-1]
            stop = (
                LONG_AGO < last.last_edited_at < since - OVERLAP
                and _descends(refs, before)
                # A cursor alone is not trusted: clocks differ, and pages are shared late.
                and all(is_unchanged([last]))
            )
            before = min([before, *(ref.last_edited_at for ref in refs if ref.last_edited_at > LONG_AGO)])
            newest = max([newest, *(ref.last_edited_at for ref in refs)])
            yield refs
            if stop:
                break
        if listing.problems:
            return  # the source did not answer the search: its trash is not asked for either
        trash = yield from self._trash(listing, trash, is_unchanged)
        listing.complete = not listing.problems
        listing.cursor = _cursor(listing.source_time or newest, trash)

    def _trash(
        self, listing: Listing, known: Trash, is_unchanged: IsUnchanged
    ) -> Generator[Sequence[PageRef], None, Trash]:
        """Trashed pages and databases, newest first, until a whole answer holds nothing new.

        Returns how the API lists its trash, for the next sync.
        """
        listed: set[str] = set()
        side: Listing = Listing()
        trash, answers = self._answers_of_trash(side, known)
        if answers is None:
            return trash
        for answer in answers:
            refs = _understood(side, answer, "data_source", data_source_ref)
            refs = _newest_first([*refs, *self._pages(side, answer)])
            if not all(ref.in_trash for ref in refs):
                log.warning("this Notion API ignores the filter for its trash; the nightly audit finds it")
                return trash
            listed.update(ref.external_id for ref in refs)
            news = not all(is_unchanged(refs))
            yield refs
            if refs and not news:
                listing.trash_since = refs[-1].last_edited_at if len(answer) == PAGE_SIZE else None
                break
        if side.problems:
            listing.problems.extend(side.problems)
        else:
            listing.trash = listed
        return trash

    def _answers_of_trash(self, side: Listing, known: Trash) -> tuple[Trash, Iterator[list[dict[str, Any]]] | None]:
        """How this API lists its trash, and its answers, or None when it refuses every way.

        An API that knows the trash filter only beside a kind of object refuses the first request for both kinds.
        """
        if known is Trash.OF_ALL:
            try:
                return Trash.OF_ALL, self._first_seen(side, _search(None, "descending", in_trash=True))
            except RequestInvalid as error:
                log.info("this Notion API lists its trash by kind of object: %s", error)
        try:
            return Trash.OF_PAGES, self._first_seen(side, _search("page", "descending", in_trash=True))
        except RequestInvalid as error:
            log.warning("this Notion API does not list its trash: %s", error)
            return Trash.OF_PAGES, None

    def _first_seen(self, side: Listing, search: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """The answers to a search whose first one has come.

        Raises:
            RequestInvalid: the first request was refused. What goes wrong later is a problem of `side`.
        """
        answers = self._answers_of(side, "search", self.api.search, search)
        first = next(answers, None)

        def all_of_them() -> Iterator[list[dict[str, Any]]]:
            if first is not None:
                yield first
                yield from _refusals_noted(side, answers)

        return all_of_them()

    def _pages_of(
        self,
        listing: Listing,
        path: str,
        ask: Callable[..., dict[str, Any]],
        body: Mapping[str, Any],
        capped: list[str] | None = None,
    ) -> Iterator[list[dict[str, Any]]]:
        """Follow one listing to its end; what goes wrong is noted and ends it, never raised (see `_answers_of`)."""
        return _refusals_noted(listing, self._answers_of(listing, path, ask, body, capped))

    def _answers_of(
        self,
        listing: Listing,
        path: str,
        ask: Callable[..., dict[str, Any]],
        body: Mapping[str, Any],
        capped: list[str] | None = None,
    ) -> Iterator[list[dict[str, Any]]]:
        """Follow one listing to its end. `ask` is a method of an endpoint, `path` names it in problems.

        A result cap is appended to `capped` when given (the caller knows a way around), else to the problems.

        Raises:
            RequestInvalid: the API does not know what is asked. All else that goes wrong is noted and ends the listing.
        """
        cursor: str | None = None
        progress = Progress(MOST_LISTED)
        while True:
            try:
                answer = ask(**body, start_cursor=cursor)
            except SourceUnavailable as error:
                listing.problems.append(str(error))
                return
            except PageUnavailable as error:
                listing.problems.append(f"listing refused: {error}")
                return
            except RequestInvalid:
                raise
            except PageRejected as error:
                listing.problems.append(f"listing refused: {error}")
                return
            listed = answer.get("results")
            if answer["object"] != "list" or not isinstance(listed, list):
                listing.problems.append(f"{path} answered with something other than a list")
                return
            results = mappings(listed)
            if len(results) < len(listed):
                listing.problems.append(f"{path} listed {len(listed) - len(results)} things that are not objects")
            yield results
            if not answer.get("has_more"):
                if cut := _cut_short(answer, path):
                    (listing.problems if capped is None else capped).append(cut)
                return
            try:
                cursor = progress.next(answer, results)
            except AnswerUnusable as error:
                listing.problems.append(f"{path}: {error}")
                return


def _cut_short(answer: Mapping[str, Any], path: str) -> str | None:
    """Why an answer that is the last one is not the end of the listing, in words; None where it is."""
    status = answer.get("request_status")
    if not isinstance(status, dict) or status.get("type") != "incomplete":
        return None
    said = status.get("incomplete_reason")
    reason = said[:200] if isinstance(said, str) else "no reason given"
    return clean(f"{path} is incomplete: {reason}")


def _results(answer: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """What an answer lists.

    Raises:
        AnswerUnusable: it is not a list of objects.
    """
    listed = answer.get("results")
    if answer["object"] != "list" or not isinstance(listed, list) or len(mappings(listed)) < len(listed):
        raise AnswerUnusable(f"{path} answered with something other than a list of objects")
    return mappings(listed)


def _ids_shown(results: Sequence[Mapping[str, Any]], path: str) -> tuple[str, ...]:
    """The pages of an answer that are not in the trash.

    Raises:
        AnswerUnusable: an item may be a page and cannot be named.
    """
    unread: Listing = Listing()
    ids = _understood(unread, results, "page", lambda item: (page_id_of(item), is_trashed(item)))
    if unread.problems:
        raise AnswerUnusable(f"{path}: {unread.problems[0]}")
    return tuple(page for page, in_trash in ids if not in_trash)


def _place_after(
    answer: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    held: Mapping[str, Any],
    path: str,
    may_be_windowed: bool,
) -> str | None:
    """Where a sweep goes on behind this answer; None: it has shown everything.

    Raises:
        AnswerUnusable: it was cut short, or does not go on.
    """
    if answer.get("has_more"):
        cursor = answer.get("next_cursor")
        if not isinstance(cursor, str) or not cursor or cursor == held.get("cursor"):
            raise AnswerUnusable(f"{path}: it says there is more but repeats its cursor")
        return json.dumps({**held, "cursor": cursor})
    cut = _cut_short(answer, path)
    if cut is None:
        return None
    start = _newest_made(results)
    if not may_be_windowed or start is None or start == held.get("start"):
        raise AnswerUnusable(cut)
    return json.dumps({"start": start})


def _newest_made(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """When the last of these rows was made, in Notion's words; None where none of them says so."""
    times = [made for row in rows if isinstance(made := row.get("created_time"), str)]
    return times[-1] if times else None


def _rows(start: str | None) -> dict[str, Any]:
    """A query for all rows, or for those that were not made before `start`."""
    body: dict[str, Any] = {
        "sorts": [{"timestamp": "created_time", "direction": "ascending"}],
        "page_size": PAGE_SIZE,
    }
    if start is not None:
        body["filter"] = {"timestamp": "created_time", "created_time": {"on_or_after": start}}
    return body


def _refusals_noted(listing: Listing, answers: Iterator[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    try:
        yield from answers
    except RequestInvalid as error:
        listing.problems.append(f"listing refused: {error}")


def _understood(
    listing: Listing, answer: Sequence[Mapping[str, Any]], kind: str, read: Callable[[Mapping[str, Any]], Read]
) -> list[Read]:
    """The objects of one kind in an answer; other kinds are data that a later release may know.

    What does not say of what kind it is, or has no proper id, may be one that we look for: a problem of the listing.
    """
    refs: list[Read] = []
    for item in answer:
        try:
            if not isinstance(item.get("object"), str):
                raise AnswerUnusable("an item does not say what it is")
            if item["object"] == kind:
                refs.append(read(item))
        except (AnswerUnusable, PageRejected) as error:
            listing.problems.append(f"an item of the listing cannot be used: {error}")
    return refs


def _newest_first(refs: Sequence[PageRef]) -> list[PageRef]:
    return sorted(refs, key=lambda ref: ref.last_edited_at, reverse=True)


def _search(kind: str | None, direction: str, in_trash: bool = False) -> dict[str, Any]:
    """A search for one kind of object, or for both."""
    wanted: dict[str, Any] = {"property": "object", "value": kind} if kind else {}
    return {
        "filter": {**wanted, "in_trash": True} if in_trash else wanted,
        "sort": {"timestamp": "last_edited_time", "direction": direction},
        "page_size": PAGE_SIZE,
    }


def _cursor(since: datetime, trash: Trash) -> str:
    return json.dumps({"since": since.isoformat(), "trash": trash})


def _trash_known(held: Mapping[str, Any]) -> Trash:
    return Trash.OF_PAGES if held.get("trash") == Trash.OF_PAGES else Trash.OF_ALL


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
    """True when the server honoured the sort; without it, stopping early would lose edits."""
    times = [before, *(ref.last_edited_at for ref in refs if ref.last_edited_at > LONG_AGO)]
    return all(earlier >= later for earlier, later in pairwise(times))
