"""`kill -9` right after each commit of a run, and at any moment: the next run ends where an uninterrupted one would."""

from __future__ import annotations

import ctypes
import itertools
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import LiteralString

import pytest

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.protocol import Embedded
from arcana_pipelines.errors import EmbeddingFailed
from arcana_pipelines.indexes.lifecycle import rebuild_index
from arcana_pipelines.indexes.targets.pgvector import ann
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.pipeline.world_machine import HashEmbedder, WatchedDatabase, end_if_it_hangs, in_haste

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
    return commits_made(harness, lambda watched: watched.sync(mode))


def commits_made(harness: Harness, run: Callable[[Harness], object]) -> int:
    """How many commits a run makes when nobody interrupts it."""
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    database = WatchedDatabase(harness.database.settings)
    database.watch = count
    run(harness.at(database=database))
    database.close()
    return commits


def sync_killed_after(harness: Harness, mode: Mode, commits: int) -> None:
    """A sync in a process of its own, killed right after so many commits."""
    killed_after(harness, commits, lambda dying: dying.sync(mode))


def killed_after(harness: Harness, commits: int, run: Callable[[Harness], object]) -> None:
    """A run in a process of its own, killed right after so many commits."""
    child = os.fork()
    if child == 0:
        left = commits

        def die() -> None:
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

        with suppress(BaseException):
            end_if_it_hangs()
            database = WatchedDatabase(harness.database.settings)
            database.watch = die
            run(harness.at(database=database))
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
    print(f"first sync: killed after each of {commits - 1} commits, the next ends like an uninterrupted one")


def test_a_later_sync_that_is_killed_at_any_commit_is_finished_by_the_next(
    database: Database, world: NotionWorld, server: NotionServer
) -> None:
    whole = registered(database, world, server, "whole")
    whole.sync()
    others = [registered(database, world, server, f"killed-{number}") for number in range(1, 60)]
    for other in others:
        other.sync()
    pages = world.visible_pages()
    world.trash(pages[-1])
    for page in pages[:3]:
        world.insert_blocks_at_top(page, [blocks.paragraph("news above all")])
    world.add_page("Another", blocks=[blocks.paragraph("새 글")])
    world.clock.advance(600)
    commits = commits_of(whole, Mode.INCREMENTAL)
    assert 12 < commits <= len(others), "one workspace for each commit"
    for number, killed in enumerate(others[: commits - 1], 1):
        sync_killed_after(killed, Mode.INCREMENTAL, number)
        killed.sync()
        assert killed.checksum() == whole.checksum(), f"killed after commit {number} of {commits}"
        assert stored(killed) == stored(whole)
    print(f"later sync: killed after each of {commits - 1} commits, the next ends like an uninterrupted one")


@pytest.mark.parametrize("emptied", ["chunk_stage", "content_stage", "chunk_stage, content_stage"])
def test_a_stage_that_a_crash_of_the_server_has_emptied_is_cut_again(
    emptied: LiteralString, database: Database, world: NotionWorld, server: NotionServer
) -> None:
    whole = registered(database, world, server, "whole")
    whole.sync()
    crashed = registered(database, world, server, "crashed")
    crashed.open_embedder = partial(HashEmbedder, left=1)
    with pytest.raises(EmbeddingFailed):
        crashed.sync()
    paid = stored(crashed)
    with database.connection() as connection:
        connection.execute(f"TRUNCATE {emptied}")  # as PostgreSQL does with an unlogged table when it recovers
    crashed.open_embedder = HashEmbedder
    assert crashed.sync()["embeddings"]["computed"] == stored(whole) - paid > 0
    assert paid and crashed.checksum() == whole.checksum()


def begin_a_build(harness: Harness, tokens: int) -> None:
    """A new build with other chunks, which serves as soon as it is whole. Nothing is embedded yet."""
    with harness.database.connection() as connection:
        workspace_id = find(connection, harness.slug).workspace_id
        chunker = ChunkerSettings.of_target(tokens)
        rebuild_index(
            connection, workspace_id, "default", lambda settings: replace(settings, chunker=chunker), promote=True
        )
        connection.execute("DELETE FROM embedding_store")


def test_the_filling_of_a_build_that_is_killed_at_any_commit_is_finished_by_the_next(
    database: Database, world: NotionWorld, server: NotionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ann, "ANN_FROM", 10)  # so that an approximate index is made as well
    acme = registered(database, world, server, "acme")
    acme.sync()
    sizes = itertools.cycle((64, 96))
    sums: dict[int, str] = {}
    commits: dict[int, int] = {}
    for tokens in (next(sizes), next(sizes)):
        begin_a_build(acme, tokens)
        commits[tokens] = commits_made(acme, Harness.fill)
        sums[tokens] = acme.checksum()
    assert min(commits.values()) > 12
    for number in range(1, min(commits.values())):
        tokens, before = next(sizes), acme.checksum()
        begin_a_build(acme, tokens)
        killed_after(acme, number, Harness.fill)
        assert acme.checksum() in (before, sums[tokens]), "readers see one build or the other"
        acme.fill()
        acme.sync()
        assert acme.checksum() == sums[tokens], f"killed after commit {number} of {commits[tokens]}"
    print(f"filling of a build: killed after each of {min(commits.values()) - 1} commits, likewise")


class _Counting(HashEmbedder):
    """Counts, over processes that follow each other, the texts that were paid for.

    The count has no lock: a process that is killed while it holds one would leave the next waiting for ever.
    """

    def __init__(self, model: str, dimensions: int, paid: ctypes.c_int) -> None:
        super().__init__(model, dimensions)
        self._paid = paid

    def embed(self, texts: Sequence[str]) -> Embedded:
        self._paid.value += len(texts)
        time.sleep(0.05)  # an answer that is paid for is under way: a kill now loses it
        return super().embed(texts)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 5))])
def test_a_sync_that_is_killed_at_random_moments_wastes_one_request_of_embeddings_at_most(
    database: Database, world: NotionWorld, server: NotionServer, seed: int
) -> None:
    whole = registered(database, world, server, "whole")
    whole.open_embedder = partial(_Counting, paid=multiprocessing.RawValue(ctypes.c_int, 0))
    began = time.monotonic()
    whole.sync()
    seconds = time.monotonic() - began
    moments = random.Random(seed)
    wasted = []
    for number in range(10):
        paid = multiprocessing.RawValue(ctypes.c_int, 0)
        killed = registered(database, world, server, f"killed-{number}")
        killed.open_embedder = partial(_Counting, paid=paid)
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                end_if_it_hangs()
                killed.at(database=Database(killed.database.settings)).sync()
            os._exit(0)
        time.sleep(moments.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        killed.sync()
        assert killed.checksum() == whole.checksum()
        wasted.append(paid.value - stored(killed))
        assert wasted[-1] <= BATCH
    most = f"{max(wasted)} embeddings wasted at most (a request: {BATCH})"
    print(f"seed {seed}: killed at {len(wasted)} random moments, likewise; {most}")
