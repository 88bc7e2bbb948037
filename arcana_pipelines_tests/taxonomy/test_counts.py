"""How many documents have topics, and how many topics wait: of the active version, and as whoever asks may see."""

from __future__ import annotations

from uuid import UUID

import pytest

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.taxonomy.counts import topic_counts
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

TOPIC, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def handbook(acme: Harness) -> UUID:
    acme.world.add_page("Vacation", blocks="Thirty days.")
    acme.world.add_page("Badges", blocks="A badge opens the door.")
    acme.settle()
    acme.sync()
    with acme.database.connection() as connection:
        return workspaces.find(connection, "acme").workspace_id


def release(connection: Connection, workspace_id: UUID, version: str, *nodes: UUID) -> None:
    """Make a version of these nodes the active one."""
    given = {"workspace": workspace_id, "version": version}
    with connection.transaction():
        connection.execute("UPDATE taxonomy_version SET state = 'retired' WHERE state = 'active'")
        connection.execute(
            "INSERT INTO taxonomy_version (workspace_id, version, ordinal, nodes) "
            "SELECT %(workspace)s, %(version)s, count(*), %(nodes)s FROM taxonomy_version",
            {**given, "nodes": len(nodes)},
        )
        connection.cursor().executemany(
            "INSERT INTO taxonomy_nodes (node_id, version, workspace_id, label, canonical_path, lft, rgt) "
            "VALUES (%(node)s, %(version)s, %(workspace)s, %(label)s, ARRAY[%(label)s], %(at)s, %(at)s)",
            [{**given, "node": node, "label": f"topic {at}", "at": at} for at, node in enumerate(nodes)],
        )
        connection.execute("UPDATE taxonomy_version SET state = 'active' WHERE version = %s", [version])


def say(connection: Connection, title: str, node: UUID, origin: str, *, waits: bool = False) -> None:
    """What a document is about, in each version."""
    with connection.transaction():
        connection.execute(
            "INSERT INTO doc_taxonomy "
            "(doc_id, node_id, version, workspace_id, path, confidence, hitl_required, origin, lft) "
            "SELECT d.document_id, n.node_id, n.version, n.workspace_id, n.canonical_path, 1, %s, %s, n.lft "
            "FROM document d JOIN document_content c ON c.document_content_id = d.latest_content_id "
            "JOIN taxonomy_nodes n USING (workspace_id) WHERE c.contents->>'title' = %s AND n.node_id = %s",
            [waits, origin, title, node],
        )


def test_a_workspace_without_a_taxonomy_is_not_counted(acme: Harness, handbook: UUID) -> None:
    with acme.database.connection() as connection:
        assert topic_counts(connection) == topic_counts(connection, handbook) == []


def test_documents_count_with_a_topic_and_not_with_one_that_waits(acme: Harness, handbook: UUID) -> None:
    with acme.database.connection() as connection:
        release(connection, handbook, "1.0.0", TOPIC, OTHER)
        (nothing_yet,) = topic_counts(connection)
        say(connection, "Vacation", TOPIC, "rule")
        say(connection, "Vacation", OTHER, "person")
        say(connection, "Badges", OTHER, "nearest", waits=True)
        say(connection, "Badges", TOPIC, "nearest", waits=True)  # what may be chosen instead
        (counts,) = topic_counts(connection, handbook)
    assert (nothing_yet.documents, nothing_yet.with_topic, nothing_yet.waits_since) == (2, 0, None)
    assert (counts.workspace, counts.version, counts.nodes) == ("acme", "1.0.0", 2)
    assert (counts.with_topic, counts.coverage) == (1, 0.5)
    assert counts.assigned == {"rule": 1, "person": 1} and counts.waiting == 1 and counts.waits_since is not None
    assert counts.as_dict()["assigned"] == {"given": 0, "person": 1, "rule": 1, "nearest": 0, "default": 0}


def test_a_file_counts_with_the_topics_of_its_page_and_is_told_apart(acme: Harness, handbook: UUID) -> None:
    with acme.database.connection() as connection:
        release(connection, handbook, "1.0.0", TOPIC)
        say(connection, "Vacation", TOPIC, "person")
        # The second document as if it were a file on the first one.
        connection.execute(
            "INSERT INTO source_file (workspace_id, external_id, page_external_id, file_id, document_id, position, "
            "name, origin) SELECT f.workspace_id, 'f', p.external_id, 'f', f.document_id, 0, 'f.txt', 'external' "
            "FROM source_page p, source_page f WHERE p.title = 'Vacation' AND f.title = 'Badges'"
        )
        (by_page,) = topic_counts(connection)
        say(connection, "Badges", TOPIC, "rule")
        (own,) = topic_counts(connection)
    assert (by_page.with_topic, by_page.by_page, by_page.as_dict()["by_page"]) == (2, 1, 1)
    assert (own.with_topic, own.by_page) == (2, 0)


def test_versions_before_and_documents_that_are_gone_do_not_count(acme: Harness, handbook: UUID) -> None:
    with acme.database.connection() as connection:
        release(connection, handbook, "1.0.0", TOPIC)
        say(connection, "Vacation", TOPIC, "rule")
        release(connection, handbook, "1.1.0", OTHER)
        (after,) = topic_counts(connection)
        say(connection, "Badges", OTHER, "person")
        with connection.transaction():
            connection.execute("UPDATE document SET deleted_at = now()")
        (gone,) = topic_counts(connection)
    assert (after.version, after.with_topic, after.assigned) == ("1.1.0", 0, {})
    assert (gone.documents, gone.coverage, gone.assigned) == (0, None, {})


def test_paths_that_are_no_topics_are_counted_once_each(acme: Harness, handbook: UUID) -> None:
    with acme.database.connection() as connection:
        release(connection, handbook, "1.0.0", TOPIC)
        with connection.transaction():
            connection.execute(
                "INSERT INTO taxonomy_unknown_path (workspace_id, version, path, times) "
                "VALUES (%(workspace)s, '1.0.0', '{a,b}', 40), (%(workspace)s, '1.0.0', '{c}', 1)",
                {"workspace": handbook},
            )
        (counts,) = topic_counts(connection)
    assert counts.unknown_paths == 2
