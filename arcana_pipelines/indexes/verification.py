"""Is a build fit to serve? Its counts are compared with the documents, its vectors looked at, its recall measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import one
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import Build
from arcana_pipelines.indexes.targets.pgvector.ann import ensure_recall

load_sql = statements_beside(__file__)

LEAST_RECALL = 0.98


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found of a build.

    Attributes:
        documents: those that are in the build.
        chunks: those that are in it.
        left_out: documents that wait in quarantine: not in the build, and no problem of it.
        recall: share (0 to 1) of the true nearest neighbours that its searches find.
        problems: what speaks against serving it, in words.
        at: when; ISO 8601.
    """

    documents: int
    chunks: int
    left_out: int
    recall: float
    problems: tuple[str, ...]
    at: str

    @property
    def passed(self) -> bool:
        """True when nothing speaks against serving the build."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "problems": list(self.problems), "passed": self.passed}


def verify(connection: Connection, build: Build) -> Verification:
    """Verify a build and note the result on it."""
    statement = sql.SQL(load_sql("build_facts")).format(table=sql.Identifier(build.table))
    facts = one(connection, dict, statement, build.params)
    # The effort was measured on other vectors: where it does not do for these, more of it does.
    measured = ensure_recall(connection, build, LEAST_RECALL)
    problems = []
    if facts["missing"]:
        problems.append(f"{facts['missing']} documents are not in it in their latest version")
    if facts["surplus"]:
        problems.append(f"{facts['surplus']} documents are in it that were removed")
    if facts["torn"]:
        problems.append(f"{facts['torn']} documents are in it with other chunks than their version was cut into")
    if facts["unsound"]:
        problems.append(f"{facts['unsound']} vectors are zero, infinite or NaN")
    if measured < LEAST_RECALL:
        problems.append(f"the approximate index finds {measured:.3f} of the nearest neighbours, not {LEAST_RECALL}")
    verification = Verification(
        documents=facts["documents"],
        chunks=facts["chunks"],
        left_out=facts["left_out"],
        recall=round(measured, 4),
        problems=tuple(problems),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with connection.transaction():
        connection.execute(
            "UPDATE rag_index_build SET verification = %s, updated_at = now() WHERE rag_index_build_id = %s",
            [Jsonb(verification.as_dict()), build.rag_index_build_id],
        )
    return verification
