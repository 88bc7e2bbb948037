"""The routes of Dagster's UI below `/dagster`, at the API's server."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.ui.address import PREFIX, is_below
from arcana_pipelines.ui.guard import unframed
from arcana_pipelines.web.dagster_ui.door import READING, Door, opens_a_page
from arcana_pipelines.web.dagster_ui.mutations import mutations_of
from arcana_pipelines.web.dagster_ui.sockets import Sockets
from arcana_pipelines.web.dagster_ui.upstream import LARGEST_BODY, DagsterAway, Upstream
from arcana_pipelines.web.gate import Gate
from arcana_pipelines.web.people.instead import shown_instead
from arcana_pipelines.web.people.visitors import ComesFromElsewhere, LogInFirst, Visitors
from arcana_pipelines.web.problems import Refused
from arcana_pipelines.web.use import use_now

log = logging.getLogger(__name__)

_METHODS = READING | {"POST"}
_PATHS = (PREFIX, PREFIX + "/{path:path}")


def add_dagster_ui(app: FastAPI, gate: Gate, url: str, database: Database) -> AbstractAsyncContextManager[None]:
    """Add the routes; returns what is to be entered while they are answered.

    Args:
        url: of Dagster's web server.
        database: as the application, who sees whether there are other companies.
    """
    visitors: Visitors = app.state.visitors
    door = Door(gate, visitors, database)
    visitors.opens_ui = door.opens_to
    ui = DagsterUi(door, visitors, Upstream(url))
    app.router.routes += [Route(path, _Answered(ui, path), include_in_schema=False) for path in _PATHS]
    app.router.routes.append(WebSocketRoute(f"{PREFIX}/graphql", ui.serve_socket))
    return ui.running()


class DagsterUi:
    """Answers what is below the prefix as Dagster's web server does, for those that the door lets in."""

    def __init__(self, door: Door, visitors: Visitors, upstream: Upstream) -> None:
        self._door, self._visitors, self._upstream = door, visitors, upstream
        self._sockets = Sockets(upstream)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close the connections at the end."""
        try:
            yield
        finally:
            await self._upstream.close()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            await self._answer(request, unframed(send))
        except (LogInFirst, ComesFromElsewhere, Refused, ArcanaError) as error:
            if not opens_a_page(request):
                raise
            shown: Response = await run_sync(shown_instead, self._visitors, request, error)
            await shown(scope, receive, send)
        except ClientDisconnect:
            return

    async def _answer(self, request: Request, send: Send) -> None:
        if request.method not in _METHODS:
            raise Refused(405, "invalid-request", f"{request.method} is not answered here.", {"Allow": "GET, POST"})
        if not is_below(request.scope["raw_path"].decode("ascii")):
            raise Refused(404, "not-found", f"There is no such page below {PREFIX}/.")
        key_id = await run_sync(self._door.admit, request)
        use_now().action = "admin"
        body = b""
        if request.method not in READING:
            body = await _body(request)
            names = await run_sync(mutations_of, request.url.path, body)
            if names:
                log.warning("Dagster's UI: the key %s does %s", key_id, ", ".join(names))
        try:
            await self._upstream.forward(request.scope, request.receive, send, body)
        except DagsterAway as error:
            raise Refused(502, "bad-gateway", str(error)) from error

    async def serve_socket(self, socket: WebSocket) -> None:
        """Serve a WebSocket."""
        try:
            look = await run_sync(self._door.admit_socket, socket)
            await self._sockets.serve(socket, look)
        except Refused as error:
            await socket.send_denial_response(Response(error.detail, error.status, media_type="text/plain"))
        except DagsterAway as error:
            await socket.send_denial_response(Response(str(error), 502, media_type="text/plain"))
        except ArcanaError as error:
            log.warning("a page of Dagster's UI is not let in: %s", error)
            await socket.send_denial_response(Response("Try again in a moment.", 503, media_type="text/plain"))
        except WebSocketDisconnect:
            return  # before it was open


class _Answered:
    """An application that says which route it is."""

    def __init__(self, ui: DagsterUi, path: str) -> None:
        self._ui, self.path = ui, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        await self._ui.answer(scope, receive, send)


async def _body(request: Request) -> bytes:
    """All of it: what it changes is looked at before Dagster gets it."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"The body is larger than {LARGEST_BODY:,} bytes: choose fewer partitions.")
    return bytes(body)
