"""The WebSocket of Dagster's UI, by which a page hears of runs as they go on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
from anyio.to_thread import run_sync
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.net.certificates import trusted_certificates
from arcana_pipelines.web.dagster_ui.upstream import Upstream
from arcana_pipelines.web.problems import Refused

log = logging.getLogger(__name__)

# https://github.com/enisdenjo/graphql-ws and the one before it, which Dagster speaks. Only subscriptions are answered
# there, no mutations.
SUBPROTOCOLS = (Subprotocol("graphql-transport-ws"), Subprotocol("graphql-ws"))
# One a page of the UI.
MOST = 100
# So often it is looked whether whoever has it may still have it.
LOOK_SECONDS = 2.0
OPEN_SECONDS = 5.0
# Bytes of a message that a page is told.
LARGEST_TOLD = 16 * 2**20
# https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
_UNREADABLE, _NOT_ALLOWED, _WRONG, _LATER = 1003, 1008, 1011, 1013
# These stand for what was not sent.
_NEVER_SENT = (1005, 1006, 1015)


class _Direct(connect):
    """A connection to the address that is given, and to no other that it leads to."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """See `connect`."""
        return exc


class Sockets:
    """Those that are open."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._open = 0

    async def serve(self, socket: WebSocket, look: Callable[[], None]) -> None:
        """Open one to Dagster, and hand on what both sides say until one of them ends it.

        Args:
            look: see `Door.admit_socket`.

        Raises:
            DagsterAway: nobody answers there.
            Refused: 400: it is none of GraphQL. 503: there are as many as may be.
        """
        offered = [each for each in SUBPROTOCOLS if each in socket.scope["subprotocols"]]
        if not offered:
            raise Refused(400, "invalid-request", f"Say one of the subprotocols {' and '.join(SUBPROTOCOLS)}.")
        if self._open >= MOST:
            raise Refused(503, "unavailable", f"{MOST} pages hear of runs already: close one.", {"Retry-After": "15"})
        self._open += 1
        try:
            await self._upstream.require_dagster()
            try:
                dagster = await self._connected(socket.scope["raw_path"].decode("ascii"), offered)
            except (OSError, InvalidHandshake, TimeoutError) as error:
                raise self._upstream.away(error) from error
            async with dagster:
                await socket.accept(dagster.subprotocol)
                await _hand_on(socket, dagster, look)
        finally:
            self._open -= 1

    async def _connected(self, path: str, offered: Sequence[Subprotocol]) -> ClientConnection:
        url = self._upstream.url
        return await _Direct(
            "ws" + url.removeprefix("http") + path, subprotocols=offered, compression=None, user_agent_header=None,
            proxy=None, open_timeout=OPEN_SECONDS, close_timeout=LOOK_SECONDS, max_size=LARGEST_TOLD,
            ssl=trusted_certificates() if url.startswith("https:") else None,
        )  # fmt: skip


async def _hand_on(socket: WebSocket, dagster: ClientConnection, look: Callable[[], None]) -> None:
    """What one side says to the other, until one ends it or whoever asked may not any more."""
    code = _WRONG

    async with anyio.create_task_group() as tasks:

        async def until_it_ends(work: Callable[[], Awaitable[int]]) -> None:
            nonlocal code
            code = await work()
            tasks.cancel_scope.cancel()

        tasks.start_soon(until_it_ends, lambda: _from_page(socket, dagster))
        tasks.start_soon(until_it_ends, lambda: _from_dagster(socket, dagster))
        tasks.start_soon(until_it_ends, lambda: _until_refused(look))
    if code:
        with anyio.move_on_after(LOOK_SECONDS):
            await socket.close(code)


async def _from_page(socket: WebSocket, dagster: ClientConnection) -> int:
    """Hands on what a page says; returns the code to close with, 0 where it is gone."""
    while True:
        message: dict[str, Any] = dict(await socket.receive())
        if message["type"] == "websocket.disconnect":
            return 0
        if message.get("text") is None:
            return _UNREADABLE
        try:
            await dagster.send(message["text"])
        except ConnectionClosed:
            return _WRONG


async def _from_dagster(socket: WebSocket, dagster: ClientConnection) -> int:
    try:
        async for message in dagster:
            await socket.send({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})
    except ConnectionClosed:
        pass
    except WebSocketDisconnect:
        return 0
    code = dagster.close_code or _WRONG
    return _WRONG if code in _NEVER_SENT else code


async def _until_refused(look: Callable[[], None]) -> int:
    while True:
        await anyio.sleep(LOOK_SECONDS)
        try:
            await run_sync(look)
        except Refused:
            return _NOT_ALLOWED
        except ArcanaError as error:  # nobody knows whether they may: they can come again
            log.warning("a page of Dagster's UI hears no more: %s", error)
            return _LATER
