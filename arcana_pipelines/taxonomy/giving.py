"""Writing the topics that documents bring: what comes, what goes, and the default node, by one statement."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.taxonomy.labels import Path, spell_path

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# Assignments that are told one by one; more are told as numbers.
_MOST_LINES = 10


@dataclass(frozen=True, slots=True)
class GivenReport:
    """What was given to documents for what they bring.

    Attributes:
        given: topics that documents have now and had not.
        ended: topics that they brought before and bring no more.
        defaulted: documents that have the default node, as what they bring is unknown.
        unknown: paths that are no node's, each once.
    """

    given: int = 0
    ended: int = 0
    defaulted: int = 0
    unknown: frozenset[Path] = frozenset()

    def __add__(self, more: GivenReport) -> GivenReport:
        """What both say."""
        return GivenReport(
            self.given + more.given,
            self.ended + more.ended,
            self.defaulted + more.defaulted,
            self.unknown | more.unknown,
        )


@dataclass(slots=True)
class Plan:
    """What is to be written: rows for the statement's JSON.

    Attributes:
        given: `doc_id`, `node_id` and `reason` of topics that documents are to have.
        gone: `doc_id` and `node_id` of topics that they brought before.
        undefaulted: documents that are to have the default node no more.
        defaulted: `doc_id` and `reason` of documents that are to have it.
    """

    given: list[dict[str, Any]] = field(default_factory=list)
    gone: list[dict[str, Any]] = field(default_factory=list)
    undefaulted: list[UUID] = field(default_factory=list)
    defaulted: list[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.given or self.gone or self.undefaulted or self.defaulted)


def write_plan(
    connection: Connection, workspace_id: UUID, version: str, default_node: UUID | None, plan: Plan
) -> GivenReport:
    """Write it below the active version, in the caller's transaction; what a person rejected is left out."""
    rows = connection.execute(
        load_sql("given_write"),
        {
            "workspace_id": workspace_id,
            "version": version,
            "default_node": default_node,
            "given": storable_json(_as_text(plan.given)),
            "gone": storable_json(_as_text(plan.gone)),
            "defaulted": storable_json(_as_text(plan.defaulted)),
            "undefaulted": plan.undefaulted,
        },
    ).fetchall()
    level = logging.INFO if len(rows) <= _MOST_LINES else logging.DEBUG
    counts = {"given": 0, "ended": 0, "default": 0}
    for what, document_id, node_id, path in rows:
        counts[what] += 1
        log.log(
            level, "%s: %s, node %s, version %s, document %s", what, spell_path(path), node_id, version, document_id
        )
    if rows:
        log.info("topics of %s in version %s: %s", workspace_id, version, counts)
    return GivenReport(counts["given"], counts["ended"], counts["default"])


def _as_text(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{name: str(value) for name, value in row.items()} for row in rows]
