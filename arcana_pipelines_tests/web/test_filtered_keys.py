"""A key with a filter finds what its filter leaves, through every door, and is told of nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from mcp import Client

from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission, access_of
from arcana_pipelines.keys.limits import read_limit
from arcana_pipelines.retrieval.cursor import Cursor, question_hash
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.mcp.conftest import ERAS
from arcana_pipelines_tests.web.conftest import SALT, Api
from arcana_pipelines_tests.web.test_assistants import ask

SEARCH = "/v1/workspaces/acme/search"
STORE = "/v1/vector_stores/acme/search"
SECRET = {"Board", "Merger", "Salary band"}


@dataclass
class Company:
    """A workspace with a handbook for everybody, and papers of the board."""

    api: Api

    def key(self, *filters: str | None, slug: str | None = "acme") -> str:
        """A key that searches within each of the filters: the first is of the workspace, the second of all."""
        with self.api.acme.database.connection() as connection:
            workspace = workspaces.find(connection, "acme")
            wheres = (workspace.workspace_id, None) if slug else (None,)
            granted = [
                Permission("search", where, None, each and read_limit(each))
                for where, each in zip(wheres, filters, strict=False)
            ]
            return keys.create(connection, SALT, workspace.company_id, granted, "desk").key

    def search(self, key: str, query: str = "everyone meets", **asked: Any) -> dict[str, Any]:
        with self.api.with_key(key) as client:
            answer = client.post(SEARCH, json={"query": query, "k": 50, "min_score": 0, **asked})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def titles(self, key: str, query: str = "everyone meets", **asked: Any) -> set[str]:
        return {hit["title"] for hit in self.search(key, query, **asked)["hits"]}


@pytest.fixture
def company(api: Api) -> Company:
    world = api.acme.world
    handbook = world.add_page("Handbook", blocks="Everyone meets on Monday.")
    world.add_page("Parking", blocks="Everyone meets at the gate. Parkplatz.", parent=handbook)
    board = world.add_page("Board", blocks=[blocks.paragraph("Everyone meets behind closed doors.")])
    world.add_page("Merger", blocks="Everyone meets for project nachtfalke, which is the merger.", parent=board)
    tasks = world.add_database("Tasks", schema={"Audience": "select", "Cost": "number"})
    world.add_row(
        tasks.data_source_id, "Lunch menu", {"Audience": "Public", "Cost": 5}, blocks="Everyone meets to eat."
    )
    world.add_row(
        tasks.data_source_id, "Salary band", {"Audience": "Board", "Cost": 9}, blocks="Everyone meets the budget."
    )
    api.acme.settle()
    api.acme.sync()
    return Company(api)


class TestASearch:
    def test_finds_what_the_filter_leaves(self, company: Company) -> None:
        assert company.titles(company.key('{"below": "Handbook"}')) == {"Handbook", "Parking"}
        assert company.titles(company.key('{"kinds": ["row"]}')) == {"Lunch menu", "Salary band"}
        public = '{"properties": [{"name": "Audience", "operator": "=", "value": "Public"}]}'
        assert company.titles(company.key(public)) == {"Lunch menu"}
        assert company.titles(company.key(None)) > SECRET

    @pytest.mark.parametrize(
        ("own", "asked", "found"),
        [
            ({"kinds": ["row"]}, {"kinds": ["page"]}, set()),
            ({"kinds": ["page"]}, {"kinds": ["page", "row"], "below": "Handbook"}, {"Handbook", "Parking"}),
            ({"below": "Handbook"}, {"below": "Board"}, set()),
            ({"below": "Handbook"}, {"below": "Parking"}, {"Parking"}),
            ({"edited_since": "2001-01-01T00:00:00Z", "below": "Handbook"}, {"edited_since": "2000-01-01T00:00:00Z"},
             {"Handbook", "Parking"}),
            ({"edited_since": "2999-01-01T00:00:00Z"}, {"edited_since": "2000-01-01T00:00:00Z"}, set()),
            ({"properties": [{"name": "Audience", "operator": "=", "value": "Public"}]},
             {"properties": [{"name": "Cost", "operator": ">", "value": "1"}]}, {"Lunch menu"}),
            ({"properties": [{"name": "Audience", "operator": "=", "value": "Public"}]},
             {"properties": [{"name": "Audience", "operator": "=", "value": "Board"}]}, set()),
            ({"properties": [{"name": "Audience", "operator": "=", "value": "Public"}]}, {"below": "Tasks"},
             {"Lunch menu"}),
        ],
    )  # fmt: skip
    def test_asks_within_the_filter_and_never_in_its_place(
        self, company: Company, own: dict[str, Any], asked: dict[str, Any], found: set[str]
    ) -> None:
        assert company.titles(company.key(json.dumps(own)), filters=asked) == found

    def test_that_links_to_a_page_is_within_what_links_to_another(self, company: Company) -> None:
        world = company.api.acme.world
        gate = world.add_page("Gate", blocks="A gate.")
        desk = world.add_page("Desk", blocks="A desk.")
        both = [blocks.paragraph(["Everyone meets: ", blocks.mention_page(gate), blocks.mention_page(desk)])]
        world.add_page("Map", blocks=both)
        world.add_page("Plan", blocks=[blocks.paragraph(["Everyone meets: ", blocks.mention_page(gate)])])
        company.api.acme.settle()
        company.api.acme.sync()
        key = company.key('{"links_to": "Gate"}')
        assert company.titles(key) == {"Map", "Plan"}
        assert company.titles(key, filters={"links_to": "Desk"}) == {"Map"}

    def test_is_within_every_filter_of_the_key_that_applies(self, company: Company) -> None:
        everywhere, here = '{"kinds": ["row"]}', '{"below": "Handbook"}'
        assert company.titles(company.key(here, everywhere)) == set()
        assert company.titles(company.key(None, everywhere)) == {"Lunch menu", "Salary band"}
        assert company.titles(company.key(here, None)) == {"Handbook", "Parking"}

    def test_goes_on_within_the_filter_and_with_no_cursor_of_another_key(self, company: Company) -> None:
        key, other = company.key('{"below": "Handbook"}'), company.key('{"below": "Board"}')
        first = company.search(key, k=1)
        with company.api.with_key(key) as client:
            asked = {"query": "everyone meets", "min_score": 0, "k": 50, "after": first["cursor"]}
            rest = client.post(SEARCH, json=asked).json()
        assert {hit["title"] for hit in (*first["hits"], *rest["hits"])} == {"Handbook", "Parking"}
        for strange in (other, company.key(None)):
            with company.api.with_key(strange) as client:
                refused = client.post(SEARCH, json=asked)
            assert refused.status_code == 422 and "cursor" in refused.json()["detail"]

    def test_of_a_past_time_finds_neither_what_was_nor_what_is_outside(self, company: Company) -> None:
        acme = company.api.acme
        key = company.key('{"properties": [{"name": "Audience", "operator": "=", "value": "Public"}]}')
        ((then,),) = acme.rows("SELECT clock_timestamp()")
        (shut, opened) = acme.rows("SELECT external_id FROM source_page WHERE kind = 'row' ORDER BY title")
        assert company.titles(key, as_of=then.isoformat()) == {"Lunch menu"}
        acme.world.set_property(shut[0], "Audience", "Board")
        acme.world.set_property(opened[0], "Audience", "Public")
        acme.settle()
        acme.sync()
        assert company.titles(key) == {"Salary band"}
        assert company.titles(key, as_of=then.isoformat()) == set()


class TestOfWhatIsOutside:
    """Names and words of pages outside the filter are not told, and neither is that they are there."""

    @pytest.mark.parametrize(
        "outside",
        [
            {"below": "Board"}, {"below": "Merger"}, {"links_to": "Merger"},
            {"properties": [{"name": "Audience", "operator": "=", "value": "Board"}]},
            {"properties": [{"name": "Cost", "operator": ">", "value": "much"}]},
        ],
    )  # fmt: skip
    def test_nothing_is_told_that_is_not_told_of_what_does_not_exist(
        self, company: Company, outside: dict[str, Any]
    ) -> None:
        key = company.key('{"below": "Handbook"}')
        unknown: list[dict[str, Any]] = [
            {"below": "Merge"}, {"links_to": "No such page"},
            {"properties": [{"name": "Audienc", "operator": "=", "value": "Boar"}]},
        ]  # fmt: skip
        answers = [company.search(key, filters=asked) for asked in (outside, *unknown)]
        said = [
            {name: held for name, held in each.items() if name not in ("request_id", "seconds")} for each in answers
        ]
        assert all(each == said[0] for each in said) and "may not be there" in said[0]["notes"][0]
        assert not any(word in str(said) for word in ("Merger", "Board"))

    def test_a_slip_is_not_corrected_to_a_word_of_theirs(self, company: Company) -> None:
        asked = "nachtfalle parkplats"
        assert company.search(company.key(None), asked)["corrections"]["nachtfalle"] == "nachtfalke"
        assert set(company.search(company.key('{"below": "Handbook"}'), asked).get("corrections", {})) == {"parkplats"}

    def test_a_cursor_that_was_made_up_tells_nothing(self, company: Company) -> None:
        acme = company.api.acme
        text = [blocks.paragraph("Everyone meets in the same words, here and there, and nobody else does.")]
        (handbook,) = acme.rows("SELECT external_id FROM source_page WHERE title = 'Handbook'")[0]
        acme.world.add_page("Twin", blocks=text, parent=handbook)
        acme.world.add_page("Secret twin", blocks=text)
        acme.settle()
        acme.sync()
        key = company.key('{"below": "Handbook"}')
        genuine = company.search(key, k=1)["cursor"]
        with acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, "acme").workspace_id
            access = access_of(connection, key, SALT)
        assert access is not None
        request = SearchRequest("everyone meets", min_score=0.0, index="default")
        question = question_hash(request, workspace_id, access.limits(workspace_id, "default"))
        cursor = Cursor.read(genuine, question)
        ((theirs,),) = acme.rows(
            "SELECT k.document_chunk_id FROM document_chunk k JOIN document_content c USING (document_content_id) "
            "WHERE c.contents->>'title' = 'Secret twin'"
        )
        forged = Cursor(cursor.question, cursor.build, cursor.published, (theirs,))
        answer = company.search(key, after=forged.text)
        assert "Twin" in {hit["title"] for hit in answer["hits"]} and "Secret" not in str(answer)
        assert not answer.get("repeated")


class TestThroughEveryDoor:
    def test_the_short_form_and_openai_s_client_find_no_more(self, company: Company) -> None:
        with company.api.with_key(company.key('{"below": "Handbook"}')) as client:
            short = client.get(SEARCH, params={"query": "everyone meets", "k": 50}).json()
            store = client.post(STORE, json={"query": ["everyone meets", "merger"], "max_num_results": 50}).json()
            rows = {"type": "eq", "key": "kind", "value": "row"}
            none = client.post(STORE, json={"query": "everyone meets", "filters": rows}).json()
        assert {hit["title"] for hit in (*short["hits"], *short.get("nearest", []))} == {"Handbook", "Parking"}
        assert {hit["filename"] for hit in store["data"]} == {"Handbook", "Parking"} and none["data"] == []

    @pytest.mark.parametrize("era", ERAS)
    def test_assistants_find_no_more_and_read_nothing(self, company: Company, era: str) -> None:
        key = company.key('{"below": "Handbook"}')

        async def act(client: Client) -> list[Any]:
            calls: list[tuple[str, dict[str, Any]]] = [
                ("search", {"query": "everyone meets"}),
                ("search_with_filters", {"query": "everyone meets", "kinds": ["page"]}),
                ("search_with_filters", {"query": "everyone meets", "below": "Board"}),
                ("list_documents", {"workspace": "acme"}),
            ]
            answers = [await client.call_tool(name, asked) for name, asked in calls]
            found = (answers[0].structured_content or {})["results"][0]["id"]
            for name in ("fetch", "related_documents"):
                answers.append(await client.call_tool(name, {"id": found}))
            return answers

        first, kinds, board, *shut = ask(company.api, key, era, act)
        for answer, titles in ((first, {"Handbook", "Parking"}), (kinds, {"Handbook", "Parking"}), (board, set())):
            assert {hit["title"] for hit in answer.structured_content["results"]} == titles
        assert all(answer.is_error for answer in shut)

    def test_no_route_says_a_word_of_what_is_outside(self, company: Company) -> None:
        key = company.key('{"below": "Handbook"}')
        with company.api.with_key(key) as client:
            paths = client.get("/openapi.json").json()["paths"]
            for path, methods in paths.items():
                for method in methods:
                    answer = _asked(client, method, path)
                    assert not any(title in answer.text for title in (*SECRET, "nachtfalke")), path
                    assert answer.status_code != 500


def _asked(client: httpx.Client, method: str, path: str) -> httpx.Response:
    for name, held in {"slug": "acme", "store": "acme", "document": "Board", "version": "1"}.items():
        path = path.replace(f"{{{name}}}", held)
    if method == "post":
        return client.post(path, json={"query": "everyone meets for the merger"})
    return client.request(method, path, params={"query": "merger"} if path.endswith("search") else {})


def test_keys_with_other_filters_and_of_other_companies_share_no_searcher(company: Company) -> None:
    rows, pages, free = (company.key(each) for each in ('{"kinds": ["row"]}', '{"below": "Handbook"}', None))
    theirs = company.api.key("search", slug="globex").key
    for _ in range(2):
        assert company.titles(rows) == {"Lunch menu", "Salary band"}
        assert company.titles(pages) == {"Handbook", "Parking"}
        assert company.titles(free) > SECRET
        with company.api.with_key(theirs) as client:
            found = client.post("/v1/workspaces/globex/search", json={"query": "30", "min_score": 0}).json()
        assert {hit["title"] for hit in found["hits"]} == {"Vacation policy", "휴가 규정"}


def test_a_token_of_a_key_has_its_filter_and_its_limits(company: Company) -> None:
    with company.api.with_key(company.key('{"below": "Handbook"}')) as client:
        limit = client.get("/v1/workspaces").headers["x-ratelimit-remaining"]
        made = client.post("/v1/tokens", json={"workspace": "acme", "index": "default"})
    assert company.titles(made.json()["token"]) == {"Handbook", "Parking"}
    with company.api.with_key(made.json()["token"]) as client:
        assert int(client.get("/v1/workspaces").headers["x-ratelimit-remaining"]) <= int(limit)
        assert client.get("/v1/workspaces/acme/documents").status_code == 403
