"""Writing the draft of a taxonomy: its name, the ids of its nodes, its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.labels import spell_path
from arcana_pipelines.taxonomy.mistakes import Mistakes
from arcana_pipelines.taxonomy.near import near
from arcana_pipelines.taxonomy.nodes import Change, Draft, GivenNode, Named, Node
from arcana_pipelines.taxonomy.stored_versions import is_name

load_sql = statements_beside(__file__)

_NODES_A_STATEMENT = 5_000
# From so many nodes on, the planner's statistics of the table are another's.
_MANY_NODES = 1_000
_NUMBERED = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})")


def require_name(version: str) -> None:
    """Refuse what cannot be a version's name.

    Raises:
        TaxonomyRefused: it is too long, or holds other characters.
    """
    if not is_name(version):
        raise TaxonomyRefused(
            f"{version[:64]!a} is no name of a version: 1 to 64 letters, digits and . + _ -, such as 1.2.0."
        )


def next_name(there: Sequence[str]) -> str:
    """The number behind the highest: 1.3.0 after 1.2.5."""
    numbers = [tuple(map(int, found.groups())) for each in there if (found := _NUMBERED.fullmatch(each))]
    if not numbers:
        return "1.0.0"
    major, minor, _ = max(numbers)
    return f"{major}.{minor + 1}.0"


def own_ids(connection: Connection, workspace_id: UUID, given: Sequence[GivenNode]) -> list[GivenNode]:
    """The rows with ids that are the workspace's: those of a file from another one are others, the same each time."""
    rows = list(given)
    named = (each for row in rows for each in (row.node_id, row.parent, *row.replaces, *row.replaced_by))
    asked = {each: uuid5(workspace_id, str(each)) for each in named if isinstance(each, UUID)}
    if not asked:
        return rows
    found = connection.execute(
        load_sql("known_nodes"), {"workspace_id": workspace_id, "node_ids": [*asked, *asked.values()]}
    ).fetchall()
    ours = {node_id for node_id, is_ours in found if is_ours}
    taken = {node_id for node_id, is_ours in found if not is_ours}
    other = {
        node_id: own for node_id, own in asked.items() if node_id not in ours and (own in ours or node_id in taken)
    }

    def own(named: Named) -> Named:
        return other.get(named, named) if isinstance(named, UUID) else named

    return [
        replace(
            row,
            node_id=other.get(row.node_id, row.node_id) if row.node_id is not None else None,
            parent=other.get(row.parent, row.parent) if isinstance(row.parent, UUID) else row.parent,
            replaces=tuple(own(named) for named in row.replaces),
            replaced_by=tuple(own(named) for named in row.replaced_by),
        )
        for row in rows
    ]


def require_known(connection: Connection, workspace_id: UUID, active: str, given: Sequence[GivenNode]) -> None:
    """Refuse paths whose place a row takes and that no version ever had. An id may be another workspace's.

    Raises:
        TaxonomyRefused: there are such paths. The message says what may have been meant.
    """
    named = {named: row for row in given for named in row.replaces if isinstance(named, tuple)}
    if not named:
        return
    asked = storable_json([list(path) for path in named])
    paths = query.scalars(connection, load_sql("known_paths"), {"workspace_id": workspace_id, "paths": asked})
    there = set(map(tuple, paths))
    mistakes = Mistakes()
    for path, row in named.items():
        with mistakes.noted():
            if path not in there:
                similar = near(connection, workspace_id, active, path).similar
                meant = f" (did you mean '{spell_path(similar[0])}'?)" if similar else ""
                where = row.at[:1].upper() + row.at[1:] or "A row"
                raise TaxonomyRefused(
                    f"The taxonomy is not taken. {where} ('{spell_path(row.path)}'): it replaces "
                    f"'{spell_path(path)}', which no version has{meant}."
                )
    mistakes.refuse()


def store(
    connection: Connection,
    workspace_id: UUID,
    version: str,
    based_on: str | None,
    draft: Draft,
    source: str,
    note: str | None,
) -> None:
    """Write a draft in the place of the one with this name, in the caller's transaction."""
    names = {"workspace_id": workspace_id, "version": version}
    stored = query.scalar(
        connection,
        load_sql("version_store"),
        {**names, "based_on": based_on, "source": source, "note": note, "nodes": len(draft.nodes)},
    )
    if stored is None:
        raise TaxonomyRefused(
            f"Version {version} was released and stays as it is: import under another name, or without one."
        )
    for table in ("taxonomy_nodes", "taxonomy_change"):
        connection.execute(
            f"DELETE FROM {table} WHERE workspace_id = %(workspace_id)s AND version = %(version)s", names
        )
    for first in range(0, len(draft.nodes), _NODES_A_STATEMENT):
        rows = [_row(node) for node in draft.nodes[first : first + _NODES_A_STATEMENT]]
        connection.execute(load_sql("nodes_store"), {**names, "nodes": Jsonb(rows)})
    connection.execute(
        load_sql("changes_store"),
        {
            **names,
            "from_version": based_on,
            "kinds": [change.kind for change in draft.changes],
            "from_nodes": [change.from_node for change in draft.changes],
            "to_nodes": [change.to_node for change in draft.changes],
            "notes": [_told(change) for change in draft.changes],
        },
    )
    if len(draft.nodes) >= _MANY_NODES:
        connection.execute("ANALYZE taxonomy_nodes, taxonomy_change")


def _row(node: Node) -> dict[str, object]:
    return {
        "node_id": str(node.node_id),
        "parent_id": str(node.parent_id) if node.parent_id is not None else None,
        "label": node.label,
        "canonical_path": node.path,
        "definition": node.definition,
        "synonyms": node.synonyms,
        "labels": dict(node.labels),
        "external_ref": node.external_ref,
        "confidence": node.confidence,
        "lft": node.lft,
        "rgt": node.rgt,
    }


def _told(change: Change) -> str:
    """A change for people: the paths before and after."""
    return " -> ".join(spell_path(path) for path in (change.from_path, change.to_path) if path is not None)
