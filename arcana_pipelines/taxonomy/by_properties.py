"""Topics that properties of pages and fields of tickets say, by the names that a workspace's settings give.

They are given in the transaction that stores a document's version. A path that is no node's keeps no document: it is
noted, and told to people once.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.taxonomy.brought import Said, as_path, said_by
from arcana_pipelines.taxonomy.giving import GivenReport, Plan, write_plan
from arcana_pipelines.taxonomy.labels import Path, spell_path
from arcana_pipelines.taxonomy.lookup import lookup, slug_of
from arcana_pipelines.taxonomy.stored_versions import hold_active

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# Of one document. A property that says more is no list of topics.
MOST_TOPICS = 100
_BATCH = 1000
_MOST_LINES = 10
_UNKNOWN = "unknown topic"


@dataclass(frozen=True, slots=True)
class Held:
    """The active version, which stays so until the transaction ends, and what counts in it.

    Attributes:
        names: of the properties that say topics.
        default_node: what a document has that says nothing but unknown paths; None: nothing.
    """

    workspace_id: UUID
    version: str
    names: Sequence[str]
    default_node: UUID | None


def hold(connection: Connection, workspace_id: UUID) -> Held | None:
    """Keep the active version so until the caller's transaction ends; asked before that locks documents.

    None, and one cheap question: the workspace has no taxonomy.
    """
    version = hold_active(connection, workspace_id)
    if version is None:
        return None
    key = {"workspace_id": workspace_id, "version": version.version}
    names, default_node = connection.execute(load_sql("given_settings"), key).fetchone() or ([], None)
    return Held(workspace_id, version.version, names, default_node)


def give_by_properties(connection: Connection, held: Held, external_ids: Collection[str]) -> GivenReport:
    """Give the documents of pages the topics that their properties say, in the transaction that stores their versions.

    Where nothing has changed nothing is written; where no property is named nothing is looked at.
    """
    return _give(connection, held, pages=external_ids) if held.names else GivenReport()


def give_missing(connection: Connection, workspace_id: UUID, documents: Collection[UUID] | None = None) -> GivenReport:
    """Give documents what they bring and have not got: another version is active, or other properties count.

    Each thousand is a transaction, or a part of the caller's.

    Args:
        documents: None: all that bring something.
    """
    if documents is None:
        documents = query.scalars(connection, load_sql("given_bringing"), {"workspace_id": workspace_id})
    report = GivenReport()
    wanted = list(documents)
    for first in range(0, len(wanted), _BATCH):
        with connection.transaction():
            held = hold(connection, workspace_id)
            if held is None:
                break
            report += _give(connection, held, documents=wanted[first : first + _BATCH])
    return report


def settle_unknown_paths(connection: Connection, workspace_id: UUID) -> int:
    """Count anew by how many documents each unknown path is brought, and forget those that none brings any more.

    Forgotten are those of versions that are not active, too. One cheap question where there are none; returns how many
    were forgotten.
    """
    noted = "SELECT version, path, times, documents FROM taxonomy_unknown_path WHERE workspace_id = %s"
    if query.scalar(connection, f"SELECT EXISTS ({noted})", [workspace_id]) is False:
        return 0
    with connection.transaction():
        held = hold(connection, workspace_id)
        rows = connection.execute(noted, [workspace_id]).fetchall()
        active = held.version if held is not None else None
        unknown = {tuple(path) for version, path, *_ in rows if version == active}
        bringing = _bringing(connection, held, unknown) if held is not None else {}
        over, counted = [], []
        for version, path, times, documents in rows:
            by = bringing.get(tuple(path), []) if version == active else []
            first = [*(each for each in documents if each in by), *(each for each in by if each not in documents)][:3]
            if not by:
                over.append({"version": version, "path": path})
            elif (times, documents) != (len(by), first):
                counted.append({"path": path, "times": len(by), "documents": _array(first)})
        key = {"workspace_id": workspace_id}
        if over:
            connection.execute(load_sql("unknown_forget"), {**key, "over": storable_json(over)})
        if counted:
            about = {**key, "version": active, "counted": storable_json(counted)}
            connection.execute(load_sql("unknown_count"), about)
    return len(over)


def _bringing(connection: Connection, held: Held, unknown: Collection[Path]) -> Mapping[Path, list[UUID]]:
    """The living documents that bring each of these paths, in the order of their ids."""
    key = {"workspace_id": held.workspace_id, "names": list(held.names)}
    paths: dict[str, set[Path | None]] = {}
    for text in query.scalars(connection, load_sql("unknown_texts"), key):
        # A label of one page's title, or paths.
        said = {as_path(spell_path((text,))), as_path(text), *map(as_path, text.splitlines())}
        if found := said & set(unknown):
            paths[text] = found
    bringing: dict[Path, dict[UUID, None]] = defaultdict(dict)
    if paths:
        for text, document_id in connection.execute(load_sql("unknown_documents"), {**key, "texts": list(paths)}):
            for path in paths[text]:
                assert path is not None
                bringing[path][document_id] = None
    return {path: list(documents) for path, documents in bringing.items()}


@dataclass(frozen=True, slots=True)
class _Document:
    """What a document brings and has: a row of `given_documents.sql`."""

    document_id: UUID
    properties: Mapping[str, Mapping[str, Any]] | None
    topics: Sequence[UUID] | None
    given: Sequence[UUID]
    settled: Sequence[UUID]
    rejected: Sequence[UUID]
    has_topic: bool
    default_reason: str | None


def _give(
    connection: Connection,
    held: Held,
    pages: Collection[str] = (),
    documents: Sequence[UUID] = (),
) -> GivenReport:
    key = {"workspace_id": held.workspace_id, "version": held.version}
    about = {**key, "names": list(held.names), "pages": list(pages), "documents": list(documents)}
    rows = query.rows(connection, _Document, load_sql("given_documents"), about)
    said = {row.document_id: list(said_by(row.properties or {}))[:MOST_TOPICS] for row in rows}
    named = _resolved(connection, held, [each for all_ in said.values() for each in all_])
    plan = Plan()
    unknown: dict[Path, list[UUID]] = defaultdict(list)
    for row in rows:
        lacking = _plan(plan, row, said[row.document_id], named, held.default_node is not None)
        for path in lacking:
            unknown[path].append(row.document_id)
    report = GivenReport()
    if plan:
        report = write_plan(connection, held.workspace_id, held.version, held.default_node, plan)
    if unknown:
        noted = [{"path": path, "documents": _array(by)} for path, by in unknown.items()]
        connection.execute(load_sql("unknown_note"), {**key, "unknown": storable_json(noted)})
        slug = slug_of(connection, held.workspace_id)
        for path in list(unknown)[:_MOST_LINES]:
            log.warning("there is no topic %s in version %s of '%s'", spell_path(path), held.version, slug)
    return report + GivenReport(unknown=frozenset(unknown))


@dataclass(frozen=True, slots=True)
class _Resolved:
    """The nodes that paths and pages stand for, and the path that a page without a node stands for."""

    paths: Mapping[Path, UUID]
    pages: Mapping[str, UUID]
    titles: Mapping[str, Path]


def _resolved(connection: Connection, held: Held, said: Sequence[Said]) -> _Resolved:
    key = {"workspace_id": held.workspace_id, "version": held.version}
    nodes: dict[str, UUID] = {}
    titles: dict[str, Path] = {}
    if pages := {each.page for each in said if each.page}:
        for page, title, node in connection.execute(load_sql("given_pages"), {**key, "pages": sorted(pages)}):
            if node is not None:
                nodes[page] = node
            elif path := as_path(spell_path((title or page,))):
                titles[page] = path
    wanted = [each.path for each in said if each.path]
    wanted += [titles[each.page] for each in said if each.page in titles]
    if not wanted:
        return _Resolved({}, nodes, titles)
    paths = dict(lookup.find(connection, held.workspace_id, wanted, held.version))
    if missing := list(dict.fromkeys(path for path in wanted if path not in paths)):
        before = connection.execute(load_sql("given_before"), {**key, "paths": storable_json(missing)})
        paths |= {missing[position - 1]: node for position, node in before}
    return _Resolved(paths, nodes, titles)


def _plan(plan: Plan, row: _Document, said: Sequence[Said], named: _Resolved, has_default: bool) -> list[Path]:
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
    has_others = row.has_topic or bool(set(reasons) - set(row.rejected))
    if lacking and has_default and not has_others:
        if row.default_reason is None:
            about = f"{_UNKNOWN} '{spell_path(next(iter(lacking)))}'"
            plan.defaulted.append({"doc_id": row.document_id, "reason": about})
    elif row.default_reason is not None and (has_others or row.default_reason.startswith(_UNKNOWN)):
        plan.undefaulted.append(row.document_id)
    return list(lacking)


def _array(documents: Sequence[UUID]) -> str:
    """An array of PostgreSQL, inside of JSON."""
    return f"{{{','.join(map(str, documents))}}}"
