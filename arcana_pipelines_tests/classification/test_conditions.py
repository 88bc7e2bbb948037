"""What the conditions of a rule hold of: filters, words of titles in both languages, and places in the source."""

from __future__ import annotations

from typing import Any

import pytest

from arcana_pipelines.classification.conditions import (
    Conditions,
    checked,
    conditions_of,
    matching,
    read_conditions,
    settled,
    told,
)
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines_tests.classification.handbook import Handbook


def _titles(handbook: Handbook, conditions: Conditions) -> list[str]:
    """The titles of the documents of which conditions hold."""
    given = settled(handbook.connection, handbook.workspace_id, conditions)
    statement, parameters = matching(handbook.connection, handbook.workspace_id, given)
    return sorted(title for _, title in handbook.connection.execute(statement, parameters))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("VACATION",), ["Vacation policy"]),
        (("vacation policy",), ["Vacation policy"]),
        (("vaca",), []),
        (("care", "policy"), ["Battery care", "Vacation policy"]),
        (("휴가",), ["휴가 규정"]),
        (("\u1112\u1172\u1100\u1161",), ["휴가 규정"]),
        (("규정", "care"), ["Battery care", "휴가 규정"]),
    ],
    ids=["any case", "two words", "no part of a word", "any of them", "Korean", "decomposed", "both languages"],
)
def test_words_of_the_title(handbook: Handbook, words: tuple[str, ...], found: list[str]) -> None:
    assert _titles(handbook, Conditions(title=words)) == found


def test_a_korean_word_is_found_before_its_particle_and_within_another(handbook: Handbook) -> None:
    for title in ("휴가는 언제", "특별휴가", "휴식"):
        handbook.page(title, "…")
    handbook.sync()
    assert _titles(handbook, Conditions(title=("휴가",))) == ["특별휴가", "휴가 규정", "휴가는 언제"]


def test_words_with_other_signs_are_looked_for_as_they_are(handbook: Handbook) -> None:
    handbook.page("C++ at work", "…")
    handbook.page("Contents", "…")
    handbook.sync()
    assert _titles(handbook, Conditions(title=("c++",))) == ["C++ at work"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("Vacation policy/*", ["휴가 규정"]),
        ("vacation*", ["Vacation policy", "휴가 규정"]),
        ("/Vacation policy", ["Vacation policy"]),
        ("/휴가 규정", []),
        ("휴가 규정", ["휴가 규정"]),
        ("휴가??정", ["휴가 규정"]),
        ("*care", ["Battery care"]),
        ("100%", []),
    ],
)
def test_the_path_in_the_source(handbook: Handbook, pattern: str, found: list[str]) -> None:
    assert _titles(handbook, Conditions(source_path=pattern)) == found


def test_filters_as_in_a_search_and_all_conditions_hold(handbook: Handbook) -> None:
    below = Filters(below="Vacation policy")
    assert _titles(handbook, Conditions(below)) == ["Vacation policy", "휴가 규정"]
    assert _titles(handbook, Conditions(below, title=("규정",))) == ["휴가 규정"]
    assert _titles(handbook, Conditions(below, title=("care",))) == []


def test_rows_of_a_database_by_a_property(handbook: Handbook) -> None:
    database = handbook.acme.world.add_database("Tasks", schema={"Team": "select"})
    for team in ("Robots", "People"):
        handbook.acme.world.add_row(database.data_source_id, f"Task of {team}", {"Team": team})
    handbook.sync()
    of_robots = Filters(properties=(PropertyCondition.parse("Team=Robots"),))
    assert _titles(handbook, Conditions(of_robots)) == ["Task of Robots"]
    assert _titles(handbook, Conditions(Filters(below="Tasks"))) == ["Task of People", "Task of Robots"]
    with pytest.raises(WrongUse, match="A rule names values that are there"):
        _titles(handbook, Conditions(Filters(properties=(PropertyCondition.parse("Team=Nobody"),))))


def test_pages_are_kept_by_id_so_that_a_renamed_one_is_the_same(handbook: Handbook) -> None:
    given = Conditions(Filters(below="Vacation policy"))
    kept = settled(handbook.connection, handbook.workspace_id, given)
    assert kept.filters.below not in (None, "Vacation policy")
    assert conditions_of(told(kept)) == kept


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "no",
        '{"title": []}',
        '{"title": [" "]}',
        '{"title": ["x"], "regex": ".*"}',
        '{"filters": {"kinds": ["song"]}}',
        '{"source_path": "*"}',
        '{"source_path": "/"}',
        '{"source_path": "a*b*c*d*e*f*g*h*i*"}',
        '{"source_path": "' + 501 * "x" + '"}',
        '{"title": ["' + 201 * "x" + '"]}',
        '{"title": [' + ", ".join(f'"{number}"' for number in range(51)) + "]}",
    ],
)
def test_conditions_that_say_nothing_or_too_much_are_refused(text: str) -> None:
    with pytest.raises(WrongUse):
        read_conditions(text)


def test_conditions_are_written_as_they_are_kept() -> None:
    text = '{"filters": {"kinds": ["page"]}, "title": ["휴가"], "source_path": "Policies/*"}'
    kept: dict[str, Any] = {"filters": {"kinds": ["page"]}, "title": ["휴가"], "source_path": "policies/*"}
    assert told(read_conditions(text)) == kept


def test_a_row_of_another_release_is_refused_in_a_sentence() -> None:
    with pytest.raises(WrongUse, match="cannot be meant"):
        conditions_of({"moon": "full"})


def test_words_are_told_once() -> None:
    assert checked(Conditions(title=("Leave", " leave "))).title == ("leave",)
