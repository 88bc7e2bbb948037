"""A server over what a workspace holds, and the SDK's client in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp_types import CallToolResult

from arcana_pipelines.db.engine import Database
from arcana_pipelines.mcp.reach import Reach
from arcana_pipelines.mcp.server import make_server
from arcana_pipelines.settings import Settings

# Of 2026-07-28, and of 2025-11-25 and before.
ERAS = ("auto", "legacy")


@dataclass(frozen=True)
class Assistant:
    """What an assistant can do with a server: list and call its tools, read its resources."""

    server: MCPServer[Any]
    era: str = "auto"

    def do(self, act: Callable[[Client], Any]) -> Any:
        async def done() -> Any:
            async with Client(self.server, mode=self.era) as client:
                return await act(client)

        return asyncio.run(done())

    def call(self, tool: str, **arguments: Any) -> CallToolResult:
        return self.do(lambda client: client.call_tool(tool, arguments))  # type: ignore[no-any-return]

    def ask(self, tool: str, **arguments: Any) -> Any:
        """What a tool answers, which is the same in its structured form and in its text."""
        result = self.call(tool, **arguments)
        assert not result.is_error, result.content
        (block,) = result.content
        assert json.loads(block.text) == result.structured_content
        return result.structured_content

    def refusal(self, tool: str, **arguments: Any) -> str:
        result = self.call(tool, **arguments)
        assert result.is_error
        (block,) = result.content
        return str(block.text)


@pytest.fixture
def searches(settings: Settings) -> Iterator[Database]:
    """The test's database as the role that may only search."""
    assert settings.database_url is not None
    reader = settings.model_copy(
        update={"database_url": type(settings.database_url)(as_reader(settings.database_url.get_secret_value()))}
    )
    database = Database(reader, only_searches=True)
    yield database
    database.close()


def as_reader(url: str) -> str:
    return url.replace("//arcana@", "//arcana_reader@")


@pytest.fixture
def assistant(searches: Database) -> Callable[..., Assistant]:
    """Makes an assistant that may use some workspaces."""

    def make(*slugs: str, era: str = "auto") -> Assistant:
        return Assistant(make_server(searches, lambda _: Reach.of(slugs)), era)

    return make
