"""The stage `rag_indexes`: publish document by document, whole, keep the counts true, and tend the builds."""

from __future__ import annotations

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.indexes.builds import live_builds
from arcana_pipelines.indexes.lifecycle import Gate, advance_build
from arcana_pipelines.indexes.targets.pgvector.publish import PublishReport, publish_build
from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.counters import ChunkCounts, Counters
from arcana_pipelines.ledger.generations import Generation


def publish(
    connection: Connection,
    generation: Generation,
    filling: bool = False,
    gate: Gate = lambda build: [],
    *,
    finishes: bool = True,
) -> PublishReport:
    """Publish everything that is staged and embedded, and take out removed documents.

    Each batch is one transaction that moves chunks, the pointer to the served content and the index's counts
    together, so a reader sees a document's old version or its new one. Then each build gets what it needs by now
    (see `advance_build`, also for `gate`). With `filling`, new builds are filled too. That ends the generation, unless
    it goes on (`finishes`). A document that two builds publish is one.
    """
    published = retired = documents = 0
    for build in live_builds(connection, generation.workspace_id, filling):
        moved = publish_build(connection, build)
        published += moved.published
        retired += moved.retired
        documents = max(documents, moved.documents)
        advance_build(connection, build, gate)
    if not filling:
        with connection.transaction():
            before = generations.counters(connection, generation).chunks or ChunkCounts()
            chunks = before + ChunkCounts(retired, published)
            generations.merge_counters(connection, generation, Counters(chunks=chunks))
            if finishes:
                generations.finish(connection, generation)
    return PublishReport(published, retired, documents)
