"""A sync of a workspace where there is nothing to do, without a run of Dagster's: it is over before one has begun."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import IO

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.ledger import files, generations
from arcana_pipelines.ledger.polling import poll
from arcana_pipelines.markdown.version import NORMALISER_VERSION
from arcana_pipelines.operations.reports import SyncReport
from arcana_pipelines.pipeline.document_files import reading_of
from arcana_pipelines.pipeline.session import Session, workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.sources.protocol import (
    FetchedPage,
    FileRef,
    Listing,
    Mode,
    PageRef,
    Presence,
    Shown,
    Source,
    Traffic,
)
from arcana_pipelines.sources.registry import open_source
from arcana_pipelines.workspaces.workspaces import Workspace

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# A longer listing is not kept.
MOST_KEPT = 10_000


def quiet_sync(database: Database, slug: str, run: str) -> SyncReport | None:
    """Sync a workspace if its source shows nothing new and no earlier sync has left anything to do; None where not.

    The sync is the same as any other, with the same five stages, lease and generation, and asks the source no more: its
    listing is the one that was looked at. Where there is something to do, or the look fails, nothing has been written,
    and a run is to do, and to show, all of it.

    Args:
        run: the id of the run that has the lease meanwhile.
    """
    with workspace_session(database, slug, run=run, open_source=_open) as session:
        return sync(session, SyncRequest()) if _is_quiet(session) else None


def _open(workspace: Workspace, database: Database) -> Source:
    source = partial(open_source, hurried=True)  # a run waits for a source that is slow or asks for a pause
    return _ListedOnce(
        source(workspace.platform, workspace.source_config, workspace.credential_ref, workspace.slug, database)
    )


def _is_quiet(session: Session) -> bool:
    """Whether a sync would find nothing to do."""
    workspace = session.workspace
    if workspace.generation == 0 or workspace.source_cursor is None:
        return False
    left = {"workspace_id": workspace.workspace_id, "normaliser": NORMALISER_VERSION}
    if scalar(session.connection, load_sql("stages_left"), left):
        return False
    read = generations.counters(session.connection, session.generation).files_reading
    if read is not None and read != reading_of(session.settings):
        return False
    try:
        source = session.source
        # Whose token a new one is, is for a run to find out.
        if source.credential() != workspace.credential_hash or poll(session.database, workspace, source, True).needed:
            return False
    except ArcanaError as error:
        log.info("workspace '%s' could not be looked at: %s", workspace.slug, error)
        return False
    if source.capabilities.lists_files and files.has_unknown(session.connection, workspace.workspace_id):
        return False
    assert isinstance(source, _ListedOnce)
    return source.is_whole


class _ListedOnce(Source):
    """A source whose listing, once it was read to its end, is given again instead of asked for again."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.capabilities = source.capabilities
        self._kept: Listing | None = None
        self._batches: list[Sequence[PageRef]] = []
        self.is_whole = True  # as far as it was listed

    def enumerate(
        self, mode: Mode, cursor: str | None, is_unchanged: Callable[[Sequence[PageRef]], Sequence[bool]]
    ) -> Listing:
        """See `Source.enumerate`."""
        if self._kept is not None:
            return replace(self._kept, batches=iter(self._batches), problems=list(self._kept.problems))
        listing = self._source.enumerate(mode, cursor, is_unchanged)
        listing.batches = self._keeping(listing, listing.batches)
        self.is_whole = False
        return listing

    def _keeping(self, listing: Listing, batches: Iterator[Sequence[PageRef]]) -> Iterator[Sequence[PageRef]]:
        for batch in batches:
            self._batches.append(batch)
            yield batch
        if listing.complete and sum(map(len, self._batches)) <= MOST_KEPT:
            self._kept, self.is_whole = listing, True

    def credential(self) -> str | None:
        """See `Source.credential`."""
        return self._source.credential()

    def identity(self) -> str | None:
        """See `Source.identity`."""
        return self._source.identity()

    def fetch(self, ref: PageRef) -> FetchedPage:
        """See `Source.fetch`."""
        return self._source.fetch(ref)

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        """See `Source.download`."""
        self._source.download(file, target, most)

    def confirm(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """See `Source.confirm`."""
        return self._source.confirm(external_id)

    def container(self, external_id: str) -> tuple[Presence, PageRef | None]:
        """See `Source.container`."""
        return self._source.container(external_id)

    def sweep(self, container: str | None, place: str | None) -> Shown:
        """See `Source.sweep`."""
        return self._source.sweep(container, place)

    def unchanged_since(self, cursor: str | None) -> bool:
        """See `Source.unchanged_since`."""
        return self._source.unchanged_since(cursor)

    def traffic(self) -> Traffic | None:
        """See `Source.traffic`."""
        return self._source.traffic()

    def close(self) -> None:
        """See `Source.close`."""
        self._source.close()
