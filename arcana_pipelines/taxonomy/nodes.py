"""What a taxonomy is made of: nodes, rows that an import gives, and what has changed between two versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from uuid import UUID

from arcana_pipelines.taxonomy.labels import Path

# `gone`: only where two versions are compared, of which nobody said what became of it.
Kind = Literal["add", "rename", "move", "merge", "split", "retire", "gone"]
# Another node, by its path or its node id.
Named: TypeAlias = Path | UUID


@dataclass(frozen=True, slots=True)
class Node:
    """A topic in one version.

    Attributes:
        node_id: of the concept: the same in every version, whatever it is called and wherever it stands.
        path: the labels from the root to this one.
        labels: in other languages, by their tags: `{"ko": "검색"}`.
        external_ref: what it is called where it was imported from; an import finds it again by that.
        confidence: of the node itself: 1 where people made it.
        lft: its place when the tree is walked from the top, from 1.
        rgt: the place of the last node below it; its own where there is none.
    """

    node_id: UUID
    parent_id: UUID | None
    label: str
    path: Path
    definition: str | None = None
    synonyms: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    external_ref: str | None = None
    confidence: float = 1.0
    lft: int | None = None
    rgt: int | None = None


@dataclass(frozen=True, slots=True)
class GivenNode:
    """A row of an import: a node that is to be there, or one that goes.

    Attributes:
        path: where it is to stand. With `parent`, its last label alone counts. Of one that goes, where it stands now.
        node_id: of the node that it is; without it, it is found by `external_ref`, then by its path.
        parent: the row above, by its node id or `external_ref`.
        replaces: nodes of the version before that go, and what is assigned to them is this one's from now on. Two that
            replace the same one split it. A new one that alone replaces one alone is that one, renamed or moved.
        retired: it goes. What is assigned to it is suggested to people for `replaced_by`, else for what is above it.
        replaced_by: it goes, and these take its place. Not retired: what is assigned to it is theirs without a question
            where it is one.
        says: which of its texts the row says, empty or not: `definition`, `synonyms`, `confidence`, `labels` (in all
            languages), `label@ko`. What it does not say stays as it was in the version before. None: it says all.
        at: which row this is, for people: `line 7`.
    """

    path: Path
    node_id: UUID | None = None
    external_ref: str | None = None
    definition: str | None = None
    synonyms: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 1.0
    replaces: tuple[Named, ...] = ()
    retired: bool = False
    replaced_by: tuple[Named, ...] = ()
    parent: UUID | str | None = None
    says: frozenset[str] | None = None
    at: str = ""

    @property
    def goes(self) -> bool:
        """Whether it is not to be there any more."""
        return self.retired or bool(self.replaced_by)


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a node. A node that is renamed and moved has two.

    Attributes:
        from_node: in the version before; None: it was not there.
        to_node: in the version after; None: nothing took its place.
        from_path: of `from_node`, in the version before.
        to_path: of `to_node`, in the version after.
    """

    kind: Kind
    from_node: UUID | None
    to_node: UUID | None
    from_path: Path | None
    to_path: Path | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A tree that an import makes.

    Attributes:
        nodes: from the top, each behind what is above it.
        changes: against the version before.
        missing: nodes of the version before that are neither there nor explained.
        notes: what was given and says nothing, a sentence each.
    """

    nodes: list[Node]
    changes: list[Change]
    missing: list[Node]
    notes: list[str]
