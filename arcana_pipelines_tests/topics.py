"""Taxonomies and the topics of documents, as their rows stand: how they come to be is tested where they are made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID, uuid4

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.taxonomy.tree import Path, read_path

Nodes = dict[str, UUID]


def release(
    connection: Connection,
    workspace_id: UUID,
    paths: Sequence[str],
    version: str = "1.0.0",
    known: Mapping[str, UUID] | None = None,
    became: Collection[tuple[str, UUID, UUID | None]] = (),
) -> Nodes:
    """Make a version with these paths the active one; topics of the version before stay with that.

    Args:
        paths: what stands above one is made with it.
        known: ids by path, of nodes that other versions have.
        became: changes from the version before: their kind, the node of then, the one of now.
    """
    known = known or {}
    every = sorted({read_path(path)[: depth + 1] for path in paths for depth in range(len(read_path(path)))})
    ids: dict[Path, UUID] = {path: known.get("/".join(path)) or uuid4() for path in every}
    place = {path: number for number, path in enumerate(every, start=1)}
    last = {path: max(place[other] for other in every if other[: len(path)] == path) for path in every}
    with connection.transaction():
        before = connection.execute(
            "UPDATE taxonomy_version SET state = 'retired' WHERE workspace_id = %s AND state = 'active' "
            "RETURNING version",
            [workspace_id],
        ).fetchone()
        connection.execute(
            "INSERT INTO taxonomy_version (workspace_id, version, ordinal, nodes) SELECT %(workspace)s, %(version)s, "
            "coalesce(max(ordinal), 0) + 1, %(nodes)s FROM taxonomy_version WHERE workspace_id = %(workspace)s",
            {"workspace": workspace_id, "version": version, "nodes": len(every)},
        )
        connection.cursor().executemany(
            "INSERT INTO taxonomy_nodes (node_id, version, workspace_id, parent_id, label, canonical_path, lft, rgt) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                [ids[path], version, workspace_id, ids.get(path[:-1]), path[-1], list(path), place[path], last[path]]
                for path in every
            ],
        )
        connection.cursor().executemany(
            "INSERT INTO taxonomy_change (workspace_id, version, from_version, kind, from_node, to_node) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            [[workspace_id, version, before and before[0], kind, old, new] for kind, old, new in became],
        )
        make_active(connection, workspace_id, version)
    return {"/".join(path): node_id for path, node_id in ids.items()}


def make_active(connection: Connection, workspace_id: UUID, version: str) -> None:
    """Have searches look at this version."""
    with connection.transaction():
        connection.execute(
            "UPDATE taxonomy_version SET state = 'retired' WHERE workspace_id = %s AND state = 'active'", [workspace_id]
        )
        connection.execute(
            "UPDATE taxonomy_version SET state = 'active' WHERE workspace_id = %s AND version = %s",
            [workspace_id, version],
        )


def give_topic(connection: Connection, workspace_id: UUID, title: str, *nodes: UUID, waits: bool = False) -> None:
    """Say what the documents of a title are about, in the active version."""
    with connection.transaction():
        connection.execute(
            "INSERT INTO doc_taxonomy "
            "(doc_id, node_id, version, workspace_id, path, confidence, hitl_required, origin, lft) "
            "SELECT d.document_id, n.node_id, n.version, n.workspace_id, n.canonical_path, 1, %(waits)s, 'person', "
            "n.lft FROM document d JOIN document_content c ON c.document_content_id = d.latest_content_id "
            "JOIN taxonomy_version v ON v.workspace_id = d.workspace_id AND v.state = 'active' "
            "JOIN taxonomy_nodes n ON n.version = v.version AND n.node_id = ANY(%(nodes)s) "
            "WHERE d.workspace_id = %(workspace)s AND c.contents->>'title' = %(title)s",
            {"workspace": workspace_id, "title": title, "nodes": list(nodes), "waits": waits},
        )
