"""The tools, as an assistant meets them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arcana_pipelines.mcp import sizes
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.mcp.conftest import ERAS, Assistant

MakeAssistant = Callable[..., Assistant]


@pytest.fixture
def handbook(acme: Harness) -> Harness:
    """Pages of a company, one of them much longer than an answer."""
    acme.world.add_page("Walrus", blocks=[blocks.heading("Food"), blocks.paragraph("A walrus eats clams.")])
    parts = [
        block
        for number in range(400)
        for block in (
            blocks.heading(f"Chapter {number}"),
            blocks.paragraph(f"Station {number} is kept by keeper {number * 7}. " + "The lamp is lit at dusk. " * 12),
        )
    ]
    acme.world.add_page("Lighthouses", blocks=[blocks.paragraph("A long book."), *parts])
    acme.world.clock.advance(600)
    acme.sync()
    return acme


@pytest.mark.parametrize("era", ERAS)
def test_what_was_found_is_read_by_its_id(handbook: Harness, assistant: MakeAssistant, era: str) -> None:
    ours = assistant("acme", era=era)
    found = ours.ask("search", query="What does a walrus eat?")["results"][0]
    assert found["title"] == "Walrus" and "clams" in found["text"] and found["workspace"] == "acme"
    assert found["id"].startswith("acme/") and found["id"].endswith("#1") and found["url"]
    page = ours.ask("fetch", id=found["id"])
    assert page["id"] == found["id"].removesuffix("#1") and page["url"] and "A walrus eats clams." in page["text"]
    assert page["metadata"]["part"] == "1 of 1" and page["metadata"]["version"] == 1
    assert "instruction" in page["metadata"]["notice"]


def test_a_long_document_is_read_in_parts_which_are_all_of_it(handbook: Harness, assistant: MakeAssistant) -> None:
    ours = assistant("acme")
    hit = ours.ask("search", query="Who is keeper of station 321?")["results"][0]
    part = ours.ask("fetch", id=hit["id"])
    assert "Station 321 is kept" in part["text"], "the part that has the passage"
    assert part["id"] in part["metadata"]["parts"]
    texts, at = [], hit["id"].partition("#")[0]
    while at is not None:
        part = ours.ask("fetch", id=at)
        assert part["id"] == at
        texts.append(part["text"])
        at = part["metadata"]["next"]
    assert len(texts) > 5 and part["metadata"]["part"] == f"{len(texts)} of {len(texts)}"
    whole = "".join(texts)
    assert whole.startswith("A long book.") and all(f"Station {number} is" in whole for number in range(400))


def test_nothing_is_larger_than_it_may_be(handbook: Harness, assistant: MakeAssistant) -> None:
    ours = assistant("acme")
    result = ours.call("search", query="the lamp is lit at dusk")
    found = ours.ask("search", query="the lamp is lit at dusk")["results"]
    assert len(found) == 10
    assert sizes.tokens(result.content[0].text) <= sizes.SEARCH_TOKENS  # type: ignore[union-attr]
    assert all(sizes.tokens_in_json(each["text"]) <= sizes.HIT_TOKENS for each in found)
    for hit in found:
        page = ours.call("fetch", id=hit["id"]).content[0].text  # type: ignore[union-attr]
        assert sizes.tokens(page) <= sizes.DOCUMENT_TOKENS
    whole = found[0]["id"].partition("#")[0]
    assert sizes.tokens(ours.call("fetch", id=whole).content[0].text) > 4000  # type: ignore[union-attr]


def test_the_workspaces_are_listed_and_named_in_the_description(handbook: Harness, assistant: MakeAssistant) -> None:
    ours = assistant("acme")
    (listed,) = ours.ask("list_workspaces")["workspaces"]
    assert listed["workspace"] == "acme" and listed["documents"] == 2 and listed["may"] == ["search", "read"]
    assert listed["synced"] and listed["published"]
    for era in ERAS:
        tools = assistant("acme", era=era).do(lambda client: client.list_tools()).tools
        (search,) = [tool for tool in tools if tool.name == "search"]
        assert f"Workspaces: acme (2 documents, synced {listed['synced'][:10]})." in search.description
        assert all(tool.annotations.read_only_hint and tool.output_schema for tool in tools)


@pytest.mark.parametrize(
    "odd", ["", "walrus", "acme", "acme/", "acme/12#x", "/etc/passwd", "https://example.com", "a\0"]
)
def test_a_wrong_id_is_told_what_ids_look_like(handbook: Harness, assistant: MakeAssistant, odd: str) -> None:
    said = assistant("acme").refusal("fetch", id=odd)
    assert "is no id" in said and "handbook/0190f3a2" in said


def test_what_a_caller_may_not_use_is_not_there(
    handbook: Harness, another: Callable[[str], Harness], assistant: MakeAssistant
) -> None:
    beta = another("beta")
    beta.world.add_page("Secret", blocks=[blocks.paragraph("A walrus is the secret of beta.")])
    beta.settle()
    beta.sync()
    (secret,) = assistant("beta").ask("search", query="secret walrus")["results"]
    ours = assistant("acme")
    told = ours.refusal("fetch", id=secret["id"])
    assert told == ours.refusal("fetch", id=secret["id"].replace("beta/", "gamma/")), "there or not, it is told alike"
    elsewhere = ours.refusal("fetch", id=secret["id"].replace("beta/", "acme/"))
    assert "no page" in elsewhere and "Secret" not in elsewhere
    assert {hit["workspace"] for hit in ours.ask("search", query="secret walrus")["results"]} == {"acme"}
    both = assistant("acme", "beta").ask("search", query="secret walrus")["results"]
    assert {hit["workspace"] for hit in both} == {"acme", "beta"}


def test_what_an_error_of_ours_says_is_told(handbook: Harness, assistant: MakeAssistant) -> None:
    assert "no workspace here" in assistant().refusal("search", query="walrus")
    assert "4,000" in assistant("acme").refusal("search", query="x" * 5000)
