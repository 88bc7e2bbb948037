"""What is kept is given as long as it is the answer, and no longer; to whoever may have it, and to nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import httpx
import psycopg
import pytest
from mcp import Client
from prometheus_client import generate_latest
from pydantic import SecretStr

from arcana_pipelines.caching import redis as redis_store
from arcana_pipelines.embedding.local_small import SmallEmbedder
from arcana_pipelines.errors import EmbeddingFailed
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Allowance, Permission
from arcana_pipelines.keys.limits import read_limit
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.caching.valkey import Valkey
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.mcp.conftest import ERAS
from arcana_pipelines_tests.web.conftest import SALT, Api, served
from arcana_pipelines_tests.web.test_assistants import ask


@pytest.fixture(params=["memory", "valkey"])
def api(request: pytest.FixtureRequest, companies: Harness) -> Iterator[Api]:
    """A server that keeps answers in its memory, and one that keeps them in Valkey."""
    settings: dict[str, Any] = {}
    if request.param == "valkey":
        settings["redis_url"] = SecretStr(request.getfixturevalue("valkey").url)
    with served(companies, **settings) as api:
        yield api


def outcomes(api: Api, level: str = "searches") -> dict[str, int]:
    """How often values of a level were had in which way."""
    samples = (sample for metric in api.metrics.registry.collect() for sample in metric.samples)
    return {
        sample.labels["outcome"]: int(sample.value)
        for sample in samples
        if sample.name == "arcana_cache_total" and sample.labels["level"] == level
    }


class Asking:
    """Somebody who asks the same again and again."""

    def __init__(self, api: Api, key: str | None = None, slug: str = "acme") -> None:
        self.api, self.key = api, key or api.key("search", slug=slug).key
        self.path = f"/v1/workspaces/{slug}/search"

    def ask(self, query: str = "vacation days", **asked: Any) -> httpx.Response:
        with self.api.with_key(self.key) as client:
            return client.post(self.path, json={"query": query, "min_score": 0, **asked})

    def hits(self, query: str = "vacation days", **asked: Any) -> list[dict[str, Any]]:
        answer = self.ask(query, **asked)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["hits"]
        return found

    def titles(self, query: str = "vacation days", **asked: Any) -> list[str]:
        return [hit["title"] for hit in self.hits(query, **asked)]


class TestAnAnswer:
    def test_is_had_once_and_given_to_all_who_ask_the_same(self, api: Api) -> None:
        one, other = Asking(api), Asking(api)
        first = one.ask().json()
        second = other.ask().json()
        assert first.pop("request_id") != second.pop("request_id")
        assert first == second
        assert outcomes(api) == {"miss": 1, "hit": 1}

    def test_that_is_at_hand_is_refused_like_any(self, api: Api) -> None:
        Asking(api).hits()
        reads = api.key("read")
        assert Asking(api, reads.key).ask().status_code == 403
        assert Asking(api, api.key("search", slug="globex").key).ask().status_code == 404
        with api.client("search") as client:
            assert client.post("/v1/workspaces/nowhere/search", json={"query": "vacation days"}).status_code == 404
            too_many = client.post("/v1/workspaces/acme/search", json={"query": "vacation days", "k": 101})
            assert too_many.status_code == 422
        assert outcomes(api) == {"miss": 1}

    def test_of_another_request_is_another(self, api: Api) -> None:
        asking = Asking(api)
        for asked in ({}, {"k": 1}, {"ranking": "lexical"}, {"per_document": True}, {"filters": {"kinds": ["page"]}}):
            asking.hits(**asked)
        assert outcomes(api) == {"miss": 5}

    def test_of_the_past_is_not_kept(self, api: Api) -> None:
        asking = Asking(api)
        then = api.acme.rows("SELECT now()::text")[0][0].replace(" ", "T") + ":00"
        assert [asking.titles(as_of=then), asking.titles(as_of=then)] == 2 * [asking.titles()]
        assert outcomes(api) == {"miss": 1}

    def test_is_used_and_counted_like_any(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            granted = [Permission("search", workspace.workspace_id, None)]
            twice = Allowance(searches_per_month=2)
            made = keys.create(connection, SALT, workspace.company_id, granted, "a", allowance=twice)
        asking = Asking(api, made.key)
        asking.hits()
        asking.hits()
        assert asking.ask().status_code == 429

    def test_without_a_provider_is_not_kept(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        asking = Asking(api)

        def fails(self: SmallEmbedder, texts: list[str]) -> None:
            raise EmbeddingFailed("the provider is away")

        with monkeypatch.context() as away:
            away.setattr(SmallEmbedder, "embed", fails)
            asking.hits()
        asking.hits()
        asking.hits()
        assert outcomes(api) == {"miss": 2, "hit": 1}
        assert outcomes(api, "embeddings") == {"miss": 2}

    def test_of_a_provider_is_asked_for_once_for_all_requests(self, api: Api) -> None:
        asking = Asking(api)
        asking.hits(k=1)
        asking.hits(k=2)
        assert outcomes(api, "embeddings") == {"miss": 1, "hit": 1}


class TestNothingIsGivenThatIsNotSoAnyMore:
    def test_after_a_publish(self, api: Api) -> None:
        asking = Asking(api)
        page = asking.hits()[0]["external_id"]
        api.acme.world.edit_page(page, blocks="Everyone has 31 days of vacation a year.")
        api.acme.settle()
        api.acme.sync()
        assert "31 days" in asking.hits()[0]["text"]

    def test_after_a_removal(self, api: Api) -> None:
        asking = Asking(api)
        assert "Vacation policy" in asking.titles()
        page = next(hit["external_id"] for hit in asking.hits() if hit["title"] == "Vacation policy")
        api.acme.world.trash(page)
        api.acme.settle()
        api.acme.sync()
        assert "Vacation policy" not in asking.titles()

    def test_after_a_promotion_and_a_rollback(self, api: Api) -> None:
        asking = Asking(api)
        asking.hits()
        self.with_index(api, lifecycle.rebuild_index)
        api.acme.fill()
        for change in (lifecycle.promote, lifecycle.roll_back):
            asking.hits()
            self.with_index(api, change)
        asking.hits()
        assert outcomes(api) == {"miss": 3, "hit": 1}

    def with_index(self, api: Api, change: Callable[..., Any]) -> None:
        with api.acme.database.connection() as connection:
            change(connection, workspaces.find(connection, "acme").workspace_id, "default")

    def test_after_a_move(self, api: Api) -> None:
        asking = Asking(api)
        page, other = (hit["external_id"] for hit in asking.hits(k=2))
        before = {hit["external_id"]: hit["path"] for hit in asking.hits(k=2)}
        api.acme.world.move(page, other)
        api.acme.settle()
        api.acme.sync()
        after = {hit["external_id"]: hit["path"] for hit in asking.hits(k=2)}
        assert after[page].startswith(before[other] + ".") and after[other] == before[other]

    def test_of_before_a_restore(self, companies: Harness, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
        """Which counts publishes anew: the same number is of another one then."""
        redis_url = SecretStr(valkey.url)
        for history in ("7301/16384/1", "7301/16384/2"):
            monkeypatch.setattr("arcana_pipelines.web.searches.history_of", lambda connection, said=history: said)
            with served(companies, redis_url=redis_url) as api:
                assert Asking(api).titles() == Asking(api).titles()
                assert outcomes(api) == {"miss": 1, "hit": 1}

    def test_nor_does_a_server_that_does_not_tell_its_history_refuse_searches(
        self, companies: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(connection: object) -> NoReturn:
            raise psycopg.errors.InsufficientPrivilege("permission denied for function pg_control_system")

        monkeypatch.setattr("arcana_pipelines.web.searches.history_of", refuse)
        with served(companies) as api:
            assert Asking(api).titles() == Asking(api).titles()
            assert outcomes(api) == {"miss": 1, "hit": 1}

    def test_of_a_property_that_is_filtered_by(self, api: Api) -> None:
        world = api.acme.world
        tasks = world.add_database("Tasks", schema={"State": "select"})
        row = world.add_row(tasks.data_source_id, "Mend the heater", {"State": "Open"}, blocks="It is cold.")
        api.acme.settle()
        api.acme.sync()
        asking = Asking(api)
        open_ones = {"filters": {"properties": [{"name": "State", "operator": "=", "value": "Open"}]}}
        assert set(asking.titles("cold", **open_ones)) == {"Mend the heater"}
        world.set_property(row, "State", "Done")
        api.acme.settle()
        api.acme.sync()
        assert asking.titles("cold", **open_ones) == []

    def test_to_a_key_whose_filter_was_changed(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            granted = Permission("search", workspace.workspace_id, None, read_limit('{"below": "Vacation policy"}'))
            made = keys.create(connection, SALT, workspace.company_id, [granted], "desk")
        asking = Asking(api, made.key)
        assert asking.titles() == ["Vacation policy"]
        with api.acme.database.connection() as connection, connection.transaction():
            connection.execute(
                "UPDATE api_key_permissions SET filters = %s WHERE key_id = %s",
                [psycopg.types.json.Jsonb({"kinds": ["row"]}), made.key_id],
            )
        assert asking.titles() == []

    def test_to_a_key_that_was_revoked(self, api: Api) -> None:
        made = api.key("search")
        asking = Asking(api, made.key)
        asking.hits()
        with api.acme.database.connection() as connection:
            keys.revoke(connection, made.key_id, "test")
        assert asking.ask().status_code == 401


class TestNothingCrosses:
    def test_from_a_company_to_another_with_the_same_question(self, api: Api) -> None:
        ours, theirs = Asking(api), Asking(api, slug="globex")
        assert {hit["workspace"] for hit in ours.hits()} == {"acme"}
        assert {hit["workspace"] for hit in theirs.hits()} == {"globex"}
        assert outcomes(api) == {"miss": 2} and outcomes(api, "embeddings") == {"miss": 2}

    def test_from_a_key_to_one_with_a_filter(self, api: Api) -> None:
        Asking(api).hits()
        with api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            granted = Permission("search", workspace.workspace_id, None, read_limit('{"kinds": ["row"]}'))
            made = keys.create(connection, SALT, workspace.company_id, [granted], "desk")
        assert Asking(api, made.key).titles() == []


class TestAValkey:
    @pytest.fixture
    def api(self, valkey: Valkey, companies: Harness) -> Iterator[Api]:
        with served(companies, redis_url=SecretStr(valkey.url)) as api:
            yield api

    def test_that_goes_costs_no_search(self, api: Api, valkey: Valkey) -> None:
        asking = Asking(api)
        before = asking.titles()
        valkey.stop()
        assert [asking.titles() for _ in range(5)] == [before] * 5
        valkey.go_on()
        valkey.kill()
        assert [asking.titles() for _ in range(5)] == [before] * 5

    def test_that_servers_share_has_an_answer_made_once(
        self, api: Api, valkey: Valkey, companies: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(redis_store, "WAIT_SECONDS", 60.0)
        monkeypatch.setattr(redis_store, "_MAKING_SECONDS", 60.0)
        with served(companies, redis_url=SecretStr(valkey.url)) as second, ThreadPoolExecutor(12) as threads:
            key = api.key("search").key
            asking = [Asking(server, key) for server in (api, second)]
            titles = list(threads.map(lambda number: tuple(asking[number % 2].titles()), range(12)))
            assert len(set(titles)) == 1
            for level in ("searches", "embeddings"):
                assert outcomes(api, level).get("miss", 0) + outcomes(second, level).get("miss", 0) == 1

    def test_in_which_somebody_wrote_is_not_believed(self, api: Api, valkey: Valkey) -> None:
        ours, theirs = Asking(api), Asking(api, slug="globex")
        before = ours.titles(), theirs.titles()
        client = valkey.client()
        held = {key: client.get(key) for key in client.keys("*:searches:*")}
        assert len(held) == 2
        one, other = held
        client.set(one, held[other])
        client.set(other, b'{"hits": [{"title": "forged"}]}')
        assert (ours.titles(), theirs.titles()) == before

    def test_holds_no_question_and_no_key(self, api: Api, valkey: Valkey) -> None:
        made = api.key("search")
        Asking(api, made.key).hits("canary vacation")
        client = valkey.client()
        told = b"".join(key + (client.get(key) or b"") for key in client.keys("*"))
        assert b"Vacation policy" in told
        assert b"canary" not in told and made.key.encode() not in told

    def test_forgets_a_workspace_that_is_removed(self, api: Api, valkey: Valkey) -> None:
        Asking(api).hits()
        Asking(api, slug="globex").hits()
        with api.administrator() as client:
            assert client.delete("/v1/workspaces/acme").status_code == 204
        left = {key.decode().split(":")[3] for key in valkey.client().keys("*")}
        assert left == {str(workspace) for (workspace,) in api.acme.rows("SELECT workspace_id FROM workspace")}


def test_what_caches_hold_is_measured_and_once_where_they_share_a_store(api: Api) -> None:
    Asking(api).hits()
    levels = re.findall(r'arcana_cache_megabytes\{level="(\w+)"\}', generate_latest(api.metrics.registry).decode())
    assert levels == (["all"] if api.settings.redis_url else ["embeddings", "searches", "sessions"])


@pytest.mark.parametrize("era", ERAS)
def test_assistants_are_given_what_was_answered_to_programs_and_no_more_than_their_key_finds(
    api: Api, era: str
) -> None:
    asking = Asking(api)
    with api.with_key(asking.key) as client:
        found = client.post(asking.path, json={"query": "vacation days"}).json()["hits"]

    async def act(client: Client) -> Any:
        return (await client.call_tool("search", {"query": "vacation days"})).structured_content

    shown = ask(api, asking.key, era, act)
    assert [hit["title"] for hit in shown["results"]] == [hit["title"] for hit in found]
    assert outcomes(api) == {"miss": 1, "hit": 1}
    other = api.key("search", slug="globex")
    assert {hit["workspace"] for hit in ask(api, other.key, era, act)["results"]} == {"globex"}
    assert outcomes(api) == {"miss": 2, "hit": 1}
