"""Nearest vectors of one build: exact below a size, through an approximate index above it.

pgvector's HNSW and IVFFlat (https://github.com/pgvector/pgvector) index half-precision copies of the vectors, which
halves the index; what they find is ordered by the exact distance of the whole vectors.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.indexes.builds import Build, table_of

log = logging.getLogger(__name__)

# Comparing so many vectors one by one takes longer than a search may take (benchmarks/README.md).
ANN_FROM = 8_000
# halfvec indexes hold no more: https://github.com/pgvector/pgvector#half-precision-indexing
MOST_DIMENSIONS = 4000
# Candidates that the index keeps in hand, and that are put in order by their exact distance.
EF_SEARCH = 400
# An index that is made of many vectors at once is made anew: row by row it takes fifty times as long.
MANY_AT_ONCE = 2_000
_HNSW = "WITH (m = 16, ef_construction = 100)"
SAMPLE = 50
NEIGHBOURS = 10

_GIGABYTE = 1 << 30


def ann_index_of(build: int) -> str:
    """The name of a build's approximate index."""
    return f"{table_of(build)}_ann_idx"


def wanted_ann(build: Build, vectors: int) -> str:
    """The kind of index that a build of so many vectors should have."""
    if build.dimensions > MOST_DIMENSIONS:
        return "none"
    if build.ann_setting == "auto":
        # One that is there stays: a build that shrinks a little would lose and get it again and again.
        return "hnsw" if vectors >= ANN_FROM else build.ann
    return build.ann_setting


def ensure_ann(connection: Connection, build: Build, vectors: int) -> str:
    """Give a build the approximate index that it should have by now; returns the kind it has.

    Readers never wait. `connection` must not be in a transaction. An index that an interruption left invalid is made
    again.
    """
    wanted = wanted_ann(build, vectors)
    noted, is_usable = _state(connection, build)
    if noted == wanted and is_usable == (wanted != "none"):
        return wanted
    table, index = sql.Identifier(build.table), sql.Identifier(ann_index_of(build.rag_index_build_id))
    with _autocommit(connection):
        _drop(connection, build)
        if wanted != "none":
            log.info("making the %s index of %d vectors of the index '%s'", wanted, vectors, build.index_name)
            statement = sql.SQL(
                "CREATE INDEX {how} {index} ON {table} USING {kind} "
                "((chunk_embedding::halfvec({dimensions})) halfvec_cosine_ops) {options} WHERE deleted_at IS NULL"
            ).format(
                # Concurrently takes two passes over the table; nobody reads or writes a build that is being filled.
                how=sql.SQL("" if build.state == "building" else "CONCURRENTLY"),
                index=index,
                table=table,
                kind=sql.SQL(wanted),
                dimensions=sql.Literal(build.dimensions),
                options=sql.SQL(f"WITH (lists = {_lists(vectors)})" if wanted == "ivfflat" else _HNSW),
            )
            _create(connection, statement, build, vectors)
            connection.execute(
                "UPDATE rag_index_build SET ann = %s WHERE rag_index_build_id = %s", [wanted, build.rag_index_build_id]
            )
    return wanted


def make_way(connection: Connection, build: Build) -> None:
    """Drop the approximate index of a build that is about to get many new vectors; `ensure_ann` makes it again.

    Meanwhile searches are exact. `connection` must not be in a transaction.
    """
    if build.ann == "none":
        return
    row = connection.execute(
        "SELECT count(*) FROM chunk_stage WHERE rag_index_build_id = %s", [build.rag_index_build_id]
    ).fetchone()
    connection.commit()
    if row is None or row[0] < MANY_AT_ONCE:
        return
    with _autocommit(connection):
        _drop(connection, build)


