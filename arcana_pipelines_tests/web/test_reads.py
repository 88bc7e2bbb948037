"""What a replica cannot answer the database answers. The database stands for the replica here; test_replica has one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import Any, NoReturn

import anyio
import anyio.to_thread
import psycopg
import pytest
from pydantic import SecretStr

from arcana_pipelines.caching import caches
from arcana_pipelines.db import replica as replicas
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.replica import Position, Standing
from arcana_pipelines.errors import CursorRefused, DatabaseBusy, DatabaseUnreachable, NoRoleForCompany
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.web import reads
from arcana_pipelines.web.health import Health
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SEARCH, serving
from arcana_pipelines_tests.web.replicated import DOCUMENT, Replicated, address_of_server, replicated_at


@pytest.fixture
def replicated(companies: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replicated]:
    monkeypatch.setattr(reads, "LOOK_SECONDS", 3600)  # the server looks when it begins, and then when the test does
    monkeypatch.setattr(reads, "PATIENCE_SECONDS", 60)
    position_of = replicas.position_of
    monkeypatch.setattr(replicas, "position_of", lambda connection: replace(position_of(connection), is_standby=True))
    with replicated_at(companies, address_of_server(companies.database)) as replicated:
        yield replicated


def test_searches_and_documents_say_what_they_were_read_at(replicated: Replicated) -> None:
    answers = [
        replicated.search(),
        replicated.search(),
        replicated.client.get(DOCUMENT),
        *(replicated.client.get(f"{DOCUMENT}/{of}") for of in ("versions", "relations", "chunks")),
        replicated.client.get("/v1/workspaces/acme/documents"),
        replicated.client.get("/v1/workspaces/acme/indexes/default"),
        replicated.client.post("/v1/vector_stores/acme/search", json={"query": "vacation days"}),
    ]
    version = replicated.client.get("/v1/events").json()["indexes"][0]["version"]
    assert [each.headers["x-arcana-seq"] for each in answers] == len(answers) * [str(version)]
    assert "x-arcana-seq" not in replicated.client.get("/v1/workspaces").headers
    # The second search was at hand.
    assert replicated.reads() == {"replica": len(answers) - 1}


def test_what_has_not_been_seen_there_is_asked_of_the_database(replicated: Replicated) -> None:
    seq = int(replicated.search().headers["x-arcana-seq"])
    assert replicated.search(k=1, least=seq).headers["x-arcana-seq"] == str(seq)
    assert replicated.reads() == {"replica": 2}
    assert replicated.search(k=2, least=seq + 1).headers["x-arcana-seq"] == str(seq)
    assert replicated.reads() == {"replica": 2, "behind": 1}


@pytest.mark.parametrize("asked", ["-1", "newest", "9223372036854775808"])
def test_a_number_that_cannot_be_is_refused(replicated: Replicated, asked: str) -> None:
    answer = replicated.client.post(SEARCH, json={"query": "vacation days"}, headers={"X-Arcana-Min-Seq": asked})
    assert answer.status_code == 422 and "X-Arcana-Min-Seq" in answer.json()["errors"][0]["pointer"]


def _locked() -> DatabaseBusy:
    error = DatabaseBusy("a lock took too long")
    error.__cause__ = psycopg.errors.LockNotAvailable()
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (psycopg.errors.SerializationFailure("canceling statement due to conflict with recovery"), "conflict"),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute … in a read-only transaction"), "conflict"),
        (_locked(), "conflict"),
        (DatabaseUnreachable("it ended the connection"), "failed"),
        (psycopg.errors.OutOfMemory("out of memory"), "failed"),
        (NoRoleForCompany("it came later"), "behind"),
    ],
)
def test_a_read_that_fails_there_is_answered(
    replicated: Replicated, monkeypatch: pytest.MonkeyPatch, error: Exception, outcome: str
) -> None:
    def fails(*_: Any) -> None:
        raise error

    with monkeypatch.context() as failing:
        failing.setattr(reads, "find_asked", fails)
        assert replicated.search().json()["hits"] and replicated.client.get(DOCUMENT).status_code == 200
    expected = {"failed": 1, "unread": 1} if isinstance(error, DatabaseUnreachable) else {outcome: 2}
    assert replicated.reads() == expected
    replicated.replica.look()
    replicated.search(k=1)
    assert replicated.reads() == {**expected, "replica": 1}


def test_what_the_replica_refuses_is_told_where_it_is_not_behind(replicated: Replicated) -> None:
    assert replicated.client.get("/v1/workspaces/acme/documents/Nowhere").status_code == 404
    assert replicated.reads() == {}


def test_what_the_replica_refuses_is_asked_of_the_database_where_it_may_be_behind(replicated: Replicated) -> None:
    ((company,),) = replicated.api.acme.rows("SELECT company_id FROM workspace WHERE slug = 'acme'")
    refusals = iter([CursorRefused("The index has changed since.")])
    replicated.replica.look()  # the server may not have begun

    def work(connection: Connection) -> str:
        for refusal in refusals:
            raise refusal
        return "the database"

    assert replicated.api.reads.read_any(company, False, work) == "the database"
    assert replicated.reads() == {"behind": 1}


def test_who_asks_the_database_does_not_wait_for_the_same_of_the_replica(
    replicated: Replicated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "PATIENCE_SECONDS", 3600)
    reads_there, is_over = Event(), Event()

    def in_the_way_of_the_log(*_: Any) -> NoReturn:
        reads_there.set()
        assert is_over.wait(60)
        raise psycopg.errors.SerializationFailure("canceling statement due to conflict with recovery")

    replicated.replica.look()  # the server may not have begun
    with ThreadPoolExecutor(2) as threads, monkeypatch.context() as conflict:
        conflict.setattr(Searcher, "search_over", in_the_way_of_the_log)
        first = threads.submit(replicated.search)
        assert reads_there.wait(60)
        replicated.replica.standing = Standing("it is more than 5 seconds behind")
        try:
            assert threads.submit(replicated.search).result(20).json()["hits"]
        finally:
            is_over.set()
        assert first.result(60).json()["hits"]


def test_that_requests_have_all_threads_says_nothing_of_the_replica(replicated: Replicated) -> None:
    database = serving(
        replicated.api.acme.database,
        search_database_url=SecretStr(address_of_server(replicated.api.acme.database)),
    )

    async def begin(fresh: reads.Reads) -> None:
        requests = anyio.to_thread.current_default_thread_limiter()
        requests.total_tokens = 1
        async with requests:
            with anyio.fail_after(30):
                async with fresh.running():
                    assert fresh.replica is not None and fresh.replica.is_read

    with closing(database):
        anyio.run(begin, reads.Reads(database))


def test_a_server_that_is_behind_is_not_read_where_the_address_leads_to_several(
    replicated: Replicated, monkeypatch: pytest.MonkeyPatch
) -> None:
    replicated.replica.look()
    position_of = replicas.position_of

    def of_several(connection: Connection) -> Position:
        is_lent = connection in replicated.replica.database.pool._lent  # to who reads; looks have another one
        return replace(position_of(connection), **({"position": 1} if is_lent else {}))

    with monkeypatch.context() as several:
        several.setattr(replicas, "position_of", of_several)
        replicated.replica.look()
        assert replicated.replica.is_read and replicated.search().json()["hits"]
    assert replicated.reads() == {"behind": 1}
    assert replicated.client.get(DOCUMENT).status_code == 200
    assert replicated.reads() == {"behind": 1, "replica": 1}


def test_while_a_look_hangs_no_other_one_begins(replicated: Replicated, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, answers = Event(), Event()

    def hang(connection: Connection) -> NoReturn:
        hangs.set()
        assert answers.wait(60)
        raise psycopg.OperationalError("it hung")

    async def look() -> None:
        with anyio.fail_after(20):
            await replicated.api.reads._look(replicated.replica)

    monkeypatch.setattr(replicas, "position_of", hang)
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(replicated.replica.look)
        try:
            assert hangs.wait(60)
            anyio.run(look)
        finally:
            answers.set()
        first.result(60)


def told_of(replicated: Replicated, component: str) -> list[tuple[str, str]]:
    """What the server has said of something that it needs."""
    Health(replicated.api.acme.database, (), replica=replicated.replica).look()
    return replicated.api.acme.rows("SELECT state, detail FROM system_health WHERE component = %s", component)


def test_while_the_replica_is_away_answers_say_what_they_were_read_at(companies: Harness) -> None:
    with replicated_at(companies, "postgresql://arcana_server@127.0.0.1:1/arcana") as away:
        assert away.search().headers["x-arcana-seq"] == away.client.get(DOCUMENT).headers["x-arcana-seq"]
        assert away.reads() == {"unread": 2}
        (told,) = told_of(away, "replica")
    assert told[0] == "degraded" and "Searches are read from the database" in told[1]
