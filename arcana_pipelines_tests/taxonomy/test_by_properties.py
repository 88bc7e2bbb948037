"""Topics that properties say: given with the version, changed with the property, and noted where they are unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from arcana_pipelines.audit.record import by_key
from arcana_pipelines.ledger.counters import LookupCounts
from arcana_pipelines.operations.status import workspace_status
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.taxonomy import by_properties
from arcana_pipelines.taxonomy.brought import Said, as_path, said_by
from arcana_pipelines.taxonomy.by_properties import give_missing, settle_unknown_paths
from arcana_pipelines.taxonomy.given import assign, topics_of, unassign
from arcana_pipelines.taxonomy.labels import Path, spell_path
from arcana_pipelines.taxonomy.nodes import GivenNode
from arcana_pipelines.taxonomy.versions import promote, store_draft
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.taxonomy.planted import plant, tree_of

MIRA = by_key("mira1234")


class TestWhatAPropertySays:
    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ({"type": "select", "text": "AI/RAG", "value": "AI/RAG"}, [("AI", "RAG")]),
            ({"type": "select", "text": "", "value": None}, []),
            ({"type": "multi_select", "text": "AI, Law", "value": ["AI", "Law"]}, [("AI",), ("Law",)]),
            ({"type": "multi_select", "text": "A, B", "value": ["A, B"]}, [("A, B",)]),
            ({"type": "rich_text", "text": " AI/RAG\n\n제품/책 ", "value": "…"}, [("AI", "RAG"), ("제품", "책")]),
            ({"type": "select", "text": r"C\/C++", "value": r"C\/C++"}, [("C/C++",)]),
            ({"type": "number", "text": "7", "value": 7}, [("7",)]),
            ({"type": "rich_text", "text": None}, []),
            ({"type": "rich_text", "text": "A//B", "value": "A//B"}, [("A//B",)]),
            ({"type": "rich_text", "text": "\x07" * 3, "value": "…"}, []),
            ({"type": "rich_text", "text": "x" * 999, "value": "…"}, [("x" * 200,)]),
        ],
    )  # fmt: skip
    def test_is_paths(self, value: dict[str, Any], said: list[Path]) -> None:
        assert [each.path for each in said_by({"Topic": value})] == said

    def test_is_pages_where_it_is_a_relation(self) -> None:
        relation = {"type": "relation", "text": "", "value": ["a", "b", ""]}
        assert list(said_by({"Topic": relation})) == [Said("Topic", page="a"), Said("Topic", page="b")]
        assert list(said_by({"Topic": {"type": "relation", "value": None}})) == []

    def test_nothing_to_read_is_no_path(self) -> None:
        assert as_path("  \n ") is None


@dataclass
class Shelf:
    """A database whose rows say their topics, and a taxonomy."""

    acme: Harness
    workspace_id: UUID
    source: str

    def row(self, title: str, *topics: str, **more: Any) -> str:
        row = self.acme.world.add_row(self.source, title, {"Topic": list(topics), **more})
        self.acme.settle()
        return row

    def say(self, row: str, *topics: str) -> None:
        self.acme.world.set_property(row, "Topic", list(topics))
        self.acme.settle()

    def sync(self) -> None:
        self.acme.sync()

    def plant(self, *paths: str, version: str = "1.0.0") -> None:
        with self.acme.database.connection() as connection:
            plant(connection, self.workspace_id, version, tree_of(paths))

    def next_version(self, version: str, rows: Sequence[GivenNode]) -> None:
        with self.acme.database.connection() as connection:
            store_draft(connection, self.workspace_id, rows, version)
            promote(connection, self.workspace_id, version, retire_missing=True)

    def set(self, names: Sequence[str] = ("Topic",), default: Path | None = None) -> None:
        with self.acme.database.connection() as connection:
            connection.execute(
                "INSERT INTO taxonomy_settings (workspace_id, topic_properties, default_node) SELECT %s, %s, "
                "(SELECT node_id FROM taxonomy_nodes WHERE canonical_path = %s LIMIT 1) "
                "ON CONFLICT (workspace_id) DO UPDATE SET topic_properties = excluded.topic_properties, "
                "default_node = excluded.default_node",
                [self.workspace_id, list(names), list(default or ())],
            )

    def document(self, row: str) -> UUID:
        ((document_id,),) = self.acme.rows("SELECT document_id FROM source_page WHERE external_id = %s", row)
        return UUID(str(document_id))

    def topics(self, row: str) -> dict[str, str]:
        """Where each of its topics is from."""
        with self.acme.database.connection() as connection:
            found = topics_of(connection, self.workspace_id, [self.document(row)])
        # What a sync's own classification suggests besides is not asked here.
        brought = [topic for topics in found.values() for topic in topics if topic.origin != "nearest"]
        return {spell_path(topic.path): topic.origin for topic in brought}

    def unknown(self) -> list[tuple[Any, ...]]:
        return self.acme.rows("SELECT version, path, times, documents FROM taxonomy_unknown_path ORDER BY path")


@pytest.fixture
def shelf(acme: Harness, workspace_id: UUID) -> Shelf:
    schema = {"Topic": "multi_select", "Also": "rich_text"}
    source = acme.world.add_database("Notes", schema=schema).data_source_id
    return Shelf(acme, workspace_id, source)


class TestGiving:
    def test_several_values_give_several_topics_sure_and_without_a_question(
        self, shelf: Shelf, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", logger="arcana_pipelines.taxonomy.giving")
        shelf.plant("AI/RAG", "Law", "제품/배터리")
        shelf.set()
        row = shelf.row("One", "AI/RAG", "제품/배터리")
        other = shelf.row("Two")
        shelf.sync()
        assert shelf.topics(row) == {"AI/RAG": "given", "제품/배터리": "given"}
        assert shelf.topics(other) == {}
        ((confidence, waits, reason),) = set(
            shelf.acme.rows("SELECT confidence, hitl_required, reason FROM doc_taxonomy WHERE origin = 'given'")
        )
        assert (confidence, waits, reason) == (1.0, False, "property 'Topic'")
        assert "given: AI/RAG, node " in caplog.text and "version 1.0.0" in caplog.text
        assert "'given': 2" in caplog.text

    def test_of_several_properties_each_says_its_own(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG", "Law")
        shelf.set(["Topic", "Also", "Nowhere"])
        row = shelf.row("One", "Law", Also="AI/RAG\nLaw")
        shelf.sync()
        assert shelf.topics(row) == {"Law": "given", "AI/RAG": "given"}

    def test_a_changed_property_takes_the_old_topic_away_and_brings_the_new(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG", "Law")
        shelf.set()
        row = shelf.row("One", "Law")
        shelf.sync()
        shelf.say(row, "AI/RAG")
        shelf.sync()
        assert shelf.topics(row) == {"AI/RAG": "given"}
        shelf.say(row)
        shelf.sync()
        assert shelf.topics(row) == {}

    def test_where_nothing_changed_nothing_is_written(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        shelf.plant("AI/RAG", "Law")
        shelf.set()
        row = shelf.row("One", "Law")
        shelf.sync()
        written: list[object] = []
        monkeypatch.setattr(by_properties, "write_plan", lambda *asked: written.append(asked))
        shelf.acme.world.edit_page(row, "Other words.")
        shelf.acme.settle()
        shelf.sync()
        with shelf.acme.database.connection() as connection:
            give_missing(connection, shelf.workspace_id)
        assert shelf.topics(row) == {"Law": "given"} and written == []

    @pytest.mark.parametrize(("has_taxonomy", "asked"), [(False, 1), (True, 3)])
    def test_without_a_taxonomy_or_named_properties_a_batch_costs_next_to_nothing(
        self, shelf: Shelf, has_taxonomy: bool, asked: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if has_taxonomy:
            shelf.plant("AI/RAG")
        statements: list[object] = []
        with shelf.acme.database.connection() as connection, connection.transaction():
            execute = type(connection).execute
            cursor = type(connection).cursor
            monkeypatch.setattr(type(connection), "execute", lambda *a, **k: statements.append(a) or execute(*a, **k))
            monkeypatch.setattr(type(connection), "cursor", lambda *a, **k: statements.append(a) or cursor(*a, **k))
            held = by_properties.hold(connection, shelf.workspace_id)
            if held is not None:
                assert by_properties.give_by_properties(connection, held, ["a"]).given == 0
        assert (held is not None) == has_taxonomy
        assert len(statements) <= asked + 2

    def test_a_person_s_word_stands_above_what_a_property_says(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG", "Law")
        shelf.set()
        row = shelf.row("One", "Law")
        shelf.sync()
        with shelf.acme.database.connection() as connection:
            unassign(connection, shelf.workspace_id, shelf.document(row), [("Law",)], MIRA)
            assign(connection, shelf.workspace_id, shelf.document(row), [("AI", "RAG")], MIRA)
        shelf.say(row, "Law", "AI")
        shelf.sync()
        assert shelf.topics(row) == {"AI": "given", "AI/RAG": "person"}
        shelf.say(row, "AI/RAG")
        shelf.sync()
        shelf.say(row)
        shelf.sync()
        assert shelf.topics(row) == {"AI/RAG": "person"}

    def test_what_a_machine_found_becomes_given_and_not_sure_no_more(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG", "Law")
        shelf.set()
        row = shelf.row("One")
        shelf.sync()
        with shelf.acme.database.connection() as connection:
            connection.execute(
                "INSERT INTO doc_taxonomy (doc_id, node_id, version, workspace_id, path, lft, confidence, "
                "hitl_required, origin, score) "
                "SELECT %s, node_id, version, workspace_id, canonical_path, lft, 0.6, true, 'nearest', 0.4 "
                "FROM taxonomy_nodes WHERE label = 'Law' ON CONFLICT DO NOTHING",
                [shelf.document(row)],
            )
        shelf.say(row, "Law")
        shelf.sync()
        held = "SELECT origin, confidence, hitl_required, score FROM doc_taxonomy WHERE path = '{Law}'"
        assert shelf.acme.rows(held) == [("given", 1.0, False, None)]

    def test_a_property_with_hundreds_of_values_gives_a_hundred(self, shelf: Shelf) -> None:
        paths = [f"T{number}" for number in range(150)]
        shelf.plant(*paths)
        shelf.set()
        row = shelf.row("One", *paths)
        shelf.sync()
        assert len(shelf.topics(row)) == 100


class TestRelations:
    @pytest.fixture
    def related(self, acme: Harness, workspace_id: UUID) -> tuple[Shelf, str, str]:
        """A shelf whose rows point to pages of topics: `Charging`, which a node stands for, and `Law`."""
        topics = acme.world.add_database("Topics")
        charging, law = (acme.world.add_row(topics.data_source_id, title) for title in ("Charging", "Law/Order"))
        column = {
            "type": "relation", "database_id": topics.database_id, "data_source_id": topics.data_source_id
        }  # fmt: skip
        source = acme.world.add_database("Notes", schema={"Topic": column}).data_source_id
        shelf = Shelf(acme, workspace_id, source)
        nodes = [
            replace(node, external_ref=charging) if node.path == ("제품", "충전") else node
            for node in tree_of(["제품/충전", r"Law\/Order"])
        ]
        with acme.database.connection() as connection:
            plant(connection, workspace_id, "1.0.0", nodes)
        shelf.set()
        return shelf, charging, law

    def test_a_page_that_a_node_was_imported_from_is_that_node_whatever_it_is_called(
        self, related: tuple[Shelf, str, str]
    ) -> None:
        shelf, charging, law = related
        row = shelf.row("One", charging, law)
        shelf.sync()
        assert shelf.topics(row) == {"제품/충전": "given", r"Law\/Order": "given"}

    def test_a_page_that_is_no_topic_is_an_unknown_path_by_its_title(self, related: tuple[Shelf, str, str]) -> None:
        shelf, _, _ = related
        other = shelf.acme.world.add_page("Sea/Ships", blocks="No topic.")
        shelf.row("One", other)
        shelf.sync()
        assert [path for _, path, _, _ in shelf.unknown()] == [["Sea/Ships"]]
        with shelf.acme.database.connection() as connection:
            assert settle_unknown_paths(connection, shelf.workspace_id) == 0, "it is brought still"

    def test_another_page_of_the_same_title_makes_no_version_and_counts_all_the_same(
        self, related: tuple[Shelf, str, str]
    ) -> None:
        shelf, charging, _ = related
        twin = shelf.acme.world.add_page("Charging", blocks="Not the one that the node stands for.")
        row = shelf.row("One", twin)
        shelf.sync()
        assert shelf.topics(row) == {}
        version = shelf.acme.version(row)
        shelf.say(row, charging)
        shelf.sync()
        assert shelf.acme.version(row) == version
        assert shelf.topics(row) == {"제품/충전": "given"}


class TestUnknownPaths:
    def test_are_noted_with_how_often_and_the_first_three_documents_and_keep_no_document(
        self, shelf: Shelf, caplog: pytest.LogCaptureFixture
    ) -> None:
        shelf.plant("AI/RAG")
        shelf.set()
        rows = [shelf.row(f"Row {number}", "AI/RGA", "AI") for number in range(4)]
        shelf.row("Secret words", "Nowhere", Also="hush")
        shelf.sync()
        assert len(shelf.acme.published()) == 5
        assert all(shelf.topics(row) == {"AI": "given"} for row in rows)
        documents = {shelf.document(row) for row in rows}
        (version, path, times, first), (_, other, *_) = shelf.unknown()
        assert (version, path, times, other) == ("1.0.0", ["AI", "RGA"], 4, ["Nowhere"])
        assert len(first) == 3 and set(first) < documents
        assert "there is no topic AI/RGA in version 1.0.0" in caplog.text and "hush" not in caplog.text

    def test_met_again_they_name_nobody_twice_and_count_each_document_once(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG")
        shelf.set()
        row = shelf.row("One", "Nowhere")
        shelf.sync()
        for text in ("Other words.", "More words."):
            shelf.acme.world.edit_page(row, text)
            shelf.acme.settle()
            shelf.sync()
        second = shelf.row("Two", "Nowhere")
        shelf.sync()
        ((_, _, times, documents),) = shelf.unknown()
        assert times == 2 and documents == [shelf.document(row), shelf.document(second)]

    def test_go_when_nobody_brings_them_any_more(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG")
        shelf.set()
        row, other = shelf.row("One", "Nowhere", "AI"), shelf.row("Two", "Nowhere")
        shelf.sync()
        assert [times for _, _, times, _ in shelf.unknown()] == [2]
        shelf.say(row, "AI/RAG")
        shelf.sync()
        assert [(times, first) for _, _, times, first in shelf.unknown()] == [(1, [shelf.document(other)])]
        shelf.acme.world.trash(other)
        shelf.acme.settle()
        shelf.acme.sync(Mode.FULL)
        assert shelf.unknown() == []
        self._settled(shelf, 0)

    def _settled(self, shelf: Shelf, forgotten: int) -> None:
        with shelf.acme.database.connection() as connection:
            assert settle_unknown_paths(connection, shelf.workspace_id) == forgotten

    def test_go_when_a_version_has_them_and_the_documents_have_the_topic(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG")
        shelf.set()
        row = shelf.row("One", "AI/Agents")
        shelf.sync()
        assert shelf.topics(row) == {}
        shelf.plant("AI/RAG", "AI/Agents", version="2.0.0")
        with shelf.acme.database.connection() as connection:
            report = give_missing(connection, shelf.workspace_id, [shelf.document(row)])
            assert (report.given, report.unknown) == (1, frozenset())
            assert settle_unknown_paths(connection, shelf.workspace_id) == 1
        assert shelf.topics(row) == {"AI/Agents": "given"}

    def test_go_with_the_taxonomy(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG")
        shelf.set()
        shelf.row("One", "Nowhere")
        shelf.sync()
        with shelf.acme.database.connection() as connection:
            connection.execute("UPDATE taxonomy_version SET state = 'retired'")
        self._settled(shelf, 1)
        assert shelf.unknown() == []


class TestTheDefaultNode:
    def test_stands_in_waits_for_a_person_and_the_path_is_told_all_the_same(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG", "Unsorted")
        shelf.set(default=("Unsorted",))
        row, other, plain = shelf.row("One", "Nowhere"), shelf.row("Two", "AI", "Nowhere"), shelf.row("Three")
        shelf.sync()
        assert shelf.topics(row) == {"Unsorted": "default"}
        assert shelf.topics(other) == {"AI": "given"} and shelf.topics(plain) == {}
        assert shelf.acme.rows(
            "SELECT confidence, hitl_required, reason FROM doc_taxonomy WHERE origin = 'default'"
        ) == [(0.0, True, "unknown topic 'Nowhere'")]
        assert [times for _, _, times, _ in shelf.unknown()] == [2]

    def test_goes_when_the_document_says_what_is_known_or_nothing(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG", "Unsorted")
        shelf.set(default=("Unsorted",))
        row, other = shelf.row("One", "Nowhere"), shelf.row("Two", "Nowhere")
        shelf.sync()
        shelf.say(row, "AI")
        shelf.say(other)
        shelf.sync()
        assert shelf.topics(row) == {"AI": "given"} and shelf.topics(other) == {}

    def test_stays_while_the_path_is_unknown_and_never_against_a_person(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG", "Unsorted")
        shelf.set(default=("Unsorted",))
        row, other = shelf.row("One", "Nowhere"), shelf.row("Two", "Nowhere")
        shelf.sync()
        with shelf.acme.database.connection() as connection:
            unassign(connection, shelf.workspace_id, shelf.document(other), [("Unsorted",)], MIRA)
            for _ in range(2):
                give_missing(connection, shelf.workspace_id)
        assert shelf.topics(row) == {"Unsorted": "default"} and shelf.topics(other) == {}


class TestLater:
    def test_properties_that_are_named_later_are_caught_up_with(self, shelf: Shelf) -> None:
        row = shelf.row("One", "Law")
        shelf.sync()
        with shelf.acme.database.connection() as connection:
            assert give_missing(connection, shelf.workspace_id).given == 0, "there is no taxonomy"
            assert give_missing(connection, shelf.workspace_id, [shelf.document(row)]).given == 0
        shelf.plant("Law")
        shelf.set()
        with shelf.acme.database.connection() as connection:
            assert give_missing(connection, shelf.workspace_id).given == 1
            assert give_missing(connection, shelf.workspace_id).given == 0
        assert shelf.topics(row) == {"Law": "given"}

    def test_properties_that_are_named_no_more_take_their_topics_along(self, shelf: Shelf) -> None:
        shelf.plant("Law")
        shelf.set()
        row = shelf.row("One", "Law")
        shelf.sync()
        shelf.set([])
        with shelf.acme.database.connection() as connection:
            assert give_missing(connection, shelf.workspace_id).ended == 1
        assert shelf.topics(row) == {}

    def test_a_node_that_was_renamed_moved_or_merged_is_known_by_its_old_path(self, shelf: Shelf) -> None:
        shelf.plant("AI/RAG", "AI/Search", "Law")
        shelf.set()
        rows = [shelf.row(path, path) for path in ("AI/RAG", "AI/Search", "Law")]
        shelf.sync()
        with shelf.acme.database.connection() as connection:
            ids = {
                tuple(path): node
                for path, node in connection.execute("SELECT canonical_path, node_id FROM taxonomy_nodes")
            }
        shelf.next_version("2.0.0", [
            GivenNode(("Machines",), node_id=ids[("AI",)]),
            GivenNode(("Machines", "Retrieval"), node_id=ids[("AI", "RAG")], replaces=(ids[("AI", "Search")],)),
            GivenNode(("Rights",), node_id=ids[("Law",)]),
        ])  # fmt: skip
        for row in rows:
            shelf.acme.world.edit_page(row, "Other words, and the property as it was.")
        shelf.acme.settle()
        shelf.sync()
        assert [shelf.topics(row) for row in rows] == [
            {"Machines/Retrieval": "given"}, {"Machines/Retrieval": "given"}, {"Rights": "given"},
        ]  # fmt: skip
        assert shelf.unknown() == []

    def test_a_node_that_was_split_is_nowhere_and_what_waits_for_a_person_waits_on(self, shelf: Shelf) -> None:
        shelf.plant("Law", "AI")
        shelf.set()
        row = shelf.row("One", "Law")
        shelf.sync()
        shelf.next_version(
            "2.0.0",
            [
                GivenNode(("AI",)),
                GivenNode(("Rents",), replaces=(("Law",),)),
                GivenNode(("Taxes",), replaces=(("Law",),)),
            ],
        )
        before = shelf.topics(row)
        shelf.acme.world.edit_page(row, "Other words.")
        shelf.acme.settle()
        shelf.sync()
        assert before and shelf.topics(row) == before
        assert [path for _, path, *_ in shelf.unknown()] == [["Law"]]


def test_how_often_a_sync_knew_a_path_from_memory_is_told_by_its_status(shelf: Shelf) -> None:
    shelf.plant("AI/RAG", "Law")
    shelf.set()
    for number in range(10):
        shelf.row(f"Row {number}", "Law", "AI/RAG")
    shelf.sync()
    with shelf.acme.database.connection() as connection:
        state = workspace_status(connection, workspaces.find(connection, "acme"))
        assert state.last_sync is not None and state.last_sync.lookups is not None
        asked, hits = state.last_sync.lookups.asked, state.last_sync.lookups.hits
        assert asked >= 20 and asked - hits == 2, "each path was asked of the database once"
        assert state.as_dict()["last_sync"]["lookups"]["hit_rate"] == round(hits / asked, 4) > 0.8
        shelf.sync()
        state = workspace_status(connection, workspaces.find(connection, "acme"))
        assert state.last_sync is not None and "lookups" not in state.last_sync.as_dict(), "nothing was asked"
    assert LookupCounts().hit_rate is None


def test_many_assignments_are_told_as_a_number(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="arcana_pipelines.taxonomy.giving")
    shelf.plant("Law")
    shelf.set()
    for number in range(11):
        shelf.row(f"Row {number}", "Law")
    shelf.sync()
    assert "'given': 11" in caplog.text and "node " not in caplog.text


def test_another_workspace_s_documents_are_left_alone(shelf: Shelf, another: Any) -> None:
    globex = another("globex")
    globex.world.add_page("Law", blocks="Theirs.")
    globex.settle()
    globex.sync()
    shelf.plant("Law")
    shelf.set()
    with shelf.acme.database.connection() as connection:
        theirs = workspaces.find(connection, "globex").workspace_id
        plant(connection, theirs, "1.0.0", tree_of(["Law"]))
        documents = [row for (row,) in connection.execute("SELECT document_id FROM document")]
        assert give_missing(connection, shelf.workspace_id, documents).given == 0
