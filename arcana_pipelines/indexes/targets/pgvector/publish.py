"""Publishing into a build: whole documents, in batches that readers see at once, and removed ones taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import one
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.language_means import NO_MEANS, means_of
from arcana_pipelines.indexes.builds import Build, lock_index
from arcana_pipelines.indexes.targets.pgvector import ann, terms

load_sql = statements_beside(__file__)

# Documents that become visible together: small, so that a crash repeats little and locks are short.
BATCH = 500
# What PostgreSQL may hold of a batch before it writes parts of it to disk.
MEMORY = "64MB"


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What a publish did.

    Attributes:
        published: chunks that became searchable.
        retired: chunks that a search finds no more: of older versions, and of removed documents.
        documents: those that a search finds as they are now.
    """

    published: int
    retired: int
    documents: int


def publish_build(connection: Connection, build: Build) -> PublishReport:
    """Publish what of a build is staged and embedded, and take out removed documents."""
    retired = _take_out_removed(connection, build)
    ready = [row[0] for row in connection.execute(load_sql("publish_ready"), build.params).fetchall()]
    if ready:
        moved = _publish_ready(connection, build, ready)
        return PublishReport(moved.published, moved.retired + retired, moved.documents)
    if terms.is_half_loaded(connection, build):
        terms.finish_load(connection, build)
    return PublishReport(0, retired, 0)


def take_out_removed(connection: Connection, build: Build) -> dict[str, int]:
    """Take removed documents out of a build, in the caller's transaction: `retired` chunks, `removed_objects`."""
    return one(connection, dict, load_sql("publish_removals"), build.params)


def _publish_ready(connection: Connection, build: Build, ready: Sequence[UUID]) -> PublishReport:
    """Publish these documents batch by batch."""
    published = retired = 0
    # The first load is counted and indexed once it is over. An interrupted one goes on as such.
    is_loaded = terms.is_loaded(connection, build)
    ann.drop_hnsw_before_bulk_load(connection, build)
    means = means_of(build.embedding_model)
    languages = means.parameters if means else NO_MEANS
    for batch in _batches(ready):
        with connection.transaction():
            lock_index(connection, build.rag_index_id)
            connection.execute(f"SET LOCAL work_mem = '{MEMORY}'")
            parameters = {**build.params, **languages, "documents": batch, "counting": is_loaded}
            moved = one(connection, dict, load_sql("publish_documents"), parameters)
            _move_counts(connection, build, moved["new_objects"], moved["published"] - moved["retired"])
        published += moved["published"]
        retired += moved["retired"]
    if is_loaded:
        terms.tidy(connection, build, published)
    else:
        terms.finish_load(connection, build)
    return PublishReport(published, retired, len(ready))


def _take_out_removed(connection: Connection, build: Build) -> int:
    """Returns how many chunks stopped being searchable."""
    if not one(connection, dict, load_sql("publish_removals_wanted"), build.params)["any"]:
        return 0
    with connection.transaction():
        lock_index(connection, build.rag_index_id)
        removed = take_out_removed(connection, build)
        _move_counts(connection, build, -removed["removed_objects"], -removed["retired"])
    return removed["retired"]


def _batches(documents: Sequence[UUID]) -> list[list[UUID]]:
    return [list(documents[start : start + BATCH]) for start in range(0, len(documents), BATCH)]


def _move_counts(connection: Connection, build: Build, objects: int, vectors: int) -> None:
    """The counts are those of the serving build. Another store's are moved when it has what is published."""
    moved = {**build.params, "objects": objects, "vectors": vectors}
    connection.execute(load_sql("move_counts"), moved)
