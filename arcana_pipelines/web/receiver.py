"""The HTTP server of the receiver: it faces the Internet, so no client may hold its connections or its memory.

A connection serves one request and lives a few seconds, whatever is sent over it and however slowly. When there are as
many as may be, the newest takes the place of one that has not sent its whole request: Notion sends an event at once.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.config import LOGGING_CONFIG

from arcana_pipelines.observing import logs
from arcana_pipelines.web.connections import Watched, to_give_way

# Seconds for the headers, and for everything together; Notion sends an event at once and wants an answer quickly.
HEADER_SECONDS = 5.0
CONNECTION_SECONDS = 20.0
MOST_CONNECTIONS = 100
# Connections that are accepted before anything is read. Fewer than may be: a burst would push out what has been sent.
_AT_ONCE = 25


class _Brief(Watched):
    """A connection that ends by itself."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            _make_room([each for each in self.connections if isinstance(each, Watched)])
        self.loop.call_later(HEADER_SECONDS, self._end_without_request, transport)
        self.loop.call_later(CONNECTION_SECONDS, transport.abort)

    def _end_without_request(self, transport: asyncio.Transport) -> None:
        if self.cycle is None:
            transport.abort()


def _make_room(connections: list[Watched]) -> None:
    """End a connection that still waits; without any, the newest."""
    waiting = to_give_way([each for each in connections if each.waits])
    (waiting or max(connections, key=lambda each: each.began)).transport.abort()


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
        log_config=None if logs.is_json() else LOGGING_CONFIG,
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
