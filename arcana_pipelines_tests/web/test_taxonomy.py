"""Topics over HTTP: versions, nodes, paths, what documents are about, and who may say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

TAXONOMY = "/v1/workspaces/acme/taxonomy"
PAGES = "/v1/workspaces/acme/documents"
PATHS = ("People/Time off", "People/Pay", "Robots/Power/Batteries", r"Robots/A\/B test")


@dataclass(frozen=True)
class Topics:
    """Acme with topics: its vacation policy is about time off, and the Korean one may be."""

    api: Api
    workspace_id: UUID
    nodes: Mapping[str, UUID]

    def topics(self, title: str = "Vacation policy", **asked: Any) -> list[str]:
        """What a document is about, as the API says."""
        with self.api.client("read") as client:
            found = client.get(f"{PAGES}/{title}/topics", params=asked)
        assert found.status_code == 200, found.text
        return [each["path"] for each in found.json()["topics"] if not each["waits"]]

    def within(self, filter_: str) -> str:
        """A key that searches and reviews within a filter."""
        with self.api.acme.database.connection() as connection:
            acme = workspaces.find(connection, "acme")
            granted = [
                Permission(scope, self.workspace_id, None, read_limit(filter_)) for scope in ("search", "review")
            ]  # fmt: skip
            return keys.create(connection, SALT, acme.company_id, granted, "test").key


@pytest.fixture
def topics(api: Api) -> Topics:
    with api.acme.database.connection() as connection:
        acme = workspaces.find(connection, "acme").workspace_id
        nodes = release(connection, acme, PATHS)
        give_topic(connection, acme, "Vacation policy", nodes["People/Time off"])
        give_topic(connection, acme, "휴가 규정", nodes["People/Time off"], waits=True)
    return Topics(api, acme, nodes)


class TestATaxonomy:
    def test_is_told_with_its_versions_and_how_many_documents_have_a_topic(self, topics: Topics) -> None:
        with topics.api.client("read") as client:
            answer = client.get(TAXONOMY)
            held = answer.json()
            assert client.get(TAXONOMY, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        assert (held["version"], held["documents"], held["with_topic"], held["waiting"]) == ("1.0.0", 2, 1, 1)
        assert held["assigned"] == {"given": 0, "person": 1, "rule": 0, "nearest": 0, "default": 0}
        (version,) = held["versions"]
        assert (version["version"], version["state"], version["nodes"]) == ("1.0.0", "active", 7)
        assert "source" not in version

    def test_of_a_workspace_without_one_is_empty_and_has_no_nodes(self, api: Api) -> None:
        with api.client("read") as client:
            held = client.get(TAXONOMY).json()
            assert (held["version"], held["versions"], held["waiting"]) == (None, [], 0)
            for refused in (client.get(f"{TAXONOMY}/nodes"), client.post(f"{TAXONOMY}/lookup", json={"paths": ["a"]})):
                assert problem(refused)["status"] == 404 and "has no" in refused.json()["detail"]
            assert client.get(f"{PAGES}/Vacation policy/topics").json()["topics"] == []

    def test_is_told_to_who_may_read_and_of_no_other_company(self, topics: Topics) -> None:
        with topics.api.client("search", "review") as client:
            for path in (TAXONOMY, f"{TAXONOMY}/nodes", f"{PAGES}/Vacation policy/topics"):
                assert problem(client.get(path))["status"] == 403
            assert problem(client.post(f"{TAXONOMY}/lookup", json={"paths": ["People"]}))["status"] == 403
        with topics.api.client("read", slug="globex") as client:
            assert problem(client.get(TAXONOMY))["status"] == 404
            globex = TAXONOMY.replace("acme", "globex")
            node = str(topics.nodes["People"])
            assert client.get(globex).json()["versions"] == []
            assert problem(client.get(f"{globex}/nodes", params={"topic": node}))["status"] == 404


class TestNodes:
    def test_are_those_below_one_with_the_documents_that_are_about_each(self, topics: Topics) -> None:
        with topics.api.client("read") as client:
            first = client.get(f"{TAXONOMY}/nodes").json()
            below = client.get(f"{TAXONOMY}/nodes", params={"topic": "People"}).json()
            by_id = client.get(f"{TAXONOMY}/nodes", params={"topic": str(topics.nodes["People"])}).json()
            cut = client.get(f"{TAXONOMY}/nodes", params={"limit": 1}).json()
        assert [(each["path"], each["documents"], each["has_children"]) for each in first["nodes"]] == [
            ("People", 1, True), ("Robots", 0, True),
        ]  # fmt: skip
        assert [(each["path"], each["documents"]) for each in below["nodes"]] == [
            ("People/Time off", 1), ("People/Pay", 0),
        ]  # fmt: skip
        assert by_id == below and first["left_out"] == 0
        assert (len(cut["nodes"]), cut["left_out"]) == (1, 1)

    def test_at_a_path_that_is_nowhere_name_those_that_there_are(self, topics: Topics) -> None:
        with topics.api.client("read") as client:
            refused = problem(client.get(f"{TAXONOMY}/nodes", params={"topic": "Peopel"}))
        assert refused["status"] == 404 and refused["type"] == "urn:arcana:problem:unknown-topic"
        assert (refused["path"], refused["version"], refused["similar"]) == ("Peopel", "1.0.0", ["People"])


class TestPaths:
    def test_lead_to_their_topics_in_the_order_in_which_they_are_asked_for(self, topics: Topics) -> None:
        asked = ["Robots/Power/Batteries", " People / Time  off ", r"Robots/A\/B test", "People/Time off"]
        with topics.api.client("read") as client:
            found = client.post(f"{TAXONOMY}/lookup", json={"paths": asked}).json()
        assert found["version"] == "1.0.0"
        assert [each["path"] for each in found["nodes"]] == [
            "Robots/Power/Batteries", "People/Time off", r"Robots/A\/B test", "People/Time off",
        ]  # fmt: skip
        assert found["nodes"][0]["node_id"] == str(topics.nodes["Robots/Power/Batteries"])

    def test_that_lead_nowhere_are_a_problem_that_says_what_may_have_been_meant(self, topics: Topics) -> None:
        with topics.api.client("read") as client:
            refused = problem(client.post(f"{TAXONOMY}/lookup", json={"paths": ["People/Time off", "People/Time of"]}))
        assert refused["status"] == 404 and refused["path"] == "People/Time of"
        assert refused["similar"] == ["People/Time off"] and "People/Pay" in refused["available"]
        assert refused["detail"].startswith("There is no topic 'People/Time of' in version 1.0.0")

    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            ({"paths": []}, 422), ({"paths": ["a//b"]}, 422), ({"paths": ["x" * 5000]}, 422), ({"paths": ["a\0"]}, 422),
            ({"paths": ["People"] * 1001}, 422), ({"paths": ["People"], "version": "9"}, 404), ({}, 422),
        ],
    )  # fmt: skip
    def test_that_cannot_be_meant_are_refused(self, topics: Topics, asked: dict[str, Any], status: int) -> None:
        with topics.api.client("read") as client:
            assert problem(client.post(f"{TAXONOMY}/lookup", json=asked))["status"] == status

    def test_are_those_of_the_version_that_is_named(self, topics: Topics) -> None:
        with topics.api.acme.database.connection() as connection:
            release(connection, topics.workspace_id, ["Staff"], "2.0.0", {"Staff": topics.nodes["People"]})
        with topics.api.client("read") as client:
            for version, path in (("1.0.0", "People"), ("2.0.0", "Staff"), (None, "Staff")):
                asked = {"paths": [path], **({"version": version} if version else {})}
                (found,) = client.post(f"{TAXONOMY}/lookup", json=asked).json()["nodes"]
                assert found["node_id"] == str(topics.nodes["People"])
            assert problem(client.post(f"{TAXONOMY}/lookup", json={"paths": ["People"]}))["status"] == 404


class TestADocument:
    def test_is_told_with_its_topics_and_those_that_wait(self, topics: Topics) -> None:
        with topics.api.client("read") as client:
            answer = client.get(f"{PAGES}/Vacation policy/topics")
            (waiting,) = client.get(f"{PAGES}/휴가 규정/topics").json()["topics"]
            seen = client.get(f"{PAGES}/Vacation policy/topics", headers={"If-None-Match": answer.headers["etag"]})
            assert problem(client.get(f"{PAGES}/Nowhere/topics"))["status"] == 404
        (topic,) = answer.json()["topics"]
        assert (topic["path"], topic["origin"], topic["confidence"], topic["waits"]) == (
            "People/Time off", "person", 1.0, False,
        )  # fmt: skip
        assert waiting["waits"] is True and seen.status_code == 304

    def test_is_about_what_a_reviewer_says_and_about_what_one_denies_no_more(self, topics: Topics) -> None:
        with topics.api.client("review") as client:
            for _ in range(2):  # may be repeated
                said = client.put(f"{PAGES}/Vacation policy/topics/Robots/Power/Batteries")
                assert (said.status_code, said.content) == (204, b"")
            assert topics.topics() == ["People/Time off", "Robots/Power/Batteries"]
            by_id = f"{PAGES}/Vacation policy/topics/{topics.nodes['Robots/Power/Batteries']}"
            for _ in range(2):
                assert client.delete(by_id).status_code == 204
        assert topics.topics() == ["People/Time off"]
        rows = topics.api.acme.rows(
            "SELECT action, split_part(actor, ':', 1), details->>'topics' FROM audit_logs "
            "WHERE starts_with(action, 'topic.') ORDER BY audit_log_id"
        )
        assert rows == [
            ("topic.assigned", "key", '["Robots/Power/Batteries"]'),
            ("topic.removed", "key", '["Robots/Power/Batteries"]'),
        ]

    def test_is_about_nothing_new_where_the_topic_is_nowhere(self, topics: Topics) -> None:
        with topics.api.client("review") as client:
            refused = problem(client.put(f"{PAGES}/Vacation policy/topics/People/Time of"))
            assert refused["status"] == 404 and refused["similar"] == ["People/Time off"]
            assert problem(client.put(f"{PAGES}/Nowhere/topics/People"))["status"] == 404
            assert problem(client.put(f"{PAGES}/Vacation policy/topics/%2F"))["status"] == 422
        assert topics.topics() == ["People/Time off"]

    def test_is_the_business_of_keys_that_review(self, topics: Topics) -> None:
        with topics.api.client("read", "search", "feedback", "admin") as client:
            for method in ("PUT", "DELETE"):
                assert problem(client.request(method, f"{PAGES}/Vacation policy/topics/People"))["status"] == 403
        with topics.api.client("review", slug="globex") as client:
            assert problem(client.put(f"{PAGES}/Vacation policy/topics/People"))["status"] == 404

    def test_beyond_what_the_searches_of_a_key_find_is_none_of_its_business(self, topics: Topics) -> None:
        ids = dict(topics.api.acme.rows(
            "SELECT c.contents->>'title', d.document_id::text FROM document d "
            "JOIN document_content c ON c.document_content_id = d.latest_content_id "
            "JOIN workspace w ON w.workspace_id = d.workspace_id AND w.slug = 'acme'"
        ))  # fmt: skip
        with topics.api.with_key(topics.within('{"topic": "People/Time off"}')) as client:
            assert client.put(f"{PAGES}/{ids['Vacation policy']}/topics/People").status_code == 204
            outside = problem(client.put(f"{PAGES}/{ids['휴가 규정']}/topics/People"))
            nowhere = problem(client.put(f"{PAGES}/{UUID(int=7)}/topics/People"))
            assert outside["status"] == 404
            assert outside["detail"].replace(ids["휴가 규정"], str(UUID(int=7))) == nowhere["detail"]
