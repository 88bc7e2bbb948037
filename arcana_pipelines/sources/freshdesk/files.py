"""What is attached to messages and articles: files that are told of, and their bytes.

The addresses that the API gives are signed, others at each read, and hold for minutes: a file is known by the ticket or
article that it hangs on, and its address is asked for again when the bytes are. Of what was read a moment ago it is
remembered, in memory alone.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import urllib3

from arcana_pipelines.errors import (
    DownloadExpired,
    DownloadFailed,
    DownloadRefused,
    PageRejected,
    PageUnavailable,
    SourceError,
    SourceUnavailable,
)
from arcana_pipelines.net.download import download, seconds_for
from arcana_pipelines.net.http_client import Server
from arcana_pipelines.sources.file_names import file_label
from arcana_pipelines.sources.freshdesk.values import line, number, text
from arcana_pipelines.sources.protocol import FileRef

TIMEOUT_SECONDS = 30.0
MOST_REDIRECTS = 3
# Of so many tickets at once it is known where their files are; an address is not trusted for longer.
MOST_HOLDERS = 2_000
TRUSTED_SECONDS = 120.0
_HOLDER = "freshdesk:"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OWN = re.compile(r"(?:[a-z0-9-]+\.)+freshdesk\.com")
_BUCKET = re.compile(r"(?:[a-z]+-)?cdn\.freshdesk\.com")
_AMAZON = re.compile(r"s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com")

Attachment = Mapping[str, Any]


def file_refs(attachments: Iterable[Attachment], holder: str) -> tuple[FileRef, ...]:
    """What is attached, each once; `holder` is the id of the ticket or article that shows it."""
    files: dict[str, FileRef] = {}
    for attachment in attachments:
        if (key := number(attachment.get("id"))) is not None:
            name = file_label(line(attachment.get("name")), "", "file")
            files.setdefault(_file_id(key), FileRef(_file_id(key), name, f"{_HOLDER}{holder}"))
    return tuple(files.values())


class Attachments:
    """Fetches the files of one account. Safe to share between threads."""

    def __init__(self, base_url: str, ask: Callable[[str], Sequence[Attachment]]) -> None:
        """
        Args:
            base_url: of the API: another one than Freshdesk's stands in for its file hosts too.
            ask: the attachments of a ticket or article, by its id; raises what `FreshdeskApi.get` does.
        """
        self._own = urlsplit(base_url).netloc.lower()
        self._ask = ask
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, dict[str, str]]] = {}

    def note(self, holder: str, attachments: Iterable[Attachment]) -> None:
        """Remember where files are that were just read."""
        addresses = _addresses(attachments)
        if addresses:
            with self._lock:
                self._known[holder] = time.monotonic(), addresses
                while len(self._known) > MOST_HOLDERS:
                    self._known.pop(next(iter(self._known)))

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        """See `Source.download`."""
        address = self._address(file)
        seconds = seconds_for(most)

        def open_answer(headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
            url = address
            for _ in range(MOST_REDIRECTS + 1):
                self._check(url)
                # Not the API's connections: the key goes nowhere but to the API.
                server = Server(url, timeout=TIMEOUT_SECONDS, seconds=seconds, most_bytes=most)
                response = server.open("GET", url, None, headers)
                if response.status not in _REDIRECTS:
                    return response
                response.close()
                url = _joined(url, response.headers.get("location", ""))
            raise DownloadRefused("The address of a file leads from one to the next.")

        download(open_answer, target, most, _refusal)

    def _address(self, file: FileRef) -> str:
        """
        Raises:
            DownloadExpired: what it hangs on does not show it any more.
            DownloadFailed: that cannot be asked now.
            DownloadRefused: it is none of this source's.
        """
        if not file.address.startswith(_HOLDER):
            raise DownloadRefused("A file is not one of Freshdesk's.")
        holder = file.address.removeprefix(_HOLDER)
        with self._lock:
            read_at, known = self._known.get(holder, (0.0, {}))
            # Each is given once: asked for again, it did not hold.
            address = known.pop(file.file_id, None)
        if address is None or time.monotonic() - read_at > TRUSTED_SECONDS:
            try:
                attachments = self._ask(holder)
            except PageUnavailable as error:
                raise DownloadExpired(f"What a file hangs on is not there any more: {error}") from error
            except (PageRejected, SourceUnavailable) as error:
                raise DownloadFailed(f"What a file hangs on cannot be asked where it is: {error}") from error
            self.note(holder, attachments)
            with self._lock:
                address = self._known.get(holder, (0.0, {}))[1].pop(file.file_id, None)
        if address is None:
            raise DownloadExpired("A ticket or article does not show a file any more that it showed when it was read.")
        return address

    def _check(self, url: str) -> None:
        """
        Raises:
            DownloadRefused: it is not where Freshdesk keeps files.
        """
        parts = _split(url)
        is_elsewhere = parts is not None and ("@" in parts.netloc or ".." in unquote(parts.path).split("/"))
        if parts is None or any(sign in url for sign in "\\\t\r\n") or is_elsewhere:
            raise DownloadRefused("The address of a file is none.")
        if parts.netloc.lower() == self._own:
            return
        host = (parts.hostname or "").lower()
        bucket = parts.path.lstrip("/").partition("/")[0] if _AMAZON.fullmatch(host) else ""
        is_kept = _OWN.fullmatch(host) or _BUCKET.fullmatch(bucket) or _is_in_bucket(host)
        if parts.scheme != "https" or not is_kept:
            raise DownloadRefused("A file lies on a host that is none of Freshdesk's.")


def _is_in_bucket(host: str) -> bool:
    """Whether a host is that of one of Freshdesk's buckets: `cdn.freshdesk.com.s3.amazonaws.com`."""
    bucket, separator, rest = host.partition(".s3")
    return bool(separator) and _BUCKET.fullmatch(bucket) is not None and _AMAZON.fullmatch(f"s3{rest}") is not None


def _addresses(attachments: Iterable[Attachment]) -> dict[str, str]:
    found = ((number(each.get("id")), text(each.get("attachment_url"))) for each in attachments)
    return {_file_id(key): address for key, address in found if key is not None and address}


def _file_id(attachment_id: int) -> str:
    return f"attachment-{attachment_id}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise DownloadRefused("The address of a file leads to one that is none.") from error


def _refusal(status: int) -> SourceError:
    """An address that is over is refused; its ticket gives another one."""
    if status in (400, 401, 403):
        return DownloadExpired(f"The address of a file holds no longer (status {status}).")
    return DownloadFailed(f"A file is not where Freshdesk says that it is (status {status}).")
