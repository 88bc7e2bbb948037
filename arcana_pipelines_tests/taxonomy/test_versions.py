"""Versions of a taxonomy: drafts, the active one, those that were."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import TaxonomyRefused, UnknownTaxonomyVersion
from arcana_pipelines.taxonomy import carry, drafts, stored_versions, versions
from arcana_pipelines.taxonomy.tree import Change
from arcana_pipelines_tests.taxonomy.library import Library, row, spelled


@pytest.fixture
def library(database: Database) -> Iterator[Library]:
    with closing(Library(database)) as library:
        yield library


def named(library: Library) -> dict[str, str]:
    return {each.version: each.state for each in stored_versions.versions(library.connection, library.workspace_id)}


# Drafts


def test_versions_are_numbered_one_after_the_other(library: Library) -> None:
    assert [library.draft("AI").version for _ in range(3)] == ["1.0.0", "1.1.0", "1.2.0"]
    assert library.draft("AI", version="2026-11").version == "2026-11"
    assert library.draft("AI", version="4.7.1").version == "4.7.1"
    assert library.draft("AI").version == "4.8.0"


def test_names_that_are_no_numbers_do_not_count(library: Library) -> None:
    library.draft("AI", version="spring")
    assert library.draft("AI").version == "1.0.0"


@pytest.mark.parametrize("name", ["", "-1", "1.0 beta", "x" * 65, "봄"])
def test_what_is_no_name_of_a_version_is_refused(library: Library, name: str) -> None:
    with pytest.raises(TaxonomyRefused, match="is no name of a version"):
        library.draft("AI", version=name)


def test_a_draft_is_stored_whole(library: Library) -> None:
    report = versions.store_draft(
        library.connection,
        library.workspace_id,
        [
            row(
                "AI",
                definition='Machines "that"\nthink\\',
                synonyms=("ML", "기계 학습"),
                labels={"ko": "인공지능"},
                external_ref="notion:1",
                confidence=0.5,
            ),
            row(r"AI/TCP\/IP"),
        ],
        source="file.csv",
        note="the first",
    )
    assert (report.version, report.based_on, report.nodes, report.changes) == ("1.0.0", None, 2, {"add": 2})
    (stored,) = stored_versions.versions(library.connection, library.workspace_id)
    assert (stored.state, stored.ordinal, stored.nodes, stored.source, stored.note) == (
        "draft", 1, 2, "file.csv", "the first",
    )  # fmt: skip
    top, below = stored_versions.nodes_of(library.connection, library.workspace_id, "1.0.0")
    assert (top.definition, top.synonyms, top.labels) == (
        'Machines "that"\nthink\\', ("ML", "기계 학습"), {"ko": "인공지능"},
    )  # fmt: skip
    assert (top.external_ref, top.confidence, top.lft, top.rgt) == ("notion:1", 0.5, 1, 2)
    assert (below.path, below.parent_id, below.lft, below.rgt) == (("AI", "TCP/IP"), top.node_id, 2, 2)
    assert library.audited() == [("taxonomy.imported", "1.0.0")]


def test_a_draft_is_replaced_by_another_import_and_its_nodes_keep_their_ids(library: Library) -> None:
    library.draft("AI", "Law")
    ids = {path: library.node(path, "1.0.0") for path in ("AI", "Law")}
    library.draft("Law", "AI", "AI/RAG", version="1.0.0")
    assert {path: library.node(path, "1.0.0") for path in ("AI", "Law")} == ids
    nodes = stored_versions.nodes_of(library.connection, library.workspace_id, "1.0.0")
    assert [(node.path, node.lft) for node in nodes] == [(("Law",), 1), (("AI",), 2), (("AI", "RAG"), 3)]
    (stored,) = stored_versions.versions(library.connection, library.workspace_id)
    assert (stored.ordinal, stored.nodes) == (1, 3)


def test_a_draft_tells_what_became_of_each_node_of_the_active_version(library: Library) -> None:
    library.release("A", "B", "C", "D", "E", "E/x")
    report = library.draft(
        row("A2", node_id=library.node("A")),
        row("BC", replaces=("B", "C")),
        row("D1", replaces=("D",)),
        row("D2", replaces=("D",)),
        row("E"),
    )
    assert report.changes == {"rename": 1, "add": 3, "merge": 2, "split": 1}
    assert spelled(report.missing) == ["E/x"]
    told = library.connection.execute(
        "SELECT kind, note FROM taxonomy_change WHERE version = %s ORDER BY kind, note", [report.version]
    ).fetchall()
    assert told == [
        ("add", "BC"),
        ("add", "D1"),
        ("add", "D2"),
        ("merge", "B -> BC"),
        ("merge", "C -> BC"),
        ("rename", "A -> A2"),
        ("split", "D -> D1"),
        ("split", "D -> D2"),
    ]


def test_a_file_from_another_workspace_gets_ids_of_its_own_the_same_each_time(
    library: Library, database: Database
) -> None:
    top = uuid4()
    rows = [
        row("AI", node_id=top),
        row("RAG", node_id=uuid4(), parent=top),
        row("Law", external_ref="law", node_id=uuid4()),
        row("Tax", parent="law"),
    ]
    library.release(*rows)
    assert library.node("AI") == top
    with closing(Library(database, "other")) as other:
        other.release(*rows)
        ours = other.node("AI")
        assert ours != top
        report = other.draft(row("Machines", node_id=top), row("RAG", parent=top), row("Law/Tax"), row("Law"))
        assert report.changes == {"rename": 1}
        assert other.node("Machines", "1.1.0") == ours
        merged = other.draft("AI", "AI/RAG", row("Law", replaces=(top, "Law/Tax")))
        assert merged.changes == {"merge": 1, "split": 1}
        gone = other.draft("AI", "AI/RAG", "Law", row("Tax", node_id=other.node("Law/Tax"), replaced_by=(top,)))
        assert gone.changes == {"merge": 1}


def test_a_file_that_two_workspaces_import_at_once_gets_ids_of_its_own_in_one(
    library: Library, database: Database
) -> None:
    top = uuid4()
    store = drafts.store

    with closing(Library(database, "other")) as other, ThreadPoolExecutor(1) as pool:

        def stopping(*given: Any) -> None:
            store(*given)
            if not at_once:
                at_once.append(pool.submit(other.draft, row("AI", node_id=top), version="2.0.0"))
                while not _waits_for(library.connection):
                    assert not at_once[0].done()

        at_once: list[Future[object]] = []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(drafts, "store", stopping)
            library.draft(row("AI", node_id=top))
            at_once[0].result()
        assert library.node("AI", "1.0.0") == top
        assert other.node("AI", "2.0.0") != top


def test_a_version_of_a_name_that_cannot_be_is_not_there(library: Library) -> None:
    library.release("AI")
    for name in ("1.0.0\0", "\ud800", "1.0.0 ", ""):
        with pytest.raises(UnknownTaxonomyVersion, match=r"There are: 1\.0\.0"):
            stored_versions.find_version(library.connection, library.workspace_id, name)


def test_a_refused_draft_changes_nothing(library: Library) -> None:
    library.draft("AI")
    with pytest.raises(TaxonomyRefused, match="row 1 has the same path"):
        library.draft("Law", "Law", version="1.0.0")
    assert spelled(stored_versions.nodes_of(library.connection, library.workspace_id, "1.0.0")) == ["AI"]


def test_a_large_draft_is_stored(library: Library) -> None:
    rows = [f"Topic {number}" for number in range(6_000)]
    assert library.draft(*rows).nodes == 6_000
    assert len(stored_versions.nodes_of(library.connection, library.workspace_id, "1.0.0")) == 6_000


def test_a_draft_can_be_dropped(library: Library) -> None:
    library.draft("AI")
    versions.drop_draft(library.connection, library.workspace_id, "1.0.0")
    assert named(library) == {}
    assert library.audited()[-1] == ("taxonomy.dropped", "1.0.0")


def test_what_was_released_stays_as_it_is(library: Library) -> None:
    library.release("AI")
    with pytest.raises(TaxonomyRefused, match="was released: it stays"):
        versions.drop_draft(library.connection, library.workspace_id, "1.0.0")
    with pytest.raises(TaxonomyRefused, match="was released and stays as it is"):
        library.draft("Law", version="1.0.0")
    with pytest.raises(psycopg.errors.RestrictViolation, match="its nodes stay"):
        library.connection.execute("UPDATE taxonomy_nodes SET label = 'Law'")
    assert spelled(stored_versions.nodes_of(library.connection, library.workspace_id, "1.0.0")) == ["AI"]


# Looking


def test_an_unknown_version_is_told_with_those_there_are(library: Library) -> None:
    with pytest.raises(UnknownTaxonomyVersion, match=r"no version '9.0.0'. There is none yet"):
        stored_versions.nodes_of(library.connection, library.workspace_id, "9.0.0")
    library.release("AI")
    library.draft("AI")
    with pytest.raises(UnknownTaxonomyVersion, match=r"no version '9.0.0'. There are: 1.0.0, 1.1.0"):
        library.promote("9.0.0")


def test_any_two_versions_are_compared(library: Library) -> None:
    library.release("A", "B", "B/x")
    a, x = library.node("A"), library.node("B/x")
    library.release("A", row("x", node_id=x), row("B", retired=True))
    library.release(row("A2", node_id=a), "x", "D")
    told = versions.differences(library.connection, library.workspace_id, "1.0.0", "1.2.0")
    assert [(change.kind, change.from_path, change.to_path) for change in told] == [
        ("rename", ("A",), ("A2",)),
        ("move", ("B", "x"), ("x",)),
        ("add", None, ("D",)),
        ("gone", ("B",), None),
    ]
    back = versions.differences(library.connection, library.workspace_id, "1.2.0", "1.0.0")
    assert Change("rename", a, a, ("A2",), ("A",)) in back


def test_a_workspace_without_a_taxonomy_has_no_active_version(library: Library) -> None:
    assert stored_versions.active_version(library.connection, library.workspace_id) is None
    assert stored_versions.hold_active(library.connection, library.workspace_id) is None


# Promoting


def test_one_version_is_active(library: Library) -> None:
    library.draft("AI")
    assert library.active() is None
    report = library.promote("1.0.0")
    assert (report.before, report.added, report.same, report.assignments) == (None, 1, 0, 0)
    report = library.release("AI", "Law")
    assert (report.before, report.added, report.same) == ("1.0.0", 1, 1)
    assert named(library) == {"1.0.0": "retired", "1.1.0": "active"}
    first, second = stored_versions.versions(library.connection, library.workspace_id)
    assert first.released_at is not None and second.activated_at is not None
    assert first.released_at < second.activated_at
    assert library.audited() == [
        ("taxonomy.imported", "1.0.0"),
        ("taxonomy.promoted", "1.0.0"),
        ("taxonomy.imported", "1.1.0"),
        ("taxonomy.promoted", "1.1.0"),
    ]


def test_nodes_are_counted_by_what_became_of_them(library: Library) -> None:
    library.release("A", "B", "C", "D", "E", "F", "G", "G/x")
    report = library.release(
        row("A2", node_id=library.node("A")),
        row("BC", replaces=("B", "C")),
        row("D1", replaces=("D",)),
        row("D2", replaces=("D",)),
        row("E", retired=True),
        row("F"),
        row("F/x", node_id=library.node("G/x")),
        retire_missing=True,
    )
    assert (report.same, report.added, report.renamed, report.moved) == (1, 3, 1, 1)
    assert (report.merged, report.split, report.retired, report.missing) == (2, 1, 1, 1)


def test_the_active_version_is_not_promoted_again(library: Library) -> None:
    library.release("AI")
    with pytest.raises(TaxonomyRefused, match=r"1.0.0 is active already: there is nothing to do"):
        library.promote("1.0.0")


def test_a_draft_from_an_older_version_is_to_be_imported_again(library: Library) -> None:
    library.draft("A", version="0.9.0")
    library.release("A")
    library.draft("A", "B", version="1.1.0")
    library.release("A", "C")
    with pytest.raises(TaxonomyRefused, match=r"1.1.0 was made from 0.10.0, and 1.2.0 is active now: import it again"):
        library.promote("1.1.0")
    with pytest.raises(TaxonomyRefused, match=r"0.9.0 was made when none was active, and 1.2.0 is active now"):
        library.promote("0.9.0")
    library.draft("A", "B", row("C", retired=True), version="1.1.0")
    library.promote("1.1.0")
    assert library.active() == "1.1.0"


def test_nodes_that_are_missing_want_a_word(library: Library) -> None:
    library.release("A", *(f"A/{number}" for number in range(7)), "B")
    library.draft("B")
    with pytest.raises(TaxonomyRefused, match=r"what becomes of 8 nodes of 1.0.0: 'A', 'A/0'.* and 3 more\. Say it"):
        library.promote("1.1.0")
    assert library.promote("1.1.0", dry_run=True).missing == 8
    assert library.active() == "1.0.0"
    library.promote("1.1.0", retire_missing=True)
    assert library.active() == "1.1.0"


def test_the_default_topic_has_to_be_one_of_the_version(library: Library) -> None:
    library.release("A", "Unsorted")
    library.connection.execute(
        "INSERT INTO taxonomy_settings (workspace_id, default_node) VALUES (%s, %s)",
        [library.workspace_id, library.node("Unsorted")],
    )
    with pytest.raises(TaxonomyRefused, match=r"The default topic .* is none of version 1.1.0"):
        library.release("A", row("Unsorted", retired=True))
    library.release("A", row("Misc", node_id=library.node("Unsorted")))
    assert library.active() == "1.2.0"


def test_a_dry_run_counts_and_changes_nothing(library: Library) -> None:
    (document,) = library.documents(1)
    library.draft("A", version="0.1.0")
    assert library.promote("0.1.0", dry_run=True).added == 1
    library.promote("0.1.0")
    library.assign(document, "A")
    library.draft(row("B", replaces=("A",)), row("C", replaces=("A",)))
    before = library.all_rows("0.2.0"), library.audited()
    report = library.promote("0.2.0", dry_run=True)
    assert (report.is_dry, report.assignments, report.queued, report.after) == (True, 1, 1, 2)
    assert (library.all_rows("0.2.0"), library.audited()) == before
    assert library.active() == "0.1.0"
    done = library.promote("0.2.0")
    assert (done.assignments, done.queued, done.after) == (1, 1, 2)


def test_documents_are_classified_again_by_a_version_that_comes_back(library: Library) -> None:
    (document,) = library.documents(1)
    library.release("A")
    library.connection.execute(
        "INSERT INTO taxonomy_classified (doc_id, workspace_id, version, logic) VALUES (%s, %s, '1.0.0', 'x')",
        [document, library.workspace_id],
    )
    library.release("A", "B")
    library.roll_back()
    assert library.connection.execute("SELECT 1 FROM taxonomy_classified").fetchall() == []


# Going back


def test_there_is_nothing_to_go_back_to_before_the_second_version(library: Library) -> None:
    with pytest.raises(UnknownTaxonomyVersion, match="No version of the taxonomy is active"):
        library.roll_back()
    library.release("A")
    with pytest.raises(TaxonomyRefused, match=r"1.0.0 is the first: there is none to go back to"):
        library.roll_back()


def test_only_a_version_that_was_active_can_be_gone_back_to(library: Library) -> None:
    library.release("A")
    library.release("A", "B")
    library.draft("A")
    for name in ("1.1.0", "1.2.0"):
        with pytest.raises(TaxonomyRefused, match=f"Version {name} is no earlier one"):
            library.roll_back(name)
    with pytest.raises(UnknownTaxonomyVersion):
        library.roll_back("9.9.9")


# Two at once


def at_once(library: Library, database: Database, *promoted: str) -> list[str | None]:
    """Promotes versions at once, the second while the first is at work; returns what each was refused with."""
    begun, go_on = threading.Event(), threading.Event()

    real = carry.carry_ahead

    def stopping(connection: object, way: object) -> None:
        begun.set()
        assert go_on.wait(60)
        real(connection, way)  # type: ignore[arg-type]

    def one(version: str) -> str | None:
        with database.connection() as connection:
            try:
                versions.promote(connection, library.workspace_id, version)
            except TaxonomyRefused as refused:
                return str(refused)
        return None

    with pytest.MonkeyPatch.context() as patched, ThreadPoolExecutor(2) as pool:
        patched.setattr(carry, "carry_ahead", stopping)
        first = pool.submit(one, promoted[0])
        assert begun.wait(60)
        waiting = threading.Event()
        patched.setattr(
            versions, "wait_for_advisory_lock",
            lambda connection, key, parameters, told: _real_wait(connection, key, parameters, waiting.set),
        )  # fmt: skip
        second = pool.submit(one, promoted[1])
        assert waiting.wait(60)
        go_on.set()
        return [first.result(), second.result()]


_real_wait = versions.wait_for_advisory_lock


def test_of_two_promotions_at_once_the_second_waits_and_is_told_that_it_is_done(
    library: Library, database: Database
) -> None:
    library.release("A")
    library.draft("A", "B", version="2.0.0")
    assert at_once(library, database, "2.0.0", "2.0.0") == [
        None,
        "Version 2.0.0 is active already: there is nothing to do.",
    ]


def test_of_two_versions_promoted_at_once_the_second_is_refused(library: Library, database: Database) -> None:
    library.release("A")
    library.draft("A", "B", version="2.0.0")
    library.draft("A", "C", version="3.0.0")
    first, second = at_once(library, database, "2.0.0", "3.0.0")
    assert first is None
    assert second is not None and "3.0.0 was made from 1.0.0, and 2.0.0 is active now: import it again" in second
    assert library.active() == "2.0.0"


def test_who_assigns_topics_holds_the_active_version_until_it_is_done(library: Library, database: Database) -> None:
    (document,) = library.documents(1)
    library.release("A")
    library.draft("A", "B")
    with ThreadPoolExecutor(1) as pool, closing(database.connect()) as writer:
        with writer.transaction():
            held = stored_versions.hold_active(writer, library.workspace_id)
            assert held is not None and held.version == "1.0.0"
            promoting = pool.submit(library.promote, "1.1.0")
            while not _waits_for(writer):
                assert not promoting.done()
            # Written while the promotion, which has carried everything there was, waits for this transaction.
            writer.execute(
                "INSERT INTO doc_taxonomy (doc_id, node_id, version, workspace_id, path, lft, confidence, origin) "
                "SELECT %s, node_id, version, workspace_id, canonical_path, lft, 1, 'given' FROM taxonomy_nodes "
                "WHERE version = '1.0.0'",
                [document],
            )
        assert promoting.result().carried == 1
    assert library.topics(document) == {"A": "given 1"}


def test_who_waits_for_a_promotion_gets_the_version_that_it_made_active(library: Library, database: Database) -> None:
    library.release("A")
    library.draft("A", "B")
    with ThreadPoolExecutor(1) as pool, closing(database.connect()) as promoting, closing(database.connect()) as writer:

        def held() -> str | None:
            with writer.transaction():
                version = stored_versions.hold_active(writer, library.workspace_id)
                return version.version if version is not None else None

        with promoting.transaction():
            promoting.execute("UPDATE taxonomy_version SET state = 'retired' WHERE version = '1.0.0'")
            promoting.execute("UPDATE taxonomy_version SET state = 'active' WHERE version = '1.1.0'")
            asking = pool.submit(held)
            while not _waits_for(promoting):
                assert not asking.done()
        assert asking.result() == "1.1.0"


def _waits_for(connection: psycopg.Connection) -> bool:
    """Whether another session waits for this one."""
    return bool(
        connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        ).fetchall()
    )
