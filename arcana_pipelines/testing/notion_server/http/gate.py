"""What happens to every request before and after its endpoint: the log, faults, limits, tokens, headers."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from arcana_pipelines.testing.http_server import drop
from arcana_pipelines.testing.notion_server.http.errors import ApiError, invalid, unauthorized
from arcana_pipelines.testing.notion_server.http.faults import LISTING, Fault, Faults, rate_limited
from arcana_pipelines.testing.notion_server.model.objects import Json
from arcana_pipelines.testing.notion_server.wire.wire import VERSIONS
from arcana_pipelines.testing.notion_server.world.world import NotionWorld

_FILE = re.compile(r"/[0-9a-f-]{36}/[0-9a-f-]{36}/[^/]+")
_JSON = "application/json; charset=utf-8"
_HTML = "<!DOCTYPE html><html><head><title>Notion</title></head><body>Just a moment...</body></html>"


@dataclass(slots=True)
class LoggedRequest:
    """A request that arrived.

    Attributes:
        path: with `/v1`, without the query.
        query: the parameters; of one that is given twice the last.
        status: of the answer; 0 while there is none, and for good when there never is one.
        body: the JSON of a POST; None of any other request, and before it is read.
    """

    method: str
    path: str
    query: dict[str, str]
    status: int = 0
    body: Json | None = None


@dataclass(slots=True)
class _Limit:
    count: int
    window: float
    by_world_clock: bool


class Gate:
    """The outermost application: lets through what Notion would, and spoils what faults say."""

    def __init__(self, world: NotionWorld) -> None:
        self.world = world
        self.faults = Faults()
        self.requests: list[LoggedRequest] = []
        self.latency_seconds = 0.0
        self.alter: Callable[[str, Json], Json | bytes] | None = None
        self._limit: _Limit | None = None
        self._recent: deque[float] = deque()
        self._date: tuple[int, str] = (0, "")
        self.app: ASGIApp | None = None
        self.files: ASGIApp | None = None

    def limit(self, per_minute: int | None, window: float, by_world_clock: bool) -> None:
        """Allow so many requests a window; None allows all."""
        self._recent.clear()
        self._limit = None if per_minute is None else _Limit(per_minute, window, by_world_clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope["path"]
        if not path.startswith("/v1/"):
            if self.files is not None and _FILE.fullmatch(path):
                await self.files(scope, receive, send)
                return
            assert self.app is not None
            await self.app(scope, receive, send)
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        entry = LoggedRequest(scope["method"], path, query)
        self.requests.append(entry)
        scope["state"] = {**scope.get("state", {}), "entry": entry, "spoil": None}
        try:
            await self._serve(scope, receive, send, entry)
        except ApiError as error:
            entry.status = error.status
            await self.refusal(error)(scope, receive, send)
        except ClientDisconnect:
            pass  # the client hung up while the answer was late

    async def _serve(self, scope: Scope, receive: Receive, send: Send, entry: LoggedRequest) -> None:
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        fault = self.faults.take(entry.method, entry.path)
        if fault is not None and await self._strike(fault, scope, receive, send, entry):
            return
        self._count()
        assert self.app is not None
        await self.app(scope, receive, send)

    def admit(self, request: Request) -> str:
        """The version asked for, if token and version are good."""
        headers = request.headers
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self.world.tokens:
            raise unauthorized()
        version = headers.get("notion-version")
        if version is None:
            raise ApiError(
                400,
                "missing_version",
                "Notion-Version header failed validation: Notion-Version header should be defined, "
                "instead was `undefined`.",
            )
        if version not in VERSIONS:
            known = " or ".join(f'`"{each}"`' for each in VERSIONS)
            raise invalid(
                f"Notion-Version header failed validation: Notion-Version header should be {known}, "
                f'instead was `"{version}"`.'
            )
        return version

    def finish(self, request: Request, answer: Json | bytes) -> Response:
        """A 200 response: the answer with its request id, spoiled if a fault says so."""
        entry: LoggedRequest = request.state.entry
        entry.status = 200
        fault: Fault | None = request.state.spoil
        if self.alter is not None:
            whole = json.loads(answer + b"}") if isinstance(answer, bytes) else answer
            altered = self.alter(f"{entry.method} {entry.path}", whole)
            if isinstance(altered, bytes):
                return Response(altered, 200, {"Content-Type": _JSON, "Date": self.date()})
            answer = altered
        if isinstance(answer, dict):
            if fault is not None and answer.get("object") == "list":
                answer = fault.spoil(answer)
            answer = _json_bytes(answer)[:-1]
        content = b'%s,"request_id":"%s"}' % (answer, self.request_id().encode())
        return Response(content, 200, {"Content-Type": _JSON, "Date": self.date()})

    def refusal(self, error: ApiError) -> Response:
        """A response with Notion's error body."""
        content = _json_bytes(error.body(self.request_id()))
        return Response(content, error.status, {"Content-Type": _JSON, "Date": self.date(), **error.headers})

    def request_id(self) -> str:
        """A fresh id."""
        return str(UUID(int=self.world.noise.getrandbits(128), version=4))

    def date(self) -> str:
        """The `Date` header: the world's time to the second."""
        now = self.world.clock.now()
        second = int(now.timestamp())
        if second != self._date[0]:
            self._date = (second, format_datetime(now.replace(microsecond=0), usegmt=True))
        return self._date[1]

    async def _strike(self, fault: Fault, scope: Scope, receive: Receive, send: Send, entry: LoggedRequest) -> bool:
        """Do what the fault says; True if that answers the request."""
        if fault.kind in LISTING:
            scope["state"]["spoil"] = fault
            return False
        if fault.kind == "hang":
            try:
                await asyncio.sleep(fault.seconds)
            except asyncio.CancelledError:
                # The server was closed meanwhile: there is no client left to answer.
                return True
            return False
        if fault.kind == "drop":
            await drop(send)
            return True
        if fault.kind in ("html", "empty"):
            entry.status = 200
            content, kind = (_HTML, "text/html; charset=utf-8") if fault.kind == "html" else ("", _JSON)
            await Response(content, 200, {"Content-Type": kind, "Date": self.date()})(scope, receive, send)
            return True
        raise fault.error(self.world.clock.now())

    def _count(self) -> None:
        limit = self._limit
        if limit is None:
            return
        now = self.world.clock.now().timestamp() if limit.by_world_clock else time.monotonic()
        while self._recent and self._recent[0] <= now - limit.window:
            self._recent.popleft()
        if len(self._recent) >= limit.count:
            wait = max(1, math.ceil(self._recent[0] + limit.window - now))
            reason = "public_api_request_rate_limit"
            raise rate_limited(wait, self.world.clock.now(), form="seconds", reason=reason)
        self._recent.append(now)


def _json_bytes(value: Json) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate travels as its escape
        return json.dumps(value, separators=(",", ":")).encode()
