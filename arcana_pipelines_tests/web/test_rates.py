"""A key asks as often as it may and no more, and whoever guesses keys is not looked up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Allowance, Permission
from arcana_pipelines.web import gate, rates
from arcana_pipelines.web.problems import MEDIA_TYPE
from arcana_pipelines.web.rates import Buckets, origin_of
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SALT, SEARCH, Api, served

STORE = "/v1/vector_stores/acme/search"


@dataclass
class Clock:
    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


class TestABucket:
    def test_gives_its_requests_at_once_and_then_evenly(self) -> None:
        clock = Clock()
        buckets = Buckets(clock)
        assert [buckets.take("a", 3).left for _ in range(3)] == [2, 1, 0]
        refused = buckets.take("a", 3)
        assert (refused.limit, refused.left, refused.wait, refused.full) == (3, 0, 20, 60)
        clock.seconds += 19.9
        assert buckets.take("a", 3).wait == 1
        clock.seconds += 0.1
        assert buckets.take("a", 3).wait == 0 and buckets.take("a", 3).wait == 20
        assert buckets.take("b", 3).wait == 0

    @given(st.integers(1, 10_000), st.integers(0, 200), st.floats(0, 10**6))
    def test_has_a_request_when_it_said_it_would(self, limit: int, taken: int, start: float) -> None:
        clock = Clock(start)
        buckets = Buckets(clock)
        for _ in range(limit + taken):
            rate = buckets.take("a", limit)
        rate = buckets.take("a", limit)
        assert rate.wait > 0
        clock.seconds += rate.wait
        assert buckets.take("a", limit).wait == 0

    def test_is_looked_at_without_taking(self) -> None:
        buckets = Buckets(Clock())
        assert buckets.look("a", 1) == buckets.look("a", 1) and buckets.take("a", 1).wait == 0
        assert buckets.look("a", 1).wait == 60

    def test_follows_a_limit_that_was_lowered(self) -> None:
        buckets = Buckets(Clock())
        buckets.take("a", 100)
        assert buckets.take("a", 2).left == 1

    def test_is_one_of_so_many_that_no_stranger_fills_the_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rates, "MOST_BUCKETS", 3)
        buckets = Buckets(Clock())
        for name in ("a", "b", "a", "c", "d"):
            buckets.take(name, 5)
        assert [name in buckets for name in "abcd"] == [True, False, True, True]


def test_a_network_of_ipv6_is_one_origin() -> None:
    assert origin_of("2001:db8::1") == origin_of("2001:db8::ffff:2") != origin_of("2001:db8:0:1::1")
    assert origin_of("192.0.2.1") != origin_of("192.0.2.2") and origin_of("") == "" and origin_of("odd") == "odd"


@contextmanager
def limited(api: Api, requests_per_minute: int) -> Iterator[httpx.Client]:
    """A client whose key has a limit of its own."""
    with api.acme.database.connection() as connection:
        workspace = workspaces.find(connection, "acme")
        granted = [Permission("search", workspace.workspace_id, None)]
        made = keys.create(
            connection, SALT, workspace.company_id, granted, "test", allowance=Allowance(requests_per_minute)
        )
    with api.with_key(made.key) as client:
        yield client


class TestAKey:
    def test_is_told_with_each_answer_how_many_requests_are_left(self, api: Api) -> None:
        with limited(api, 10) as client:
            first = client.get(SEARCH, params={"query": "vacation"})
            second = client.get("/v1/workspaces/nowhere/search", params={"query": "vacation"})
        assert [each.headers["x-ratelimit-limit"] for each in (first, second)] == ["10", "10"]
        assert [each.headers["x-ratelimit-remaining"] for each in (first, second)] == ["9", "8"]
        assert int(second.headers["x-ratelimit-reset"]) in (11, 12)

    def test_that_asks_more_often_than_it_may_waits(self, api: Api) -> None:
        with limited(api, 2) as client:
            good = [client.get(SEARCH, params={"query": "vacation"}).status_code for _ in range(2)]
            refused = client.get(SEARCH, params={"query": "vacation"})
            assistant = client.post("/mcp", json={})
            store = client.post(STORE, json={"query": "vacation"})
        assert good == [200, 200] and refused.status_code == assistant.status_code == store.status_code == 429
        for each in (refused, assistant, store):
            assert 25 <= int(each.headers["retry-after"]) <= 30 and each.headers["x-ratelimit-remaining"] == "0"
        for each in (refused, assistant):
            assert (
                each.headers["content-type"] == MEDIA_TYPE and each.json()["type"] == "urn:arcana:problem:rate-limited"
            )
        assert "2 requests a minute" in refused.json()["detail"] and "seconds" in refused.json()["detail"]
        assert store.json()["error"]["code"] == "rate_limit_exceeded"

    def test_that_waits_is_no_hindrance_to_another(self, api: Api) -> None:
        with limited(api, 1) as client, limited(api, 1) as other:
            client.get("/v1/workspaces")
            assert client.get("/v1/workspaces").status_code == 429
            assert other.get("/v1/workspaces").status_code == 200

    def test_without_a_limit_of_its_own_has_that_of_the_settings(self, acme: Harness) -> None:
        acme.sync()
        with served(acme, key_requests_per_minute=1) as api, api.client("search") as client:
            assert client.get("/v1/workspaces").headers["x-ratelimit-limit"] == "1"
            assert client.get("/v1/workspaces").status_code == 429
            with limited(api, 3) as own:
                assert own.get("/v1/workspaces").headers["x-ratelimit-remaining"] == "2"

    def test_keeps_its_limit_when_it_is_rotated(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            granted = [Permission("search", workspace.workspace_id, None)]
            old = keys.create(connection, SALT, workspace.company_id, granted, "test", allowance=Allowance(7, 70))
            new = keys.rotate(connection, SALT, old.key_id)
            listed = {
                key.key_id: (key.requests_per_minute, key.searches_per_month) for key in keys.list_all(connection)
            }
        assert listed[new.key_id] == listed[old.key_id] == (7, 70)

    def test_is_refused_to_openai_s_client_as_the_client_knows_it(self, api: Api) -> None:
        with limited(api, 1) as client, httpx.Client(trust_env=False) as own:
            key = client.headers["authorization"].removeprefix("Bearer ")
            as_openai = openai.OpenAI(base_url=f"{api.url}/v1", api_key=key, http_client=own, max_retries=0)
            as_openai.vector_stores.search("acme", query="vacation")
            with pytest.raises(openai.RateLimitError, match="requests a minute"):
                as_openai.vector_stores.search("acme", query="vacation")


def test_whoever_guesses_keys_is_not_looked_up_and_others_from_there_are_served(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.sync()
    looked_up: list[str] = []
    found = gate.access_of
    monkeypatch.setattr(gate, "access_of", lambda *given: looked_up.append(given[1]) or found(*given))
    with served(acme, refused_keys_per_minute=3) as api, api.client("search") as known:
        assert known.get("/v1/workspaces").status_code == 200
        with api.with_key("arc_guessed") as stranger:
            refused = [stranger.get("/v1/workspaces") for _ in range(5)]
            over_mcp = stranger.post("/mcp", json={})
        with api.with_key(None) as nobody:
            assert nobody.get("/v1/workspaces").status_code == 401
        assert known.get("/v1/workspaces").status_code == 200
    assert [each.status_code for each in refused] == [401, 401, 401, 429, 429] and over_mcp.status_code == 429
    assert looked_up.count("arc_guessed") == 3
    assert int(refused[-1].headers["retry-after"]) <= 20 and "this address" in refused[-1].json()["detail"]


def test_behind_a_proxy_of_this_machine_the_address_is_the_caller_s(acme: Harness) -> None:
    acme.sync()
    with served(acme, refused_keys_per_minute=1) as api, api.with_key("arc_guessed") as stranger:
        codes = [
            stranger.get("/v1/workspaces", headers={"X-Forwarded-For": address}).status_code
            for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2")
        ]
    assert codes == [401, 429, 401]
