"""How far the filling of a workspace's builds is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

# Passages, and chunks while documents are cut, that are looked up, to tell which part of all has a vector.
SAMPLE = 500


class Step(StrEnum):
    """What a build is given next, in this order."""

    CUTTING = "cutting"
    EMBEDDING = "embedding"
    PUBLISHING = "publishing"
    WORDS = "indexing the words"
    VECTORS = "making the index of the vectors"
    VERIFYING = "verifying"
    FINISHING = "finishing"


@dataclass(frozen=True, slots=True)
class Filling:
    """How far one build is.

    Attributes:
        state: of the build: `active`, `verifying` or `building`.
        model: that its texts are embedded with.
        dimensions: numbers a vector.
        uncut: documents that it neither serves nor has staged in their latest version.
        cut: documents that are staged.
        chunks: chunks that are staged.
        unembedded: how many of these are still to be embedded: not those that a provider refused, or has in a batch; by
            a sample while documents are cut.
        passages: staged passages.
        new_passages: how many of these no other build has, by a sample.
        documents: those that it serves.
        served: their chunks.
        has_words: its words are counted and indexed.
        is_verified: it was verified before.
    """

    state: str
    model: str
    dimensions: int
    uncut: int
    cut: int
    chunks: int
    unembedded: int
    passages: int
    new_passages: int
    documents: int
    served: int
    has_words: bool
    is_verified: bool

    @property
    def step(self) -> Step:
        """What it is given next."""
        if self.uncut:
            return Step.CUTTING
        if self.unembedded or self.passages:
            return Step.EMBEDDING
        if self.cut:
            return Step.PUBLISHING
        if not self.has_words and self.served:
            return Step.WORDS
        if self.state == "building":
            return Step.VECTORS
        return Step.VERIFYING if self.state == "verifying" and not self.is_verified else Step.FINISHING


def fillings(connection: Connection, workspace_id: UUID) -> list[Filling]:
    """Every build of a workspace that a run fills, those that serve first."""
    return query.rows(connection, Filling, load_sql("filling"), {"workspace_id": workspace_id, "sample": SAMPLE})
