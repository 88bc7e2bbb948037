"""Nearest vectors of one build: exact below a size, through an approximate index above it.

pgvector's IVFFlat and HNSW (https://github.com/pgvector/pgvector) index half-precision copies of the vectors, which
halves the index; what they find is ordered by the exact distance of the whole vectors. How hard an index has to look
differs from corpus to corpus by a factor of ten, so it is measured on the build's own vectors once the index is made.
"""

from __future__ import annotations

import bisect
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import LiteralString

import psycopg
from psycopg import sql

from arcana_pipelines.db.engine import Connection, outside_transactions
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.indexes.builds import Build, chunk_table, lock_index

log = logging.getLogger(__name__)

# Comparing so many vectors one by one takes longer than a search may take (benchmarks/README.md).
ANN_FROM = 5_000
# halfvec indexes hold no more: https://github.com/pgvector/pgvector#half-precision-indexing
MOST_DIMENSIONS = 4000
# What an index finds at least of the nearest neighbours of a sample; the effort for it is measured.
TUNED_RECALL = 0.995
# So many of what it finds are put in order by their exact distance.
REORDERED = 100
# An HNSW index that is made of many vectors at once is made from scratch: row by row it takes fifty times as long.
MANY_AT_ONCE = 2_000
_HNSW = "WITH (m = 16, ef_construction = 100)"
# hnsw.ef_search; pgvector takes no more than 1,000.
_HNSW_EFFORTS = (400, 560, 800, 1000)
# So many lists are read at least, or a thirtieth of them where that is fewer: the effort is measured with a build's own
# vectors, and questions lie between them. A thirtieth of a million vectors takes too long (docs/scale.md).
_LEAST_LISTS = 16
# An IVFFlat index of a build that has grown so much has too few lists, and is made again.
_GROWN = 1.5
SAMPLE = 50
NEIGHBOURS = 10

_GIGABYTE = 1 << 30


def ann_index_of(build: int) -> str:
    """The name of a build's approximate index."""
    return f"{chunk_table(build)}_ann_idx"


def wanted_ann(build: Build, vectors: int) -> str:
    """The kind of index that a build of so many vectors should have."""
    if build.dimensions > MOST_DIMENSIONS:
        return "none"
    if build.ann_setting == "auto":
        # One that is there stays: a build that shrinks a little would lose and get it again and again.
        return "ivfflat" if build.ann == "none" and vectors >= ANN_FROM else build.ann
    return build.ann_setting


def ensure_ann(connection: Connection, build: Build, vectors: int) -> Build:
    """Give a build the approximate index that it should have by now; returns the build with it.

    Readers never wait. `connection` must not be in a transaction. An index that an interruption left invalid is made
    again.
    """
    noted, effort, lists = _state(connection, build)
    build = replace(build, ann=noted, ann_effort=effort)
    wanted = wanted_ann(build, vectors)
    is_usable = lists is not None
    has_grown = noted == "ivfflat" and _lists(vectors) >= _GROWN * (lists or 0)
    if noted == wanted and is_usable == (wanted != "none") and not has_grown:
        return build
    with outside_transactions(connection):
        _drop(connection, build)
        build = replace(build, ann=wanted, ann_effort=0)
        if wanted != "none":
            _make(connection, build, vectors)
            build = replace(build, ann_effort=_least_effort(connection, build, vectors))
            _note(connection, build)
    return build


def drop_hnsw_before_bulk_load(connection: Connection, build: Build) -> None:
    """Drop the HNSW index of a build that is about to get many new vectors; `ensure_ann` makes one again.

    Meanwhile searches are exact. `connection` must not be in a transaction.
    """
    if build.ann != "hnsw":
        return
    coming = scalar(
        connection, "SELECT count(*) FROM chunk_stage WHERE rag_index_build_id = %s", [build.rag_index_build_id]
    )
    if coming < MANY_AT_ONCE:
        return
    with outside_transactions(connection):
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
        table=sql.Identifier(chunk_table(build)), dimensions=sql.Literal(dimensions), least=sql.Literal(REORDERED)
    )


