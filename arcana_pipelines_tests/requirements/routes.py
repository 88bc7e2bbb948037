"""The routes of the API as its OpenAPI document has them, each with something that it could be asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import httpx

from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission, Scope
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.web.conftest import SALT, Api

ALL_SCOPES: Any = get_args(Scope)
# Of a path: what is there in the workspace of the key. Others are asked for by a number.
THERE = {"slug": "acme", "store": "acme", "document": "Vacation policy", "generation": "1", "key_id": "abcdefgh",
         "build": "1", "chunk": "1", "ticket": "20", "conversation_id": "c0c0c0c0-0000-4000-8000-000000000001",
         "document_id": "d0d0d0d0-0000-4000-8000-000000000001"}  # fmt: skip
# Beside the document: assistants have a protocol of their own.
MCP = "/mcp"
OF_ASSISTANTS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}


@dataclass(frozen=True)
class Route:
    """An operation.

    Attributes:
        parameters: the names in its path, and in its query.
        body: an example of its own; None: it takes none.
        takes_body: whether one belongs to it.
        takes_bytes: that is a file's bytes, and no JSON.
    """

    method: str
    path: str
    of_path: tuple[str, ...]
    of_query: tuple[str, ...]
    required: tuple[str, ...]
    body: Any
    takes_body: bool
    takes_bytes: bool = False

    def ask(
        self, client: httpx.Client, there: Mapping[str, str] = THERE, query: Mapping[str, str] | None = None,
        body: Any = None, headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:  # fmt: skip
        """Ask it for something that could be answered, or with other parameters."""
        path = self.path
        for name in self.of_path:
            path = path.replace(f"{{{name}}}", there.get(name, "1"))
        asked = dict.fromkeys(self.required, "vacation") | dict(query or {})
        content: dict[str, Any] = {}
        kind = {"Content-Type": "application/octet-stream" if self.takes_bytes else "application/json"}
        if self.takes_body:
            content = {"content": b"text" if self.takes_bytes else json.dumps(self.body if body is None else body)}
        sent = (kind if self.takes_body else {}) | dict(headers or {})
        return client.request(self.method, path, params=asked, headers=sent, **content)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_with_key(api: Api) -> list[Route]:
    """Those that need a key."""
    with api.with_key(None) as client:
        document = client.get("/openapi.json").json()
    found = [
        _route(document, method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/v1")
    ]
    assert len(found) >= 9
    return found


def _route(document: Any, method: str, path: str, operation: Any) -> Route:
    parameters = operation.get("parameters", [])

    def names(place: str, only: bool = False) -> tuple[str, ...]:
        return tuple(
            each["name"] for each in parameters if each["in"] == place and (not only or each.get("required", False))
        )

    bodies = operation.get("requestBody", {}).get("content", {})
    content = bodies.get("application/json", {})
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    example = content.get("example") or schema.get("example") or {}
    return Route(method, path, names("path"), names("query"), names("query", True), example, "requestBody" in operation,
                 "application/octet-stream" in bodies)  # fmt: skip


def ask_tools(client: httpx.Client, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """Ask for the tools of assistants, as one of them does."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    return client.post(MCP, json=asked, headers={**OF_ASSISTANTS, **(headers or {})})


def may_everything(api: Api) -> httpx.Client:
    """A client with a key that may do all there is in its company."""
    with api.acme.database.connection() as connection:
        company_id = workspaces.find(connection, "acme").company_id
        granted = [Permission(scope, None, None) for scope in ALL_SCOPES]
        return api.with_key(keys.create(connection, SALT, company_id, granted, "everything").key)
