"""The server in a host, over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from arcana_pipelines.db.engine import Database
from arcana_pipelines.mcp.http import make_http_app
from arcana_pipelines.mcp.reach import Reach
from arcana_pipelines.mcp.server import make_server
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.mcp.conftest import ERAS

KEYS = {"key-of-acme": ("acme",), "key-of-both": ("acme", "beta")}


class Gate:
    """A host's look at the key."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            key = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
            if key not in KEYS:
                await Response(status_code=401, headers={"WWW-Authenticate": 'Bearer realm="arcana"'})(
                    scope, receive, send
                )
                return
            scope.setdefault("state", {})["slugs"] = KEYS[key]
        await self.app(scope, receive, send)


@pytest.fixture
def ask(acme: Harness, another: Callable[[str], Harness], searches: Database) -> Callable[..., Any]:
    """Does something with a client whose requests carry a key."""
    for harness in (acme, another("beta")):
        harness.world.add_page(f"Walrus of {harness.slug}", blocks=[blocks.paragraph("A walrus eats clams.")])
        harness.settle()
        harness.sync()

    def done(act: Callable[[httpx2.AsyncClient], Any], key: str) -> Any:
        server = make_server(searches, lambda request: Reach.of(request.state.slugs))
        host = Gate(Starlette(routes=[Mount("/", make_http_app(server, ["search.example.com"]))]))

        async def run() -> Any:
            transport = httpx2.ASGITransport(app=host)
            headers = {"Authorization": f"Bearer {key}"}
            async with (
                server.session_manager.run(),
                httpx2.AsyncClient(transport=transport, headers=headers) as http,
            ):
                return await act(http)

        return asyncio.run(run())

    return done


def through(era: str, act: Callable[[Client], Any]) -> Callable[[httpx2.AsyncClient], Any]:
    async def run(http: httpx2.AsyncClient) -> Any:
        address = "https://search.example.com/mcp"
        async with Client(streamable_http_client(address, http_client=http), mode=era) as client:
            return await act(client)

    return run


@pytest.mark.parametrize("era", ERAS)
def test_a_key_reaches_what_it_opens(ask: Callable[..., Any], era: str) -> None:
    def search(client: Client) -> Any:
        return client.call_tool("search", {"query": "What does a walrus eat?"})

    for key, slugs in KEYS.items():
        result = ask(through(era, search), key)
        assert {hit["workspace"] for hit in result.structured_content["results"]} == set(slugs)
    tools = ask(through(era, lambda client: client.list_tools()), "key-of-acme").tools
    assert "acme (1 document" in tools[0].description and "beta" not in str(tools)


@pytest.mark.parametrize(
    ("tool", "does", "arguments"),
    [
        ("search", "retrieval.searcher.Searcher.search", {"query": "walrus"}),
        ("fetch", "mcp.server.find_document", {"id": "acme/0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e6f"}),
    ],
)
def test_what_is_wrong_here_is_for_the_log(
    ask: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tool: str,
    does: str,
    arguments: dict[str, Any],
) -> None:
    from arcana_pipelines.errors import DatabaseUnreachable

    def fails(*_: Any) -> None:
        raise DatabaseUnreachable("The database at db.internal cannot be used.")

    monkeypatch.setattr(f"arcana_pipelines.{does}", fails)
    result = ask(through("auto", lambda client: client.call_tool(tool, arguments)), "key-of-acme")
    assert result.is_error and "db.internal" not in str(result.content) and "db.internal" in caplog.text


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 405),
        ("DELETE", {}, 405),
        ("POST", {"Host": "evil.example.com"}, 421),
        ("POST", {"Origin": "https://evil.example.com"}, 403),
        ("POST", {"Authorization": "Bearer no-key"}, 401),
        ("POST", {"Content-Length": "100000"}, 413),
    ],
)
def test_what_no_assistant_sends_is_refused(
    ask: Callable[..., Any], method: str, headers: dict[str, str], status: int
) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepted = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}

    async def send(http: httpx2.AsyncClient) -> int:
        answer = await http.request(
            method, "https://search.example.com/mcp", content=json.dumps(body), headers={**accepted, **headers}
        )
        return int(answer.status_code)

    assert ask(send, "key-of-acme") == status
