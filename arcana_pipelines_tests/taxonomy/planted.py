"""Taxonomies in the database, as a release leaves them: made by a statement each: large ones are there soon."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.taxonomy.labels import Path, read_path
from arcana_pipelines.taxonomy.nodes import GivenNode, Node
from arcana_pipelines.taxonomy.tree import make_tree

_COLUMNS = (
    "node_id, version, workspace_id, parent_id, label, canonical_path, definition, synonyms, labels, external_ref, "
    "confidence, lft, rgt"
)


def tree_of(paths: Iterable[str], before: Sequence[Node] = ()) -> list[Node]:
    """The nodes of a tree with these paths; what stands above them is there, too."""
    there: dict[Path, None] = {}
    for path in map(read_path, paths):
        there |= dict.fromkeys(path[:length] for length in range(1, len(path) + 1))
    return make_tree([GivenNode(path) for path in there], before).nodes


def plant(
    connection: Connection, workspace_id: UUID, version: str, nodes: Sequence[Node], state: str = "active"
) -> Mapping[Path, UUID]:
    """Put a version there, as the active one or in another state; returns its nodes by path."""
    with connection.transaction():
        connection.execute(
            "UPDATE taxonomy_version SET state = 'retired' WHERE workspace_id = %s AND state = 'active' AND %s",
            [workspace_id, state == "active"],
        )
        connection.execute(
            "INSERT INTO taxonomy_version (workspace_id, version, ordinal, nodes) SELECT %s, %s, "
            "1 + coalesce((SELECT max(ordinal) FROM taxonomy_version WHERE workspace_id = %s), 0), %s",
            [workspace_id, version, workspace_id, len(nodes)],
        )
        # No COPY: the tables have policies.
        connection.execute(
            f"INSERT INTO taxonomy_nodes ({_COLUMNS}) SELECT node_id, %s, %s, parent_id, label, "
            "ARRAY(SELECT jsonb_array_elements_text(path)), definition, "
            "ARRAY(SELECT jsonb_array_elements_text(synonyms)), labels, external_ref, confidence, lft, rgt "
            "FROM jsonb_to_recordset(%s) AS t(node_id uuid, parent_id uuid, label text, path jsonb, definition text, "
            "synonyms jsonb, labels jsonb, external_ref text, confidence real, lft integer, rgt integer)",
            [version, workspace_id, json.dumps([asdict(node) for node in nodes], default=str)],
        )
        if state != "draft":
            connection.execute(
                "UPDATE taxonomy_version SET state = %s, released_at = clock_timestamp(), "
                "activated_at = clock_timestamp() WHERE workspace_id = %s AND version = %s",
                [state, workspace_id, version],
            )
    return {node.path: node.node_id for node in nodes}


def large_tree(breadths: Sequence[int] = (1, 30, 30, 34)) -> list[Node]:
    """A tree with so many children a node on each level: by default 31,531 nodes, `R 0/A 7/B 12/C 33` the deepest."""
    nodes: list[Node] = []

    def grow(parent_id: UUID | None, above: Path) -> None:
        if len(above) == len(breadths):
            return
        for number in range(breadths[len(above)]):
            at, label = len(nodes), f"{'RABC'[len(above)]} {number}"
            node_id = UUID(int=at + 1)
            nodes.append(Node(node_id, parent_id, label, (*above, label), lft=at + 1))
            grow(node_id, (*above, label))
            nodes[at] = replace(nodes[at], rgt=len(nodes))

    grow(None, ())
    return nodes
