"""The versions of a workspace's taxonomy: drafts, the active one, those that were.

An import makes a draft. Promoting it carries the topics of documents over and lets it be the active one; rolling back
returns to the version that it was made from. Who imports, promotes or rolls back is alone in the workspace.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from uuid import UUID

from arcana_pipelines.audit.record import record
from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.interruptible import ending
from arcana_pipelines.db.locks import wait_for_advisory_lock
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import TaxonomyRefused, UnknownTaxonomyVersion
from arcana_pipelines.taxonomy import carry, drafts
from arcana_pipelines.taxonomy.carry import Way
from arcana_pipelines.taxonomy.nodes import Change, GivenNode
from arcana_pipelines.taxonomy.reports import DraftReport, PromotionReport, RollbackReport, details, with_carried
from arcana_pipelines.taxonomy.rule_topics import rule_topics
from arcana_pipelines.taxonomy.stored_versions import (
    Version,
    active_version,
    find_version,
    nodes_of,
    version_named,
    versions,
)
from arcana_pipelines.taxonomy.texts import TextCounts, texts_changed
from arcana_pipelines.taxonomy.tree import compared, make_tree

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

_NAMESPACE = 7270044  # the first half of the advisory lock's key; the other is the workspace
_LOCK = "%s, hashtext(%s)"


@dataclass(frozen=True, slots=True)
class _NodeCounts:
    same: int
    added: int
    renamed: int
    moved: int
    merged: int
    split: int
    retired: int


def differences(connection: Connection, workspace_id: UUID, old: str, new: str) -> list[Change]:
    """What is other in one version than in another, whichever they are: added, renamed, moved, gone.

    Raises:
        UnknownTaxonomyVersion: there is no such version.
    """
    return compared(nodes_of(connection, workspace_id, old), nodes_of(connection, workspace_id, new))


def store_draft(
    connection: Connection,
    workspace_id: UUID,
    given: Sequence[GivenNode],
    version: str | None = None,
    source: str = "",
    note: str | None = None,
    actor: str | None = None,
) -> DraftReport:
    """Make a draft of what an import gives, against the active version.

    Args:
        version: its name, also of a draft that is imported again; None: the next number.
        source: where it comes from, for people.
        actor: who does it (see `audit.record`); None: the user of this process.

    Raises:
        TaxonomyRefused: it cannot be a tree, or the version was released.
    """
    if version is not None:
        drafts.require_name(version)
    with _alone(connection, workspace_id):
        active = active_version(connection, workspace_id)
        before = nodes_of(connection, workspace_id, active.version) if active is not None else []
        version = version or drafts.next_name([each.version for each in versions(connection, workspace_id)])
        draft_before = version_named(connection, workspace_id, version)
        earlier = (
            {} if draft_before is None else {n.path: n.node_id for n in nodes_of(connection, workspace_id, version)}
        )
        based_on = active.version if active is not None else None
        with connection.transaction():
            if any(row.node_id is not None for row in given):
                # A file that another workspace imports at the same time: the ids are those of whoever is first.
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [_NAMESPACE])
            own = drafts.own_ids(connection, workspace_id, given)
            if active is not None:
                drafts.require_known(connection, workspace_id, active.version, own)
            draft = make_tree(own, before, earlier)
            drafts.store(connection, workspace_id, version, based_on, draft, source, note)
            counts = change_counts(draft.changes)
            texts = TextCounts()
            if based_on is not None:
                texts = TextCounts.of(texts_changed(connection, workspace_id, based_on, version))
            record(
                connection,
                actor,
                "taxonomy.imported",
                version,
                workspace_id=workspace_id,
                details={"nodes": len(draft.nodes), "changes": counts, "missing": len(draft.missing)},
            )
    log.info(
        "taxonomy %s: %d nodes, %d changes, %d missing",
        version,
        len(draft.nodes),
        len(draft.changes),
        len(draft.missing),
    )
    is_same = active is not None and draft.nodes == before
    return DraftReport(version, based_on, len(draft.nodes), counts, draft.missing, draft.notes, texts, is_same)


def change_counts(changes: Sequence[Change]) -> dict[str, int]:
    """How many nodes changed in each way. One that is split counts once, whatever it became."""
    each = dict.fromkeys(
        (change.kind, change.from_node if change.kind == "split" else number) for number, change in enumerate(changes)
    )
    return dict(Counter[str](kind for kind, _ in each))


def drop_draft(connection: Connection, workspace_id: UUID, version: str, actor: str | None = None) -> None:
    """Forget a draft.

    Raises:
        UnknownTaxonomyVersion: there is no such version.
        TaxonomyRefused: it was released, and stays.
    """
    with _alone(connection, workspace_id):
        if find_version(connection, workspace_id, version).state != "draft":
            raise TaxonomyRefused(f"Version {version} was released: it stays. Only drafts can be dropped.")
        with connection.transaction():
            connection.execute(
                "DELETE FROM taxonomy_version WHERE workspace_id = %s AND version = %s", [workspace_id, version]
            )
            record(connection, actor, "taxonomy.dropped", version, workspace_id=workspace_id)


def promote(
    connection: Connection,
    workspace_id: UUID,
    version: str,
    *,
    retire_missing: bool = False,
    dry_run: bool = False,
    actor: str | None = None,
) -> PromotionReport:
    """Let a version be the active one, with the topics of documents carried over to it.

    Killed in the middle, it is run again, and ends where it would have. Not within a transaction.

    Args:
        retire_missing: what was assigned to nodes that are missing is suggested for what was above them.
        dry_run: only count what it would do; where it would be refused for nodes that are missing, the report says so.
        actor: who does it (see `audit.record`); None: the user of this process.

    Raises:
        UnknownTaxonomyVersion: there is no such version.
        TaxonomyRefused: it is active, it was made from another version than the active one, nodes are missing, or the
            default topic is not one of it.
    """
    with _alone(connection, workspace_id):
        new = find_version(connection, workspace_id, version)
        active = active_version(connection, workspace_id)
        _require_follows(new, active)
        _require_default(connection, workspace_id, version)
        way = refused = None
        if active is not None:
            way = carry.forward(connection, workspace_id, active.version, version, new.released_at)
            if way.missing and not retire_missing:
                refused = _missing(version, way)
        if refused is not None and not dry_run:
            raise TaxonomyRefused(refused)
        texts = texts_changed(connection, workspace_id, active.version, version) if active is not None else []
        names = {"workspace_id": workspace_id, "version": version}
        counts = query.one(connection, _NodeCounts, load_sql("node_counts"), names)
        rules = rule_topics(connection, workspace_id, version)
        report = PromotionReport(
            version,
            active.version if active is not None else None,
            dry_run,
            **asdict(counts),
            missing=len(way.missing) if way is not None else 0,
            refused=refused,
            rules=len(rules),
            rules_resting=[rule.name for rule in rules if rule.node_id is None],
            texts_lost=sum(bool(each.lost) for each in texts),
            texts_changed=sum(bool(each.changed) for each in texts),
        )
        if dry_run:
            if way is None:
                return report
            documents = carry.documents_of(connection, way)
            return with_carried(report, carry.carry(connection, way, documents, writes=False))
        if way is not None:
            carry.carry_ahead(connection, way)
        report = _release(connection, workspace_id, way, report, actor)
    log.info("taxonomy %s is active: %s", version, details(report))
    return report


def roll_back(
    connection: Connection, workspace_id: UUID, to: str | None = None, actor: str | None = None
) -> RollbackReport:
    """Let an earlier version be the active one again. Not within a transaction.

    What was assigned meanwhile to nodes that both have is carried back; what the earlier one does not have is counted.

    Args:
        to: its name; None: the one that the active version was made from.
        actor: who does it (see `audit.record`); None: the user of this process.

    Raises:
        UnknownTaxonomyVersion: there is no such version, or none is active.
        TaxonomyRefused: there is nothing to go back to, or it was never active.
    """
    with _alone(connection, workspace_id):
        active = active_version(connection, workspace_id)
        if active is None:
            raise UnknownTaxonomyVersion("No version of the taxonomy is active: there is nothing to roll back.")
        version = to or active.based_on
        if version is None:
            raise TaxonomyRefused(f"Version {active.version} is the first: there is none to go back to.")
        if find_version(connection, workspace_id, version).state != "retired":
            raise TaxonomyRefused(f"Version {version} is no earlier one: it is active, or was never.")
        steps = _steps(versions(connection, workspace_id), active.version, version)
        way = carry.back(connection, workspace_id, active.version, version, steps)
        carry.carry_ahead(connection, way)
        report = _return(connection, workspace_id, way, actor)
    log.info("taxonomy %s is active again: %s", version, details(report))
    return report


@carry.again
def _release(
    connection: Connection, workspace_id: UUID, way: Way | None, report: PromotionReport, actor: str | None
) -> PromotionReport:
    """The transaction that lets a version be the active one."""
    with connection.transaction():
        _hold(connection, workspace_id, [report.version, *([way.old] if way is not None else [])])
        if way is not None:
            report = with_carried(report, carry.finish(connection, way))
        _switch(connection, workspace_id, report.version)
        told = details(report)
        record(connection, actor, "taxonomy.promoted", report.version, workspace_id=workspace_id, details=told)
    return report


@carry.again
def _return(connection: Connection, workspace_id: UUID, way: Way, actor: str | None) -> RollbackReport:
    """The transaction that lets an earlier version be the active one again."""
    with connection.transaction():
        _hold(connection, workspace_id, [way.old, way.new])
        carried = carry.carry(connection, way, carry.documents_of(connection, way))
        _switch(connection, workspace_id, way.new)
        names = {"workspace_id": workspace_id, "old": way.old, "new": way.new}
        without = query.scalar(connection, load_sql("documents_without"), names)
        report = RollbackReport(way.new, way.old, carried.carried, carried.ended, without)
        told = details(report)
        record(connection, actor, "taxonomy.rolled_back", way.new, workspace_id=workspace_id, details=told)
    return report


def _steps(there: Sequence[Version], last: str, first: str) -> Iterator[tuple[str, str]]:
    """From a version down to an earlier one, or to the very first: what each is based on, with it."""
    based_on = {each.version: each.based_on for each in there}
    while last != first and (before := based_on[last]) is not None:
        yield before, last
        last = before


@contextmanager
def _alone(connection: Connection, workspace_id: UUID) -> Iterator[None]:
    """Nobody else imports, drops, promotes or rolls back in the workspace meanwhile. Whoever does is waited for."""
    key = [_NAMESPACE, str(workspace_id)]
    waiting = "another import, promotion or rollback of this taxonomy is waited for"
    wait_for_advisory_lock(connection, _LOCK, key, lambda: log.info(waiting))
    try:
        yield
    finally:
        with ending(connection):
            connection.execute(f"SELECT pg_advisory_unlock({_LOCK})", key)


def _require_follows(new: Version, active: Version | None) -> None:
    if new.state == "active":
        raise TaxonomyRefused(f"Version {new.version} is active already: there is nothing to do.")
    if new.based_on != (active.version if active is not None else None):
        was = f"made from {new.based_on}" if new.based_on is not None else "made when none was active"
        now = f"{active.version} is active now" if active is not None else "none is active now"
        raise TaxonomyRefused(
            f"Version {new.version} was {was}, and {now}: import it again, so that it says what becomes of the nodes "
            "that there are."
        )


def _require_default(connection: Connection, workspace_id: UUID, version: str) -> None:
    """The topic that stands for unknown paths is one of the version."""
    default = query.scalar(
        connection, "SELECT default_node FROM taxonomy_settings WHERE workspace_id = %s", [workspace_id]
    )
    is_there = "SELECT 1 FROM taxonomy_nodes WHERE node_id = %s AND version = %s AND workspace_id = %s"
    if default is not None and query.scalar(connection, is_there, [default, version, workspace_id]) is None:
        raise TaxonomyRefused(
            f"The default topic ({default}) is none of version {version}: set another first, one that both versions "
            "have (`arcana taxonomy set`)."
        )


def _missing(version: str, way: Way) -> str:
    """Why a version is refused that does not say what becomes of nodes."""
    paths = way.missing
    more = f" and {len(paths) - 5:,} more" if len(paths) > 5 else ""
    return (
        f"Version {version} does not say what becomes of {len(paths):,} nodes of {way.old}: "
        f"{', '.join(paths[:5])}{more}. "
        "Say it in the import (retired, replaced_by, replaces), or promote with --retire-missing: what is assigned to "
        "them is suggested for what was above them."
    )


def _hold(connection: Connection, workspace_id: UUID, names: Sequence[str]) -> None:
    """Wait for whoever is assigning topics, and keep others from it until the transaction ends."""
    connection.execute(
        "SELECT version FROM taxonomy_version WHERE workspace_id = %s AND version = ANY(%s) "
        "ORDER BY version FOR UPDATE",
        [workspace_id, list(names)],
    )


def _switch(connection: Connection, workspace_id: UUID, version: str) -> None:
    """Let a version be the active one. Documents are classified by it again, one that was active before, too."""
    names = {"workspace_id": workspace_id, "version": version}
    connection.execute(
        "UPDATE taxonomy_version SET state = 'retired' WHERE workspace_id = %(workspace_id)s AND state = 'active'",
        names,
    )
    connection.execute(load_sql("version_switch"), names)
    connection.execute(
        "DELETE FROM taxonomy_classified WHERE workspace_id = %(workspace_id)s AND version = %(version)s", names
    )
