"""What a sync did and what the indexes hold, for people and checks to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import builds_of
from arcana_pipelines.indexes.not_serving import why_not_serving
from arcana_pipelines.ledger import files, generations, pages
from arcana_pipelines.ledger.counters import ChunkCounts, EmbeddingCounts, FileWork, PageCounts
from arcana_pipelines.ledger.files import FileCount, files_in
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.ledger.pages import PartialPages
from arcana_pipelines.sources.protocol import Traffic
from arcana_pipelines.workspaces.workspaces import Workspace

load_sql = statements_beside(__file__)

MOST_CHANGES = 20
# Pages are indexed some at a time: where more of them wait, it is not for the next ones to be read.
MOST_BEHIND = 100


@dataclass(frozen=True, slots=True)
class ServedIndex:
    """An index's own counts beside what is really there.

    Attributes:
        name: of the index.
        embedding_model: of the build that serves.
        dimensions: numbers a vector.
        object_count: documents, as the index says.
        vector_count: chunks, as the index says.
        updated: when these counts were last written; aware.
        documents: documents that a search can reach, counted now.
        chunks: chunks that a search can reach, counted now.
    """

    name: str
    embedding_model: str
    dimensions: int
    object_count: int
    vector_count: int
    updated: datetime
    documents: int
    chunks: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "updated": self.updated.isoformat()}


def served_counts(connection: Connection, workspace_id: UUID) -> list[ServedIndex]:
    """Every index of a workspace with its counts and a fresh count of what a search can reach."""
    return query.rows(connection, ServedIndex, load_sql("served_counts"), {"workspace_id": workspace_id})


def counts_agree(indexes: Sequence[ServedIndex]) -> bool:
    """True when every index's counts are what is there."""
    return all(index.object_count == index.documents and index.vector_count == index.chunks for index in indexes)


@dataclass(frozen=True, slots=True)
class Change:
    """A page that a generation added, updated or could not read.

    Attributes:
        what: `added`, `updated` or `quarantined`.
        title: as it was listed; it may be empty.
        url: where the source shows the page; None where it has no address.
        note: why it is in quarantine, in words; else empty.
    """

    what: str
    title: str
    url: str | None
    note: str


def recent_changes(connection: Connection, generation: Generation) -> list[Change]:
    """What the generation added, changed or could not read: `MOST_CHANGES` of it, and one more where there is more."""
    return query.rows(connection, Change, load_sql("recent_changes"), {**generation.params, "limit": MOST_CHANGES + 1})


