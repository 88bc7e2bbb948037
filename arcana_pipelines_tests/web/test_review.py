"""The queue of topics over HTTP: who sees what of it, and what becomes of what they say."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.keys.limits import read_limit
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.topics import give_topic, release
from arcana_pipelines_tests.web.conftest import SALT, Api
from arcana_pipelines_tests.web.test_api import problem

QUEUE = "/v1/workspaces/acme/taxonomy/queue"
PATHS = ("People/Time off", "People/Pay", "Robots/Batteries")


@pytest.fixture
def nodes(api: Api) -> dict[str, UUID]:
    """Acme's taxonomy: of both vacation policies it waits for somebody whether they are about time off."""
    with api.acme.database.connection() as connection:
        acme = workspaces.find(connection, "acme").workspace_id
        nodes = release(connection, acme, PATHS)
        give_topic(connection, acme, "Vacation policy", nodes["People/Time off"], waits=True)
        give_topic(connection, acme, "휴가 규정", nodes["People/Time off"], nodes["People/Pay"], waits=True)
        with connection.transaction():
            connection.execute(
                "UPDATE doc_taxonomy SET origin = 'nearest', confidence = CASE node_id WHEN %s THEN 0.8 ELSE 0.4 END",
                [nodes["People/Time off"]],
            )
    return nodes


def waiting(api: Api, **asked: Any) -> list[tuple[str, str]]:
    """The documents that wait, each with what is suggested for it."""
    with api.client("review") as client:
        answer = client.get(QUEUE, params=asked)
    assert answer.status_code == 200, answer.text
    return [(each["title"], each["path"]) for each in answer.json()["suggestions"]]


def suggestion(api: Api, title: str) -> dict[str, Any]:
    with api.client("review") as client:
        (found,) = [each for each in client.get(QUEUE).json()["suggestions"] if each["title"] == title]
    return dict(found)


def word(found: dict[str, Any], decision: str, **more: Any) -> dict[str, Any]:
    return {"document_id": found["document_id"], "node_id": found["node_id"], "decision": decision, **more}


class TestTheQueue:
    def test_has_each_document_once_with_what_else_is_suggested(self, api: Api, nodes: dict[str, UUID]) -> None:
        with api.client("review") as client:
            queue = client.get(QUEUE).json()
        assert (queue["version"], queue["waiting"], queue["cursor"]) == ("1.0.0", 2, None)
        assert {each["title"] for each in queue["suggestions"]} == {"Vacation policy", "휴가 규정"}
        found = suggestion(api, "휴가 규정")
        assert (found["path"], found["origin"], found["confidence"]) == ("People/Time off", "nearest", 0.8)
        assert [each["path"] for each in found["alternatives"]] == ["People/Pay"]
        assert found["kind"] == "page" and found["url"].startswith("https://")

    def test_is_told_in_parts_and_below_a_topic(self, api: Api, nodes: dict[str, UUID]) -> None:
        with api.client("review") as client:
            first = client.get(QUEUE, params={"limit": 1}).json()
            second = client.get(QUEUE, params={"limit": 1, "cursor": first["cursor"]}).json()
            other = problem(client.get(QUEUE, params={"limit": 1, "cursor": first["cursor"], "topic": "Robots"}))
        titles = {each["title"] for part in (first, second) for each in part["suggestions"]}
        assert len(titles) == 2 and second["cursor"] is None
        assert other["type"] == "urn:arcana:problem:cursor-refused"
        assert len(waiting(api, topic="People")) == 2 and waiting(api, topic="Robots") == []
        assert waiting(api, topic=str(nodes["Robots"]), origin="nearest") == waiting(api, origin="rule") == []

    def test_of_a_workspace_without_topics_is_none(self, api: Api) -> None:
        with api.client("review") as client:
            assert problem(client.get(QUEUE))["status"] == 404

    def test_is_the_business_of_keys_that_review(self, api: Api, nodes: dict[str, UUID]) -> None:
        with api.client("read", "search", "admin") as client:
            assert problem(client.get(QUEUE))["status"] == 403
            said = {"document_id": str(UUID(int=1)), "node_id": str(UUID(int=2)), "decision": "accept"}
            assert problem(client.post(QUEUE, json=said))["status"] == 403
        with api.client("review", slug="globex") as client:
            assert problem(client.get(QUEUE))["status"] == 404
            theirs = QUEUE.replace("acme", "globex")
            assert problem(client.post(theirs, json=word(suggestion(api, "휴가 규정"), "accept")))["status"] == 404


