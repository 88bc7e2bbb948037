"""What keys are used for is written down off the way of requests, and is counted against the searches of a month."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner
from mcp import Client

from arcana_pipelines.cli.commands import usage as usage_command
from arcana_pipelines.errors import DatabaseUnreachable, WrongUse
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Access, Allowance, Permission
from arcana_pipelines.keys.usage import Used, by_month
from arcana_pipelines.web import quota, use
from arcana_pipelines.web.problems import MEDIA_TYPE, Refused
from arcana_pipelines.web.quota import Quotas
from arcana_pipelines.web.use import UseLog
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.mcp.conftest import ERAS
from arcana_pipelines_tests.web.conftest import SALT, SEARCH, Api, served, serving
from arcana_pipelines_tests.web.test_assistants import ask

STORE = "/v1/vector_stores/acme/search"
FACTS = "action, route, status, hits, requests"


def written(acme: Harness, key: keys.NewKey | None = None, facts: str = FACTS) -> list[tuple[Any, ...]]:
    """The rows, in the order of their time."""
    return acme.rows(
        f"SELECT {facts} FROM api_usage_logs WHERE %s::text IS NULL OR key_id = %s ORDER BY at",
        *(2 * [key.key_id if key else None]),
    )


def made(acme: Harness, *scopes: Any, slug: str = "acme", allowance: Allowance = Allowance()) -> keys.NewKey:  # noqa: B008
    with acme.database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        granted = [Permission(scope, workspace.workspace_id, None) for scope in scopes]
        return keys.create(connection, SALT, workspace.company_id, granted, "help desk", allowance=allowance)


@pytest.fixture
def acme_indexed(acme: Harness) -> Harness:
    acme.world.add_page("Vacation policy", blocks="Everyone has 30 days of vacation a year.")
    acme.settle()
    acme.sync()
    return acme


@contextmanager
def eventually() -> Iterator[Callable[[Callable[[], bool]], None]]:
    def wait(holds: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < until, "it did not come about"
            time.sleep(0.05)

    yield wait


class TestARequest:
    def test_is_a_row_with_who_asked_for_what_and_how_it_went(self, acme_indexed: Harness) -> None:
        acme = acme_indexed
        key = made(acme, "search", "read")
        with served(acme) as api, api.with_key(key.key) as client:
            found = client.post(SEARCH, json={"query": "days of vacation"}, headers={"X-Request-Id": "from-a-proxy"})
            client.get(SEARCH, params={"query": "vacation", "k": 0})
            client.post(STORE, json={"query": ["vacation", "days"]})
            client.get("/v1/workspaces/acme/documents/Vacation policy")
            client.get("/v1/workspaces/nowhere/search", params={"query": "vacation"})
            client.get("/v1/workspaces")
            assert client.get("/healthz").status_code == 200
        assert found.status_code == 200
        search, documents = "/v1/workspaces/{slug}/search", "/v1/workspaces/{slug}/documents/{document}"
        assert written(acme, key) == [
            ("search", search, 200, 1, 1),
            ("search", search, 422, None, 1),
            ("search", "/v1/vector_stores/{store}/search", 200, 1, 1),
            ("read", documents, 200, None, 1),
            ("search", search, 404, None, 1),
            ("read", "/v1/workspaces", 200, None, 1),
        ]
        first, *_ = written(acme, key, "request_id, workspace_id, company_id, milliseconds, tokens, at")
        with acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
        assert first[:3] == ("from-a-proxy", workspace.workspace_id, workspace.company_id)
        assert 0 <= first[3] < 60_000 and first[4] > 0 and abs((datetime.now(UTC) - first[5]).total_seconds()) < 60
        assert not any("vacation" in str(row).lower() for row in written(acme, key, "to_jsonb(api_usage_logs)"))

    def test_without_a_good_key_is_no_row(self, acme_indexed: Harness) -> None:
        with served(acme_indexed) as api:
            for key in (None, "arc_wrong"):
                with api.with_key(key) as client:
                    assert client.get("/v1/workspaces").status_code == 401
        assert written(acme_indexed) == []

    def test_of_an_assistant_is_a_search_where_it_searches(self, acme_indexed: Harness) -> None:
        acme = acme_indexed

        async def act(client: Client) -> None:
            await client.call_tool("search", {"query": "days of vacation"})
            await client.call_tool("search_with_filters", {"query": "vacation", "below": "Nowhere"})
            await client.call_tool("list_workspaces", {})

        for era in ERAS:
            key = made(acme, "search")
            with served(acme) as api:
                ask(api, key.key, era, act)
            rows = written(acme, key)
            assert [row for row in rows if row[0] == "search"] == [
                ("search", "/mcp", 200, 1, 1),
                ("search", "/mcp", 422, None, 1),
            ]
            assert {row[:2] for row in rows if row[0] != "search"} == {("mcp", "/mcp")}

    @pytest.mark.parametrize("era", ERAS)
    def test_of_an_assistant_is_a_row_for_each_workspace_that_it_searched(
        self, acme_indexed: Harness, era: str
    ) -> None:
        acme = acme_indexed
        Harness.register(acme.database, acme.world, acme.server, "annex").sync()
        with acme.database.connection() as connection:
            company = workspaces.find(connection, "acme").company_id
            granted = [Permission("search", None, None)]
            key = keys.create(connection, SALT, company, granted, "assistant", allowance=Allowance(None, 2))

        async def act(client: Client) -> list[Any]:
            asked = [
                ("search", {"query": "vacation"}),
                ("search_with_filters", {"query": "submarine torpedoes", "kinds": ["row"]}),
            ]
            return [await client.call_tool(name, given) for name, given in asked]

        with served(acme) as api:
            found, _ = ask(api, key.key, era, act)
        assert {hit["workspace"] for hit in found.structured_content["results"]} == {"acme", "annex"}
        facts = "slug, hits, is_further FROM api_usage_logs JOIN workspace USING (workspace_id)"
        rows = acme.rows(f"SELECT {facts} WHERE action = 'search' ORDER BY at, is_further")
        assert rows == [("acme", 1, False), ("annex", 1, True), ("acme", 0, False), ("annex", 0, True)]
        with acme.database.connection() as connection:
            for workspace in (None, *(workspaces.find(connection, slug).workspace_id for slug in ("acme", "annex"))):
                (month,) = by_month(connection, workspace)
                assert month.searches == 2 and month.hits == (2 if workspace is None else 1)
        with served(acme) as api:
            (refused, _) = ask(api, key.key, era, act)
        assert refused.is_error and "2 searches a month" in str(refused)

    def test_that_is_refused_again_and_again_is_one_row(self, acme_indexed: Harness) -> None:
        key = made(acme_indexed, "search", allowance=Allowance(1))
        with served(acme_indexed) as api, api.with_key(key.key) as client:
            for _ in range(20):
                client.get(SEARCH, params={"query": "vacation"})
        answered, *refused = written(acme_indexed, key)
        assert answered[2] == 200 and {row[2] for row in refused} == {429} and sum(row[4] for row in refused) == 19
        assert len(refused) <= 3

    def test_is_written_soon_and_the_last_ones_at_the_stop(
        self, acme_indexed: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = made(acme_indexed, "search")
        monkeypatch.setattr(use, "FLUSH_SECONDS", 0.1)
        with served(acme_indexed) as api, api.with_key(key.key) as client, eventually() as wait:
            client.get("/v1/workspaces")
            wait(lambda: len(written(acme_indexed, key)) == 1)
        monkeypatch.setattr(use, "FLUSH_SECONDS", 3600)
        with served(acme_indexed) as api, api.with_key(key.key) as client:
            client.get("/v1/workspaces")
            assert len(written(acme_indexed, key)) == 1
        assert len(written(acme_indexed, key)) == 2


def a_row(**facts: Any) -> Used:
    row = Used(datetime.now(UTC), "abcdefgh", uuid4(), None, "read", "/v1/workspaces", 200, 1, None, None, "r")
    return replace(row, **facts)


class TestWhileTheDatabaseIsAway:
    def test_rows_wait_and_no_request_fails_because_of_them(
        self, acme_indexed: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        away = threading.Event()
        away.set()
        insert = use.record

        def fails(*given: Any) -> None:
            if away.is_set():
                raise DatabaseUnreachable("The database is away.")
            insert(*given)

        monkeypatch.setattr(use, "record", fails)
        monkeypatch.setattr(use, "FLUSH_SECONDS", 0.05)
        key = made(acme_indexed, "search")
        with served(acme_indexed) as api, api.with_key(key.key) as client, eventually() as wait:
            assert [client.get("/v1/workspaces").status_code for _ in range(3)] == [200] * 3
            wait(lambda: " rows): The database is away." in caplog.text)
            assert written(acme_indexed, key) == []
            away.clear()
            wait(lambda: len(written(acme_indexed, key)) == 3)

    def test_the_oldest_are_dropped_and_counted_where_too_many_wait(
        self, acme_indexed: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(use, "MOST_WAITING", 3)
        insert = use.record

        def fails(*_: Any) -> None:
            raise DatabaseUnreachable("The database is away.")

        database = serving(acme_indexed.database)
        uses = UseLog(database)
        monkeypatch.setattr(use, "record", fails)
        for number in range(4):
            uses.add(a_row(request_id=str(number)))
        uses.flush()
        uses.add(a_row(request_id="4"))
        monkeypatch.setattr(use, "record", insert)
        uses.flush()
        database.close()
        assert [row[0] for row in written(acme_indexed, facts="request_id")] == ["2", "3", "4"]
        assert "2 rows of what keys were used for were dropped" in caplog.text

    def test_a_row_that_cannot_be_written_keeps_no_other_waiting(
        self, acme_indexed: Harness, caplog: pytest.LogCaptureFixture
    ) -> None:
        database = serving(acme_indexed.database)
        uses = UseLog(database)
        uses.add(a_row(action="nonsense"))
        uses.flush()
        uses.add(a_row())
        uses.flush()
        database.close()
        assert len(written(acme_indexed)) == 1 and "could not be written" in caplog.text

    def test_a_server_that_is_killed_and_comes_back_gets_them(self, acme_indexed: Harness) -> None:
        database = serving(acme_indexed.database)
        uses = UseLog(database)
        uses.add(a_row())
        uses.flush()
        with acme_indexed.superuser() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'arcana_server' AND datname = current_database()"
            )
        uses.add(a_row())
        uses.flush()
        uses.flush()
        database.close()
        assert len(written(acme_indexed)) == 2


class TestTwoCompanies:
    @pytest.fixture
    def both(self, api: Api) -> dict[str, UUID]:
        """The rows of both, each with its company."""
        companies = {}
        for slug in ("acme", "globex"):
            with api.client("search", slug=slug) as client:
                client.get(f"/v1/workspaces/{slug}/search", params={"query": "30"})
            with api.acme.database.connection() as connection:
                companies[slug] = workspaces.find(connection, slug).company_id
        with eventually() as wait:
            wait(lambda: len(written(api.acme)) == 2)
        return companies

    def test_read_each_their_own_rows_alone_and_write_none(self, api: Api, both: dict[str, UUID]) -> None:
        database = serving(api.acme.database)
        for company in both.values():
            with database.connection(company) as connection:
                assert connection.execute("SELECT company_id FROM api_usage_logs").fetchall() == [(company,)]
            for statement in (
                "SELECT FROM api_usage_logs_default",
                "DELETE FROM api_usage_logs",
                "UPDATE api_usage_logs SET hits = 0",
                "INSERT INTO api_usage_logs SELECT * FROM api_usage_logs",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), database.connection(company) as connection:
                    connection.execute(statement)  # type: ignore[arg-type]
        for statement in ("SELECT FROM api_usage_logs", "SELECT FROM api_usage_logs_default"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), database.connection() as connection:
                connection.execute(statement)  # type: ignore[arg-type]
        database.close()

    def test_are_told_apart_by_the_command(
        self, api: Api, both: dict[str, UUID], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(usage_command, "open_database", lambda: api.acme.database)

        def run(*arguments: str) -> Any:
            return CliRunner().invoke(usage_command.command, arguments)

        told = json.loads(run("--keys", "--json").output)
        assert told["time_zone"] == "UTC"
        assert [(row["company"], row["requests"], row["searches"], row["hits"]) for row in told["keys"]] == [
            ("Globex", 1, 1, 2),
            ("default", 1, 1, 2),
        ]
        (own,) = json.loads(run("globex", "--keys", "--json").output)["keys"]
        assert own["company"] == "Globex" and own["month"] == f"{datetime.now(UTC):%Y-%m}" and own["tokens"] > 0
        shown = run("--keys").output
        assert "searches" in shown and own["key_id"] in shown
        assert isinstance(run("--keys", "--csv", "x").exception, WrongUse)


class TestTheSearchesOfAMonth:
    def test_are_answered_as_long_as_some_are_left(self, acme_indexed: Harness) -> None:
        key = made(acme_indexed, "search", allowance=Allowance(searches_per_month=3))
        with served(acme_indexed) as api, api.with_key(key.key) as client:
            assert client.post(SEARCH, json={"query": "vacation"}).status_code == 200
            assert client.get(SEARCH, params={"query": "vacation", "index": "nowhere"}).status_code == 404
            assert client.post(SEARCH, json={"query": "vacation", "after": "forged"}).status_code == 422
            assert client.get(SEARCH, params={"query": "vacation"}).status_code == 200
            assert client.post(STORE, json={"query": ["vacation", "days"]}).status_code == 200
            refused = client.post(SEARCH, json={"query": "vacation"})
            store = client.post(STORE, json={"query": "vacation"})
            assert client.get("/v1/workspaces").status_code == 200
        assert refused.status_code == store.status_code == 429
        assert refused.headers["content-type"] == MEDIA_TYPE
        assert refused.json()["type"] == "urn:arcana:problem:quota-used-up"
        now = datetime.now(UTC)
        ends = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
        assert f"{ends:%Y-%m-%d}" in refused.json()["detail"] and "3 searches a month" in refused.json()["detail"]
        assert abs(int(refused.headers["retry-after"]) - (ends - now).total_seconds()) < 60
        assert store.json()["error"]["code"] == "insufficient_quota"

    @pytest.mark.parametrize("era", ERAS)
    def test_are_those_of_assistants_too(self, acme_indexed: Harness, era: str) -> None:
        key = made(acme_indexed, "search", allowance=Allowance(searches_per_month=1))

        async def act(client: Client) -> list[Any]:
            asked = [("search", {"query": "vacation"}), ("search", {"query": "vacation"}), ("list_workspaces", {})]
            return [await client.call_tool(name, given) for name, given in asked]

        with served(acme_indexed) as api:
            first, second, listed = ask(api, key.key, era, act)
        assert not first.is_error and second.is_error and "searches a month" in str(second) and not listed.is_error
        assert [row[2] for row in written(acme_indexed, key) if row[0] == "search"] == [200, 429]

    def test_outlast_the_process_and_the_key_s_rotation(self, acme_indexed: Harness) -> None:
        key = made(acme_indexed, "search", allowance=Allowance(searches_per_month=2))
        with served(acme_indexed) as api, api.with_key(key.key) as client:
            assert client.get(SEARCH, params={"query": "vacation"}).status_code == 200
        with acme_indexed.database.connection() as connection:
            new = keys.rotate(connection, SALT, key.key_id)
        with served(acme_indexed) as api, api.with_key(new.key) as client:
            assert client.get(SEARCH, params={"query": "vacation"}).status_code == 200
            assert client.get(SEARCH, params={"query": "vacation"}).status_code == 429
        with served(acme_indexed) as api, api.with_key(key.key) as client:
            assert client.get(SEARCH, params={"query": "vacation"}).status_code == 429

    def test_are_one_number_for_a_key_and_its_rotations_also_before_the_log_has_them(
        self, acme_indexed: Harness
    ) -> None:
        key = made(acme_indexed, "search", allowance=Allowance(searches_per_month=3))
        with acme_indexed.database.connection() as connection:
            company = workspaces.find(connection, "acme").company_id
            new = keys.rotate(connection, SALT, key.key_id)
        database = serving(acme_indexed.database)
        quotas = Quotas(database)
        old, heir = (
            Access(key_id, company, (), Allowance(searches_per_month=3)) for key_id in (key.key_id, new.key_id)
        )
        quotas.take(old)
        quotas.take(heir)
        quotas.take(old)
        with pytest.raises(Refused, match="3 searches a month"):
            quotas.take(heir)
        quotas.give_back(old)
        quotas.take(heir)
        database.close()

    def test_are_remembered_of_so_many_keys_and_no_more(
        self, acme_indexed: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(quota, "MOST_KEYS", 2)
        with acme_indexed.database.connection() as connection:
            company = workspaces.find(connection, "acme").company_id
        database = serving(acme_indexed.database)
        quotas = Quotas(database)
        for key_id in ("aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"):
            quotas.take(Access(key_id, company, (), Allowance(searches_per_month=1)))
        assert sorted(quotas._months) == ["cccccccc", "dddddddd"]
        database.close()

    def test_begin_anew_with_the_next_month(self, acme_indexed: Harness) -> None:
        key = made(acme_indexed, "search", allowance=Allowance(searches_per_month=1))
        with acme_indexed.database.connection() as connection:
            company = workspaces.find(connection, "acme").company_id
        now = [datetime(2026, 12, 31, 23, 59, tzinfo=UTC)]
        database = serving(acme_indexed.database)
        quotas = Quotas(database, lambda: now[0])
        access = Access(key.key_id, company, (), Allowance(searches_per_month=1))
        quotas.take(access)
        with pytest.raises(Refused, match="2027-01-01") as refused:
            quotas.take(access)
        assert refused.value.headers["Retry-After"] == "60"
        now[0] = datetime(2027, 1, 1, tzinfo=UTC)
        quotas.take(access)
        quotas.give_back(access)
        quotas.take(access)
        database.close()

    def test_are_not_overdrawn_by_many_at_once(self, acme_indexed: Harness) -> None:
        key = made(acme_indexed, "search", allowance=Allowance(searches_per_month=10))
        with acme_indexed.database.connection() as connection:
            company = workspaces.find(connection, "acme").company_id
        database = serving(acme_indexed.database)
        quotas = Quotas(database)
        access = Access(key.key_id, company, (), Allowance(searches_per_month=10))
        answers: list[bool] = []

        def take() -> None:
            try:
                quotas.take(access)
                answers.append(True)
            except Refused:
                answers.append(False)

        threads = [threading.Thread(target=take) for _ in range(25)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        database.close()
        assert answers.count(True) == 10
