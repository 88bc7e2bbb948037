"""Searches and documents are read from a streaming replica, and nobody notices but by what answers say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import psycopg
import pytest

from arcana_pipelines.cli.commands import doctor
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.keys import keys
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.db.standby import Standby, standby_of
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.replicated import DOCUMENT, Replicated, address_of_server, replicated_at

# A server is copied, and started.
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def standby(arcana_server: DatabaseServer) -> Iterator[Standby]:
    """A replica of the run's server."""
    with standby_of(arcana_server.address("postgres", lease.SUPERUSER)) as standby:
        yield standby


@dataclass
class Followed(Replicated):
    """A server of the API whose replica has all there was when it began."""

    standby: Standby

    def wait_until_it_is_read(self) -> None:
        """Let the replica catch up with what the server has seen of the database."""
        self.replica.look()
        for _ in range(100):  # others write to the run's server, too
            if self.replica.is_read:
                return
            self.standby.catch_up()
            self.replica.look()
        raise AssertionError(self.replica.standing)

    def company(self, slug: str) -> object:
        return self.api.acme.rows(f"SELECT company_id FROM workspace WHERE slug = '{slug}'")[0][0]


@pytest.fixture
def followed(companies: Harness, standby: Standby) -> Iterator[Followed]:
    standby.catch_up()
    with replicated_at(companies, standby.url(address_of_server(companies.database))) as replicated:
        followed = Followed(replicated.api, replicated.client, standby)
        followed.wait_until_it_is_read()
        yield followed


def test_a_search_and_a_document_are_read_from_the_replica(followed: Followed) -> None:
    assert followed.search().json()["hits"][0]["title"] == "Vacation policy"
    assert followed.client.get(DOCUMENT).status_code == 200
    assert followed.reads() == {"replica": 2}


def test_an_answer_says_how_old_it_is_and_who_knows_of_a_publish_gets_it(followed: Followed) -> None:
    before = int(followed.search().headers["x-arcana-seq"])
    followed.standby.pause()
    try:
        now = followed.edit("Everyone has 31 days of vacation a year.")
        old, new = followed.search(), followed.search(least=now)
        first = followed.search(least=now, k=1)
        rest = followed.search(k=1, after=first.json()["cursor"])  # the replica serves what was published before
    finally:
        followed.standby.resume()
    followed.standby.catch_up()
    again = followed.search(least=now)
    assert int(old.headers["x-arcana-seq"]) == before < now
    assert "30 days" in old.json()["hits"][0]["text"]
    assert [int(each.headers["x-arcana-seq"]) for each in (new, first, rest, again)] == 4 * [now]
    assert all("31 days" in each.json()["hits"][0]["text"] for each in (new, again))
    assert followed.reads()["behind"] == 3


def test_doctor_says_how_far_it_is_behind(followed: Followed) -> None:
    settings = followed.api.acme.database.settings
    address = followed.api.reads.replica.database.settings.database_url  # type: ignore[union-attr]
    with closing(Database(settings.model_copy(update={"search_database_url": address}))) as database:
        assert "is a standby of the database, and " in doctor._replica(database)


def test_a_key_that_was_revoked_opens_nothing_whatever_the_replica_has(followed: Followed) -> None:
    key = followed.api.key("search")
    followed.standby.catch_up()
    followed.standby.pause()
    try:
        with followed.api.with_key(key.key) as client:
            assert client.get("/v1/workspaces/acme/search", params={"query": "vacation"}).status_code == 200
            with followed.api.acme.database.connection() as connection:
                keys.revoke(connection, key.key_id)
            assert client.get("/v1/workspaces/acme/search", params={"query": "vacation"}).status_code == 401
    finally:
        followed.standby.resume()


def test_one_company_sees_nothing_of_another_on_the_replica(followed: Followed) -> None:
    with followed.replica.database.connection(followed.company("acme")) as connection:  # type: ignore[arg-type]
        assert scalar(connection, "SELECT pg_is_in_recovery()")
        assert scalar(connection, "SELECT count(*) FROM document") > 0
        theirs = "SELECT count(*) FROM document WHERE company_id = %s"
        assert scalar(connection, theirs, [followed.company("globex")]) == 0
    with followed.replica.database.connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT FROM document")
    with followed.api.client("search", slug="globex") as client:
        assert client.get("/v1/workspaces/acme/search", params={"query": "vacation"}).status_code == 404


def test_when_it_is_killed_no_search_fails_and_when_it_is_back_it_is_read(followed: Followed) -> None:
    def ask(number: int) -> int:
        if number == 20:
            followed.standby.kill()
        return followed.search(k=1 + number % 50).status_code

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(ask, range(60))) == {200}
    followed.replica.look()
    assert not followed.replica.is_read
    followed.standby.start()
    followed.wait_until_it_is_read()
    before = followed.reads()["replica"]
    followed.search(k=90)
    assert followed.reads()["replica"] == before + 1


def test_when_it_stands_still_a_search_that_waits_for_it_goes_on_at_the_database(followed: Followed) -> None:
    followed.search(k=1)
    followed.standby.freeze()
    try:
        assert followed.search(k=2).status_code == 200
        assert "did not answer" in str(followed.replica.standing.problem) or not followed.replica.is_read
    finally:
        followed.standby.thaw()


def test_a_read_that_is_in_the_way_of_the_log_is_answered_by_the_database(followed: Followed) -> None:
    followed.standby.set("max_standby_streaming_delay", "0")
    reading = threading.Event()

    def read(connection: Connection) -> bool:
        if not scalar(connection, "SELECT pg_is_in_recovery()"):
            return False
        with connection.transaction():
            connection.execute("SET LOCAL statement_timeout = '60s'")
            connection.execute("SELECT count(*) FROM document")
            reading.set()
            connection.execute("SELECT pg_sleep(60)")
        return True

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(followed.api.reads.read_any, followed.company("acme"), False, read)  # type: ignore[arg-type]
        assert reading.wait(30)
        with followed.api.acme.database.connection() as connection, connection.transaction():
            connection.execute("LOCK TABLE document IN ACCESS EXCLUSIVE MODE")  # which a standby repeats
        assert answer.result(60) is False
    followed.standby.set("max_standby_streaming_delay", "30s")
    assert followed.reads().keys() & {"conflict", "failed"}


def test_nothing_that_a_search_does_is_refused_by_a_standby(followed: Followed) -> None:
    asked = (
        {"ranking": "lexical"}, {"ranking": "dense"}, {"filters": {"kinds": ["page"]}}, {"per_document": True},
        {"neighbours": 2}, {"facets": ["topics"]}, {"query": "vacaton"}, {"query": "휴가는 며칠인가요?"},
        {"filters": {"edited_since": "2020-01-01T00:00:00Z"}},
    )  # fmt: skip
    for each in asked:
        followed.search(**each)
    for of in ("", "/versions", "/relations", "/chunks"):
        assert followed.client.get(DOCUMENT + of).status_code == 200
    assert followed.reads() == {"replica": len(asked) + 4}
