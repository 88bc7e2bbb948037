"""What may go wrong with an index unnoticed: versions, invalid indexes, bloat, recall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.server import LOWEST_VECTOR
from arcana_pipelines.indexes.builds import Build, builds_of
from arcana_pipelines.indexes.targets.pgvector.ann import ann_index_of, recall
from arcana_pipelines.indexes.verification import LEAST_RECALL

RECOMMENDED_VECTOR = (0, 8, 6)
# Chunks that no search can reach any more, against those that a search reads.
MOST_BLOAT = 1.0
FEW_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, as `arcana doctor` shows it.

    Attributes:
        name: what it is: `pgvector`, `recall of default`.
        ok: False: a person should do something.
        detail: what was found, and the next step where something is wrong; in words.
    """

    name: str
    ok: bool
    detail: str


def pgvector(connection: Connection) -> Finding:
    """Is pgvector new enough?"""
    installed = scalar(connection, "SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    if installed is None:
        return Finding("pgvector", False, "not created yet: arcana db upgrade")
    version = tuple(int(part) for part in installed.split(".")[:3])
    if version < LOWEST_VECTOR:
        return Finding(
            "pgvector", False, f"{installed}; {_dotted(LOWEST_VECTOR)} repairs corrupted indexes: upgrade it"
        )
    advice = "" if version >= RECOMMENDED_VECTOR else f" ({_dotted(RECOMMENDED_VECTOR)} is recommended)"
    return Finding("pgvector", True, f"{installed}{advice}")


def inspect_indexes(connection: Connection, workspace_id: UUID) -> Iterator[Finding]:
    """Look at every serving build of a workspace. Recall is measured, which reads some whole partitions."""
    for build in builds_of(connection, workspace_id):
        if build.state == "active":
            yield _indexes(connection, build)
            yield _bloat(connection, build)
            if build.ann != "none":
                yield _recall(connection, build)


def _indexes(connection: Connection, build: Build) -> Finding:
    rows = connection.execute(
        "SELECT indexrelid::regclass::text, EXISTS (SELECT 1 FROM pg_stat_progress_create_index at_work "
        "WHERE at_work.index_relid = indexrelid) FROM pg_index WHERE indrelid = to_regclass(%s) AND NOT indisvalid",
        [build.table],
    ).fetchall()
    # CREATE INDEX CONCURRENTLY makes an index valid when it ends; until then nothing is broken.
    being_built = [name for name, is_at_work in rows if is_at_work]
    invalid = [name for name, is_at_work in rows if not is_at_work]
    detail = f"being built: {', '.join(being_built)}" if being_built else "valid"
    if invalid:
        detail = f"invalid: {', '.join(invalid)}; the next sync makes an approximate index again, REINDEX any other"
    return Finding(f"indexes of {build.index_name}", not invalid, detail)


def _bloat(connection: Connection, build: Build) -> Finding:
    row = connection.execute(
        sql.SQL("SELECT count(*) FILTER (WHERE deleted_at IS NULL), count(*) FROM {}").format(
            sql.Identifier(build.table)
        )
    ).fetchone()
    assert row is not None
    live, rows = row
    retired = rows - live
    ok = rows < FEW_ROWS or retired <= MOST_BLOAT * live
    advice = (
        "" if ok else ": the nightly audit deletes those older than RETENTION_DAYS; a rebuild leaves them all behind"
    )
    return Finding(f"size of {build.index_name}", ok, f"{live} chunks, {retired} retired ones beside them{advice}")


def _recall(connection: Connection, build: Build) -> Finding:
    measured = recall(connection, build)
    advice = (
        ""
        if measured >= LEAST_RECALL
        else f": DROP INDEX CONCURRENTLY {ann_index_of(build.rag_index_build_id)}, and the next sync makes it again"
    )
    return Finding(
        f"recall of {build.index_name}", measured >= LEAST_RECALL,
        f"{build.ann} finds {measured:.3f} of the nearest neighbours{advice}",
    )  # fmt: skip


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
