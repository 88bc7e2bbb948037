"""Requests to other people's servers: one deadline for the whole of an answer, a bound on its size, no redirects.

A server can send its headers or its body byte by byte for days, more than fits into memory, or a megabyte that unpacks
to gigabytes. So every request of ours goes through here: Notion, embedders, rerankers, alerts.
"""

from __future__ import annotations

import functools
import http.client
import io
import os
import re
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.net.workers import ended_by_interrupt

_PIECE = 2**16
# Of JSON, what announces a value, and strings, in which the same signs announce none.
_SIGN = re.compile(rb'[\[{,]|"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+"?')


class AnswerTooLarge(HTTPError):
    """An answer has more bytes, unpacked, or more values than anything that was asked for can have."""


def check_values(data: bytes, most: int) -> None:
    """Refuse JSON of more values than `most` before it is read: `[],` is three bytes, and an object of some sixty.

    Raises:
        AnswerTooLarge: it has them.
    """
    # Nearly always the cheap count is enough; a long text may have as many commas.
    if sum(map(data.count, (b"[", b"{", b","))) > most and any(True for _ in islice(_SIGN.finditer(data), most, None)):
        raise AnswerTooLarge(f"the answer has more than {most:,} values")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Server:
    """Connections to one server, through the proxy that the environment names for it. Safe to share between threads.

    `timeout` is how many seconds the server may pause, `seconds` how many its whole answer may take from the moment the
    request is sent, `most_bytes` how large it may be, counted unpacked.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float | urllib3.Timeout,
        seconds: float,
        most_bytes: int,
        connections: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """
        Raises:
            InvalidSetting: the proxy is of another kind, or the environment's certificates cannot be read.
        """
        self._most_bytes = most_bytes
        self._headers = dict(headers or {})
        self._pool = _pool(base_url, maxsize=connections, timeout=timeout, retries=False, headers=self._headers)
        self._pool.pool_classes_by_scheme = _pool_classes(seconds)

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        """Send one request, once, and read its answer; `most_bytes` is for this one.

        Raises:
            AnswerTooLarge, urllib3.exceptions.HTTPError: there is none, or none of this size in this time.
        """
        response = self.open(method, url, body, headers)
        data = b"".join(self.pieces(response, most_bytes))
        return Answer(response.status, response.headers, data)

    def open(
        self,
        method: str,
        url: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and read its answer up to the headers; `pieces` reads the rest."""
        return self._pool.request(
            method,
            url,
            body=body,
            headers=self._headers | dict(headers or {}),
            redirect=False,
            retries=False,
            preload_content=False,
        )

    def pieces(self, response: urllib3.BaseHTTPResponse, most_bytes: int | None = None) -> Iterator[bytes]:
        """The body of an answer, unpacked, in small pieces.

        Raises:
            AnswerTooLarge, urllib3.exceptions.HTTPError: see `send`.
        """
        size, most = 0, self._most_bytes if most_bytes is None else most_bytes
        try:
            for piece in response.stream(_PIECE, decode_content=True):
                size += len(piece)
                if size > most:
                    raise AnswerTooLarge(f"the answer has more than {most >> 20} MiB")
                yield piece
        except BaseException:
            response.close()  # what is left of it must not be taken for the next answer
            raise

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


class _DeadlineRaw(io.RawIOBase):
    """What a socket brings until the deadline: each read waits for what is left of the time, at most its timeout."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._deadline = time.monotonic() + seconds
        self._raw: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer goes on and on")
        self._sock.settimeout(left if self._timeout is None else min(left, self._timeout))
        with ended_by_interrupt(self._shut_down):
            count: int | None = self._raw.readinto(buffer)
        return count

    def _shut_down(self) -> None:
        # The connection below TLS, which another thread may be reading; that read meets its end. Of TLS inside the TLS
        # of a proxy, urllib3's object is no socket and has one.
        socket.socket.shutdown(getattr(self._sock, "socket", self._sock), socket.SHUT_RDWR)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            if self._sock.fileno() >= 0:
                self._sock.settimeout(self._timeout)  # for the next request on this connection
        super().close()


class _DeadlineSocket:
    """The one thing that `http.client.HTTPResponse` wants of a socket."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._seconds = seconds

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineRaw(self._sock, self._seconds))


class _Response(http.client.HTTPResponse):
    """An answer all of whose reads, from the status line on, end at one deadline."""

    def __init__(self, sock: socket.socket, seconds: float, **options: Any) -> None:
        super().__init__(_DeadlineSocket(sock, seconds), **options)  # type: ignore[arg-type]


@functools.cache
def _pool_classes(seconds: float) -> dict[str, Any]:
    """urllib3's pools, whose connections answer within so many seconds.

    `response_class`: see urllib3.connection.HTTPConnection.getresponse.
    """

    def response(sock: socket.socket, **options: Any) -> _Response:
        return _Response(sock, seconds, **options)

    made = {}
    for scheme, pool, connection in (
        ("http", HTTPConnectionPool, HTTPConnection),
        ("https", HTTPSConnectionPool, HTTPSConnection),
    ):
        timed = type(connection.__name__, (connection,), {"response_class": staticmethod(response)})
        made[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": timed})
    return made


def _pool(base_url: str, **options: Any) -> urllib3.PoolManager:
    options["ssl_context"] = _certificates()
    address, proxies = urlsplit(base_url), getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if proxy is None or proxy_bypass(address.hostname or "") or proxy_bypass(address.netloc):
        return urllib3.PoolManager(**options)
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    login = urlsplit(proxy)
    if login.scheme not in ("http", "https"):
        raise InvalidSetting(
            f"The environment names a {login.scheme} proxy for {address.hostname}, which can be reached through http "
            "and https proxies: set HTTPS_PROXY to one, or add the host to NO_PROXY."
        )
    user = f"{unquote(login.username or '')}:{unquote(login.password or '')}" if login.username else None
    return urllib3.ProxyManager(proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=user), **options)


@functools.cache
def _certificates() -> ssl.SSLContext:
    # Reading the authorities takes 20 ms, and a thousand workspaces are looked at in one go. Where the environment
    # names a file or folder of them, it is that one alone.
    folder = os.environ.get("SSL_CERT_DIR")
    file = os.environ.get("SSL_CERT_FILE") or (None if folder else certifi.where())
    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except OSError as error:
        raise InvalidSetting(
            f"The certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error}."
        ) from error
