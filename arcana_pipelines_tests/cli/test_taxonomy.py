"""`arcana taxonomy` as people and programs use it: what it prints, what it refuses, and what each JSON holds."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.harness import Harness

FIRST = "path,label@ko\nAI,인공지능\nAI/RAG,검색 증강\nAI/RAG/Reranking,\nPeople,사람\nPeople/Time off,휴가\n"


@pytest.fixture
def arcana(acme: Harness, tmp_path: Path) -> Arcana:
    """A workspace `acme`, of which nothing was read yet."""
    return Arcana(acme.environment, tmp_path)


@pytest.fixture
def pages(acme: Harness) -> None:
    """Two pages that are searched."""
    acme.world.add_page("Vacation policy", blocks="25 days a year. 연차는 25일입니다.")
    acme.world.add_page("Reranking notes", blocks="A cross-encoder orders what was found.")
    acme.settle()
    acme.sync()


@pytest.fixture
def active(arcana: Arcana, tmp_path: Path) -> Arcana:
    """The same with version 1.0.0 of a taxonomy of five topics, which is active."""
    (tmp_path / "topics.csv").write_text(FIRST, encoding="utf-8")
    told(arcana, "import", "acme", "topics.csv")
    told(arcana, "promote", "acme", "1.0.0", "--yes")
    return arcana


def said(arcana: Arcana, *arguments: str, code: int = 0) -> str:
    """What a person sees, blanks as one."""
    done = arcana.here("taxonomy", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def told(arcana: Arcana, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What a program is told: exactly one object."""
    done = arcana.here("taxonomy", *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    held = json.loads(line)
    assert isinstance(held, dict)
    return held


def lines(arcana: Arcana, *arguments: str) -> list[str]:
    return arcana.here("taxonomy", *arguments).stdout.splitlines()


# Without a taxonomy


@pytest.mark.parametrize(
    "arguments",
    [["show"], ["export"], ["lookup", "AI"], ["rollback"], ["queue"], ["topics"]],
    ids=lambda arguments: arguments[0],
)
def test_a_workspace_without_a_taxonomy_says_so_in_a_sentence(arcana: Arcana, arguments: list[str]) -> None:
    command, *others = arguments
    done = arcana.here("taxonomy", command, "acme", *others)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("Error: ")
    assert "active" in done.stderr and done.stderr.count("\n") == 1


def test_its_status_names_the_next_step(arcana: Arcana) -> None:
    assert said(arcana, "status", "acme").endswith("taxonomy import acme FILE makes a draft of one.")
    status = told(arcana, "status", "acme")
    assert status == {
        "workspace": "acme", "active": None, "versions": [], "topics": None, "rules": 0, "rules_resting": [],
        "settings": {"default_path": None, "topic_properties": [], "accept_at": 0.9, "suggest_at": 0.5},
        "unknown_paths": [],
    }  # fmt: skip


# From an import to a version


def test_an_import_makes_a_draft_and_promote_makes_it_active(arcana: Arcana, tmp_path: Path) -> None:
    (tmp_path / "topics.csv").write_text(FIRST, encoding="cp949")
    draft = told(arcana, "import", "acme", "topics.csv", "--note", "the first")
    assert draft == {
        "workspace": "acme", "version": "1.0.0", "based_on": None, "nodes": 5, "changes": {"add": 5}, "missing": [],
        "notes": [], "source": "topics.csv", "remarks": [], "is_same": False,
        "texts": {"lost": 0, "definition": 0, "synonyms": 0, "names": 0},
    }  # fmt: skip
    assert said(arcana, "show", "acme").startswith("acme 1.0.0 (draft) AI 인공지능")
    dry = told(arcana, "promote", "acme", "1.0.0", "--dry-run")
    assert dry["is_dry"] and dry["added"] == 5
    assert told(arcana, "status", "acme")["active"] is None
    assert "Version 1.0.0 of 'acme' is active." in said(arcana, "promote", "acme", "1.0.0", "--yes")
    status = told(arcana, "status", "acme")
    (version,) = status["versions"]
    assert status["active"] == "1.0.0" and version["note"] == "the first" and version["source"] == "topics.csv"
    assert status["topics"]["nodes"] == 5 and status["topics"]["documents"] == 0
    assert "already" in told(arcana, "promote", "acme", "1.0.0", "--yes", code=2)["error"]


def test_promote_asks_where_a_person_can_answer_and_nowhere_else(arcana: Arcana, tmp_path: Path) -> None:
    (tmp_path / "topics.csv").write_text(FIRST, encoding="utf-8")
    told(arcana, "import", "acme", "topics.csv")
    assert "No one can be asked here: give --yes" in said(arcana, "promote", "acme", "1.0.0", code=2)
    assert "No one can be asked here: give --yes" in told(arcana, "promote", "acme", "1.0.0", code=2)["error"]

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with patch.object(sys, "stdin", Terminal("what?\nn\n")):
        answered = said(arcana, "promote", "acme", "1.0.0", code=1)
    assert "5 added" in answered and answered.endswith("Nothing was changed.")
    with patch.object(sys, "stdin", Terminal("y\n")):
        assert "Version 1.0.0 of 'acme' is active." in said(arcana, "promote", "acme", "1.0.0")


def test_a_version_that_lacks_nodes_is_refused_until_somebody_says_what_becomes_of_them(
    active: Arcana, tmp_path: Path
) -> None:
    (tmp_path / "next.csv").write_text("path,replaces\nAI,\nAI/Search,AI/RAG\n", encoding="utf-8")
    draft = told(active, "import", "acme", "next.csv")
    assert draft["version"] == "1.1.0" and draft["based_on"] == "1.0.0" and draft["changes"] == {"rename": 1}
    assert [node["path"] for node in draft["missing"]] == ["AI/RAG/Reranking", "People", "People/Time off"]
    assert "3 topics of 1.0.0 are missing" in said(active, "import", "acme", "next.csv", "--version", "1.1.0")
    dry = told(active, "promote", "acme", "1.1.0", "--dry-run", code=3)
    assert dry["missing"] == 3 and "--retire-missing" in dry["refused"]
    assert "A promotion would be refused." in said(active, "promote", "acme", "1.1.0", "--dry-run", code=3)
    assert told(active, "promote", "acme", "1.1.0", "--dry-run", "--retire-missing")["refused"] is None
    assert "--retire-missing" in told(active, "promote", "acme", "1.1.0", "--yes", code=2)["error"]
    # It is refused, whether somebody could be asked or not.
    assert "does not say what becomes of" in said(active, "promote", "acme", "1.1.0", code=2)
    assert told(active, "promote", "acme", "1.1.0", "--yes", "--retire-missing")["before"] == "1.0.0"

    back = told(active, "rollback", "acme")
    assert (back["version"], back["before"]) == ("1.0.0", "1.1.0")
    assert told(active, "status", "acme")["active"] == "1.0.0"


def test_a_draft_can_be_dropped_and_a_released_version_cannot(active: Arcana) -> None:
    told(active, "import", "acme", "topics.csv", "--version", "2.0.0")
    assert told(active, "drop", "acme", "2.0.0") == {"workspace": "acme", "version": "2.0.0", "dropped": True}
    assert "Only drafts" in told(active, "drop", "acme", "1.0.0", code=2)["error"]
    assert "no version" in told(active, "drop", "acme", "9", code=2)["error"]


def test_diff_names_each_change_by_its_paths(active: Arcana, tmp_path: Path) -> None:
    shown = {node["path"]: node["node_id"] for node in told(active, "show", "acme")["nodes"]}
    (tmp_path / "next.csv").write_text(
        "node_id,path,retired,replaced_by\n"
        f"{shown['AI']},인공지능,,\n,인공지능/RAG,,\n,인공지능/Ranking,,\n"
        f"{shown['People/Time off']},Time off,,\n"
        f"{shown['AI/RAG/Reranking']},AI/RAG/Reranking,,인공지능/Ranking\n{shown['People']},People,yes,\n",
        encoding="utf-8",
    )
    told(active, "import", "acme", "next.csv")
    diff = told(active, "diff", "acme", "1.0.0", "1.1.0")
    assert diff["counts"] == {"rename": 1, "add": 1, "move": 1, "merge": 1, "retire": 1}
    assert {(change["kind"], change["from_path"], change["to_path"]) for change in diff["changes"]} == {
        ("rename", "AI", "인공지능"),
        ("add", None, "인공지능/Ranking"),
        ("move", "People/Time off", "Time off"),
        ("merge", "AI/RAG/Reranking", "인공지능/Ranking"),
        ("retire", "People", None),
    }
    human = lines(active, "diff", "acme", "1.0.0", "1.1.0")
    assert "~ AI is now 인공지능" in human and "- People is retired" in human
    # The other way round nobody has said anything.
    assert told(active, "diff", "acme", "1.1.0", "1.0.0")["counts"] == {"add": 2, "rename": 1, "move": 1, "gone": 1}


def test_what_topics_lose_and_say_anew_is_told_by_import_diff_and_promote(active: Arcana, tmp_path: Path) -> None:
    (tmp_path / "next.csv").write_text(
        "path,label@ko,definition\nAI,,All of it\nAI/RAG,,\nAI/RAG/Reranking,,\nPeople,사람들,\n"
        "People/Time off,휴가,\n",
        encoding="utf-8",
    )
    told_ = "2 topics lose their definition, synonyms or names in other languages; 1 definition changed or new; "
    assert f"Against 1.0.0: {told_}1 topic with other names" in said(active, "import", "acme", "next.csv")
    diff = told(active, "diff", "acme", "1.0.0", "1.1.0")
    assert diff["counts"] == {} and [(each["path"], each["lost"], each["changed"]) for each in diff["texts"]] == [
        ("AI", ["names"], ["definition"]), ("AI/RAG", ["names"], []), ("People", [], ["names"]),
    ]  # fmt: skip
    assert '" AI/RAG loses its names in other languages' in lines(active, "diff", "acme", "1.0.0", "1.1.0")
    dry = told(active, "promote", "acme", "1.1.0", "--dry-run")
    assert (dry["texts_lost"], dry["texts_changed"]) == (2, 2)
    assert "2 topics lose definitions, synonyms or names" in said(active, "promote", "acme", "1.1.0", "--dry-run")


def test_a_file_of_paths_alone_changes_no_text_and_what_changes_nothing_is_not_to_be_promoted(
    active: Arcana, tmp_path: Path
) -> None:
    (tmp_path / "next.csv").write_text("path\nAI\nAI/RAG/Reranking\nPeople/Time off\n", encoding="utf-8")
    report = told(active, "import", "acme", "next.csv")
    assert report["is_same"] and report["texts"]["lost"] == 0
    shown = said(active, "import", "acme", "next.csv", "--version", "1.1.0")
    assert "no change" in shown and "nothing to promote: arcana taxonomy drop acme 1.1.0" in shown
    assert "promote acme" not in shown


def test_a_path_that_takes_the_place_of_what_never_was_is_refused(active: Arcana, tmp_path: Path) -> None:
    (tmp_path / "next.csv").write_text("path,replaces\nAI,\nAI/Search,AI/RAGG\n", encoding="utf-8")
    error = told(active, "import", "acme", "next.csv", code=2)["error"]
    assert "Row 3 ('AI/Search'): it replaces 'AI/RAGG', which no version has (did you mean 'AI/RAG'" in error


# What it holds


@pytest.mark.usefixtures("pages")
def test_show_prints_a_tree_with_names_in_both_languages_in_columns(active: Arcana) -> None:
    told(active, "assign", "acme", "Vacation policy", "People/Time off")
    assert lines(active, "show", "acme")[1:] == [
        "AI             인공지능",
        "  RAG          검색 증강",
        "    Reranking",
        "People         사람",
        "  Time off     휴가, 1 document",
    ]
    assert lines(active, "show", "acme", "--depth", "1")[1:] == [
        "AI      인공지능, 2 topics below",
        "People  사람, 1 topic below",
    ]
    assert lines(active, "show", "acme", "--below", "AI/RAG")[1:] == ["RAG          검색 증강", "  Reranking"]
    assert "did you mean 'AI/RAG'" in said(active, "show", "acme", "--below", "AI/RAGG", code=2)


def test_show_tells_programs_everything_of_a_node(active: Arcana) -> None:
    shown = told(active, "show", "acme", "--below", "AI/RAG", "--depth", "1")
    (node,) = shown["nodes"]
    assert (shown["version"], shown["state"]) == ("1.0.0", "active")
    assert {**node, "node_id": "", "parent_id": ""} == {
        "node_id": "", "parent_id": "", "label": "RAG", "path": "AI/RAG", "level": 2, "definition": None,
        "synonyms": [], "labels": {"ko": "검색 증강"}, "external_ref": None, "confidence": 1.0, "lft": 2, "rgt": 3,
        "documents": 0, "below": 1,
    }  # fmt: skip


@pytest.mark.parametrize("end", ["csv", "json", "ttl"])
def test_an_import_of_an_export_changes_nothing(active: Arcana, tmp_path: Path, end: str) -> None:
    file = f"out.{end}"
    done = told(active, "export", "acme", file)
    assert (done["version"], done["nodes"], done["bytes"]) == ("1.0.0", 5, (tmp_path / file).stat().st_size)
    assert done["format"] == {"csv": "csv", "json": "json", "ttl": "skos"}[end]
    draft = told(active, "import", "acme", file)
    assert (draft["changes"], draft["missing"], draft["remarks"]) == ({}, [], [])
    assert "is there already" in told(active, "export", "acme", file, code=2)["error"]
    assert "Wrote 5 topics of version 1.0.0" in said(active, "export", "acme", file, "--force")


def test_an_export_without_a_file_goes_to_standard_output(active: Arcana) -> None:
    rows = list(csv.DictReader(io.StringIO(active.here("taxonomy", "export", "acme").stdout)))
    assert [row["path"] for row in rows][:2] == ["AI", "AI/RAG"] and rows[1]["label@ko"] == "검색 증강"
    assert "With --json name a file" in told(active, "export", "acme", code=2)["error"]
    assert "Say with --format" in told(active, "export", "acme", "topics.xyz", code=2)["error"]


# From Notion


def test_pages_and_databases_of_the_workspace_become_a_draft(acme: Harness, arcana: Arcana) -> None:
    top = acme.world.add_page("Our topics")
    acme.world.add_page("검색", acme.world.add_page("AI", top))
    source = acme.world.add_database("Topic table").data_source_id
    acme.world.add_row(source, "People")
    acme.settle()
    acme.sync()
    draft = told(arcana, "import", "acme", "--from-page", "Our topics")
    assert (draft["source"], draft["nodes"]) == ("page 'Our topics'", 2)
    assert told(arcana, "import", "acme", "--from-database", "Topic table", "--version", "t1")["nodes"] == 1
    for option, title, why in (
        ("--from-page", "Topic table", "is a database"), ("--from-database", "Our topics", "is no database"),
        ("--from-page", "Our topic", "There is no page 'Our topic'"),
        ("--from-database", "Topics", "There is no database 'Topics' in this workspace. There are: 'Topic table'."),
    ):  # fmt: skip
        assert why in told(arcana, "import", "acme", option, title, code=2)["error"]


@pytest.mark.parametrize("arguments", [[], ["topics.csv", "--from-page", "AI"], ["topics.csv", "--parent", "x"]])
def test_an_import_reads_one_thing(arcana: Arcana, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "topics.csv").write_text(FIRST, encoding="utf-8")
    assert "--from-" in told(arcana, "import", "acme", *arguments, code=2)["error"]


def test_what_cannot_be_a_tree_is_refused_in_a_sentence_and_nothing_is_stored(arcana: Arcana, tmp_path: Path) -> None:
    (tmp_path / "topics.csv").write_text("path\nAI\nAI\n", encoding="utf-8")
    done = arcana.here("taxonomy", "import", "acme", "topics.csv")
    assert done.returncode == 2 and "Row 3 ('AI'): row 2 has the same path." in done.stderr
    assert told(arcana, "status", "acme")["versions"] == []


# Topics of documents


def test_lookup_prints_ids_and_names_what_is_near_a_path_that_is_none(active: Arcana) -> None:
    found = told(active, "lookup", "acme", "AI/RAG", "People")
    assert [node["path"] for node in found["nodes"]] == ["AI/RAG", "People"] and found["version"] == "1.0.0"
    assert found["nodes"][0]["node_id"] in said(active, "lookup", "acme", "AI/RAG")
    error = told(active, "lookup", "acme", "AI/RAG", "AI/RAAG", code=2)["error"]
    assert "There is no topic 'AI/RAAG' in version 1.0.0" in error and "'AI/RAG'" in error


@pytest.mark.usefixtures("pages")
def test_a_page_is_about_what_a_person_says_and_no_more(active: Arcana) -> None:
    given = told(active, "assign", "acme", "Vacation policy", "People/Time off", "People")
    assert {topic["path"]: (topic["origin"], topic["confidence"]) for topic in given["topics"]} == {
        "People/Time off": ("person", 1.0), "People": ("person", 1.0),
    }  # fmt: skip
    assert given["topics"][0].keys() == {
        "node_id", "path", "version", "confidence", "origin", "hitl_required", "reason", "created_at",
    }  # fmt: skip
    left = told(active, "unassign", "acme", "Vacation policy", "People")
    assert [topic["path"] for topic in left["topics"]] == ["People/Time off"]
    assert said(active, "unassign", "acme", "Vacation policy", "People/Time off") == "'Vacation policy' has no topic."
    # One that is none, and nothing is written.
    assert "no topic 'Peeple'" in told(active, "assign", "acme", "Vacation policy", "AI", "Peeple", code=2)["error"]
    assert told(active, "status", "acme")["topics"]["with_topic"] == 0


@pytest.mark.usefixtures("pages")
def test_topics_counts_documents_below_each_topic(active: Arcana) -> None:
    told(active, "assign", "acme", "Vacation policy", "People/Time off")
    told(active, "assign", "acme", "Reranking notes", "AI/RAG/Reranking", "People")
    counted = told(active, "topics", "acme")
    assert {topic["path"]: topic["documents"] for topic in counted["topics"]} == {"AI": 1, "People": 2}
    assert counted["topic"] is None and counted["topics"][0].keys() == {
        "node_id", "path", "label", "documents", "has_children", "workspace",
    }  # fmt: skip
    assert sorted(lines(active, "topics", "acme")) == ["AI/…      1", "People/…  2"]
    assert lines(active, "topics", "acme", "AI/RAG") == ["AI/RAG/Reranking  1"]
    assert "nothing below AI/RAG/Reranking" in said(active, "topics", "acme", "AI/RAG/Reranking")
    assert "no topic 'Nowhere'" in told(active, "topics", "acme", "Nowhere", code=2)["error"]


@pytest.mark.usefixtures("pages")
def test_status_says_how_many_documents_have_a_topic_and_from_where(active: Arcana) -> None:
    told(active, "assign", "acme", "Vacation policy", "People/Time off", "People")
    shown = said(active, "status", "acme")
    assert "1.0.0 active 5 topics, from topics.csv" in shown
    assert "1 of 2 documents have a topic (50%) 2 topics of documents: 2 by people" in shown
    assert told(active, "status", "acme")["topics"]["assigned"]["person"] == 2


@pytest.mark.usefixtures("pages")
def test_promote_and_rollback_say_what_becomes_of_what_documents_are_about(active: Arcana, tmp_path: Path) -> None:
    told(active, "assign", "acme", "Vacation policy", "People/Time off")
    (tmp_path / "next.csv").write_text("path,replaces\nPeople,\nPeople/Leave,People/Time off\n", encoding="utf-8")
    told(active, "import", "acme", "next.csv")
    promoted = said(active, "promote", "acme", "1.1.0", "--yes", "--retire-missing")
    assert "acme 1.1.0 against 1.0.0: 1 same, 1 renamed, 3 missing" in promoted
    assert "1 topics of documents: 1 stay as they are" in promoted
    assert "Version 1.0.0 of 'acme' is active again, in place of 1.1.0." in said(active, "rollback", "acme")
    assert told(active, "show", "acme", "--below", "People/Time off")["nodes"][0]["documents"] == 1
    told(active, "import", "acme", "topics.csv", "--version", "2.0.0")
    assert said(active, "drop", "acme", "2.0.0") == "The draft 2.0.0 of 'acme' is dropped."


@pytest.mark.usefixtures("pages")
def test_the_only_workspace_need_not_be_named(active: Arcana) -> None:
    assert said(active, "assign", "Vacation policy", "People/Time off") == "People/Time off a person says so"
    assert told(active, "show")["workspace"] == "acme"


# Settings


def test_settings_are_changed_one_by_one_and_shown(active: Arcana) -> None:
    told(active, "set", "acme", "--topic-property", "Topic", "--topic-property", "주제", "--accept-at", "0.95")
    told(active, "set", "acme", "--default-path", "People")
    assert told(active, "set", "acme") == {
        "workspace": "acme", "default_path": "People", "topic_properties": ["Topic", "주제"], "accept_at": 0.95,
        "suggest_at": 0.5,
    }  # fmt: skip
    assert "become People" in said(active, "set", "acme")
    assert "properties that bring topics: Topic, 주제" in said(active, "status", "acme")
    settings = told(active, "set", "acme", "--no-default-path", "--no-topic-property")
    assert settings["default_path"] is None and settings["topic_properties"] == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--default-path", "Nowhere"], "There is no topic 'Nowhere'"),
        (["--accept-at", "0.4"], "the second is not below the first"),
        (["--accept-at", "7"], "7"),
        (["--default-path", "AI", "--no-default-path"], "the one or the other"),
        (["--topic-property", "x" * 201], "1 to 200 characters"),
    ],
)
def test_settings_that_cannot_be_are_refused(active: Arcana, arguments: list[str], why: str) -> None:
    assert why in told(active, "set", "acme", *arguments, code=2)["error"]


