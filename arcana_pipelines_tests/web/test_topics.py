"""Topics over HTTP and MCP: as filters, counted, and as the limit of a key, through every door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from mcp import Client

from arcana_pipelines.errors import TaxonomyNodeNotFoundError, WrongUse
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.keys.limits import read_limit
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.mcp.conftest import ERAS
from arcana_pipelines_tests.topics import Nodes, give_topic, release
from arcana_pipelines_tests.web.conftest import SALT, Api
from arcana_pipelines_tests.web.test_assistants import ask

SEARCH = "/v1/workspaces/acme/search"
STORE = "/v1/vector_stores/acme/search"
DOCUMENTS = "/v1/workspaces/acme/documents"
# Titles, words and labels of what only the board may read.
SECRET = ("Merger", "nachtfalke", "Boardroom", "합병", "Takeovers")


@dataclass
class Company:
    """A workspace with papers for everybody, and papers of the board."""

    api: Api
    workspace_id: UUID
    nodes: Nodes

    def release(self, *paths: str, version: str, known: Nodes, **options: Any) -> Nodes:
        with self.api.acme.database.connection() as connection:
            self.nodes = release(connection, self.workspace_id, paths, version, known, **options)
        return self.nodes

    def give(self, title: str, *paths: str) -> None:
        with self.api.acme.database.connection() as connection:
            give_topic(connection, self.workspace_id, title, *(self.nodes[path] for path in paths))

    def key(self, topic: str | None, *scopes: Any) -> str:
        """One that searches within a topic."""
        with self.api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            filters = topic and read_limit(f'{{"topic": "{topic}"}}')
            granted = [Permission(scope, self.workspace_id, None, filters or None) for scope in scopes or ("search",)]
            return keys.create(connection, SALT, workspace.company_id, granted, "desk").key

    def search(self, key: str, query: str = "everyone meets", **asked: Any) -> dict[str, Any]:
        with self.api.with_key(key) as client:
            answer = client.post(SEARCH, json={"query": query, "k": 50, "min_score": 0, **asked})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def titles(self, key: str, topic: str | None = None) -> set[str]:
        return {hit["title"] for hit in self.search(key, filters={"topic": topic} if topic else None)["hits"]}


@pytest.fixture
def company(api: Api) -> Company:
    world = api.acme.world
    handbook = world.add_page("Handbook", blocks="Everyone meets on Monday.")
    world.add_page("Parking", blocks="Everyone meets at the gate.", parent=handbook)
    world.add_page("Merger", blocks="Everyone meets for project nachtfalke. 합병.")
    world.add_page("Menu", blocks="Everyone meets to eat.")
    api.acme.settle()
    api.acme.sync()
    with api.acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        nodes = release(connection, workspace_id, ["Staff/Places", "Staff/Days", "Boardroom/Takeovers"])
    company = Company(api, workspace_id, nodes)
    company.give("Handbook", "Staff")
    company.give("Parking", "Staff/Places")
    company.give("Merger", "Boardroom/Takeovers")
    return company


class TestAFilter:
    def test_is_asked_for_in_every_form_of_a_search(self, company: Company) -> None:
        key = company.key(None)
        assert company.titles(key, "Staff") == {"Handbook", "Parking"}
        assert company.titles(key, str(company.nodes["Staff/Places"])) == {"Parking"}
        with company.api.with_key(key) as client:
            asked = {"type": "eq", "key": "taxonomy_topic", "value": "Staff"}
            both = {"type": "and", "filters": [asked, {"type": "eq", "key": "kind", "value": "page"}]}
            for filters in (asked, both):
                store = client.post(STORE, json={"query": "everyone meets", "filters": filters}).json()
                assert {hit["filename"] for hit in store["data"]} == {"Handbook", "Parking"}
            refused = client.post(STORE, json={"query": "everyone", "filters": asked | {"type": "ne"}})
            assert refused.status_code == 422 and "can be equal to" in refused.json()["error"]["message"]

    def test_of_a_conversation_holds_as_in_any_search(self, company: Company) -> None:
        with company.api.with_key(company.key(None)) as client:
            begun = client.post("/v1/conversations", json={"workspace": "acme"}).json()
            asked = {"query": "everyone meets", "min_score": 0, "filters": {"topic": "Staff/Places"}}
            found = client.post(f"/v1/conversations/{begun['conversation_id']}/search", json=asked).json()
        assert {hit["title"] for hit in found["hits"]} == {"Parking"}

    def test_of_a_list_of_documents_holds_through_its_cursor(self, company: Company) -> None:
        with company.api.client("read") as client:
            first = client.get(DOCUMENTS, params={"topic": "Staff", "limit": 1}).json()
            rest = client.get(DOCUMENTS, params={"topic": "Staff", "cursor": first["cursor"]}).json()
            assert [each["title"] for each in (*first["documents"], *rest["documents"])] == ["Handbook", "Parking"]
            other = client.get(DOCUMENTS, params={"topic": "Staff/Days", "cursor": first["cursor"]})
            assert other.status_code == 422

    def test_of_a_topic_that_is_not_there_is_a_problem_that_says_what_is_near(self, company: Company) -> None:
        with company.api.with_key(company.key(None)) as client:
            answer = client.post(SEARCH, json={"query": "everyone", "filters": {"topic": "Staff/Plaecs"}})
        assert answer.status_code == 404 and "Staff/Places" in answer.json()["detail"]

    def test_of_a_workspace_without_a_taxonomy_is_refused(self, api: Api) -> None:
        with api.client("search", slug="globex") as client:
            asked = {"query": "30", "filters": {"topic": "Staff"}}
            answer = client.post("/v1/workspaces/globex/search", json=asked)
        assert answer.status_code == 404 and "has no active taxonomy" in answer.json()["detail"]

    def test_with_counts_tells_the_topics_below(self, company: Company) -> None:
        key = company.key(None)
        facets = company.search(key, facets=["topics"])["facets"]
        assert {each["path"]: each["documents"] for each in facets} == {"Staff": 2, "Boardroom": 1}
        facets = company.search(key, facets=["topics"], filters={"topic": "Staff"})["facets"]
        assert [(each["path"], each["documents"], each["workspace"]) for each in facets] == [
            ("Staff/Places", 1, "acme"), ("Staff/Days", 0, "acme"),
        ]  # fmt: skip


class TestAKeptAnswer:
    def test_is_one_no_more_when_a_document_gets_a_topic_or_another_version_is_searched(self, company: Company) -> None:
        key = company.key(None)
        for _ in range(2):
            assert company.titles(key, "Staff") == {"Handbook", "Parking"}
        company.give("Menu", "Staff/Days")
        assert company.titles(key, "Staff") == {"Handbook", "Parking", "Menu"}
        company.release("Staff", version="2.0.0", known=company.nodes)
        company.give("Menu", "Staff")
        assert company.titles(key, "Staff") == {"Menu"}

    def test_of_counts_likewise(self, company: Company) -> None:
        key = company.key(None)
        for number, title in ((2, "Menu"), (3, "Merger")):
            for _ in range(2):
                facets = company.search(key, facets=["topics"])["facets"]
                assert facets[0]["path"] == "Staff" and facets[0]["documents"] == number
            company.give(title, "Staff/Days")


class TestAKeyWithinATopic:
    def test_is_kept_by_the_node_s_id(self, company: Company) -> None:
        company.key("Staff")
        with company.api.acme.database.connection() as connection:
            (said,) = [each for key in keys.list_all(connection) for each in key.scopes if "topic" in each]
        assert str(company.nodes["Staff"]) in said and '"Staff"' not in said

    def test_is_not_made_for_a_topic_that_is_not_there(self, company: Company) -> None:
        with pytest.raises(TaxonomyNodeNotFoundError):
            company.key("Stuff")
        with pytest.raises(TaxonomyNodeNotFoundError):
            company.key(str(uuid4()))

    def test_is_not_made_for_all_workspaces_nor_for_what_was_split(self, company: Company) -> None:
        with company.api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            granted = [Permission("search", None, None, read_limit('{"topic": "Staff"}'))]
            with pytest.raises(WrongUse, match="topics are those of a workspace"):
                keys.create(connection, SALT, workspace.company_id, granted, "desk")
        known = {"A": uuid4(), "B": uuid4()}
        became = [("split", company.nodes["Staff"], one) for one in known.values()]
        company.release("A", "B", version="2.0.0", known=known, became=became)
        with pytest.raises(WrongUse, match="was split into 'A', 'B'"):
            company.key("Staff")

    def test_finds_what_is_below_it_and_whatever_is_asked_nothing_else(self, company: Company) -> None:
        key = company.key("Staff")
        assert company.titles(key) == {"Handbook", "Parking"}
        assert company.titles(key, "Staff/Places") == {"Parking"}
        assert company.titles(key, "Boardroom") == company.titles(key, "No/Such") == set()
        company.give("Merger", "Staff/Days")
        assert company.titles(key, "Boardroom/Takeovers") == {"Merger"}

    def test_is_told_of_no_topic_that_has_nothing_for_it(self, company: Company) -> None:
        key = company.key("Staff")
        facets = company.search(key, facets=["topics"])["facets"]
        assert {each["path"]: each["documents"] for each in facets} == {"Staff": 2}
        assert "facets" not in company.search(key, facets=["topics"], filters={"topic": "Boardroom"})

    def test_holds_when_the_topic_is_called_and_placed_otherwise(self, company: Company) -> None:
        key = company.key("Staff/Places")
        places, takeovers = company.nodes["Staff/Places"], company.nodes["Boardroom/Takeovers"]
        # The old path is another node's now: a key that were kept by it would see the board's papers.
        known = {"Where": places, "Where/Gates": uuid4(), "Staff": company.nodes["Staff"], "Staff/Places": takeovers}
        company.release(*known, version="2.0.0", known=known)
        company.give("Parking", "Where/Gates")
        company.give("Merger", "Staff/Places")
        company.give("Handbook", "Staff")
        assert company.titles(key) == company.titles(key, "Where") == {"Parking"}
        assert company.titles(company.key("Staff/Places")) == {"Merger"}

    def test_finds_nothing_when_the_topic_was_merged_into_another_or_is_gone(self, company: Company) -> None:
        key, heir = company.key("Staff"), {"Boardroom": company.nodes["Boardroom"]}
        staff = company.nodes["Staff"]
        company.release(*heir, version="2.0.0", known=heir, became=[("merge", staff, heir["Boardroom"])])
        company.give("Handbook", "Boardroom")
        company.give("Merger", "Boardroom")
        assert company.titles(key) == set()
        assert company.titles(company.key(None), "Staff") == {"Handbook", "Merger"}

    def test_a_token_of_it_is_within_it(self, company: Company) -> None:
        with company.api.with_key(company.key("Staff")) as client:
            token = client.post("/v1/tokens", json={"workspace": "acme", "index": "default"}).json()["token"]
        assert company.titles(token) == {"Handbook", "Parking"}

    def test_no_route_says_a_word_of_what_is_outside(self, company: Company) -> None:
        with company.api.with_key(company.key("Staff", "search", "notes", "review")) as client:
            paths = client.get("/openapi.json").json()["paths"]
            asked = [(method, path) for path, methods in paths.items() for method in methods]
            for method, path in [*asked, ("get", "/"), ("get", "/document")]:
                for named in ("Merger", str(self.document(company, "Merger"))):
                    answer = _asked(client, method, path, named)
                    said = answer.text.replace("nachtfalke meets", "")  # the question itself
                    assert not any(secret in said for secret in SECRET if secret != named), (method, path, said)
                    assert answer.status_code != 500

    def document(self, company: Company, title: str) -> UUID:
        ((document_id,),) = company.api.acme.rows("SELECT document_id FROM source_page WHERE title = %s", title)
        return UUID(str(document_id))


def _asked(client: httpx.Client, method: str, path: str, document: str) -> httpx.Response:
    for name, held in {"slug": "acme", "store": "acme", "document": document, "version": "1"}.items():
        path = path.replace(f"{{{name}}}", held)
    if method in ("post", "put"):
        return client.request(method, path, json={"query": "nachtfalke meets", "facets": ["topics"], "k": 50})
    return client.request(method, path, params={"query": "nachtfalke meets"} if path.endswith("search") else {})


class TestAssistants:
    @pytest.mark.parametrize("era", ERAS)
    def test_search_within_topics_and_count_what_their_key_finds(self, company: Company, era: str) -> None:
        async def act(client: Client) -> list[Any]:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert "topic" in tools["search_with_filters"].input_schema["properties"] and "list_topics" in tools
            calls: list[tuple[str, dict[str, Any]]] = [
                ("search_with_filters", {"query": "everyone meets", "topic": "Staff", "workspaces": ["acme"]}),
                ("list_topics", {"workspace": "acme"}),
                ("list_topics", {"workspace": "acme", "topic": "Boardroom"}),
                ("list_topics", {"workspace": "acme", "topic": "Staff"}),
            ]
            return [(await client.call_tool(name, asked)).structured_content for name, asked in calls]

        found, top, board, staff = ask(company.api, company.key(None), era, act)
        assert {hit["title"] for hit in found["results"]} == {"Handbook", "Parking"}
        assert [(each["topic"], each["documents"]) for each in top["topics"]] == [("Staff", 2), ("Boardroom", 1)]
        assert [(each["topic"], each["has_children"]) for each in board["topics"]] == [("Boardroom/Takeovers", False)]
        found, top, board, staff = ask(company.api, company.key("Staff"), era, act)
        assert {hit["title"] for hit in found["results"]} == {"Handbook", "Parking"}
        assert [each["topic"] for each in top["topics"]] == ["Staff"] and board["topics"] == []
        assert [each["topic"] for each in staff["topics"]] == ["Staff/Places"]

    @pytest.mark.parametrize("era", ERAS)
    def test_are_not_told_of_topics_where_there_are_none(self, api: Api, era: str) -> None:
        async def act(client: Client) -> Any:
            return await client.list_tools()

        tools = {tool.name: tool for tool in ask(api, api.key("search", "read").key, era, act).tools}
        assert "list_topics" not in tools
        assert "topic" not in tools["search_with_filters"].input_schema["properties"]