def tune(connection: Connection, ann: str, effort: int) -> None:
    """Set how `nearest_statement` is carried out, for the rest of the transaction: how hard an index looks."""
    if ann == "none":
        connection.execute("SET LOCAL enable_seqscan = on")
        return
    how = {
        "hnsw": f"SET LOCAL hnsw.ef_search = {effort}; SET LOCAL hnsw.iterative_scan = strict_order",
        "ivfflat": f"SET LOCAL ivfflat.probes = {effort}",
    }
    # Nothing but the approximate index is left: the planner knows no better, and what is measured is what is served.
    connection.execute(
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; " + how[ann]
    )


@contextmanager
def tuned(connection: Connection, ann: str, effort: int) -> Iterator[None]:
    """What `tune` sets, for some statements of a transaction that does without sequential scans.

    It is set back by hand: at the ROLLBACK of a savepoint psycopg would forget all statements that it has prepared, and
    the server would plan each of them anew in every search.
    """
    tune(connection, ann, effort)
    yield
    connection.execute(
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = DEFAULT; SET LOCAL enable_sort = DEFAULT"
    )


def recall(connection: Connection, build: Build) -> float:
    """The share of the true nearest neighbours that the build's index finds, over a sample of its own vectors.

    1.0 without an approximate index. A neighbour as near as the last true one counts as true.
    """
    return ensure_recall(connection, build, least=0.0)


def ensure_recall(connection: Connection, build: Build, least: float) -> float:
    """As `recall`; while it is below `least`, the index is made to look harder, which is noted."""
    if build.ann == "none":
        return 1.0
    *_, lists = _state(connection, build)
    harder = (effort for effort in efforts_of(build.ann, lists or 1) if effort > build.ann_effort)
    probes = _sample(connection, build)
    truths = [_nearest(connection, build, probe, "none", 0) for probe in probes]
    while True:
        reached = sum(hits for hits, _ in _hits(connection, build, probes, truths))
        share = reached / sum(map(len, truths)) if probes else 1.0
        effort = next(harder, None) if share < least else None
        if effort is None:
            return share
        build = replace(build, ann_effort=effort)
        with connection.transaction():
            lock_index(connection, build.rag_index_id)
            connection.execute(
                "UPDATE rag_index_build SET ann_effort = %s WHERE rag_index_build_id = %s",
                [effort, build.rag_index_build_id],
            )


def _least_effort(connection: Connection, build: Build, vectors: int) -> int:
    """The least effort that finds `TUNED_RECALL` of the neighbours; the most there is when none does."""
    efforts = efforts_of(build.ann, _lists(vectors))
    # `verify` samples by ASC: an effort that was tuned on its probes would pass on them and nowhere else.
    probes = _sample(connection, build, "DESC")
    if build.ann == "ivfflat":
        # All lists are all vectors: exact, and at half the time of reading whole rows.
        truths = [_nearest(connection, build, probe, build.ann, efforts[-1]) for probe in probes]
    else:
        truths = [_nearest(connection, build, probe, "none", 0) for probe in probes]
    least = TUNED_RECALL * sum(map(len, truths))

    def suffices(effort: int) -> bool:
        reachable = sum(map(len, truths))  # so many at most
        for hits, wanted in _hits(connection, replace(build, ann_effort=effort), probes, truths):
            reachable -= wanted - hits
            if reachable < least:
                return False
        return True

    return efforts[bisect.bisect_left(efforts[:-1], True, key=suffices)]


def efforts_of(ann: str, lists: int) -> Sequence[int]:
    """What may be tried, ascending: for IVFFlat lists to read, from the least to all."""
    if ann == "hnsw":
        return _HNSW_EFFORTS
    least = min(math.ceil(lists / 32), _LEAST_LISTS)
    steps = math.ceil(4 * math.log2(lists / least))
    return sorted({max(least, math.ceil(lists * 2 ** (-step / 4))) for step in range(steps + 1)})


