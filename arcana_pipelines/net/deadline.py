"""Connections all of whose reads, from the status line on, end at one deadline."""

from __future__ import annotations

import functools
import http.client
import io
import socket
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from arcana_pipelines.net.workers import ended_by_interrupt


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
        self._wait_for(left if self._timeout is None else min(left, self._timeout))
        with ended_by_interrupt(self._shut_down):
            count: int | None = self._raw.readinto(buffer)
        return count

    def _wait_for(self, seconds: float | None) -> None:
        if self._sock.gettimeout() != seconds:  # as a rule it is so already; setting it lets other threads go first
            self._sock.settimeout(seconds)

    def _shut_down(self) -> None:
        # The connection below TLS, which another thread may be reading; that read meets its end. Of TLS inside the TLS
        # of a proxy, urllib3's object is not a socket and has one.
        socket.socket.shutdown(getattr(self._sock, "socket", self._sock), socket.SHUT_RDWR)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            if self._sock.fileno() >= 0:
                self._wait_for(self._timeout)  # for the next request on this connection
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
def pool_classes(seconds: float) -> dict[str, Any]:
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
