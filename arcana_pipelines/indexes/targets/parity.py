"""Is a target equal to what PostgreSQL publishes? Compared row by row, and by some of its vectors."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import one, scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import CollectionMissing
from arcana_pipelines.indexes.builds import chunk_table
from arcana_pipelines.indexes.targets.protocol import Store, Vector
from arcana_pipelines.indexes.targets.rows import rows_of
from arcana_pipelines.indexes.targets.targets import BuildOfTarget, Target

load_sql = statements_beside(__file__)

SAMPLE = 200
_HASH = re.compile(r"[0-9a-f]{32}")
# Stores may keep vectors at unit length, and round.
LEAST_COSINE = 0.9999


@dataclass(frozen=True, slots=True)
class Parity:
    """What a comparison found, in rows. Documents that wait are left out, but not those that the store refuses.

    Attributes:
        count: rows that the store says it has.
        listed: rows that it lists.
        published: rows that it is to have.
        missing: of these, those that it lacks.
        extra: rows that it is not to have.
        different: rows that it has with another text, heading, document or vector.
        sampled: vectors that were compared number by number.
        nearest: the least cosine of a sampled vector with its own; 1 where none was sampled.
        publish_seq: number of the index's newest publish when the comparison began (`rag_indexes.publish_seq`).
        at: when; ISO 8601.
    """

    count: int
    listed: int
    published: int
    missing: int
    extra: int
    different: int
    sampled: int
    nearest: float
    publish_seq: int
    at: str

    @property
    def is_equal(self) -> bool:
        """True where nothing differs."""
        return not (self.missing or self.extra or self.different) and self.count == self.listed

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "is_equal": self.is_equal}


def compare(connection: Connection, store: Store, target: Target, build: BuildOfTarget) -> Parity:
    """Compare the collection of a build with what is published. What differs stands in the temporary table `compared`.

    The caller has the right to deliver to the target, so nobody else does: what is published meanwhile waits, and is
    left out. Nothing is locked, and what is compared is what is published when all rows of the store are read.

    Raises:
        TargetUnreachable: see `Store`.
    """
    assert build.collection is not None
    connection.execute("DROP TABLE IF EXISTS stored, compared")
    connection.execute("CREATE TEMPORARY TABLE stored (chunk_id bigint, document_id uuid, row_hash text)")
    publish_seq = scalar(
        connection, "SELECT publish_seq FROM rag_indexes WHERE rag_index_id = %s", [target.rag_index_id]
    )
    listed, count = _list_stored(connection, store, build.collection)
    connection.execute("ANALYZE stored")
    connection.execute(
        sql.SQL(load_sql("compare_stored")).format(
            chunks=sql.Identifier(chunk_table(build.build)),
            row_hash=sql.SQL(load_sql("row_hash")),
            build=sql.Literal(build.build),
            index_target_id=sql.Literal(target.index_target_id),
        )
    )
    sampled, nearest = _compare_vectors(connection, store, build)
    counts = one(connection, dict, load_sql("compared_counts"))
    return Parity(
        count=count,
        listed=listed,
        sampled=sampled,
        nearest=round(nearest, 6),
        publish_seq=publish_seq,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        **counts,
    )


def _list_stored(connection: Connection, store: Store, collection: str) -> tuple[int, int]:
    """Copy all rows of a collection into `stored`: how many it lists, and how many it says it has. Of one that is gone
    all rows are missing.
    """
    listed = 0
    try:
        for batch in store.scan(collection):
            listed += len(batch)
            with connection.cursor() as cursor, cursor.copy("COPY stored FROM STDIN") as stream:
                for row in batch:
                    # What somebody else wrote may be anything.
                    row_hash = row.row_hash if _HASH.fullmatch(row.row_hash) else ""
                    stream.write_row((row.chunk_id, row.document_id, row_hash))
        return listed, store.count(collection)
    except CollectionMissing:
        return listed, 0


def _compare_vectors(connection: Connection, store: Store, build: BuildOfTarget) -> tuple[int, float]:
    """Some vectors of rows that are well otherwise: how many, and the least cosine with what they are to be."""
    assert build.collection is not None
    some = scalars(connection, "SELECT chunk_id FROM compared WHERE wrong IS NULL ORDER BY random() LIMIT %s", [SAMPLE])
    if not some:
        return 0, 1.0
    ours = {row.chunk_id: row.vector for row in rows_of(connection, build.build, some, with_text=False)}
    theirs = store.vectors(build.collection, some)
    cosines = {chunk: cosine(vector, theirs.get(chunk)) for chunk, vector in ours.items()}
    wrong = [chunk for chunk, near in cosines.items() if near < LEAST_COSINE]
    if wrong:
        connection.execute("UPDATE compared SET wrong = 'different' WHERE chunk_id = ANY(%s)", [wrong])
    return len(cosines), min(cosines.values(), default=1.0)


def cosine(one: Vector, other: Vector | None) -> float:
    """Of two vectors; -1 where the second is missing or of another size."""
    if other is None or len(one) != len(other):
        return -1.0
    import numpy as np

    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    # Vectors of nothing are the same as each other.
    return float(np.dot(one, other)) / length if length else float(np.array_equal(one, other))
