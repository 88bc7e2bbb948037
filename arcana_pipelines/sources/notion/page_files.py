"""The files of Notion's pages: what a page has, and their bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import IO, Any

from arcana_pipelines.errors import (
    DownloadExpired,
    DownloadFailed,
    PageRejected,
    PageUnavailable,
    SourceError,
    SourceUnavailable,
)
from arcana_pipelines.net.download import download, seconds_for
from arcana_pipelines.net.http_client import Server
from arcana_pipelines.net.outside import Outside
from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.files import (
    FileHosts,
    Medium,
    address_of_block,
    addresses_of,
    block_of,
    cover_medium,
    file_refs,
    page_of,
    property_media,
)
from arcana_pipelines.sources.notion.pages import path_id
from arcana_pipelines.sources.protocol import FileRef, PageRef

TIMEOUT_SECONDS = 30.0
# Covers of so many listed pages are known without asking for a page object again.
MOST_NOTED = 200_000
# Of so many pages at once it is known where their files are now.
MOST_PAGES = 64
_PAGES_OF_THE_WEB = (".html", ".htm", ".xhtml")


class PageFiles:
    """Tells of the files of one token's pages, and fetches them. Safe to share between threads."""

    def __init__(self, api: NotionApi, rules: FileRules, outside: Outside | None = None) -> None:
        self._api = api
        self._rules = rules
        self._hosts = FileHosts(api.base_url)
        # What people gave an address of, and what Notion says that it keeps on a host that we do not know.
        self._outside = outside or Outside(rules.external_hosts, timeout=TIMEOUT_SECONDS)
        self._anywhere = Outside(None, timeout=TIMEOUT_SECONDS)
        self._lock = threading.Lock()
        self._covers: dict[str, Medium | None] = {}
        self._addresses: dict[str, dict[str, str]] = {}

    def note(self, page_id: str, page: Mapping[str, Any]) -> None:
        """Remember the cover of a page object that was listed."""
        if self._rules.covers and len(self._covers) < MOST_NOTED:
            self._covers[page_id] = cover_medium(page, page_id)

    def of_page(self, ref: PageRef, media: Sequence[Medium], read_at: datetime) -> tuple[FileRef, ...]:
        """The files of a page: its cover, those of its properties, and those among the media of its body.

        Asks for the page object where covers are wanted and no listing of this source has shown the page.
        """
        cover = self._cover(ref.external_id)
        above = [] if cover is None else [cover]
        return file_refs([*above, *property_media(ref.external_id, ref.properties), *media], self._hosts, read_at)

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        """See `Source.download`.

        Raises:
            TokenRevoked: a page had to be asked where its file is, and nothing can be read with this token.
        """
        if file.is_external:
            self._fetch_outside(self._outside, file, target, most)
            return
        address = self._address(file)
        if not self._hosts.keep(address):
            self._fetch_outside(self._anywhere, file, target, most, address)
            return
        seconds = seconds_for(most)
        # Another one than the API's: the token goes nowhere but to the API.
        server = Server(address, timeout=TIMEOUT_SECONDS, seconds=seconds, most_bytes=most)
        try:
            download(partial(server.open, "GET", address, None), target, most, _kept_refusal)
        finally:
            server.close()

    def _fetch_outside(
        self, outside: Outside, file: FileRef, target: IO[bytes], most: int, address: str | None = None
    ) -> None:
        url, seconds = address or file.address, seconds_for(most)
        refusal = _outside_refusal if file.is_external else _kept_refusal
        download(
            lambda headers: outside.open(url, headers, seconds), target, most, refusal, may_be_page=_may_be_page(file)
        )

    def _cover(self, page_id: str) -> Medium | None:
        if not self._rules.covers:
            return None
        if page_id not in self._covers:
            page = self._api.pages.retrieve(path_id(page_id))
            self.note(page_id, page)
            return cover_medium(page, page_id)
        return self._covers[page_id]

    def _address(self, file: FileRef) -> str:
        """Where a file is now that Notion keeps.

        Raises:
            DownloadExpired: its page or block does not name it any more, or is not there any more.
            DownloadFailed: its page or block cannot be asked now.
        """
        if (block_id := block_of(file.address)) is not None:
            return self._address_of_block(file, block_id)
        page_id = page_of(file.address)
        if page_id is None:
            return file.address
        with self._lock:
            known = self._addresses.pop(page_id, None)
        if known is None or file.file_id not in known:
            known = self._asked(page_id)
        address = known.pop(file.file_id, None)
        with self._lock:
            # Each is given once: asked for again, it did not hold.
            if known:
                self._addresses[page_id] = known
            while len(self._addresses) > MOST_PAGES:
                self._addresses.pop(next(iter(self._addresses)))
        if address is None:
            raise DownloadExpired("The page does not name a file any more that it named when it was read.")
        return address

    def _asked(self, page_id: str) -> dict[str, str]:
        return addresses_of(_answer(self._api.pages.retrieve, page_id))

    def _address_of_block(self, file: FileRef, block_id: str) -> str:
        found = address_of_block(_answer(self._api.blocks.retrieve, block_id))
        if found is None or not found[0].endswith(file.file_id):
            raise DownloadExpired("The block of a file does not name it any more.")
        return found[1]


def _answer(ask: Callable[[str], dict[str, Any]], any_id: str) -> dict[str, Any]:
    """
    Raises:
        DownloadExpired, DownloadFailed: see `PageFiles._address`.
    """
    try:
        return ask(path_id(any_id))
    except PageUnavailable as error:
        raise DownloadExpired(f"What a file hangs on is not there any more: {error}") from error
    except (PageRejected, SourceUnavailable) as error:
        raise DownloadFailed(f"What a file hangs on cannot be asked where it is: {error}") from error


def _kept_refusal(status: int) -> SourceError:
    """What a status says of a file that Notion keeps: an address that is over, or was for another one, is refused."""
    if status in (400, 401, 403):
        return DownloadExpired(f"The address of a file holds no longer (status {status}).")
    return DownloadFailed(f"A file is not where Notion says that it is (status {status}).")


def _outside_refusal(status: int) -> SourceError:
    # Whoever runs that server may let others have it, or put it there, later.
    return DownloadFailed(f"The server of a file does not give it (status {status}).")


def _may_be_page(file: FileRef) -> bool:
    """Whether HTML can be the file itself: of one that is shown as such, or of which nothing says what it is."""
    if file.origin not in ("file", "property"):
        return False
    name = file.name.lower()
    return name.endswith(_PAGES_OF_THE_WEB) or "." not in name
