"""A line of the log and a span for each request that was answered. Neither has its path, its query or its body."""

from __future__ import annotations

import logging

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from arcana_pipelines.observing.traces import span
from arcana_pipelines.web.outcomes import answered, route_of

log = logging.getLogger(__name__)


class Observed:
    """An ASGI application in front of another: says how its requests went."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Observed`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with span("http request", caller=Headers(scope=scope)) as say:

            def tell(status: int, seconds: float) -> None:
                route = route_of(scope)
                say(route=route, method=scope["method"][:16], status=status)
                said = {"route": route, "method": scope["method"][:16], "status": status}
                log.info("answered", extra={**said, "milliseconds": round(seconds * 1000)})

            await answered(self._app, scope, receive, send, tell)
