"""The tools, as an assistant meets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


@pytest.fixture
def tree(acme: Harness) -> Harness:
    """A page with two pages and a table below it; one of these links to the other."""
    top = acme.world.add_page("Harbour", blocks=[blocks.paragraph("All about the harbour.")])
    crane = acme.world.add_page("Crane", parent=top, blocks=[blocks.paragraph("The crane lifts crates.")])
    acme.world.add_page(
        "Ferry", parent=top, blocks=[blocks.paragraph("The ferry carries crates."), blocks.link_to_page(crane)]
    )
    acme.world.add_page("Meadow", blocks=[blocks.paragraph("No crates here.")])
    database = acme.world.add_database(
        "Tasks", parent=top, schema={"Status": {"type": "select", "options": ["Done", "Open"]}}
    )
    for title, status in (("Paint crates", "Done"), ("Buy crates", "Open")):
        acme.world.add_row(database.data_source_id, title, {"Status": status}, [blocks.paragraph("About crates.")])
    acme.world.clock.advance(600)
    acme.sync()
    return acme


def titles(answer: dict[str, Any], of: str = "documents") -> list[str]:
    return [each["title"] for each in answer[of]]


def test_documents_are_listed_in_the_order_of_their_tree(tree: Harness, assistant: MakeAssistant) -> None:
    ours = assistant("acme")
    listed = ours.ask("list_documents", workspace="acme")
    assert set(titles(listed)) == {"Harbour", "Crane", "Ferry", "Meadow", "Paint crates", "Buy crates"}
    assert listed["next"] is None
    depths = {each["title"]: each["depth"] for each in listed["documents"]}
    assert depths["Harbour"] == depths["Meadow"] == 1 and depths["Crane"] == 2 and depths["Paint crates"] == 3
    harbour = next(each["id"] for each in listed["documents"] if each["title"] == "Harbour")
    for below in (harbour, "Harbour"):
        assert set(titles(ours.ask("list_documents", workspace="acme", below=below))) == set(titles(listed)) - {
            "Meadow"
        }
    assert set(titles(ours.ask("list_documents", workspace="acme", below="Tasks"))) == {"Paint crates", "Buy crates"}
    behind = ours.ask("list_documents", workspace="acme", after=listed["documents"][3]["id"])
    assert titles(behind) == titles(listed)[4:]
    assert "no workspace of this name" in ours.refusal("list_documents", workspace="beta")


def test_a_list_that_does_not_fit_goes_on(acme: Harness, assistant: MakeAssistant) -> None:
    for number in range(70):
        acme.world.add_page(f"Page {number} " + "of the long names " * 20, blocks=[blocks.paragraph(f"Text {number}.")])
    acme.world.clock.advance(600)
    acme.sync()
    ours, listed, after = assistant("acme"), [], None
    while True:
        result = ours.call("list_documents", workspace="acme", after=after)
        assert sizes.tokens(result.content[0].text) <= sizes.SEARCH_TOKENS  # type: ignore[union-attr]
        answer = ours.ask("list_documents", workspace="acme", after=after)
        listed += answer["documents"]
        after = answer["next"]
        if after is None:
            break
    assert len(listed) == len({each["id"] for each in listed}) == 70


def test_related_documents_say_how(tree: Harness, assistant: MakeAssistant) -> None:
    ours = assistant("acme")
    ids = {each["title"]: each["id"] for each in ours.ask("list_documents", workspace="acme")["documents"]}

    def related(title: str) -> set[tuple[str, str]]:
        found = ours.ask("related_documents", id=ids[title])
        assert found["left_out"] == 0
        return {(each["how"], each["title"]) for each in found["documents"]}

    assert related("Crane") == {("above", "Harbour"), ("linked from", "Ferry")}
    assert related("Ferry") == {("above", "Harbour"), ("links to", "Crane")}
    assert {("below", "Crane"), ("below", "Ferry")} <= related("Harbour")
    assert related("Meadow") == set()


def test_filters_choose_what_is_searched(tree: Harness, assistant: MakeAssistant) -> None:
    ours = assistant("acme")
    ids = {each["title"]: each["id"] for each in ours.ask("list_documents", workspace="acme")["documents"]}

    def found(**filters: Any) -> set[str]:
        return set(titles(ours.ask("search_with_filters", query="crates", **filters), "results"))

    assert found(where=["Status=Done"]) == {"Paint crates"}
    assert found(kinds=["row"]) == {"Paint crates", "Buy crates"}
    assert found(below=ids["Harbour"], kinds=["page"]) == {"Harbour", "Crane", "Ferry"}
    assert found(links_to=ids["Crane"]) == {"Harbour", "Ferry"}, "a page links to those below it"
    assert found(edited_since="2999-01-01") == set() and "Meadow" in found(edited_since="1999-01-01T00:00:00Z")
    assert "Meadow" in found(workspaces=["acme"])
    assert "no workspace of this name" in ours.refusal("search_with_filters", query="crates", workspaces=["beta"])
    assert "Colour" in ours.refusal("search_with_filters", query="crates", where=["Colour=red"])