def nearest_statement(build: int, dimensions: int, ann: str) -> sql.Composed:
    """SQL for (document_chunk_id, cosine similarity) of the nearest chunks; parameters `vector` and `candidates`."""
    if ann == "none":
        statement = (
            "SELECT document_chunk_id, 1 - (chunk_embedding <=> %(vector)s::vector) AS score FROM {table} "
            "WHERE deleted_at IS NULL ORDER BY chunk_embedding <=> %(vector)s::vector LIMIT %(candidates)s"
        )
    else:
        statement = (
            "WITH nearest AS MATERIALIZED (SELECT document_chunk_id, chunk_embedding FROM {table} "
            "WHERE deleted_at IS NULL ORDER BY chunk_embedding::halfvec({dimensions}) <=> "
            "%(vector)s::vector::halfvec({dimensions}) LIMIT greatest(2 * %(candidates)s, {least})) "
            "SELECT document_chunk_id, 1 - (chunk_embedding <=> %(vector)s::vector) AS score FROM nearest "
            "ORDER BY chunk_embedding <=> %(vector)s::vector LIMIT %(candidates)s"
        )
    return sql.SQL(statement).format(
        table=sql.Identifier(table_of(build)), dimensions=sql.Literal(dimensions), least=sql.Literal(EF_SEARCH // 4)
    )


def tune(connection: Connection, ann: str, vectors: int) -> None:
    """Set how `nearest_statement` is carried out, for the rest of the transaction: how hard an index looks."""
    if ann == "none":
        connection.execute("SET LOCAL enable_seqscan = on")
    elif ann == "hnsw":
        connection.execute(
            f"SET LOCAL hnsw.ef_search = {EF_SEARCH}; SET LOCAL hnsw.iterative_scan = strict_order; "
            "SET LOCAL enable_seqscan = off"
        )
    elif ann == "ivfflat":
        connection.execute(
            f"SET LOCAL ivfflat.probes = {max(16, _lists(vectors) // 4)}; SET LOCAL enable_seqscan = off"
        )


def recall(connection: Connection, build: Build, vectors: int, sample: int = SAMPLE) -> float:
    """The share of the true nearest neighbours that the build's index finds, over a sample of its own vectors.

    1.0 without an approximate index. A neighbour as near as the last true one counts as true.
    """
    if build.ann == "none":
        return 1.0
    probes = connection.execute(
        sql.SQL(
            "SELECT chunk_embedding::text FROM {} WHERE deleted_at IS NULL "
            "ORDER BY hashint8(document_chunk_id) LIMIT %s"
        ).format(sql.Identifier(build.table)),
        [sample],
    ).fetchall()
    found = wanted = 0
    for (vector,) in probes:
        exact = _nearest(connection, build, vector, "none", vectors)
        near = _nearest(connection, build, vector, build.ann, vectors)
        wanted += len(exact)
        found += min(len(exact), sum(score >= exact[-1] - 1e-6 for score in near))
    connection.commit()
    return found / wanted if wanted else 1.0


def _nearest(connection: Connection, build: Build, vector: str, ann: str, vectors: int) -> Sequence[float]:
    with connection.transaction():
        tune(connection, ann, vectors)
        rows = connection.execute(
            nearest_statement(build.rag_index_build_id, build.dimensions, ann),
            {"vector": vector, "candidates": NEIGHBOURS},
        ).fetchall()
    return [score for _, score in rows]


def _state(connection: Connection, build: Build) -> tuple[str, bool]:
    """(the kind that is noted now, is there a valid index?): a publish may have dropped it since the build was read."""
    row = connection.execute(
        "SELECT ann, coalesce((SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)), false) "
        "FROM rag_index_build WHERE rag_index_build_id = %s",
        [ann_index_of(build.rag_index_build_id), build.rag_index_build_id],
    ).fetchone()
    connection.commit()
    assert row is not None
    return str(row[0]), bool(row[1])


def _drop(connection: Connection, build: Build) -> None:
    """Searches are exact from here on, then the index goes. `connection` is in autocommit."""
    connection.execute(
        "UPDATE rag_index_build SET ann = 'none' WHERE rag_index_build_id = %s", [build.rag_index_build_id]
    )
    index = sql.Identifier(ann_index_of(build.rag_index_build_id))
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(index))


def _create(connection: Connection, statement: sql.Composed, build: Build, vectors: int) -> None:
    """Make an index with the memory it takes: an HNSW graph that does not fit is built at a tenth of the speed."""
    needed = int(vectors * (2 * build.dimensions + 600) * 1.2)
    kilobytes = min(max(needed, 64 << 20), 2 * _GIGABYTE) // 1024
    connection.execute(f"SET maintenance_work_mem = {kilobytes}")
    connection.execute("SET max_parallel_maintenance_workers = 4")
    try:
        connection.execute(statement)
    except psycopg.errors.DiskFull:
        # Workers share memory through /dev/shm, which is 64 MB in a container that was not given more.
        log.warning("the server has too little shared memory to make an index with several workers; using one")
        _drop(connection, build)
        connection.execute("SET max_parallel_maintenance_workers = 0")
        connection.execute(statement)
    finally:
        if not connection.closed:
            connection.execute("RESET maintenance_work_mem")
            connection.execute("RESET max_parallel_maintenance_workers")


def _lists(vectors: int) -> int:
    """https://github.com/pgvector/pgvector#ivfflat: rows / 1000 up to a million rows, their root above."""
    return max(10, vectors // 1000 if vectors <= 1_000_000 else math.isqrt(vectors))


@contextmanager
def _autocommit(connection: Connection) -> Iterator[None]:
    connection.autocommit = True
    try:
        yield
    finally:
        if not connection.closed:
            connection.autocommit = False
