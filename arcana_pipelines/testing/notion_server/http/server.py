"""A real HTTP server around a world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arcana_pipelines.testing.http_server import HttpServer, Uvicorn
from arcana_pipelines.testing.notion_server.http.api import Api, unknown_path
from arcana_pipelines.testing.notion_server.http.control import Control
from arcana_pipelines.testing.notion_server.http.errors import ApiError, invalid_url
from arcana_pipelines.testing.notion_server.http.faults import Faults
from arcana_pipelines.testing.notion_server.http.file_server import FileFaults, FileRequest, FileServer
from arcana_pipelines.testing.notion_server.http.gate import Gate, LoggedRequest
from arcana_pipelines.testing.notion_server.model.objects import Json
from arcana_pipelines.testing.notion_server.world.world import NotionWorld


class NotionServer(HttpServer):
    """A world on a port of the loopback interface, served by a thread until closed.

    Attributes:
        base_url: where it is, without `/v1`; notion-client takes it as `base_url`.
        faults: what should go wrong.
    """

    def __init__(self, world: NotionWorld, *, port: int = 0) -> None:
        self.world = world
        self._gate = Gate(world)
        self._gate.files = self._files = FileServer(world)
        self._gate.app = self._application()
        super().__init__(Uvicorn(self._gate), port=port)
        self.base_url = self.address
        world.wire.signer.host = self.address

    @property
    def faults(self) -> Faults:
        """What should go wrong."""
        return self._gate.faults

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests to `/v1/` since the last reset, in the order they came."""
        return self._gate.requests

    @property
    def file_faults(self) -> FileFaults:
        """What should go wrong with the bytes of files."""
        return self._files.faults

    @property
    def file_requests(self) -> list[FileRequest]:
        """The requests for files since the last reset, in the order they came; they are none of `requests`."""
        return self._files.requests

    def reset_log(self) -> None:
        """Forget the requests so far."""
        self._gate.requests = []
        self._files.requests = []

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

    def _application(self) -> Starlette:
        api = Api(self.world, self._gate.admit, self._gate.finish)
        control = Control(
            self.world,
            {
                "add_fault": self._add_fault,
                "add_file_fault": self._add_file_fault,
                "clear_faults": self._clear_faults,
                "rate_limit": self.rate_limit,
                "latency": self.latency,
                "requests": lambda: [asdict(entry) for entry in self.requests],
                "file_requests": lambda: [asdict(entry) for entry in self.file_requests],
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

    def _add_file_fault(self, **given: Any) -> None:
        self.file_faults.add(**given)

    def _clear_faults(self) -> None:
        self.faults.clear()
        self.file_faults.clear()


def serve(world: NotionWorld, *, port: int = 0) -> NotionServer:
    """Serve a world on 127.0.0.1, on a free port unless one is given; a context manager."""
    return NotionServer(world, port=port)
