"""`arcana taxonomy queue`, `accept`, `reject` and `rule`: a person's word, at the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines_tests.classification.handbook import Handbook
from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def handbook(acme: Harness) -> Iterator[Handbook]:
    """Two pages, and a taxonomy of five topics that is active."""
    with acme.database.connection() as connection:
        handbook = Handbook.of(acme, connection)
        handbook.page("Vacation policy", "vacation days off and holiday")
        handbook.page("배터리 관리", "battery charge and swelling of a cell")
        handbook.sync()
        handbook.release()
        yield handbook


@pytest.fixture
def arcana(acme: Harness, tmp_path: Path) -> Arcana:
    return Arcana(acme.environment, tmp_path)


def told(arcana: Arcana, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What a program is told: exactly one object."""
    done = arcana.here("taxonomy", *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    held = json.loads(line)
    assert isinstance(held, dict)
    return held


def said(arcana: Arcana, *arguments: str, code: int = 0) -> str:
    """What a person sees, blanks as one."""
    done = arcana.here("taxonomy", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_what_waits_is_listed_with_why_and_what_else(handbook: Handbook, arcana: Arcana) -> None:
    assert said(arcana, "queue", "acme") == "Nothing of 'acme' waits for a person."
    handbook.classify()
    page = told(arcana, "queue", "acme")
    assert (page["workspace"], page["version"], page["documents"], page["after"]) == ("acme", "1.0.0", 2, None)
    rows = {row["title"]: row for row in page["rows"]}
    row = rows["Vacation policy"]
    assert (row["path"], row["origin"], row["kind"], row["rule"]) == ("People/Leave", "nearest", "page", None)
    assert row["document_id"] == str(handbook.document("Vacation policy")) and 0 < row["confidence"] < 1
    assert row["alternatives"] and isinstance(row["alternatives"][0]["path"], str)
    human = said(arcana, "queue", "acme")
    assert "Vacation policy People/Leave" in human and "배터리 관리 Robots/Batteries" in human
    assert "2 of 2 documents." in human
    first = told(arcana, "queue", "acme", "--limit", "1")
    second = told(arcana, "queue", "acme", "--limit", "1", "--after", first["after"])
    assert {each["rows"][0]["title"] for each in (first, second)} == set(rows)
    assert [row["title"] for row in told(arcana, "queue", "acme", "--below", "Robots")["rows"]] == ["배터리 관리"]
    assert told(arcana, "queue", "acme", "--origin", "rule")["rows"] == []


def test_a_suggestion_is_accepted_rejected_or_replaced(handbook: Handbook, arcana: Arcana) -> None:
    handbook.classify()
    done = told(arcana, "accept", "acme", "Vacation policy", "People/Leave")
    assert (done["verdict"], done["path"]) == ("accepted", "People/Leave") and done["by"].startswith("user:")
    assert done["accepted"] == done["node_id"] == str(handbook.node("People/Leave"))
    instead = said(arcana, "accept", "acme", "배터리 관리", "Robots/Batteries", "--instead", "Robots")
    assert instead == "'배터리 관리' is about Robots."
    assert told(arcana, "queue", "acme")["documents"] == 0
    assert "has decided on this" in told(arcana, "reject", "acme", "Vacation policy", "People/Leave", code=2)["error"]


def test_what_is_rejected_does_not_come_back(handbook: Handbook, arcana: Arcana) -> None:
    handbook.classify()
    assert said(arcana, "reject", "acme", "Vacation policy", "People/Leave") == (
        "'Vacation policy' is not about People/Leave."
    )
    handbook.classify()
    suggested = [row["path"] for row in told(arcana, "queue", "acme")["rows"] if row["title"] == "Vacation policy"]
    assert "People/Leave" not in suggested


def test_a_group_is_decided_at_once_and_never_everything(handbook: Handbook, arcana: Arcana) -> None:
    handbook.classify()
    assert "No one can be asked here" in told(arcana, "accept", "acme", "--below", "People", code=2)["error"]
    asked = said(arcana, "accept", "acme", "--below", "People", code=2)
    assert (
        asked.startswith("Vacation policy People/Leave")
        and "Accept what is suggested for 1 document of 'acme'?" in asked
    )
    done = told(arcana, "accept", "acme", "--below", "People", "--yes")
    assert done == {"workspace": "acme", "verdict": "accepted", "decided": 1}
    assert "1 document of 'acme': rejected." in said(arcana, "reject", "acme", "--below", "Robots", "--yes")


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["Vacation policy"], ["Vacation policy", "People", "--below", "AI"], ["--below", "AI", "--instead", "HR"],
        ["Vacation policy", "--rule", "leave"],
    ],
)  # fmt: skip
def test_a_decision_is_on_one_page_or_on_a_group(arcana: Arcana, arguments: list[str]) -> None:
    error = told(arcana, "accept", "acme", *arguments, code=2)["error"]
    assert "Name a page and the topic" in error or "--instead is for one page" in error


