"""What an assistant is told of the tools before it uses any."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.mcp import sizes
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.mcp.conftest import ERAS, Assistant

SNAPSHOT = Path(__file__).parent / "tools.json"


@pytest.mark.parametrize("era", ERAS)
def test_the_tools_are_those_of_the_snapshot(acme: Harness, assistant: Callable[..., Assistant], era: str) -> None:
    """A change here changes what assistants do: to make it on purpose, delete the snapshot and run this once."""

    def listed(client: Any) -> Any:
        return client.list_tools()

    tools = [
        tool.model_dump(mode="json", by_alias=True, exclude_none=True)
        for tool in assistant("acme", era=era).do(listed).tools
    ]
    said = json.dumps(tools, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(said, encoding="utf-8")
        pytest.fail(f"{SNAPSHOT} was written: look at it, and run this again.")
    assert said == SNAPSHOT.read_text(encoding="utf-8")
    assert sizes.tokens(json.dumps(tools)) < 4000, "they stand in the context of every conversation"


def test_no_tool_takes_an_address_to_ask_or_writes(acme: Harness, assistant: Callable[..., Assistant]) -> None:
    for tool in assistant("acme").do(lambda client: client.list_tools()).tools:
        notes = tool.annotations
        assert notes.read_only_hint and notes.idempotent_hint and not notes.destructive_hint
        assert not notes.open_world_hint and tool.output_schema
        assert not re.search("sync|write|update|delete|add", tool.name)
    templates = assistant("acme").do(lambda client: client.list_resource_templates()).resource_templates
    assert {each.uri_template for each in templates} == {
        "arcana://{workspace}/documents/{document}",
        "arcana://{workspace}/documents/{document}/{passage}",
    }
    assert assistant("acme").do(lambda client: client.list_prompts()).prompts == []
