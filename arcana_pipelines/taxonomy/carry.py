"""The topics of documents, from one version of a taxonomy to another.

Statements over sets, some documents each in a transaction of its own: a carrying that was killed is run again and
ends where it would have. What was carried ahead nobody sees; the transaction that releases a version makes good what
has changed since, while nobody else can assign topics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.errors import DeadlockDetected, ForeignKeyViolation
from psycopg.rows import class_row
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.taxonomy.labels import spell_path

load_sql = statements_beside(__file__)

DOCUMENTS_A_BATCH = 5_000
# From so many rows on, searches are planned anew: of a version that nobody has counted they expect one row.
MANY_ROWS = 1_000
# A sync that removes documents meanwhile: they are not there any more when the same is done again.
again = retry(
    retry=retry_if_exception_type((DeadlockDetected, ForeignKeyViolation)), stop=stop_after_attempt(5), reraise=True
)
# What becomes of an assignment: one of these.
OUTCOMES = ("carried", "merged_into", "queued", "decided", "ended", "dropped")
# What is said of an assignment whose node is another one, or gone.
_RETIRED = "retired: "
_WHY = {
    "merge": "merged from '{}'",
    "split": "split of '{}'",
    "retire": _RETIRED + "'{}'",
    "missing": _RETIRED + "'{}'",
}


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of the assignments of a version, each counted once.

    Attributes:
        assignments: how many there were, those that waited for a person among them. The next six are as many.
        carried: it is the same node's, whatever that is called and wherever it stands.
        merged_into: it is that of the node which the other was merged into.
        queued: a person is asked about every node that took the place of its own.
        decided: its node was split or retired, and what took its place was known: a person's word, or another
            assignment that leads there.
        ended: nothing took its place.
        dropped: it was near and waited for a person, and its node is another one now: nearness is asked again.
        suggestions: of these assignments, those that waited for a person, by what became of them (`carried`, …).
        persons_ended: of those that ended, those that a person had said.
        documents: that had an assignment.
        documents_without: of these, with a topic that searches used, and none afterwards.
        documents_asked: of these, of which something waits for a person afterwards.
        after: assignments that these have become: fewer where two have become one, more where one was split.
        written: rows that were written now.
        removed: rows that were removed now: what they came from is not there any more.
    """

    assignments: int
    carried: int
    merged_into: int
    queued: int
    decided: int
    ended: int
    dropped: int
    suggestions: dict[str, int]
    persons_ended: int
    documents: int
    documents_without: int
    documents_asked: int
    after: int
    written: int
    removed: int


@dataclass(frozen=True, slots=True)
class Way:
    """How assignments get from one version to another.

    Attributes:
        old: the version where they are.
        new: the version where they are to be.
        from_nodes: nodes that are others there, or none; the same one once for each that took its place.
        to_nodes: of each of them, what took its place.
        kinds: of each: `merge`, `split`, `retire`, `missing`, `lost`.
        reasons: of each, for people.
        touched: nodes of which the two versions do not say the same.
        since: of these, assignments that are not newer are not carried, unless a person accepted them since: the other
            version has its own.
        is_new: the version was never active: it has nothing but what was carried.
        carried_until: of touched nodes, assignments there that are not newer were carried.
        left_at: when the other version was left; what people have rejected since is rejected there, too.
    """

    workspace_id: UUID
    old: str
    new: str
    from_nodes: list[UUID]
    to_nodes: list[UUID | None]
    kinds: list[str]
    reasons: list[str]
    touched: list[UUID]
    since: datetime | None = None
    is_new: bool = False
    carried_until: datetime | None = None
    left_at: datetime | None = None

    @property
    def missing(self) -> list[str]:
        """The paths of nodes of which nobody said what becomes of them, quoted."""
        missing = [why for kind, why in zip(self.kinds, self.reasons, strict=True) if kind == "missing"]
        return sorted(why.removeprefix(_RETIRED) for why in missing)


def forward(connection: Connection, workspace_id: UUID, old: str, new: str, released_at: datetime | None) -> Way:
    """The way from a version to one that is based on it. `released_at`: when the latter became active first."""
    rows = connection.execute(load_sql("mapping"), {"workspace_id": workspace_id, "old": old, "new": new}).fetchall()
    from_nodes, to_nodes = [row[0] for row in rows], [row[2] for row in rows]
    return Way(
        workspace_id,
        old,
        new,
        from_nodes,
        to_nodes,
        kinds=[kind for _, _, _, kind in rows],
        reasons=[_WHY[kind].format(spell_path(tuple(path))) for _, path, _, kind in rows],
        touched=list({*from_nodes, *filter(None, to_nodes)}),
        is_new=released_at is None,
        carried_until=released_at,
        left_at=_left_at(connection, workspace_id, new) if released_at is not None else None,
    )


