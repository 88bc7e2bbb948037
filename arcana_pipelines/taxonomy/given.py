"""Topics that come with a document: from a property, with a file, or by the word of a person.

Everything is written in the transaction of what it comes with, below a version that stays the active one until that
ends. A path that is no node's is an error to a person; in a sync it is noted, and the document is stored all the same.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from arcana_pipelines.audit.record import Action, record
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.errors import UnknownDocument
from arcana_pipelines.taxonomy.brought import Said, as_path, said_by
from arcana_pipelines.taxonomy.labels import Path, spell_path
from arcana_pipelines.taxonomy.lookup import lookup, no_active_version

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# Of one document. A property that says more is no list of topics.
MOST_TOPICS = 100
_BATCH = 1000
# Assignments that are told one by one; more are told as a number.
_MOST_LINES = 10
_UNKNOWN = "unknown topic"


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
    version = _hold_active(connection, workspace_id)
    if version is None:
        raise no_active_version(connection, workspace_id)
    return Chosen(version, lookup.require(connection, workspace_id, paths, version))


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
    plan = _Plan()
    plan.given += [{"doc_id": document_id, "node_id": node, "reason": "added with it"} for node in nodes]
    plan.gone += [{"doc_id": document_id, "node_id": node} for node in gone]
    plan.undefaulted.append(document_id)
    if _write(connection, workspace_id, chosen.version, None, plan).given:
        about = {"version": chosen.version, "topics": _spelled(chosen.nodes), "origin": "given"}
        record(connection, actor, "topic.assigned", str(document_id), workspace_id=workspace_id, details=about)


def give_by_properties(connection: Connection, workspace_id: UUID, external_ids: Collection[str]) -> GivenReport:
    """Give the documents of pages the topics that their properties say, in the transaction that stores their versions.

    Nothing is written where nothing has changed. Where the workspace names no properties, nothing is looked at.
    """
    held = _hold(connection, workspace_id)
    if held is None or not held.names:
        return GivenReport()
    return _give(connection, workspace_id, held, pages=list(external_ids))


def give_missing(connection: Connection, workspace_id: UUID, documents: Collection[UUID] | None = None) -> GivenReport:
    """Give documents what they bring and have not got: another version is active, or other properties count.

    Each thousand is a transaction, or a part of the caller's.

    Args:
        documents: None: all that bring something.
    """
    if documents is None:
        held = _hold(connection, workspace_id)
        if held is None:
            return GivenReport()
        given = {"workspace_id": workspace_id, "version": held.version, "names": held.names}
        documents = query.scalars(connection, load_sql("given_bringing"), given)
    report = GivenReport()
    wanted = list(documents)
    for first in range(0, len(wanted), _BATCH):
        with connection.transaction():
            held = _hold(connection, workspace_id)
            if held is None:
                break
            report += _give(connection, workspace_id, held, documents=wanted[first : first + _BATCH])
    return report


def settle_unknown_paths(connection: Connection, workspace_id: UUID) -> int:
    """Forget unknown paths that no document brings any more, and those of versions that are not active.

    One cheap question where there are none. Returns how many it were.
    """
    noted = "SELECT version, path FROM taxonomy_unknown_path WHERE workspace_id = %s"
    if query.scalar(connection, f"SELECT EXISTS ({noted})", [workspace_id]) is False:
        return 0
    with connection.transaction():
        held = _hold(connection, workspace_id)
        brought: set[Path | None] = set()
        if held is not None:
            given = {"workspace_id": workspace_id, "names": held.names}
            for text in query.scalars(connection, load_sql("unknown_given"), given):
                brought |= {as_path(text), *map(as_path, text.splitlines())}
        over = [
            {"version": version, "path": path}
            for version, path in connection.execute(noted, [workspace_id]).fetchall()
            if held is None or version != held.version or tuple(path) not in brought
        ]
        if over:
            connection.execute(load_sql("unknown_forget"), {"workspace_id": workspace_id, "over": storable_json(over)})
    return len(over)


@dataclass(frozen=True, slots=True)
class _Held:
    """The active version, which stays so until the transaction ends, and what counts in it."""

    version: str
    names: Sequence[str]
    default_node: UUID | None


@dataclass(slots=True)
class _Plan:
    """What is to be written, as JSON has it."""

    given: list[dict[str, Any]] = field(default_factory=list)
    gone: list[dict[str, Any]] = field(default_factory=list)
    undefaulted: list[UUID] = field(default_factory=list)
    defaulted: list[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.given or self.gone or self.undefaulted or self.defaulted)


@dataclass(frozen=True, slots=True)
class _Document:
    """What a document brings and has: a row of `given_documents.sql`."""

    document_id: UUID
    properties: Mapping[str, Mapping[str, Any]] | None
    topics: Sequence[UUID] | None
    given: Sequence[UUID]
    settled: Sequence[UUID]
    rejected: Sequence[UUID]
    default_reason: str | None


def _hold_active(connection: Connection, workspace_id: UUID) -> str | None:
    held = "SELECT version FROM taxonomy_version WHERE workspace_id = %s AND state = 'active' FOR SHARE"
    version: str | None = query.scalar(connection, held, [workspace_id])
    return version


def _hold(connection: Connection, workspace_id: UUID) -> _Held | None:
    version = _hold_active(connection, workspace_id)
    if version is None:
        return None
    key = {"workspace_id": workspace_id, "version": version}
    names, default_node = connection.execute(load_sql("given_settings"), key).fetchone() or ([], None)
    return _Held(version, names, default_node)


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
        changed = query.scalars(connection, load_sql("assign" if is_assigned else "unassign"), key)
        found = topics_of(connection, workspace_id, [document_id])[document_id]
        if changed:
            about = {"version": chosen.version, "topics": _spelled(changed)}
            record(connection, by, action, str(document_id), workspace_id=workspace_id, details=about)
    for path in changed:
        node, version = chosen.nodes[tuple(path)], chosen.version
        log.info("%s: %s, node %s, version %s, document %s", action, spell_path(path), node, version, document_id)
    return found


def _give(
    connection: Connection,
    workspace_id: UUID,
    held: _Held,
    pages: list[str] | None = None,
    documents: Sequence[UUID] = (),
) -> GivenReport:
    key = {"workspace_id": workspace_id, "version": held.version}
    about = {**key, "names": list(held.names), "pages": pages, "documents": list(documents)}
    rows = query.rows(connection, _Document, load_sql("given_documents"), about)
    said = {row.document_id: list(said_by(row.properties or {}))[:MOST_TOPICS] for row in rows}
    named = _resolved(connection, workspace_id, held.version, [each for all_ in said.values() for each in all_])
    plan = _Plan()
    unknown: dict[Path, list[UUID]] = defaultdict(list)
    for row in rows:
        lacking = _plan(plan, row, said[row.document_id], named, held.default_node is not None)
        for path in lacking:
            unknown[path].append(row.document_id)
    report = _write(connection, workspace_id, held.version, held.default_node, plan) if plan else GivenReport()
    if unknown:
        noted = [{"path": path, "documents": f"{{{','.join(map(str, by))}}}"} for path, by in unknown.items()]
        connection.execute(load_sql("unknown_note"), {**key, "unknown": storable_json(noted)})
        for path in list(unknown)[:_MOST_LINES]:
            log.warning("there is no topic %s in version %s of %s", spell_path(path), held.version, workspace_id)
    return report + GivenReport(unknown=frozenset(unknown))


@dataclass(frozen=True, slots=True)
class _Resolved:
    """The nodes that paths and pages stand for, and the path that a page without a node stands for."""

    paths: Mapping[Path, UUID]
    pages: Mapping[str, UUID]
    titles: Mapping[str, Path]


def _resolved(connection: Connection, workspace_id: UUID, version: str, said: Sequence[Said]) -> _Resolved:
    key = {"workspace_id": workspace_id, "version": version}
    nodes: dict[str, UUID] = {}
    titles: dict[str, Path] = {}
    if pages := {each.page for each in said if each.page}:
        for page, title, node in connection.execute(load_sql("given_pages"), {**key, "pages": sorted(pages)}):
            if node is not None:
                nodes[page] = node
            elif path := as_path((title or page).replace("/", r"\/")):
                titles[page] = path
    wanted = [each.path for each in said if each.path]
    wanted += [titles[each.page] for each in said if each.page in titles]
    if not wanted:
        return _Resolved({}, nodes, titles)
    paths = dict(lookup.find(connection, workspace_id, wanted, version))
    if missing := list(dict.fromkeys(path for path in wanted if path not in paths)):
        before = connection.execute(load_sql("given_before"), {**key, "paths": storable_json(missing)})
        paths |= {missing[position - 1]: node for position, node in before}
    return _Resolved(paths, nodes, titles)


def _plan(plan: _Plan, row: _Document, said: Sequence[Said], named: _Resolved, has_default: bool) -> list[Path]:
    """Add what is to be done for one document; returns the paths that are unknown."""
    reasons: dict[UUID, str] = {}
    lacking: dict[Path, None] = {}
    for each in said:
        path = each.path or named.titles.get(each.page or "")
        node = named.paths.get(path) if path else named.pages.get(each.page or "")
        if node is not None:
            reasons.setdefault(node, f"property '{each.name}'")
        elif path:
            lacking[path] = None
    if row.topics is not None:
        reasons |= dict.fromkeys(row.topics, "added with it")
    else:
        gone = [node for node in row.given if node not in reasons]
        plan.gone += [{"doc_id": row.document_id, "node_id": node} for node in gone]
    there = {*row.given, *row.settled, *row.rejected}
    plan.given += [
        {"doc_id": row.document_id, "node_id": node, "reason": reason}
        for node, reason in reasons.items()
        if node not in there
    ]
    has_others = bool((set(reasons) - set(row.rejected)) or row.settled)
    if lacking and has_default and not has_others:
        if row.default_reason is None:
            about = f"{_UNKNOWN} '{spell_path(next(iter(lacking)))}'"
            plan.defaulted.append({"doc_id": row.document_id, "reason": about})
    elif row.default_reason is not None and (has_others or row.default_reason.startswith(_UNKNOWN)):
        plan.undefaulted.append(row.document_id)
    return list(lacking)


def _write(
    connection: Connection, workspace_id: UUID, version: str, default_node: UUID | None, plan: _Plan
) -> GivenReport:
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


def _spelled(paths: Iterable[Sequence[str]]) -> list[str]:
    return [spell_path(tuple(path)) for path in paths]
