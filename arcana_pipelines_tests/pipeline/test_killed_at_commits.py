"""`kill -9` right after each commit of a sync: the next sync ends where an uninterrupted one would have."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, blocks, seed_world
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.pipeline.world_machine import HashEmbedder, WatchedDatabase, in_haste

BATCH = 4


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=8, rows=3)
    for number in range(4):
        world.add_page(f"Long {number}", blocks=[blocks.paragraph(f"{number} 회의록 " + "many words " * 400)])
    world.clock.advance(600)
    return world


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"batch_size": BATCH})


@pytest.fixture(autouse=True)
def _in_haste() -> Iterator[None]:
    with in_haste():
        yield


def registered(database: Database, world: NotionWorld, server: NotionServer, slug: str) -> Harness:
    harness = Harness.register(database, world, server, slug)
    harness.open_embedder = HashEmbedder
    return harness


def commits_of(harness: Harness, mode: Mode) -> int:
    """How many commits a sync makes when nobody interrupts it."""
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    database = WatchedDatabase(harness.database.settings)
    database.watch = count
    harness.at(database=database).sync(mode)
    database.close()
    return commits


def sync_killed_after(harness: Harness, mode: Mode, commits: int) -> None:
    """A sync in a process of its own, killed right after so many commits."""
    child = os.fork()
    if child == 0:
        left = commits

        def die() -> None:
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

        with suppress(BaseException):
            database = WatchedDatabase(harness.database.settings)
            database.watch = die
            harness.at(database=database).sync(mode)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def stored(harness: Harness) -> int:
    ((count,),) = harness.rows(
        "SELECT count(*) FROM embedding_store JOIN workspace USING (workspace_id) WHERE slug = %s", harness.slug
    )
    return int(count)


def test_a_first_sync_that_is_killed_at_any_commit_is_finished_by_the_next(
    database: Database, world: NotionWorld, server: NotionServer
) -> None:
    whole = registered(database, world, server, "whole")
    commits = commits_of(whole, Mode.FULL)
    assert commits > 20, "every stage commits more than once in this world"
    for number in range(1, commits):
        killed = registered(database, world, server, f"killed-{number}")
        sync_killed_after(killed, Mode.FULL, number)
        paid = stored(killed)
        report = killed.sync()
        assert killed.checksum() == whole.checksum(), f"killed after commit {number} of {commits}"
        assert report["embeddings"]["computed"] == stored(whole) - paid
        assert killed.sync()["embeddings"]["computed"] == 0


def test_a_later_sync_that_is_killed_at_any_commit_is_finished_by_the_next(
    database: Database, world: NotionWorld, server: NotionServer
) -> None:
    whole = registered(database, world, server, "whole")
    whole.sync()
    others = [registered(database, world, server, f"killed-{number}") for number in range(1, 40)]
    for other in others:
        other.sync()
    pages = world.visible_pages()
    world.trash(pages[-1])
    for page in pages[:3]:
        world.insert_blocks_at_top(page, [blocks.paragraph("news above all")])
    world.add_page("Another", blocks=[blocks.paragraph("새 글")])
    world.clock.advance(600)
    commits = commits_of(whole, Mode.INCREMENTAL)
    assert 20 < commits <= len(others), "one workspace for each commit"
    for number, killed in enumerate(others[: commits - 1], 1):
        sync_killed_after(killed, Mode.INCREMENTAL, number)
        killed.sync()
        assert killed.checksum() == whole.checksum(), f"killed after commit {number} of {commits}"
        assert stored(killed) == stored(whole)