def back(connection: Connection, workspace_id: UUID, old: str, new: str, steps: Iterable[tuple[str, str]]) -> Way:
    """The way from the active version back to an earlier one, which has its own assignments still.

    Nodes that both have alike take them along. Of others, what was assigned since the earlier version was left.

    Args:
        steps: the versions in between, each with the one that is based on it.
    """
    versions = {"workspace_id": workspace_id, "old": old, "new": new}
    lost = query.scalars(connection, load_sql("lost_nodes"), versions)
    touched = set(lost)
    for before, after in steps:
        touched.update(forward(connection, workspace_id, before, after, None).touched)
    left_at = _left_at(connection, workspace_id, new)
    return Way(
        workspace_id,
        old,
        new,
        from_nodes=lost,
        to_nodes=[None] * len(lost),
        kinds=["lost"] * len(lost),
        reasons=[""] * len(lost),
        touched=list(touched),
        since=left_at,
        left_at=left_at,
    )


def carry_ahead(connection: Connection, way: Way) -> None:
    """Carry what there is now, some documents at a time, each in a transaction of its own."""
    written = sum(_carry_alone(connection, way, documents) for documents in _batches(documents_of(connection, way)))
    if written >= MANY_ROWS:
        with connection.transaction():
            connection.execute("ANALYZE doc_taxonomy")


@again
def _carry_alone(connection: Connection, way: Way, documents: Sequence[UUID]) -> int:
    with connection.transaction():
        return carry(connection, way, documents).written


def carry(connection: Connection, way: Way, documents: Sequence[UUID], writes: bool = True) -> Carried:
    """Make the assignments of documents in the new version what they are to be, in the caller's transaction.

    `writes` false: what would become of them is only counted.
    """
    statement = sql.SQL(load_sql("carry")).format(landed=sql.SQL(load_sql("landed")))
    with connection.cursor(row_factory=class_row(Carried)) as cursor:
        # Planned for so many documents: a plan for any number goes through all rows once for each of them.
        carried = cursor.execute(statement, _parameters(way, documents, writes=writes), prepare=False).fetchone()
    assert carried is not None  # a sum
    return carried


def finish(connection: Connection, way: Way) -> Carried:
    """Carry everything, note what ended, and let what people said of merged nodes hold for their successors.

    In the transaction that releases the version, in which nobody else can assign topics.

    Raises:
        ArcanaError: a document would lose all its topics and nothing would say so: a fault of ours. Nothing changes.
    """
    documents = documents_of(connection, way)
    carried = carry(connection, way, documents)
    connection.execute(
        "DELETE FROM taxonomy_ended WHERE workspace_id = %s AND version = %s", [way.workspace_id, way.new]
    )
    ended = sql.SQL(load_sql("carry_ended")).format(landed=sql.SQL(load_sql("landed")))
    changed = query.scalars(
        connection,
        "SELECT DISTINCT doc_id FROM doc_taxonomy WHERE version = %s AND node_id = ANY(%s)",
        [way.old, way.from_nodes],
    )
    connection.execute(ended, _parameters(way, changed))
    merged = _only(way, "merge")
    connection.execute(load_sql("carry_decisions"), _parameters(merged, []))
    parts = sum(getattr(carried, outcome) for outcome in OUTCOMES)
    uncovered = query.scalar(connection, load_sql("uncovered_documents"), _parameters(way, []))
    if uncovered or parts != carried.assignments:
        raise ArcanaError(
            f"{uncovered} documents would have no topic in {way.new} and nothing would say why; of "
            f"{carried.assignments} assignments {parts} are accounted for. Nothing was released; please report this."
        )
    return carried


def documents_of(connection: Connection, way: Way) -> list[UUID]:
    """The documents with a topic in one of the two versions, in the order of their ids."""
    return query.scalars(connection, load_sql("carried_documents"), _parameters(way, []))


def _left_at(connection: Connection, workspace_id: UUID, version: str) -> datetime | None:
    found: datetime | None = query.scalar(
        connection, load_sql("left_since"), {"workspace_id": workspace_id, "version": version}
    )
    return found


def _only(way: Way, kind: str) -> Way:
    chosen = [place for place, each in enumerate(way.kinds) if each == kind]
    return replace(
        way, from_nodes=[way.from_nodes[place] for place in chosen], to_nodes=[way.to_nodes[place] for place in chosen]
    )


def _parameters(way: Way, documents: Sequence[UUID], writes: bool = True) -> dict[str, Any]:
    return {
        "workspace_id": way.workspace_id,
        "old": way.old,
        "new": way.new,
        "docs": list(documents),
        "from_nodes": way.from_nodes,
        "to_nodes": way.to_nodes,
        "kinds": way.kinds,
        "reasons": way.reasons,
        "touched": way.touched,
        "since": way.since,
        "is_new": way.is_new,
        "carried_until": way.carried_until,
        "left_at": way.left_at,
        "writes": writes,
    }


def _batches(documents: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for first in range(0, len(documents), DOCUMENTS_A_BATCH):
        yield documents[first : first + DOCUMENTS_A_BATCH]
