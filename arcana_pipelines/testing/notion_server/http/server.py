"""A real HTTP server around a world."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arcana_pipelines.testing.notion_server.http.api import Api, unknown_path
from arcana_pipelines.testing.notion_server.http.control import Control
from arcana_pipelines.testing.notion_server.http.errors import ApiError, invalid_url
from arcana_pipelines.testing.notion_server.http.faults import Faults
from arcana_pipelines.testing.notion_server.http.gate import Gate, LoggedRequest
from arcana_pipelines.testing.notion_server.model.objects import Json
from arcana_pipelines.testing.notion_server.world.world import NotionWorld

_PATIENCE_SECONDS = 10.0


class _Uvicorn(uvicorn.Server):
    """uvicorn without its waits of a tenth of a second at the end, which every test would pay."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leave = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)

    async def main_loop(self) -> None:
        await self._leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
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


class NotionServer:
    """A world on a port of the loopback interface, served by a thread until closed.

    Attributes:
        base_url: where it is, without `/v1`; notion-client takes it as `base_url`.
        faults: what should go wrong.
    """

    def __init__(self, world: NotionWorld, *, port: int = 0) -> None:
        self.world = world
        self._gate = Gate(world)
        self._gate.app = self._application()
        config = uvicorn.Config(
            self._gate,
            lifespan="off",
            access_log=False,
            log_config=None,
            ws="none",
            date_header=False,
            server_header=False,
            timeout_keep_alive=60,
        )
        self._server = _Uvicorn(config)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="notion-stand-in", daemon=True
        )
        self._thread.start()
        self._wait_until_started()

    @property
    def faults(self) -> Faults:
        """What should go wrong."""
        return self._gate.faults

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests to `/v1/` since the last reset, in the order they came."""
        return self._gate.requests

    def reset_log(self) -> None:
        """Forget the requests so far."""
        self._gate.requests = []

    def rate_limit(
        self, per_minute: int | None = 180, *, window_seconds: float = 60.0, by_world_clock: bool = False
    ) -> None:
        """Answer 429 beyond so many requests a window; None lifts the limit."""
        self._gate.limit(per_minute, window_seconds, by_world_clock)

    def alter(self, change: Callable[[str, Json], Json | bytes] | None) -> None:
        """Let every good answer be what `change` makes of it, given `"METHOD /path"` and the answer; None: as it is."""
        self._gate.alter = change

    def latency(self, seconds: float) -> None:
        """Let every answer take so much longer."""
        self._gate.latency_seconds = seconds

    def close(self) -> None:
        """Stop serving; open connections end."""
        self._server.leave()
        self._thread.join(_PATIENCE_SECONDS)
        self._socket.close()

    def __enter__(self) -> NotionServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _application(self) -> Starlette:
        api = Api(self.world, self._gate.admit, self._gate.finish)
        control = Control(
            self.world,
            {
                "add_fault": self._add_fault,
                "clear_faults": self.faults.clear,
                "rate_limit": self.rate_limit,
                "latency": self.latency,
                "requests": lambda: [asdict(entry) for entry in self.requests],
                "reset_log": self.reset_log,
            },
        )
        routes = [
            *api.routes(),
            Route("/_control", control.endpoint, methods=["POST"]),
            Route("/{path:path}", unknown_path),
        ]

        async def refuse(request: Request, error: Exception) -> Response:
            assert isinstance(error, ApiError)
            entry: LoggedRequest | None = getattr(request.state, "entry", None)
            if entry is not None:
                entry.status = error.status
            return self._gate.refusal(error)

        async def refuse_method(request: Request, error: Exception) -> Response:
            return await refuse(request, invalid_url())

        return Starlette(routes=routes, exception_handlers={ApiError: refuse, 404: refuse_method, 405: refuse_method})

    def _add_fault(self, **given: Any) -> None:
        self.faults.add(**given)

    def _wait_until_started(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("The stand-in Notion server did not start.")
            time.sleep(0.002)


def serve(world: NotionWorld, *, port: int = 0) -> NotionServer:
    """Serve a world on 127.0.0.1, on a free port unless one is given; a context manager."""
    return NotionServer(world, port=port)
