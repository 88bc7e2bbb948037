"""What every HTTP server of the stand-ins has in common: a loopback port, the thread that serves it, and the end.

A stand-in is an `AnsweringServer`, whose `answer` is a function of the request, or a `HttpServer` around an
application for uvicorn.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self

import uvicorn

_PATIENCE_SECONDS = 10.0
# How soon a server of threads sees that it is to stop.
_POLL_SECONDS = 0.005


class Engine(Protocol):
    """What serves a socket.

    Attributes:
        started: whether requests are taken.
    """

    @property
    def started(self) -> bool: ...

    def run(self, sockets: list[socket.socket]) -> None:
        """Serve the socket until `leave` is called."""
        ...

    def leave(self) -> None:
        """Let `run` end, from any thread."""
        ...


class HttpServer:
    """Serves a port of the loopback interface, by a thread of its own, until closed; a context manager.

    Attributes:
        address: `http://127.0.0.1:PORT`.
    """

    def __init__(self, engine: Engine, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Begin to serve; `port` 0 takes a free one. `host` is another address of this machine."""
        self._engine = engine
        self._socket = socket.create_server((host, port), backlog=128)
        self.address = f"http://{host}:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(
            target=engine.run, args=([self._socket],), name=type(self).__name__, daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not engine.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError(f"The stand-in {type(self).__name__} did not start.")
            time.sleep(0.002)

    def close(self) -> None:
        """Stop serving."""
        self._engine.leave()
        self._thread.join(_PATIENCE_SECONDS)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came.

    Attributes:
        target: the path with its query; the whole address, where the server is asked as a proxy.
        headers: by their names in lower case.
        body: all of it; empty without one.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets.

    Attributes:
        body: sent with its length; pieces are sent one by one, and `headers` says their length.
        headers: besides `Content-Length`; given none, the answer says that it is JSON.
    """

    status: int
    body: bytes | Iterable[bytes]
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class AnsweringServer(HttpServer):
    """A server whose answers are made by `answer`, each connection in a thread of its own."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(_Threads(self), port=port)

    def answer(self, request: Request) -> Answer | None:
        """The answer to a request; None ends the connection without one. Called by several threads."""
        raise NotImplementedError


class Uvicorn(uvicorn.Server):
    """uvicorn without its waits of a tenth of a second at the end, which every test would pay."""

    def __init__(self, application: Any, *, has_sockets: bool = False) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                lifespan="off",
                access_log=False,
                log_config=None,
                ws="websockets-sansio" if has_sockets else "none",
                date_header=False,
                server_header=False,
                timeout_keep_alive=60,
            )
        )
        self._leave = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop, which is how `leave` reaches it."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)

    async def main_loop(self) -> None:
        """Wait for `leave`."""
        await self._leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End open connections at once."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)

    def leave(self) -> None:
        """Stop, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._leave.set)


async def drop(send: Any, *, at_once: bool = True) -> None:
    """End the connection without a word; not at once: after what was sent."""
    cycle: Any = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if cycle is None or transport is None:
        raise RuntimeError("This server's connections cannot be dropped; run it with uvicorn.")
    (transport.abort if at_once else transport.close)()
    while not cycle.disconnected:
        await asyncio.sleep(0)


class _Threads(ThreadingHTTPServer):
    """A thread for each connection; none of them is waited for at the end."""

    daemon_threads = True
    started = True  # the socket listens already: who comes before the thread runs waits for it

    def __init__(self, stand_in: AnsweringServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()  # another one is served
        self.stand_in = stand_in

    def run(self, sockets: list[socket.socket]) -> None:
        (self.socket,) = sockets
        self.serve_forever(_POLL_SECONDS)

    def leave(self) -> None:
        self.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: _Threads
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.stand_in.answer(Request(self.command, self.path, headers, body))
        if answer is None:
            self.close_connection = True
            return
        try:
            self._send(answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the caller did not wait

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.body, bytes):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        for piece in [answer.body] if isinstance(answer.body, bytes) else answer.body:
            self.wfile.write(piece)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
