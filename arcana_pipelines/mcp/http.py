"""The MCP server over HTTP, for a host that has looked at the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/mcp"
# A question has 4,000 characters at most.
LARGEST_BODY = 64 * 1024
_THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")


def make_http_app(server: MCPServer[Any], hosts: Sequence[str] = (), origins: Sequence[str] = ()) -> ASGIApp:
    """The ASGI application that answers POST /mcp in both forms of the protocol. It keeps no sessions.

    What the host does:

    - *Lifespan.* It enters `server.session_manager.run()` in its own lifespan, as that of a mounted application does
      not run: `async with server.session_manager.run(): yield`. Once for each server; before, requests fail.
    - *Place.* It mounts the application at "/", behind all its other routes, since it takes every path. Mounted at
      "/mcp" it would redirect what is sent to "/mcp", which some assistants do not follow.
    - *Keys.* It looks at `Authorization: Bearer …` before, answers 401 with `WWW-Authenticate: Bearer realm="arcana"`
      where the key opens nothing, and puts what it opens into `scope["state"]`. The `reach_of` of `make_server` gets
      the Starlette request of each message, whose `state` has it, and makes the `Reach` of it.
    - *Threads.* Tools run in anyio's threads: no more of them than the pool has connections.

    Args:
        server: of `make_server`.
        hosts: names that requests may be sent to (`search.example.com`), beside this machine's own. Others are
            refused (421): a page in a browser that found a way to this address could ask as its reader.
        origins: where browsers may ask from (`https://search.example.com`); none where there are none.
    """
    allowed = [name for host in (*_THIS_MACHINE, *hosts) for name in (host, f"{host}:*")]
    security = TransportSecuritySettings(allowed_hosts=allowed, allowed_origins=list(origins))
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        json_response=True,
        max_request_body_size=LARGEST_BODY,
        transport_security=security,
    )
    return _PostsAlone(app)


class _PostsAlone:
    """Refuses a stream that an assistant opens to be told something later: nothing is, and it would hold a shutdown."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] != "POST":
            answer = PlainTextResponse("Only POST is answered here.", 405, {"Allow": "POST"})
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)
