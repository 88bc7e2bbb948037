"""The stage `document_chunks`: cut what each build lacks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import Build, live_builds
from arcana_pipelines.pipeline.processes import made_in_processes
from arcana_pipelines.pipeline.uncut import uncut_batches

if TYPE_CHECKING:
    from arcana_pipelines.pipeline.cutting import Cut

load_sql = statements_beside(__file__)

# A planner that takes the stage for empty sorts all of it for every page of missing embeddings.
MANY = 1000


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """What the stage cut, in all live builds together.

    Attributes:
        contents: contents that were cut; one that two builds lack counts twice.
        chunks: those that they bring; what is served already stays.
    """

    contents: int
    chunks: int


def stage_chunks(connection: Connection, workspace_id: UUID, filling: bool = False, processes: int = 1) -> ChunkReport:
    """Stage every content that a live build does not serve, and what it brings; with `filling`, for new builds too.

    Each batch is one transaction. So many processes at once cut them, where they are many.
    """
    contents = chunks = 0
    for build in live_builds(connection, workspace_id, filling):
        unstage_outdated(connection, build)
        batches = uncut_batches(connection, workspace_id, build)
        if (first := next(batches, None)) is None:
            continue
        from arcana_pipelines.pipeline.cutting import cut_batch

        for cut in made_in_processes(cut_batch, itertools.chain([first], batches), processes):
            with connection.transaction():
                _stage(connection, workspace_id, build, cut)
            contents += len(cut.contents)
            chunks += len(cut.chunks)
    if chunks >= MANY:
        connection.execute("ANALYZE chunk_stage, content_stage")
    return ChunkReport(contents, chunks)


def stage_pages(connection: Connection, workspace_id: UUID, pages: Sequence[str]) -> None:
    """The same of some pages alone, in the caller's transaction, while another process may stage others."""
    for build in live_builds(connection, workspace_id):
        for batch in uncut_batches(connection, workspace_id, build, pages):
            from arcana_pipelines.pipeline.cutting import cut_batch

            _stage(connection, workspace_id, build, cut_batch(batch))


def is_staged(connection: Connection, builds: Sequence[Build]) -> bool:
    """Whether any of the builds has contents that were cut and are not published."""
    builds_asked = [build.rag_index_build_id for build in builds]
    statement = "SELECT EXISTS (SELECT FROM content_stage WHERE rag_index_build_id = ANY(%s))"
    return bool(scalar(connection, statement, [builds_asked]))


def unstage_outdated(connection: Connection, build: Build) -> None:
    """Take off the stage what is no longer wanted, or has to be cut again."""
    with connection.transaction():
        connection.execute(load_sql("chunks_outdated"), {"build": build.rag_index_build_id})


def _quarantine(connection: Connection, workspace_id: UUID, failures: dict[UUID, str]) -> None:
    """Only an edit or a person brings these pages back; what is served of them stays.

    Not one that was edited meanwhile, and whose text of now waits to be cut.
    """
    given = [list(failures), [reason.replace("\0", "") for reason in failures.values()], workspace_id]
    connection.execute(
        "UPDATE source_page p SET state = 'quarantined', outcome = NULL, reason = t.reason, "
        "next_attempt_at = CASE WHEN p.state = 'quarantined' THEN p.next_attempt_at END "
        "FROM unnest(%s::uuid[], %s::text[]) AS t(document_id, reason) "
        "WHERE p.workspace_id = %s AND p.document_id = t.document_id AND p.state IN ('unchanged', 'quarantined')",
        given,
    )
    connection.execute(
        "UPDATE source_file f SET state = 'quarantined', reason = t.reason, next_attempt_at = NULL "
        "FROM unnest(%s::uuid[], %s::text[]) AS t(document_id, reason) "
        "WHERE f.workspace_id = %s AND f.document_id = t.document_id AND f.state IN ('parsed', 'quarantined')",
        given,
    )


def _stage(connection: Connection, workspace_id: UUID, build: Build, cut: Cut) -> None:
    """Note the contents, their new chunks, the texts of passages without a vector, and the words as written.

    A word as written is what a typing error in a question may have meant. Passages and words are noted in their order:
    two processes that note the same do not wait for each other.
    """
    with connection.cursor().copy(
        "COPY content_stage (rag_index_build_id, document_content_id, chunk_ids, served_since, places) FROM STDIN"
    ) as copy:
        for content in cut.contents:
            copy.write_row((build.rag_index_build_id, *content))
    from arcana_pipelines.db import binary

    binary.copy(
        connection,
        "chunk_stage (rag_index_build_id, document_content_id, position, chunk_content, lead, heading_path, text_hash, "
        "token_count, terms, keys, heading_levels, passages)",
        cut.chunks,
    )
    if cut.passages:
        texts = {"hashes": list(cut.passages), "texts": list(cut.passages.values())}
        connection.execute(load_sql("stage_passages"), {"build": build.rag_index_build_id, **texts})
    connection.execute(
        "INSERT INTO index_word (rag_index_build_id, word) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING",
        [build.rag_index_build_id, sorted(cut.words)],
    )
    if cut.failures:
        _quarantine(connection, workspace_id, cut.failures)
