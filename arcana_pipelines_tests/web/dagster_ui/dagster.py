"""What stands for Dagster's web server with a prefix: it remembers what it is asked and answers what a test wants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from arcana_pipelines.testing.http_server import HttpServer, Uvicorn
from arcana_pipelines.ui.address import INFO, PREFIX

PAGE = f"{PREFIX}/assets"
GRAPHQL = f"{PREFIX}/graphql"
CSP = "object-src 'none'; script-src 'nonce-1'"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came.

    Attributes:
        target: the path with its query, as it is written.
        headers: by their names in lower case; of several of a name the last.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Dagster(HttpServer):
    """The server.

    Attributes:
        asked: what came, but for the question who it is.
        answers: by path, in place of a page.
        serve_socket: what is done with a WebSocket.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.forget()
        app = Starlette(
            routes=[
                Route(INFO, self._info),
                WebSocketRoute(GRAPHQL, self._socket),
                Route("/{path:path}", self, methods=None),
            ]
        )
        super().__init__(Uvicorn(app, has_sockets=True), port=port)

    def forget(self) -> None:
        """Be as at the beginning."""
        self.asked: list[Asked] = []
        self.answers: dict[str, Response | Callable[[Scope, Receive, Send], Awaitable[None]]] = {}
        self.info: Response = JSONResponse({"dagster_webserver_version": "1.13.27"})
        self.serve_socket: Callable[[WebSocket], Awaitable[None]] = _echo

    async def _info(self, _: Request) -> Response:
        return self.info

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        self.asked.append(_asked(scope, request.method, await request.body()))
        usual = HTMLResponse("<title>Dagster</title>", headers={"Content-Security-Policy": CSP})
        await self.answers.get(request.url.path, usual)(scope, receive, send)

    async def _socket(self, socket: WebSocket) -> None:
        self.asked.append(_asked(socket.scope, "WEBSOCKET", b""))
        await self.serve_socket(socket)


def _asked(scope: Scope, method: str, body: bytes) -> Asked:
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    query = scope["query_string"].decode()
    return Asked(method, scope["raw_path"].decode() + (f"?{query}" if query else ""), headers, body)


async def _echo(socket: WebSocket) -> None:
    """Say what is said, until it ends."""
    await socket.accept("graphql-ws")
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


def operation(query: str, **variables: Any) -> dict[str, Any]:
    """What a page sends."""
    return {"query": query, "variables": variables}
