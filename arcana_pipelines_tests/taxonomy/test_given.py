"""Topics by a person's word: given, taken away, and held against machines, later versions and each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

from arcana_pipelines.audit.chain import entries
from arcana_pipelines.audit.record import by_key
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.errors import TaxonomyNodeNotFoundError, UnknownDocument, UnknownTaxonomyVersion
from arcana_pipelines.taxonomy.given import assign, topics_of, unassign
from arcana_pipelines.taxonomy.labels import Path
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.taxonomy.planted import plant, tree_of
from arcana_pipelines_tests.tenants import Tenant

RAG, LAW, LEASES = ("AI", "RAG"), ("Law",), ("Law", "Leases")
MIRA = by_key("mira1234")


@pytest.fixture
def document_id(acme: Harness) -> UUID:
    acme.world.add_page("Vacation", blocks="Thirty days.")
    acme.settle()
    acme.sync()
    ((document_id,),) = acme.rows("SELECT document_id FROM document")
    return UUID(str(document_id))


@pytest.fixture
def connection(acme: Harness) -> Iterator[Connection]:
    with acme.database.connection() as connection:
        yield connection


@pytest.fixture
def nodes(connection: Connection, workspace_id: UUID) -> dict[Path, UUID]:
    return dict(plant(connection, workspace_id, "1.0.0", tree_of(["AI/RAG", "Law/Leases"])))


def machine_says(connection: Connection, document_id: UUID, node: UUID, origin: str, *, waits: bool = False) -> None:
    connection.execute(
        "INSERT INTO doc_taxonomy (doc_id, node_id, version, workspace_id, path, lft, confidence, hitl_required, "
        "origin, score, margin) SELECT %s, node_id, version, workspace_id, canonical_path, lft, 0.7, %s, %s, 0.6, 0.1 "
        "FROM taxonomy_nodes WHERE node_id = %s",
        [document_id, waits, origin, node],
    )


def decisions(acme: Harness) -> list[tuple[Any, ...]]:
    return acme.rows("SELECT node_id, verdict, decided_by, origin, score FROM taxonomy_decision ORDER BY decided_at")


def told(acme: Harness) -> list[tuple[str, str, dict[str, Any]]]:
    with acme.database.connection() as connection:
        rows = reversed(entries(connection, "acme", 100))
        return [(row.actor, row.action, row.details) for row in rows if row.action.startswith("topic.")]


class TestAssigning:
    def test_a_person_s_word_is_sure_needs_no_other_and_is_audited_and_logged(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID],
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        caplog.set_level("INFO", logger="arcana_pipelines.taxonomy.given")
        (topic,) = assign(connection, workspace_id, document_id, [RAG], MIRA)
        assert (topic.path, topic.node_id, topic.version) == (RAG, nodes[RAG], "1.0.0")
        assert (topic.confidence, topic.origin, topic.hitl_required, topic.reason) == (1.0, "person", False, None)
        assert topic.created_at.tzinfo is not None
        assert decisions(acme) == [(nodes[RAG], "accepted", MIRA, None, None)]
        assert told(acme) == [(MIRA, "topic.assigned", {"version": "1.0.0", "topics": ["AI/RAG"]})]
        assert f"topic.assigned: AI/RAG, node {nodes[RAG]}, version 1.0.0" in caplog.text

    def test_said_twice_it_is_so_once(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
    ) -> None:
        first = assign(connection, workspace_id, document_id, [RAG, RAG], MIRA)
        assert assign(connection, workspace_id, document_id, [RAG], by_key("other123")) == first
        assert len(told(acme)) == len(decisions(acme)) == 1

    def test_what_a_machine_suggested_becomes_the_person_s_and_how_sure_it_was_is_kept(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
    ) -> None:
        machine_says(connection, document_id, nodes[RAG], "nearest", waits=True)
        machine_says(connection, document_id, nodes[LAW], "default", waits=True)
        (topic,) = assign(connection, workspace_id, document_id, [RAG], MIRA)
        assert (topic.origin, topic.confidence, topic.hitl_required) == ("person", 1.0, False)
        assert [row[3:] for row in decisions(acme)] == [("nearest", pytest.approx(0.6))]

    def test_one_unknown_path_refuses_all_and_nothing_is_written(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
    ) -> None:
        with pytest.raises(TaxonomyNodeNotFoundError, match="did you mean 'AI/RAG'"):
            assign(connection, workspace_id, document_id, [LAW, ("AI", "RGA")], MIRA)
        assert topics_of(connection, workspace_id, [document_id]) == {document_id: []}
        assert (told(acme), decisions(acme)) == ([], [])
        assert acme.rows("SELECT count(*) FROM taxonomy_unknown_path") == [(0,)], "people are told at once"

    def test_without_a_taxonomy_or_the_document_there_is_nothing_to_say(
        self, connection: Connection, workspace_id: UUID, document_id: UUID
    ) -> None:
        for say in (assign, unassign):
            with pytest.raises(UnknownTaxonomyVersion, match="'acme' has no active taxonomy"):
                say(connection, workspace_id, document_id, [RAG], MIRA)
        plant(connection, workspace_id, "1.0.0", tree_of(["AI/RAG"]))
        for say in (assign, unassign):
            with pytest.raises(UnknownDocument):
                say(connection, workspace_id, uuid4(), [RAG], MIRA)
            connection.execute("UPDATE document SET deleted_at = now()")
            with pytest.raises(UnknownDocument):
                say(connection, workspace_id, document_id, [RAG], MIRA)


class TestTakingAway:
    def test_it_is_gone_and_rejected_and_audited(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
    ) -> None:
        machine_says(connection, document_id, nodes[RAG], "rule")
        machine_says(connection, document_id, nodes[LAW], "rule")
        (left,) = unassign(connection, workspace_id, document_id, [RAG], MIRA)
        assert left.path == LAW
        assert decisions(acme) == [(nodes[RAG], "rejected", MIRA, "rule", pytest.approx(0.6))]
        assert unassign(connection, workspace_id, document_id, [RAG], MIRA) == [left]
        assert told(acme) == [(MIRA, "topic.removed", {"version": "1.0.0", "topics": ["AI/RAG"]})]

    def test_a_topic_that_it_never_had_is_kept_away_from_it_all_the_same(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
    ) -> None:
        assert unassign(connection, workspace_id, document_id, [LEASES], MIRA) == []
        assert [row[1] for row in decisions(acme)] == ["rejected"]

    def test_the_newest_word_counts(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
    ) -> None:
        for _ in range(2):
            assert len(assign(connection, workspace_id, document_id, [RAG], MIRA)) == 1
            assert [row[1] for row in decisions(acme)] == ["accepted"]
            assert unassign(connection, workspace_id, document_id, [RAG], MIRA) == []
            assert [row[1] for row in decisions(acme)] == ["rejected"]


class TestAtOnce:
    def test_two_who_say_the_same_say_it_once(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
    ) -> None:
        together = threading.Barrier(4)

        def say(number: int) -> int:
            with acme.database.own_connection() as own:
                together.wait(30)
                return len(assign(own, workspace_id, document_id, [RAG, LAW, LEASES], by_key(f"person{number}")))

        with ThreadPoolExecutor(4) as people:
            assert list(people.map(say, range(4))) == [3] * 4
        assert len(told(acme)) == 1 and len(decisions(acme)) == 3

    def test_a_version_that_is_promoted_meanwhile_is_the_one_that_counts(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
    ) -> None:
        with (
            ThreadPoolExecutor(1) as people,
            acme.database.own_connection() as other,
            acme.database.own_connection() as own,
        ):
            with other.transaction():
                other.execute("SELECT FROM taxonomy_version WHERE workspace_id = %s FOR UPDATE", [workspace_id])
                said = people.submit(assign, own, workspace_id, document_id, [RAG], MIRA)
                waits = (
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
                while connection.execute(waits).fetchone() == (0,):
                    assert not said.done()
                new = plant(other, workspace_id, "2.0.0", tree_of(["AI/RAG"]))
            (topic,) = said.result(30)
        assert (topic.version, topic.node_id) == ("2.0.0", new[RAG])

    def test_who_has_said_so_keeps_a_promotion_waiting_until_it_is_written(
        self, acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
    ) -> None:
        with acme.database.own_connection() as own, own.transaction():
            assign(own, workspace_id, document_id, [RAG], MIRA)
            held = "SELECT FROM taxonomy_version WHERE workspace_id = %s FOR UPDATE SKIP LOCKED"
            with connection.transaction():
                assert connection.execute(held, [workspace_id]).fetchall() == []


def test_topics_are_those_of_the_active_version_in_the_order_of_the_tree(
    connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
) -> None:
    assign(connection, workspace_id, document_id, [LEASES, RAG], MIRA)
    nobody = uuid4()
    found = topics_of(connection, workspace_id, [document_id, nobody])
    assert [topic.path for topic in found[document_id]] == [RAG, LEASES] and found[nobody] == []
    plant(connection, workspace_id, "2.0.0", tree_of(["AI/RAG"]))
    assert topics_of(connection, workspace_id, [document_id]) == {document_id: []}


def test_a_removed_document_takes_its_topics_along(
    acme: Harness, connection: Connection, workspace_id: UUID, document_id: UUID, nodes: dict[Path, UUID]
) -> None:
    assign(connection, workspace_id, document_id, [RAG], MIRA)
    connection.execute("DELETE FROM source_page")
    connection.execute("DELETE FROM document")
    assert acme.rows("SELECT count(*) FROM doc_taxonomy") == [(0,)]
    assert decisions(acme) == []


def test_a_company_gives_topics_to_its_own_documents_alone(ours: Tenant, theirs: Tenant, served: Database) -> None:
    for tenant in (ours, theirs):
        with tenant.harness.database.connection() as connection:
            plant(connection, tenant.workspace_id, "7.0.0", tree_of(["AI/RAG"]))
    documents = {
        tenant.harness.slug: tenant.harness.rows(
            "SELECT document_id FROM source_page WHERE workspace_id = %s AND external_id = %s",
            tenant.workspace_id, tenant.page,
        )[0][0]
        for tenant in (ours, theirs)
    }  # fmt: skip
    with served.connection(company=ours.company) as connection:
        (topic,) = assign(connection, ours.workspace_id, documents["ours"], [RAG], MIRA)
        assert topic.origin == "person"
        with pytest.raises(UnknownDocument):
            assign(connection, ours.workspace_id, documents["theirs"], [RAG], MIRA)
        with pytest.raises(UnknownTaxonomyVersion):
            assign(connection, theirs.workspace_id, documents["theirs"], [RAG], MIRA)
        assert topics_of(connection, theirs.workspace_id, [documents["theirs"]]) == {documents["theirs"]: []}
        assert unassign(connection, ours.workspace_id, documents["ours"], [RAG], MIRA) == []
