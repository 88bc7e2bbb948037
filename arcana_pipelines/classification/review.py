"""The queue of suggestions that wait for a person, and what people say of them.

What people see is what the connection may see: as a company's role that is its own documents, and what is internal for
those alone who may see it. A suggestion that was rejected never comes back; two who decide at once are told so.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import sql

from arcana_pipelines.audit.record import Action, record
from arcana_pipelines.db.deadlocks import again_after_deadlock
from arcana_pipelines.db.engine import Connection, snapshot
from arcana_pipelines.db.query import find, one, rows, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import CursorRefused, TopicDecided, UnknownTaxonomyVersion, WrongUse
from arcana_pipelines.retrieval.filters import Limits
from arcana_pipelines.retrieval.within import within
from arcana_pipelines.taxonomy.labels import Path, spell_path
from arcana_pipelines.taxonomy.stored_versions import active_version, hold_active

load_sql = statements_beside(__file__)

Verdict = Literal["accepted", "rejected"]

MOST_ROWS = 100
# Decided at once by `decide_all`: one transaction, whose locks are short, and one entry of the audit log, with all ids.
MOST_AT_ONCE = 500
_MOST_SHOWN = 2**31 - 1  # an integer of PostgreSQL


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another topic that is suggested for the same document."""

    node_id: UUID
    path: Path
    confidence: float
    score: float | None


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A document whose topic waits for a person.

    Attributes:
        kind: what the document is, as in a search (`page`, `row`, `file`, …).
        node_id: the topic that is suggested first.
        reason: why a person is asked, where a new version of the taxonomy is it: `split of 'AI'`.
        rule: the name of the rule that found it; None: none did.
        confidence: how sure it is; a probability only where enough decisions have been made.
        score: how near the topic is to the document; None: it was not compared.
        margin: how much nearer than the next topic.
        alternatives: what else is suggested, the surest first.
        shown: how often searches have shown the document in the last 30 days.
        created_at: since when it waits; aware.
    """

    document_id: UUID
    external_id: str
    kind: str
    title: str
    url: str | None
    node_id: UUID
    path: Path
    origin: str
    reason: str | None
    rule: str | None
    confidence: float
    score: float | None
    margin: float | None
    alternatives: list[Alternative]
    shown: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Some rows of the queue, those first whose documents are found most often, then the least sure, then the oldest.

    Attributes:
        version: the active one of the taxonomy.
        after: what to ask for further rows with; None: there are none.
    """

    version: str
    rows: list[QueueRow]
    after: str | None


@dataclass(frozen=True, slots=True)
class QueueFilters:
    """Which rows of the queue are wanted; all, where nothing is given.

    Attributes:
        below: suggested topics that are this node or below it.
        rule: suggestions of the rule with this id.
        origin: `rule`, `nearest`, `default`, `given` or `person` (the last two where a new version asks).
    """

    below: UUID | None = None
    rule: UUID | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How much waits.

    Attributes:
        documents: that wait.
        by_origin: suggestions by how they were found; a document may have several.
        oldest_at: since when the oldest waits; aware; None: none does.
    """

    documents: int
    by_origin: dict[str, int] = field(default_factory=dict)
    oldest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person said.

    Attributes:
        node_id: the topic that was suggested.
        verdict: what was said of it; with another one in its place it is `rejected`.
        accepted: the topic that the document has now by this; None: none.
        path: of that, or of the one that was rejected.
    """

    document_id: UUID
    node_id: UUID
    verdict: Verdict
    accepted: UUID | None
    path: Path
    by: str
    at: datetime


def queue(
    connection: Connection,
    workspace_id: UUID,
    limit: int = 20,
    after: str | None = None,
    filters: QueueFilters | None = None,
    limits: Limits = (),
) -> QueuePage:
    """What waits for a person, a document a row.

    Args:
        limit: rows, at most 100.
        after: of the page before (`QueuePage.after`), with the same filters.
        limits: what whoever asks finds nothing beyond.

    Raises:
        UnknownTaxonomyVersion: the workspace has no active taxonomy.
        CursorRefused: `after` is none.
        WrongUse: `limit` is not from 1 to 100.
    """
    if not 1 <= limit <= MOST_ROWS:
        raise WrongUse(f"The limit has to be from 1 to {MOST_ROWS}.")
    active = active_version(connection, workspace_id)
    if active is None:
        raise _no_taxonomy()
    filters = filters or QueueFilters()
    parameters = {
        "workspace_id": workspace_id, "version": active.version, "limit": limit + 1,
        "below": filters.below, "rule": filters.rule, "origin": filters.origin, **_place(after),
    }  # fmt: skip
    with snapshot(connection):
        limited, values = within(connection, workspace_id, limits, sql.SQL("t.doc_id"))
        found = rows(connection, _Row, _queue(limited), {**parameters, **values})
    shown = [_queue_row(row) for row in found[:limit]]
    return QueuePage(active.version, shown, _cursor(found[limit - 1]) if len(found) > limit else None)


