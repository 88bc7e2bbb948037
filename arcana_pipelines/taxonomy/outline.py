"""A version of a taxonomy as people look at it: its tree with numbers of documents, and what another one changes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.taxonomy.labels import Path
from arcana_pipelines.taxonomy.lookup import not_found
from arcana_pipelines.taxonomy.nodes import Change, Kind, Node
from arcana_pipelines.taxonomy.stored_versions import find_version, nodes_of
from arcana_pipelines.taxonomy.versions import differences

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A node with what hangs on it.

    Attributes:
        documents: that are about the node itself; those that wait for a person's word are not counted.
        below: nodes below it, at any depth, whether they are shown or not.
    """

    node: Node
    documents: int
    below: int


def outline(
    connection: Connection, workspace_id: UUID, version: str, below: Path | None = None, levels: int | None = None
) -> list[Entry]:
    """The nodes of a version from the top, each behind its parent.

    Args:
        below: only this node and what is below it.
        levels: as many as are wanted, `below` or the top being the first; None: all.

    Raises:
        UnknownTaxonomyVersion: there is no such version.
        TaxonomyNodeNotFoundError: it has no node `below`.
    """
    nodes = nodes_of(connection, workspace_id, version)
    top = 0
    if below is not None:
        at = next((node for node in nodes if node.path == below), None)
        if at is None or at.lft is None or at.rgt is None:
            raise not_found(connection, workspace_id, version, below)
        nodes = [node for node in nodes if node.lft is not None and at.lft <= node.lft <= at.rgt]
        top = len(below) - 1
    documents = dict(
        connection.execute(load_sql("node_documents"), {"workspace_id": workspace_id, "version": version}).fetchall()
    )
    return [
        Entry(node, documents.get(node.node_id, 0), (node.rgt or 0) - (node.lft or 0))
        for node in nodes
        if levels is None or len(node.path) - top <= levels
    ]


def changes_between(connection: Connection, workspace_id: UUID, old: str, new: str) -> list[Change]:
    """What is other in a version than in another one. Where it was made from that, merged, split and retired nodes are.

    A node is `gone` where nobody said what became of it.

    Raises:
        UnknownTaxonomyVersion: there is no such version.
    """
    changes = differences(connection, workspace_id, old, new)
    if find_version(connection, workspace_id, new).based_on != old:
        return changes
    rows = query.rows(
        connection, _Said, load_sql("changes_said"), {"workspace_id": workspace_id, "old": old, "new": new}
    )
    said = [
        Change(row.kind, row.from_node, row.to_node, _path(row.from_path), _path(row.to_path))
        for row in rows
    ]  # fmt: skip
    explained = {change.from_node for change in said}
    return [change for change in changes if change.kind != "gone" or change.from_node not in explained] + said


@dataclass(frozen=True, slots=True)
class _Said:
    kind: Kind
    from_node: UUID
    to_node: UUID | None
    from_path: list[str] | None
    to_path: list[str] | None


def _path(labels: list[str] | None) -> Path | None:
    return None if labels is None else tuple(labels)
