"""How a request went, for those that count it or write it down."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STREAM_TYPE = "text/event-stream"
_OTHER = "other"
_GONE = 499  # as nginx has it: whoever asked is gone


async def answered(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, tell: Callable[[int, float], None]
) -> None:
    """Let an application answer, and tell the status and the seconds that it took, however that ended.

    A stream is told with the seconds until it began: it goes on for as long as somebody listens.
    """
    began, status = time.monotonic(), _GONE
    until_stream: float | None = None

    async def noted(message: Message) -> None:
        nonlocal status, until_stream
        if message["type"] == "http.response.start":
            status = message["status"]
            if Headers(raw=message["headers"]).get("content-type", "").startswith(STREAM_TYPE):
                until_stream = time.monotonic() - began
        await send(message)

    try:
        await app(scope, receive, noted)
    except Exception:
        status = 500
        raise
    finally:
        tell(status, time.monotonic() - began if until_stream is None else until_stream)


def route_of(scope: Scope) -> str:
    """The route that answered, as it is written: nobody's names are in it. `other` where there is none."""
    path: str = getattr(scope.get("route"), "path", _OTHER)
    return path
