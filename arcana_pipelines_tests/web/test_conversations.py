"""Conversations: questions go on from those before, for the key that began them, as long as they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcana_pipelines.conversations import conversations
from arcana_pipelines.conversations.conversations import MOST_TURNS
from arcana_pipelines.defs.registration import remove
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.indexes.lifecycle import create_index
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Allowance, Permission
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.requirements.routes import may_everything
from arcana_pipelines_tests.web.conftest import SALT, SEARCH, Api, served

BEGIN = "/v1/conversations"
VACATION = "How many days of vacation do we have?"


def begun(client: httpx.Client, **asked: Any) -> str:
    """The path of a new conversation."""
    answer = client.post(BEGIN, json={"workspace": "acme", **asked})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def ask(client: httpx.Client, path: str, query: str, **asked: Any) -> dict[str, Any]:
    answer = client.post(f"{path}/search", json={"query": query, **asked})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def questions(client: httpx.Client, path: str) -> list[str]:
    return [turn["question"] for turn in client.get(path).json()["turns"]]


@pytest.fixture
def client(api: Api) -> Iterator[httpx.Client]:
    with api.client("search") as client:
        yield client


class TestTurns:
    def test_a_follow_up_is_searched_with_the_questions_before_and_says_so(
        self, api: Api, client: httpx.Client
    ) -> None:
        answer = client.post(BEGIN, json={"workspace": "acme"})
        assert answer.status_code == 201 and answer.json().keys() == {
            "conversation_id", "workspace", "index", "expires_at"
        }  # fmt: skip
        path = answer.headers["location"]
        assert path == f"{BEGIN}/{answer.json()['conversation_id']}"
        assert client.get(path).json() == {**answer.json(), "turns": []}
        first = ask(client, path, VACATION, k=1)
        assert "taken_with" not in first and first["hits"][0]["title"] == "Vacation policy" and first["request_id"]
        second = ask(client, path, "and a year?", k=1)
        assert second["taken_with"] == [VACATION] and second["hits"][0]["title"] == "Vacation policy"
        told = client.get(path).json()["turns"]
        assert [(each["turn"], each["question"]) for each in told] == [(1, VACATION), (2, "and a year?")]
        # Without the table: the same, for those who keep the questions themselves.
        alike = client.post(SEARCH, json={"query": "and a year?", "k": 1, "earlier": [VACATION]}).json()
        assert {**alike, "seconds": 0, "request_id": ""} == {**second, "seconds": 0, "request_id": ""}

    def test_further_hits_belong_to_the_turn_that_they_go_on_from(self, client: httpx.Client) -> None:
        path = begun(client)
        ask(client, path, VACATION)
        first = ask(client, path, "and a year?", k=1, min_score=0)
        ask(client, path, "Which robots carry totes through the aisles?")
        further = ask(client, path, "and a year?", k=1, min_score=0, after=first["cursor"])
        assert further["taken_with"] == [VACATION] and further["hits"][0] != first["hits"][0]
        assert len(questions(client, path)) == 3
        for query, cursor in (("never asked", first["cursor"]), ("and a year?", "AQ")):
            answer = client.post(f"{path}/search", json={"query": query, "after": cursor})
            assert (answer.status_code, answer.json()["type"]) == (422, "urn:arcana:problem:cursor-refused")

    def test_two_searches_at_once_neither_fail_nor_lose_a_turn(self, client: httpx.Client) -> None:
        path = begun(client)
        asked = [f"vacation of {number} days" for number in range(12)]
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda query: ask(client, path, query), asked))
        told = client.get(path).json()["turns"]
        assert [each["turn"] for each in told] == list(range(1, 13))
        assert sorted(each["question"] for each in told) == sorted(asked)

    def test_no_more_turns_are_kept_than_may_be(self, api: Api, client: httpx.Client) -> None:
        path = begun(client)
        key = UUID(path.rpartition("/")[2])
        with api.acme.database.connection() as connection:
            for number in range(MOST_TURNS + 5):
                conversations.add_turn(connection, key, f"question {number}", number)
        told = client.get(path).json()["turns"]
        assert [each["turn"] for each in told] == list(range(6, MOST_TURNS + 6))
        ask(client, path, "and a year?")
        assert len(questions(client, path)) == MOST_TURNS

    def test_what_is_refused_is_no_turn(self, client: httpx.Client) -> None:
        path = begun(client)
        for refused in (
            {"query": "vacation", "earlier": ["another"]},
            {"query": "vacation", "index": "other"},
            {"query": "vacation", "k": 101},
            {"query": "vacation", "filters": {"below": "no page"}},
            {"query": "a\0b"},
            {"query": "a" * 4001},
            {"query": 7},
        ):
            answer = client.post(f"{path}/search", json=refused)
            assert answer.status_code == 422, (refused, answer.text)
        assert questions(client, path) == []

    def test_a_restart_forgets_nothing(self, companies: Harness) -> None:
        with served(companies) as before:
            key = before.key("search").key
            with before.with_key(key) as client:
                path = begun(client)
                ask(client, path, VACATION)
        with served(companies) as after, after.with_key(key) as client:
            assert ask(client, path, "and a year?")["taken_with"] == [VACATION]

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60), max_size=4)
    )
    def test_whatever_is_asked_is_answered_and_kept_as_it_was(self, client: httpx.Client, asked: list[str]) -> None:
        path = begun(client)
        for query in asked:
            ask(client, path, query)
        assert questions(client, path) == asked


class TestWhose:
    def refused(self, client: httpx.Client, path: str) -> list[tuple[int, str]]:
        """What each route says, without the request's id."""
        answers = (
            client.get(path), client.post(f"{path}/search", json={"query": "and a year?"}), client.delete(path)
        )  # fmt: skip
        return [(each.status_code, each.json()["detail"]) for each in answers]

    def test_another_key_gets_the_answer_of_what_is_not_there(self, api: Api, client: httpx.Client) -> None:
        path, nowhere = begun(client), f"{BEGIN}/{uuid4()}"
        ask(client, path, VACATION)
        own = self.refused(client, nowhere)
        assert {status for status, _ in own} == {404} and len(set(own)) == 1
        others = (api.client("search"), api.client("search", slug="globex"), may_everything(api))
        for other in others:
            with other:
                assert self.refused(other, path) == self.refused(other, nowhere) == own
        for other in (api.client("read"), api.administrator("Globex")):
            with other:
                assert {status for status, _ in self.refused(other, path)} == {403}
                assert self.refused(other, path) == self.refused(other, nowhere)
        assert questions(client, path) == [VACATION]

    def test_keys_of_one_rotation_share_theirs(self, api: Api) -> None:
        made = api.key("search")
        with api.with_key(made.key) as client:
            path = begun(client)
            ask(client, path, VACATION)
        with api.acme.database.connection() as connection:
            heir = keys.rotate(connection, SALT, made.key_id, 7)
        with api.with_key(heir.key) as client:
            assert ask(client, path, "and a year?")["taken_with"] == [VACATION]
            second = begun(client)
        with api.with_key(made.key) as client:
            assert client.get(second).status_code == 200

    def test_a_token_of_the_key_reaches_what_the_token_is_for(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            company = workspaces.find(connection, "acme").company_id
            granted = [Permission(scope, None, None) for scope in ("search", "read")]
            made = keys.create(connection, SALT, company, granted, "both")
        Harness.register(api.acme.database, api.acme.world, api.acme.server, "acme-two")
        with api.with_key(made.key) as client:
            path = begun(client)
            tokens = [
                client.post("/v1/tokens", json=of).json()["token"]
                for of in ({"workspace": "acme", "scopes": ["search"]}, {"workspace": "acme-two"}, {"scopes": ["read"]})
            ]
        statuses = []
        for token in tokens:
            with api.with_key(token) as client:
                statuses.append(client.get(path).status_code)
        assert statuses == [200, 404, 403]

    def test_it_begins_where_the_key_may_search_alone(self, api: Api, client: httpx.Client) -> None:
        with api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            model = IndexSettings.of_model(SMALL_MODEL, 256)
            create_index(connection, workspace.workspace_id, "other", model)
        for asked, status in (
            ({"workspace": "globex"}, 404), ({"workspace": "nowhere"}, 404), ({"workspace": "a\0"}, 404),
            ({"workspace": "acme", "index": "nowhere"}, 404), ({"workspace": "acme", "more": 1}, 422), ({}, 422),
        ):  # fmt: skip
            assert client.post(BEGIN, json=asked).status_code == status, asked
        with api.client("read") as reader:
            assert reader.post(BEGIN, json={"workspace": "acme"}).status_code == 403
        with api.client("search", index="other") as narrow:
            assert narrow.post(BEGIN, json={"workspace": "acme"}).status_code == 404
            assert narrow.post(BEGIN, json={"workspace": "acme", "index": "other"}).json()["index"] == "other"

    def test_its_searches_count_among_those_of_the_month_and_to_begin_one_does_not(self, api: Api) -> None:
        with api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            granted = [Permission("search", workspace.workspace_id, None)]
            allowed = Allowance(searches_per_month=2)
            made = keys.create(connection, SALT, workspace.company_id, granted, "two", allowance=allowed)
        with api.with_key(made.key) as client:
            path = begun(client)
            ask(client, path, VACATION)
            ask(client, path, "and a year?")
            answer = client.post(f"{path}/search", json={"query": "and a month?"})
            assert answer.status_code == 429 and len(questions(client, path)) == 2


class TestHowLong:
    def test_one_that_is_over_is_not_read_and_goes_with_the_maintenance(self, api: Api, client: httpx.Client) -> None:
        over, kept = begun(client), begun(client)
        ask(client, over, VACATION)
        ask(client, kept, VACATION)
        with api.acme.database.connection() as connection:
            connection.execute(
                "UPDATE conversation_context SET expires_at = now() WHERE conversation_id = %s",
                [over.rpartition("/")[2]],
            )
            for answer in (client.get(over), client.post(f"{over}/search", json={"query": "x"}), client.delete(over)):
                assert answer.status_code == 404
            conversations.add_turn(connection, UUID(over.rpartition("/")[2]), "too late", 1)
            assert conversations.delete_expired(connection) == 1
            left = connection.execute("SELECT DISTINCT conversation_id::text FROM conversation_context").fetchall()
        assert [each for (each,) in left] == [kept.rpartition("/")[2]] and questions(client, kept) == [VACATION]

    def test_it_lasts_as_long_as_the_setting_says(self, companies: Harness) -> None:
        with served(companies, conversation_days=3) as api, api.client("search") as client:
            begun(client)
        lasts = "SELECT extract(day FROM expires_at - asked_at) FROM conversation_context"
        assert companies.rows(lasts) == [(3,)]

    def test_one_that_is_deleted_is_gone_with_its_questions(self, api: Api, client: httpx.Client) -> None:
        path = begun(client)
        ask(client, path, VACATION)
        deleted = client.delete(path)
        assert deleted.status_code == 204 and deleted.content == b""
        assert client.get(path).status_code == client.delete(path).status_code == 404
        with api.acme.database.connection() as connection:
            conversations.add_turn(connection, UUID(path.rpartition("/")[2]), "asked while it was deleted", 1)
        assert api.acme.rows("SELECT count(*) FROM conversation_context") == [(0,)]

    def test_they_go_with_their_workspace(self, api: Api, client: httpx.Client) -> None:
        path = begun(client)
        ask(client, path, VACATION)
        with api.client("search", slug="globex") as other:
            theirs = other.post(BEGIN, json={"workspace": "globex"}).headers["location"]
            remove(api.acme.database, "acme")
            assert other.get(theirs).status_code == 200
        assert api.acme.rows("SELECT count(*) FROM conversation_context") == [(1,)]
