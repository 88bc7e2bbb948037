"""A topic that is asked for: the nodes of the active version that a path or an id of any version stands for.

A node keeps its id through all versions, and paths change. Whoever searches is understood as well as may be: a path of
an earlier version leads to its node, and a node that was split, merged or retired to what took its place. A key that is
limited to a topic is not: it is limited to the node itself, so that no release shows it more than it was made for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.taxonomy.lookup import no_active_version, not_found
from arcana_pipelines.taxonomy.tree import Path, read_path, spell_path

load_sql = statements_beside(__file__)

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class TopicNode:
    """A node of the active version.

    Attributes:
        lft: its number in a walk of the tree; those of all that is below it follow, up to `rgt`.
    """

    node_id: UUID
    path: Path
    lft: int
    rgt: int


@dataclass(frozen=True, slots=True)
class Topic:
    """What was asked for.

    Attributes:
        version: the active one.
        nodes: one as a rule; several in the place of one that was split. Each means all below it, too.
    """

    version: str
    nodes: tuple[TopicNode, ...]


def asked_topic(connection: Connection, workspace_id: UUID, text: str) -> Topic:
    """The topic that a path (`AI/RAG`) or a node's id means, in whichever released version it is one.

    A path may also be of its names in other languages (`인공지능/검색 증강`), where no other topic is called so.

    Raises:
        TaxonomyNodeNotFoundError: there is none, or nothing took its place; with paths that are near.
        UnknownTaxonomyVersion: the workspace has no taxonomy that is active.
        WrongUse: it is no path, or several topics are called so in other languages.
    """
    named = _named(text)
    version, ordinal, nodes = _in_active_version(connection, workspace_id, named)
    if not nodes:
        given = {"workspace_id": workspace_id, "version": version, "ordinal": ordinal, **named}
        nodes = _nodes(connection.execute(load_sql("topic_of_before"), given).fetchall())
    if not nodes and named["path"] is not None:
        given = {"workspace_id": workspace_id, "version": version, "path": named["path"]}
        nodes = _nodes(connection.execute(load_sql("topic_by_labels"), given).fetchall())
        if len(nodes) > 1:
            meant = ", ".join(f"'{spell_path(node.path)}'" for node in nodes[:5])
            raise WrongUse(f"Several topics are called '{text}': {meant}. Say which of them.")
    if not nodes:
        raise not_found(connection, workspace_id, version, tuple(named["path"] or (text.strip(),)))
    return Topic(version, nodes)


def one_topic(connection: Connection, workspace_id: UUID, text: str) -> TopicNode:
    """The same where one topic is meant: to say what a document is about, say.

    Raises:
        WrongUse: see `asked_topic`; or several took the place of the one that is named.
    """
    found = asked_topic(connection, workspace_id, text).nodes
    if len(found) > 1:
        meant = ", ".join(f"'{spell_path(node.path)}'" for node in found)
        raise WrongUse(f"'{text}' is {meant} now: say which of them.")
    return found[0]


def not_since(connection: Connection, workspace_id: UUID, path: Path) -> str | None:
    """The version since which a path of before is no topic's; None: it was never one, or is one."""
    found = query.scalars(connection, load_sql("topic_since"), {"workspace_id": workspace_id, "path": list(path)})
    return found[0] if found else None


def topic_of_limit(connection: Connection, workspace_id: UUID, text: str) -> Topic | None:
    """The same for a limit: what the active version has, and nothing that took its place. None: nothing is within it.

    Raises:
        UnknownTaxonomyVersion: likewise, where no version is active.
        WrongUse: it is no path.
    """
    version, _, nodes = _in_active_version(connection, workspace_id, _named(text))
    return Topic(version, nodes) if nodes else None


def has_topics(connection: Connection, workspace_id: UUID) -> bool:
    """Whether a version of a workspace's taxonomy is active."""
    statement = "SELECT EXISTS (SELECT FROM taxonomy_version WHERE workspace_id = %s AND state = 'active')"
    return bool(query.scalar(connection, statement, [workspace_id]))


def _named(text: str) -> dict[str, Any]:
    """The parameters of a statement that say what the text names: an id, or else a path."""
    text = text.strip()
    if _ID.fullmatch(text):
        return {"node_id": UUID(text), "path": None}
    return {"node_id": None, "path": list(read_path(text))}


def _in_active_version(
    connection: Connection, workspace_id: UUID, named: dict[str, Any]
) -> tuple[str, int, tuple[TopicNode, ...]]:
    """The active version, its ordinal, and its node that is named, if it has it."""
    statement = load_sql("topic_by_id") if named["path"] is None else load_sql("topic_by_path")
    row = connection.execute(statement, {"workspace_id": workspace_id, **named}).fetchone()
    if row is None:
        raise no_active_version(connection, workspace_id)
    version, ordinal, *node = row
    return version, ordinal, () if node[0] is None else _nodes([node])


def _nodes(rows: Iterable[Sequence[Any]]) -> tuple[TopicNode, ...]:
    return tuple(TopicNode(node_id, tuple(path), lft, rgt) for node_id, path, lft, rgt in rows)
