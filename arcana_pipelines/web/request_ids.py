"""Each request has an id, which its answer, a problem and the log have alike."""

from __future__ import annotations

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arcana_pipelines.observing.context import working_for

HEADER = "X-Request-Id"
# What an id looks like that somebody gave.
GIVEN = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


class RequestIds:
    """Takes the id that a caller or a proxy gave, if it is one, and makes one otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if GIVEN.fullmatch(given) else str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with working_for(request_id=request_id):
            await self.app(scope, receive, with_id)
