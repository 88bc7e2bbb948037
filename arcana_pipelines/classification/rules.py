"""Rules: what makes a document one about a topic, said once by a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from arcana_pipelines.audit.record import record
from arcana_pipelines.classification.conditions import Conditions, conditions_of, matching, settled, told
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import find, rows, scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import UnknownTaxonomyVersion, WrongUse
from arcana_pipelines.taxonomy.labels import Path
from arcana_pipelines.taxonomy.rule_topics import RuleTopic, rule_topics
from arcana_pipelines.taxonomy.stored_versions import active_version, hold_active

load_sql = statements_beside(__file__)

# Each is a statement a batch of documents.
MOST_RULES = 200
LONGEST_NAME = 200  # characters
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a workspace.

    Attributes:
        position: of several that say the same topic of a document, that of the first counts.
        node_id: its topic; one that was merged into another, or replaced by one, is that.
        path: of its topic in the active version; None: it is not in it, and the rule rests.
        confidence: of what it finds, from 0 to 1. As with all that is found, it says whether a person is asked.
        rests: why it finds nothing now; None: it does not rest.
        was: the path that its topic had last, where it is not in the active version; None: it is, or never was.
    """

    rule_id: UUID
    name: str
    position: int
    node_id: UUID
    path: Path | None
    conditions: Conditions
    confidence: float
    rests: str | None
    was: Path | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would find.

    Attributes:
        documents: of how many its conditions hold.
        first: id and title of some of them, by title.
        rejected: of how many of them people have said that they are not about its topic: they do not get it.
        elsewhere: of how many people have said that they are about others: they get this one besides.
    """

    documents: int
    first: list[tuple[UUID, str]]
    rejected: int
    elsewhere: int


def add_rule(
    connection: Connection,
    workspace_id: UUID,
    name: str,
    node_id: UUID,
    conditions: Conditions,
    confidence: float = 1.0,
    position: int | None = None,
    actor: str | None = None,
) -> Rule:
    """Make a rule; the next classification follows it. Without a position it is the last.

    `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        UnknownTaxonomyVersion: the workspace has no active taxonomy.
        WrongUse: the name is taken or none, the topic is not in the active version, the conditions name what is not
            there, or there are too many rules.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise WrongUse(f"A rule needs a name of up to {LONGEST_NAME} characters.")
    if not 0 <= confidence <= 1:
        raise WrongUse("The confidence of a rule is a number from 0 to 1.")
    with connection.transaction():
        held = hold_active(connection, workspace_id)
        if held is None:
            raise UnknownTaxonomyVersion("This workspace has no active taxonomy: import one and promote it.")
        given = {"workspace_id": workspace_id, "version": held.version, "node_id": node_id}
        path = scalar(connection, load_sql("node_path"), given)
        if path is None:
            raise WrongUse(f"There is no topic {node_id} in version {held.version} of the taxonomy.")
        conditions = settled(connection, workspace_id, conditions)
        count, last = connection.execute(
            "SELECT count(*), coalesce(max(position), 0) FROM taxonomy_rule WHERE workspace_id = %s", [workspace_id]
        ).fetchone() or (0, 0)
        if count >= MOST_RULES:
            raise WrongUse(f"A workspace has at most {MOST_RULES} rules.")
        position = last + 1 if position is None else position
        row = {
            **given, "name": name, "position": position, "confidence": confidence,
            "conditions": Jsonb(told(conditions)),
        }  # fmt: skip
        try:
            rule_id: UUID = scalar(connection, load_sql("rule_add"), row)
        except UniqueViolation as error:
            raise WrongUse(f"There is a rule '{name}' already: remove it first, or choose another name.") from error
        about = {"rule": name, "rule_id": str(rule_id), "node_id": str(node_id), "is_added": True}
        record(connection, actor, "taxonomy.changed", str(rule_id), workspace_id=workspace_id, details=about)
    return Rule(rule_id, name, position, node_id, tuple(path), conditions, confidence, None)


def remove_rule(connection: Connection, workspace_id: UUID, name: str, actor: str | None = None) -> int:
    """Remove a rule with what it assigned; returns of how many documents that was. What people said stays.

    Raises:
        WrongUse: there is none of this name.
    """
    with connection.transaction():
        rule_id = scalar(
            connection,
            "DELETE FROM taxonomy_rule WHERE workspace_id = %s AND name = %s RETURNING rule_id",
            [workspace_id, " ".join(name.split())],
        )
        if rule_id is None:
            raise WrongUse(f"There is no rule '{name}' in this workspace.")
        removed: int = scalar(connection, load_sql("rule_take_back"), {"workspace_id": workspace_id, "rule": rule_id})
        about = {"rule": name, "rule_id": str(rule_id), "is_added": False}
        record(connection, actor, "taxonomy.changed", str(rule_id), workspace_id=workspace_id, details=about)
    return removed


def documents_of(connection: Connection, workspace_id: UUID, rule: Rule) -> int:
    """How many documents have a topic by a rule, or are suggested one: what its removal takes back."""
    active = active_version(connection, workspace_id)
    if active is None:
        return 0
    key = {"workspace_id": workspace_id, "version": active.version, "rule": rule.rule_id}
    return len(scalars(connection, load_sql("rule_documents"), key))


def titles_of(connection: Connection, workspace_id: UUID, rules: Sequence[Rule]) -> Mapping[str, str]:
    """The titles of the pages that rules name, by their ids; of those that no other page has."""
    pages = [rule.conditions.filters.below for rule in rules if rule.conditions.filters.below is not None]
    parameters = {"workspace_id": workspace_id, "pages": pages}
    return dict(connection.execute(load_sql("rule_pages"), parameters).fetchall())


def rules_of(connection: Connection, workspace_id: UUID, version: str | None) -> list[Rule]:
    """The rules of a workspace in their order. Whether their conditions can still be meant is not looked at."""
    held = rows(connection, _Row, load_sql("rules"), {"workspace_id": workspace_id})
    topics = {each.rule_id: each for each in rule_topics(connection, workspace_id, version)}
    return [_rule(row, topics.get(row.rule_id), version) for row in held]


def list_rules(connection: Connection, workspace_id: UUID) -> list[Rule]:
    """The rules of a workspace in their order, each with why it rests, where it does."""
    active = active_version(connection, workspace_id)
    every = rules_of(connection, workspace_id, None if active is None else active.version)
    return [replace(rule, rests=rule.rests or _problem(connection, workspace_id, rule)) for rule in every]


def find_rule(connection: Connection, workspace_id: UUID, name: str) -> Rule:
    """The rule of this name.

    Raises:
        WrongUse: there is none.
    """
    name = " ".join(name.split())
    found = [rule for rule in list_rules(connection, workspace_id) if rule.name == name]
    if not found:
        raise WrongUse(f"There is no rule '{name}' in this workspace.")
    return found[0]


def try_rule(connection: Connection, workspace_id: UUID, conditions: Conditions, node_id: UUID | None = None) -> Trial:
    """What a rule with these conditions would find, and what people have said of that. Nothing is written.

    Raises:
        WrongUse: the conditions name what is not there.
    """
    found, parameters = matching(connection, workspace_id, settled(connection, workspace_id, conditions))
    statement = sql.SQL(load_sql("rule_try")).format(found=found)
    trial = find(connection, _Trial, statement, {**parameters, "node_id": node_id, "shown": SHOWN})
    assert trial is not None  # an aggregate has a row
    first = list(zip(trial.documents_shown, trial.titles_shown, strict=True))
    return Trial(trial.documents, first, trial.rejected, trial.elsewhere)


def matches_of(connection: Connection, workspace_id: UUID, rule: Rule, only: Sequence[UUID] | None) -> list[UUID]:
    """The documents, of these, of which a rule's conditions hold.

    Raises:
        WrongUse: a property that it names is there no more.
    """
    found, parameters = matching(connection, workspace_id, rule.conditions, only)
    statement = sql.SQL("SELECT DISTINCT found.document_id FROM ({}) found").format(found)
    return [document_id for (document_id,) in connection.execute(statement, parameters)]


def fingerprint(rules: Sequence[Rule]) -> bytes:
    """Another one when some rule finds something else, or says something else of it."""
    facts = [[str(rule.rule_id), rule.position, rule.confidence, str(rule.node_id), bool(rule.rests)] for rule in rules]
    return json.dumps(facts).encode()


@dataclass(frozen=True, slots=True)
class _Row:
    rule_id: UUID
    name: str
    position: int
    node_id: UUID
    conditions: Mapping[str, Any]
    confidence: float


@dataclass(frozen=True, slots=True)
class _Trial:
    documents: int
    rejected: int
    elsewhere: int
    documents_shown: list[UUID]
    titles_shown: list[str]


def _rule(row: _Row, topic: RuleTopic | None, version: str | None) -> Rule:
    rests = None
    try:
        conditions = conditions_of(row.conditions)
    except WrongUse as error:
        conditions, rests = Conditions(), str(error)
    node_id, path = row.node_id, None
    was = None if topic is None or topic.was is None else tuple(topic.was)
    if topic is None or topic.node_id is None or topic.path is None:
        rests = f"Its topic is not in version {version} of the taxonomy." if version else "No taxonomy is active."
    else:
        node_id, path, was = topic.node_id, tuple(topic.path), None
    return Rule(row.rule_id, row.name, row.position, node_id, path, conditions, row.confidence, rests, was)


def _problem(connection: Connection, workspace_id: UUID, rule: Rule) -> str | None:
    try:
        matching(connection, workspace_id, rule.conditions)
    except WrongUse as error:
        return str(error)
    return None
