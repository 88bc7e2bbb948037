"""An interrupt of a run ends what its threads wait for: within seconds, not after a minute's pause."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.openai.client import OpenAIClient
from arcana_pipelines.net import workers
from arcana_pipelines.net.workers import Abandoned, worker_threads
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.client import Patience, fingerprint
from arcana_pipelines.sources.limiter import RateLimiter
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines_tests.conftest import Naps

SECONDS = 5
really_pause = workers.pause


@pytest.fixture(autouse=True)
def naps(naps: Naps, monkeypatch: pytest.MonkeyPatch) -> Naps:
    """Here pauses are real, and noted before they begin."""

    def pause(seconds: float) -> None:
        naps.pause(seconds)
        really_pause(seconds)

    monkeypatch.setattr("arcana_pipelines.net.workers.pause", pause)
    return naps


@pytest.fixture
def api(database: Database, world: NotionWorld, server: NotionServer) -> Iterator[Callable[..., NotionApi]]:
    made = []

    def make(per_minute: int = 0, sleep: Any = really_pause) -> NotionApi:
        token = SecretStr(world.token)
        limiter = RateLimiter(database, fingerprint(token), per_minute, sleep=sleep)
        made.append(NotionApi(token, server.base_url, limiter, Patience()))
        return made[-1]

    yield make
    for each in made:
        each.close()


def interrupted(work: Callable[[], object], waits: Callable[[], bool]) -> BaseException | None:
    """Interrupt the run while a thread of it waits; returns what the thread ended with."""
    deadline = time.monotonic() + 60
    with contextlib.suppress(KeyboardInterrupt), worker_threads(1, "test") as pool:
        future = pool.submit(work)
        while not waits():
            assert not future.done(), future.exception()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.2)
        came = time.monotonic()
        raise KeyboardInterrupt
    error = future.exception(timeout=SECONDS)
    pool.shutdown()
    assert time.monotonic() - came < SECONDS
    return error


def test_at_the_limit(api: Callable[..., NotionApi]) -> None:
    waiting = threading.Event()

    def sleep(seconds: float) -> None:
        waiting.set()
        really_pause(seconds)

    one = api(2, sleep)

    def work() -> None:
        for _ in range(20):
            one.users.me()

    assert isinstance(interrupted(work, waiting.is_set), Abandoned)


@pytest.mark.parametrize("fault", ["429", "503"])
def test_between_attempts(api: Callable[..., NotionApi], server: NotionServer, naps: Naps, fault: str) -> None:
    server.faults.add("users", fault, times=None, retry_after=50)
    error = interrupted(lambda: api().users.me(), lambda: bool(naps.seconds))
    assert isinstance(error, Abandoned)


def test_in_the_middle_of_an_answer(api: Callable[..., NotionApi], server: NotionServer) -> None:
    server.faults.add("users", "hang", times=None, seconds=45)
    error = interrupted(lambda: api().users.me(), lambda: bool(server.requests))
    assert isinstance(error, Abandoned)


def test_before_the_next_request(api: Callable[..., NotionApi], server: NotionServer) -> None:
    one = api()

    def work() -> None:
        while True:
            one.users.me()

    assert isinstance(interrupted(work, lambda: bool(server.requests)), Abandoned)


def test_while_an_embedder_asks_for_patience(naps: Naps) -> None:
    client = OpenAIClient(Settings(openai_api_key=SecretStr("sk-x")), patience=600.0)
    client._pause.begin(300)
    error = interrupted(lambda: client.ask(lambda sdk: None, "a text"), lambda: bool(naps.seconds))
    assert isinstance(error, Abandoned)


@pytest.mark.slow
def test_what_is_no_interrupt_is_waited_for() -> None:
    ended = threading.Event()

    def work() -> None:
        really_pause(0.3)
        ended.set()

    with contextlib.suppress(ValueError), worker_threads(1, "test") as pool:
        future = pool.submit(work)
        time.sleep(0.1)
        raise ValueError
    assert ended.is_set() and future.exception() is None
