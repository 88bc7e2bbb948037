"""How far a conversation is, is not read for each question; and no answer is made with other questions than it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from arcana_pipelines.conversations import conversations
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Allowance, Permission
from arcana_pipelines.keys.limits import read_limit
from arcana_pipelines.web import conversations as route
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SALT, Api, served
from arcana_pipelines_tests.web.test_caches import outcomes
from arcana_pipelines_tests.web.test_conversations import VACATION, ask, begun, questions

FOLLOW_UP = "and a year?"


@pytest.fixture(params=["memory", "valkey"])
def kept_in(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of servers that share what they keep, and of those that keep it each for itself."""
    if request.param == "memory":
        return {}
    return {"redis_url": SecretStr(request.getfixturevalue("valkey").url)}


@pytest.fixture
def api(companies: Harness, kept_in: dict[str, Any]) -> Iterator[Api]:
    with served(companies, **kept_in) as api:
        yield api


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a conversation was read."""
    counted: Counter[str] = Counter()
    find = conversations.find

    def counting(*given: Any) -> Any:
        counted["read"] += 1
        return find(*given)

    monkeypatch.setattr(route.conversations, "find", counting)
    return counted


@pytest.fixture
def key(api: Api) -> keys.NewKey:
    return api.key("search")


@pytest.fixture
def client(api: Api, key: keys.NewKey) -> Iterator[httpx.Client]:
    with api.with_key(key.key) as client:
        yield client


@pytest.fixture
def path(client: httpx.Client) -> str:
    """A conversation in which something was asked."""
    path = begun(client)
    ask(client, path, VACATION)
    return path


def id_of(path: str) -> UUID:
    return UUID(path.rpartition("/")[2])


class TestAConversation:
    def test_is_read_once(self, client: httpx.Client, path: str, reads: Counter[str], api: Api) -> None:
        before = ["How is the weather in Busan in August?", FOLLOW_UP, "그럼 신입은?", "Which robots carry totes?"]
        for query in before:
            ask(client, path, query)
        assert reads == {} and outcomes(api, "sessions") == {"miss": 1, "hit": 4}
        assert questions(client, path) == [VACATION, *before]

    def test_goes_on_as_one_that_is_read_does(
        self, companies: Harness, client: httpx.Client, path: str, key: keys.NewKey
    ) -> None:
        asked = [FOLLOW_UP, "그럼 신입은?", "Which robots carry totes through the aisles?", "and at night?"] * 6
        with served(companies, cache_ttl=0) as without, without.with_key(key.key) as other:
            read = begun(other)
            ask(other, read, VACATION)
            for query in asked:
                one, two = ask(client, path, query), ask(other, read, query)
                assert one.get("taken_with") == two.get("taken_with") and one["hits"] == two["hits"]
            assert questions(client, path) == questions(other, read)

    def test_of_20_questions_and_more_goes_on(self, client: httpx.Client, path: str, reads: Counter[str]) -> None:
        for number in range(25):
            ask(client, path, f"vacation of {number} days")
        assert reads == {} and len(questions(client, path)) == conversations.MOST_TURNS

    def test_is_not_read_again_for_what_is_refused(self, client: httpx.Client, path: str) -> None:
        for refused in ({"query": "x", "earlier": ["y"]}, {"query": "x", "index": "no"}, {"query": "x", "k": 101}):
            assert client.post(f"{path}/search", json=refused).status_code == 422
        assert questions(client, path) == [VACATION]


class TestNothingIsSearchedWithThatIsNotSoAnyMore:
    def test_after_another_server_was_asked(
        self, companies: Harness, kept_in: dict[str, Any], client: httpx.Client, path: str, key: keys.NewKey
    ) -> None:
        with served(companies, **kept_in) as second, second.with_key(key.key) as other:
            for number, asks in enumerate((other, client) * 3):
                subject = f"Which robots of kind {number} carry totes through aisles?"
                ask(asks, path, subject)
                after = ask(client if asks is other else other, path, FOLLOW_UP)
                assert after["taken_with"] == [subject]
            assert len(questions(client, path)) == 13

    def test_after_it_was_deleted(
        self, companies: Harness, kept_in: dict[str, Any], client: httpx.Client, path: str, key: keys.NewKey
    ) -> None:
        with served(companies, **kept_in) as second, second.with_key(key.key) as other:
            assert other.delete(path).status_code == 204
        assert client.post(f"{path}/search", json={"query": FOLLOW_UP}).status_code == 404
        assert client.post(f"{path}/search", json={"query": FOLLOW_UP, "k": 101}).status_code == 404
        assert companies.rows("SELECT count(*) FROM conversation_context") == [(0,)]

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE conversation_context SET expires_at = now()",
            "DELETE FROM conversation_context",
            "UPDATE workspace SET status = 'deleting' WHERE slug = 'acme'",
        ],
    )
    def test_after_it_was_over(self, api: Api, client: httpx.Client, path: str, change: str) -> None:
        with api.acme.database.connection() as connection:
            connection.execute(change)  # type: ignore[call-overload]
        assert client.post(f"{path}/search", json={"query": FOLLOW_UP}).status_code == 404

    def test_after_one_of_its_questions_is_gone(self, api: Api, client: httpx.Client, path: str) -> None:
        ask(client, path, "Which robots carry totes through the aisles?")
        with api.acme.database.connection() as connection:
            connection.execute("DELETE FROM conversation_context WHERE turn = 2")
        assert ask(client, path, FOLLOW_UP)["taken_with"] == [VACATION]
        with api.acme.database.connection() as connection:
            connection.execute("DELETE FROM conversation_context WHERE turn = 1")
        assert ask(client, path, "그럼 신입은?")["taken_with"] == [FOLLOW_UP]

    def test_by_a_key_that_was_revoked(self, api: Api, client: httpx.Client, path: str, key: keys.NewKey) -> None:
        with api.acme.database.connection() as connection:
            keys.revoke(connection, key.key_id, "test")
        assert client.post(f"{path}/search", json={"query": FOLLOW_UP}).status_code == 401

    def test_by_a_key_whose_filter_was_changed(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            granted = Permission("search", workspace.workspace_id, None, read_limit('{"below": "Vacation policy"}'))
            made = keys.create(connection, SALT, workspace.company_id, [granted], "desk")
        with api.with_key(made.key) as client:
            path = begun(client)
            assert ask(client, path, VACATION, min_score=0)["hits"]
            with api.acme.database.connection() as connection, connection.transaction():
                connection.execute(
                    "UPDATE api_key_permissions SET filters = %s WHERE key_id = %s",
                    [psycopg.types.json.Jsonb({"kinds": ["row"]}), made.key_id],
                )
            assert ask(client, path, VACATION, min_score=0)["hits"] == []

    def test_by_a_key_that_may_search_there_no_more(self, api: Api, client: httpx.Client, path: str) -> None:
        with api.acme.database.connection() as connection:
            connection.execute("UPDATE api_key_permissions SET scope = 'read'")
        assert client.post(f"{path}/search", json={"query": FOLLOW_UP}).status_code == 403


class TestNothingCrosses:
    def test_to_a_key_of_the_company_or_of_another(self, api: Api, path: str) -> None:
        for other in (api.client("search"), api.client("search", slug="globex")):
            with other:
                assert other.post(f"{path}/search", json={"query": FOLLOW_UP}).status_code == 404

    def test_to_a_token_for_another_workspace(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            company = workspaces.find(connection, "acme").company_id
            made = keys.create(connection, SALT, company, [Permission("search", None, None)], "whole")
        Harness.register(api.acme.database, api.acme.world, api.acme.server, "acme-two")
        with api.with_key(made.key) as client:
            path = begun(client)
            ask(client, path, VACATION)
            token = client.post("/v1/tokens", json={"workspace": "acme-two"}).json()["token"]
        with api.with_key(token) as narrow:
            assert narrow.post(f"{path}/search", json={"query": FOLLOW_UP}).status_code == 404


def test_where_servers_share_nothing_a_search_is_made_twice_once(companies: Harness) -> None:
    with served(companies) as first, served(companies) as second:
        made = first.key("search")
        with first.with_key(made.key) as client, second.with_key(made.key) as other:
            path = begun(client)
            for _ in range(3):
                ask(client, path, VACATION)
                ask(other, path, VACATION)
        assert outcomes(first, "sessions")["stale"] == outcomes(second, "sessions")["stale"] == 1


def test_an_answer_that_was_made_again_is_counted_and_noted_once(api: Api) -> None:
    with api.acme.database.connection() as connection:
        workspace = workspaces.find(connection, "acme")
        granted = [Permission("search", workspace.workspace_id, None)]
        allowed = Allowance(searches_per_month=2)
        made = keys.create(connection, SALT, workspace.company_id, granted, "two", allowance=allowed)
    with api.with_key(made.key) as client:
        path = begun(client)
        ask(client, path, VACATION)
        with api.acme.database.connection() as connection:
            conversations.add_turn(connection, id_of(path), "asked at another server", 1)
        ask(client, path, FOLLOW_UP)
        assert outcomes(api, "sessions")["stale"] == 1
        assert client.post(f"{path}/search", json={"query": FOLLOW_UP}).status_code == 429


def test_what_is_kept_is_gone_with_the_conversation(
    request: pytest.FixtureRequest, kept_in: dict[str, Any], client: httpx.Client, path: str
) -> None:
    if not kept_in:
        return  # nobody looks into the memory of a server
    valkey = request.getfixturevalue("valkey").client()

    def held() -> list[bytes]:
        return [valkey.get(key) for key in valkey.keys("*:sessions:*")]

    assert any(VACATION.encode() in value for value in held())
    client.delete(path)
    assert not any(VACATION.encode() in value for value in held())
