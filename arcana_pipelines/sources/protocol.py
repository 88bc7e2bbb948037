"""What a source is: something that lists pages, reads one, and proves that one is gone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import IO, Any, Protocol

from arcana_pipelines.errors import DownloadRefused, PageRejected

__all__ = ["Announcement", "FetchedPage", "FileRef", "Listing", "Mode", "PageRef", "Presence", "Shown", "Source"]


class Mode(StrEnum):
    """How much of the source a sync lists."""

    FULL = "full"
    INCREMENTAL = "incremental"
    AUDIT = "audit"


class Presence(StrEnum):
    """What a direct look at one page says about it.

    `ARCHIVED`: it is there, it will not change any more, and no listing will ever show it again. Without a reference:
    it is where nothing can be looked at, if it is there; the ledger takes an old page for archived, another for gone.
    """

    ALIVE = "alive"
    ARCHIVED = "archived"
    TRASHED = "trashed"
    GONE = "gone"
    UNKNOWN = "unknown"

    @property
    def is_there(self) -> bool:
        """Whether it stays in the index."""
        return self in (Presence.ALIVE, Presence.ARCHIVED)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a source can do. The defaults are those of a source that can do nothing special.

    Attributes:
        lists_trash: `Listing.trash` says what is in the source's trash; without it a removed page is simply gone.
        has_containers: some items hold others and are not documents (`PageRef.is_container`). `Source.container` is
            then asked for the container of a row that no listing has shown.
        lists_everything: even an incremental listing shows all pages (a folder of files).
        probes: `Source.unchanged_since` may prove that nothing changed. Without it that is never asked.
        reads_comments: `Source.fetch` reads comments, so that a new comment is a reason to read its page again.
        absences_needed: how many syncs must find a page gone before that counts; 1 where the source's word is proof.
        sweeps: `Source.sweep` lists everything a request at a time. Without it absence is seen by syncs that list
            everything.
        lists_files: `Source.fetch` tells which files hang on a page.
        has_companions: documents come with a page that no listing shows (`FetchedPage.companions`). Those that the
            ledger has of a source without them are removed.
        hides_edits: some edits change no revision. Audits read a share of all pages again, those first that were read
            longest ago.
    """

    lists_trash: bool = False
    has_containers: bool = False
    lists_everything: bool = False
    probes: bool = False
    reads_comments: bool = False
    absences_needed: int = 2
    sweeps: bool = False
    lists_files: bool = False
    has_companions: bool = False
    hides_edits: bool = False


