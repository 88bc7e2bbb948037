"""How stand-ins are served: on the loopback interface alone, until they are closed, and by one piece of code."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from arcana_pipelines.testing.http_server import Answer, AnsweringServer, HttpServer, Request
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines.testing.rerank_server import RerankingServer
from arcana_pipelines_tests.testing.conftest import plain_http

REPOSITORY = Path(__file__).resolve().parents[2]


class Echo(AnsweringServer):
    """Answers with what it got; `/mute` is never answered."""

    def answer(self, request: Request) -> Answer | None:
        if request.target == "/mute":
            return None
        if request.target == "/pieces":
            return Answer(200, iter([b"ab", b"", b"cd"]), {"Content-Length": "4"})
        text = f"{request.method} {request.target} {request.headers['x-word']} {request.body.decode()}"
        return Answer(201, text.encode(), {"Content-Type": "text/plain", "X-More": "1"})


@pytest.mark.parametrize("make", [lambda: NotionServer(NotionWorld()), EmbeddingServer, RerankingServer, Echo])
def test_a_closed_server_leaves_no_thread_and_no_port(make: Callable[[], HttpServer]) -> None:
    before = set(threading.enumerate())
    with make() as server:
        host, _, port = server.address.removeprefix("http://").partition(":")
        # A connection that nobody ends is no reason to stay.
        open_connection = socket.create_connection((host, int(port)), 5)
    assert host == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), 5)
    open_connection.close()
    left = {thread for thread in threading.enumerate() if thread.name == type(server).__name__}
    assert left <= before


def test_an_answer_is_a_function_of_the_request() -> None:
    with Echo() as server, plain_http(base_url=server.address) as client:
        answer = client.request("DELETE", "/a?b=1", headers={"X-Word": "w"}, content="body")
        assert (answer.status_code, answer.text) == (201, "DELETE /a?b=1 w body")
        assert (answer.headers["content-type"], answer.headers["x-more"]) == ("text/plain", "1")
        assert client.get("/pieces").content == b"abcd"
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/mute")


def test_servers_are_started_and_stopped_in_one_place() -> None:
    folders = ("arcana_pipelines/testing", "arcana_pipelines_tests")
    servers = re.compile(r"^\s*(?:from http\.server|import uvicorn|from uvicorn)", re.MULTILINE)
    importing = {
        str(path.relative_to(REPOSITORY))
        for folder in folders
        for path in (REPOSITORY / folder).rglob("*.py")
        if servers.search(path.read_text(encoding="utf-8"))
    }
    assert importing == {
        "arcana_pipelines/testing/http_server.py",
        "arcana_pipelines_tests/conftest.py",  # where servers wait less, and none is started
        "arcana_pipelines_tests/web/test_receiver.py",  # the receiver of webhooks is served as the product serves it
    }
