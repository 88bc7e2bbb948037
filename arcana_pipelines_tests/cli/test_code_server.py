"""Where the process that holds the code was killed, `arcana up` has Dagster start it again: by itself it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from arcana_pipelines.cli import code_server
from arcana_pipelines.cli.code_server import CodeServer
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request

GONE = "dagster._core.errors.DagsterUserCodeUnreachableError: Could not reach user code server."
BROKEN = "ImportError: No module named 'ours'"


class WebServer(AnsweringServer):
    """Says what is wrong with the code location `ours`, and notes what it is asked to load again."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.reloaded: list[str] = []
        self.status = 200
        super().__init__()

    def answer(self, request: Request) -> Answer:
        assert (request.target, request.headers["content-type"]) == ("/graphql", "application/json")
        asked = json.loads(request.body)
        if "reloadRepositoryLocation" in asked["query"]:
            self.reloaded.append(asked["variables"]["name"])
        entry = {"name": "ours", "locationOrLoadError": {"message": self.problem} if self.problem else {}}
        return Answer(self.status, json.dumps({"data": {"workspaceOrError": {"locationEntries": [entry]}}}).encode())


@pytest.fixture
def web() -> Iterator[WebServer]:
    with closing(WebServer()) as server:
        yield server


@pytest.fixture
def code(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> CodeServer:
    monkeypatch.setattr(code_server, "CODE_SECONDS", 0.0)
    return CodeServer(web.address)


def test_it_is_started_again_when_two_looks_in_a_row_did_not_reach_it(web: WebServer, code: CodeServer) -> None:
    code.look()
    web.problem = GONE
    code.look()
    assert web.reloaded == []
    code.look()
    assert web.reloaded == ["ours"]
    code.look()
    assert web.reloaded == ["ours"], "it has time to start"
    code.look()
    assert web.reloaded == ["ours", "ours"]


def test_one_that_was_slow_once_is_left_alone(web: WebServer, code: CodeServer) -> None:
    for problem in (GONE, None, GONE, None):
        web.problem = problem
        code.look()
    assert web.reloaded == []


def test_code_that_cannot_be_loaded_is_not_loaded_again_and_again(web: WebServer, code: CodeServer) -> None:
    web.problem = BROKEN
    for _ in range(4):
        code.look()
    assert web.reloaded == []


def test_a_web_server_that_does_not_answer_is_nothing_to_tell(web: WebServer, code: CodeServer) -> None:
    web.problem, web.status = GONE, 500
    for _ in range(4):
        code.look()
    web.close()
    code.look()
    assert web.reloaded == []


def test_it_is_not_asked_all_the_time(web: WebServer) -> None:
    code = CodeServer(web.address)
    web.problem = GONE
    for _ in range(10):
        code.look()
    assert web.reloaded == []