def test_status_names_the_paths_that_documents_bring_and_no_topic_has(acme: Harness, active: Arcana) -> None:
    told(active, "set", "acme", "--topic-property", "Topic")
    source = acme.world.add_database("Rows", schema={"Topic": "multi_select"}).data_source_id
    for number in range(12):
        acme.world.add_row(source, f"Row {number}", {"Topic": [f"AI/Nowhere {number // 2 * 2:02}"]})
    acme.settle()
    acme.sync()
    shown = told(active, "status", "acme")["unknown_paths"]
    assert [(each["path"], each["documents"]) for each in shown][:2] == [("AI/Nowhere 00", 2), ("AI/Nowhere 02", 2)]
    assert "6 paths that documents bring are no topic: AI/Nowhere 00 2 documents" in said(active, "status", "acme")


def test_a_second_topic_of_a_search_is_refused(active: Arcana) -> None:
    done = active.here("search", "acme", "vacation", "--topic", "AI", "--topic", "People")
    assert done.returncode == 2 and "A search is about one --topic" in done.stderr


@pytest.mark.usefixtures("pages")
def test_a_path_of_before_and_one_in_another_language_are_understood(active: Arcana, tmp_path: Path) -> None:
    (tmp_path / "next.csv").write_text(
        "path,replaces,label@ko\nAI,,인공지능\nAI/RAG,,검색 증강\nAI/RAG/Reranking,,\nPeople,,사람\n"
        "People/Leave,People/Time off,휴가\nWork,,사람\nWork/Money,,돈\n",
        encoding="utf-8",
    )
    told(active, "import", "acme", "next.csv")
    told(active, "promote", "acme", "1.1.0", "--yes")
    (old,) = told(active, "lookup", "acme", "People/Time off")["nodes"]
    assert (old["path"], old["asked"], old["since"]) == ("People/Leave", "People/Time off", "1.1.0")
    is_now = "'People/Time off' is 'People/Leave' since 1.1.0"
    assert is_now in said(active, "assign", "acme", "Vacation policy", "People/Time off")
    assert [node["path"] for node in told(active, "lookup", "acme", "사람/휴가", "인공지능/RAG")["nodes"]] == [
        "People/Leave", "AI/RAG",
    ]  # fmt: skip
    assert (
        "Several topics are called '사람': 'People', 'Work'" in told(active, "lookup", "acme", "사람", code=2)["error"]
    )
    # In a version that is named, a path is that of a topic or none.
    assert "no topic" in told(active, "lookup", "acme", "사람/휴가", "--version", "1.1.0", code=2)["error"]
    found = json.loads(active.here("search", "acme", "days", "--topic", "사람/휴가", "--json").stdout)
    assert [hit["title"] for hit in found["hits"]] == ["Vacation policy"]
    document = json.loads(active.here("document", "acme", "Vacation policy", "--json").stdout)
    assert document["topics"] == [{"path": "People/Leave", "origin": "person", "hitl_required": False}]
    assert "topics: People/Leave" in active.here("document", "acme", "Vacation policy").stdout


def test_a_property_that_no_document_has_is_set_and_told(acme: Harness, active: Arcana) -> None:
    source = acme.world.add_database("Rows", schema={"Topic": "multi_select"}).data_source_id
    acme.world.add_row(source, "Row", {"Topic": ["AI"]})
    acme.settle()
    acme.sync()
    shown = said(active, "set", "acme", "--topic-property", "Topik")
    assert "No document has a property 'Topik' yet. Near it: 'Topic'." in shown and "topics: Topik." in shown
    assert "No document" not in said(active, "set", "acme", "--topic-property", "Topic")