@dataclass(frozen=True, slots=True)
class PageRef:
    """One listed item.

    Attributes:
        external_id: the source's id in one canonical spelling.
        kind: `page`, `row` (a page of a container), `ticket`, `notes` (what is said of a ticket internally), `article`,
            or what the source calls its containers.
        parent_kind: `workspace` (nothing is above it), `page`, `block` (a part of a page that is not an item itself:
            `Source.confirm` tells the page around it) or what the source calls its containers.
        parent_id: the id of what is above it; None where nothing is, or the source does not say.
        title: it may be empty.
        url: where a person can see it: its address, or, of a file that has none, its path in the source. None where it
            has neither.
        revision: changes whenever the body may have changed.
        last_edited_at: by the source's clock; aware.
        in_trash: the source has it in its trash.
        properties: a property's name to `{"type": str, "text": str, "value": JSON}`; the title is not among them. Those
            of a container are its columns, without text and value, the title (type `title`) among them. One with
            `"hidden": true` is compared by filters, and no part of the document's text.
        problem: why nothing but the id can be relied on, in words: such a page goes to quarantine, and what is known of
            it stays. Empty: nothing is wrong.
        is_container: it holds rows and is not a document itself.
        editor_id: the source's own id of who edited the item last; None where the source does not say so in what is
            read anyway. Another one does not make the page changed.
        editor_name: what people call them; else as `editor_id`.
        is_internal: it is not for everybody who may read the workspace: only keys with the scope `notes` find it.
        record: what the listing brought beside this, in the source's own words, as JSON. The ledger keeps it until the
            page is read: `Source.fetch` has it back.
    """

    external_id: str
    kind: str
    parent_kind: str
    parent_id: str | None
    title: str
    url: str | None
    revision: str
    last_edited_at: datetime
    in_trash: bool = False
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problem: str = ""
    is_container: bool = False
    editor_id: str | None = None
    editor_name: str | None = None
    is_internal: bool = False
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file that hangs on a page.

    Attributes:
        file_id: what stays while the file is the same one: of a file that Notion keeps the path of its address, of one
            elsewhere its address, of one in an export its path there. Unique on its page.
        name: as a person sees it, with its ending where it has one; never a path.
        address: where its bytes are now, in the source's own words: `Source.download` takes it. It may hold a
            signature, and is kept only until the file was fetched.
        expires_at: when that address ends; aware. None: it does not.
        origin: what it is on the page: `file`, `pdf`, `image`, `audio`, `video`, `property` or `cover`.
        caption: what the page says of it.
        is_external: anybody who edits the page chose the address: it is fetched only from hosts that are allowed.
        version: differs when the bytes of the same file may; empty where that cannot be seen without fetching it (one
            elsewhere), or never happens (one that Notion keeps).
    """

    file_id: str
    name: str
    address: str
    expires_at: datetime | None = None
    origin: str = "file"
    caption: str = ""
    is_external: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """The body of one page as the source gives it.

    Attributes:
        markdown: the body, without the title.
        fetched_at: by the source's clock, when the reading began or shortly before; aware. What was edited later may be
            missing.
        links: ids of pages that the body points to where its Markdown does not show it.
        partial: what could not be read (a child that is not shared), in words; empty for a whole page.
        properties: in the place of the listed ones (a listing may cut long relations short); None: those hold.
        unknown_types: what the source has and we do not know; its text is kept as far as there is any.
        title: in the place of the listed one; None: that holds.
        files: what hangs on the page, in the order of the page; None where the source was not asked for files.
        record: a ticket as `sources.ticket_record.TicketRecord` has it, for the tables of tickets; None: this is none.
        companions: documents that come with this one, as whole as this one. Those that came before and do not now are
            removed; they go and return with their page. None: the source was not asked for any.
    """

    markdown: str
    fetched_at: datetime
    links: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    properties: Mapping[str, Mapping[str, Any]] | None = None
    unknown_types: tuple[str, ...] = ()
    title: str | None = None
    files: tuple[FileRef, ...] | None = None
    record: Mapping[str, Any] | None = None
    companions: tuple[tuple[PageRef, FetchedPage], ...] | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was asked of a source since it was opened.

    Attributes:
        requests: requests sent, repeated ones included.
        throttled: those of them that were refused as too many.
    """

    requests: int = 0
    throttled: int = 0


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event in which the source says that something changed: a hint where to look, no more.

    Attributes:
        event_id: the source's id of the event: the same when it is sent again.
        event_type: in the source's words, such as `page.content_updated`; what begins with `comment.` tells of a
            comment.
        source_workspace_id: the id of the source's own workspace (`Source.identity`).
        external_id: the page concerned; None where there is none.
        occurred_at: by the source's clock; aware. None: it does not say.
    """

    event_id: str
    event_type: str
    source_workspace_id: str
    external_id: str | None
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What one request of a sweep has shown.

    Attributes:
        ids: of the pages and rows that are there; none that is in the trash.
        place: where the next request goes on, in the source's own words; None: the listing has proven its end.
    """

    ids: tuple[str, ...]
    place: str | None


