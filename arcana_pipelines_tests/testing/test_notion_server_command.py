"""The command, and control over HTTP for other processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.testing.notion_server.world.world import DEFAULT_TOKEN
from arcana_pipelines_tests.testing.conftest import VERSION, Api, plain_http

REPOSITORY = Path(__file__).resolve().parents[2]


def control(base_url: str, call: str, **args: Any) -> Any:
    answer = httpx.post(f"{base_url}/_control", json={"call": call, "args": args}, verify=False)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


@pytest.fixture(scope="module")
def command() -> Iterator[str]:
    given = [sys.executable, "-m", "arcana_pipelines.testing.notion_server", "--pages", "5", "--rows", "2"]
    process = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None and process.stderr is not None
    assert process.stderr.readline().strip() == f"token: {DEFAULT_TOKEN}"
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()
        process.stderr.close()


def test_the_command_serves_a_seeded_world_in_real_time(command: str) -> None:
    headers = {"Authorization": f"Bearer {DEFAULT_TOKEN}", "Notion-Version": VERSION}
    with plain_http(base_url=command, headers=headers) as client:
        found = client.post("/v1/search", json={"filter": {"property": "object", "value": "page"}}).json()
        assert len(found["results"]) == 7
        page = control(command, "add_page", title="새 페이지", blocks="Text")
        assert client.get(f"/v1/pages/{page}/markdown").json()["markdown"] == "Text"
        assert control(command, "visible_text", page_id=page) == ["새 페이지", "Text"]


def test_control_changes_the_world_and_is_not_logged(world: NotionWorld, server: NotionServer, ask: Api) -> None:
    url = server.base_url
    page = control(url, "add_page", title="Page", blocks="One")
    control(url, "edit_page", page_id=page, blocks=[{"type": "divider", "divider": {}}])
    assert ask.markdown(page) == "---"
    ids = control(url, "add_database", title="DB", parent=page, schema={"N": "number"})
    row = control(url, "add_row", data_source_id=ids["data_source_id"], title="Row", properties={"N": 1})
    assert set(control(url, "visible_pages")) == {page, row}
    control(url, "clock_set", moment="2026-02-01T00:00:00+00:00")
    control(url, "clock_advance", seconds=60)
    assert control(url, "clock_now") == "2026-02-01T00:01:00+00:00"
    control(url, "add_fault", match="me$", kind=500)
    assert ask.refusal("/users/me")[0] == 500
    assert [entry["status"] for entry in control(url, "requests")] == [200, 500]
    control(url, "reset_log")
    assert server.requests == []
    control(url, "revoke_tokens")
    assert ask.refusal("/users/me")[0] == 401


@pytest.mark.parametrize(
    "order",
    [
        {"call": "access_changed"},
        {"call": "__init__"},
        {"call": "trash", "args": {"node_id": "00000000-0000-4000-8000-000000000000"}},
        {"call": "trash", "args": {"unknown": 1}},
        {"args": {}},
    ],
)
def test_control_refuses_what_is_not_on_its_list_or_wrong(server: NotionServer, order: dict[str, Any]) -> None:
    answer = httpx.post(f"{server.base_url}/_control", json=order, verify=False)
    assert answer.status_code == 400
    assert "error" in answer.json()
