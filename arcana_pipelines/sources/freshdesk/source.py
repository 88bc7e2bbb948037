"""Freshdesk through its API: which tickets there are, what was said in one, and whether a missing one is gone.

Facts about the API that shape this module:
- A list shows neither trash nor spam (lists of their own) nor what was archived: closed for 120 days, a ticket leaves
  every list without a word and for good. A direct look tells them apart.
- Messages cost a request a ticket; private notes stand among them.
- Times have whole seconds: what was updated twice in one second shows that once.
- A key lists what its agent may see, fewer tickets without any error.
https://developers.freshdesk.com/api/#tickets
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import IO, Any

import psycopg

from arcana_pipelines.errors import (
    AnswerUnusable,
    ArcanaError,
    DownloadRefused,
    PageRejected,
    PageUnavailable,
    SourceError,
    SourceUnavailable,
    TokenRevoked,
)
from arcana_pipelines.sources.freshdesk.api import LISTS, FeatureMissing, FreshdeskApi
from arcana_pipelines.sources.freshdesk.articles import ARTICLE, KnowledgeBase, article_text, attachments_of
from arcana_pipelines.sources.freshdesk.files import Attachments, file_refs
from arcana_pipelines.sources.freshdesk.html import linked
from arcana_pipelines.sources.freshdesk.names import Names
from arcana_pipelines.sources.freshdesk.people import People
from arcana_pipelines.sources.freshdesk.thread import Thread, read_thread
from arcana_pipelines.sources.freshdesk.tickets import NOTES, Tickets, is_removed, notes_ref, row_id, ticket_id
from arcana_pipelines.sources.freshdesk.values import LONG_AGO, listed, mapping, moment, number, text
from arcana_pipelines.sources.freshdesk.walk import LAST_PAGE, walk
from arcana_pipelines.sources.protocol import (
    Capabilities,
    FetchedPage,
    FileRef,
    Listing,
    Mode,
    PageRef,
    Presence,
    Source,
    Traffic,
)

log = logging.getLogger(__name__)

# What the list shows late, and clocks of several servers.
OVERLAP = timedelta(seconds=120)
# Tickets of the overlap that a cursor remembers, so that they are not listed again.
MOST_REMEMBERED = 2_000
# Messages that come with a look at a ticket, the oldest.
WITH_TICKET = 10
# A poll that nobody waits for looks at the trash once in so many; a sync always does.
TRASH_EVERY = 4
# Articles have no list of changes: tens of requests, so not with every sync.
ARTICLES_EVERY = timedelta(hours=1)
GLOBAL_SCOPE = 1
SCOPES = {GLOBAL_SCOPE: "all tickets", 2: "only tickets of its groups", 3: "only tickets of its own"}
# One request and five credits a hundred tickets.
DESCRIBED = "description,requester"
TRASHES = ("deleted", "spam")

Row = Mapping[str, Any]
IsUnchanged = Callable[[Sequence[PageRef]], Sequence[bool]]

_polls: Counter[str] = Counter()
_polls_lock = threading.Lock()


class FreshdeskSource(Source):
    """The tickets that one key may see, and the articles where they are wanted."""

    def __init__(
        self,
        api: FreshdeskApi,
        domain: str,
        *,
        private_notes: bool = False,
        articles: bool = False,
        with_files: bool = False,
        is_poll: bool = False,
    ) -> None:
        """`is_poll`: this is opened to see whether anything changed, many times an hour."""
        self.api = api
        self._domain = domain
        self._private_notes = private_notes
        self._with_files = with_files
        self._is_poll = is_poll
        self._people = People(api)
        self._names = Names(api)
        self._tickets = Tickets(domain, self._names, self._people)
        self._articles = KnowledgeBase(api, domain) if articles else None
        self._files = Attachments(api.base_url, self._attachments)
        self.capabilities = Capabilities(
            lists_trash=True,
            has_containers=articles,
            has_companions=private_notes,
            # Out of the key's reach looks like gone for ever.
            absences_needed=2,
            lists_files=with_files,
            # Whether an edited or deleted message moves `updated_at` is not documented.
            hides_edits=True,
        )

    def credential(self) -> str:
        """A fingerprint of the key (see `Source.credential`)."""
        return self.api.credential

    def identity(self) -> str:
        """The account: its name in its address."""
        return self._domain

    def traffic(self) -> Traffic:
        """Requests to Freshdesk."""
        return Traffic(self.api.traffic.requests, self.api.traffic.throttled)

    def close(self) -> None:
        """Close the connections."""
        self.api.close()

    # --- listing ---------------------------------------------------------------------------------

    def enumerate(self, mode: Mode, cursor: str | None, is_unchanged: IsUnchanged) -> Listing:
        """List the tickets (see `Source.enumerate`).

        Raises:
            TokenRevoked: 401. Everything else that goes wrong makes the listing incomplete.
        """
        listing = Listing()
        held = _Cursor.read(cursor)
        if mode is Mode.INCREMENTAL and held is not None:
            listing.batches = self._guarded(listing, self._recent(listing, held, is_unchanged))
            return listing
        if mode is Mode.INCREMENTAL:
            listing.problems.append("the cursor of the last sync is missing or unreadable; everything was listed")
        # An audit compares what the ledger has: what it finds changed is read ticket by ticket.
        include = DESCRIBED if mode is Mode.FULL else ""
        listing.batches = self._guarded(listing, self._everything(listing, include))
        return listing

    def _guarded(self, listing: Listing, batches: Iterator[Sequence[PageRef]]) -> Iterator[Sequence[PageRef]]:
        try:
            yield from batches
        except TokenRevoked:
            raise
        except SourceError as error:
            listing.complete = listing.is_limited = False
            listing.problems.append(str(error))

    def _everything(self, listing: Listing, include: str) -> Iterator[Sequence[PageRef]]:
        """Who lists, the knowledge base, all tickets, then trash and spam."""
        scope = number(self.api.get("agents/me").get("ticket_scope"))
        listing.is_limited = scope != GLOBAL_SCOPE
        if listing.is_limited:
            listing.problems.append(
                f"the key's agent sees {scope_in_words(scope)}: what it does not list may be there, and nothing is "
                "removed for not being listed. Give the key of an agent whose scope is global."
            )
        listing.source_time = self.api.server_time
        if self._articles is not None:
            yield from self._articles.listed()
        remembered = yield from self._walked(listing, LONG_AGO, include, {})
        yield from self._trash(listing, None)
        listing.complete = not listing.problems
        at = listing.source_time or datetime.now(UTC)
        listing.cursor = _Cursor(at, _since(remembered, at), at).written()

    def _recent(self, listing: Listing, held: _Cursor, is_unchanged: IsUnchanged) -> Iterator[Sequence[PageRef]]:
        """What was updated since, one request where nothing was; the trash, but not with every poll."""
        remembered = yield from self._walked(listing, held.since - OVERLAP, "", held.seen)
        at = listing.source_time or held.since
        if at < held.since - OVERLAP:
            log.warning("Freshdesk's clock was ahead when tickets were listed last: all are listed again")
            yield from self._everything(listing, DESCRIBED)
            return
        articles_at = held.articles_at
        if self._articles is not None and not self._is_poll and at - articles_at >= ARTICLES_EVERY:
            yield from self._articles.listed()
            articles_at = at
        if not self._is_poll or _turn(self.credential()):
            yield from self._trash(listing, is_unchanged)
        listing.complete = not listing.problems
        listing.cursor = _Cursor(max(at, held.since), _since(remembered, at), articles_at).written()

    def _walked(
        self, listing: Listing, since: datetime, include: str, seen: Mapping[str, str]
    ) -> Generator[Sequence[PageRef], None, dict[str, str]]:
        """Tickets that were updated since, without those of `seen`; returns which versions are done with."""
        done = dict(seen)
        for page in walk(self.api, since, include):
            listing.source_time = listing.source_time or page.date
            refs: list[PageRef] = []
            for row in page.rows:
                if row_id(row) is None:
                    listing.problems.append("an item of the listing has no id")
                elif seen.get(str(row["id"])) != text(row.get("updated_at")):
                    refs.append(self._understood(row, with_record=bool(include)))
                # A second that is not over may see another update, which would look the same.
                if page.date is not None and LONG_AGO < moment(row.get("updated_at")) < page.date:
                    done[str(row.get("id"))] = text(row.get("updated_at"))
            if refs:
                yield refs
        return done

    def _understood(self, row: Row, with_record: bool) -> PageRef:
        try:
            return self._tickets.ref(row, with_record)
        except (ArcanaError, psycopg.Error):
            raise
        except Exception as error:  # the edge of a ticket: one that cannot be understood delays no other
            log.exception("ticket %s cannot be understood", row.get("id"))
            problem = f"cannot be understood: {type(error).__name__}"
            return PageRef(str(row["id"]), "ticket", "workspace", None, "", None, "", LONG_AGO, problem=problem)

    def _trash(self, listing: Listing, is_unchanged: IsUnchanged | None) -> Iterator[Sequence[PageRef]]:
        """Trash and spam, newest first: all of both, or with `is_unchanged` until a whole answer holds nothing new."""
        ids: set[str] = set()
        whole_since: datetime | None = None
        for which in TRASHES:
            query = {"filter": which, "updated_since": "1970-01-01T00:00:00Z", "order_by": "updated_at"}
            for number_of_page in range(1, LAST_PAGE + 1):
                try:
                    page = self.api.page(LISTS, page=number_of_page, order_type="desc", **query)
                except PageRejected as error:
                    log.warning("the tickets in %s cannot be listed; a full listing finds them: %s", which, error)
                    return
                if any(row.get("spam") is False and not is_removed(row) for row in page.rows):
                    log.warning("what is listed as %s is not: what was removed is not known", which)
                    return
                refs = [_trashed(row) for row in page.rows if row_id(row) is not None]
                ids.update(ref.external_id for ref in refs)
                is_known = is_unchanged is not None and all(is_unchanged(refs))
                if refs and is_unchanged is not None:
                    yield refs
                if not page.has_more:
                    break
                times = [ref.last_edited_at for ref in refs]
                if is_known and times and all(earlier >= later for earlier, later in pairwise(times)):
                    whole_since = max(times[-1], whole_since or LONG_AGO)
                    break
            else:
                whole_since = max(times[-1] if times else datetime.now(UTC), whole_since or LONG_AGO)
        listing.trash, listing.trash_since = ids, whole_since

    # --- reading ---------------------------------------------------------------------------------

    def fetch(self, ref: PageRef) -> FetchedPage:
        """Read one ticket, its private notes, or one article (see `Source.fetch`)."""
        began = self.api.server_time
        if ref.external_id.startswith(ARTICLE):
            return self._article(ref, began)
        number_of_ticket = ticket_id(ref.external_id)
        if number_of_ticket is None:
            raise PageUnavailable(f"There is no {ref.kind} of this id.")
        if not ref.external_id.endswith(NOTES):
            return self._ticket(ref, number_of_ticket, began)
        of_ticket = replace(ref, external_id=str(number_of_ticket), kind="ticket", is_internal=False, record=None)
        whole = self._ticket(of_ticket, number_of_ticket, began)
        for companion, page in whole.companions or ():
            if companion.external_id == ref.external_id:
                return page
        raise PageUnavailable("The ticket has no private notes.")

    def _ticket(self, ref: PageRef, number_of_ticket: int, began: datetime | None) -> FetchedPage:
        row, conversations = self._read(ref, number_of_ticket)
        if is_removed(row):
            raise PageUnavailable("The ticket is in the trash, or spam.")
        thread = read_thread(row, conversations, self._people)
        fetched_at = began or self.api.server_time or datetime.now(UTC)
        if self._with_files:
            self._files.note(ref.external_id, [*thread.public_files(), *thread.private_files()])
        return FetchedPage(
            thread.markdown(),
            fetched_at,
            links=self._links(ref, thread, [row.get("description"), *thread.public_bodies()]),
            files=self._told(thread.public_files(), ref),
            record=dict(thread.record(self._names, self._people, self._private_notes)),
            companions=self._companions(ref, thread, fetched_at) if self._private_notes else None,
        )

    def _companions(
        self, ref: PageRef, thread: Thread, fetched_at: datetime
    ) -> tuple[tuple[PageRef, FetchedPage], ...]:
        notes = thread.notes()
        if not notes:
            return ()
        files = self._told(thread.private_files(), ref)
        return ((notes_ref(ref), FetchedPage(notes, fetched_at, files=files)),)

    def _read(self, ref: PageRef, number_of_ticket: int) -> tuple[Row, Sequence[Row]]:
        """The ticket and all of its messages: one request, as a rule."""
        brought = ref.record if isinstance(ref.record, Mapping) else {}
        self._people.note(brought.get("requester"))
        path = f"tickets/{number_of_ticket}"
        try:
            # The list brings no files of the description.
            if not self._with_files and brought.get("updated_at") == ref.revision and "description" in brought:
                return brought, self.api.all(f"{path}/conversations")
            include = "conversations" if brought else "conversations,requester"
            row = _of(number_of_ticket, self.api.get(path, include=include))
        except PageUnavailable:
            path = f"tickets/archived/{number_of_ticket}"
            row = _of(number_of_ticket, self.api.get(path, feature="tickets/archived"))
            return row, self.api.all(f"{path}/conversations", feature="tickets/archived")
        self._people.note(row.get("requester"))
        said = row.get("conversations")
        if not isinstance(said, list) or len(said) >= WITH_TICKET:
            said = self.api.all(f"{path}/conversations")
        return row, [mapping(message) for message in said]

    def _article(self, ref: PageRef, began: datetime | None) -> FetchedPage:
        found = self._articles.look(ref.external_id) if self._articles is not None else None
        if found is None:
            raise PageUnavailable("There is no published article of this id.")
        _, row = found
        fetched_at = began or self.api.server_time or datetime.now(UTC)
        attachments = attachments_of(row)
        if self._with_files:
            self._files.note(ref.external_id, attachments)
        links = tuple(each for each in linked(row.get("description"), self._domain) if each != ref.external_id)
        return FetchedPage(article_text(row), fetched_at, links=links, files=self._told(attachments, ref))

    def _links(self, ref: PageRef, thread: Thread, texts: Iterable[object]) -> tuple[str, ...]:
        merged = thread.merged_into()
        found = [str(merged)] if merged else []
        for each in texts:
            found += linked(each, self._domain)
        known = [each for each in found if self._articles is not None or not each.startswith(ARTICLE)]
        return tuple(each for each in dict.fromkeys(known) if each != ref.external_id)

    def _told(self, attachments: Sequence[Row], ref: PageRef) -> tuple[FileRef, ...] | None:
        return file_refs(attachments, ref.external_id) if self._with_files else None

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        """Write the bytes of a file (see `Source.download`)."""
        if not self._with_files:
            raise DownloadRefused("files are not fetched (FILES=off)")
        self._files.download(file, target, most)

    def _attachments(self, holder: str) -> Sequence[Row]:
        """What is attached to a ticket, its messages included, or to an article, with addresses of this moment."""
        if holder.startswith(ARTICLE):
            found = self._articles.look(holder) if self._articles is not None else None
            return attachments_of(found[1]) if found else []
        number_of_ticket = ticket_id(holder)
        if number_of_ticket is None:
            return []
        row, conversations = self._read(
            PageRef(holder, "ticket", "workspace", None, "", None, "", LONG_AGO), number_of_ticket
        )
        return [mapping(file) for said in (row, *conversations) for file in listed(said.get("attachments"))]

    # --- looking ---------------------------------------------------------------------------------

    def confirm(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """Look at one ticket, its notes or one article directly (see `Source.confirm`)."""
        try:
            if external_id.startswith(ARTICLE):
                return self._confirmed_article(external_id)
            number_of_ticket = ticket_id(external_id)
            if number_of_ticket is None:
                return Presence.UNKNOWN, None
            if external_id.endswith(NOTES):
                return self._confirmed_notes(external_id, number_of_ticket)
            return self._confirmed(number_of_ticket)
        except PageUnavailable:
            return Presence.GONE, None
        except (PageRejected, SourceUnavailable) as error:
            log.warning("%s could not be confirmed: %s", external_id, error)
            return Presence.UNKNOWN, None

    def _confirmed(self, number_of_ticket: int) -> tuple[Presence, PageRef | None]:
        """
        Raises:
            PageUnavailable: it is neither there nor in the archive.
        """
        presence = Presence.ALIVE
        try:
            row = self.api.get(f"tickets/{number_of_ticket}")
        except PageUnavailable:
            presence = Presence.ARCHIVED
            try:
                row = self.api.get(f"tickets/archived/{number_of_ticket}", feature="tickets/archived")
            except FeatureMissing:
                # Archived or gone: the plan does not let the API look. The ledger knows how old it is.
                return Presence.ARCHIVED, None
        if row_id(row) != number_of_ticket:
            log.warning("ticket %s could not be confirmed: Freshdesk answered with another", number_of_ticket)
            return Presence.UNKNOWN, None
        ref = self._understood(row, with_record=False)
        if ref.problem:
            return Presence.UNKNOWN, None
        return (Presence.TRASHED if ref.in_trash else presence), ref

    def _confirmed_notes(self, external_id: str, number_of_ticket: int) -> tuple[Presence, PageRef | None]:
        if not self._private_notes:
            return Presence.GONE, None
        presence, ticket = self._confirmed(number_of_ticket)
        if not presence.is_there or ticket is None:
            return presence, None if ticket is None else replace(notes_ref(ticket), in_trash=ticket.in_trash)
        row, conversations = self._read(ticket, number_of_ticket)
        if not read_thread(row, conversations, self._people).notes():
            return Presence.GONE, None
        return presence, notes_ref(ticket)

    def _confirmed_article(self, external_id: str) -> tuple[Presence, PageRef | None]:
        found = self._articles.look(external_id) if self._articles is not None else None
        # One that is a draft again is published again with a listing: no need to look for it.
        return (Presence.ALIVE, found[0]) if found else (Presence.GONE, None)

    def container(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """Look at a category or folder of the knowledge base (see `Source.container`)."""
        try:
            found = self._articles.container(external_id) if self._articles is not None else None
        except PageUnavailable:
            return Presence.GONE, None
        except (PageRejected, SourceUnavailable) as error:
            log.info("%s cannot be looked at: %s", external_id, error)
            return Presence.UNKNOWN, None
        return (Presence.ALIVE, found) if found is not None else (Presence.GONE, None)


class _Cursor:
    """Where the next incremental listing begins.

    Attributes:
        since: the server's clock when the last listing began.
        seen: versions of tickets, id to `updated_at`, that were updated shortly before and are done with.
        articles_at: when articles were listed last, by the server's clock.
    """

    def __init__(self, since: datetime, seen: Mapping[str, str], articles_at: datetime) -> None:
        self.since = since
        self.seen = seen
        self.articles_at = articles_at

    @classmethod
    def read(cls, cursor: str | None) -> _Cursor | None:
        """None: there is none, or it cannot be read."""
        try:
            held = json.loads(cursor or "")
        except ValueError:
            return None
        since = moment(mapping(held).get("since"))
        if since == LONG_AGO:
            return None
        seen = {str(key): text(value) for key, value in mapping(held.get("seen")).items()}
        return cls(since, seen, moment(held.get("articles")))

    def written(self) -> str:
        """As text."""
        return json.dumps(
            {"since": self.since.isoformat(), "seen": self.seen, "articles": self.articles_at.isoformat()}
        )


def scope_in_words(scope: object) -> str:
    """What tickets an agent of this `ticket_scope` sees."""
    return SCOPES.get(scope, "some tickets") if isinstance(scope, int) else "some tickets"


def _since(done: Mapping[str, str], at: datetime) -> dict[str, str]:
    """Of the versions that are done with, those that the next listing shows again; none where they are too many."""
    shown = {key: updated for key, updated in done.items() if moment(updated) >= at - OVERLAP - timedelta(seconds=1)}
    return shown if len(shown) <= MOST_REMEMBERED else {}


def _turn(credential: str) -> bool:
    """Whether a poll looks at the trash: the first one of this process does, then one in so many."""
    with _polls_lock:
        _polls[credential] += 1
        return _polls[credential] % TRASH_EVERY == 1


def _of(number_of_ticket: int, row: Row) -> Row:
    """
    Raises:
        AnswerUnusable: it is another ticket: what was said in it would be found under this one.
    """
    if row_id(row) != number_of_ticket:
        raise AnswerUnusable(f"Freshdesk answered with another ticket than {number_of_ticket}.")
    return row


def _trashed(row: Row) -> PageRef:
    """What the ledger needs to know of a ticket that is removed: that it is."""
    when = moment(row.get("updated_at"))
    return PageRef(
        str(row["id"]), "ticket", "workspace", None, "", None, text(row.get("updated_at")), when, in_trash=True
    )
