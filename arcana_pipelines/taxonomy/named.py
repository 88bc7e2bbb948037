"""What topics are called in other languages, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.taxonomy.labels import Path

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class NodeText:
    """What a node says of itself.

    Attributes:
        labels: by language, such as `ko`; its own label is not among them.
    """

    node_id: UUID
    definition: str | None
    synonyms: list[str]
    labels: Mapping[str, str]


def texts_of(
    connection: Connection, workspace_id: UUID, version: str, nodes: Collection[UUID]
) -> Mapping[UUID, NodeText]:
    """What those of the nodes say that a version has."""
    statement = (
        "SELECT node_id, definition, synonyms, labels FROM taxonomy_nodes "
        "WHERE workspace_id = %s AND version = %s AND node_id = ANY(%s)"
    )
    found = query.rows(connection, NodeText, statement, [workspace_id, version, list(nodes)])
    return {text.node_id: text for text in found}


def named_in(
    connection: Connection, workspace_id: UUID, version: str, nodes: Collection[UUID], language: str
) -> Mapping[UUID, Path]:
    """The paths of those of the nodes that a version has, in a language (`ko`); a label that has none stays."""
    given = {"workspace_id": workspace_id, "version": version, "nodes": list(nodes), "language": language}
    return {node_id: tuple(labels) for node_id, labels in connection.execute(load_sql("named"), given)}


def all_named(connection: Connection, workspace_id: UUID, language: str, most: int) -> list[tuple[Path, Path]]:
    """The paths of the active version from the top, each as it is and in a language; so many at most."""
    given = {"workspace_id": workspace_id, "language": language, "most": most}
    return [(tuple(path), tuple(labels)) for path, labels in connection.execute(load_sql("all_named"), given)]