def queue_counts(connection: Connection, workspace_id: UUID) -> QueueCounts:
    """How much waits; nothing where there is no active taxonomy."""
    active = active_version(connection, workspace_id)
    if active is None:
        return QueueCounts(0)
    parameters = {"workspace_id": workspace_id, "version": active.version}
    return one(connection, QueueCounts, load_sql("queue_counts"), parameters)


@again_after_deadlock
def decide(
    connection: Connection,
    workspace_id: UUID,
    document_id: UUID,
    node_id: UUID,
    verdict: Verdict,
    by: str,
    other: UUID | None = None,
) -> Decision:
    """Say whether a document is about a topic that is suggested for it, or about another one in its place.

    May be repeated: the same word of the same person is told as it was, and written once.

    Accepted, it is the document's topic, and what else was suggested by nearness goes. The person's word holds over
    versions, and no rule or model says otherwise.

    Args:
        verdict: of `node_id`; with `other` it is taken for rejected.
        by: who says so (see `audit.record`).
        other: the topic that it is about.

    Raises:
        UnknownTaxonomyVersion: the workspace has no active taxonomy.
        TopicDecided: somebody was faster; the message says who.
        WrongUse: nothing of the kind waits, or there is no such other topic.
    """
    with connection.transaction():
        version = _held(connection, workspace_id)
        key = {"workspace_id": workspace_id, "version": version, "document_id": document_id, "node_id": node_id}
        if other == node_id:
            other, verdict = None, "accepted"
        said: Verdict = "rejected" if other else verdict
        waiting = find(connection, _Waiting, load_sql("queue_hold"), key)
        if waiting is None:
            return _said_already(connection, key, said, by, other)
        if other:
            path = scalar(connection, load_sql("node_path"), {**key, "node_id": other})
            if path is None:
                raise WrongUse(f"There is no topic {other} in version {version} of the taxonomy.")
        at = scalar(connection, load_sql("decide"), {**key, "verdict": said, "by": by})
        if said == "rejected":
            connection.execute(load_sql("topic_reject"), key)
        accepted = node_id if said == "accepted" else other
        if accepted:
            if other:
                scalar(connection, load_sql("decide"), {**key, "node_id": other, "verdict": "accepted", "by": by})
            connection.execute(load_sql("topic_accept"), {**key, "node_id": accepted})
        told = tuple(path if other else waiting.path)
        about = {"node_id": str(accepted or node_id), "path": spell_path(told), "version": version}
        if other:
            about["instead_of"] = spell_path(tuple(waiting.path))
        action: Action = "topic.accepted" if accepted else "topic.rejected"
        record(connection, by, action, str(document_id), workspace_id=workspace_id, details=about)
    return Decision(document_id, node_id, said, accepted, told, by, at)


def all_suggested(connection: Connection, workspace_id: UUID, filters: QueueFilters) -> list[QueueRow]:
    """What `decide_all` would decide on now, in the order of the queue.

    Raises:
        UnknownTaxonomyVersion: the workspace has no active taxonomy.
        WrongUse: neither a rule nor a topic is named: everything at once is no decision.
    """
    if filters.below is None and filters.rule is None:
        raise WrongUse("Name the rule or the topic whose suggestions are meant: all of them at once is no decision.")
    page = queue(connection, workspace_id, MOST_ROWS, None, filters)
    found = list(page.rows)
    while page.after is not None:
        page = queue(connection, workspace_id, MOST_ROWS, page.after, filters)
        found += page.rows
    return found


def decide_all(
    connection: Connection,
    workspace_id: UUID,
    verdict: Verdict,
    by: str,
    filters: QueueFilters,
    shown: Sequence[QueueRow] | None = None,
) -> int:
    """Say the same of what is suggested first for many documents, 500 a transaction; returns of how many that was.

    Args:
        shown: what somebody has seen of `all_suggested`, and means; None: all that there is now.

    Raises:
        UnknownTaxonomyVersion: the workspace has no active taxonomy.
        WrongUse: see `all_suggested`.
    """
    if shown is None:
        shown = all_suggested(connection, workspace_id, filters)
    about = {"rule_id": filters.rule, "below": filters.below}
    meant = {name: str(value) for name, value in about.items() if value is not None}
    return sum(
        _decide_some(connection, workspace_id, verdict, by, shown[first : first + MOST_AT_ONCE], meant)
        for first in range(0, len(shown), MOST_AT_ONCE)
    )


