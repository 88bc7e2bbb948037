"""Assistants over MCP at the API's own address: what their key opens they reach, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from arcana_pipelines.web.problems import MEDIA_TYPE
from arcana_pipelines_tests.mcp.conftest import ERAS
from arcana_pipelines_tests.web.conftest import Api


def ask(api: Api, key: str, era: str, act: Callable[[Client], Awaitable[Any]]) -> Any:
    """Do something with a client that has this key."""

    async def run() -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
            address = streamable_http_client(f"{api.url}/mcp", http_client=http)
            async with Client(address, mode=era) as client:
                return await act(client)

    return asyncio.run(run())


@pytest.mark.parametrize("era", ERAS)
def test_they_find_and_read_what_their_key_opens(api: Api, era: str) -> None:
    async def act(client: Client) -> tuple[Any, Any, Any]:
        found = await client.call_tool("search", {"query": "days of vacation"})
        first = (found.structured_content or {})["results"][0]
        read = await client.call_tool("fetch", {"id": first["id"]})
        return first, read.structured_content, (await client.call_tool("list_workspaces", {})).structured_content

    first, read, listed = ask(api, api.key("search", "read").key, era, act)
    assert first["title"] == "Vacation policy" and first["url"]
    assert "30 days of vacation" in read["text"]
    assert [each["workspace"] for each in listed["workspaces"]] == ["acme"]


@pytest.mark.parametrize("era", ERAS)
def test_they_read_nothing_that_their_key_does_not_open(api: Api, era: str) -> None:
    (foreign,) = api.acme.rows(
        "SELECT document_id::text FROM document JOIN workspace USING (workspace_id) WHERE slug = 'globex' LIMIT 1"
    )[0]

    async def fetched(client: Client) -> Any:
        return await client.call_tool("fetch", {"id": f"globex/{foreign}"})

    async def searched(client: Client) -> Any:
        return await client.call_tool("search", {"query": "vacation"})

    refused = ask(api, api.key("search", "read").key, era, fetched)
    assert refused.is_error and "30 days" not in str(refused)
    assert ask(api, api.key("read").key, era, searched).is_error
    own = ask(api, api.key("search", slug="globex").key, era, searched)
    assert {hit["id"].partition("/")[0] for hit in own.structured_content["results"]} == {"globex"}


def test_without_a_key_they_are_told_so(api: Api) -> None:
    with api.with_key(None) as client:
        refused = client.post("/mcp", json={})
        assert client.get("/nowhere").headers["content-type"] == MEDIA_TYPE
    assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Bearer")
    assert refused.headers["content-type"] == MEDIA_TYPE


def test_a_page_in_a_browser_asks_in_vain(api: Api) -> None:
    with api.client("search") as client:
        assert client.post("/mcp", json={}, headers={"Host": "evil.example"}).status_code == 421
        assert client.post("/mcp", json={}, headers={"Origin": "https://evil.example"}).status_code == 403
