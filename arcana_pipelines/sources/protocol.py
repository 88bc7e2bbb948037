"""What a source is: something that lists pages, reads one, and proves that one is gone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

__all__ = ["Announcement", "FetchedPage", "Listing", "Mode", "PageRef", "Presence", "Source"]


class Mode(StrEnum):
    """How much of the source a sync lists."""

    FULL = "full"
    INCREMENTAL = "incremental"
    AUDIT = "audit"


class Presence(StrEnum):
    """What a direct look at one page says about it."""

    ALIVE = "alive"
    TRASHED = "trashed"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a source can do. The defaults are those of a source that can do nothing special.

    Attributes:
        lists_trash: `Listing.trash` says what is in the source's trash; without it a removed page is simply gone.
        has_containers: some items hold others and are no documents (`PageRef.is_container`). `Source.container` is then
            asked for the container of a row that no listing has shown.
        lists_everything: even an incremental listing shows all pages (a folder of files).
        probes: `Source.unchanged_since` may prove that nothing changed. Without it that is never asked.
        reads_comments: `Source.fetch` reads comments, so that a new comment is a reason to read its page again.
        absences_needed: how many syncs must find a page gone before that counts; 1 where the source's word is proof.
    """

    lists_trash: bool = False
    has_containers: bool = False
    lists_everything: bool = False
    probes: bool = False
    reads_comments: bool = False
    absences_needed: int = 2


@dataclass(frozen=True, slots=True)
class PageRef:
    """One listed item.

    `external_id` is the source's id in one canonical spelling.
    `kind` is `page`, `row` (a page of a container), or what the source calls its containers. `is_container`: it holds
    rows and is no document itself. `parent_kind` is `workspace` (nothing is above it), `page`, `block` (a part of a
    page that is no item itself: `Source.confirm` tells the page around it) or what the source calls its containers.
    `revision` changes whenever the body may have changed. `properties` maps a
    property's name to `{"type": str, "text": str, "value": JSON}`; the title is not among them. Those of a
    container are its columns, without text and value, the title (type `title`) among them. `problem` says in
    words why nothing but the id can be relied on: such a page goes to quarantine, and what is known of it stays.
    `editor_id` is the source's own id of whoever edited the item last, `editor_name` what people call them; None where
    the source does not say so in what is read anyway. Neither makes a page changed.
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


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """The body of one page as the source gives it.

    `fetched_at` is read from the source's clock. `links` names pages that the body points to where its
    Markdown does not show it. `partial` says in words what could not be read (a
    child that is not shared), and is empty for a whole page. `properties`, when given, replace the
    listed ones (a listing may cut long relations short), and so does `title`. `unknown_types` names what the source
    has and we do not know; its text is kept as far as there is any.
    """

    markdown: str
    fetched_at: datetime
    links: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    properties: Mapping[str, Mapping[str, Any]] | None = None
    unknown_types: tuple[str, ...] = ()
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was asked of a source since it was opened: requests sent, and those of them that it refused as too many.

    Attributes:
        requests: requests sent, repeated ones included.
        throttled: those of them that were refused as too many.
    """

    requests: int = 0
    throttled: int = 0


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event in which the source says that something changed: a hint where to look, no more.

    `source_workspace_id` is the source's own workspace, `external_id` the page concerned, where there is one.
    """

    event_id: str
    event_type: str
    source_workspace_id: str
    external_id: str | None
    occurred_at: datetime | None


@dataclass(slots=True)
class Listing:
    """A running enumeration: iterate `batches`, then read how it ended.

    `complete` is True only when every listing was read to its proven end; `problems` says why not.
    `cursor` is what the next incremental listing starts from. `source_time` is the source's clock when the
    listing began.

    `trash` holds the ids that the source lists as trashed (None: it does not, or not now), and
    `trash_since` the edit time down to which that list is whole (None: all of it).
    """

    batches: Iterator[Sequence[PageRef]] = field(default_factory=lambda: iter(()))
    complete: bool = False
    problems: list[str] = field(default_factory=list)
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
        an incremental listing may stop behind its cursor once it meets them.
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
        """Look at one page directly: whether it is there, and what it says of itself now.

        Errors are `UNKNOWN`, never `GONE`.

        Raises:
            TokenRevoked: nothing can be read with this token.
        """
        ...

    def container(self, external_id: str) -> PageRef | None:
        """The container of a row, as it is now; None when that cannot be known.

        Raises:
            TokenRevoked: nothing can be read with this token.
        """
        return None

    def unchanged_since(self, cursor: str | None) -> bool:
        """True when a look much cheaper than a listing proves that nothing changed since `cursor`."""
        return False

    def traffic(self) -> Traffic | None:
        """What was asked of the source so far; None for one that nothing is asked of (files)."""
        return None

    def close(self) -> None:
        """Release connections and files. The source may be used again."""
