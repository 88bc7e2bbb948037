"""Scores that mean something, and a search that says when it found nothing."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from arcana_pipelines.cli.commands import search as search_command
from arcana_pipelines.cli.main import cli
from arcana_pipelines.cli.output import console
from arcana_pipelines.cli.passage_lines import heading_lines, passage_lines
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes import builds
from arcana_pipelines.lexical import version
from arcana_pipelines.retrieval.best_passage import FoundText
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.excerpts import excerpt
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.fusion import Scored, fuse_as_they_are
from arcana_pipelines.retrieval.relevance import NOTHING_KNOWN, Evidence, calibration_of, evidence
from arcana_pipelines.retrieval.results import Hit, Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

FUSED = calibration_of(MULTILINGUAL_MODEL, "fused", "weighted")
CODED = "The lift is checked by the janitor each Monday, form E-17."


@pytest.fixture
def world() -> NotionWorld:
    world = NotionWorld()
    for number in range(58):
        world.add_page(f"Page {number}", blocks=[blocks.paragraph(f"Room {number} has a view of the sea.")])
    world.add_page("Lift", blocks=[blocks.paragraph(CODED)])
    world.add_page("연차", blocks=[blocks.paragraph("휴가는 사흘 전에 신청합니다.")])
    world.clock.advance(600)
    return world


@pytest.fixture
def filled(acme: Harness) -> Harness:
    acme.sync()
    return acme


def search(acme: Harness, query: str, k: int = 10, **options: Any) -> Results:
    with acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, acme.slug).workspace_id
        return ConnectionSearcher(connection, acme.database.settings, workspace_id).search(
            SearchRequest(query, k, **options)
        )


@pytest.mark.parametrize("query", ["qzxv plmwk trrgh", "ㅁㄴㅇㄹ ㅋㅌㅊㅍ", "8402917 55310"])
def test_what_no_text_speaks_of_is_not_found_and_the_nearest_are_told(filled: Harness, query: str) -> None:
    found = search(filled, query)
    assert found.hits == []
    assert len(found.nearest) == 3
    assert all(0 <= hit.score < 0.2 for hit in found.nearest)
    assert len(search(filled, query, k=2).nearest) == 2
    assert len(search(filled, query, min_score=0).hits) == 10


@pytest.mark.parametrize("query", ["lift janitor", "E-17", "휴가는 언제 신청하나요"])
@pytest.mark.parametrize("ranking", ["fused", "lexical"])
def test_what_a_text_says_is_found(filled: Harness, query: str, ranking: str) -> None:
    found = search(filled, query, ranking=ranking)
    assert found.hits and not found.nearest
    assert found.hits[0].title in ("Lift", "연차")


def test_whoever_asks_for_more_gets_less(filled: Harness) -> None:
    asked = "does the janitor repair bicycles on holidays in the cellar"
    score = search(filled, asked).hits[0].score
    assert 0.2 < score < 0.99
    assert search(filled, asked, min_score=score).hits[0].title == "Lift"
    above = search(filled, asked, min_score=score + 0.001)
    assert not above.hits and above.nearest[0].title == "Lift"


def test_a_score_does_not_depend_on_how_many_hits_are_asked_for(filled: Harness) -> None:
    (one,) = search(filled, "lift janitor", k=1).hits
    assert one.score == search(filled, "lift janitor").hits[0].score


def test_what_filters_leave_is_found_whatever_is_asked(filled: Harness) -> None:
    assert search(filled, "qzxv plmwk", filters=Filters(kinds=["page"])).hits
    assert not search(filled, "qzxv plmwk", filters=Filters(kinds=["page"]), min_score=0.25).hits


def test_an_index_that_an_earlier_release_filled_refuses_nothing_until_it_is_rebuilt(
    filled: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "LEXEMES_VERSION", version.LEXEMES_VERSION + 1)
    assert search(filled, "qzxv plmwk trrgh").hits
    assert not search(filled, "qzxv plmwk trrgh", min_score=0.25).hits


class TestAnIndexOfFewTexts:
    """It refuses what none of them speaks of, as a large one does."""

    @pytest.fixture(params=[1, 2, 3])
    def world(self, request: pytest.FixtureRequest) -> NotionWorld:
        world = NotionWorld()
        world.add_page("연차", blocks=[blocks.paragraph("휴가는 사흘 전에 신청합니다.")])
        for title, text in [("Lift", CODED), ("Lunch", "The canteen has soup on Mondays.")][: request.param - 1]:
            world.add_page(title, blocks=[blocks.paragraph(text)])
        world.clock.advance(600)
        return world

    @pytest.mark.parametrize("ranking", ["fused", "lexical"])
    def test_what_is_there_is_found_and_what_is_not_is_refused(self, filled: Harness, ranking: str) -> None:
        for query in ("휴가는 언제 신청하나요", "연차", "when can I take a vacation", "hoiday 신청"):
            found = search(filled, query, ranking=ranking)
            assert found.hits and found.hits[0].title == "연차" and found.unjudged is None
        for query in ("qzxv plmwk trrgh", "8402917 55310", "김치찌개 맛있게 끓이는 법", "blue sky physics"):
            refused = search(filled, query, ranking=ranking)
            assert not refused.hits and refused.unjudged is None
            assert ranking == "lexical" or refused.nearest

    def test_an_empty_one_has_nothing(self, acme: Harness) -> None:
        found = search(acme, "휴가는 언제")
        assert found.hits == found.nearest == [] and found.unjudged is None and "Nothing is indexed" in found.notes[0]


class TestScoresThatTellNothing:
    """Whatever is nearest is found, and why is told."""

    def test_programs_are_told(self, filled: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
        assert search(filled, "lift").unjudged is None and "unjudged" not in search(filled, "lift").to_dict()
        assert search(filled, "lift", fusion="rrf").unjudged == "not_measured"
        monkeypatch.setattr(builds, "LEXEMES_VERSION", version.LEXEMES_VERSION + 1)
        assert search(filled, "lift").to_dict()["unjudged"] == "outdated_index"

    def test_the_command_tells_people_below_the_hits_once(
        self, filled: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(search_command, "open_database", lambda: filled.database)
        monkeypatch.setattr(builds, "LEXEMES_VERSION", version.LEXEMES_VERSION + 1)
        told = "An earlier release filled the index"

        def said(*arguments: str, first: tuple[str, ...] = ()) -> str:
            return CliRunner().invoke(cli, [*first, "search", filled.slug, "휴가", *arguments]).stdout

        assert said().count(told) == 1
        for quiet in (said(first=("-q",)), said("--min-score", "0"), said("--kind", "page"), said("--json")):
            assert told not in quiet and "사흘" in quiet


@pytest.mark.parametrize("wrong", [-0.1, 1.1, 1e300, float("nan"), float("inf"), True, "0.5"])
def test_a_score_is_between_0_and_1(wrong: Any) -> None:
    with pytest.raises(WrongUse, match=f"min_score of at least 0 and at most 1, not {re.escape(repr(wrong))}"):
        SearchRequest("lift", min_score=wrong)


def test_the_command_says_that_nothing_was_found(filled: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_command, "open_database", lambda: filled.database)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(search_command.command, [filled.slug, *arguments])

    told = run("qzxv plmwk trrgh")
    assert told.exit_code == 0
    assert "Nothing relevant was found; the nearest are:" in told.output and "0 hits" in told.output
    said = json.loads(run("qzxv plmwk trrgh", "--json").stdout)
    assert said["hits"] == [] and len(said["nearest"]) == 3
    assert "nearest" not in json.loads(run("lift janitor", "--json").stdout)
    assert len(json.loads(run("qzxv plmwk trrgh", "--json", "--min-score", "0").stdout)["hits"]) == 10
    assert run("lift", "--min-score", "2").exit_code == 2


@pytest.mark.parametrize(("link", "told"), [(None, "arcana document acme d1"), ("https://x.y/1", "https://x.y/1")])
def test_a_hit_leads_to_its_page_or_to_its_text(
    capsys: pytest.CaptureFixture[str], link: str | None, told: str
) -> None:
    console.cache_clear()
    hit = replace(
        _hit("밸브를 잠급니다.", []), workspace="acme", document_id="d1", link=link, source_path="운영/밸브.md"
    )
    search_command._print_hit(1, hit, several=False)
    console.cache_clear()
    _, passage, *path, last = capsys.readouterr().out.splitlines()
    assert passage == "   밸브를 잠급니다." and last.endswith(told) and ("document" in last) == (link is None)
    assert path == ([] if link else ["   운영/밸브.md"])


@given(st.lists(st.floats(-1, 2), max_size=20), st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1))
def test_scores_keep_the_order_and_are_shares(
    values: list[float], nearness: float, words: float, covered: float
) -> None:
    assert FUSED is not None
    best = list(enumerate(sorted(values, reverse=True)))
    scores = FUSED.scores(best, Evidence(nearness, words, covered))
    assert [chunk for chunk, _ in scores] == [chunk for chunk, _ in best]
    shares = [share for _, share in scores]
    assert shares == sorted(shares, reverse=True)
    assert all(0 <= share <= 1 for share in shares)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_who_is_nearer_has_the_better_score(one: float, other: float) -> None:
    assert FUSED is not None
    (_, far), (_, near) = (
        FUSED.scores([(1, 0.0)], Evidence(nearness, 0.2, 0.2))[0] for nearness in sorted((one, other))
    )
    assert far <= near


def test_the_evidence_is_that_of_the_best() -> None:
    candidates = [Scored(1, 2.0, 0.1), Scored(2, 4.0, 0.5, covered=0.7)]
    assert evidence([(2, 0.9), (1, 0.2)], candidates, 8.0) == Evidence(0.5, 0.5, 0.7)
    assert evidence([], [], 0.0) == NOTHING_KNOWN


def test_where_another_is_nearer_than_the_first_the_evidence_is_the_mean_of_both() -> None:
    candidates = [Scored(1, 0.0, 0.5, covered=0.0), Scored(2, 4.0, 0.25, covered=0.8)]
    assert evidence([(2, 0.9), (1, 0.2)], candidates, 8.0) == Evidence(0.375, 0.5, 0.4)


def test_where_the_first_says_all_that_is_asked_for_the_nearest_takes_nothing_from_it() -> None:
    candidates = [Scored(1, 0.0, 0.1, covered=0.0), Scored(2, 4.0, 0.0, covered=1.0)]
    assert evidence([(2, 0.9), (1, 0.2)], candidates, 8.0).covered == 1.0


def test_by_words_alone_the_first_is_all_that_is_known() -> None:
    candidates = [Scored(1, 1.0, 0.0, covered=0.0), Scored(2, 4.0, 0.0, covered=1.0)]
    assert evidence([(2, 0.9), (1, 0.2)], candidates, 8.0).covered == 1.0


def test_a_text_that_says_what_is_asked_for_comes_before_one_that_is_as_near() -> None:
    same, says = Scored(1, 0.0, 0.3), Scored(2, 0.0, 0.3, is_same_language=False, covered=0.5)
    assert fuse_as_they_are([same, says], 10.0)[0][0] == 2


def test_the_words_of_a_question_do_not_put_texts_of_another_language_last() -> None:
    own = [Scored(number, 2.0, 0.3) for number in range(10)]
    other = [Scored(100 + number, 0.0, 0.35, is_same_language=False) for number in range(5)]
    assert fuse_as_they_are([*own, *other], 10.0)[0][0] == 100
    assert fuse_as_they_are([*own, *other, Scored(99, 9.0, 0.3)], 10.0)[0][0] == 99, "it has nearly all the words"


def test_words_count_more_where_all_that_is_near_is_in_the_language_of_the_question() -> None:
    near, worded = Scored(1, 0.0, 0.5), Scored(2, 4.0, 0.3)
    others = [Scored(3 + number, 0.0, 0.2, is_same_language=False) for number in range(8)]
    assert fuse_as_they_are([near, worded], 10.0)[0][0] == 2
    assert fuse_as_they_are([near, worded, *others], 10.0)[0][0] == 1


def test_a_list_is_printed_as_a_list_and_a_long_text_from_a_sentence_on() -> None:
    shown, spans = excerpt(_hit("Do this:\n- call the guard\n- wait", []), search_command.SHOWN)
    assert shown.splitlines() == ["Do this:", "- call the guard", "- wait"] and not spans
    long = "It was long ago. " * 60 + "Then the badge was lost. " + "It was found. " * 60
    place = long.index("badge")
    shown, ((begin, end),) = excerpt(_hit(long, [(place, place + 5)]), search_command.SHOWN)
    assert shown.startswith("… Then the badge was lost.") and shown[begin:end] == "badge"


def test_the_passage_of_an_inner_item_stands_below_its_parents_with_the_number_that_it_has() -> None:
    text = "- Release\n  1. look about\n  1. press blue\n  1. report"
    passage = FoundText("Robots", text, [], is_first=False, near={2: 1.0}).best_passages({})[0]
    assert passage is not None
    assert passage.text == "- Release\n  1. look about\n  2. press blue\n  3. report"
    assert text[passage.begin : passage.end] == text
    assert passage.text[slice(*passage.best)] == "  2. press blue"


@pytest.mark.parametrize("line", ["A line that is longer than a terminal is wide. " * 4, "가나다라 마바사 " * 20])
def test_a_hit_is_printed_whole_where_no_terminal_is(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    out = io.StringIO()
    monkeypatch.setattr(search_command, "console", lambda: Console(file=out, soft_wrap=True, width=40))
    search_command._print_hit(1, _hit(line.strip(), []), several=False)
    assert f"   {line.strip()}\n" in out.getvalue()


@pytest.mark.parametrize(
    ("version", "is_past", "facts"),
    [
        (1, False, "0.50  edited 2026-03-04"),
        (2, False, "0.50  version 2, edited 2026-03-04"),
        (1, True, "0.50  version 1, edited 2026-03-04"),
    ],
)
def test_the_version_stands_there_where_it_is_not_the_first_or_the_past_is_searched(
    capsys: pytest.CaptureFixture[str], version: int, is_past: bool, facts: str
) -> None:
    hit = replace(_hit("It says.", []), version=version, last_edited_at="2026-03-04T05:06:07Z")
    search_command._print_hit(1, hit, several=False, is_past=is_past)
    assert capsys.readouterr().out.splitlines()[0] == f"1. Title  {facts}"


@pytest.mark.parametrize(
    ("scores", "least", "shown"),
    [
        ([0.78, 0.05, 0.14, 0.08, 0.02], 0.13, "FFFww"),
        ([0.78, 0.05], 0.0, "FF"),
        ([0.9, 0.13], 0.13, "FF"),
        ([0.1, 0.05], 0.13, "FF"),  # behind a cursor
        ([], 0.13, ""),
    ],
)
def test_behind_the_last_hit_that_may_answer_each_is_one_line(
    capsys: pytest.CaptureFixture[str], scores: list[float], least: float, shown: str
) -> None:
    hits = [replace(_hit("What it says.", []), score=score, heading_path=["Heading"]) for score in scores]
    search_command._print(Results(hits, 0.1, least=least), several=False)
    lines = capsys.readouterr().out.splitlines()
    numbered = [(at, line) for at, line in enumerate(lines) if re.match(r"\d+\. Title > Heading  0\.\d\d", line)]
    assert [line[0] for _, line in numbered] == [str(number) for number in range(1, len(scores) + 1)]
    assert "".join("F" if lines[at + 1] == "   What it says." else "w" for at, _ in numbered) == shown
    assert lines.count("weaker:") == ("w" in shown)
    assert "least" not in Results(hits, 0.1, least=least).to_dict()


def test_on_a_terminal_the_lines_of_a_hit_stand_below_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(
        search_command,
        "console",
        lambda: Console(file=out, soft_wrap=True, width=20, force_terminal=True, color_system=None),
    )
    search_command._print_hit(1, _hit("one two three four five six", []), several=False)
    assert out.getvalue().splitlines()[1:-1] == ["   one two three", "   four five six"], "no blanks behind them"


def test_a_list_keeps_its_nesting_and_what_is_broken_stands_below_the_item(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(
        search_command,
        "console",
        lambda: Console(file=out, soft_wrap=True, width=30, force_terminal=True, color_system=None),
    )
    text = "   - graded by two people, neither of them its author\n     and late\n4. Team day\n"
    text += "   1. 오전에 모두 모여서 함께 걷는다"
    search_command._print_hit(1, _hit(text, []), several=False)
    assert out.getvalue().splitlines()[1:-1] == [
        "     - graded by two people,",
        "       neither of them its",
        "       author",
        "       and late",
        "   4. Team day",
        "     1. 오전에 모두 모여서",
        "        함께 걷는다",
    ]


def test_code_and_text_behind_a_list_stay_as_far_in_as_they_are() -> None:
    out = Console(file=io.StringIO())
    text = "- one\n\nText\ndef double(x):\n    return 2 * x"
    assert [line.plain for line in passage_lines(out, Text(text))] == [
        "   - one", "", "   Text", "   def double(x):", "       return 2 * x"
    ]  # fmt: skip


def test_a_passage_that_begins_with_an_inner_item_shows_that_it_is_one() -> None:
    text = f"1. {'Review ' * 60}\n   - {'graded by two people ' * 14}\n1. Team day"
    passage = FoundText("Robots", text, [], is_first=True, near={1: 1.0, 2: 0.5}).best_passages({})[0]
    assert passage is not None and passage.text.startswith("   - graded by") and passage.text.endswith("\n2. Team day")


@pytest.mark.parametrize("end", ["and the lot number is on the door.", "It has a number. It is on the door of it."])
def test_a_text_is_not_cut_a_few_words_before_its_end(end: str) -> None:
    text = f"{'For stings, pour hot water. ' * 13}{end}"
    assert len(text) - len(end) < 380 and excerpt(_hit(text, []), 380) == (text, [])


@pytest.mark.parametrize("sentence", ["Pour hot water on the sting. ", "쏘인 곳에 뜨거운 물을 붓고 기다린다. "])
def test_a_text_is_cut_at_the_end_of_a_sentence(sentence: str) -> None:
    shown, _ = excerpt(_hit(sentence * 30, []), search_command.SHOWN)
    assert shown.endswith(f"{sentence.strip()} …") and abs(len(shown) - search_command.SHOWN) < len(sentence) + 3


def test_a_text_without_an_end_of_a_sentence_is_cut_behind_a_word() -> None:
    shown, _ = excerpt(_hit("stonefish " * 100, []), search_command.SHOWN)
    assert shown.endswith(" stonefish …") and len(shown) <= search_command.SHOWN + 2


def _hit(text: str, marked: list[tuple[int, int]]) -> Hit:
    return Hit(
        score=0.5, document_id="d", external_id="e", kind="page", title="Title", url=None, link=None, path="w.p",
        heading_path=[], position=0, text=text, version=1, last_edited_at=None, highlights=marked, workspace="acme",
    )  # fmt: skip


def test_a_heading_is_broken_where_the_terminal_ends_and_nowhere_else() -> None:
    heading, facts = Text("1. Vacation policy > How many days"), Text("0.94  edited 2026-11-29")

    def lines(out: Console, heading: Text) -> list[str]:
        return [line.plain for line in heading_lines(out, heading, facts)]

    narrow, wide = Console(width=40, force_terminal=True), Console(width=62, force_terminal=True)
    assert lines(narrow, heading) == [heading.plain, f"   {facts}"]
    assert lines(wide, heading) == [f"{heading}  {facts}"]
    assert lines(Console(width=61, force_terminal=True), heading) == [heading.plain, f"   {facts}"]
    assert lines(Console(width=40, force_terminal=False), heading) == [f"{heading}  {facts}"]


@pytest.mark.parametrize("title", ["휴가와 연차 규정 안내 ", "서버_장애_대응_절차와_비상_연락망_", "Kimchi 🍜 김치 "])
@pytest.mark.parametrize("width", range(28, 121, 7))
def test_no_line_of_a_heading_is_wider_than_the_terminal_and_no_date_is_broken(title: str, width: int) -> None:
    out = Console(width=width, force_terminal=True)
    for times in range(1, 9):
        heading = Text(f"1. {title * times}".rstrip())
        found = list(heading_lines(out, heading, Text("0.94  edited 2026-11-29")))
        assert all(line.cell_len <= width for line in found)
        assert found[-1].plain.endswith("0.94  edited 2026-11-29")
        said = "".join(line.plain for line in found).replace(" ", "")
        assert said == f"{heading}0.94edited2026-11-29".replace(" ", "")


class TestCodes:
    """A code that no text has is told, and the page of another one is no answer."""

    @pytest.fixture
    def world(self) -> NotionWorld:
        world = NotionWorld()
        texts = {
            "Error E12": "E12 on the display of the oven: the door does not close. Clean the seal.",
            "OR-5000": "The oven OR-5000 costs 4,300 euros and bakes 60 loaves.",
            "K-300": "The mixer K-300 has a warranty of three years. Grease it every 500 hours.",
            "Returns": "The oven is reset with the red button behind the flap, for all models.",
            "Norms": "Bakeries follow ISO 9001 and the form EX_7.",
            "Bread": "The bread of the week is made of spelt, number 6000 of our list.",
        }
        for title, text in texts.items():
            world.add_page(title, blocks=[blocks.paragraph(text)])
        world.clock.advance(600)
        return world

    @pytest.mark.parametrize(
        ("query", "code"),
        [("what is error E99", "E99"), ("price of OR-6000", "OR-6000"), ("K-500 warranty", "K-500"),
         ("what costs OR 6000", "OR 6000"), ("e_13", "e_13"), ("ISO-9002", "ISO-9002"), ("F 7은 뭐예요", "F 7")],
    )  # fmt: skip
    @pytest.mark.parametrize("ranking", ["fused", "lexical"])
    def test_one_that_no_text_has_is_told_and_refused(
        self, filled: Harness, query: str, code: str, ranking: str
    ) -> None:
        found = search(filled, query, ranking=ranking)
        assert found.notes == [f"No text has '{code}'."] and not found.hits
        assert search(filled, query, min_score=0, ranking=ranking).notes == found.notes

    def test_who_mentions_one_beside_what_is_answered_is_answered(self, filled: Harness) -> None:
        found = search(filled, "How do I reset the oven with the red button, model X-77?")
        assert found.hits[0].title == "Returns" and found.notes == ["No text has 'X-77'."]

    @pytest.mark.parametrize(
        ("query", "title"),
        [("error E-12", "Error E12"), ("e 12", "Error E12"), ("E_12 뜨는데", "Error E12"), ("OR 5000", "OR-5000"),
         ("what costs or5000", "OR-5000"), ("k300", "K-300"), ("ISO9001", "Norms"), ("iso-9001", "Norms"),
         ("EX7", "Norms")],
    )  # fmt: skip
    @pytest.mark.parametrize("ranking", ["fused", "lexical"])
    def test_one_that_is_written_otherwise_finds_its_page(
        self, filled: Harness, query: str, title: str, ranking: str
    ) -> None:
        found = search(filled, query, ranking=ranking)
        assert found.hits[0].title == title and found.notes == []

    def test_it_is_marked_as_the_text_has_it(self, filled: Harness) -> None:
        for query in ("e 12", "E-12", "e12"):
            hit = search(filled, query).hits[0]
            assert {hit.text[begin:end] for begin, end in hit.highlights} == {"E12"}
