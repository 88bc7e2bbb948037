"""The part of a found chunk that is shown, and what is read along with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from arcana_pipelines.chunking.headings import Heading
from arcana_pipelines.retrieval.best_passage import FoundText
from arcana_pipelines.retrieval.excerpts import excerpt, excerpt_too
from arcana_pipelines.retrieval.results import Hit, Passage

TABLE = "| Group | Days |\n| --- | --- |\n| Rays | 60 |\n| Sea horses, pipefish | 90 |"
CLOCK = "The clock starts again for the whole tank."


def shown(text: str, near: Mapping[int, float], kind: str = "page", *headings: Heading) -> Passage:
    """Of the chunk; `near` are the similarities of its passages."""
    passage = FoundText("Robots", text, headings, is_first=False, near=near, kind=kind).best_passages({})[0]
    assert passage is not None
    return passage


def best(passage: Passage) -> str:
    return passage.text[slice(*passage.best)]


def test_the_rows_above_a_remark_are_read_along_with_it() -> None:
    text = f"{TABLE}\n\n{CLOCK}"
    passage = shown(text, {2: 0.5})
    assert passage.text == f"Group: Rays | Days: 60\nGroup: Sea horses, pipefish | Days: 90\n{CLOCK}"
    assert best(passage) == CLOCK
    assert text[passage.begin : passage.end].startswith("| Rays | 60 |")


def test_of_what_stands_on_both_sides_the_nearer_is_read_along_until_there_is_enough() -> None:
    rows = [f"- {name} {'says a lot ' * 13}" for name in ("one", "two", "three", "four")]
    nearer_above = shown("\n".join(rows), {0: 0.0, 1: 0.2, 2: 0.5, 3: 0.1})
    assert nearer_above.text == f"{rows[1]}\n{rows[2]}".rstrip() and best(nearer_above).startswith("- three")
    as_near = shown("\n".join(rows), {1: 0.2, 2: 0.5, 3: 0.18})
    assert as_near.text == f"{rows[2]}\n{rows[3]}".rstrip(), "what stands behind it rather than before"


def test_of_korean_half_as_many_letters_are_enough() -> None:
    rows = [f"- {number} {'한참을 이야기한다 ' * 7}" for number in range(4)]
    assert shown("\n".join(rows), {2: 0.5}).text == f"{rows[2]}\n{rows[3]}".rstrip()


@pytest.mark.parametrize("other", ["Eels", "Horses"])
def test_what_stands_under_another_heading_is_not_read_along(other: str) -> None:
    passage = shown(f"## Rays\n\nSixty days.\n\n## Horses\n\nNinety days.\n\n## {other}\n\nTen days.", {1: 0.5})
    assert (passage.text, passage.heading_path) == ("Ninety days.", ["Horses"])


def test_a_long_passage_stands_alone() -> None:
    long = "Whoever leaves last locks the door. " * 12
    assert shown(f"Before.\n\n{long}\n\nBehind.", {1: 0.5}).text == long.rstrip()


def test_what_a_page_says_above_its_headings_has_to_be_clearly_nearer() -> None:
    text = "All about leave.\n\n## Days\n\nTwenty-eight days."
    assert shown(text, {0: 0.5, 1: 0.4}).text == "Twenty-eight days."
    assert shown(text, {0: 0.7, 1: 0.4}).text == "All about leave."
    assert shown(text, {0: 0.5, 1: 0.4}, "page", Heading(1, "Leave")).text == "All about leave.", "it stands under one"


def test_without_vectors_it_is_as_good() -> None:
    found = FoundText("Leave", "All about leave.\n\n## Days\n\nMany.", [], is_first=False).best_passages({})[0]
    assert found is not None and found.text == "All about leave."


@pytest.mark.parametrize(("kind", "told"), [("ticket", "Clean both bars."), ("page", "The dock shows D-12.")])
def test_in_a_ticket_an_agent_s_message_answers_rather_than_the_customer_s(kind: str, told: str) -> None:
    text = "The dock shows D-12.\n\n## Agent Sofie · 2026-01-22 07:30\n\nClean both bars."
    assert shown(text, {0: 0.9, 1: 0.7}, kind).text == told


@pytest.mark.parametrize("most", [60, 100, 400])
def test_a_long_passage_is_cut_around_what_answers_best(most: int) -> None:
    items = "\n".join(f"- the badge of gate {number} is white" for number in range(6))
    text = f"{items}\n- the code is 4711\n{items}"
    begin = text.index("- the code")
    marked = [(at, at + 5) for at in range(len(text)) if text.startswith("badge", at)]
    hit = Hit(
        score=0.5, document_id="d", external_id="e", kind="page", title="Title", url=None, link=None, path="w.p",
        heading_path=[], position=0, text=text, version=1, last_edited_at=None,
        passage=Passage(0, len(text), [], text, (begin, begin + 18), marked),
    )  # fmt: skip
    told, spans = excerpt(hit, most)
    assert "- the code is 4711" in told and len(told) <= most + 44
    assert {told[one:other] for one, other in spans} <= {"badge"}


def hit_of(text: str, passages: list[Passage]) -> Hit:
    passage, also = [*passages, None, None][:2]
    return Hit(
        score=0.5, document_id="d", external_id="e", kind="page", title="Title", url=None, link=None, path="w.p",
        heading_path=[], position=0, text=text, version=1, last_edited_at=None, passage=passage, also=also,
    )  # fmt: skip


LONG = "says a lot " * 26
STEPS = "\n".join(f"1. {step} {LONG}".rstrip() for step in ("Look", "Ring", "Wait", "Go"))
ROWS = "\n".join(f"| {step} | {LONG}|" for step in ("Look", "Ring", "Wait", "Go"))
TABLE_OF_STEPS = f"| Step | How |\n| --- | --- |\n{ROWS}"
SENTENCES = " ".join(f"{step} {LONG}".rstrip() + "." for step in ("Look", "Ring", "Wait", "Go"))
SATZ = " ".join(f"{step} {'한참을 이야기한다 ' * 14}".rstrip() + "." for step in "가나다라")


class TestWhatIsLeftOut:
    """`…` stands where a list, a table or a paragraph begins before what is shown of it, or goes on behind it."""

    @pytest.mark.parametrize("text", [STEPS, TABLE_OF_STEPS, SENTENCES, SATZ])
    @pytest.mark.parametrize(
        ("best", "begins", "ends"),
        [(0, False, True), (1, True, True), (3, True, False)],
        ids=["first", "middle", "last"],
    )
    def test_it_is_told_and_shown(self, text: str, best: int, begins: bool, ends: bool) -> None:
        for above, below in (("", ""), ("Before.\n\n", "\n\nBehind.")):
            whole = f"## Heading\n\n{above}{text}{below}"
            number = best + bool(above)
            found = FoundText("Title", whole, [], is_first=True, near={number: 0.5}).best_passages({})
            assert (found[0].begins_inside, found[0].ends_inside) == (begins, ends)
            told, _ = excerpt(hit_of(whole, found), 700)
            assert (told.startswith("…"), told.endswith("…")) == (begins, ends)
            is_line = text not in (SENTENCES, SATZ)
            assert (told.startswith("…\n"), told.endswith("\n…")) == (begins and is_line, ends and is_line)

    @pytest.mark.parametrize("text", [STEPS, TABLE_OF_STEPS])
    def test_a_chunk_that_begins_or_ends_in_the_middle_is_one_too(self, text: str) -> None:
        page = f"Before.\n\n{text}\n\nBehind."
        lines = text.split("\n")
        header = lines[:2] if text.startswith("|") else []
        for first, last, begins, ends in ((-4, -2, False, True), (-3, -1, True, True), (-2, None, True, False)):
            chunk = "\n".join([*header, *lines[first:last]])
            found = FoundText("Title", chunk, [], is_first=False, near={0: 0.5, 1: 0.49}, page=page).best_passages({})
            told = [excerpt(hit_of(chunk, found[:1]), 2000)[0], *(excerpt(hit_of(chunk, found[1:]), 2000)[0],)]
            assert told[0].startswith("…\n") == begins
            assert told[-1].endswith("\n…") == ends

    def test_paragraphs_rows_and_items_that_are_shown_whole_have_none(self) -> None:
        text = f"One.\n\n- first\n- second\n\n{TABLE}\n\nTwo."
        for number in range(6):
            (passage,) = FoundText("Title", text, [], is_first=False, near={number: 0.5}, page=text).best_passages({})
            assert not (passage.begins_inside or passage.ends_inside)

    def test_what_is_cut_for_a_reader_is_marked_between_lines(self) -> None:
        items = [f"- the gate {number} {'is white ' * 5}".rstrip() for number in range(9)]
        text = "\n".join(items)
        begin = text.index(items[4])
        passage = Passage(0, len(text), [], text, (begin, begin + len(items[4])))
        told, _ = excerpt(hit_of(text, [passage]), 100)
        assert told == f"…\n{items[4]}\n{items[5]}\n…"

    def test_between_two_passages_under_one_heading_it_stands_once(self) -> None:
        rows = "\n".join(f"- {letter * 60}." for letter in "abcdefghij")
        near = dict.fromkeys(range(10), 0.0) | {3: 0.5, 9: 0.48}
        found = FoundText("Letters", rows, [], is_first=True, near=near).best_passages({})
        hit = hit_of(rows, found)
        assert found[0].begins_inside and found[0].ends_inside and found[1].begins_inside
        assert excerpt(hit, 400)[0].startswith("…\n") and not excerpt(hit, 400)[0].endswith("…")
        assert not excerpt_too(hit, 400)[0].startswith("…")


class TestWhatIsEmpty:
    """Its vector is that of the headings above it, which are near to every question about them."""

    TABLE = "| Group | Days |\n| --- | --- |\n|  |  |\n| Rays | 60 |\n|  |  |\n| Eels | 40 |"

    def test_no_empty_row_is_chosen_and_none_is_read_along(self) -> None:
        found = FoundText("Robots", self.TABLE, [], is_first=False, near={0: 0.9, 1: 0.5, 2: 0.9, 3: 0.1})
        (passage,) = found.best_passages({})
        assert passage.text == "Group: Rays | Days: 60\nGroup: Eels | Days: 40"
        assert best(passage) == "Group: Rays | Days: 60"

    @pytest.mark.parametrize("text", ["\t", "\u202e", "| Group |\n| --- |\n|  |"])
    def test_a_text_with_nothing_to_read_has_no_passage(self, text: str) -> None:
        assert FoundText("Robots", text, [], is_first=False, near={0: 0.9}).best_passages({}) == []


class TestAnotherPassageThatIsNearlyAsGood:
    LEAVE = (
        "## How many days\n\nEighteen days a year.\n\n## How to ask\n\nIn the portal.\n\n"
        "## Carry-over\n\nFive days move on."
    )

    def _found(self, near: dict[int, float]) -> list[Passage]:
        return FoundText("Leave", self.LEAVE, [], is_first=False, near=near).best_passages({})

    def test_it_is_shown_too_with_its_own_heading(self) -> None:
        first, other = self._found({0: 0.6, 1: 0.1, 2: 0.55})
        assert (first.heading_path, first.text) == (["How many days"], "Eighteen days a year.")
        assert (other.heading_path, other.text) == (["Carry-over"], "Five days move on.")
        assert self.LEAVE[other.begin : other.end] == other.text

    def test_one_that_is_less_good_is_not(self) -> None:
        assert len(self._found({0: 0.6, 1: 0.1, 2: 0.5})) == 1

    def test_by_words_alone_there_is_one(self) -> None:
        assert len(self._found({})) == 1

    def test_what_is_read_along_with_the_first_is_not_shown_twice(self) -> None:
        text = "\n\n".join(f"{letter * 60}." for letter in "abcdefghij")
        near = dict.fromkeys(range(10), 0.5)
        first, other = FoundText("Letters", text, [], is_first=False, near=near).best_passages({})
        assert first.end <= other.begin or other.end <= first.begin

    def test_what_says_the_same_under_the_same_heading_is_not_shown(self) -> None:
        text = "Ask the office.\n\n" + "\n\n".join(f"{letter * 150}." for letter in "abcd") + "\n\nAsk the office."
        near = {0: 0.9, 5: 0.9}
        assert len(FoundText("Office", text, [], is_first=False, near=near).best_passages({})) == 1

    def test_a_reader_is_shown_both(self) -> None:
        first, other = self._found({0: 0.6, 1: 0.1, 2: 0.55})
        hit = Hit(
            score=0.5, document_id="d", external_id="e", kind="page", title="Leave", url=None, link=None, path="w.p",
            heading_path=[], position=0, text=self.LEAVE, version=1, last_edited_at=None, passage=first, also=other,
        )  # fmt: skip
        assert excerpt(hit, 400)[0] == "Eighteen days a year." and excerpt_too(hit, 200)[0] == "Five days move on."
        assert excerpt_too(replace(hit, also=None), 200) == ("", [])
