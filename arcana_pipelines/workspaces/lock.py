"""One run at a time a workspace, by an advisory lock in PostgreSQL.

Dagster's run queue already runs one run a partition; the lock also covers runs that do not pass the queue
(the command line) and range runs. PostgreSQL releases it when the holder's connection ends, however.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.locks import wait_for_advisory_lock

log = logging.getLogger(__name__)

_NAMESPACE = 7270002  # the first half of the advisory lock's key


def locked(connection: Connection) -> set[str]:
    """The slugs of the workspaces that a run is at work on, in whatever process. Looks without taking a lock."""
    rows = connection.execute(
        "SELECT w.slug FROM workspace w JOIN pg_locks l "
        "ON l.locktype = 'advisory' AND l.classid = %s AND l.granted "
        "AND l.objid = (hashtext(w.workspace_id::text)::bigint & 4294967295)::oid "
        "JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()",
        [_NAMESPACE],
    ).fetchall()
    return {slug for (slug,) in rows}


@contextmanager
def workspace_lock(database: Database, workspace_id: UUID, slug: str) -> Iterator[None]:
    """Hold the workspace's lock; waits for whoever holds it now, for hours if need be."""
    with database.own_connection() as connection:
        wait_for_advisory_lock(
            connection,
            "%s, hashtext(%s)",
            [_NAMESPACE, str(workspace_id)],
            lambda: log.warning("workspace '%s' is being synced by another run; waiting for it to end", slug),
        )
        yield
