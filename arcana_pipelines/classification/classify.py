"""Classification: documents that changed, or that another rule, model, curve or version concerns, get their topics.

What documents bring is given to them first. That, and a person's word, is left alone; rules come before what is merely
near. What was classified is remembered by the document's version, the taxonomy's and the logic, so that nothing is done
twice; each batch is one transaction, and an interrupted run is gone on with by the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from arcana_pipelines.classification import rules as rules_
from arcana_pipelines.classification.calibration import Curve, curve_of, uncalibrated
from arcana_pipelines.classification.review import queue_counts
from arcana_pipelines.classification.rules import Rule, matches_of, rules_of
from arcana_pipelines.db.deadlocks import again_after_deadlock
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import find, rows, scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.embedding.protocol import OpenEmbedder
from arcana_pipelines.errors import BudgetReached, EmbeddingFailed, InvalidSetting, ModelMissing, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, Build, builds_of
from arcana_pipelines.taxonomy.by_properties import give_missing, settle_unknown_paths
from arcana_pipelines.taxonomy.counts import TopicCounts, topic_counts
from arcana_pipelines.taxonomy.nodes import Node
from arcana_pipelines.taxonomy.stored_versions import active_version, hold_active, nodes_of

if TYPE_CHECKING:
    from arcana_pipelines.classification.nearest import Suggestion, Topics

load_sql = statements_beside(__file__)

# Another number classifies every document again.
LOGIC = 2
BATCH = 2000
# What waits longer for a person is told, and so is a share of documents with a topic below the least.
PATIENCE_DAYS = 14
LEAST_COVERAGE = 0.5


@dataclass(frozen=True, slots=True)
class _Settings:
    """From what confidence on something found is assigned, from what on a person is asked, and what brings topics."""

    accept_at: float = 0.9
    suggest_at: float = 0.5
    topic_properties: Sequence[str] = ()
    default_node: UUID | None = None


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """What a classification did, and how topics are now.

    Attributes:
        version: of the taxonomy; None: the workspace has none that is active, and nothing was done.
        classified: documents that were looked at.
        given: topics that documents brought and had not.
        changed: topics of rules and nearness that were written or taken back.
        embedded: texts of topics that were embedded.
        decisions: of people, of which the probabilities are made; 0: too few, so that a person is always asked.
        counts: None without a version.
        queued: documents that wait for a person.
        ended: topics of documents that had no place in the version.
        notes: why something was not done, a sentence each.
    """

    version: str | None = None
    classified: int = 0
    given: int = 0
    changed: int = 0
    embedded: int = 0
    decisions: int = 0
    counts: TopicCounts | None = None
    queued: int = 0
    ended: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What somebody should see to, a sentence each."""
        counts = self.counts
        if counts is None:
            return []
        found = list(self.notes)
        if counts.unknown_paths:
            found.append(f"{counts.unknown_paths} paths came with documents and are no topic of the taxonomy.")
        waits = None if counts.waits_since is None else (datetime.now(UTC) - counts.waits_since).days
        if waits is not None and waits > PATIENCE_DAYS:
            found.append(f"{self.queued} documents wait for a person, one for {waits} days.")
        if counts.coverage is not None and counts.coverage < LEAST_COVERAGE and not self.queued:
            found.append(f"{counts.with_topic} of {counts.documents} documents have a topic, and none is suggested.")
        return found


