"""The topics of documents, from one version of a taxonomy to another: what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from psycopg.errors import DeadlockDetected, ForeignKeyViolation

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.taxonomy import carry
from arcana_pipelines.taxonomy.nodes import GivenNode
from arcana_pipelines_tests.taxonomy.library import Library, is_balanced, row


@pytest.fixture
def library(database: Database) -> Iterator[Library]:
    with closing(Library(database)) as library:
        yield library


# The same node


def test_topics_of_a_node_that_is_the_same_renamed_or_moved_are_copied(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "B", "C", "C/x")
    library.assign(document, "A", confidence=0.75, origin="rule", reason="rule 7")
    library.assign(document, "B", confidence=0.5, origin="nearest", hitl_required=True, reason="near")
    library.assign(document, "C/x", origin="person")
    created = library.connection.execute("SELECT node_id, created_at FROM doc_taxonomy ORDER BY 1").fetchall()
    report = library.release("C", row("B2", node_id=library.node("B")), row("B2/x", node_id=library.node("C/x")), "A")
    assert library.topics(document) == {"A": "rule 0.75", "B2": "nearest 0.5? near", "B2/x": "person 1"}
    assert (report.assignments, report.carried, report.documents, report.after) == (3, 3, 1, 3)
    carried = library.connection.execute(
        "SELECT node_id, created_at FROM doc_taxonomy WHERE version = '1.1.0' ORDER BY 1"
    ).fetchall()
    assert carried == created


def test_the_version_before_keeps_its_topics(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A")
    library.assign(document, "A")
    library.release(row("A", retired=True), "B")
    assert library.topics(document, "1.0.0") == {"A": "given 1"}


# Merged


def test_topics_of_merged_nodes_become_one(library: Library) -> None:
    first, second = library.documents(2)
    library.release("A", "B")
    library.assign(first, "A", confidence=0.9, origin="rule", reason="rule 7")
    library.assign(first, "B", confidence=0.6, origin="given")
    library.assign(second, "B", confidence=0.6, origin="nearest")
    report = library.release(row("C", replaces=("A", "B")))
    assert library.topics(first) == {"C": "given 0.9"}
    assert library.topics(second) == {"C": "nearest 0.6"}
    assert (report.assignments, report.merged_into, report.after) == (3, 3, 2)


@pytest.mark.parametrize(
    ("stronger", "weaker"), [("person", "given"), ("given", "rule"), ("rule", "nearest"), ("nearest", "default")]
)
def test_who_said_it_first_counts_where_two_become_one(library: Library, stronger: str, weaker: str) -> None:
    (document,) = library.documents(1)
    library.release("A", "B")
    library.assign(document, "A", origin=weaker, confidence=0.75)
    library.assign(document, "B", origin=stronger, confidence=0.5)
    library.release(row("B", replaces=("A",)))
    assert library.topics(document) == {"B": f"{stronger} 0.75"}


def test_nobody_is_asked_about_a_topic_that_one_of_two_knew(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "B")
    library.assign(document, "A", origin="given", hitl_required=True, reason="doubtful")
    library.assign(document, "B", origin="nearest", confidence=0.5)
    library.release(row("C", replaces=("A", "B")))
    assert library.topics(document) == {"C": "nearest 1"}


def test_a_topic_that_waits_for_a_person_still_does_when_it_is_merged(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A")
    library.assign(document, "A", origin="rule", confidence=0.5, hitl_required=True)
    library.release("B", row("A", replaced_by=("B",)))
    assert library.topics(document) == {"B": "rule 0.5? merged from 'A'"}


def test_what_people_said_of_merged_nodes_holds_for_the_one_that_they_became(library: Library) -> None:
    yes, no, both, other_way, known = library.documents(5)
    library.release("A", "B", "C")
    a, b, c = library.node("A"), library.node("B"), library.node("C")
    library.decide(yes, a, "accepted")
    library.decide(no, a, "rejected")
    library.decide(both, a, "rejected")
    library.decide(both, b, "accepted")
    library.decide(other_way, a, "rejected")
    library.assign(other_way, "B")
    library.decide(known, a, "accepted")
    library.decide(known, c, "rejected")
    library.release(row("C", replaces=("A", "B")))
    assert [library.decided(document).get("C") for document in (yes, no, both, other_way, known)] == [
        "accepted",
        "rejected",
        "accepted",
        None,
        "rejected",
    ]


def test_a_rejected_topic_does_not_come_back_by_a_merge_of_what_machines_said(library: Library) -> None:
    machine, person, accepted = library.documents(3)
    library.release("A", "B")
    for document in (machine, person, accepted):
        library.decide(document, library.node("B"), "rejected")
    library.assign(machine, "A", origin="rule")
    library.assign(person, "A", origin="person")
    library.assign(accepted, "A", origin="nearest", confidence=0.5)
    library.decide(accepted, library.node("A"), "accepted")
    report = library.release(row("B", replaces=("A",)))
    assert library.topics(machine) == {}
    assert library.ended(machine) == {"A": "merged from 'A', and a person rejected what took its place"}
    why = "merged from 'A', and a person rejected this topic"
    assert library.topics(person) == {"B": f"person 1? {why}"}
    assert library.topics(accepted) == {"B": f"nearest 0.5? {why}"}
    assert (report.merged_into, report.ended) == (2, 1)


def test_an_accepted_topic_waits_for_nobody_when_another_is_merged_into_it(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "B")
    library.assign(document, "A", origin="nearest", hitl_required=True)
    library.decide(document, library.node("B"), "accepted")
    library.release(row("B", replaces=("A",)))
    assert library.topics(document) == {"B": "nearest 1"}


# Split


def test_a_person_is_asked_about_each_part_of_a_node_that_was_split(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "A/B")
    library.assign(document, "A/B", origin="person")
    report = library.release("A", row("A/C", replaces=("A/B",)), row("A/D", replaces=("A/B",)))
    assert library.topics(document) == {"A/C": "person 1? split of 'A/B'", "A/D": "person 1? split of 'A/B'"}
    assert (report.assignments, report.queued, report.after) == (1, 1, 2)


def test_nobody_is_asked_where_a_person_has_said_which_part_it_is(library: Library) -> None:
    accepted, rejected, neither = library.documents(3)
    library.release("A", "B", "C")
    for document in (accepted, rejected, neither):
        library.assign(document, "A", origin="nearest", confidence=0.5)
    library.decide(accepted, library.node("B"), "accepted")
    library.decide(rejected, library.node("B"), "rejected")
    library.decide(neither, library.node("B"), "rejected")
    library.decide(neither, library.node("C"), "rejected")
    report = library.release(row("B", replaces=("A",)), row("C", replaces=("A",)))
    assert library.topics(accepted) == {"B": "person 1"}
    assert library.topics(rejected) == {"C": "nearest 0.5? split of 'A'"}
    assert library.topics(neither) == {}
    assert library.ended(neither) == {"A": "split of 'A', and a person rejected what took its place"}
    assert (report.decided, report.queued, report.ended) == (1, 1, 1)


def test_a_node_may_be_split_into_itself_and_another(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A")
    library.assign(document, "A")
    library.release(row("A", node_id=library.node("A")), row("B", replaces=("A",)))
    assert library.topics(document) == {"A": "given 1? split of 'A'", "B": "given 1? split of 'A'"}


def test_a_part_that_the_document_has_anyway_is_not_asked_about(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "B")
    library.assign(document, "A", origin="nearest", confidence=0.5)
    library.assign(document, "B", origin="rule", reason="rule 7", confidence=0.4)
    report = library.release("B", row("C", replaces=("A",)), row("A", replaced_by=("B", "C")))
    assert library.topics(document) == {"B": "rule 0.5", "C": "nearest 0.5? split of 'A'"}
    assert (report.carried, report.queued, report.after) == (1, 1, 2)


# Retired


def test_a_person_is_asked_about_what_takes_the_place_of_a_retired_node(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "B", "C", "C/x", "C/x/y", "D", "D/x")
    library.assign(document, "A", "C/x/y", "D/x")
    report = library.release(
        "B",
        "C",
        row("A", retired=True, replaced_by=("B",)),
        row("C/x", retired=True),
        row("C/x/y", retired=True),
        row("D", retired=True),
        row("D/x", retired=True),
    )
    assert library.topics(document) == {"B": "given 1? retired: 'A'", "C": "given 1? retired: 'C/x/y'"}
    assert library.ended(document) == {"D/x": "retired: 'D/x', and nothing took its place"}
    assert (report.assignments, report.queued, report.ended) == (3, 2, 1)


def test_nobody_is_asked_about_what_is_above_where_the_document_has_that_anyway(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "A/x")
    library.assign(document, "A", "A/x")
    report = library.release("A", row("A/x", retired=True))
    assert library.topics(document) == {"A": "given 1"}
    assert (report.carried, report.decided, report.after) == (1, 1, 1)


def test_a_person_s_word_counts_for_what_is_above_a_retired_node(library: Library) -> None:
    accepted, rejected = library.documents(2)
    library.release("A", "A/x")
    library.assign(accepted, "A/x")
    library.assign(rejected, "A/x")
    library.decide(accepted, library.node("A"), "accepted")
    library.decide(rejected, library.node("A"), "rejected")
    library.release("A", row("A/x", retired=True))
    assert library.topics(accepted) == {"A": "person 1"}
    assert library.topics(rejected) == {}
    assert library.ended(rejected) == {"A/x": "retired: 'A/x', and a person rejected what took its place"}


def test_a_node_above_that_was_merged_is_passed_by(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("T", "T/A", "T/A/x", "T/B")
    library.assign(document, "T/A/x")
    library.release("T", row("T/B", replaces=("T/A",)), row("T/A/x", retired=True))
    assert library.topics(document) == {"T": "given 1? retired: 'T/A/x'"}


def test_missing_nodes_are_suggested_for_what_is_above_them_when_that_is_wanted(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "A/x", "B")
    library.assign(document, "A/x", "B")
    library.release("A", retire_missing=True)
    assert library.topics(document) == {"A": "given 1? retired: 'A/x'"}
    assert library.ended(document) == {"B": "retired: 'B', and nothing took its place"}


# What is only near


@pytest.mark.parametrize(
    "becomes",
    [
        (row("B", replaces=("A", "C")),),
        (row("B", replaces=("A",)), row("B2", replaces=("A",)), "C"),
        (row("A", retired=True, replaced_by=("C",)), "C"),
        ("C",),
    ],
    ids=["merged", "split", "retired", "missing"],
)
def test_what_was_only_near_is_not_asked_about_another_node(
    library: Library, becomes: tuple[GivenNode | str, ...]
) -> None:
    """It is looked for again in the new version; a weak alternative would come first with a reason."""
    (document,) = library.documents(1)
    library.release("A", "C", "D")
    library.assign(document, "A", origin="nearest", confidence=0, hitl_required=True)
    library.assign(document, "D", origin="nearest", confidence=0.75, hitl_required=True)
    report = library.release(*becomes, "D", retire_missing=True)
    assert library.topics(document) == {"D": "nearest 0.75? None"}
    assert library.ended(document) == {}
    assert (report.assignments, report.carried, report.dropped) == (2, 1, 1)
    assert report.suggestions == {"carried": 1, "dropped": 1}


def test_a_document_that_something_was_only_near_of_may_have_nothing_in_a_new_version(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "B")
    library.assign(document, "A", origin="nearest", confidence=0.75, hitl_required=True)
    report = library.release("B", retire_missing=True)
    assert library.topics(document) == library.ended(document) == {}
    assert (report.dropped, report.documents_without) == (1, 0)


def test_what_was_near_is_a_topic_where_a_person_has_said_so_of_its_successor(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "B")
    library.assign(document, "A", origin="nearest", confidence=0.5, hitl_required=True)
    library.decide(document, library.node("B"), "accepted")
    library.release(row("A", retired=True, replaced_by=("B",)), "B")
    assert library.topics(document) == {"B": "person 1"}


# All together


def test_documents_that_lose_all_their_topics_are_counted_and_words_of_people_that_end(library: Library) -> None:
    ends, waits, keeps, only_waited = library.documents(4)
    library.release("A", "B", "C")
    library.assign(ends, "A", origin="person")
    library.assign(waits, "B", origin="rule")
    library.assign(keeps, "A", "C")
    library.assign(only_waited, "A", origin="rule", hitl_required=True)
    library.draft(row("A", retired=True), row("B1", replaces=("B",)), row("B2", replaces=("B",)), "C")
    dry, report = library.promote("1.1.0", dry_run=True), library.promote("1.1.0")
    for told in (dry, report):
        assert (told.documents_without, told.documents_asked, told.ended, told.persons_ended) == (2, 1, 3, 1)
        assert told.suggestions == {"ended": 1}


def test_every_assignment_is_accounted_for(library: Library) -> None:
    documents = library.documents(30)
    library.release(*"ABCDEFGH", "H/x")
    for number, document in enumerate(documents):
        library.assign(document, *("ABCDEFGH"[(number + step) % 8] for step in range(number % 4)), "H/x")
    report = library.release(
        row("A2", node_id=library.node("A")),
        row("BC", replaces=("B", "C")),
        row("D1", replaces=("D",)),
        row("D2", replaces=("D",)),
        row("E", retired=True, replaced_by=("F",)),
        "F",
        "H",
        row("G", retired=True),
        row("H/x", retired=True),
    )
    assert is_balanced(report)
    assert report.assignments == 30 + sum(number % 4 for number in range(30))
    assert min(report.carried, report.merged_into, report.queued, report.decided, report.ended) > 0
    assert len(library.connection.execute("SELECT 1 FROM taxonomy_ended").fetchall()) == report.ended


def test_a_fault_that_would_lose_a_topic_releases_nothing(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    (document,) = library.documents(1)
    library.release("A")
    library.assign(document, "A")
    library.draft("A", "B")
    load_sql = carry.load_sql
    monkeypatch.setattr(
        carry,
        "load_sql",
        lambda name: load_sql(name).replace("FROM beside b WHERE", "FROM beside b WHERE false AND"),
    )
    with pytest.raises(ArcanaError, match=r"1 documents would have no topic in 1.1.0 .* Nothing was released"):
        library.promote("1.1.0")
    monkeypatch.undo()
    assert library.active() == "1.0.0"
    library.promote("1.1.0")
    assert library.topics(document) == {"A": "given 1"}


def test_what_changes_while_topics_are_carried_is_made_good_at_the_end(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed, changed, added = library.documents(3)
    library.release("A", "B")
    library.assign(removed, "A")
    library.assign(changed, "A", confidence=0.5)
    library.draft("A", row("B2", node_id=library.node("B")))
    real = carry.carry_ahead

    def meanwhile(connection: object, way: carry.Way) -> None:
        real(library.connection, way)
        library.connection.execute("DELETE FROM doc_taxonomy WHERE doc_id = %s AND version = '1.0.0'", [removed])
        library.connection.execute("UPDATE doc_taxonomy SET confidence = 1 WHERE version = '1.0.0'")
        library.assign(added, "B")

    monkeypatch.setattr(carry, "carry_ahead", meanwhile)
    library.promote("1.1.0")
    assert [library.topics(document) for document in (removed, changed, added)] == [
        {},
        {"A": "given 1"},
        {"B2": "given 1"},
    ]


def test_what_a_sync_was_in_the_way_of_is_done_again(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    (document,) = library.documents(1)
    library.release("A")
    library.assign(document, "A")
    real, faults = carry.carry, [ForeignKeyViolation(), DeadlockDetected(), None, DeadlockDetected()]

    def disturbed(*given: Any, **named: Any) -> carry.Carried:
        carried = real(*given, **named)
        fault = faults.pop(0) if faults else None
        if fault is not None:
            raise fault
        return carried

    monkeypatch.setattr(carry, "carry", disturbed)
    assert library.release("A", "B").carried == 1
    assert faults == []
    assert library.topics(document) == {"A": "given 1"}


def test_searches_are_planned_for_many_topics_that_were_carried(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carry, "MANY_ROWS", 1)
    (document,) = library.documents(1)
    library.release("A")
    library.assign(document, "A")
    known = "SELECT reltuples::int FROM pg_class WHERE oid = 'doc_taxonomy'::regclass"
    assert library.connection.execute(known).fetchall() == [(-1,)]
    library.release("A", "B")
    assert library.connection.execute(known).fetchall() == [(2,)]


# Back


def test_a_rollback_takes_back_what_was_assigned_meanwhile(library: Library) -> None:
    old, new, lost, unassigned = library.documents(4)
    library.release("A", "B")
    library.assign(old, "A")
    library.assign(unassigned, "B")
    library.release(row("A2", node_id=library.node("A")), "B", "C")
    library.assign(new, "A2", origin="person")
    library.assign(lost, "C")
    library.connection.execute("DELETE FROM doc_taxonomy WHERE doc_id = %s AND version = '1.1.0'", [unassigned])
    report = library.roll_back()
    assert (report.version, report.before) == ("1.0.0", "1.1.0")
    assert (report.carried, report.left, report.documents_without) == (2, 1, 1)
    assert [library.topics(document) for document in (old, new, lost, unassigned)] == [
        {"A": "given 1"},
        {"A": "person 1"},
        {},
        {},
    ]
    assert library.audited()[-1] == ("taxonomy.rolled_back", "1.0.0")


def test_a_rollback_of_merges_and_splits_finds_the_topics_that_were(library: Library) -> None:
    old, new = library.documents(2)
    library.release("A", "B", "D")
    library.assign(old, "A", "D")
    library.release(row("B", replaces=("A",)), "D", row("E", replaces=("D",)))
    assert library.topics(old) == {
        "B": "given 1",
        "D": "given 1? split of 'D'",
        "E": "given 1? split of 'D'",
    }
    library.assign(new, "B")
    library.roll_back()
    assert library.topics(old) == {"A": "given 1", "D": "given 1"}
    assert library.topics(new) == {"B": "given 1"}


def test_a_rollback_leaves_what_was_asked_about_retired_nodes(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "A/x", "B", "B/y")
    library.assign(document, "A/x", "B/y")
    library.release("A", row("A/x", retired=True), "B", retire_missing=True)
    assert sorted(library.topics(document)) == ["A", "B"]
    library.roll_back()
    assert library.topics(document) == {"A/x": "given 1", "B/y": "given 1"}


def test_a_version_that_was_rolled_back_may_be_promoted_again(library: Library) -> None:
    old, there, here, undone = library.documents(4)
    library.release("A", "B")
    library.assign(old, "A")
    library.assign(undone, "A")
    library.release("B", row("A", replaced_by=("B",)), "C")
    library.assign(there, "B", "C")
    library.roll_back()
    library.assign(here, "A")
    library.connection.execute("DELETE FROM doc_taxonomy WHERE doc_id = %s AND version = '1.0.0'", [undone])
    report = library.promote("1.1.0")
    assert is_balanced(report)
    assert [library.topics(document) for document in (old, there, here, undone)] == [
        {"B": "given 1"},
        {"B": "given 1", "C": "given 1"},
        {"B": "given 1"},
        {},
    ]


def test_what_a_person_accepted_stays_in_a_version_that_comes_back(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "B")
    library.assign(document, "A", origin="nearest")
    library.release("B", row("A", replaced_by=("B",)))
    library.decide(document, library.node("B"), "accepted")
    library.roll_back()
    library.connection.execute("DELETE FROM doc_taxonomy WHERE version = '1.0.0'")
    library.promote("1.1.0")
    assert library.topics(document) == {"B": "nearest 1"}


def test_rolling_back_goes_on_to_the_first(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A")
    library.release("A", "B")
    library.release("A", "B", "C")
    library.assign(document, "A", "B", "C")
    assert library.roll_back().left == 1
    assert library.topics(document) == {"A": "given 1", "B": "given 1"}
    assert library.roll_back().left == 1
    assert library.topics(document) == {"A": "given 1"}


def test_a_rollback_may_name_the_version(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A", "B")
    library.assign(document, "A")
    library.release(row("B", replaces=("A",)))
    library.release("B", "C")
    library.assign(document, "C")
    report = library.roll_back("1.0.0")
    assert (report.before, report.left) == ("1.2.0", 1)
    assert library.topics(document) == {"A": "given 1"}
