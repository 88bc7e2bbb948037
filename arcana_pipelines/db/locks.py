"""PostgreSQL's advisory locks, waited for in a way that lets others work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import LiteralString

from arcana_pipelines.db.engine import Connection

_LOOK_SECONDS = 0.5


def wait_for_advisory_lock(
    connection: Connection, key: LiteralString, parameters: Sequence[object], waiting: Callable[[], object]
) -> None:
    """Take a lock of the session; calls `waiting` once when another session holds it. `key` are the lock's arguments.

    Asks again and again. `pg_advisory_lock` would wait inside a statement, and its snapshot is one that CREATE INDEX
    CONCURRENTLY waits for: a holder that makes an index and who waits for the holder would wait for each other, which
    PostgreSQL does not see where the lock is another connection's. `connection` is in autocommit for the same reason.
    https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
    """
    assert connection.autocommit
    is_told = False
    while connection.execute(f"SELECT pg_try_advisory_lock({key})", parameters).fetchone() != (True,):
        if not is_told:
            waiting()
            is_told = True
        time.sleep(_LOOK_SECONDS)
