"""`kill -9` at any point: the next sync converges to what an uninterrupted one would have reached."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, seed_world
from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.harness import Harness

pytestmark = pytest.mark.e2e

Rows = Callable[..., list[tuple[Any, ...]]]

# A crash at the first sight of each of these leaves every stage's work half done once.
STAGES = {
    "listing": "SELECT 1 FROM source_page LIMIT 1",
    "reading": "SELECT 1 FROM source_page WHERE state = 'fetched' LIMIT 1",
    "content": "SELECT 1 FROM document_content LIMIT 1",
    "chunks": "SELECT 1 FROM chunk_stage LIMIT 1",
    "embeddings": "SELECT 1 FROM embedding_store LIMIT 1",
    "publishing": "SELECT 1 FROM published_document LIMIT 1",
}


class TestKilled:
    @pytest.fixture
    def world(self) -> NotionWorld:
        world = seed_world(pages=120, rows=30)
        world.clock.advance(600)
        return world

    @pytest.mark.parametrize(
        "stage",
        # What follows the reading is killed at each commit by pipeline/test_killed_at_commits.
        [stage if stage == "reading" else pytest.param(stage, marks=pytest.mark.long) for stage in STAGES],
    )
    def test_a_killed_sync_is_finished_by_the_next(
        self,
        stage: str,
        arcana: Arcana,
        server: NotionServer,
        rows: Rows,
        database: Database,
        world: NotionWorld,
    ) -> None:
        arcana.json("workspace", "add", "acme", "--source", "notion")
        server.latency(0.002)  # room to be killed in
        run = arcana.start("sync", "acme", "--json", BATCH_SIZE="20")
        _kill_when(run.pid, lambda: bool(rows(STAGES[stage])))
        assert run.wait() == -signal.SIGKILL, run.stdout.read() if run.stdout else ""
        assert run.stdout
        run.stdout.close()
        paid = rows("SELECT count(*) FROM embedding_store")[0][0]

        server.latency(0)
        report = arcana.json("sync", "acme")
        acme = Harness(database, world, server, "acme")
        acme.assert_matches_world()
        assert report["embeddings"]["computed"] == rows("SELECT count(*) FROM embedding_store")[0][0] - paid

        uninterrupted = Harness.register(database, world, server, "uninterrupted")
        uninterrupted.sync()
        assert acme.checksum() == uninterrupted.checksum()
        assert arcana.json("sync", "acme")["embeddings"]["computed"] == 0


def _kill_when(pid: int, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            os.killpg(pid, signal.SIGKILL)
            return
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    raise AssertionError("the sync never came so far")


class TestTogether:
    @pytest.fixture
    def world(self) -> NotionWorld:
        return seed_world(pages=20, rows=5)

    def test_two_syncs_of_one_workspace_at_once_take_turns(
        self, arcana: Arcana, database: Database, world: NotionWorld, server: NotionServer
    ) -> None:
        arcana.json("workspace", "add", "acme", "--source", "notion")
        reports: list[dict[str, Any]] = []
        threads = [threading.Thread(target=lambda: reports.append(arcana.json_apart("sync", "acme"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(report["pages"]["added"] for report in reports) == [0, 25]
        Harness(database, world, server, "acme").assert_matches_world()
