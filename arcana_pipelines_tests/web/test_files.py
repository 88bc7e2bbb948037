"""Files through every door: where in them a text stands, for who may see their pages; and relations by hand."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client

from arcana_pipelines.audit.chain import entries
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.keys.limits import read_limit
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.mcp.conftest import ERAS
from arcana_pipelines_tests.retrieval.test_hit_files import Papers
from arcana_pipelines_tests.web.conftest import SALT, SEARCH, Api
from arcana_pipelines_tests.web.people.conftest import Visitor, seen
from arcana_pipelines_tests.web.test_assistants import ask

STORE = "/v1/vector_stores/acme/search"
RELATIONS = "/v1/workspaces/acme/documents/{}/relations"
QUERY = "termination contract"
WHERE = "page 12 (printed xii) of {}, attached to {}"


@pytest.fixture
def papers(api: Api) -> Papers:
    return Papers(api.acme)


def limited(api: Api, filter_: str) -> str:
    """A key that finds no more than its filter leaves."""
    with api.acme.database.connection() as connection:
        workspace = workspaces.find(connection, "acme")
        granted = [Permission("search", workspace.workspace_id, None, read_limit(filter_))]
        return keys.create(connection, SALT, workspace.company_id, granted, "desk").key


class TestAHit:
    def test_says_where_in_which_file_as_the_openapi_document_describes_it(self, api: Api, papers: Papers) -> None:
        with api.client("search") as client:
            answer = client.post(SEARCH, json={"query": QUERY, "min_score": 0, "filters": {"kinds": ["file"]}}).json()
            schemas = client.get("/openapi.json").json()["components"]["schemas"]
        (hit,) = answer["hits"]
        assert hit["kind"] == "file" and set(hit["file"]) == set(schemas["HitFile"]["properties"])
        assert (hit["file"]["page"], hit["file"]["attached_to"]["title"]) == (12, "Offers")
        assert [page["title"] for page in hit["file"]["also_in"]] == ["Case 7"]

    def test_is_of_the_copy_that_a_limited_key_may_see_and_tells_of_no_other(self, api: Api, papers: Papers) -> None:
        for below, name, page, outside in (
            ("Sales", "Contract.pdf", "Offers", ("appendix", "Case 7", papers.case, str(papers.copy))),
            (
                "Legal",
                "Case 7, appendix.pdf",
                "Case 7",
                ("Contract.pdf", "Offers", papers.offers, str(papers.contract)),
            ),
        ):
            with api.with_key(limited(api, f'{{"below": "{below}"}}')) as client:
                found = client.post(SEARCH, json={"query": QUERY, "min_score": 0})
                store = client.post(STORE, json={"query": QUERY})
            (hit,) = (hit for hit in found.json()["hits"] if hit["kind"] == "file")
            assert (hit["title"], hit["file"]["attached_to"]["title"], hit["file"]["also_in"]) == (name, page, [])
            (stored,) = (each for each in store.json()["data"] if each["filename"] == name)
            assert stored["attributes"]["file"] == WHERE.format(name, page)
            for secret in outside:
                assert secret not in found.text and secret not in store.text

    @pytest.mark.parametrize("era", ERAS)
    def test_is_told_to_assistants_in_words(self, api: Api, papers: Papers, era: str) -> None:
        async def act(client: Client) -> list[Any]:
            found = await client.call_tool("search_with_filters", {"query": QUERY, "kinds": ["file"]})
            (hit,) = (found.structured_content or {})["results"]
            read = await client.call_tool("fetch", {"id": hit["id"]})
            related = await client.call_tool("related_documents", {"id": hit["id"]})
            return [hit, read.structured_content, related.structured_content]

        hit, read, related = ask(api, api.key("search", "read").key, era, act)
        assert hit["file"] == WHERE.format("Contract.pdf", "Offers")
        assert "ninety days" in read["text"] and read["metadata"]["kind"] == "file"
        assert ("duplicate", "Case 7, appendix.pdf") in {(each["how"], each["title"]) for each in related["documents"]}

    @pytest.mark.parametrize(
        ("language", "said", "also"),
        [
            ("en", WHERE.format("Contract.pdf", "Offers"), "The same file is on: Case 7"),
            ("ko", "Contract.pdf 12쪽(인쇄된 쪽 번호 xii), Offers에 첨부", "같은 파일이 있는 페이지: Case 7"),
        ],
    )
    def test_is_told_on_the_page_in_its_language(
        self, api: Api, papers: Papers, language: str, said: str, also: str
    ) -> None:
        with api.with_key(None) as client:
            visitor = Visitor(client)
            client.headers["Accept-Language"] = language
            visitor.log_in(api.key("search", "read").key)
            answer = visitor.get("/", query=QUERY, kind="file")
            document = visitor.get("/document", workspace="acme", id=str(papers.copy))
        assert said in seen(answer.text) and also in seen(answer.text)
        assert "Case 7, appendix.pdf" in seen(document.text) and "ninety days" in seen(document.text)


class TestRelationsByHand:
    def test_are_made_shown_and_taken_back_by_who_administers_the_workspace(self, api: Api, papers: Papers) -> None:
        with api.client("admin", "read") as client:
            made = client.post(RELATIONS.format("Offers"), json={"related": "Lunch", "type": "summary"})
            assert made.status_code == 201 and made.json()["type"] == "summary"
            assert client.post(RELATIONS.format("Offers"), json={"related": "Lunch", "type": "summary"}).is_success
            (shown,) = client.get(RELATIONS.format("Lunch")).json()["others"]
            assert (shown["how"], shown["title"]) == ("summary of", "Offers")
            removed = client.delete(RELATIONS.format("Offers"), params={"related": "Lunch"})
            assert removed.status_code == 204
            assert client.delete(RELATIONS.format("Offers"), params={"related": "Lunch"}).status_code == 404
            assert client.get(RELATIONS.format("Lunch")).json()["others"] == []
        with api.acme.database.connection() as connection:
            last, first = entries(connection, "acme", 2)
        assert (first.action, last.action) == ("relation.added", "relation.removed")
        assert first.actor.startswith("key:") and first.object == made.json()["document_id"]

    def test_are_refused_to_other_keys_and_of_other_documents(self, api: Api, papers: Papers) -> None:
        asked: dict[str, Any] = {"related": "Lunch", "type": "summary"}
        with api.client("search", "read", "sync", "feedback") as client:
            assert client.post(RELATIONS.format("Offers"), json=asked).status_code == 403
            assert client.delete(RELATIONS.format("Offers"), params={"related": "Lunch"}).status_code == 403
        with api.client("admin", slug="globex") as client:
            assert client.post(RELATIONS.format("Offers"), json=asked).status_code == 404
        with api.client("admin") as client:
            assert client.post(RELATIONS.format("Offers"), json={**asked, "related": "Nothing"}).status_code == 404
            assert client.post(RELATIONS.format("Offers"), json={**asked, "related": "Offers"}).status_code == 422
            assert client.post(RELATIONS.format("Offers"), json={**asked, "type": "cousin"}).status_code == 422

    def test_let_nobody_find_what_their_key_does_not_leave(self, api: Api, papers: Papers) -> None:
        with api.client("admin") as client:
            hand = {"related": "Contract.pdf", "type": "duplicate"}
            assert client.post(RELATIONS.format("Lunch"), json=hand).is_success
            assert client.post(RELATIONS.format("Lunch"), json={**hand, "type": "derived"}).is_success
        with api.with_key(limited(api, '{"below": "Lunch"}')) as client:
            found = client.post(SEARCH, json={"query": QUERY, "min_score": 0})
        assert {hit["title"] for hit in found.json()["hits"]} == {"Lunch"}
        assert "Contract.pdf" not in found.text
