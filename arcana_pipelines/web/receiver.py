"""The HTTP server of the receiver: it faces the Internet, so no client may hold its connections or its memory.

A connection serves one request and lives a few seconds, whatever is sent over it and however slowly. When there are as
many as may be, the newest takes the place of one that has not sent its whole request: Notion sends an event at once.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds for the headers, and for everything together; Notion sends an event at once and wants an answer quickly.
HEADER_SECONDS = 5.0
CONNECTION_SECONDS = 20.0
MOST_CONNECTIONS = 100
# Connections that are accepted before anything is read. Fewer than may be: a burst would push out what has been sent.
_AT_ONCE = 25


class _Brief(H11Protocol):
    """A connection that ends by itself (https://www.uvicorn.org/settings/#implementation: `http` takes a class)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.began = self.loop.time()
        if len(self.connections) > MOST_CONNECTIONS:
            _make_room([each for each in self.connections if isinstance(each, _Brief)])
        self.loop.call_later(HEADER_SECONDS, self._end_without_request, transport)
        self.loop.call_later(CONNECTION_SECONDS, transport.abort)

    @property
    def waits(self) -> bool:
        """Whether its request, body included, has not been read whole."""
        return self.cycle is None or self.cycle.more_body

    @property
    def address(self) -> str:
        """Where it comes from; behind a proxy all come from there."""
        return self.client[0] if self.client else ""

    def _end_without_request(self, transport: asyncio.Transport) -> None:
        if self.cycle is None:
            transport.abort()


def _make_room(connections: Sequence[_Brief]) -> None:
    """End the oldest connection that still waits, of the address that has most of those; without any, the newest."""
    waiting = [each for each in connections if each.waits and not each.transport.is_closing()]
    if not waiting:
        max(connections, key=lambda each: each.began).transport.abort()
        return
    held = Counter(each.address for each in waiting)
    max(waiting, key=lambda each: (held[each.address], -each.began)).transport.abort()


def config(app: Starlette) -> uvicorn.Config:
    """How the receiver is served. One request a connection: a second one's headers would have no limit."""
    return uvicorn.Config(
        app,
        http=_Brief,
        ws="none",
        lifespan="off",
        headers=[("Connection", "close")],
        backlog=_AT_ONCE,
        server_header=False,
        log_level="warning",
        access_log=False,
    )


def serve(app: Starlette, sock: socket.socket) -> None:
    """Serve until interrupted."""
    uvicorn.Server(config(app)).run(sockets=[sock])


def listen(host: str, port: int) -> socket.socket:
    """
    Raises:
        OSError: the address is taken, or is none of this host.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    sock: Any = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_AT_ONCE)
    except BaseException:
        sock.close()
        raise
    bound: socket.socket = sock
    return bound
