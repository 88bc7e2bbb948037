"""Bodies of requests are of a size that a request can have, whether they say so beforehand or not."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LimitedBodies:
    """Refuses larger ones with 413, by an exception: what the framework does itself is no problem+json."""

    def __init__(self, app: ASGIApp, most: int, is_free: Callable[[Scope], bool] = lambda scope: False) -> None:
        """`most` in bytes; what answers requests that are free has a limit of its own."""
        self.app, self.most, self.is_free = app, most, is_free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.is_free(scope):
            await self.app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "")
        had = int(said) if said.isdecimal() and len(said) < 20 else 0

        async def counted() -> Message:
            nonlocal had
            message = await receive()
            had = max(had, 0 if said else had + len(message.get("body", b"")))
            if had > self.most:
                raise HTTPException(
                    413, f"The body is larger than {self.most:,} bytes, the most that is read: send less at once."
                )
            return message

        await self.app(scope, counted, send)
