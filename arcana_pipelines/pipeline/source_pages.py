"""The stages `notion_pages` and `support_tickets`: list the source, read what is stale, prove what is gone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg.types.json import Jsonb

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.errors import (
    AnswerUnusable,
    ArcanaError,
    PageRejected,
    PageUnavailable,
    SourceMismatch,
    SourcePaused,
    SourceUnavailable,
)
from arcana_pipelines.ledger import files, generations, inbox, pages
from arcana_pipelines.ledger.counters import Counters
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.ledger.inbox import Waiting
from arcana_pipelines.ledger.removal import is_below_trash, learn_what_is_above, remove_absent, shows_everything
from arcana_pipelines.net.in_flight import in_flight
from arcana_pipelines.net.one_ahead import one_ahead
from arcana_pipelines.net.workers import worker_threads
from arcana_pipelines.sources.protocol import FetchedPage, Listing, Mode, PageRef, Presence, Source
from arcana_pipelines.workspaces.workspaces import Workspace, ask_for_notes

log = logging.getLogger(__name__)

# Pages read between two commits: what a crash loses at most.
COMMIT_PAGES = 50
# Linked pages that an audit looks at: one request each.
MOST_LINKS = 500
# Archived pages that an audit looks at: one or two requests each.
MOST_ARCHIVED = 200
# Where edits may hide, an audit a night reads each page once in so many.
AUDITS_TO_READ_ALL = 30
# So many failures of the whole source in a row, without one page read, end the reading.
GIVE_UP_AFTER = 20
# A planner that takes the ledger for as small as it was before such a listing compares each page with each.
MANY = 1000
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PagesReport:
    """What one listing found and did.

    Attributes:
        mode: `incremental`, `full` or `audit`, as it was run.
        listing_complete: the source listed everything that it was asked for.
        problems: why not, in words.
        generation: its number.
        listed: pages, counted while listing, apart from the ledger.
        fetched: pages whose body was read.
        failed: pages whose body could not be read.
        removed: pages that are proven gone.
        waiting: pages whose removal waits for a person.
    """

    generation: int
    mode: str
    listing_complete: bool
    problems: tuple[str, ...]
    listed: int
    fetched: int
    failed: int
    removed: int
    waiting: int


def sync_pages(
    connection: Connection,
    workspace: Workspace,
    source: Source,
    mode: Mode,
    *,
    allow_removals: int = 0,
    concurrency: int = 10,
    run: str | None = None,
    is_estimate: bool = False,
    read_seconds: float | None = None,
    on_listed: Callable[[int], None] = lambda left: None,
    on_read: Callable[[int], None] = lambda left: None,
) -> PagesReport:
    """Bring the ledger up to date with the source. The first sync, and one without a cursor, is full.

    `run` and `is_estimate` are noted of the generation (see `Counters`). After `read_seconds` of reading, what is left
    stays pending. `on_read` is called whenever pages that were read have been committed, with how many are left;
    `on_listed` while the first sync lists pages, with how many it is going to read at least.

    Raises:
        TokenRevoked: the token is not accepted. Nothing is removed.
        SourceMismatch: the token belongs to another account than the indexed one.
        SourceUnavailable: the source answers nothing at all any more.
    """
    if workspace.source_cursor is None and mode is Mode.INCREMENTAL:
        mode = Mode.FULL
    identity = _identified(workspace, source, mode)
    generation = generations.begin(connection, workspace.workspace_id, mode, run=run, is_estimate=is_estimate)
    announced = inbox.waiting(connection, workspace.workspace_id)
    listing, listed = _list(connection, workspace, source, generation, on_listed)
    there = _look_at_announced(connection, generation, source, announced, listing)
    if mode is Mode.AUDIT:
        there += _follow_links(connection, generation, source, [ref.external_id for _, ref in there])
        listed += _look_at_archived(connection, generation, source)
        if source.capabilities.hides_edits:
            pages.mark_share_stale(connection, generation, AUDITS_TO_READ_ALL)
    elif mode is Mode.INCREMENTAL and source.capabilities.has_containers:
        # That lists pages alone, and the text of a row names its database.
        _record_databases(connection, generation, source)
    if listing.complete and not listed and mode is not Mode.INCREMENTAL:
        _distrust_empty(connection, generation, listing, allow_removals)
    if source.capabilities.lists_files:
        files.ask_for_unknown(connection, workspace.workspace_id)
    # A listing that failed at once tells no time of the source's, and our clock may differ: no page is settled then.
    source_now = listing.source_time or _newest_edit(connection, generation) or LONG_AGO
    # Removal comes first: reading a page that the trash or a whole listing speaks against proves nothing.
    removal = remove_absent(connection, generation, source, listing, allow_removals)
    listed += _take_up(connection, generation, source, there)
    listed += pages.companions_follow(connection, generation, source.capabilities.has_companions)
    until = None if read_seconds is None else time.monotonic() + read_seconds
    reading = _Reading(connection, generation, source, source_now, concurrency, until, on_read)
    reading.run()
    if reading.paused:
        listing.problems.append(reading.paused)
    report = PagesReport(
        generation=generation.number,
        mode=mode,
        listing_complete=listing.complete,
        problems=tuple(listing.problems),
        listed=listed + reading.extra + removal.alive,
        fetched=reading.fetched,
        failed=reading.failed,
        removed=removal.removed,
        waiting=removal.waiting,
    )
    counted = Counters(
        listed=report.listed,
        removed=removal.removed,
        waiting_removals=removal.waiting,
        notion=source.traffic(),
        is_whole=(listing.complete and shows_everything(source, mode)) or None,
    )
    with connection.transaction():
        inbox.close(connection, workspace.workspace_id, announced.event_ids, generation.number)
        _finish(connection, workspace, generation, listing, identity, source.credential())
        generations.merge_counters(connection, generation, counted)
    return report


def _list(
    connection: Connection,
    workspace: Workspace,
    source: Source,
    generation: Generation,
    on_listed: Callable[[int], None],
) -> tuple[Listing, int]:
    """Write the listing into the ledger, batch by batch; returns it with the number of distinct pages."""
    listed: set[str] = set()

    def is_unchanged(refs: Sequence[PageRef]) -> list[bool]:
        return pages.are_unchanged(connection, workspace.workspace_id, refs)

    mode_is_full = generation.mode is not Mode.INCREMENTAL
    listing = source.enumerate(generation.mode, workspace.source_cursor, is_unchanged)
    # How far an incremental listing goes is asked of the ledger, batch by batch.
    with closing(one_ahead(listing.batches)) if mode_is_full else nullcontext(listing.batches) as batches:
        for batch in batches:
            # A trashed page is a matter of removal; a database is on record either way.
            shown = [ref for ref in batch if not ref.in_trash or (mode_is_full and ref.is_container)]
            if not mode_is_full:
                # One that was made and trashed since the last whole listing: its rows are known, it is not.
                shown += pages.unknown_trashed_databases(connection, workspace.workspace_id, batch)
            if shown:
                with connection.transaction():
                    pages.record(connection, generation, shown)
                listed.update(ref.external_id for ref in shown if not ref.is_container)
                if generation.number == 1:
                    on_listed(len(listed))
    if len(listed) >= MANY:
        connection.execute("ANALYZE source_page")
    return listing, len(listed)


def _record_databases(connection: Connection, generation: Generation, source: Source) -> None:
    """Ask for each database that new rows name but no listing has shown."""
    unknown = pages.unknown_databases(connection, generation.workspace_id, MOST_LINKS)
    looks = [source.container(external_id) for external_id in unknown]
    databases = [ref for presence, ref in looks if presence.is_there and ref is not None]
    if databases:
        with connection.transaction():
            pages.record(connection, generation, databases)


def _follow_links(
    connection: Connection, generation: Generation, source: Source, known: Collection[str]
) -> list[tuple[Presence, PageRef]]:
    """Look at pages that others link to but no listing has shown (search is not exhaustive); returns those that are
    there, without those that are `known` to be.
    """
    unknown = pages.unknown_links(connection, generation.workspace_id, MOST_LINKS)
    looks = [source.confirm(external_id) for external_id in unknown if external_id not in known]
    return [(presence, ref) for presence, ref in looks if presence.is_there and ref is not None]


def _look_at_archived(connection: Connection, generation: Generation, source: Source) -> int:
    """Look at a share of the archived pages, which nothing lists; those that are gone become suspects."""
    asked = pages.archived_to_look_at(connection, generation, MOST_ARCHIVED)
    looks = [(external_id, *source.confirm(external_id)) for external_id in asked]
    gone = [external_id for external_id, presence, _ in looks if presence in (Presence.GONE, Presence.TRASHED)]
    if gone:
        with connection.transaction():
            pages.store_suspects(connection, generation, gone)
    return pages.record_looks(connection, generation, [(presence, ref) for _, presence, ref in looks])


def _look_at_announced(
    connection: Connection, generation: Generation, source: Source, announced: Waiting, listing: Listing
) -> list[tuple[Presence, PageRef]]:
    """Look at announced pages that the listing did not show: the search index may lag behind the events.

    Returns those that are there; trashed ones join the listing's trash.
    """
    if source.capabilities.reads_comments:
        with connection.transaction():
            pages.mark_stale(connection, generation, announced.commented)
    unlisted = pages.not_seen(connection, generation, announced.pages)
    alive: list[tuple[Presence, PageRef]] = []
    for external_id in unlisted:
        presence, ref = source.confirm(external_id)
        if presence.is_there and ref is not None:
            alive.append((presence, ref))
        elif presence is Presence.TRASHED and listing.trash is not None:
            listing.trash.add(external_id)
    return alive


def _take_up(
    connection: Connection, generation: Generation, source: Source, there: Sequence[tuple[Presence, PageRef]]
) -> int:
    """Record pages that direct looks found to be there, except below something in the trash; returns how many."""
    # Removal may have listed some of them in the meantime.
    new = set(pages.not_seen(connection, generation, [ref.external_id for _, ref in there]))
    taken = [(presence, ref) for presence, ref in there if ref.external_id in new]
    told = [(ref.external_id, presence, ref) for presence, ref in taken]
    unseen = learn_what_is_above(connection, generation, source, told, is_sure=True)
    looks = [
        (presence, ref) for presence, ref in taken
        if not is_below_trash(connection, generation, ref, unseen=unseen)
    ]  # fmt: skip
    return pages.record_looks(connection, generation, looks)


def _distrust_empty(connection: Connection, generation: Generation, listing: Listing, allow_removals: int) -> None:
    """A listing without a single page, where we hold some, is taken for a failure until a person allows it."""
    held = pages.count_listed(connection, generation)
    if held > allow_removals:
        listing.complete = False
        listing.problems.append(
            f"the source listed no page at all although {held} are known; check what the connection may see, "
            f"or allow their removal with --allow-removals {held}"
        )


def _identified(workspace: Workspace, source: Source, mode: Mode) -> str | None:
    """Whose workspace the source shows now; asked in full listings and whenever the token has changed."""
    known = workspace.source_workspace_id
    if mode is Mode.INCREMENTAL and source.credential() == workspace.credential_hash:
        return known
    try:
        identity = source.identity()
    except PageRejected as error:
        log.warning("workspace '%s': the token does not say whose it is: %s", workspace.slug, error)
        return known
    if known and identity and identity != known:
        raise SourceMismatch(
            f"Workspace '{workspace.slug}' was indexed from another account than its token and settings lead to now "
            f"(it was {known}, and is {identity}). Nothing was changed. Restore what was set before, or register a new "
            "workspace for the other account."
        )
    return identity


def _finish(
    connection: Connection,
    workspace: Workspace,
    generation: Generation,
    listing: Listing,
    identity: str | None,
    credential: str | None,
) -> None:
    """The cursor moves only when the listing was as whole as it can be and everything it said is in the ledger."""
    connection.execute(
        "UPDATE sync_generation SET listing_complete = %s, problems = to_jsonb(%s::text[]) "
        "WHERE workspace_id = %s AND generation = %s",
        [listing.complete, listing.problems, generation.workspace_id, generation.number],
    )
    if listing.complete:
        # The source has answered: what the looks have found before is over, and they need not wait any more.
        connection.execute(
            "UPDATE workspace SET poll_failures = 0, poll_problem = NULL, poll_after = NULL "
            "WHERE workspace_id = %s AND (poll_failures > 0 OR poll_problem IS NOT NULL)",
            [generation.workspace_id],
        )
    source_config = scalar(
        connection,
        # Who has changed what the source is read with meanwhile wants everything listed once more.
        "UPDATE workspace SET source_cursor = CASE WHEN %s AND source_config = %s THEN %s ELSE source_cursor END, "
        "source_workspace_id = coalesce(source_workspace_id, %s), credential_hash = %s, updated_at = now() "
        "WHERE workspace_id = %s RETURNING source_config",
        [
            (listing.complete or listing.is_limited) and listing.cursor is not None,
            Jsonb(workspace.source_config),
            listing.cursor,
            identity,
            credential,
            workspace.workspace_id,
        ],
    )
    if source_config is not None:  # else the workspace was removed meanwhile
        ask_for_notes(connection, workspace, source_config)


def _newest_edit(connection: Connection, generation: Generation) -> datetime | None:
    row = connection.execute(
        "SELECT max(last_edited_at) FROM source_page WHERE workspace_id = %s AND seen_generation = %s",
        [generation.workspace_id, generation.number],
    ).fetchone()
    return None if row is None else row[0]


class _Reading:
    """Reads stale pages with bounded concurrency and commits them in small batches."""

    def __init__(
        self,
        connection: Connection,
        generation: Generation,
        source: Source,
        source_now: datetime,
        concurrency: int,
        until: float | None,
        on_read: Callable[[int], None],
    ) -> None:
        self.connection = connection
        self.generation = generation
        self.source = source
        self.source_now = source_now
        self.concurrency = concurrency
        self.until = until
        self.on_read = on_read
        self.fetched = 0
        self.failed = 0
        # Pages that this generation did not list (retries and settling pages), and how many of them it took up.
        self._unlisted: set[str] = set()
        self.extra = 0
        self._left = 0
        self._absent: list[str] = []
        self.paused: str | None = None
        self._read: list[tuple[PageRef, FetchedPage]] = []
        self._failures: dict[str, str] = {}
        self._failed_in_a_row = 0

    def run(self) -> None:
        """Read everything that is stale now."""
        # A window twice as wide as the pool keeps it busy without holding the workspace.
        window = 2 * self.concurrency
        with worker_threads(self.concurrency, "fetch") as pool:
            try:
                with closing(in_flight(pool, self.source.fetch, self._stale(), window)) as read:
                    for ref, future in read:
                        self._take(ref, future)
                        if len(self._read) + len(self._failures) >= COMMIT_PAGES:
                            self._commit()
                            self.on_read(self._left)
            finally:
                if not self.connection.closed:
                    self._commit()

    def _stale(self) -> Iterator[PageRef]:
        ids = pages.to_fetch(self.connection, self.generation, self.source_now)
        self._left = len(ids)
        for batch in pages.references(self.connection, self.generation, ids):
            self._unlisted |= pages.not_listed(self.connection, self.generation, batch)
            for ref in batch:
                if self.paused or (self.until is not None and time.monotonic() >= self.until):
                    return
                self._left -= 1
                yield ref

    def _take(self, ref: PageRef, future: Future[FetchedPage]) -> None:
        try:
            page = future.result()
        except SourcePaused as error:
            self.paused = str(error)  # no fault of the page: it stays pending
        except PageUnavailable as error:
            if ref.external_id in self._unlisted:
                self._absent.append(ref.external_id)
            else:
                self._failures[ref.external_id] = str(error)
        except PageRejected as error:
            self._failures[ref.external_id] = str(error)
        except AnswerUnusable as error:
            self._failures[ref.external_id] = str(error)
        except SourceUnavailable as error:
            self._failures[ref.external_id] = str(error)
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= GIVE_UP_AFTER:
                raise SourceUnavailable(
                    f"{self._failed_in_a_row} pages in a row could not be read ({error}). "
                    "What was read is kept; the next sync goes on from here."
                ) from error
        except (ArcanaError, psycopg.Error):
            raise
        except Exception as error:  # the edge of a page: one that cannot be read delays no other
            log.exception("%s %s cannot be read", ref.kind, ref.external_id)
            self._failures[ref.external_id] = f"cannot be read: {type(error).__name__}: {error}"
        else:
            self._read.append((ref, page))
            self._failed_in_a_row = 0

    def _commit(self) -> None:
        companions = [ref.external_id for _, page in self._read for ref, _ in page.companions or ()]
        self.extra += len(pages.not_seen(self.connection, self.generation, companions)) if companions else 0
        with self.connection.transaction():
            if self._read:
                pages.store_fetched(self.connection, self.generation, self._read, self.source_now)
            if self._absent:
                pages.store_suspects(self.connection, self.generation, self._absent)
            if self._failures:
                pages.store_failed(self.connection, self.generation, self._failures)
        self.fetched += len(self._read)
        self.failed += len(self._failures)
        self.extra += sum(ref.external_id in self._unlisted for ref, _ in self._read)
        self.extra += sum(page in self._unlisted for page in self._failures)
        self._read, self._absent, self._failures = [], [], {}
