"""The stage `rag_indexes`: publish document by document, whole, keep the counts true, and tend the builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.sql import load_sql
from arcana_pipelines.indexes.builds import Build, live_builds
from arcana_pipelines.indexes.lifecycle import Gate, tend
from arcana_pipelines.indexes.promotion import hold_index
from arcana_pipelines.indexes.targets.pgvector import ann, terms
from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.generations import Generation

# Documents that become visible together: small, so that a crash repeats little and locks are short.
BATCH = 500
# What PostgreSQL may hold of a batch before it writes parts of it to disk.
MEMORY = "64MB"


@dataclass(frozen=True, slots=True)
class PublishReport:
    """Chunks that became searchable and chunks that stopped being so, over all live builds."""

    published: int
    retired: int


def publish(
    connection: Connection, generation: Generation, filling: bool = False, gate: Gate = lambda build: []
) -> PublishReport:
    """Publish everything that is staged and embedded, and take out removed documents.

    Each batch is one transaction that moves chunks, the pointer to the served content and the index's counts
    together, so a reader sees a document's old version or its new one. Then each build gets what it needs by now
    (see `tend`, also for `gate`). With `filling`, new builds are filled too.
    """
    published = retired = 0
    for build in live_builds(connection, generation.workspace_id, filling):
        retired += _take_out_removed(connection, build)
        ready = [row[0] for row in connection.execute(load_sql("publish_ready"), build.key).fetchall()]
        connection.commit()
        if ready:
            moved = _publish_ready(connection, build, ready)
            published += moved.published
            retired += moved.retired
        elif terms.is_half_loaded(connection, build):
            terms.finish_load(connection, build)
        tend(connection, build, gate)
    if not filling:
        generations.note(connection, generation, {"chunks": {"published": published, "retired": retired}})
        connection.execute(
            # How many pages are in quarantine is noted, so that a later look can tell whether they become more.
            "UPDATE sync_generation SET finished_at = now(), counters = counters || jsonb_build_object('quarantined', "
            "(SELECT count(*) FROM source_page WHERE workspace_id = %(workspace_id)s AND state = 'quarantined')) "
            "WHERE workspace_id = %(workspace_id)s AND generation = %(generation)s",
            generation.key,
        )
        connection.commit()
    return PublishReport(published, retired)


def _publish_ready(connection: Connection, build: Build, ready: Sequence[UUID]) -> PublishReport:
    """Publish these documents batch by batch."""
    published = retired = 0
    # The first load is counted and indexed once it is over. An interrupted one goes on as such.
    is_loaded = terms.is_loaded(connection, build)
    connection.commit()
    ann.make_way(connection, build)
    for batch in _batches(ready):
        hold_index(connection, build.rag_index_id)
        connection.execute(f"SET LOCAL work_mem = '{MEMORY}'")
        moved = _one(connection, "publish_documents", {**build.key, "documents": batch, "counting": is_loaded})
        _move_counts(connection, build, moved["new_objects"], moved["published"] - moved["retired"])
        connection.commit()
        published += moved["published"]
        retired += moved["retired"]
    if is_loaded:
        terms.tidy(connection, build, published)
    else:
        terms.finish_load(connection, build)
    return PublishReport(published, retired)


def _take_out_removed(connection: Connection, build: Build) -> int:
    """Returns how many chunks stopped being searchable."""
    if not _one(connection, "publish_removals_wanted", build.key)["any"]:
        connection.commit()
        return 0
    hold_index(connection, build.rag_index_id)
    removed = _one(connection, "publish_removals", build.key)
    _move_counts(connection, build, -removed["removed_objects"], -removed["retired"])
    connection.commit()
    return removed["retired"]


def _batches(documents: Sequence[UUID]) -> list[list[UUID]]:
    return [list(documents[start : start + BATCH]) for start in range(0, len(documents), BATCH)]


def _one(connection: Connection, statement: str, parameters: dict[str, Any]) -> dict[str, int]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(load_sql(statement), parameters)
        row = cursor.fetchone()
    assert row is not None
    return row


def _move_counts(connection: Connection, build: Build, objects: int, vectors: int) -> None:
    """`updated` moves only with a publish; the counts are those of the serving build."""
    connection.execute(
        "UPDATE rag_indexes SET object_count = object_count + %s, vector_count = vector_count + %s, "
        "updated = now() WHERE rag_index_id = %s AND active_build_id = %s",
        [objects, vectors, build.rag_index_id, build.rag_index_build_id],
    )
