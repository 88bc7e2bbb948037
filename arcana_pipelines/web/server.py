"""The HTTP server of the API: programs with keys, behind a proxy that has the certificate.

A request has to come whole within some seconds. When there are as many connections as may be, one whose request has not
come, or that keeps open for a next one, gives way: requests that are sent at once are answered.
"""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG

from arcana_pipelines.observing import logs
from arcana_pipelines.web.connections import Watched, to_give_way

# Open connections at once. Each request waits for one of the pool's connections.
MOST_CONNECTIONS = 500
KEPT_SECONDS = 30
# For a whole request, from its first bytes on; one that brings a file has a second more for so many bytes.
REQUEST_SECONDS = 20.0
BYTES_A_SECOND = 64 * 1024
# Of a WebSocket: what a page asks for.
LARGEST_MESSAGE = 2**20
# Connections that are accepted before anything is read. Fewer than may be: a burst would push out what has been sent.
_AT_ONCE = 100
# How long a stop waits for what is being answered.
STOP_SECONDS = 20


class _Patient(Watched):
    """A connection that ends when a request does not come whole in time, and gives way to those whose does."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) >= MOST_CONNECTIONS:
            others = [each for each in self.connections if isinstance(each, Watched) and each is not self]
            given_up = to_give_way([each for each in others if each.waits or each.is_answered])
            if given_up is not None:
                given_up.transport.abort()
        self._end_late()

    def _end_late(self) -> None:
        if self.transport.is_closing() or self.transport.get_protocol() is not self:  # it is a WebSocket since
            return
        if self.waits and self.loop.time() - self.began >= REQUEST_SECONDS + self.received // BYTES_A_SECOND:
            self.transport.abort()
        else:
            self.loop.call_later(1.0, self._end_late)


def server_of(app: FastAPI) -> uvicorn.Server:
    """The server of the API, which does not run yet."""
    config = uvicorn.Config(
        app,
        http=_Patient,
        # Of Dagster's UI alone.
        ws="websockets-sansio" if app.state.has_sockets else "none",
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="on",
        # Where none gives way, as all are being answered: 503 at once. One that gave way is counted a moment longer.
        limit_concurrency=MOST_CONNECTIONS + 2 * _AT_ONCE,
        backlog=_AT_ONCE,
        timeout_keep_alive=KEPT_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
        log_level="warning",
        access_log=False,
        log_config=None if logs.is_json() else LOGGING_CONFIG,
    )
    return _Server(config)


class _Server(uvicorn.Server):
    """Ends streams before it waits for what is being answered: they would go on for minutes."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.events.end_streams()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def serve(app: FastAPI, sock: socket.socket) -> None:
    """Serve until interrupted; what is being answered is answered."""
    server_of(app).run(sockets=[sock])
