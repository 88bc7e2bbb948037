"""The stage `document_content`: what was read becomes versions, places and references."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arcana_pipelines.db.deadlocks import again_after_deadlock
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.storable import each_alone
from arcana_pipelines.documents.read_page import ReadPage
from arcana_pipelines.documents.versions import put_in_place, store_file_versions, store_versions
from arcana_pipelines.errors import PageTooLarge
from arcana_pipelines.ledger import files, generations, pages
from arcana_pipelines.ledger.counters import Counters
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.markdown.version import NORMALISER_VERSION
from arcana_pipelines.pipeline.document_chunks import stage_pages
from arcana_pipelines.pipeline.lookups import lookups_noted
from arcana_pipelines.pipeline.processes import made_in_processes
from arcana_pipelines.taxonomy import by_properties
from arcana_pipelines.tickets.records import store_records

if TYPE_CHECKING:
    from arcana_pipelines.documents.contents import Contents

log = logging.getLogger(__name__)

BATCH = 200
# Each slice has some commits of its own, so none at the end has fewer pages.
SMALLEST_SLICE = 50
# Files, whose texts may be megabytes each.
FILE_BATCH = 20


@dataclass(frozen=True, slots=True)
class ContentReport:
    """What became of the pages that were read.

    Attributes:
        processed: pages whose content is stored.
        versions: versions that these made; a page that reads as before makes none.
        failed: pages that cannot be processed or stored.
        files: files that something was found out about.
        versions_of_files: versions that these made.
    """

    processed: int
    versions: int
    failed: int
    files: int = 0
    versions_of_files: int = 0


def process_contents(connection: Connection, generation: Generation, processes: int = 1) -> ContentReport:
    """Turn every fetched page into its document's latest content. Each batch is one transaction.

    So many processes at once normalise them, where they are many.
    """
    # A new normaliser processes every body that is held again; nothing is read from the source.
    with connection.transaction():
        pages.mark_outdated(connection, generation.workspace_id, NORMALISER_VERSION)
    processed = versions = failed = 0
    batches = (_given(connection, generation, rows) for rows in pages.to_process(connection, generation, BATCH))
    for made in made_in_processes(_make, batches, processes):
        did = _keep(connection, generation, made)
        processed, versions, failed = processed + did.processed, versions + did.versions, failed + did.failed
    before = generations.counters_before(connection, generation)
    of_files = versions_of_files = 0
    state = files.state_of(connection, generation.workspace_id).state
    # A file that is gone makes no version, and its relations go all the same.
    are_others = state != before.files_made
    if are_others:
        of_files, versions_of_files = _process_files(connection, generation)
        state = files.state_of(connection, generation.workspace_id).state
    # A run that ended before it had put its documents in place has left that to this one; what made documents while
    # pages were read has, too.
    now = generations.counters(connection, generation)
    is_left = before.versions is None or now.versions is not None
    with connection.transaction():
        if processed or are_others or is_left or now.removed:
            put_in_place(connection, generation.workspace_id)
        _count(connection, generation, versions + versions_of_files)
        generations.merge_counters(connection, generation, Counters(files_made=state))
    return ContentReport(processed, versions, failed, of_files, versions_of_files)


def _process_files(connection: Connection, generation: Generation) -> tuple[int, int]:
    """Give each file the version that its reading makes; returns how many were looked at, and their new versions."""
    from arcana_pipelines.documents.file_contents import make_file_contents

    processed = versions = 0
    for rows in files.to_process(connection, generation.workspace_id, FILE_BATCH):
        made = [(row, make_file_contents(row)) for row in rows]
        with connection.transaction():
            versions += store_file_versions(connection, generation.workspace_id, made)
        processed += len(made)
    return processed, versions


def process_slice(
    connection: Connection, generation: Generation, limit: int, *, is_end: bool = False, last_first: bool = False
) -> ContentReport:
    """The same for at most `limit` of the pages that this generation has read so far, those read first, or last.

    They are cut, too, in the same transaction. Two processes may do that at once, from both ends, and another may read
    pages again meanwhile: what one of them takes, or has taken since, the others leave. Where all is read (`is_end`)
    slices get smaller, so that both processes end at once. The documents are still to be put in place
    (`place_documents`).
    """
    if is_end:
        limit = min(limit, max(SMALLEST_SLICE, pages.count_just_read(connection, generation) // 3))
    rows = pages.just_read(connection, generation, limit, last_first=last_first)
    made = _make(_given(connection, generation, rows))
    with lookups_noted(connection, generation), connection.transaction():
        mine = made.of(pages.still_so(connection, generation, rows))
        did = _keep(connection, generation, mine)
        if did.processed:
            stage_pages(connection, generation.workspace_id, list(mine.contents))
            # Last, for the other process waits to count its own.
            _count(connection, generation, did.versions)
    return did


@again_after_deadlock
def place_documents(connection: Connection, generation: Generation) -> None:
    """Put all documents in place, in one transaction, while other processes may store more."""
    with connection.transaction():
        put_in_place(connection, generation.workspace_id)


def _count(connection: Connection, generation: Generation, versions: int) -> None:
    """Note versions, besides those that were made while pages were still being read."""
    before = generations.counters(connection, generation, to_add=True).versions or 0
    generations.merge_counters(connection, generation, Counters(versions=before + versions))


@dataclass(frozen=True, slots=True)
class _Given:
    """Pages, and the titles of those that their properties name."""

    rows: list[ReadPage]
    titles: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Made:
    """Contents by external id, and why the others have none."""

    contents: dict[str, Contents]
    failures: dict[str, str]

    def of(self, some: Collection[str]) -> _Made:
        """Of these pages alone."""
        contents = {page: made for page, made in self.contents.items() if page in some}
        return _Made(contents, {page: reason for page, reason in self.failures.items() if page in some})


def _given(connection: Connection, generation: Generation, rows: list[ReadPage]) -> _Given:
    from arcana_pipelines.documents.contents import relation_targets

    targets = {target for row in rows for value in row["properties"].values() for target in relation_targets(value)}
    return _Given(rows, pages.titles_of(connection, generation.workspace_id, targets))


def _make(given: _Given) -> _Made:
    # A sync without news has nothing to read Markdown for.
    from arcana_pipelines.documents.contents import make_contents

    made = _Made({}, {})
    for row in given.rows:
        try:
            made.contents[row["external_id"]] = make_contents(row, given.titles)
        except PageTooLarge as error:
            made.failures[row["external_id"]] = str(error)
        except Exception as error:  # the edge of a page: one that cannot be processed delays no other
            log.exception("page %s cannot be processed", row["external_id"])
            made.failures[row["external_id"]] = f"cannot be processed: {type(error).__name__}: {error}"
    return made


@again_after_deadlock
def _keep(connection: Connection, generation: Generation, made: _Made) -> ContentReport:
    """Store what was made of a batch, in one transaction."""
    with connection.transaction():
        versions, refused = _store(connection, generation, made.contents)
        failures = made.failures | refused
        if failures:
            pages.store_failed(connection, generation, failures, taken_up=False)
    return ContentReport(len(made.contents) - len(refused), versions, len(failures))


def _store(connection: Connection, generation: Generation, contents: dict[str, Contents]) -> tuple[int, dict[str, str]]:
    """Returns how many versions that made, and the pages that cannot be stored, with the reason."""
    versions = 0
    failures: dict[str, str] = {}

    def write(part: Sequence[tuple[str, Contents]]) -> None:
        nonlocal versions
        pages = [page for page, _ in part]
        # Before documents are locked: who promotes a version locks that first, too.
        topics = by_properties.hold(connection, generation.workspace_id)
        versions += store_versions(connection, generation.workspace_id, dict(part))
        failures.update(store_records(connection, generation.workspace_id, pages))
        if topics is not None:
            by_properties.give_by_properties(connection, topics, pages)

    refused = each_alone(connection, list(contents.items()), write)
    return versions, failures | {external_id: reason for (external_id, _), reason in refused}
