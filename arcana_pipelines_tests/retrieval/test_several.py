"""One search in several workspaces: one order, each hit with its workspace, and none left out in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from arcana_pipelines.cli.commands import search as search_command
from arcana_pipelines.errors import CursorRefused, UnknownWorkspace, WrongUse
from arcana_pipelines.retrieval import Searcher
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness

SLUGS = ("acme", "beta")


@pytest.fixture
def both(acme: Harness, another: Callable[[str], Harness]) -> tuple[Harness, Harness]:
    """Two workspaces with walruses, of which one has a zebra too."""
    beta = another("beta")
    for harness in (acme, beta):
        for number in range(25):
            text = f"The walrus number{number} of {harness.slug} is a friend of walrus{number * 3}."
            harness.world.add_page(f"{harness.slug} {number}", blocks=[blocks.paragraph(text)])
    beta.world.add_page("Zebra", blocks=[blocks.paragraph("The zebra has stripes.")])
    for harness in (acme, beta):
        harness.world.clock.advance(600)
        harness.sync()
    return acme, beta


@pytest.fixture
def searcher(both: tuple[Harness, Harness], settings: Settings) -> Iterator[Searcher]:
    with Searcher(workspaces=SLUGS, settings=settings) as searcher:
        yield searcher


def test_hits_of_all_stand_in_one_order_and_say_their_workspace(searcher: Searcher, settings: Settings) -> None:
    found = searcher.search("walrus number3", 10)
    scores = [hit.score for hit in found.hits]
    assert len(scores) == 10 and scores == sorted(scores, reverse=True)
    assert {hit.workspace for hit in found.hits[:2]} == set(SLUGS)
    assert all(hit.title.startswith(hit.workspace) for hit in found.hits)
    with Searcher("beta", settings=settings) as alone:
        assert {hit.workspace for hit in alone.search("walrus").hits} == {"beta"}


@pytest.mark.parametrize("ranking", ["lexical", "dense", "fused"])
@pytest.mark.parametrize("k", [1, 7, 20])
def test_further_results_show_nothing_twice_and_leave_nothing_out(
    searcher: Searcher, settings: Settings, ranking: Any, k: int
) -> None:
    found = [searcher.search("walrus", k, ranking=ranking)]
    while (cursor := found[-1].cursor) is not None:
        found.append(searcher.search("walrus", k, ranking=ranking, after=cursor))
    shown = [(hit.workspace, hit.document_id) for results in found for hit in results.hits]
    assert len(shown) == len(set(shown))
    for slug in SLUGS:
        with Searcher(slug, settings=settings) as alone:
            every = {hit.document_id for hit in alone.search("walrus", 200, ranking=ranking).hits}
        assert {document for workspace, document in shown if workspace == slug} == every


def test_no_more_than_two_hundred_can_be_had_of_all_together(
    searcher: Searcher, both: tuple[Harness, Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arcana_pipelines.retrieval.several.DEEPEST", 40)
    found = [searcher.search("walrus", 15)]
    while (cursor := found[-1].cursor) is not None:
        found.append(searcher.search("walrus", 15, after=cursor))
    assert [len(results.hits) for results in found] == [15, 15, 10]


def test_a_workspace_where_nothing_relevant_was_found_does_not_come_back_later(searcher: Searcher) -> None:
    found = [searcher.search("zebra stripes", 1)]
    assert [hit.title for hit in found[0].hits] == ["Zebra"] and not found[0].nearest
    while (cursor := found[-1].cursor) is not None:
        found.append(searcher.search("zebra stripes", 1, after=cursor))
    assert {hit.workspace for results in found for hit in results.hits} == {"beta"}
    nothing = searcher.search("qwxzvk jkhgfq")
    assert (nothing.hits, nothing.cursor) == ([], None) and 1 <= len(nothing.nearest) <= 3


def test_a_cursor_of_other_workspaces_or_of_an_older_publish_is_refused(
    searcher: Searcher, both: tuple[Harness, Harness], another: Callable[[str], Harness], settings: Settings
) -> None:
    cursor = searcher.search("walrus", 3).cursor
    assert cursor is not None
    another("gamma").sync()
    for others in (("acme", "gamma"), ("acme", "beta", "gamma"), ("beta", "acme"), ("acme",)):
        with Searcher(workspaces=others, settings=settings) as of_others, pytest.raises(CursorRefused):
            of_others.search("walrus", 3, after=cursor)
    for hostile in (cursor[:-3], cursor + ".", "..", "x", cursor.replace(".", ""), "." * 20_000):
        with pytest.raises(CursorRefused, match="Search again without it"):
            searcher.search("walrus", 3, after=hostile)
    zebra = searcher.search("zebra", 1, ranking="lexical")
    assert [hit.workspace for hit in zebra.hits] == ["beta"] and zebra.cursor is None
    both[1].world.add_page("New", blocks=[blocks.paragraph("walrus")])
    both[1].settle()
    both[1].sync()
    with pytest.raises(CursorRefused, match="index has changed"):
        searcher.search("walrus", 3, after=cursor)


def test_a_workspace_that_cannot_be_searched_is_told(both: tuple[Harness, Harness], settings: Settings) -> None:
    with Searcher(workspaces=("nobody", *SLUGS), settings=settings) as searcher:
        found = searcher.search("walrus", 3)
        assert len(found.hits) == 3 and list(found.not_searched) == ["nobody"]
        assert "no workspace 'nobody'" in found.to_dict()["not_searched"]["nobody"]
        assert searcher.search("walrus", 3, after=found.cursor).hits
        with pytest.raises(UnknownWorkspace, match="nobody"):
            searcher.search("walrus", index="other")
    with Searcher(workspaces=("nobody", "noone"), settings=settings) as searcher, pytest.raises(UnknownWorkspace):
        searcher.search("walrus")


def test_answers_that_follow_tell_it_too(
    both: tuple[Harness, Harness], another: Callable[[str], Harness], settings: Settings
) -> None:
    """Also where it could be searched by then: what it has is missing from the beginning of the answer."""
    with Searcher(workspaces=("late", *SLUGS), settings=settings) as searcher:
        found = searcher.search("walrus", 20)
        late = another("late")
        late.world.add_page("Late", blocks=[blocks.paragraph("A walrus that is late.")])
        late.settle()
        late.sync()
        hits = len(found.hits)
        while found.cursor is not None:
            found = searcher.search("walrus", 20, after=found.cursor)
            hits += len(found.hits)
            assert "search again without the cursor" in found.not_searched["late"]
            assert "late" not in {hit.workspace for hit in found.hits}
        assert hits >= 50
        assert not searcher.search("walrus", 20).not_searched


def test_names_that_cannot_be_are_refused(settings: Settings) -> None:
    wrong: list[Any] = [{}, {"workspace": "a", "workspaces": ["b"]}, {"workspaces": "acme"}, {"workspaces": [7]}]
    wrong += [{"workspaces": ["a\0"]}, {"workspaces": [f"w{number}" for number in range(21)]}]
    for names in wrong:
        with pytest.raises(WrongUse, match=r"^[A-Za-z].*\.$"):
            Searcher(**names, settings=settings)


def test_the_command_takes_several(both: tuple[Harness, Harness], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_command, "open_database", lambda: both[0].database)
    monkeypatch.setattr("arcana_pipelines.cli.one_workspace.open_database", lambda: both[0].database)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(search_command.command, list(arguments))

    for arguments in (("walrus", "-w", "acme", "-w", "beta"), ("-w", "beta", "acme", "walrus")):
        told = json.loads(run(*arguments, "--json").stdout)
        assert {hit["workspace"] for hit in told["hits"]} == set(SLUGS)
    assert "beta: " in run("walrus", "-w", "acme", "-w", "beta").stdout
    partly = run("walrus", "-w", "acme", "-w", "nobody")
    assert partly.exit_code == 3 and "'nobody' was not searched" in partly.stderr and "acme: " in partly.stdout


def test_when_none_of_them_has_an_answer_the_nearest_of_all_are_told(searcher: Searcher) -> None:
    found = searcher.search("qzxv plmwk trrgh")
    assert not found.hits and found.cursor is None
    assert len(found.nearest) == 3


def test_where_one_of_them_has_an_answer_the_nearest_of_the_others_are_not_told(searcher: Searcher) -> None:
    found = searcher.search("zebra stripes")
    assert {hit.workspace for hit in found.hits} == {"beta"} and not found.nearest
