"""A real HTTP server around a world: keys, limits, faults, headers, and the bytes of attachments."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from arcana_pipelines.testing.clock import Clock
from arcana_pipelines.testing.freshdesk_server import errors
from arcana_pipelines.testing.freshdesk_server.api import Api, Asked
from arcana_pipelines.testing.freshdesk_server.endpoints import find
from arcana_pipelines.testing.freshdesk_server.errors import Refused
from arcana_pipelines.testing.freshdesk_server.faults import Fault, Faults
from arcana_pipelines.testing.freshdesk_server.model import Agent
from arcana_pipelines.testing.freshdesk_server.plans import PLANS, UNLIMITED, Meter, Plan, Throttled
from arcana_pipelines.testing.freshdesk_server.wire import Wire
from arcana_pipelines.testing.freshdesk_server.world import FreshdeskWorld
from arcana_pipelines.testing.http_server import HttpServer, Uvicorn, drop

_PREFIX = "/api/v2"
_JSON = "application/json; charset=utf-8"
_PAGE = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_LIST_KINDS = {"tickets": "tickets", "tickets/deleted": "tickets", "tickets/spam": "tickets", "contacts": "contacts"}


@dataclass(slots=True)
class LoggedRequest:
    """A request that arrived.

    Attributes:
        endpoint: one of `ENDPOINTS`; empty for a path that is none.
        item: the id in its path.
        credits: what it cost.
        status: of the answer; 0 where there was none.
    """

    endpoint: str
    path: str
    item: int | None
    query: dict[str, str]
    credits: int = 0
    status: int = 0


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes
    headers: Mapping[str, str]


class FreshdeskServer(HttpServer):
    """A help desk on a port of the loopback interface, served by a thread until closed; a context manager.

    Attributes:
        url: where it is, without `/api/v2`.
        faults: what should go wrong.
        log: every request, in the order they came.
        after_request: called after an answer was made and before it is sent: a test changes the world in the middle of
            a walk.
        latency_seconds: how much longer every answer takes.
    """

    def __init__(self, world: FreshdeskWorld | None = None, plan: Plan | str = UNLIMITED, *, port: int = 0) -> None:
        self.world = world or FreshdeskWorld()
        self.faults = Faults()
        self.log: list[LoggedRequest] = []
        self.after_request: Callable[[LoggedRequest], None] | None = None
        self.latency_seconds = 0.0
        self._wire = Wire(self.world, "")
        self.set_plan(plan)

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await self._serve(scope, receive, send)

        super().__init__(Uvicorn(application), port=port)
        self.url = self._wire.address = self.address

    @property
    def clock(self) -> Clock:
        """The world's clock."""
        return self.world.clock

    @property
    def requests(self) -> Counter[str]:
        """How many requests came to each endpoint."""
        return Counter(entry.endpoint for entry in self.log)

    @property
    def credits(self) -> Counter[str]:
        """What the requests to each endpoint have cost."""
        spent: Counter[str] = Counter()
        for entry in self.log:
            spent[entry.endpoint] += entry.credits
        return spent

    def reset_log(self) -> None:
        """Forget the requests so far."""
        self.log.clear()

    def set_plan(self, plan: Plan | str) -> None:
        """Another plan from now on, with a fresh allowance; a name is one of `PLANS`."""
        self.plan = PLANS[plan] if isinstance(plan, str) else plan
        self._meter = Meter(self.plan, self.world.clock)
        self._api = Api(self.world, self._wire, self.plan)

    # --- inside ----------------------------------------------------------------------------------

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        path: str = scope["path"]
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        entry = _entry(path, query)
        self.log.append(entry)
        fault = self.faults.take(entry.endpoint, entry.item)
        wait = self.latency_seconds + (fault.seconds if fault and fault.kind == "slow" else 0.0)
        if wait:
            await asyncio.sleep(wait)
        with self.world.lock:
            reply = self._reply(scope["method"], entry, headers, fault)
        if fault is None or fault.kind != "drop":
            entry.status = reply.status
        if self.after_request is not None:
            self.after_request(entry)
        if fault is not None and fault.kind == "drop":
            await drop(send)
            return
        sent = [(name.encode(), value.encode("latin-1", "replace")) for name, value in reply.headers.items()]
        if reply.status != 204:
            sent.append((b"content-length", str(len(reply.body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": sent})
        if fault is not None and fault.kind == "cut" and reply.body:
            await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
            await drop(send, at_once=False)
            return
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    def _reply(self, method: str, entry: LoggedRequest, headers: Mapping[str, str], fault: Fault | None) -> _Reply:
        date = {"Date": format_datetime(self.world.clock.now().replace(microsecond=0), usegmt=True)}
        if entry.endpoint == "attachment":
            return self._file(entry, fault, date, headers)
        credits = _credits(entry)
        try:
            self._meter.charge(_LIST_KINDS.get(entry.endpoint), credits)
            entry.credits = credits
            if fault is not None:
                _strike(fault)
            agent = self._agent(headers.get("authorization", ""))
            asked = self._admit(method, entry, headers, agent)
            found = self._api.answer(asked)
        except Throttled as error:
            refused = errors.throttled(str(error.seconds), "hour" if self.plan.window_seconds == 3600 else "minute")
            return self._refusal(refused, credits, date)
        except Refused as error:
            return self._refusal(error, credits, date)
        except _Spoiled as spoiled:
            kept = {"Content-Type": spoiled.content_type} if spoiled.content_type else {}
            return _Reply(spoiled.status, spoiled.body, date | self._limits(credits) | kept)
        link = {"Link": found.link} if found.link else {}
        return _Reply(200, found.body, date | self._limits(credits) | {"Content-Type": _JSON} | link)

    def _refusal(self, error: Refused, credits: int, date: Mapping[str, str]) -> _Reply:
        return _Reply(
            error.status, error.body, {**date, **self._limits(credits), "Content-Type": _JSON, **error.headers}
        )

    def _limits(self, credits: int) -> dict[str, str]:
        # Decimals, as the reference's own example has them.
        return {
            "X-Freshdesk-API-Version": "latest=v2; requested=v2",
            "X-RateLimit-Total": f"{float(self.plan.total)}",
            "X-RateLimit-Remaining": f"{float(self._meter.remaining)}",
            "X-RateLimit-Used-CurrentRequest": f"{float(credits)}",
        }

    def _agent(self, authorization: str) -> Agent:
        scheme, _, value = authorization.partition(" ")
        try:
            key = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            raise errors.unauthorized() from None
        for agent in self.world.agents.values():
            if scheme.lower() == "basic" and agent.active and agent.key == key:
                return agent
        raise errors.unauthorized()

    def _admit(self, method: str, entry: LoggedRequest, headers: Mapping[str, str], agent: Agent) -> Asked:
        known = find(entry.path.removeprefix(_PREFIX))
        if not entry.endpoint or known is None:
            raise errors.not_found()
        if method not in ("GET", "HEAD"):
            raise Refused(
                405, {"code": "method_not_allowed", "message": f"{method} method is not allowed."}, {"Allow": "GET"}
            )
        accept = headers.get("accept", "*/*")
        if "*/*" not in accept and "application/" not in accept:
            raise errors.coded(406, "not_acceptable", "Accept header should be application/json.")
        return Asked(entry.endpoint, entry.path.removeprefix(_PREFIX), known[1], entry.query, agent)

    def _file(
        self, entry: LoggedRequest, fault: Fault | None, date: Mapping[str, str], headers: Mapping[str, str]
    ) -> _Reply:
        # What keeps the files is no part of the API: no key, no limits, errors in XML.
        try:
            if fault is not None:
                _strike(fault)
        except Refused as error:
            return _Reply(error.status, error.body, date)
        except _Spoiled as spoiled:
            return _Reply(spoiled.status, spoiled.body, {**date, "Content-Type": "text/html"})
        found = self._wire.opened(entry.query.get("token", ""))
        if found is None:
            body = b"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>AccessDenied</Code></Error>"
            return _Reply(403, body, {**date, "Content-Type": "application/xml"})
        etag = f'"{found.id}"'
        sent = {**date, "Content-Type": found.content_type, "ETag": etag, "Accept-Ranges": "bytes"}
        rest = _RANGE.fullmatch(headers.get("range", ""))
        if rest is None or headers.get("if-range", etag) != etag:
            return _Reply(200, found.content, sent)
        begin, size = int(rest[1]), len(found.content)
        if begin >= size:
            return _Reply(416, b"", {**date, "Content-Range": f"bytes */{size}"})
        end = min(int(rest[2] or size), size - 1)
        return _Reply(206, found.content[begin : end + 1], {**sent, "Content-Range": f"bytes {begin}-{end}/{size}"})


class _Spoiled(Exception):
    def __init__(self, status: int, body: bytes = b"", content_type: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.content_type = content_type


def _strike(fault: Fault) -> None:
    """Raise what a fault answers with; those of the connection raise nothing."""
    kind = fault.kind
    if kind in ("cut", "drop", "slow"):
        return
    if kind == "empty":
        raise _Spoiled(200, b"", _JSON)
    if kind == "no_content":
        raise _Spoiled(204)
    if kind == "html":
        raise _Spoiled(200, _PAGE.replace(b"502 Bad Gateway", b"Freshdesk"), "text/html; charset=utf-8")
    if kind == "500":
        raise errors.coded(500, "internal_error", "We're sorry, but something went wrong.")
    if kind in ("502", "503", "504"):
        raise _Spoiled(int(kind), _PAGE.replace(b"502", kind.encode()), "text/html")
    raise {
        "401": errors.unauthorized,
        "403": errors.denied,
        "404": errors.not_found,
        "429": lambda: errors.throttled(fault.retry_after),
        "require_feature": lambda: errors.without_feature("Surveys"),
        "account_suspended": errors.suspended,
    }[kind]()


def _entry(path: str, query: dict[str, str]) -> LoggedRequest:
    if path.startswith(("/data/helpdesk/attachments/", "/inline/attachment")):
        token = query.get("token", "").partition(".")[0]
        return LoggedRequest("attachment", path, int(token) if token.isdecimal() else None, query)
    found = find(path.removeprefix(_PREFIX)) if path.startswith(_PREFIX) else None
    if found is None:
        return LoggedRequest("", path, None, query)
    name, parts = found
    if name == "tickets" and query.get("filter") in ("deleted", "spam"):
        name = f"tickets/{query['filter']}"
    number = parts.get("id", "")
    return LoggedRequest(name, path, int(number) if number.isdecimal() else None, query)


def _credits(entry: LoggedRequest) -> int:
    include = [part for part in entry.query.get("include", "").split(",") if part]
    return 1 + sum(1 if part == "conversations" else 2 for part in include)
