"""Documents as resources, and pages without an address of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import UnknownWorkspace
from arcana_pipelines.mcp.ids import Named
from arcana_pipelines.mcp.reach import Reach
from arcana_pipelines.mcp.server import make_server
from arcana_pipelines.mcp.several import search_all
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.mcp.conftest import ERAS, Assistant


@pytest.fixture
def handbook(acme: Harness) -> Harness:
    """A page as an export has it: without an address."""
    acme.world.add_page("Walrus", blocks=[blocks.heading("Food"), blocks.paragraph("A walrus eats clams.")])
    acme.world.clock.advance(600)
    acme.sync()
    with acme.superuser() as connection:
        connection.execute("UPDATE document_content SET contents = contents - 'url'")
    return acme


def read(assistant: Assistant, uri: str) -> Any:
    (content,) = assistant.do(lambda client: client.read_resource(uri)).contents
    assert content.mime_type == "application/json"
    return json.loads(content.text)


@pytest.mark.parametrize("era", ERAS)
def test_a_page_without_an_address_has_that_of_its_resource(
    handbook: Harness, assistant: Callable[..., Assistant], era: str
) -> None:
    ours = assistant("acme", era=era)
    (found,) = ours.ask("search", query="What does a walrus eat?")["results"]
    page = ours.ask("fetch", id=found["id"])
    document = page["id"].removeprefix("acme/")
    assert found["url"] == f"arcana://acme/documents/{document}/1"
    assert page["url"] == f"arcana://acme/documents/{document}"
    assert read(ours, found["url"]) == read(ours, page["url"]) == page


def test_a_host_may_give_addresses_of_its_own(handbook: Harness, searches: Database) -> None:
    def address_of(named: Named) -> str:
        return f"https://search.example.com/{named.workspace}/{named.document_id}"

    ours = Assistant(make_server(searches, lambda _: Reach.of(["acme"]), address_of))
    (found,) = ours.ask("search", query="What does a walrus eat?")["results"]
    assert found["url"] == "https://search.example.com/" + found["id"].partition("#")[0]


@pytest.mark.parametrize(
    "uri",
    [
        "arcana://acme/documents/walrus",
        "arcana://beta/documents/0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e6f",
        "arcana://acme/documents/0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e6f/x",
        "arcana://acme/documents/..%2f..%2fetc",
        "file:///etc/passwd",
    ],
)
def test_a_resource_that_is_not_there_is_told_so(
    handbook: Harness, assistant: Callable[..., Assistant], uri: str
) -> None:
    with pytest.raises(BaseExceptionGroup) as raised:
        read(assistant("acme"), uri)
    error: BaseException = raised.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, MCPError) and error.code == INVALID_PARAMS


def test_workspaces_that_cannot_be_searched_are_told_beside_what_others_have(
    handbook: Harness, searches: Database
) -> None:
    request = SearchRequest("walrus", min_score=0)

    def search(slug: str) -> Results:
        return Searcher(slug, database=searches).search(request)

    slugs = (*(f"nowhere-{number}" for number in range(24)), "acme")
    answer = search_all(search, slugs, 10)
    assert [hit.title for hit in answer.hits] == ["Walrus"] and set(answer.not_searched) == set(slugs[:-1])
    with pytest.raises(UnknownWorkspace, match="nowhere-0"):
        search_all(search, slugs[:-1], 10)
