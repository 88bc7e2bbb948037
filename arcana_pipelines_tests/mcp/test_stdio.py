"""`arcana mcp`, started as an assistant starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters

from arcana_pipelines.cli.commands import mcp as command
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.mcp.conftest import ERAS, Assistant, as_reader

pytestmark = pytest.mark.e2e


@pytest.fixture
def handbook(acme: Harness) -> Harness:
    acme.world.add_page("Walrus", blocks=[blocks.paragraph("A walrus eats clams.")])
    acme.world.clock.advance(600)
    acme.sync()
    return acme


def environment(harness: Harness) -> dict[str, str]:
    """That of a person who may only search."""
    return {**os.environ, **harness.environment, "DATABASE_URL": as_reader(harness.database.url)}


def run(harness: Harness, cwd: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "arcana_pipelines.cli", *arguments]
    return subprocess.run(line, cwd=cwd, env=environment(harness), input=stdin, capture_output=True, text=True)


@pytest.mark.parametrize("era", ERAS)
def test_the_clients_of_both_eras_search_through_it(handbook: Harness, tmp_path: Path, era: str) -> None:
    line = StdioServerParameters(
        command=sys.executable,
        args=["-m", "arcana_pipelines.cli", "mcp", "acme"],
        env=environment(handbook),
        cwd=tmp_path,
    )
    assistant = Assistant(line, era)  # type: ignore[arg-type]
    (found,) = assistant.ask("search", query="What does a walrus eat?")["results"]
    assert "clams" in found["text"] and found["workspace"] == "acme"


def lines(*messages: dict[str, Any]) -> str:
    return "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)


HELLO: Sequence[dict[str, Any]] = (
    {
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    },
    {"method": "notifications/initialized"},
)


@contextmanager
def started(harness: Harness, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], list[dict[str, Any]]]]:
    """The command, and what it has said until it has listed its tools."""
    line = [sys.executable, "-m", "arcana_pipelines.cli", "-v", "mcp"]
    with subprocess.Popen(
        line, cwd=cwd, env=environment(harness), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("no JSON\n" + lines(*HELLO, {"id": 2, "method": "tools/list"}))
        process.stdin.flush()
        answers: list[dict[str, Any]] = []
        while not answers or answers[-1].get("id") != 2:
            answers.append(json.loads(process.stdout.readline()))
        try:
            yield process, answers
        finally:
            process.kill()


def test_nothing_but_the_protocol_is_on_standard_output(handbook: Harness, tmp_path: Path) -> None:
    with started(handbook, tmp_path) as (process, answers):
        rest, said = process.communicate()
    assert process.returncode == 0, said
    answers += map(json.loads, rest.splitlines())
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    assert "Serving 'acme' over MCP" in said


def test_an_interrupt_ends_it(handbook: Harness, tmp_path: Path) -> None:
    with started(handbook, tmp_path) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT


def test_what_cannot_be_served_is_said_in_a_sentence(handbook: Harness, tmp_path: Path) -> None:
    ended = run(handbook, tmp_path, "mcp", "acme", "nowhere")
    assert (ended.returncode, ended.stdout) == (2, "") and "There is no workspace 'nowhere'" in ended.stderr


def test_without_the_extra_a_sentence_names_it(
    handbook: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from arcana_pipelines.cli.main import main

    for module in [name for name in sys.modules if name == "mcp" or name.startswith(("mcp.", "arcana_pipelines.mcp"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.setattr(command, "open_database", lambda: handbook.database)
    with pytest.raises(SystemExit) as ended:
        main(["mcp", "acme"])
    assert ended.value.code == 2 and "pip install 'arcana-pipelines[serve]'" in capsys.readouterr().err
