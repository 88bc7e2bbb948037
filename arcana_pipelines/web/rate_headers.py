"""Each answer to a key says how many requests are left to it."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arcana_pipelines.web.rates import Rate


class RateHeaders:
    """Adds the headers of the rate that the gate has put into the request's state."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_rate(message: Message) -> None:
            rate: Rate | None = scope.get("state", {}).get("rate")
            if message["type"] == "http.response.start" and rate is not None:
                MutableHeaders(scope=message).update(rate.headers)
            await send(message)

        await self.app(scope, receive, with_rate)
