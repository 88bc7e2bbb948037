"""The store that signed addresses lead to: bytes, ranges of them, and what goes wrong on command."""

from __future__ import annotations

import asyncio
import mimetypes
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from arcana_pipelines.testing.http_server import drop
from arcana_pipelines.testing.notion_server.model.clock import DEFAULT_START
from arcana_pipelines.testing.notion_server.model.files import etag
from arcana_pipelines.testing.notion_server.world.world import NotionWorld

STATUSES = frozenset({"400", "403", "404", "408", "429", "500", "502", "503", "504"})
KINDS = frozenset({*STATUSES, "broken", "drop", "endless", "html", "larger", "short", "slow", "whole"})
_PIECE = 4096
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
# Nothing says when a file was uploaded; a date that stays is what If-Range needs.
_UPLOADED = format_datetime(DEFAULT_START, usegmt=True)


@dataclass(slots=True)
class FileRequest:
    """A request for a file that arrived.

    Attributes:
        path: decoded, without the query.
        query: the parameters, the signature among them.
        headers: by their names in lower case.
        status: of the answer; 0 while there is none, and for good when there never is one.
        sent: bytes of the file that went out.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int = 0
    sent: int = 0


@dataclass(slots=True)
class FileFault:
    """One fault that waits for its requests (see `FileFaults.add`)."""

    kind: str
    match: re.Pattern[str]
    times: int | None
    skip: int
    keep: int | None
    seconds: float
    retry_after: int | None
    hits: int = 0


class FileFaults:
    """The faults that wait for requests for files."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[FileFault] = []

    def add(
        self,
        kind: str | int,
        match: str = "",
        *,
        times: int | None = 1,
        skip: int = 0,
        keep: int | None = None,
        seconds: float = 0.05,
        retry_after: int | None = None,
    ) -> None:
        """Let requests whose path matches fail.

        Kinds: a status (400, 403, 404, 408, 429, 500, 502, 503, 504); `html` (status 200 with a page); `drop` (no
        answer); `broken` (the connection ends after `keep` bytes, half of them by default); `larger` (the length says
        twice as much as comes); `short` (the length says `keep` bytes, and no more come); `slow` (`seconds` between
        pieces); `endless` (bytes without a length and without an end); `whole` (ranges are not heeded).
        """
        name = str(kind)
        if name not in KINDS:
            raise ValueError(f"There is no fault {name!r}; there are {', '.join(sorted(KINDS))}.")
        with self._lock:
            self._faults.append(FileFault(name, re.compile(match), times, skip, keep, seconds, retry_after))

    def clear(self) -> None:
        """Let everything go well again."""
        with self._lock:
            self._faults.clear()

    def take(self, path: str) -> FileFault | None:
        """The fault that this request meets, counted."""
        with self._lock:
            for fault in self._faults:
                if not fault.match.search(path):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.hits += 1
                if fault.times is not None and fault.hits >= fault.times:
                    self._faults.remove(fault)
                return fault
        return None


class FileServer:
    """An ASGI application: what is asked of it is logged, and answered as the store of Notion's files does."""

    def __init__(self, world: NotionWorld) -> None:
        self.world = world
        self.faults = FileFaults()
        self.requests: list[FileRequest] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = Headers(scope=scope)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        entry = FileRequest(scope["method"], scope["path"], query, dict(headers.items()))
        self.requests.append(entry)
        # The client has had enough, or the server was closed.
        with suppress(ClientDisconnect, asyncio.CancelledError):
            await self._serve(scope, receive, send, entry)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, entry: FileRequest) -> None:
        fault = self.faults.take(entry.path)
        if fault is not None and fault.kind == "drop":
            await drop(send)
            return
        answer = self._refusal(entry, fault)
        if answer is not None:
            entry.status = answer.status_code
            await answer(scope, receive, send)
            return
        key = entry.path.removeprefix("/")
        with self.world.lock:
            data = self.world.stored[key]
        await self._send(send, entry, data, fault)

    def _refusal(self, entry: FileRequest, fault: FileFault | None) -> Response | None:
        if fault is not None and fault.kind in STATUSES:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return _error(int(fault.kind), "Fault", headers)
        if fault is not None and fault.kind == "html":
            return Response("<!DOCTYPE html><html><body>Log in</body></html>", 200, media_type="text/html")
        if entry.method != "GET":  # the signature covers the method
            return _error(403, "SignatureDoesNotMatch")
        if "authorization" in entry.headers:
            return _error(400, "InvalidArgument")  # "Only one auth mechanism allowed"
        key = entry.path.removeprefix("/")
        with self.world.lock:
            worth = self.world.wire.signer.judge(key, entry.query, self.world.clock.now())
            if worth != "good":
                return _error(403, "AccessDenied" if worth == "expired" else "SignatureDoesNotMatch")
            if key not in self.world.stored:
                return _error(404, "NoSuchKey")
        return None

    async def _send(self, send: Send, entry: FileRequest, data: bytes, fault: FileFault | None) -> None:
        kind = "" if fault is None else fault.kind
        keep = len(data) // 2 if fault is None or fault.keep is None else fault.keep
        whole, tag = data, etag(data)
        media_type = mimetypes.guess_type(entry.path)[0] or "application/octet-stream"
        headers = {
            "Accept-Ranges": "bytes", "Content-Type": media_type, "ETag": tag, "Last-Modified": _UPLOADED,
            "Server": "AmazonS3",
        }  # fmt: skip
        entry.status = 200
        begin, _, wanted = _wanted(entry, tag, len(whole)) if kind != "whole" else (0, 0, False)
        if wanted and begin >= len(whole):
            entry.status = 416
            await _error(416, "InvalidRange")({"type": "http"}, _never, send)
            return
        if wanted:
            entry.status, data = 206, whole[begin:]
            headers["Content-Range"] = f"bytes {begin}-{len(whole) - 1}/{len(whole)}"
        length = {"larger": 2 * len(data) + 1, "short": min(keep, len(data))}.get(kind, len(data))
        if kind != "endless":
            headers["Content-Length"] = str(length)
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": entry.status, "headers": raw})
        if kind in ("broken", "short"):
            data = data[:keep]
        cycle: Any = getattr(send, "__self__", None)
        for piece in _pieces(data, endless=kind == "endless"):
            if cycle is not None and cycle.disconnected:
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            entry.sent += len(piece)
            await asyncio.sleep(fault.seconds if fault is not None and kind == "slow" else 0)
        if kind in ("broken", "larger"):
            await drop(send, at_once=False)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _never() -> Any:
    await asyncio.Event().wait()


def _wanted(entry: FileRequest, tag: str, size: int) -> tuple[int, int, bool]:
    """Where the range begins and ends that is asked for, and whether one is, of these very bytes."""
    asked = _RANGE.fullmatch(entry.headers.get("range", ""))
    if asked is None or entry.headers.get("if-range", tag) not in (tag, _UPLOADED):
        return 0, size, False
    return int(asked[1]), size, True


def _pieces(data: bytes, *, endless: bool) -> Iterator[bytes]:
    while True:
        for at in range(0, len(data), _PIECE):
            yield data[at : at + _PIECE]
        if not endless:
            return


def _error(status: int, code: str, headers: dict[str, str] | None = None) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
    return Response(body, status, headers, media_type="application/xml")