@dataclass(frozen=True, slots=True)
class NotServing:
    """A build that is being made, and what keeps it from serving.

    Attributes:
        index: the name of its index.
        build: its number (`rag_index_build_id`).
        reasons: one sentence each, for people.
    """

    index: str
    build: int
    reasons: list[str]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def builds_not_serving(connection: Connection, workspace_id: UUID) -> list[NotServing]:
    """Builds that are being made, with what keeps each from serving."""
    return [
        NotServing(build.index_name, build.rag_index_build_id, reasons)
        for build in builds_of(connection, workspace_id)
        if (reasons := why_not_serving(connection, build))
    ]


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did, as `arcana sync` tells it.

    Attributes:
        workspace: its slug.
        generation: the number of the sync.
        mode: `incremental`, `full` or `audit`.
        listing_complete: the source listed everything that it was asked for.
        pages: what became of the pages.
        removed: pages that are proven gone.
        chunks: what was published and taken out.
        embeddings: what was computed and what it cost.
        traffic: what was asked of the source; zeros where nothing is asked of it (files).
        partial: pages that are known to be incomplete in the index.
        problems: why the listing is not complete, in words.
        waiting_removals: pages whose removal waits for a person.
        builds_not_serving: builds that are being made.
        file_work: what was fetched and read of files.
        files: the files of the workspace, by state and reason.
    """

    workspace: str
    generation: int
    mode: str
    listing_complete: bool
    pages: PageCounts
    removed: int
    chunks: ChunkCounts
    embeddings: EmbeddingCounts
    traffic: Traffic
    partial: PartialPages
    problems: list[str]
    waiting_removals: int
    builds_not_serving: list[NotServing]
    file_work: FileWork = field(default_factory=FileWork)
    files: Sequence[FileCount] = ()

    @property
    def has_unread_pages(self) -> bool:
        """True when the source, or a page of it, could not be read as it should."""
        return not self.listing_complete or bool(self.pages.quarantined or self.pages.pending or self.pages.read)

    @property
    def is_incomplete(self) -> bool:
        """True when the sync ended but left something out: exit code 3."""
        left = files_in(self.files, "pending", "stored", "quarantined")
        return self.has_unread_pages or bool(left or self.waiting_removals or self.embeddings.waiting)

    def pages_as_dict(self) -> dict[str, int]:
        """JSON-ready counts of pages."""
        return {**self.pages.as_dict(), "removed": self.removed}

    def as_dict(self) -> dict[str, Any]:
        """The JSON that `arcana sync` prints, without seconds and run id."""
        report: dict[str, Any] = {
            "workspace": self.workspace,
            "generation": self.generation,
            "mode": self.mode,
            "listing_complete": self.listing_complete,
            "pages": self.pages_as_dict(),
            "chunks": asdict(self.chunks),
            "embeddings": self.embeddings.as_dict(),
            "notion": asdict(self.traffic),
            "partial": self.partial.as_dict(),
        }
        if self.files:
            states = ("pending", "stored", "parsed", "skipped", "quarantined")
            report["files"] = {**asdict(self.file_work), **{state: files_in(self.files, state) for state in states}}
        if self.problems:
            report["problems"] = self.problems
        if self.waiting_removals:
            report["waiting_removals"] = self.waiting_removals
        if self.builds_not_serving:
            report["builds_not_serving"] = [build.as_dict() for build in self.builds_not_serving]
        return report


def sync_report(connection: Connection, workspace: Workspace, generation: Generation) -> SyncReport:
    """What a sync did, read from what its stages have noted."""
    ended = query.one(
        connection,
        _Ended,
        "SELECT coalesce(listing_complete, false) AS listing_complete, problems FROM sync_generation "
        "WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s",
        generation.params,
    )
    noted = generations.counters(connection, generation)
    return SyncReport(
        workspace=workspace.slug,
        generation=generation.number,
        mode=str(generation.mode),
        listing_complete=ended.listing_complete,
        pages=noted.pages or generations.counts(connection, generation),
        removed=noted.removed or 0,
        chunks=noted.chunks or ChunkCounts(),
        embeddings=noted.embeddings or EmbeddingCounts(),
        traffic=noted.notion or Traffic(),
        partial=pages.partial_pages(connection, workspace.workspace_id),
        problems=ended.problems or [],
        waiting_removals=noted.waiting_removals or 0,
        builds_not_serving=builds_not_serving(connection, workspace.workspace_id),
        file_work=noted.files or FileWork(),
        files=files.counts(connection, workspace.workspace_id),
    )


def removal_command(slug: str, mode: str, pages: int) -> str:
    """The command that lets so many pages be removed, which are gone from the source."""
    return f"arcana sync {slug} --mode {mode} --allow-removals {pages}"


@dataclass(frozen=True, slots=True)
class _Ended:
    listing_complete: bool
    problems: list[str] | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sync is. Counted over the workspace as it is now, not over what this sync did.

    Attributes:
        listed: pages that the ledger holds, without databases and removed ones.
        pending: pages that are still to be read.
        chunks: staged chunks: those that are not published yet.
        embedded: how many of these have their embedding in the store.
        served: documents that are served, in all indexes of the workspace together.
        is_indexing: the index over the vectors is being made, which may take minutes.
        passages: those that have no vector yet.
        behind: pages that were read and cannot be found yet in their newest version.
    """

    listed: int
    pending: int
    chunks: int
    embedded: int
    served: int
    is_indexing: bool
    passages: int = 0
    behind: int = 0

    @property
    def limited_by(self) -> Literal["reading", "indexing"] | None:
        """What the sync waits for, while it reads: the source, or the cutting, embedding and publishing behind it."""
        if not self.pending:
            return None
        return "indexing" if self.behind > MOST_BEHIND else "reading"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "limited_by": self.limited_by}


def progress_of(connection: Connection, workspace_id: UUID) -> Progress:
    """What a sync that runs now has done so far."""
    row = connection.execute(load_sql("progress"), {"workspace_id": workspace_id}).fetchone()
    assert row is not None
    return Progress(*row)
