"""Clients of the stand-ins of Notion (whose world and server are the fixtures of the whole suite) and Freshdesk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from notion_client import Client

from arcana_pipelines.testing.freshdesk_server import FreshdeskServer
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld

VERSION = "2026-03-11"


def plain_http(**options: Any) -> httpx.Client:
    """A client that loads no certificates: that takes longer than most of these tests."""
    return httpx.Client(verify=False, **options)


@pytest.fixture
def api(world: NotionWorld, server: NotionServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {world.token}", "Notion-Version": VERSION}
    with plain_http(base_url=f"{server.base_url}/v1", headers=headers) as client:
        yield client


@contextmanager
def notion_client(server: NotionServer, version: str = VERSION) -> Iterator[Client]:
    """The official client, closed at the end: an open socket would fail some later test."""
    with plain_http() as http:
        yield Client(auth=server.world.token, base_url=server.base_url, notion_version=version, client=http)


class Api:
    """Short ways to ask, for tests."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refusal(self, path: str, *, method: str = "GET", **given: Any) -> tuple[int, str]:
        body = {"json": given} if method == "POST" else {"params": given}
        answer = self.client.request(method, path, **body)
        assert answer.json()["object"] == "error"
        assert answer.json()["status"] == answer.status_code
        return answer.status_code, answer.json()["code"]

    def markdown(self, node_id: str, version: str = "v2", **params: Any) -> str:
        return self.get(f"/pages/{node_id}/markdown", markdown_version=version, **params)["markdown"]

    def search_ids(self, **body: Any) -> list[str]:
        return [found["id"] for found in self.post("/search", **body)["results"]]


@pytest.fixture
def ask(api: httpx.Client) -> Api:
    return Api(api)


@pytest.fixture
def desk() -> Iterator[FreshdeskServer]:
    """A stand-in of Freshdesk with an empty world and no limits."""
    with FreshdeskServer() as server:
        yield server


@pytest.fixture
def tickets(desk: FreshdeskServer) -> Iterator[Tickets]:
    """Short ways to ask it, with the key that sees everything."""
    with plain_http(base_url=f"{desk.url}/api/v2", auth=(desk.world.key, "X")) as client:
        yield Tickets(client)


class Tickets:
    """Short ways to ask the stand-in of Freshdesk, for tests."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str, **params: Any) -> Any:
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status(self, path: str, **params: Any) -> int:
        return self.client.get(path, params=params).status_code

    def ids(self, path: str = "/tickets", **params: Any) -> list[int]:
        return [row["id"] for row in self.get(path, **params)]

    def all_ids(self, **params: Any) -> list[int]:
        return self.ids(updated_since="1970-01-01T00:00:00Z", order_by="updated_at", order_type="asc", **params)
