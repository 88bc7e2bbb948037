"""Dagster's own web server behind the log-in."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import served
from arcana_pipelines_tests.web.dagster_ui.conftest import new_key
from arcana_pipelines_tests.web.dagster_ui.dagster import GRAPHQL
from arcana_pipelines_tests.web.people.chromium import browser, find_chromium

pytestmark = [pytest.mark.long, pytest.mark.e2e]


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[str]:
    """The address of ours, which has no code to show."""
    (tmp_path / "workspace.yaml").write_text("load_from: []\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "arcana_pipelines.defs.webserver", "-h", "127.0.0.1", "-p", str(port)]
    here = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "HOME")}
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [*command, "-w", "workspace.yaml"], cwd=tmp_path, env={**here, "DAGSTER_HOME": str(tmp_path)},
            stdout=log, stderr=log,
        ) as web,
    ):  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while not _answers(port):
                assert web.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            web.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_has_its_pages_its_files_its_operations_and_its_subscriptions(acme: Harness, web_server: str) -> None:
    assert '"pathPrefix": ""' in httpx.get(f"{web_server}/assets", trust_env=False).text
    with served(acme, dagster_ui_url=web_server) as api, api.with_key(new_key(api).key) as client:
        assert client.get("/dagster").headers["location"] == "/dagster/"
        page = client.get("/dagster/assets")
        assert '"pathPrefix": "/dagster"' in page.text and "nonce-" in page.headers["content-security-policy"]
        script = re.findall(r'src="(/dagster/_next/static/chunks/main-[^"]+)"', page.text)[0]
        file = client.get(script)
        assert file.status_code == 200 and len(file.content) > 10_000
        assert client.get(script, headers={"If-None-Match": file.headers["etag"]}).status_code == 304
        told = client.post(GRAPHQL, json={"query": "query Version { version }"}).json()
        assert re.match(r"\d+\.\d+", told["data"]["version"])

        url = f"ws{api.url.removeprefix('http')}{GRAPHQL}"
        protocols, headers = [Subprotocol("graphql-ws")], {"Authorization": client.headers["Authorization"]}
        with connect(url, additional_headers=headers, subprotocols=protocols, proxy=None) as stream:
            stream.send(json.dumps({"type": "connection_init"}))
            assert json.loads(stream.recv(30)) == {"type": "connection_ack"}
            # What is told to the log comes by POST: here it is answered with an error, and nothing is done.
            query = "mutation Nux { setNuxSeen }"
            stream.send(json.dumps({"type": "start", "id": "1", "payload": {"query": query}}))
            assert json.loads(stream.recv(30))["type"] == "error"
            query = "subscription { locationStateChangeEvents { event { message } } }"
            stream.send(json.dumps({"type": "start", "id": "2", "payload": {"query": query}}))
            stream.send(json.dumps({"type": "stop", "id": "2"}))
            stream.send(json.dumps({"type": "connection_terminate"}))
            assert all(json.loads(message)["type"] != "error" for message in stream)


@pytest.mark.skipif(find_chromium() is None, reason="NO CHROMIUM: the UI was not looked at in a browser")
def test_a_browser_logs_in_and_sees_it_and_hears_of_changes(acme: Harness, web_server: str) -> None:
    with served(acme, dagster_ui_url=web_server) as api, browser() as tab:
        tab.go(f"{api.url}/dagster/assets")
        assert tab.run("location.pathname + location.search") == "/log-in?next=%2Fdagster%2Fassets"
        tab.run("document.querySelector('#key').focus()")
        tab.type(new_key(api).key)
        tab.press("Enter")
        tab.wait("location.pathname === '/dagster/assets' && document.body.innerText.includes('Catalog')")
        tab.go(f"{api.url}/dagster/runs")
        tab.wait("document.title.startsWith('Runs')")
        # Its telemetry is on here, which would have a program of another server's run in the origin of our page.
        refused = [each for each in tab.errors if "Content Security Policy" in each]
        assert refused and all("https://dagster.io/oss-telemetry.js" in each for each in refused)
        assert not [each for each in tab.errors if "WebSocket" in each]
        tab.go(f"{api.url}/")
        assert tab.run("document.querySelector('nav a[href=\"/dagster/\"]').innerText") == "Runs (Dagster)"
