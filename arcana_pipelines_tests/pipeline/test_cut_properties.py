"""What a page object cuts at 25 references is read to its end, or the page says that it was not."""

from __future__ import annotations

import pytest

from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.objects import Page
from arcana_pipelines_tests.harness import Harness


def project(acme: Harness, milestones: int) -> str:
    """A row that relates to so many milestones, shows their names, sums their points and counts them in a formula."""
    world = acme.world
    target = world.add_database("Milestones", schema={"Name": "title", "Points": "number"})
    ids = [
        world.add_row(target.data_source_id, f"Milestone{number:03d}", {"Points": 1}) for number in range(milestones)
    ]

    def counted(page: Page) -> str:
        return f"counted{len(page.values['Steps'])}"

    schema = {
        "Name": "title",
        "Steps": {"type": "relation", "data_source_id": target.data_source_id, "database_id": target.database_id},
        "Names": {"type": "rollup", "relation": "Steps", "property": "Name", "function": "show_original"},
        "Total": {"type": "rollup", "relation": "Steps", "property": "Points", "function": "sum"},
        "Said": {"type": "formula", "compute": counted},
    }
    source = world.add_database("Projects", schema=schema).data_source_id
    page = world.add_row(source, "Brücke 다리", {"Steps": ids}, [blocks.paragraph("words")])
    world.clock.advance(1200)
    return page


def properties(acme: Harness, page: str) -> dict[str, str]:
    ((found,),) = acme.rows("SELECT properties FROM source_page WHERE external_id = %s", page)
    return {name: value["text"] for name, value in found.items()}


@pytest.mark.parametrize("milestones", [25, 26, 130])
def test_rollups_and_formulas_over_many_relations_are_whole(acme: Harness, milestones: int) -> None:
    page = project(acme, milestones)
    report = acme.sync()
    found = properties(acme, page)
    assert found["Names"].split(", ") == [f"Milestone{number:03d}" for number in range(milestones)]
    assert found["Total"] == str(milestones) and found["Said"] == f"counted{milestones}"
    assert f"Milestone{milestones - 1:03d}" in acme.published()[page]
    assert report["partial"]["pages"] == 0
    assert acme.sync()["notion"]["requests"] == 2
    assert acme.sync(Mode.FULL)["pages"]["updated"] == 0


def test_few_relations_cost_no_request(acme: Harness) -> None:
    page = project(acme, 24)
    acme.sync()
    assert properties(acme, page)["Total"] == "24"
    assert not [request for request in acme.server.requests if "/properties/" in request.path]


def test_a_title_with_many_mentions_is_whole_and_stays_so(acme: Harness) -> None:
    people = [acme.world.add_page(f"이름{number}", blocks=[]) for number in range(30)]
    page = acme.world.add_page([blocks.mention_page(person) for person in people], blocks=[blocks.paragraph("words")])
    acme.settle()
    for mode in (Mode.INCREMENTAL, Mode.FULL, Mode.INCREMENTAL):
        acme.sync(mode)
        ((title, kept),) = acme.rows("SELECT title, properties FROM source_page WHERE external_id = %s", page)
        assert "Untitled" not in title and "이름29" in title and kept == {}
    assert "이름29" in acme.published()[page]
    assert acme.sync()["notion"]["requests"] == 2


@pytest.mark.parametrize("kind", ["403", "404"])
def test_what_cannot_be_completed_is_told_and_the_page_is_indexed(acme: Harness, kind: str) -> None:
    page = project(acme, 30)
    if kind == "403":
        acme.server.faults.add("/properties/", "403", times=None)
    else:
        acme.server.alter(lambda request, answer: {"object": "user"} if "/properties/" in request else answer)
    report = acme.sync()
    assert "Milestone024" in acme.published()[page]
    (group,) = [group for group in report["partial"]["reasons"] if "'Names'" in group["reason"]]
    assert "could not be read to its end" in group["reason"]
    assert group["examples"][0]["external_id"] == page


def test_a_rollup_whose_entries_have_several_segments_keeps_their_commas(acme: Harness) -> None:
    world = acme.world
    target = world.add_database("Steps", schema={"Name": "title"})
    ids = [
        world.add_row(target.data_source_id, [blocks.text(f"Step{number} "), blocks.text("bold", bold=True)])
        for number in range(30)
    ]
    relation = {"type": "relation", "data_source_id": target.data_source_id, "database_id": target.database_id}
    rollup = {"type": "rollup", "relation": "Steps", "property": "Name", "function": "show_original"}
    source = world.add_database("Plans", schema={"Name": "title", "Steps": relation, "Names": rollup}).data_source_id
    page = world.add_row(source, "Plan", {"Steps": ids})
    acme.settle()
    acme.sync()
    names = properties(acme, page)["Names"]
    assert names.startswith("Step0 bold, Step1 bold, ") and "Step29" in names


def test_what_the_api_does_not_compute_is_told(acme: Harness) -> None:
    source = acme.world.add_database("Rows", schema={"Name": "title", "F": {"type": "formula"}}).data_source_id
    page = acme.world.add_row(source, "Row", {})
    acme.settle()

    def alter(request: str, answer: dict[str, object]) -> dict[str, object]:
        for item in answer.get("results") or ():  # type: ignore[attr-defined]
            if item.get("id") == page:
                item["properties"]["F"]["formula"] = {"type": "unsupported", "unsupported": {}}
        return answer

    acme.server.alter(alter)
    (group,) = acme.sync()["partial"]["reasons"]
    assert "'F' depends on more" in group["reason"] and group["examples"][0]["external_id"] == page
