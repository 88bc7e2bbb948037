"""A document as a whole: what the index serves, for who may see it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from arcana_pipelines.cli.commands import document as document_command
from arcana_pipelines.cli.main import main
from arcana_pipelines.cli.output import console
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval import Document, Searcher
from arcana_pipelines.retrieval.whole_document import find_document
from arcana_pipelines.retrieval.workspace_named import workspace_named
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def guide(acme: Harness) -> str:
    page = acme.world.add_page(
        "휴가 안내",
        blocks=[
            blocks.paragraph("The walrus comes first."),
            blocks.heading("신청"),
            *(blocks.paragraph(f"Part {number}: " + "the form goes to the keeper. " * 30) for number in range(12)),
        ],
    )
    acme.world.clock.advance(600)
    acme.sync()
    return page


@pytest.fixture
def searcher(acme: Harness, settings: Settings) -> Iterator[Searcher]:
    with Searcher(acme.slug, settings=settings) as searcher:
        yield searcher


def test_it_is_whole_and_found_by_any_of_its_names(acme: Harness, guide: str, searcher: Searcher) -> None:
    hit = searcher.search("walrus", 1).hits[0]
    found = searcher.document(hit.document_id)
    assert (found.external_id, found.title, found.url, found.version) == (guide, hit.title, hit.url, hit.version)
    assert "The walrus comes first." in found.text and all(f"Part {number}:" in found.text for number in range(12))
    ((heading,),) = [found.headings]
    assert heading.text == "신청" and heading.link is not None and heading.link.startswith(f"{found.url}#:~:text=%")
    for name in (guide, guide.replace("-", ""), hit.url, "휴가 안내", f" {hit.document_id} "):
        assert name and searcher.document(name) == found
    with acme.reader() as connection:
        assert find_document(connection, workspace_named(connection, acme.slug), guide, "default") == found
    Draft202012Validator(Document.json_schema()).validate(json.loads(json.dumps(found.to_dict())))


def test_headings_of_the_same_words_lead_each_to_its_own_text(acme: Harness, searcher: Searcher) -> None:
    page = acme.world.add_page(
        "Travel",
        blocks=[
            blocks.heading("Amounts"), blocks.paragraph("Lunch costs twelve euros."),
            blocks.heading("Amounts"), blocks.paragraph("A night costs ninety euros."),
        ],
    )  # fmt: skip
    acme.world.clock.advance(600)
    acme.sync()
    first, second = searcher.document(page).headings
    assert first.link == f"{searcher.document(page).url}#:~:text=Amounts"
    assert second.link == f"{searcher.document(page).url}#:~:text=A%20night%20costs%20ninety%20euros.&text=Amounts"
    (hit,) = (hit for hit in searcher.search("night", 5).hits if hit.external_id == page)
    assert hit.link == second.link


def test_steps_have_their_numbers(acme: Harness, searcher: Searcher) -> None:
    steps = [blocks.numbered(each) for each in ("불을 끈다", "Wait", "문을 닫는다")]
    page = acme.world.add_page("Closing time", blocks=steps)
    acme.world.clock.advance(600)
    acme.sync()
    assert searcher.document(page).text.splitlines() == ["1. 불을 끈다", "2. Wait", "3. 문을 닫는다"]


def test_the_command_shows_it_as_a_person_reads_it(
    acme: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.world.add_page("Markup", blocks=[blocks.paragraph("the <hr> tag\n- no item"), blocks.code("a \\* b")])
    acme.world.clock.advance(600)
    acme.sync()
    monkeypatch.setenv("DATABASE_URL", acme.database.url)
    console.cache_clear()
    with pytest.raises(SystemExit):
        main(["document", "acme", "Markup"])
    console.cache_clear()
    heading, said = capsys.readouterr().out.split("\n", 1)
    assert re.fullmatch(r"Markup  edited \d{4}-\d\d-\d\d", heading)
    assert "the <hr> tag\n- no item\n" in said and "a \\* b" in said


def test_a_row_has_its_properties(acme: Harness, searcher: Searcher) -> None:
    database = acme.world.add_database("Tasks", schema={"상태": {"type": "select", "options": ["완료"]}})
    row = acme.world.add_row(database.data_source_id, "Fix", {"상태": "완료"}, [blocks.paragraph("Repair it.")])
    acme.world.clock.advance(600)
    acme.sync()
    found = searcher.document(row)
    assert found.kind == "row" and found.properties["상태"] == "완료" and "Repair it." in found.text
    with pytest.raises(WrongUse, match="is a database"):
        searcher.document("Tasks")


def test_it_is_the_version_that_is_served(acme: Harness, guide: str, searcher: Searcher) -> None:
    acme.world.edit_page(guide, [blocks.paragraph("The zebra came.")])
    assert "walrus" in searcher.document(guide).text, "no sync yet"
    acme.settle()
    acme.sync()
    found = searcher.document(guide)
    assert found.version == 2 and "zebra" in found.text and "walrus" not in found.text and not found.headings
    acme.world.trash(guide)
    acme.sync()
    for name in (guide, found.document_id):
        with pytest.raises(WrongUse, match=r"\.$"):
            searcher.document(name)


def test_nobody_sees_a_document_of_another_workspace(
    acme: Harness, guide: str, searcher: Searcher, another: Callable[[str], Harness], settings: Settings
) -> None:
    secret = acme.world.add_page("Secret", blocks=[blocks.paragraph("The walrus is ill.")])
    beta = another("beta")
    beta.world.add_page("Zebra", blocks=[blocks.paragraph("stripes")])
    for harness in (acme, beta):
        harness.settle()
        harness.sync()
    ours = searcher.document(secret)
    with Searcher("beta", settings=settings) as of_beta:
        for name in (secret, ours.document_id, ours.url or "", "Secret"):
            with pytest.raises(WrongUse, match="no page"):
                of_beta.document(name)
        with pytest.raises(WrongUse, match="does not search"):
            of_beta.document(secret, workspace="acme")
    with Searcher(workspaces=("beta", "acme"), settings=settings) as both:
        assert both.document(ours.document_id) == both.document(secret, workspace="acme") == ours
        assert both.document("Zebra").workspace == "beta"
        with pytest.raises(WrongUse, match="no page"):
            both.document(secret, workspace="beta")


@pytest.mark.parametrize(
    "odd",
    [
        7,
        None,
        "",
        " ",
        "a\0",
        "\ud800",
        "x" * 5000,
        "'; DROP TABLE document; --",
        "%s",
        "12345678-1234-4234-8234-123456789abc",
    ],
)
def test_what_is_no_document_is_refused_in_a_sentence(guide: str, searcher: Searcher, odd: Any) -> None:
    with pytest.raises(WrongUse, match=r"(?s)^[A-Z].*[.?]"):
        searcher.document(odd)


def test_the_command_prints_it(acme: Harness, guide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_command, "open_database", lambda: acme.database)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(document_command.command, ["acme", *arguments])

    told = json.loads(run(guide, "--json").stdout)
    assert told["title"] == "휴가 안내" and told["workspace"] == "acme"
    shown = run("휴가 안내").stdout
    assert shown.startswith("휴가 안내") and "Part 11:" in shown
    assert isinstance(run("Nothing").exception, WrongUse)