@again_after_deadlock
def _decide_some(
    connection: Connection,
    workspace_id: UUID,
    verdict: Verdict,
    by: str,
    some: Sequence[QueueRow],
    meant: Mapping[str, str],
) -> int:
    with connection.transaction():
        version = _held(connection, workspace_id)
        decided: list[str] = []
        for row in some:
            key = {
                "workspace_id": workspace_id, "version": version, "document_id": row.document_id,
                "node_id": row.node_id,
            }  # fmt: skip
            if find(connection, _Waiting, load_sql("queue_hold"), key) is None:
                continue  # somebody decided on it meanwhile
            scalar(connection, load_sql("decide"), {**key, "verdict": verdict, "by": by})
            connection.execute(load_sql("topic_accept" if verdict == "accepted" else "topic_reject"), key)
            decided.append(str(row.document_id))
        if decided:
            details = {"documents": len(decided), "document_ids": decided, "version": version, **meant}
            action: Action = "topic.accepted" if verdict == "accepted" else "topic.rejected"
            named = meant.get("rule_id") or meant["below"]
            record(connection, by, action, named, workspace_id=workspace_id, details=details)
    return len(decided)


@dataclass(frozen=True, slots=True)
class _Row:
    document_id: UUID
    external_id: str
    kind: str
    title: str
    url: str | None
    node_id: UUID
    path: list[str]
    origin: str
    reason: str | None
    rule: str | None
    confidence: float
    score: float | None
    margin: float | None
    alternatives: list[Mapping[str, Any]]
    shown: int
    created_at: datetime
    sureness: float


@dataclass(frozen=True, slots=True)
class _Waiting:
    path: list[str]


@dataclass(frozen=True, slots=True)
class _Said:
    verdict: str
    decided_by: str
    decided_at: datetime


def _queue(limited: sql.Composable) -> sql.Composed:
    return sql.SQL(load_sql("queue")).format(limited=limited)


def _queue_row(row: _Row) -> QueueRow:
    others = [
        Alternative(UUID(each["node_id"]), tuple(each["path"]), each["confidence"], each["score"])
        for each in row.alternatives
    ]
    return QueueRow(
        row.document_id, row.external_id, row.kind, row.title, row.url, row.node_id, tuple(row.path), row.origin,
        row.reason, row.rule, row.confidence, row.score, row.margin, others, row.shown, row.created_at,
    )  # fmt: skip


def _held(connection: Connection, workspace_id: UUID) -> str:
    held = hold_active(connection, workspace_id)
    if held is None:
        raise _no_taxonomy()
    return held.version


def _no_taxonomy() -> UnknownTaxonomyVersion:
    return UnknownTaxonomyVersion("This workspace has no active taxonomy: nothing waits for anybody.")


def _said_already(
    connection: Connection, key: Mapping[str, Any], verdict: Verdict, by: str, other: UUID | None
) -> Decision:
    """What the same person said with the same words.

    Raises:
        TopicDecided: somebody else did, or with others.
        WrongUse: nobody did.
    """
    said = find(connection, _Said, load_sql("decision"), key)
    in_place = find(connection, _Said, load_sql("decision"), {**key, "node_id": other}) if other else None
    expected = [(said, verdict), *([(in_place, "accepted")] if other else [])]
    if said is None or any(each is None or (each.verdict, each.decided_by) != (word, by) for each, word in expected):
        raise _not_waiting(said)
    accepted = other or (key["node_id"] if verdict == "accepted" else None)
    path = scalar(connection, load_sql("node_path"), {**key, "node_id": accepted or key["node_id"]}) or ()
    return Decision(key["document_id"], key["node_id"], verdict, accepted, tuple(path), by, said.decided_at)


def _not_waiting(said: _Said | None) -> WrongUse:
    if said is None:
        return WrongUse("Nothing of the kind waits for a person: the document changed, or another topic is suggested.")
    at = f"{said.decided_at:%Y-%m-%d %H:%M %Z}"
    return TopicDecided(f"{said.decided_by} has decided on this at {at}: it is {said.verdict}.")


def _cursor(row: _Row) -> str:
    held = [row.shown, row.sureness, row.created_at.isoformat(), str(row.document_id)]
    return base64.urlsafe_b64encode(json.dumps(held).encode()).decode()


def _place(after: str | None) -> dict[str, Any]:
    names = ("after_shown", "after_sureness", "after_at", "after_document")
    if after is None:
        return dict.fromkeys(names)
    try:
        shown, sureness, at, document = json.loads(base64.urlsafe_b64decode(after.encode()))
        values = int(shown), float(sureness), datetime.fromisoformat(at), UUID(document)
        if not 0 <= values[0] <= _MOST_SHOWN:
            raise ValueError(f"no document was shown {values[0]} times")
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise CursorRefused("This is no cursor of the queue: ask for its first page without one.") from error
    return dict(zip(names, values, strict=True))
