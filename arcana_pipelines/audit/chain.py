"""Reading the audit log, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from arcana_pipelines.audit.record import Action
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the audit log.

    Attributes:
        audit_log_id: its place in the chain, from 1 without a gap.
        at: when, by the database's clock.
        actor: `user:NAME` of the operating system, or `key:ID` over HTTP.
        object: what it was done to: a key's id, an index's name, a slug.
        hash: of its content and the hash of the row before.
    """

    audit_log_id: int
    at: datetime
    actor: str
    company_id: UUID | None
    workspace_id: UUID | None
    workspace_slug: str | None
    action: Action
    object: str
    details: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Chain:
    """What a look at the whole log has shown.

    Attributes:
        entries: how many rows there are.
        head: the hash of the last, which stands for all before it; None: there is none.
        broken_at: the number of the first row that is not as it was written; None: each is.
        problem: what is wrong, in a sentence; empty: nothing.
    """

    entries: int
    head: str | None
    broken_at: int | None
    problem: str

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class _Broken:
    audit_log_id: int
    after: int
    why: Literal["missing", "follows", "changed"]


def entries(connection: Connection, workspace: str | None, most: int) -> list[Entry]:
    """The newest rows, the newest first: of all, or of the workspace with this slug, one that was removed, too."""
    return query.rows(connection, Entry, load_sql("audit_entries"), {"workspace": workspace, "most": most})


def verified(connection: Connection, noted: str | None = None) -> Chain:
    """Look at every row.

    Args:
        noted: the hash of a row that was the last once. A log that lost its end is whole without it.
    """
    last = query.rows(connection, Entry, load_sql("audit_entries"), {"workspace": None, "most": 1})
    many, head = (last[0].audit_log_id, last[0].hash) if last else (0, None)
    broken = query.find(connection, _Broken, load_sql("audit_broken"))
    if broken is not None:
        return Chain(many, head, broken.audit_log_id, _said(broken))
    if noted is not None:
        known = "SELECT 1 FROM audit_logs WHERE hash = decode(%s, 'hex')"
        if query.scalar(connection, known, [noted]) is None:
            return Chain(many, head, None, f"No row has the hash {noted}: the log has lost its end, or was made anew.")
    return Chain(many, head, None, "")


def _said(broken: _Broken) -> str:
    number, after = broken.audit_log_id, broken.after
    match broken.why:
        case "missing":
            if number == after + 2:
                return f"Row {after + 1} is missing."
            return f"Rows {after + 1} to {number - 1} are missing."
        case "follows":
            return f"Row {number} does not go on from row {after}: one of them was replaced."
        case "changed":
            return f"Row {number} was changed since it was written."