def test_a_rule_is_tried_made_listed_and_removed(handbook: Handbook, arcana: Arcana) -> None:
    tried = told(arcana, "rule", "test", "acme", "--title", "vacation", "--title", "휴가", "--topic", "People/Leave")
    assert (tried["documents"], tried["rejected"], tried["elsewhere"], tried["rule"]) == (1, 0, 0, None)
    assert [each["title"] for each in tried["first"]] == ["Vacation policy"]
    made = told(arcana, "rule", "add", "acme", "leave", "People/Leave", "--title", "vacation")
    assert (made["name"], made["path"], made["position"], made["confidence"], made["rests"]) == (
        "leave", "People/Leave", 1, 1.0, None,
    )  # fmt: skip
    assert made["conditions"] == {"title": ["vacation"]} and made["trial"]["documents"] == 1
    handbook.classify()
    assert handbook.topics("Vacation policy") == {"People/Leave": "rule"}
    assert "It finds 1 document: 'Vacation policy'" in said(arcana, "rule", "test", "acme", "leave")
    assert said(arcana, "rule", "list", "acme") == "leave People/Leave --title vacation"
    assert told(arcana, "rule", "list", "acme")["rules"] == [{k: v for k, v in made.items() if k not in _BESIDE}]
    refused = told(arcana, "rule", "remove", "acme", "leave", code=2)["error"]
    assert "Remove the rule 'leave', and what it says of 1 document?" in refused
    removed = told(arcana, "rule", "remove", "acme", "leave", "--yes")
    assert removed == {"workspace": "acme", "rule": "leave", "removed": True, "documents": 1}
    assert "There are no rules in 'acme'." in said(arcana, "rule", "list", "acme")


_BESIDE = {"workspace", "trial"}


def test_a_rule_has_the_conditions_of_a_search(handbook: Handbook, arcana: Arcana) -> None:
    when = '{"filters": {"kinds": ["page"]}, "source_path": "배터리*"}'
    made = told(arcana, "rule", "add", "acme", "cells", "Robots/Batteries", "--when", when, "--confidence", "0.6")
    assert made["conditions"] == json.loads(when) and made["trial"]["first"][0]["title"] == "배터리 관리"
    # Below the threshold it waits for a person, who decides on all of it.
    handbook.classify()
    assert told(arcana, "queue", "acme", "--rule", "cells")["rows"][0]["rule"] == "cells"
    assert told(arcana, "accept", "acme", "--rule", "cells", "--yes")["decided"] == 1
    told(
        arcana,
        "rule",
        "add",
        "acme",
        "below",
        "Robots",
        "--below",
        "배터리 관리",
        "--kind",
        "page",
        "--confidence",
        "0.7",
    )
    typed = said(arcana, "rule", "list", "acme")
    assert "cells Robots/Batteries --source-path '배터리*' --kind page --confidence 0.6" in typed
    assert "below Robots --below '배터리 관리' --kind page --confidence 0.7" in typed, "no ids"
    options = ["--kind", "page", "--below", "배터리 관리", "--source-path", "배터리*"]
    assert told(arcana, "rule", "test", "acme", *options)["documents"] == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["add", "acme", "all", "People"], "A rule without conditions would hold of everything: give --title WORD"),
        (["add", "acme", "x", "Nowhere", "--title", "x"], "There is no topic 'Nowhere'"),
        (["add", "acme", "x", "People", "--title", "x", "--when", "{}"], "--when has all conditions"),
        (["add", "acme", "x", "People", "--when", "{"], "JSON"),
        (["test", "acme"], "Name a rule, or give the conditions"),
        (["test", "acme", "leave", "--title", "x"], "Name a rule, or give the conditions"),
        (["test", "acme", "leave"], "There is no rule 'leave'"),
        (["remove", "acme", "leave"], "There is no rule 'leave'"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(
    handbook: Handbook, arcana: Arcana, arguments: list[str], why: str
) -> None:
    assert why in told(arcana, "rule", *arguments, code=2)["error"]