def classify(
    connection: Connection,
    workspace_id: UUID,
    open_embedder: OpenEmbedder,
    terms: PricingPolicy | None = None,
    batch_size: int = 100,
) -> ClassificationReport:
    """Classify what needs it, in batches that are committed each. A provider that fails is a note, no error.

    Args:
        open_embedder: opened only where a topic's text has no embedding.
        terms: what embeddings may cost.
        batch_size: texts in a request to the provider.
    """
    active = active_version(connection, workspace_id)
    if active is None:
        return ClassificationReport()
    work = _Work(connection, workspace_id, active.version)
    if work.has_work():
        work.embed(open_embedder, batch_size, terms or PricingPolicy())
        work.classify()
    settle_unknown_paths(connection, workspace_id)
    counts = topic_counts(connection, workspace_id)
    key = {"workspace_id": workspace_id, "version": active.version}
    ended = scalar(connection, load_sql("topics_ended"), key)
    return ClassificationReport(
        active.version,
        work.classified,
        work.given,
        work.changed,
        work.embedded,
        work.decisions,
        counts[0] if counts else None,
        queue_counts(connection, workspace_id).documents,
        ended,
        work.notes,
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """What was done for some documents: topics that they brought, that were changed; documents in foreign letters."""

    given: int
    changed: int
    foreign: int


class _Work:
    """One run over one version of the taxonomy."""

    def __init__(self, connection: Connection, workspace_id: UUID, version: str) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._version = version
        self.notes: list[str] = []
        self.classified = self.given = self.changed = self.embedded = self.decisions = 0
        self._rules = rules_of(connection, workspace_id, version)
        self._resting = {rule.rule_id for rule in self._rules if rule.rests}
        self.notes += [f"The rule '{rule.name}' rests: {rule.rests}" for rule in self._rules if rule.rests]
        self._settings = (
            find(connection, _Settings, load_sql("settings"), {"workspace_id": workspace_id}) or _Settings()
        )
        self._build = _serving_build(connection, workspace_id)
        self._curve: Curve | None = None
        if self._build is not None:
            self._curve, self.decisions = curve_of(connection, workspace_id, self._build.embedding_model)
        self._topics: Topics | None = None
        self._foreign = 0
        self._has_vectors = self._build is not None

    @property
    def logic(self) -> bytes:
        """What the topics of a document depend on besides it and the version of the taxonomy."""
        build = self._build if self._has_vectors else None
        model = None if build is None else [build.embedding_model, build.dimensions, build.rag_index_build_id]
        facts = [LOGIC, rules_.fingerprint(self._rules).decode(), _told(self._settings), model, self.decisions]
        return hashlib.sha256(json.dumps(facts).encode()).digest()

    def has_work(self) -> bool:
        """Whether any document is to be classified."""
        return bool(self._waiting(UUID(int=0), 1) or self._moved)

    def embed(self, open_embedder: OpenEmbedder, batch_size: int, terms: PricingPolicy) -> None:
        """Give every topic its vector; where that fails, rules alone are followed."""
        from arcana_pipelines.classification.topic_vectors import embed_topics, read_topics

        if self._build is None:
            self.notes.append("Nothing is published yet, so that no text can be compared with topics.")
            return
        nodes = nodes_of(self._connection, self._workspace_id, self._version)
        try:
            self.embedded = embed_topics(self._connection, self._build, nodes, open_embedder, batch_size, terms)
        except (BudgetReached, EmbeddingFailed, InvalidSetting, ModelMissing) as error:
            self._has_vectors = False
            self.notes.append(f"Topics could not be embedded, so that rules alone were followed: {error}")
            return
        self._topics = read_topics(self._connection, self._build, nodes)
        if unread := len(nodes) - len(self._topics.nodes):
            self.notes.append(f"The model does not read the texts of {unread} topics: they are never nearest.")

    def classify(self) -> None:
        """Classify batch by batch until none is left, or another version has become active."""
        for batch in self._batches():
            did = self._classify(batch)
            if did is None:
                self.notes.append("Another version of the taxonomy became active: the next run classifies by it.")
                break
            self.classified += len(batch)
            self.given += did.given
            self.changed += did.changed
            self._foreign += did.foreign
        if self._foreign and self._build is not None:
            self.notes.append(
                f"{self._foreign} documents are written in letters that the model '{self._build.embedding_model}' does "
                "not read: rules alone find their topics."
            )

    def _batches(self) -> Iterator[Sequence[UUID]]:
        for start in range(0, len(self._moved), BATCH):
            yield self._moved[start : start + BATCH]
        last = UUID(int=0)
        while batch := self._waiting(last, BATCH):
            last = batch[-1]
            yield batch

    def _waiting(self, last: UUID, most: int) -> list[UUID]:
        parameters = {**self._key, "logic": self.logic, "build": self._build_id, "last": last, "most": most}
        return scalars(self._connection, load_sql("documents_waiting"), parameters)

    @cached_property
    def _moved(self) -> list[UUID]:
        """Documents of which a rule holds now, or no more, because a page above them is called otherwise."""
        moved: set[UUID] = set()
        for rule in self._rules:
            if rule.rule_id not in self._resting and rule.conditions.follows_titles_above:
                found = self._matches(rule, None)
                held = scalars(self._connection, load_sql("rule_documents"), {**self._key, "rule": rule.rule_id})
                moved |= set(found) ^ set(held)
        return sorted(moved)

    @property
    def _key(self) -> dict[str, Any]:
        return {"workspace_id": self._workspace_id, "version": self._version}

    @property
    def _build_id(self) -> int | None:
        return None if self._build is None else self._build.rag_index_build_id

    @again_after_deadlock
    def _classify(self, documents: Sequence[UUID]) -> _Batch | None:
        """Classify a batch in one transaction; None: the version is not the active one any more."""
        with self._connection.transaction():
            held = hold_active(self._connection, self._workspace_id)
            if held is None or held.version != self._version:
                return None
            self._connection.execute(load_sql("topics_hold"), self._of(documents))
            given = give_missing(self._connection, self._workspace_id, documents).given
            wanted = _Wanted()
            settled = self._by_rules(documents, wanted)
            known = {**self._of(documents), "resting": list(self._resting)}
            settled |= set(scalars(self._connection, load_sql("topics_settled"), known))
            unsettled = [each for each in documents if each not in settled]
            foreign = self._by_nearness(unsettled, wanted)
            # While a provider is away, what was near stays.
            known["uncompared"] = unsettled if self._topics is None else []
            changed: int = scalar(self._connection, load_sql("topics_write"), {**known, **wanted.columns()})
            done = {**self._of(documents), "logic": self.logic, "build": self._build_id}
            self._connection.execute(load_sql("classified"), done)
        return _Batch(given, changed, foreign)

    def _of(self, documents: Sequence[UUID]) -> dict[str, Any]:
        return {**self._key, "documents": list(documents)}

    def _by_rules(self, documents: Sequence[UUID], wanted: _Wanted) -> set[UUID]:
        """Say what rules find; returns the documents that have a topic by one."""
        settled: set[UUID] = set()
        said: set[tuple[UUID, UUID]] = set()
        for rule in self._rules:
            if rule.rule_id in self._resting or rule.confidence < self._settings.suggest_at:
                continue
            is_sure = rule.confidence >= self._settings.accept_at
            for document_id in self._matches(rule, documents):
                if (document_id, rule.node_id) in said:
                    continue
                said.add((document_id, rule.node_id))
                wanted.add(document_id, rule.node_id, rule.confidence, not is_sure, "rule", rule_id=rule.rule_id)
                if is_sure:
                    settled.add(document_id)
        return settled

    def _matches(self, rule: Rule, documents: Sequence[UUID] | None) -> list[UUID]:
        try:
            return matches_of(self._connection, self._workspace_id, rule, documents)
        except WrongUse as error:
            if rule.rule_id not in self._resting:
                self._resting.add(rule.rule_id)
                self.notes.append(f"The rule '{rule.name}' rests: {error}")
            return []

    def _by_nearness(self, documents: Sequence[UUID], wanted: _Wanted) -> int:
        """Say what is near; returns how many documents the model does not read."""
        topics = self._topics
        if not documents or topics is None or self._build is None:
            return 0
        from arcana_pipelines.classification.nearest import suggestions
        from arcana_pipelines.classification.topic_vectors import compare

        places = {node.node_id: at for at, node in enumerate(topics.nodes)}
        foreign = 0
        refused: dict[UUID, set[int]] = {}
        for row in rows(self._connection, _Refused, load_sql("topics_rejected"), self._of(documents)):
            if row.node_id in places:
                refused.setdefault(row.doc_id, set()).add(places[row.node_id])
        for compared in compare(self._connection, self._build, documents, topics):
            if compared.near is None:
                foreign += 1
                continue
            without = refused.get(compared.document_id, ())
            found = suggestions(compared.near, topics, without)
            if found and (confidence := self._confidence(found[0], topics)) >= self._settings.suggest_at:
                # The curve is of first suggestions: after a rejection a person is asked again.
                is_sure = self._curve is not None and not without and confidence >= self._settings.accept_at
                for each in found[:1] if is_sure else found:
                    # Those behind the first are what a person may choose instead.
                    sure = min(confidence, self._confidence(each, topics))
                    node = topics.nodes[each.at]
                    wanted.add(
                        compared.document_id, node.node_id, sure, not is_sure, "nearest",
                        score=each.score, margin=each.margin,
                    )  # fmt: skip
        return foreign

    def _confidence(self, suggestion: Suggestion, topics: Topics) -> float:
        share = self._curve.of(suggestion.margin) if self._curve else uncalibrated(suggestion.margin)
        node: Node = topics.nodes[suggestion.at]
        return round(share * node.confidence, 4)


@dataclass(frozen=True, slots=True)
class _Refused:
    doc_id: UUID
    node_id: UUID


class _Wanted:
    """The topics that a batch is to have of us, as columns. What is said first of a document and a topic counts."""

    def __init__(self) -> None:
        self._rows: dict[tuple[UUID, UUID], tuple[Any, ...]] = {}

    def add(
        self,
        document_id: UUID,
        node_id: UUID,
        confidence: float,
        waits: bool,
        origin: str,
        rule_id: UUID | None = None,
        score: float | None = None,
        margin: float | None = None,
    ) -> None:
        row = (document_id, node_id, confidence, waits, origin, rule_id, score, margin)
        self._rows.setdefault((document_id, node_id), row)

    def columns(self) -> dict[str, list[Any]]:
        names = ("doc_ids", "node_ids", "confidences", "waiting", "origins", "rule_ids", "scores", "margins")
        columns = list(zip(*self._rows.values(), strict=True)) or [()] * len(names)
        return {name: list(column) for name, column in zip(names, columns, strict=True)}


def _told(settings: _Settings) -> list[Any]:
    return [settings.accept_at, settings.suggest_at, list(settings.topic_properties), str(settings.default_node)]


def _serving_build(connection: Connection, workspace_id: UUID) -> Build | None:
    builds = builds_of(connection, workspace_id, DEFAULT_INDEX)
    return next((build for build in builds if build.state == "active"), None)
