"""What a sync is: eight stages over one workspace, in this order.

Each stage is a function of a session and of what the run is for, and can be called alone, in a process of its own:
stages hand each other nothing but the database. Dagster's assets call one each, the command line runs Dagster's job,
tests and benchmarks call `sync`. What belongs to a stage besides its own work stands here, so that it is the same
wherever it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from arcana_pipelines.classification.classify import ClassificationReport
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.errors import BudgetReached, CredentialUnreadable, MissingToken, SourceError
from arcana_pipelines.indexes.builds import Build, builds_of
from arcana_pipelines.indexes.lifecycle import builds_to_drop, drop_builds
from arcana_pipelines.indexes.targets.pgvector.publish import PublishReport
from arcana_pipelines.ledger import generations, pages
from arcana_pipelines.ledger.counters import EmbeddingCounts, PageCounts
from arcana_pipelines.ledger.freshness import Freshness, freshness
from arcana_pipelines.ledger.pages import PartialPages
from arcana_pipelines.ledger.purge import purge
from arcana_pipelines.observing.traces import traced
from arcana_pipelines.operations.reports import (
    Change,
    ServedIndex,
    SyncReport,
    recent_changes,
    served_counts,
    sync_report,
)
from arcana_pipelines.operations.usage import MonthlyUsage, usage_by_month
from arcana_pipelines.pipeline.chunk_embeddings.missing import embed_missing
from arcana_pipelines.pipeline.doc_taxonomy import classify_documents
from arcana_pipelines.pipeline.document_chunks import ChunkReport, stage_chunks
from arcana_pipelines.pipeline.document_content import ContentReport, process_contents
from arcana_pipelines.pipeline.document_files import FilesReport, sync_files
from arcana_pipelines.pipeline.follow import following, may_follow
from arcana_pipelines.pipeline.follower import Slice
from arcana_pipelines.pipeline.lookups import lookups_noted
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.rag_indexes import publish
from arcana_pipelines.pipeline.session import Session
from arcana_pipelines.pipeline.source_pages import PagesReport, sync_pages
from arcana_pipelines.pipeline.targets import SECONDS, TargetsReport, deliver_all
from arcana_pipelines.sources.protocol import Mode, Traffic

Parameters = ParamSpec("Parameters")
Report = TypeVar("Report")


def _stage(
    name: str,
) -> Callable[[Callable[Concatenate[Session, Parameters], Report]], Callable[Concatenate[Session, Parameters], Report]]:
    """A span around each call of a stage, and words for a database that ends the connection meanwhile: who opened the
    session need not be told of it (Dagster ends a resource after the step that failed).
    """

    def wrap(
        function: Callable[Concatenate[Session, Parameters], Report],
    ) -> Callable[Concatenate[Session, Parameters], Report]:
        @traced(name)
        @wraps(function)
        def told(session: Session, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Report:
            with session.database.telling_in_words(session.connection):
                return function(session, *args, **kwargs)

        return told

    return wrap


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What is asked of a run that reads the source.

    Attributes:
        mode: how much of the source is listed.
        purpose: `SYNC`; `RETRY` takes up what waits in quarantine first; `STAGE` embeds and publishes nothing.
        allow_removals: how many pages it may remove although they exceed the cap on mass removal.
        page: of a retry: the id of the one page to read again; None: all that wait in quarantine.
        read_seconds: how long pages are read; the next sync goes on from there. None: as long as it takes.
    """

    mode: Mode = Mode.INCREMENTAL
    purpose: Purpose = Purpose.SYNC
    allow_removals: int = 0
    page: str | None = None
    read_seconds: float | None = None


