"""How many documents have topics, where those are from, and how many wait for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

ORIGINS = ("given", "person", "rule", "nearest", "default")


@dataclass(frozen=True, slots=True)
class TopicCounts:
    """What the documents of a workspace are about, by the active version of its taxonomy.

    Attributes:
        workspace: its slug.
        version: the active one.
        nodes: that it has.
        documents: that can be found in some index.
        with_topic: of these, that have a topic; a file has its page's, too.
        assigned: topics of documents, by where they are from (`ORIGINS`); without those that wait.
        waiting: documents of which a topic, or one of several, waits for a person's word.
        waits_since: since when the first of them does; aware. None: none waits.
        unknown_paths: that came with documents and are no node of the version.
        by_page: of the documents with a topic, files that have none but those of their page.
    """

    workspace: str
    version: str
    nodes: int
    documents: int
    with_topic: int
    assigned: Mapping[str, int]
    waiting: int
    waits_since: datetime | None
    unknown_paths: int
    by_page: int = 0

    @property
    def coverage(self) -> float | None:
        """The share of the documents that have a topic, from 0 to 1. None: there are no documents."""
        return self.with_topic / self.documents if self.documents else None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "version": self.version,
            "nodes": self.nodes,
            "documents": self.documents,
            "with_topic": self.with_topic,
            "by_page": self.by_page,
            "coverage": self.coverage,
            "assigned": {origin: self.assigned.get(origin, 0) for origin in ORIGINS},
            "waiting": self.waiting,
            "waits_since": self.waits_since.isoformat() if self.waits_since else None,
            "unknown_paths": self.unknown_paths,
        }


def classified_since(connection: Connection, workspace_id: UUID, time: datetime) -> int:
    """How many documents were looked at for topics of the active version from a time on."""
    statement = (
        "SELECT count(*) FROM taxonomy_classified c JOIN taxonomy_version v USING (workspace_id, version) "
        "WHERE c.workspace_id = %s AND v.state = 'active' AND c.classified_at >= %s"
    )
    number: int = query.scalar(connection, statement, [workspace_id, time])
    return number


@dataclass(frozen=True, slots=True)
class UnknownPath:
    """A path that documents bring and the active version does not have.

    Attributes:
        documents: how many bring it.
        first_at: when it was met first; aware.
    """

    path: Sequence[str]
    documents: int
    first_at: datetime


def unknown_paths(connection: Connection, workspace_id: UUID, most: int) -> list[UnknownPath]:
    """The unknown paths that most documents bring."""
    return query.rows(
        connection,
        UnknownPath,
        "SELECT u.path, u.times AS documents, u.first_at FROM taxonomy_unknown_path u "
        "JOIN taxonomy_version v USING (workspace_id, version) "
        "WHERE v.workspace_id = %s AND v.state = 'active' ORDER BY u.times DESC, u.path LIMIT %s",
        [workspace_id, most],
    )


def topic_counts(connection: Connection, workspace_id: UUID | None = None) -> list[TopicCounts]:
    """Of one workspace or of all that have an active taxonomy; whoever asks is told of what it may see."""
    return query.rows(connection, TopicCounts, load_sql("counts"), {"workspace_id": workspace_id})
