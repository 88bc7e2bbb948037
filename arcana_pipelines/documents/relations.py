"""What two documents are to each other, said by hand: syncs leave it alone, and it stays until somebody takes it back.

Or said by properties of rows that a workspace's settings name: then syncs keep it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args
from uuid import UUID

from arcana_pipelines.audit.record import record
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import UnknownDocument, WrongUse
from arcana_pipelines.markdown.characters import clean

load_sql = statements_beside(__file__)

RelationType = Literal["summary", "translation", "derived", "duplicate", "reference"]


# Where a workspace's settings name the properties that relate documents (`property_relations.sql`).
OF_PROPERTIES = "relation_properties"


def with_properties(config: Mapping[str, Any], named: Iterable[str]) -> dict[str, Any]:
    """A workspace's settings with properties of rows that say what the pages they point to are of the row.

    Args:
        named: `번역=translation`, and `번역=` for a property that says so no more.

    Raises:
        WrongUse: one is none of these.
    """
    properties: dict[str, str] = dict(config.get(OF_PROPERTIES, {}))
    for each in named:
        name, is_given, relation_type = each.rpartition("=")
        name, relation_type = clean(name).strip(), relation_type.strip()
        if not is_given or not name or relation_type not in ("", *get_args(RelationType)):
            types = ", ".join(get_args(RelationType))
            raise WrongUse(f"'{each}' relates nothing: write PROPERTY=TYPE, with one of {types}.")
        if relation_type:
            properties[name] = relation_type
        else:
            properties.pop(name, None)
    rest = {name: value for name, value in config.items() if name != OF_PROPERTIES}
    return {**rest, OF_PROPERTIES: properties} if properties else rest


def relate_by_properties(connection: Connection, workspace_id: UUID) -> None:
    """Make the relations that a workspace's settings name what the properties of its rows say."""
    connection.execute(load_sql("property_relations"), {"workspace_id": workspace_id})


def relate(
    connection: Connection,
    workspace_id: UUID,
    base_id: UUID,
    related_id: UUID,
    relation_type: RelationType,
    actor: str | None = None,
) -> bool:
    """Note that a document is the summary, the translation … of another; False: that was known already.

    Args:
        base_id: the document that it is one of; both are of the workspace.
        actor: for the audit log; None: the user of this process.

    Raises:
        WrongUse: both are one document.
        UnknownDocument: one of them is not in this workspace (any more).
    """
    if base_id == related_id:
        raise WrongUse("A document is related to another one, not to itself.")
    key = _key(workspace_id, base_id, related_id, relation_type)
    with connection.transaction():
        row = connection.execute(load_sql("relate"), key).fetchone()
        assert row is not None
        is_there, is_new = row
        if not is_there:
            raise UnknownDocument("One of the two documents is not in this workspace (any more).")
        if is_new:
            details = {"related": str(related_id), "type": relation_type}
            record(connection, actor, "relation.added", str(base_id), workspace_id=workspace_id, details=details)
    return bool(is_new)


def unrelate(
    connection: Connection,
    workspace_id: UUID,
    base_id: UUID,
    related_id: UUID,
    relation_type: RelationType | None = None,
    actor: str | None = None,
) -> list[str]:
    """Take back what was said by hand; without a type all of it. Returns the types.

    Raises:
        UnknownDocument: nothing of the kind was said by hand. What a sync finds is the source's, and changed there.
    """
    key = _key(workspace_id, base_id, related_id, relation_type)
    with connection.transaction():
        types = [row[0] for row in connection.execute(load_sql("unrelate"), key).fetchall()]
        if not types:
            raise UnknownDocument(
                "Nobody has related these two documents so by hand. What a sync finds is changed in the source."
            )
        details = {"related": str(related_id), "types": types}
        record(connection, actor, "relation.removed", str(base_id), workspace_id=workspace_id, details=details)
    return types


def _key(workspace_id: UUID, base_id: UUID, related_id: UUID, relation_type: str | None) -> dict[str, object]:
    return {
        "workspace_id": workspace_id,
        "base_id": base_id,
        "related_id": related_id,
        "relation_type": relation_type,
    }
