"""A file from a server, streamed into another: never more of it than allowed, gone on with where it broke off."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import IO

import urllib3
from tenacity.wait import wait_random_exponential
from urllib3.exceptions import HTTPError, NameResolutionError, SSLError

from arcana_pipelines.errors import DownloadFailed, DownloadRefused, SourceError
from arcana_pipelines.net import workers
from arcana_pipelines.net.failures import timed_out
from arcana_pipelines.net.retry import Tried, TryAgain, until_answered
from arcana_pipelines.net.retry_after import retry_after

Open = Callable[[Mapping[str, str]], urllib3.BaseHTTPResponse]
"""Sends the request for the file with these headers, and reads the answer up to its own headers.

May raise urllib3's errors and `TryAgain`, after which it is sent again, and what `download` raises.
"""

MAX_ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 60.0
# A server that is slower than that, in bytes a second, is given up; a file has a minute at least.
SLOWEST = 64 * 1024
LEAST_SECONDS = 60.0

_PIECE = 2**16
_HEAD = 1024  # bytes in which a page says that it is one
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")
_LENGTH = re.compile(r"\d{1,18}")
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)


def seconds_for(most: int) -> float:
    """How long the answer may take that brings so many bytes."""
    return LEAST_SECONDS + most / SLOWEST


def download(
    open_answer: Open,
    target: IO[bytes],
    most: int,
    refusal: Callable[[int], SourceError],
    may_be_page: bool = True,
) -> None:
    """Write the body of an answer from the beginning of `target`.

    Args:
        most: bytes; a file that says it has more, or has, is refused.
        refusal: what to raise for a status that is neither the file nor one to try again.
        may_be_page: whether HTML can be what was asked for, and not the page that a server shows instead.

    Raises:
        DownloadRefused: it is larger, packed, or a page.
        DownloadFailed: it could not be had after all attempts.
    """
    one = _Download(open_answer, target, most, refusal, may_be_page)
    try:
        until_answered(one.attempt, backoff=_backoff, gives_up=_gives_up, wait=lambda tried: _wait(tried))
    except TryAgain as error:
        raise DownloadFailed(f"A file could not be fetched: {error}.") from error


class _Download:
    def __init__(
        self,
        open_answer: Open,
        target: IO[bytes],
        most: int,
        refusal: Callable[[int], SourceError],
        may_be_page: bool,
    ) -> None:
        self._open = open_answer
        self._target = target
        self._most = most
        self._refusal = refusal
        self._may_be_page = may_be_page
        self._size = 0  # bytes that are there
        self._version = ""  # what the server calls the bytes that these are the first of

    def attempt(self) -> None:
        """
        Raises:
            TryAgain: it broke off, or did not begin.
        """
        workers.pause(0)
        headers = {"Accept-Encoding": "identity", "User-Agent": "arcana-pipelines"}
        if self._size and self._version:
            headers |= {"Range": f"bytes={self._size}-", "If-Range": self._version}
        try:
            response = self._open(headers)
            try:
                self._read(response)
            finally:
                response.close()
        except HTTPError as error:
            raise TryAgain(_words(error)) from error

    def _read(self, response: urllib3.BaseHTTPResponse) -> None:
        status = response.status
        if status in _RETRIED:
            pause = retry_after(response.headers.get("retry-after"), response.headers.get("date"))
            if pause is not None and pause > LONGEST_PAUSE_SECONDS:
                raise DownloadFailed(f"A file could not be fetched: the server asks to wait {pause:.0f} s.")
            raise TryAgain(f"status {status}", pause)
        if status == 416 or (status == 206 and not self._goes_on(response)):
            self._version = ""
            raise TryAgain("the server does not go on where it stopped")
        if status not in (200, 206):
            raise self._refusal(status)
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise DownloadRefused("A file comes packed, although it was asked for as it is.")
        if status == 200:
            self._size = 0
            self._version = _version(response)
            self._refuse_page(response.headers.get("content-type", "").lower().startswith("text/html"))
        length = response.headers.get("content-length", "").strip()
        whole = self._size + int(length) if _LENGTH.fullmatch(length) else None
        self._refuse_larger(whole or 0)
        self._target.seek(self._size)
        self._target.truncate()
        head = b""
        # As it comes: of what is waited for in vain, nothing is lost.
        while piece := response.read1(_PIECE, decode_content=False):
            workers.pause(0)
            if self._size < _HEAD and not self._may_be_page:
                head += piece[:_HEAD]
                self._refuse_page(_PAGE.match(head) is not None)
            self._refuse_larger(self._size + len(piece))
            self._target.write(piece)
            self._size += len(piece)
        if whole is not None and self._size < whole:
            raise TryAgain("the answer broke off")

    def _goes_on(self, response: urllib3.BaseHTTPResponse) -> bool:
        said = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        return said is not None and bool(self._version) and int(said[1]) == self._size

    def _refuse_larger(self, size: int) -> None:
        if size > self._most:
            raise DownloadRefused(f"A file is larger than {self._most:,} bytes.")

    def _refuse_page(self, is_page: bool) -> None:
        if is_page and not self._may_be_page:
            raise DownloadRefused("The server answers with a page in the place of a file (a log-in?).")


def _version(response: urllib3.BaseHTTPResponse) -> str:
    """What If-Range takes: a weak tag does not say that the bytes are the same."""
    tag = response.headers.get("etag", "")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("last-modified", "")


_backoff = wait_random_exponential(multiplier=0.5, max=30)


def _gives_up(tried: Tried) -> bool:
    return tried.attempts >= MAX_ATTEMPTS


def _wait(tried: Tried) -> float:
    return 0.25 + tried.backoff if tried.pause is None else tried.pause


def _words(error: HTTPError) -> str:
    """Without what the libraries say, which may name the whole address with its signature."""
    if timed_out(error):
        return "it timed out"
    if isinstance(error, NameResolutionError):
        return "the name of its server is not known"
    if isinstance(error, SSLError):
        return "the certificate of its server is not trusted; SSL_CERT_FILE may name authorities of your own"
    return f"the connection failed ({type(error).__name__})"
