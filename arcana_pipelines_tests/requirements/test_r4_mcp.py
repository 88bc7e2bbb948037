"""R4: assistants get data from tools that only read, whatever stands on a page. See also `mcp/test_hostile.py`."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.mcp.test_hostile import ORDERS, UNSEEN
from arcana_pipelines_tests.requirements.routes import ALL_SCOPES, MCP, OF_ASSISTANTS, ask_tools
from arcana_pipelines_tests.web.conftest import Api

TOOLS = {"search", "fetch", "search_with_filters", "list_workspaces", "list_documents", "related_documents"}


def call(client: httpx.Client, tool: str, **arguments: Any) -> Any:
    """What a tool answers over HTTP."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    return client.post(MCP, json=asked, headers=OF_ASSISTANTS).json()


def test_r4_orders_of_pages_come_back_as_data_over_http_and_change_no_tool(api: Api) -> None:
    with api.client(*ALL_SCOPES) as client:
        before = ask_tools(client).json()["result"]["tools"]
        for name, order in ORDERS.items():
            api.acme.world.add_page(f"Quagga {name} {order}", blocks=[blocks.paragraph(f"The quagga says: {order}")])
        api.acme.settle()
        api.acme.sync()
        told = api.acme.rows("SELECT count(*) FROM audit_logs")
        found = call(client, "search", query="What does the quagga say?")["result"]["structuredContent"]
        assert len(found["results"]) >= len(ORDERS)
        for each in found["results"]:
            page = call(client, "fetch", id=each["id"])["result"]
            assert page["isError"] is False and set(page["structuredContent"]) == {
                "id",
                "title",
                "text",
                "url",
                "metadata",
            }
            assert "instruction" in page["structuredContent"]["metadata"]["notice"]
            assert not UNSEEN.search(json.dumps(page, ensure_ascii=False))
        after = ask_tools(client).json()["result"]["tools"]
    print(f"{len(ORDERS)} pages that give orders")
    assert [tool["name"] for tool in before] == [tool["name"] for tool in after]
    assert "quagga" not in json.dumps(after).lower()
    assert told == api.acme.rows("SELECT count(*) FROM audit_logs")


def test_r4_all_tools_only_read_and_none_takes_an_address_to_ask(api: Api) -> None:
    with api.client(*ALL_SCOPES) as client:
        tools = ask_tools(client).json()["result"]["tools"]
    assert {tool["name"] for tool in tools} == TOOLS
    for tool in tools:
        assert tool["annotations"]["readOnlyHint"] is True and tool["annotations"].get("destructiveHint") is not True
        assert not {"url", "uri", "path", "sql", "command"} & set(tool["inputSchema"]["properties"])


@pytest.mark.parametrize(
    "token",
    [
        # What an authorization server of others could have given, to another audience.
        "eyJhbGciOiJub25lIn0.eyJhdWQiOiJodHRwczovL2V2aWwuZXhhbXBsZSIsInNjb3BlIjoic2VhcmNoIHJlYWQifQ.",
        "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJodHRwczovL2FwaS5ub3Rpb24uY29tIn0.c2lnbmF0dXJl",
        "ntn_0123456789abcdefghijklmnopqrstuvwxyz",
        "sk-0123456789abcdefghijklmnopqrstuvwxyz",
    ],
)
def test_r4_a_token_of_others_opens_nothing(api: Api, token: str) -> None:
    with api.with_key(token) as client:
        assert ask_tools(client).status_code == 401
        assert client.get("/v1/workspaces").status_code == 401


def test_r4_what_is_not_the_key_s_is_told_as_what_does_not_exist(api: Api) -> None:
    ((document,),) = api.acme.rows(
        "SELECT document_id::text FROM document JOIN workspace USING (workspace_id) WHERE slug = 'globex' LIMIT 1"
    )
    said = []
    with api.client(*ALL_SCOPES) as client:
        for slug in ("globex", "nowhere"):
            answers = [
                call(client, tool, **arguments)
                for tool, arguments in (
                    ("fetch", {"id": f"{slug}/{document}"}),
                    ("related_documents", {"id": f"{slug}/{document}"}),
                    ("list_documents", {"workspace": slug}),
                    ("search_with_filters", {"query": "vacation", "workspaces": [slug]}),
                )
            ]
            assert all(answer["result"]["isError"] for answer in answers)
            said.append(json.dumps(answers).replace(slug, "it"))
        assert "globex" not in json.dumps(call(client, "list_workspaces"))
    assert said[0] == said[1]
