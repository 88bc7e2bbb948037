"""All keys of a company together ask as often as it may and no more, in all servers that share a Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing

import httpx
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from arcana_pipelines.caching.redis import RedisStore, client_of
from arcana_pipelines.cli.commands import company as company_command
from arcana_pipelines.cli.commands import usage as usage_command
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Allowance, Permission
from arcana_pipelines.settings import Settings
from arcana_pipelines.web.rates import SharedBuckets
from arcana_pipelines.workspaces import companies, workspaces
from arcana_pipelines.workspaces.companies import DEFAULT
from arcana_pipelines_tests.caching.valkey import Valkey
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SALT, SEARCH, Api, served

STORE = "/v1/vector_stores/acme/search"


def limit(acme: Harness, requests: int | None = None, searches: int | None = None) -> None:
    with acme.database.connection() as connection:
        companies.limit(connection, DEFAULT, requests, searches)


def key_of(api: Api, requests: int | None = None, searches: int | None = None) -> str:
    """A key to search, with limits of its own."""
    with api.acme.database.connection() as connection:
        workspace = workspaces.find(connection, "acme")
        granted = [Permission("search", workspace.workspace_id, None)]
        allowance = Allowance(requests, searches)
        return keys.create(connection, SALT, workspace.company_id, granted, "test", allowance=allowance).key


def ask(api: Api, key: str, query: str = "vacation") -> httpx.Response:
    with api.with_key(key) as client:
        return client.get(SEARCH, params={"query": query})


class TestRequestsAMinute:
    def test_are_those_of_all_keys_of_the_company_and_of_no_other(self, api: Api) -> None:
        limit(api.acme, requests=3)
        one, other = key_of(api), key_of(api)
        good = [ask(api, key) for key in (one, other, one)]
        refused = [ask(api, key) for key in (one, other)]
        assert [each.status_code for each in good] == 3 * [200]
        assert [each.headers["x-ratelimit-limit"] for each in good] == 3 * ["3"]
        for each in refused:
            told = each.json()
            assert (each.status_code, told["type"], told["limit_of"]) == (
                429,
                "urn:arcana:problem:rate-limited",
                "company",
            )
            assert 15 <= int(each.headers["retry-after"]) <= 20 and "All keys of the company together" in told["detail"]
        with api.client("search", slug="globex") as theirs:
            assert theirs.get("/v1/workspaces/globex/search", params={"query": "vacation"}).status_code == 200

    def test_of_a_key_hold_where_they_are_fewer_and_take_nothing_from_the_others(self, api: Api) -> None:
        limit(api.acme, requests=3)
        narrow, other = key_of(api, requests=1), key_of(api)
        assert [ask(api, narrow).status_code for _ in range(3)] == [200, 429, 429]
        assert ask(api, narrow).json()["limit_of"] == "key"
        assert [ask(api, other).status_code for _ in range(3)] == [200, 200, 429]

    def test_hold_at_once_when_they_are_changed(self, api: Api) -> None:
        key = key_of(api)
        assert ask(api, key).headers["x-ratelimit-limit"] == "600"
        limit(api.acme, requests=1)
        assert [ask(api, key).status_code for _ in range(2)] == [200, 429]
        limit(api.acme)
        assert ask(api, key).status_code == 200


class TestSearchesAMonth:
    def test_are_those_of_all_keys_and_outlast_the_process(self, companies: Harness) -> None:
        limit(companies, searches=3)
        with served(companies) as api:
            one, other = key_of(api), key_of(api)
            assert [ask(api, key).status_code for key in (one, other)] == [200, 200]
        with served(companies) as api:
            with api.with_key(other) as client:
                assert client.get(SEARCH, params={"query": "vacation", "index": "nowhere"}).status_code == 404
                assert client.post(STORE, json={"query": "vacation"}).status_code == 200
                store = client.post(STORE, json={"query": "vacation"})
            refused = ask(api, one)
            assert ask(api, key_of(api)).status_code == 429
        assert (refused.status_code, store.json()["error"]["code"]) == (429, "insufficient_quota")
        told = refused.json()
        assert (told["type"], told["limit_of"]) == ("urn:arcana:problem:quota-used-up", "company")
        assert "3 searches a month" in told["detail"] and int(refused.headers["retry-after"]) > 0

    def test_of_a_key_hold_where_they_are_fewer(self, api: Api) -> None:
        limit(api.acme, searches=3)
        narrow, other = key_of(api, searches=1), key_of(api)
        assert [ask(api, narrow).status_code for _ in range(2)] == [200, 429]
        assert ask(api, narrow).json()["limit_of"] == "key"
        assert [ask(api, other).status_code for _ in range(3)] == [200, 200, 429]


@pytest.fixture
def two(companies: Harness, valkey: Valkey) -> Iterator[tuple[Api, Api]]:
    """Two servers that share a Valkey."""
    with ExitStack() as servers:
        one, other = (servers.enter_context(served(companies, redis_url=SecretStr(valkey.url))) for _ in range(2))
        yield one, other


class TestServersThatShareARedis:
    def test_let_through_what_one_would_of_a_key_and_of_a_company(self, two: tuple[Api, Api]) -> None:
        one, other = two
        key = key_of(one, requests=2)
        assert [ask(api, key).status_code for api in (one, other, one, other)] == [200, 200, 429, 429]
        limit(one.acme, requests=3)
        first, second = key_of(one), key_of(one)
        assert [ask(api, each).status_code for api in two for each in (first, second)] == [200, 200, 200, 429]

    def test_count_for_themselves_while_it_is_away(self, two: tuple[Api, Api], valkey: Valkey) -> None:
        one, other = two
        key = key_of(one, requests=2)
        assert ask(one, key).headers["x-ratelimit-remaining"] == "1"
        valkey.kill()
        assert [ask(one, key).status_code for _ in range(2)] == [200, 429]
        assert [ask(other, key).status_code for _ in range(3)] == [200, 200, 429]


class TestASharedBucket:
    @pytest.fixture
    def store(self, settings: Settings, valkey: Valkey) -> Iterator[RedisStore]:
        with closing(
            RedisStore(client_of(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})), b"")
        ) as store:
            yield store

    def test_is_as_one_of_this_process(self, store: RedisStore, valkey: Valkey) -> None:
        buckets, others = SharedBuckets(store), SharedBuckets(store)
        assert [buckets.take("a", 3).left, others.take("a", 3).left, buckets.take("a", 3).left] == [2, 1, 0]
        refused = others.take("a", 3)
        assert (refused.limit, refused.left) == (3, 0) and 15 <= refused.wait <= 20 and 55 <= refused.full <= 60
        assert others.take("b", 3).wait == 0
        assert "a" in buckets and "c" not in buckets
        assert 0 < valkey.client().pttl("arcana:v1:rate:a") <= 60_001

    @pytest.mark.parametrize("written", ["", "soon", "-1", "1e300", "9" * 400, "nan", "-nan", "inf", ["a list"]])
    def test_of_which_somebody_else_wrote_nonsense_is_full_or_empty_and_shared_again_within_a_minute(
        self, store: RedisStore, valkey: Valkey, written: str | list[str]
    ) -> None:
        there = valkey.client()
        there.lpush("arcana:v1:rate:a", *written) if isinstance(written, list) else there.set(
            "arcana:v1:rate:a", written
        )
        first, second = (SharedBuckets(store).take("a", 3) for _ in range(2))
        assert (first.left, second.left, first.wait) in ((2, 1, 0), (0, 0, 20))
        assert 0 < there.pttl("arcana:v1:rate:a") <= 60_001


class TestTheCommands:
    @pytest.fixture(autouse=True)
    def _here(self, companies: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        url = companies.database.settings.database_url
        assert url is not None
        monkeypatch.setenv("DATABASE_URL", url.get_secret_value())
        monkeypatch.setenv("ARCANA_HOME", str(companies.database.settings.home))

    def test_limit_a_company_and_tell_what_it_has_used(self, companies: Harness) -> None:
        def run(*arguments: str) -> dict[str, object]:
            done = CliRunner().invoke(company_command.command, [*arguments, "--json"])
            assert done.exit_code == 0, done.output
            told: dict[str, object] = json.loads(done.output)
            return told

        assert run("limit", DEFAULT, "--requests-per-minute", "90")["requests_per_minute"] == 90
        now = run("limit", DEFAULT, "--searches-per-month", "5")
        assert (now["requests_per_minute"], now["searches_per_month"], now["searches"]) == (90, 5, 0)
        with served(companies) as api:
            ask(api, key_of(api))
        listed = {each["name"]: each for each in run("list")["companies"]}  # type: ignore[attr-defined]
        assert listed[DEFAULT] == {**now, "searches": 1, "keys": 1}
        assert listed["Globex"]["searches_per_month"] is None
        assert f"{DEFAULT}  1 workspaces" in CliRunner().invoke(company_command.command, ["list"]).output
        assert "1 of the 5 searches" in CliRunner().invoke(usage_command.command, ["--keys"]).output
        assert run("limit", DEFAULT, "--requests-per-minute", "0")["requests_per_minute"] is None
        changes = companies.rows("SELECT object, details FROM audit_logs WHERE action = 'company.changed' ORDER BY 1")
        assert len(changes) == 3 and {each for each, _ in changes} == {DEFAULT}

    def test_refuse_a_company_that_is_not_there_and_a_limit_of_nothing(self) -> None:
        nobody = CliRunner().invoke(company_command.command, ["limit", "Nobody", "--searches-per-month", "5"])
        nothing = CliRunner().invoke(company_command.command, ["limit", DEFAULT])
        assert isinstance(nobody.exception, WrongUse) and "There is no company 'Nobody'" in str(nobody.exception)
        assert isinstance(nothing.exception, WrongUse)
