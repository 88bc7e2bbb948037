"""Which topics of a version rules say: a rule goes on where one other topic took the place of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class RuleTopic:
    """What a rule says in a version.

    Attributes:
        node_id: its topic there, or the one that this was merged into or replaced by; None: there is none.
        path: of that.
        was: the path of its own topic in the newest released version that has it; None: none has.
    """

    rule_id: UUID
    name: str
    node_id: UUID | None
    path: Sequence[str] | None
    was: Sequence[str] | None


def rule_topics(connection: Connection, workspace_id: UUID, version: str | None) -> list[RuleTopic]:
    """Of each rule of a workspace, in their order. Without a version no rule has a topic."""
    return query.rows(
        connection, RuleTopic, load_sql("rule_topics"), {"workspace_id": workspace_id, "version": version}
    )