class TestAWord:
    def test_accepts_and_what_else_was_near_goes(self, api: Api, nodes: dict[str, UUID]) -> None:
        with api.client("review") as client:
            found = suggestion(api, "휴가 규정")
            said = client.post(QUEUE, json=word(found, "accept"))
        assert said.status_code == 200, said.text
        assert (said.json()["verdict"], said.json()["path"]) == ("accepted", "People/Time off")
        assert waiting(api) == [("Vacation policy", "People/Time off")]
        with api.client("read") as client:
            (topic,) = client.get(f"/v1/workspaces/acme/documents/{found['document_id']}/topics").json()["topics"]
        assert (topic["path"], topic["origin"], topic["waits"]) == ("People/Time off", "person", False)

    def test_rejects_or_names_another_topic(self, api: Api, nodes: dict[str, UUID]) -> None:
        with api.client("review") as client:
            policy = suggestion(api, "Vacation policy")
            said = client.post(QUEUE, json=word(policy, "instead", instead="Robots/Batteries")).json()
            assert (said["verdict"], said["accepted"], said["path"]) == (
                "rejected", str(nodes["Robots/Batteries"]), "Robots/Batteries",
            )  # fmt: skip
            rejected = client.post(QUEUE, json=word(suggestion(api, "휴가 규정"), "reject")).json()
            assert (rejected["verdict"], rejected["accepted"]) == ("rejected", None)
        # The other one is hardly near: it was there to be chosen instead.
        assert waiting(api) == []

    def test_of_whoever_is_second_is_told_so_and_the_same_word_may_be_repeated(
        self, api: Api, nodes: dict[str, UUID]
    ) -> None:
        found = word(suggestion(api, "Vacation policy"), "accept")
        with api.client("review") as first, api.client("review") as second:
            said = first.post(QUEUE, json=found)
            assert first.post(QUEUE, json=found).json() == said.json()
            late = problem(second.post(QUEUE, json={**found, "decision": "reject"}))
        assert late["status"] == 409 and late["type"] == "urn:arcana:problem:conflict"
        assert "has decided on this" in late["detail"] and "accepted" in late["detail"]
        rows = api.acme.rows(
            "SELECT action, split_part(actor, ':', 1) FROM audit_logs WHERE starts_with(action, 'topic.')"
        )
        assert rows == [("topic.accepted", "key")]

    @pytest.mark.parametrize(
        "more",
        [{"decision": "instead"}, {"instead": "People/Pay"}, {"decision": "maybe"}, {"node_id": "x"},
         {"decision": "instead", "instead": "a//b"}, {"also": 1}],
    )  # fmt: skip
    def test_that_cannot_be_meant_is_refused(self, api: Api, nodes: dict[str, UUID], more: dict[str, Any]) -> None:
        with api.client("review") as client:
            said = {**word(suggestion(api, "Vacation policy"), "accept"), **more}
            assert problem(client.post(QUEUE, json=said))["status"] == 422
        assert len(waiting(api)) == 2

    def test_names_a_topic_that_is_there_and_a_suggestion_that_waits(self, api: Api, nodes: dict[str, UUID]) -> None:
        found = suggestion(api, "Vacation policy")
        with api.client("review") as client:
            unknown = problem(client.post(QUEUE, json=word(found, "instead", instead="People/Time of")))
            assert (unknown["status"], unknown["similar"]) == (404, ["People/Time off"])
            other = {**word(found, "accept"), "node_id": str(nodes["Robots"])}
            assert problem(client.post(QUEUE, json=other))["status"] == 422
        assert len(waiting(api)) == 2


class TestAKeyWithAFilter:
    @pytest.fixture
    def key(self, api: Api, nodes: dict[str, UUID]) -> str:
        """It searches and reviews below the Korean policy, where nothing else is."""
        with api.acme.database.connection() as connection:
            acme = workspaces.find(connection, "acme")
            limit = read_limit('{"below": "휴가 규정"}')
            granted = [Permission(scope, acme.workspace_id, None, limit) for scope in ("search", "review")]
            return keys.create(connection, SALT, acme.company_id, granted, "test").key

    def test_sees_and_says_nothing_of_what_its_searches_do_not_find(self, api: Api, key: str) -> None:
        with api.with_key(key) as client:
            queue = client.get(QUEUE).json()
            assert [each["title"] for each in queue["suggestions"]] == ["휴가 규정"] and queue["waiting"] is None
            beyond = problem(client.post(QUEUE, json=word(suggestion(api, "Vacation policy"), "accept")))
            assert beyond["status"] == 404 and "Vacation" not in beyond["detail"]
            assert client.post(QUEUE, json=word(queue["suggestions"][0], "reject")).status_code == 200
        assert ("Vacation policy", "People/Time off") in waiting(api)


def test_private_notes_wait_for_keys_that_see_them_alone(api: Api, nodes: dict[str, UUID]) -> None:
    api.acme.rows("UPDATE document SET is_internal = true WHERE document_id = %s RETURNING 1",
                  [suggestion(api, "Vacation policy")["document_id"]])  # fmt: skip
    assert waiting(api) == [("휴가 규정", "People/Time off")]
    with api.client("review") as client, api.client("review", "notes") as agent:
        assert client.get(QUEUE).json()["waiting"] == 1
        internal = next(
            each for each in agent.get(QUEUE).json()["suggestions"] if each["title"] == "Vacation policy"
        )  # fmt: skip
        assert problem(client.post(QUEUE, json=word(internal, "accept")))["status"] == 422
        assert agent.post(QUEUE, json=word(internal, "accept")).status_code == 200
