"""The HTTP API: what a key opens is answered, and nothing else is, whatever is asked."""

from __future__ import annotations

import json
import re
from typing import Any, get_args
from uuid import UUID

import httpx
import pytest

from arcana_pipelines.errors import DatabaseUnreachable
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Scope
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.web import documents
from arcana_pipelines.web.problems import MEDIA_TYPE
from arcana_pipelines_tests.web.conftest import SEARCH, Api


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The problem that an answer holds."""
    assert answer.headers["content-type"] == MEDIA_TYPE
    held: dict[str, Any] = answer.json()
    assert held["status"] == answer.status_code
    assert held["request_id"] == answer.headers["x-request-id"]
    return held


class TestASearch:
    def test_answers_what_the_command_line_prints_and_a_request_id(self, api: Api) -> None:
        with api.client("search") as client:
            found = client.post(SEARCH, json={"query": "days of vacation", "k": 1})
        assert found.status_code == 200 and found.headers["cache-control"] == "private, no-store"
        answer = found.json()
        assert answer.pop("request_id") == found.headers["x-request-id"]
        with api.acme.searcher() as searcher:
            printed = searcher.search("days of vacation", k=1).to_dict()
        assert {**answer, "seconds": 0} == {**json.loads(json.dumps(printed)), "seconds": 0}
        assert answer["hits"][0]["title"] == "Vacation policy"

    def test_in_short_is_the_same_search(self, api: Api) -> None:
        with api.client("search") as client:
            short = client.get(SEARCH, params={"query": "휴가", "k": 1}).json()
            long = client.post(SEARCH, json={"query": "휴가", "k": 1}).json()
        assert [hit["title"] for hit in short["hits"]] == [hit["title"] for hit in long["hits"]] == ["휴가 규정"]

    def test_goes_on_where_the_answer_before_ended(self, api: Api) -> None:
        with api.client("search") as client:
            first = client.post(SEARCH, json={"query": "30", "k": 1, "min_score": 0}).json()
            after = {"query": "30", "k": 1, "min_score": 0, "after": first["cursor"]}
            second = client.post(SEARCH, json=after).json()
        assert {hit["title"] for answer in (first, second) for hit in answer["hits"]} == {
            "Vacation policy",
            "휴가 규정",
        }

    @pytest.mark.parametrize(
        "asked",
        [
            {}, {"query": 7}, {"query": "a", "k": 0}, {"query": "a", "k": 101}, {"query": "a", "k": 10**30},
            {"query": "a" * 4001}, {"query": "a\0b"}, {"query": "\ud800"}, {"query": "a", "nonsense": 1},
            {"query": "a", "filters": {"below": "Nowhere"}}, {"query": "a", "filters": {"kinds": ["page\0"]}},
            {"query": "a", "as_of": "yesterday"}, {"query": "a", "as_of": "2026-01-01T00:00:00"},
            {"query": "a", "after": "forged"}, [], "a", None,
        ],
    )  # fmt: skip
    def test_that_cannot_be_meant_is_refused_in_a_sentence(self, shared_api: Api, asked: Any) -> None:
        with shared_api.client("search") as client:
            refused = client.post(SEARCH, content=json.dumps(asked), headers={"Content-Type": "application/json"})
        assert refused.status_code == 422
        assert len(problem(refused)["detail"]) > 20

    def test_that_is_no_json_or_too_large_is_refused(self, api: Api) -> None:
        with api.client("search") as client:
            broken = client.post(SEARCH, content=b"{", headers={"Content-Type": "application/json"})
            nested = client.post(SEARCH, content=b"[" * 60_000, headers={"Content-Type": "application/json"})
            large = client.post(SEARCH, json={"query": "a", "nonsense": "a" * 100_000})
        assert [problem(each)["status"] for each in (broken, nested, large)] == [422, 422, 413]

    def test_of_another_time_than_is_known_says_so(self, api: Api) -> None:
        with api.client("search") as client:
            asked = client.post(SEARCH, json={"query": "vacation", "as_of": "2001-01-01T00:00:00Z"})
        assert problem(asked)["status"] == 410


class TestADocument:
    def test_is_had_by_the_id_of_a_hit_and_again_only_when_it_has_changed(self, api: Api) -> None:
        with api.client("search", "read") as client:
            (hit, *_) = client.post(SEARCH, json={"query": "days of vacation"}).json()["hits"]
            place = f"/v1/workspaces/acme/documents/{hit['document_id']}"
            found = client.get(place)
            again = client.get(place, headers={"If-None-Match": found.headers["etag"]})
        assert found.json()["text"] == "Everyone has 30 days of vacation a year." and found.json()["version"] == 1
        assert again.status_code == 304 and again.content == b""

    @pytest.mark.parametrize("asked", ["Nowhere", "00000000-0000-0000-0000-000000000000", "a%00b", "%F0%9F", " "])
    def test_that_is_not_there_is_not_found(self, api: Api, asked: str) -> None:
        with api.client("read") as client:
            missing = client.get(f"/v1/workspaces/acme/documents/{asked}")
        assert problem(missing)["status"] == 404

    def test_is_not_said_to_be_missing_where_the_database_does_not_answer(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: object, **__: object) -> None:
            raise DatabaseUnreachable("The database at db.internal cannot be used.")

        monkeypatch.setattr(documents, "find_document", fails)
        with api.client("read") as client:
            failed = client.get("/v1/workspaces/acme/documents/Vacation policy")
        assert problem(failed)["status"] == 503 and "retry-after" in failed.headers and "db.internal" not in failed.text


def test_workspaces_and_indexes_are_those_that_the_key_opens(api: Api) -> None:
    with api.client("read") as client:
        assert client.get("/v1/workspaces").json() == {"workspaces": ["acme"]}
        (index,) = client.get("/v1/workspaces/acme/indexes").json()["indexes"]
    assert index["name"] == "default" and index["object_count"] == 2


def test_it_says_whether_it_is_well_without_a_key(api: Api) -> None:
    with api.with_key(None) as client:
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


@pytest.mark.parametrize("revision", ["0001", "9999"])
def test_it_is_not_ready_with_the_schema_of_another_release_and_says_where_to_look(api: Api, revision: str) -> None:
    with api.acme.database.connection() as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
    with api.with_key(None) as client:
        assert client.get("/healthz").status_code == 200
        refused = problem(client.get("/readyz"))
    assert refused["status"] == 503 and "`arcana db status`" in refused["detail"] and revision not in str(refused)


def test_while_the_database_is_away_it_says_so_and_not_that_the_schema_is_wrong(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnreachable("The database at db.internal cannot be used.")

    monkeypatch.setattr("arcana_pipelines.web.api.require_current", away)
    with api.with_key(None) as client:
        refused = problem(client.get("/readyz"))
    assert refused["status"] == 503 and refused["detail"] == "The database cannot answer now: try again in a moment."


def test_a_request_keeps_the_id_that_it_came_with_if_that_is_one(api: Api) -> None:
    with api.with_key(None) as client:
        assert (
            client.get("/healthz", headers={"X-Request-Id": "from-a-proxy-1"}).headers["x-request-id"]
            == "from-a-proxy-1"
        )
        assert client.get("/healthz", headers={"X-Request-Id": "<script>"}).headers["x-request-id"] != "<script>"


def test_what_nobody_expected_is_answered_with_the_id_that_the_log_has(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Searcher, "search", fails)
    with api.client("search") as client:
        failed = problem(client.post(SEARCH, json={"query": "vacation"}))
    assert failed["status"] == 500 and "fault of ours" not in str(failed) and failed["request_id"] in caplog.text


def test_a_parameter_that_is_not_read_is_refused_and_not_left_out(api: Api) -> None:
    with api.client("search", "read") as client:
        for path, mistyped in ((f"{SEARCH}?query=vacation&", "kk"), ("/v1/workspaces/acme/documents?", "edited_sinc")):
            refused = client.get(f"{path}{mistyped}=3")
            assert problem(refused)["status"] == 422 and f"no parameter '{mistyped}'" in refused.json()["detail"]
        refused = client.get("/v1/workspaces", params={"a": "b"})
        assert "reads none" in problem(refused)["detail"]


def routes(api: Api) -> list[tuple[str, str]]:
    """Method and path of each route that needs a key, from the OpenAPI document."""
    with api.with_key(None) as client:
        paths = client.get("/openapi.json").json()["paths"]
    found = [
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        # OpenAI's has problems of another form, and tests of its own.
        if path.startswith("/v1/") and "vector_stores" not in path
    ]
    assert len(found) >= 11
    return found


DOCUMENT = "0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e6f"


def ask(client: httpx.Client, method: str, path: str, slug: str) -> httpx.Response:
    """Ask a route of a workspace for something that could be answered."""
    path = path.replace("{slug}", slug).replace("{document}", "Vacation policy").replace("{generation}", "1")
    path = path.replace("{key_id}", "aaaaaaaa").replace("{chunk}", "1").replace("{index}", "default")
    path = path.replace("{document_id}", DOCUMENT).replace("{topic}", "People").replace("{topic:path}", "People")
    if path.endswith("search"):
        asked = {"query": "vacation"}
        return client.post(path, json=asked) if method == "POST" else client.get(path, params=asked)
    body, params = None, {}
    if path.endswith("/token"):
        body = {"token": "ntn_of_nobody"}
    elif path.endswith("/relations") and method == "POST":
        body = {"related": "휴가 규정", "type": "translation"}
    elif path.endswith("/relations") and method == "DELETE":
        params = {"related": "휴가 규정"}
    elif path.endswith("/files") and method == "POST":
        params = {"name": "lease.pdf"}
    elif path.endswith("/taxonomy/lookup"):
        body = {"paths": ["People"]}
    elif path.endswith("/taxonomy/queue") and method == "POST":
        body = {"document_id": DOCUMENT, "node_id": DOCUMENT, "decision": "accept"}
    return client.request(method, path, json=body, params=params)


def test_every_time_is_written_alike(api: Api) -> None:
    with api.client("search", "read", "sync") as client:
        (hit, *_) = client.post(SEARCH, json={"query": "vacation", "k": 1}).json()["hits"]
        of_acme = "/v1/workspaces/acme"
        document = f"{of_acme}/documents/{hit['document_id']}"
        places = [
            f"{of_acme}/{each}" for each in ("documents", "status", "indexes", "indexes/default", "search?query=a")
        ]
        places += [f"{document}{each}" for each in ("", "/versions", "/relations", "/chunks")] + ["/v1/events"]
        told = "".join(client.get(place).raise_for_status().text for place in places)
        told += (
            client.post("/v1/conversations", json={"workspace": "acme"}).text + client.post("/v1/tokens", json={}).text
        )
    times = re.findall(r'"(\d{4}-\d\d-\d\d[T ][^"]*)"', told)
    assert (
        len(times) > 15 and {time for time in times if not re.fullmatch(r"[-\d]{10}T[:\d]{8}(\.\d+)?Z", time)} == set()
    )


class TestAnAddress:
    def test_that_is_no_route_or_not_of_this_method_says_where_they_are_listed(self, api: Api) -> None:
        conversation = f"/v1/conversations/{UUID(int=0)}"
        with api.client("search") as client:
            missing = problem(client.get("/v1/nowhere"))
            other = [client.get("/v1/conversations"), client.put(conversation), client.delete("/v1/workspaces")]
        assert missing["status"] == 404 and missing["detail"].endswith("GET /openapi.json lists them.")
        told = [(each.status_code, each.headers["allow"], problem(each)["detail"].partition(". ")[0]) for each in other]
        assert told == [
            (405, "POST", "GET is not answered here, POST is"),
            (405, "DELETE, GET", "PUT is not answered here, DELETE and GET is"),
            (405, "GET, POST", "DELETE is not answered here, GET and POST is"),
        ]

    def test_of_the_page_says_its_methods_too(self, api: Api) -> None:
        with api.client("search") as client:
            refused = client.get("/feedback")
        assert refused.status_code == 405 and refused.headers["allow"] == "POST"
        assert problem(refused)["detail"].startswith("GET is not answered here, POST is.")

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_of_health_may_be_asked_for_its_status_alone(self, api: Api, path: str) -> None:
        with api.client("search") as client:
            answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


class TestWithout:
    """Each route of the OpenAPI document, with keys that do not open it."""

    def test_a_good_key_nothing_is_answered(self, api: Api) -> None:
        revoked = api.key("search", "read")
        with api.acme.database.connection() as connection:
            keys.revoke(connection, revoked.key_id)
        good = api.key("search", "read").key
        wrong = [None, "arc_", revoked.key, good[:-1], good + "x", good.upper(), "x" * 5000]
        said = set()
        for method, path in routes(api):
            for key in wrong:
                with api.with_key(key) as client:
                    refused = ask(client, method, path, "acme")
                assert problem(refused)["status"] == 401 and "www-authenticate" in refused.headers
                if key:
                    said.add(refused.json()["detail"])
        assert len(said) == 1

    def test_the_scope_it_says_which_is_missing(self, api: Api) -> None:
        with api.client("feedback") as client:
            for method, path in routes(api):
                if "{slug}" in path:
                    refused = problem(ask(client, method, path, "acme"))
                    assert refused["status"] == 403
                    assert any(f"'{scope}'" in refused["detail"] for scope in get_args(Scope))
                    assert "`arcana key create --" in refused["detail"], "what a reader does about it"

    def test_a_right_to_it_a_workspace_is_as_one_that_does_not_exist(self, api: Api) -> None:
        with api.client("search", "read", "sync", "review", "admin") as client:
            for method, path in routes(api):
                if "{slug}" in path:
                    foreign, unknown = (problem(ask(client, method, path, slug)) for slug in ("globex", "nowhere"))
                    assert foreign.pop("request_id") != unknown.pop("request_id")
                    assert foreign == unknown and foreign["status"] == 404
                    odd = ask(client, method, path, "a%00b")
                    assert problem(odd)["status"] == 404

    def test_a_right_to_it_an_index_is_as_one_that_does_not_exist(self, api: Api) -> None:
        with api.client("search", "read", index="drafts") as client:
            own = problem(client.post(SEARCH, json={"query": "vacation"}))
            named = problem(client.post(SEARCH, json={"query": "vacation", "index": "drafts"}))
            assert client.get("/v1/workspaces/acme/indexes").json() == {"indexes": []}
        assert own["status"] == named["status"] == 404 and own["detail"] == named["detail"]


def test_a_key_is_over_with_its_revocation(api: Api) -> None:
    key = api.key("search")
    with api.with_key(key.key) as client:
        assert client.post(SEARCH, json={"query": "vacation"}).status_code == 200
        with api.acme.database.connection() as connection:
            keys.revoke(connection, key.key_id)
        assert client.post(SEARCH, json={"query": "vacation"}).status_code == 401
