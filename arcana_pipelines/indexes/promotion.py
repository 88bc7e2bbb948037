"""Which build of an index serves: one transaction moves it, and readers see the one before or the one after."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from arcana_pipelines.audit.record import Action, record
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import Build, lock_index
from arcana_pipelines.indexes.targets.pgvector import publish

load_sql = statements_beside(__file__)


def switch(connection: Connection, build: Build, action: Action, actor: str | None = None) -> None:
    """Let a build serve in the place of the one that does, with true counts, in one transaction.

    `action` is what that is in the audit log, and `actor` who does it (see `audit.record`).

    Documents that were removed since a retired build last served are taken out of it in the same transaction.
    """
    with connection.transaction():
        lock_index(connection, build.rag_index_id)
        publish.take_out_removed(connection, build)
        before = scalar(
            connection,
            "UPDATE rag_index_build SET state = 'retired', retired_at = now(), updated_at = now() "
            "WHERE rag_index_id = %s AND state = 'active' RETURNING rag_index_build_id",
            [build.rag_index_id],
        )
        _on(
            connection,
            build,
            "UPDATE rag_index_build SET state = 'active', promote_when_verified = false, promoted_at = now(), "
            "retired_at = NULL, updated_at = now() WHERE rag_index_build_id = %(build)s",
        )
        _on(connection, build, load_sql("serve_build"))
        for stage in ("content_stage", "chunk_stage"):
            connection.execute(
                f"DELETE FROM {stage} t USING rag_index_build b WHERE b.rag_index_build_id = t.rag_index_build_id "
                "AND b.rag_index_id = %s AND b.state = 'retired'",
                [build.rag_index_id],
            )
        details = {"build": build.rag_index_build_id, "before": before}
        record(connection, actor, action, build.index_name, workspace_id=build.workspace_id, details=details)


def previous_build(builds: list[Build]) -> Build | None:
    """Of one index's builds, the one that served before the serving one; None when there is none left."""
    retired = [build for build in builds if build.state == "retired" and build.promoted_at is not None]
    return max(retired, key=lambda build: build.promoted_at, default=None)  # type: ignore[arg-type, return-value]


def _on(connection: Connection, build: Build, statement: LiteralString) -> None:
    table = sql.Identifier(build.table)
    connection.execute(sql.SQL(statement).format(table=table, name=sql.Literal(build.table)), build.params)
