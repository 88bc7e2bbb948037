"""What an import, a promotion or a rollback of a taxonomy has done, by count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from arcana_pipelines.taxonomy.carry import Carried
from arcana_pipelines.taxonomy.nodes import Node
from arcana_pipelines.taxonomy.texts import TextCounts


@dataclass(frozen=True, slots=True)
class DraftReport:
    """What an import has made.

    Attributes:
        based_on: the version that it is compared with; None: there is none.
        nodes: how many it has.
        changes: how many there are of each kind.
        missing: nodes of the version before that are neither there nor explained. Promoting wants a word about them.
        notes: what was given and says nothing, a sentence each.
        texts: topics that say other things of themselves than before.
        is_same: nothing at all is other than in the version before.
    """

    version: str
    based_on: str | None
    nodes: int
    changes: dict[str, int]
    missing: list[Node]
    notes: list[str]
    texts: TextCounts = field(default_factory=TextCounts)
    is_same: bool = False


@dataclass(frozen=True, slots=True)
class PromotionReport:
    """What a promotion does, in nodes and then in assignments.

    Attributes:
        before: the version that was active; None: none was.
        is_dry: nothing was done; the numbers are those of now.
        missing: nodes of the version before of which nobody said what becomes of them.
        refused: of a dry run: why the promotion would be refused, as it was asked; None: it would not.
        rules: rules that there are.
        rules_resting: the names of those that rest in the version: it does not have their topic, nor one in its place.
        texts_lost: nodes that lose their definition, their synonyms, or names in other languages.
        texts_changed: nodes of which one of these is another, or is new.
        assignments: of the version before; what became of each is one of the next six (see `Carried`).
        suggestions, persons_ended, documents, documents_without, documents_asked, after: see `Carried`.
    """

    version: str
    before: str | None
    is_dry: bool
    same: int
    added: int
    renamed: int
    moved: int
    merged: int
    split: int
    retired: int
    missing: int
    refused: str | None = None
    rules: int = 0
    rules_resting: Sequence[str] = ()
    texts_lost: int = 0
    texts_changed: int = 0
    assignments: int = 0
    carried: int = 0
    merged_into: int = 0
    queued: int = 0
    decided: int = 0
    ended: int = 0
    dropped: int = 0
    suggestions: Mapping[str, int] = field(default_factory=dict)
    persons_ended: int = 0
    documents: int = 0
    documents_without: int = 0
    documents_asked: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class RollbackReport:
    """What a rollback has done.

    Attributes:
        version: the active one now.
        before: the one that was.
        carried: assignments made meanwhile, or as they were, of nodes that both have.
        left: assignments made meanwhile of nodes that the earlier version does not have. They stay in the other.
        documents_without: documents that had a topic and have none now.
    """

    version: str
    before: str
    carried: int
    left: int
    documents_without: int


def with_carried(report: PromotionReport, carried: Carried) -> PromotionReport:
    """The report of a promotion with what became of the assignments."""
    told = asdict(carried)
    return replace(report, **{name: value for name, value in told.items() if name not in ("written", "removed")})


def details(report: PromotionReport | RollbackReport) -> dict[str, object]:
    """The numbers that are not nothing, for the log."""
    return {name: value for name, value in asdict(report).items() if value and name != "version"}
