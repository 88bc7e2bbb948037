"""How far the filling of a workspace's builds is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
        number: of the build.
        ann: the kind of index that its vectors are to get.
        indexed: the share of them that is in an HNSW index which is being made; one of lists does not tell.
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
    number: int = 0
    ann: str = "auto"
    indexed: float = 0.0

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


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted of a build in milliseconds: as `Filling` has it, and of its passages whether any wait.

    Attributes:
        passages_of_a_chunk: how many a staged one has, by a sample.
    """

    number: int
    state: str
    cut: int
    chunks: int
    has_passages: bool
    passages_of_a_chunk: float
    documents: int
    served: int
    has_words: bool
    is_verified: bool
    indexed: float


def followed(connection: Connection, workspace_id: UUID, known: Sequence[Filling]) -> list[Filling]:
    """The `known` builds as far as they are now by `Counts`; the rest is reckoned, and counted the next time."""
    before = {build.number: build for build in known}
    parameters = {"workspace_id": workspace_id, "sample": SAMPLE}
    counts = query.rows(connection, Counts, load_sql("filling_counts"), parameters)
    return [_reckoned(before[now.number], now) for now in counts if now.number in before]


def _reckoned(known: Filling, now: Counts) -> Filling:
    come = now.cut + now.documents - known.cut - known.documents
    # What is published was embedded before, all of it.
    grown = now.chunks / known.chunks if known.chunks and now.documents <= known.documents else 0.0
    return replace(
        known,
        state=now.state,
        uncut=min(known.uncut, max(0, known.uncut - come)),
        cut=now.cut,
        chunks=now.chunks,
        unembedded=round(known.unembedded * grown),
        passages=max(1, round(now.chunks * now.passages_of_a_chunk)) if now.has_passages else 0,
        new_passages=round(known.new_passages * grown) if now.has_passages else 0,
        documents=now.documents,
        served=now.served,
        has_words=now.has_words,
        is_verified=now.is_verified,
        indexed=now.indexed,
    )