@dataclass(slots=True)
class Listing:
    """A running enumeration: iterate `batches`, then read how it ended.

    Attributes:
        batches: the items, a few hundred at a time; to be iterated once. The other fields hold when it has ended.
        complete: True only when every listing was read to its proven end.
        problems: why it is not complete, in words.
        is_limited: it is not complete for a reason that stays: the credential does not see everything. Nothing is taken
            for missing, and the cursor moves all the same.
        cursor: what the next incremental listing starts from; None: the one before stays.
        source_time: the source's clock when the listing began; aware. None: it does not say.
        trash: ids that the source lists as trashed; None: it lists none, or not now.
        trash_since: the edit time down to which `trash` is whole; None: all of it is.
    """

    batches: Iterator[Sequence[PageRef]] = field(default_factory=lambda: iter(()))
    complete: bool = False
    problems: list[str] = field(default_factory=list)
    is_limited: bool = False
    cursor: str | None = None
    source_time: datetime | None = None
    trash: set[str] | None = None
    trash_since: datetime | None = None


class Source(Protocol):
    """One connected source of one workspace. `fetch` and `confirm` are called from several threads at once.

    Inherit from it: what `capabilities` do not promise needs no method then.
    """

    capabilities: Capabilities

    def credential(self) -> str | None:
        """A fingerprint of the credential, from which it cannot be had back; None when there is none."""
        return None

    def identity(self) -> str | None:
        """The id of the source's own workspace that the credential belongs to, where it has one."""
        return None

    @abstractmethod
    def enumerate(
        self, mode: Mode, cursor: str | None, is_unchanged: Callable[[Sequence[PageRef]], Sequence[bool]]
    ) -> Listing:
        """List page references in batches of at most a few hundred.

        `is_unchanged` answers, for a batch, which references the ledger already holds in that revision;
        an incremental listing may stop behind its cursor once it meets them. A full listing or audit does not ask it:
        its batches are made in another thread, while the one before is written into the ledger.
        """
        ...

    @abstractmethod
    def fetch(self, ref: PageRef) -> FetchedPage:
        """Read one page's body.

        Raises:
            PageUnavailable: the source says there is no such page (for us).
            PageRejected: this page cannot be read; others can.
            SourceUnavailable: nothing can be read now.
            TokenRevoked: nothing can be read with this token.
        """
        ...

    @abstractmethod
    def confirm(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """Look at one page, or at a companion of one, directly: whether it is there, and what it says of itself now.

        Errors are `UNKNOWN`, never `GONE`.

        Raises:
            TokenRevoked: nothing can be read with this token.
        """
        ...

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        """Write the bytes of a file that a page of this source names, from the beginning of `target`.

        What was cut short is gone on with where it was, and begun again where it cannot be.

        Args:
            most: bytes; a file that says it has more, or has, is refused.

        Raises:
            DownloadExpired: its address holds no longer; reading its page gives a new one.
            DownloadRefused: it is too large, or lies where nothing is fetched from.
            DownloadFailed: it could not be had now.
            TokenRevoked: nothing can be read with this token.
        """
        raise DownloadRefused("this source has no files")

    def container(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """Look at one container directly; the reference is None when nothing is known of it.

        One inside a block has the page around it as its parent, and is trashed with the block.

        Raises:
            TokenRevoked: nothing can be read with this token.
        """
        return Presence.UNKNOWN, None

    def sweep(self, container: str | None, place: str | None) -> Shown:
        """List all pages, or the rows of one container, one request at a time; nothing is read besides.

        Requests may be hours and processes apart. Pages that are edited meanwhile need not be shown.

        Args:
            container: whose rows are listed; None: everything that one listing shows.
            place: what the request before this one gave; None: this is the first.

        Raises:
            PageUnavailable: there is no such container.
            PageRejected, AnswerUnusable: the listing is refused or cut short. It proves nothing.
            SourceUnavailable: nothing can be listed now; the place holds.
            TokenRevoked: nothing can be listed with this token.
        """
        raise PageRejected("this source is not listed a request at a time")

    def unchanged_since(self, cursor: str | None) -> bool:
        """True when a look much cheaper than a listing proves that nothing changed since `cursor`."""
        return False

    def traffic(self) -> Traffic | None:
        """What was asked of the source so far; None for one that nothing is asked of (files)."""
        return None

    def close(self) -> None:
        """Release connections and files. The source may be used again."""