def _sample(connection: Connection, build: Build, direction: LiteralString = "ASC") -> list[str]:
    sample: list[str] = scalars(
        connection,
        # Sorted by themselves: beside them, every vector of the build would be written as text.
        sql.SQL(
            "SELECT chunk_embedding::text FROM {table} WHERE document_chunk_id = ANY(ARRAY(SELECT document_chunk_id "
            "FROM {table} WHERE deleted_at IS NULL ORDER BY hashint8(document_chunk_id) {direction} LIMIT %s))"
        ).format(table=sql.Identifier(build.table), direction=sql.SQL(direction)),
        [SAMPLE],
    )
    return sample


def _hits(
    connection: Connection, build: Build, probes: Sequence[str], truths: Sequence[Sequence[float]]
) -> Iterator[tuple[int, int]]:
    """How many of each probe's true neighbours the build's index finds, and how many there are."""
    for probe, exact in zip(probes, truths, strict=True):
        near = _nearest(connection, build, probe, build.ann, build.ann_effort)
        yield min(len(exact), sum(score >= exact[-1] - 1e-6 for score in near)), len(exact)


def _nearest(connection: Connection, build: Build, vector: str, ann: str, effort: int) -> Sequence[float]:
    with connection.transaction():
        tune(connection, ann, effort)
        rows = connection.execute(
            nearest_statement(build.rag_index_build_id, build.dimensions, ann),
            {"vector": vector, "candidates": NEIGHBOURS},
        ).fetchall()
    return [score for _, score in rows]


def _state(connection: Connection, build: Build) -> tuple[str, int, int | None]:
    """(kind and effort that are noted now, lists of the valid index): a publish may have dropped it meanwhile.

    An HNSW index has 0 lists, one that is missing or invalid None.
    """
    row = connection.execute(
        "SELECT b.ann, b.ann_effort, CASE WHEN i.indisvalid THEN coalesce((SELECT option_value::int "
        "FROM pg_options_to_table(c.reloptions) WHERE option_name = 'lists'), 0) END "
        "FROM rag_index_build b LEFT JOIN pg_class c ON c.oid = to_regclass(%s) "
        "LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE b.rag_index_build_id = %s",
        [ann_index_of(build.rag_index_build_id), build.rag_index_build_id],
    ).fetchone()
    assert row is not None
    noted, effort, lists = row
    return noted, effort, lists


def _note(connection: Connection, build: Build) -> None:
    """Have searches read a build so from here on. Of the serving one that is a publish: its index comes first."""
    with connection.transaction():
        lock_index(connection, build.rag_index_id)
        connection.execute(
            "UPDATE rag_index_build SET ann = %s, ann_effort = %s WHERE rag_index_build_id = %s",
            [build.ann, build.ann_effort, build.rag_index_build_id],
        )


def _make(connection: Connection, build: Build, vectors: int) -> None:
    log.info("making the %s index of %d vectors of the index '%s'", build.ann, vectors, build.index_name)
    statement = sql.SQL(
        "CREATE INDEX {how} {index} ON {table} USING {kind} "
        "((chunk_embedding::halfvec({dimensions})) halfvec_cosine_ops) {options} WHERE deleted_at IS NULL"
    ).format(
        # Concurrently takes two passes over the table; no one reads or writes a build that is being filled.
        how=sql.SQL("" if build.state == "building" else "CONCURRENTLY"),
        index=sql.Identifier(ann_index_of(build.rag_index_build_id)),
        table=sql.Identifier(build.table),
        kind=sql.SQL(build.ann),
        dimensions=sql.Literal(build.dimensions),
        options=sql.SQL(f"WITH (lists = {_lists(vectors)})" if build.ann == "ivfflat" else _HNSW),
    )
    _create(connection, statement, build, vectors)


def _drop(connection: Connection, build: Build) -> None:
    """Searches are exact from here on, then the index goes."""
    _note(connection, replace(build, ann="none", ann_effort=0))  # who was overtaken ends here, and drops nothing
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
    """The root of the vectors, as https://github.com/pgvector/pgvector#ivfflat has it for many.

    With as many of the vectors read, more lists find hardly more, and take longer to make.
    """
    return max(10, math.isqrt(vectors))