@traced("sync")
def sync(session: Session, request: SyncRequest) -> SyncReport:
    """Bring a workspace's index up to date with its source, and its targets with the index.

    Nothing more can be written in the session then (see `deliver_to_targets`).

    Raises:
        ArcanaError: see the stages. What they have committed is kept, and the next sync goes on from there.
    """
    read_pages(session, request)
    if request.purpose is not Purpose.STAGE:
        fetch_files(session)
    make_contents(session)
    cut_chunks(session, request.purpose)
    generation = session.generation  # the newest, until another run may begin one
    if request.purpose is not Purpose.STAGE:
        embed_chunks(session, request.purpose)
        publish_indexes(session, request.purpose)
        classify(session)
        deliver_to_targets(session)
    return sync_report(session.connection, session.workspace, generation)


@traced("fill")
def fill(session: Session) -> IndexesReport:
    """Fill, verify and, where they may serve, promote new builds. Reads nothing from the source."""
    cut_chunks(session, Purpose.FILL)
    embed_chunks(session, Purpose.FILL)
    report = publish_indexes(session, Purpose.FILL)
    deliver_to_targets(session)
    return report


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What the first stage did, and how the ledger is now.

    Attributes:
        did: what this listing found and did.
        indexed: what was indexed while pages were read.
        counts: what became of the pages so far.
        traffic: what was asked of the source; None: nothing is asked of it.
        unknown_types: on how many pages each type stands that we do not know.
        partial: pages that are known to be incomplete.
        freshness: up to when what happened in the source would have been seen.
    """

    did: PagesReport
    indexed: Slice
    counts: PageCounts
    traffic: Traffic | None
    unknown_types: dict[str, int]
    partial: PartialPages
    freshness: Freshness

    @property
    def is_balanced(self) -> bool:
        """True when every page that was listed is accounted for."""
        return self.did.listed == self.counts.enumerated and self.counts.is_balanced


@_stage("read pages")
def read_pages(
    session: Session, request: SyncRequest, tell: Callable[[Slice], None] = lambda did: None
) -> SourceReport:
    """The stage `notion_pages` or `support_tickets`: list the source, read what is stale, prove what is gone.

    What takes long to read is indexed meanwhile, in another process of the run; `tell` hears of each slice. Full and
    audit syncs then forget what was removed longer ago than `retention_days`.

    Raises:
        WrongUse: a retry names a page that the workspace does not hold.
        UnknownWorkspace: it was removed meanwhile.
        ArcanaError: see `sync_pages`.
    """
    connection, workspace_id = session.connection, session.workspace.workspace_id
    if request.purpose is Purpose.RETRY:
        pages.release(connection, workspace_id, request.page)
    is_estimate = request.purpose is Purpose.STAGE
    follows = not is_estimate and may_follow(session)
    with _problem_noted(session), following(session, tell) as follower:
        did = sync_pages(
            connection,
            session.workspace,
            session.source,
            request.mode,
            allow_removals=request.allow_removals,
            concurrency=session.settings.max_concurrent_requests,
            run=session.lease.run,
            is_estimate=is_estimate,
            read_seconds=request.read_seconds,
            on_listed=follower.expect if follows else lambda left: None,
            on_read=follower.look if follows else lambda left: None,
        )
    # A removed workspace's rows are gone, and what finds none to write needs no lease: it would be read to its end.
    session.lease.require(connection)
    if did.mode != Mode.INCREMENTAL:
        # Not before the other process has ended: what it has cut may name what nothing named when the purge began.
        purge(connection, session.generation, session.settings.retention_days)
    return SourceReport(
        did,
        follower.did,
        generations.counts(connection, session.generation),
        session.source.traffic(),
        pages.unknown_types(connection, workspace_id),
        pages.partial_pages(connection, workspace_id),
        freshness(connection, workspace_id),
    )


@contextmanager
def _problem_noted(session: Session) -> Iterator[None]:
    """Write down why the source could not be read, for `arcana status`; the next answer of the source takes it away."""
    try:
        yield
    except (SourceError, MissingToken, CredentialUnreadable) as error:
        with session.connection.transaction():
            session.connection.execute(
                "UPDATE workspace SET poll_problem = %s WHERE workspace_id = %s",
                [str(error), session.workspace.workspace_id],
            )
        raise


@_stage("document_files")
def fetch_files(session: Session) -> FilesReport:
    """The stage `document_files`: fetch the files of pages, keep their bytes and read what they say.

    Raises:
        ArcanaError: see `sync_files`.
    """
    return sync_files(session)


@dataclass(frozen=True, slots=True)
class DocumentsReport:
    """What the second stage did, and what became of the sync's pages and documents.

    Attributes:
        did: what was processed.
        counts: what became of the pages.
        removed: pages that are proven gone.
        changes: some of what was added, updated or not read.
    """

    did: ContentReport
    counts: PageCounts
    removed: int
    changes: list[Change]


@_stage("document_content")
def make_contents(session: Session) -> DocumentsReport:
    """The stage `document_content`: what was read becomes versions, places and references."""
    connection, generation = session.connection, session.generation
    with lookups_noted(connection, generation):
        did = process_contents(connection, generation, session.processes)
    return DocumentsReport(
        did,
        generations.counts(connection, generation),
        generations.counters(connection, generation).removed or 0,
        recent_changes(connection, generation),
    )


@_stage("document_chunks")
def cut_chunks(session: Session, purpose: Purpose) -> ChunkReport:
    """The stage `document_chunks`: cut every content that a build neither serves nor has staged."""
    return stage_chunks(session.connection, session.workspace.workspace_id, purpose.fills_new_builds, session.processes)


@_stage("chunk_embeddings")
def embed_chunks(session: Session, purpose: Purpose) -> EmbeddingCounts:
    """The stage `chunk_embeddings`: embed the texts that the workspace never embedded before.

    Raises:
        BudgetReached: the month's limit. What is embedded is published, what is removed is taken out: neither waits
            for the next month.
        ArcanaError: see `embed_missing`.
    """
    generation = session.generation
    try:
        return embed_missing(
            session.connection,
            generation,
            session.open_embedder,
            session.settings.batch_size,
            PricingPolicy.of(session.settings),
            purpose.fills_new_builds,
        )
    except BudgetReached:
        publish(session.connection, generation, purpose.fills_new_builds)
        raise


@dataclass(frozen=True, slots=True)
class IndexesReport:
    """What the last stage did, and how the indexes are now.

    Attributes:
        did: what was published and taken out.
        served: each index with its own counts, and fresh ones.
        builds: all builds of the workspace.
        usage: what its embeddings cost in each month, the newest first.
    """

    did: PublishReport
    served: list[ServedIndex]
    builds: list[Build]
    usage: list[MonthlyUsage]


@_stage("rag_indexes")
def publish_indexes(session: Session, purpose: Purpose) -> IndexesReport:
    """The stage `rag_indexes`: publish what is embedded, take out what is removed, and advance the builds.

    Then the builds go that no rollback leads to any more.
    """
    connection, workspace_id = session.connection, session.workspace.workspace_id
    did = publish(connection, session.generation, purpose.fills_new_builds, session.gate)
    report = IndexesReport(
        did,
        served_counts(connection, workspace_id),
        builds_of(connection, workspace_id),
        usage_by_month(connection, workspace_id),
    )
    session.lease.require(connection)
    drop_builds(session.database, builds_to_drop(report.builds))
    return report


@_stage("doc_taxonomy")
def classify(session: Session) -> ClassificationReport:
    """The stage `doc_taxonomy`: find the topics of documents, where the workspace has a taxonomy."""
    return classify_documents(session)


@_stage("index_targets")
def deliver_to_targets(session: Session, seconds: float = SECONDS) -> TargetsReport:
    """The stage `index_targets`: tell the copies in other stores what is published (see `deliver_all`).

    The workspace is let go first: a store that is slow keeps no other run waiting. So nothing more can be written in
    this session, only read.
    """
    session.lease.let_go()
    return deliver_all(session.database, session.workspace.workspace_id, seconds)
