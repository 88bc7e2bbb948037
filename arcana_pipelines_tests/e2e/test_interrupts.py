"""Ctrl-C and SIGTERM: one sentence, the exit code that shells expect, and the next sync goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.ledger import generations
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, seed_world
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e

Rows = Callable[..., list[tuple[Any, ...]]]
# A run that does not hear the signal would go on for a minute or more.
PATIENCE = 30


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=60, rows=0)
    world.clock.advance(600)
    return world


@pytest.fixture(autouse=True)
def registered(arcana: Arcana) -> None:
    arcana.json("workspace", "add", "acme", "--source", "notion")


def interrupted(run: subprocess.Popen[str], number: int) -> list[str]:
    """Send the signal; the run ends with the signal's exit code, and these lines are what it said."""
    run.send_signal(number)
    said, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 128 + number, said
    return [line for line in said.splitlines() if line.strip()]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the sync never came so far"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM])
def test_a_sync_that_waits_for_its_turn_at_the_limit_ends_with_one_sentence(
    arcana: Arcana, rows: Rows, number: int
) -> None:
    run = arcana.start("-q", "sync", "acme", NOTION_REQUESTS_PER_MINUTE="12")
    wait_for(lambda: rows("SELECT count(*) FROM source_page WHERE state = 'fetched'") != [(0,)] or _is_waiting(rows))
    said = interrupted(run, number)
    assert len(said) == 1, said
    line = said[0]
    assert line.startswith("Interrupted.") and "'acme'" in line

    status = arcana.json("status", "acme")
    assert status["last_sync"]["state"] == "interrupted" and status["running"] is None
    assert "interrupted" in arcana("status").stdout
    assert rows("SELECT status FROM dagster.runs") == [("CANCELED",)], "a person ended it: it did not fail"
    assert arcana.json("sync", "acme")["pages"]["added"] == 60
    assert arcana.json("status", "acme")["last_sync"]["state"] == "done"


def test_a_sync_that_waits_for_a_late_answer_ends_at_once(arcana: Arcana, rows: Rows, server: NotionServer) -> None:
    server.faults.add("/markdown", "hang", times=None, seconds=45)
    run = arcana.start("-q", "sync", "acme")
    wait_for(lambda: any("/markdown" in request.path for request in server.requests))
    (line,) = interrupted(run, signal.SIGINT)
    assert line.startswith("Interrupted.")


def test_a_sync_that_waits_for_another_run_ends_at_once(arcana: Arcana, database: Database, rows: Rows) -> None:
    with workspace_session(database, "acme") as session:
        generations.begin(session.connection, session.workspace.workspace_id, Mode.FULL, run=session.lease.run)
        run = arcana.start("sync", "acme")
        # It asks again and again, and has asked for nothing else in this connection since.
        asked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' "
            "AND starts_with(query, 'SELECT run FROM workspace_lease')"
        )
        wait_for(lambda: rows(asked) != [(0,)])
        said = interrupted(run, signal.SIGTERM)
        assert arcana.json("status", "acme")["last_sync"]["state"] == "running", "what it waited for goes on"
    assert said[-1].startswith("Interrupted.")
    assert arcana.json("status", "acme")["last_sync"]["state"] == "not finished", "nobody interrupted that"
    assert "Traceback" not in "\n".join(said)


RUN_OF_DAGSTER = """
import sys
from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.instance import open_instance
from arcana_pipelines.defs.run import execute
from arcana_pipelines.settings import load_settings

with open_instance(Database(load_settings())) as instance:
    execute(instance, "acme", {})
"""


@pytest.mark.parametrize(
    "wait", ["limit", pytest.param("attempts", marks=pytest.mark.long), pytest.param("answer", marks=pytest.mark.long)]
)
def test_the_process_of_a_run_that_dagster_terminates_ends_within_seconds(
    arcana: Arcana, rows: Rows, server: NotionServer, wait: str
) -> None:
    """Unlike the command line, such a process ends when its last thread has."""
    environment = arcana.merged({"NOTION_REQUESTS_PER_MINUTE": "12" if wait == "limit" else "0"})
    if wait == "attempts":
        server.faults.add("/markdown", "503", times=None, retry_after=50)
    elif wait == "answer":
        server.faults.add("/markdown", "hang", times=None, seconds=45)
    run = subprocess.Popen([sys.executable, "-c", RUN_OF_DAGSTER], env=environment, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any("/markdown" in request.path for request in server.requests))
    time.sleep(3)
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=PATIENCE)
    assert "Interrupt" in said, said


def test_with_json_the_one_object_says_that_it_was_interrupted(arcana: Arcana, server: NotionServer) -> None:
    server.faults.add("/markdown", "hang", times=None, seconds=45)
    run = arcana.start("sync", "acme", "--json")
    wait_for(lambda: any("/markdown" in request.path for request in server.requests))
    assert any(line.startswith('{"error": "Interrupted.') for line in interrupted(run, signal.SIGINT))


def _is_waiting(rows: Rows) -> bool:
    """The window of 12 requests is used up."""
    return bool(rows("SELECT 1 FROM source_page HAVING count(*) >= 60"))
