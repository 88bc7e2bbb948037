"""Addresses that browsers scroll to a place of a page."""

from __future__ import annotations

import pytest

from arcana_pipelines.retrieval.best_passage import FoundText
from arcana_pipelines.retrieval.results import Passage
from arcana_pipelines.retrieval.scroll_links import first_words, has_words, scroll_to

URL = "https://notion.so/p"
PAGE = (
    "The amounts are in euros.\n\n## Meals\n\n### Amounts\n\nLunch costs twelve euros a day.\n\n"
    "## Hotels\n\n### Amounts\n\n| Town | Night |\n| --- | --- |\n| Busan | 90 |\n\n"
    "Of more than that the team lead knows."
)


def test_a_heading_is_looked_for_alone_or_behind_the_first_words_below_it() -> None:
    assert scroll_to(URL, "연차 이월") == f"{URL}#:~:text=%EC%97%B0%EC%B0%A8%20%EC%9D%B4%EC%9B%94"
    assert scroll_to(URL, "Amounts", "Of more than that the team lead knows.") == (
        f"{URL}#:~:text=Of%20more%20than%20that%20the&text=Amounts"
    )
    assert scroll_to(URL, "Amounts", "| 90 |") == f"{URL}#:~:text=Amounts", "they may stand anywhere"
    assert scroll_to(URL, "", "") == URL


@pytest.mark.parametrize("heading", ["Carry-over", "-", "A, B", "Q&A"])
def test_signs_that_mean_something_in_such_an_address_are_encoded(heading: str) -> None:
    fragment = scroll_to(URL, heading).partition(":~:text=")[2]
    assert not set(fragment) & set("-,&")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Lunch costs twelve euros a day.", "Lunch costs twelve euros a"),
        ("1. Weigh the turtle, look for a tag", "Weigh the turtle, look for"),
        ("- [ ] ask the **team lead** before you go there", "before you go there"),
        ("| Busan | 90 |\n| Seoul | of more the team lead knows |", "of more the team lead"),
        ("> 팀장에게 먼저 물어본다", "팀장에게 먼저 물어본다"),
        ("Two words", ""),
    ],
)
def test_the_words_stand_in_a_row_on_the_page_without_marks_of_markdown(text: str, words: str) -> None:
    assert first_words(text) == words


def test_a_browser_finds_whole_words_in_any_case() -> None:
    assert has_words("the daily AMOUNTS are", "Daily amounts")
    assert not has_words("연차는 남는다", "연차") and not has_words("payment", "pay")


@pytest.mark.parametrize(
    ("said", "is_named"),
    [("Lunch costs twelve euros", True), ("Of more than that", True), ("The amounts are", False)],
)
def test_where_a_heading_stands_earlier_the_passage_itself_is_looked_for(said: str, is_named: bool) -> None:
    begin = PAGE.index(said)
    headings = ["Hotels", "Amounts"] if is_named else []
    text = FoundText("Travel", PAGE, [], is_first=False, page=PAGE)
    below = text.below_heading(Passage(begin, begin + 40, headings, "", (0, 0)))
    assert bool(below) is is_named


@pytest.mark.parametrize("page", [PAGE, None])
def test_a_heading_that_is_the_first_to_have_its_words_leads_there(page: str | None) -> None:
    text = FoundText("Travel", PAGE, [], is_first=False, page=page)
    begin = PAGE.index("| Busan")
    below = text.below_heading(Passage(begin, begin + 14, ["Hotels"], "", (0, 0)))
    assert bool(below) is (page is None), "of a long page that is not known"


def test_the_words_of_a_title_stand_earlier() -> None:
    page = "## Travel\n\nTravel by train where one goes."
    text = FoundText("Travel costs", f"# Travel costs\n\n{page}", [], is_first=True, page=page)
    begin = text.text.index("Travel by")
    assert text.below_heading(Passage(begin, begin + 15, ["Travel"], "", (0, 0))) == "Travel by train"


def test_the_words_of_a_passage_above_are_earlier_and_those_below_are_not() -> None:
    page = "## Rest\n\nOne day of rest.\n\n## Pay\n\nThe pay and the rest come later."
    text = FoundText("Nights", page, [], is_first=False, page=page)
    for heading, said in (("Rest", "One day"), ("Pay", "The pay")):
        begin = page.index(said)
        assert text.below_heading(Passage(begin, begin + 10, [heading], "", (0, 0))) == "", heading
