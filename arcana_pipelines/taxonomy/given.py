"""Topics that a person gives a document, or takes from it, and those that a file is added with.

A path that is no node's is an error, and nothing is written. What is, is written below a version that stays the active
one until the transaction ends.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from arcana_pipelines.audit.record import Action, record
from arcana_pipelines.db import query
from arcana_pipelines.db.deadlocks import again_after_deadlock
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import UnknownDocument
from arcana_pipelines.taxonomy.giving import Plan, write_plan
from arcana_pipelines.taxonomy.labels import Path, spell_path
from arcana_pipelines.taxonomy.lookup import lookup, no_active_version
from arcana_pipelines.taxonomy.stored_versions import hold_active

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A topic of a document, in the active version.

    Attributes:
        confidence: from 0 to 1; 1 where a person or the document itself said so.
        origin: `given`, `person`, `rule`, `nearest` or `default`.
        hitl_required: it waits for a person's word, and no search looks at it.
        reason: why, in words; None: a person said so.
        created_at: aware.
    """

    doc_id: UUID
    node_id: UUID
    version: str
    path: Path
    confidence: float
    origin: str
    hitl_required: bool
    reason: str | None
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", tuple(self.path))


@dataclass(frozen=True, slots=True)
class Chosen:
    """Topics that somebody names, found in the active version, which stays so until the transaction ends."""

    version: str
    nodes: Mapping[Path, UUID]


def topics_of(
    connection: Connection, workspace_id: UUID, document_ids: Collection[UUID]
) -> Mapping[UUID, list[Assignment]]:
    """The topics of documents in the active version, in the order of the tree; those that wait for a person, too."""
    found: dict[UUID, list[Assignment]] = {document_id: [] for document_id in document_ids}
    for row in query.rows(
        connection, Assignment, load_sql("topics_of"), {"workspace_id": workspace_id, "documents": list(found)}
    ):
        found[row.doc_id].append(row)
    return found


def choose(connection: Connection, workspace_id: UUID, paths: Collection[Path]) -> Chosen:
    """The nodes at paths that a person names, in the caller's transaction; before it locks documents.

    Raises:
        TaxonomyNodeNotFoundError: one of them is no node's.
        UnknownTaxonomyVersion: no version is active.
    """
    version = hold_active(connection, workspace_id)
    if version is None:
        raise no_active_version(connection, workspace_id)
    return Chosen(version.version, lookup.require(connection, workspace_id, paths, version.version))


def assign(
    connection: Connection, workspace_id: UUID, document_id: UUID, paths: Collection[Path], by: str
) -> list[Assignment]:
    """Give a document topics, by a person's word, which no machine overwrites; returns all topics that it has then.

    Args:
        by: who says so (see `audit.record`).

    Raises:
        TaxonomyNodeNotFoundError: one of them is no node's. None is given.
        UnknownTaxonomyVersion: no version is active.
        UnknownDocument: it is not in this workspace (any more).
    """
    return _decide(connection, workspace_id, document_id, paths, by, is_assigned=True)


def unassign(
    connection: Connection, workspace_id: UUID, document_id: UUID, paths: Collection[Path], by: str
) -> list[Assignment]:
    """Take topics from a document, which no machine gives it again. For the rest see `assign`."""
    return _decide(connection, workspace_id, document_id, paths, by, is_assigned=False)


def give_with_file(
    connection: Connection, workspace_id: UUID, document_id: UUID, chosen: Chosen, actor: str | None = None
) -> None:
    """Give the document of an added file the topics that it is added with, in place of those of the time before.

    In the caller's transaction. `actor` does it (see `audit.record`).
    """
    nodes = list(chosen.nodes.values())
    key = {"workspace_id": workspace_id, "document_id": document_id, "nodes": nodes}
    gone = query.scalars(connection, load_sql("given_with_file"), key)
    plan = Plan()
    plan.given += [{"doc_id": document_id, "node_id": node, "reason": "added with it"} for node in nodes]
    plan.gone += [{"doc_id": document_id, "node_id": node} for node in gone]
    plan.undefaulted.append(document_id)
    if write_plan(connection, workspace_id, chosen.version, None, plan).given:
        about = {"version": chosen.version, "topics": _spelled(chosen.nodes), "origin": "given"}
        record(connection, actor, "topic.assigned", str(document_id), workspace_id=workspace_id, details=about)


@again_after_deadlock
def _decide(
    connection: Connection,
    workspace_id: UUID,
    document_id: UUID,
    paths: Collection[Path],
    by: str,
    is_assigned: bool,
) -> list[Assignment]:
    action: Action = "topic.assigned" if is_assigned else "topic.removed"
    with connection.transaction():
        chosen = choose(connection, workspace_id, paths)
        there = "SELECT 1 FROM document WHERE document_id = %s AND workspace_id = %s AND deleted_at IS NULL"
        if query.scalar(connection, there, [document_id, workspace_id]) is None:
            raise UnknownDocument(f"There is no document '{document_id}' in this workspace (any more).")
        key = {
            "workspace_id": workspace_id,
            "version": chosen.version,
            "document_id": document_id,
            "nodes": list(chosen.nodes.values()),
            "by": by,
        }
        changed = query.scalars(connection, load_sql("assign") if is_assigned else load_sql("unassign"), key)
        found = topics_of(connection, workspace_id, [document_id])[document_id]
        if changed:
            about = {"version": chosen.version, "topics": _spelled(changed)}
            record(connection, by, action, str(document_id), workspace_id=workspace_id, details=about)
    for path in changed:
        node, version = chosen.nodes[tuple(path)], chosen.version
        log.info("%s: %s, node %s, version %s, document %s", action, spell_path(path), node, version, document_id)
    return found


def _spelled(paths: Iterable[Sequence[str]]) -> list[str]:
    return [spell_path(tuple(path)) for path in paths]
