"""What routes answer of topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict

from arcana_pipelines.classification.review import Decision, QueueRow
from arcana_pipelines.retrieval.results import DESCRIBED
from arcana_pipelines.retrieval.shown import safe_address, shown
from arcana_pipelines.taxonomy.counts import TopicCounts
from arcana_pipelines.taxonomy.given import Assignment
from arcana_pipelines.taxonomy.labels import spell_path
from arcana_pipelines.taxonomy.stored_versions import Version

Origin = Literal["given", "person", "rule", "nearest", "default"]


@dataclass(frozen=True, slots=True)
class TaxonomyVersion:
    """A version of a taxonomy."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    version: str

    state: Literal["draft", "active", "retired"]
    """`active`: searches look at it; `draft`: it never was; `retired`: it was, and can be again."""

    based_on: str | None
    """The version that was active when it was imported."""

    note: str | None

    nodes: int

    created_at: datetime

    released_at: datetime | None
    """When it became active first."""

    activated_at: datetime | None
    """When it became active last."""

    @classmethod
    def of(cls, version: Version) -> TaxonomyVersion:
        """One of the database. Where it comes from may be a folder of the server's, and is not told."""
        return cls(
            version.version, version.state, version.based_on, version.note and shown(version.note), version.nodes,
            version.created_at, version.released_at, version.activated_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The taxonomy of a workspace, and how many of its documents have topics."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    version: str | None
    """The active one; null: the workspace has no topics."""

    documents: int
    """That can be found in some index."""

    with_topic: int
    """Of these, that have a topic; a file has its page's, too."""

    assigned: Mapping[Origin, int]
    """Topics of documents, by where they are from: `given` with the document, said by a `person`, by a `rule`, the
    `nearest` in meaning, or the `default` in place of a path that is not there."""

    waiting: int
    """Documents of which a topic waits for a person's word; no search counts it."""

    waits_since: datetime | None
    """Since when the first of them does."""

    versions: list[TaxonomyVersion]
    """The newest first."""

    @classmethod
    def of(cls, counts: TopicCounts | None, known: Sequence[Version]) -> Taxonomy:
        """What the database says."""
        listed = [TaxonomyVersion.of(each) for each in reversed(known)]
        if counts is None:
            return cls(None, 0, 0, {}, 0, None, listed)
        return cls(
            counts.version, counts.documents, counts.with_topic, counts.as_dict()["assigned"], counts.waiting,
            counts.waits_since, listed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class TopicNode:
    """A topic, with how many documents are about it or about anything below it.

    A document is about several topics, and counts once in each: the numbers of the topics below one do not add up to
    its own.
    """

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    node_id: UUID
    """It stays through all versions, whatever the topic is called and wherever it stands."""

    path: str
    """Its labels from the uppermost on: `People/Time off`."""

    label: str
    """The last of them."""

    labels: Mapping[str, str]
    """What it is called in other languages, by language: `{"ko": "휴가"}`."""

    definition: str | None

    synonyms: list[str]

    documents: int

    has_children: bool
    """Whether there are topics below it."""


@dataclass(frozen=True, slots=True)
class TopicNodes:
    """The topics directly below one, or the uppermost, those with most documents first."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    version: str

    nodes: list[TopicNode]

    left_out: int
    """How many more there are than `limit` allows."""


@dataclass(frozen=True, slots=True)
class FoundPath:
    """A path, and the topic at it."""

    path: str

    node_id: UUID


@dataclass(frozen=True, slots=True)
class FoundPaths:
    """The topics at paths, in the order in which they were asked for."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    version: str

    nodes: list[FoundPath]


@dataclass(frozen=True, slots=True)
class DocumentTopic:
    """A topic of a document."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    node_id: UUID

    path: str

    origin: Origin
    """`given` with the document, said by a `person`, by a `rule`, the `nearest` in meaning, or the `default` in place
    of a path that is not there."""

    confidence: float
    """From 0 to 1; 1 where a person or the document itself says so."""

    waits: bool
    """It waits for a person's word, and no search counts it."""

    reason: str | None

    created_at: datetime

    @classmethod
    def of(cls, topic: Assignment) -> DocumentTopic:
        """One of the database."""
        return cls(
            topic.node_id, shown(spell_path(topic.path)), topic.origin, topic.confidence, topic.hitl_required,  # type: ignore[arg-type]
            topic.reason and shown(topic.reason), topic.created_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DocumentTopics:
    """What a document is about, in the order of the tree. Of a file: itself, without what its page is about."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    document_id: UUID

    version: str | None
    """Of the taxonomy; null: the workspace has no topics."""

    topics: list[DocumentTopic]


@dataclass(frozen=True, slots=True)
class SuggestedTopic:
    """Another topic that is suggested for a document."""

    node_id: UUID

    path: str

    confidence: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A document whose topic waits for a person."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    document_id: UUID

    kind: str
    """What the document is, as of a hit: `page`, `row`, `file` …"""

    title: str

    url: str | None

    node_id: UUID
    """The topic that is suggested first."""

    path: str

    origin: Origin
    """How it was found: by a `rule`, or as the `nearest` in meaning; `default` in place of a path that is not there;
    `given` and `person` where a new version of the taxonomy asks again."""

    rule: str | None
    """The name of the rule that found it."""

    reason: str | None
    """Why a person is asked, where a new version of the taxonomy is it."""

    confidence: float
    """From 0 to 1. Of what is nearest it is a probability only where enough decisions were made."""

    alternatives: list[SuggestedTopic]
    """What else is suggested, the surest first."""

    shown: int
    """How often searches have shown the document in the last 30 days."""

    created_at: datetime
    """Since when it waits."""

    @classmethod
    def of(cls, row: QueueRow) -> Suggestion:
        """One of the queue."""
        return cls(
            row.document_id, row.kind, shown(row.title), safe_address(row.url), row.node_id,
            shown(spell_path(row.path)), row.origin, row.rule and shown(row.rule), row.reason and shown(row.reason),  # type: ignore[arg-type]
            row.confidence,
            [SuggestedTopic(each.node_id, shown(spell_path(each.path)), each.confidence) for each in row.alternatives],
            row.shown, row.created_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    """What waits for a person: first what searches show most, then what is least sure, then what waits longest."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    version: str
    """Of the taxonomy."""

    waiting: int | None
    """Documents that wait in all; null: the key may find some of the documents alone."""

    suggestions: list[Suggestion]

    cursor: str | None
    """For what follows: `cursor` of the next request, with the same filters. None where nothing does."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A person's word on a topic of a document. It holds in all versions, and no machine says otherwise."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    document_id: UUID

    node_id: UUID
    """The topic that was suggested."""

    verdict: Literal["accepted", "rejected"]
    """What was said of it; with another one in its place it is `rejected`."""

    accepted: UUID | None
    """The topic that the document has by this; null: none."""

    path: str
    """Of that, or of the one that was rejected."""

    decided_at: datetime

    @classmethod
    def of(cls, decision: Decision) -> Decided:
        """What was written."""
        return cls(
            decision.document_id, decision.node_id, decision.verdict, decision.accepted,
            shown(spell_path(decision.path)), decision.at,
        )  # fmt: skip
