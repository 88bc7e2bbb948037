"""What was removed long ago is forgotten for good."""

from __future__ import annotations

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.ledger import files
from arcana_pipelines.ledger.generations import Generation

load_sql = statements_beside(__file__)


def purge(connection: Connection, generation: Generation, days: int) -> int:
    """Delete pages that were removed more than `days` days ago, with everything made of them; returns how many.

    A page that comes back later is a new page. Chunks that were replaced so long ago go as well, and old records of
    syncs.
    """
    key = {"workspace_id": generation.workspace_id, "days": days}
    with connection.transaction():
        # Before the pages on which they hang. Bytes leave the store when it is swept.
        connection.execute(load_sql("purge_files"), key)
        files.read_holders_again(connection, generation.workspace_id)
        purged: int = scalar(connection, load_sql("purge_removed"), key)
        if purged:
            connection.execute(load_sql("purge_embeddings"), key)
        connection.execute(load_sql("purge_chunks"), key)
        connection.execute(load_sql("purge_terms"), key)
        connection.execute(load_sql("purge_records"), key)
        # Whole tables are joined, whatever the planner takes them for.
        connection.execute("SET LOCAL enable_nestloop = off")
        connection.execute(load_sql("purge_passages"), {"workspace_id": generation.workspace_id})
    return purged
