"""Between the bytes of a file and their row: nobody takes the bytes for ones that nothing refers to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.locks import wait_for_advisory_lock
from arcana_pipelines.db.query import scalar

_NAMESPACE = 7270042  # the first half of the advisory lock's key; the other is the store's key
_LOCK = "%s, hashtext(%s)"


@contextmanager
def being_stored(connection: Connection, key: str) -> Iterator[None]:
    """Whoever stores bytes under a key, and their row, does so until the block ends. `connection` is in autocommit."""
    wait_for_advisory_lock(connection, _LOCK, [_NAMESPACE, key], lambda: None)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(f"SELECT pg_advisory_unlock({_LOCK})", [_NAMESPACE, key])


@contextmanager
def unless_being_stored(connection: Connection, workspace_id: UUID, key: str) -> Iterator[bool]:
    """Whether bytes are nobody's: neither has a row them, nor is one about to. It stays so until the block ends."""
    if not scalar(connection, f"SELECT pg_try_advisory_lock({_LOCK})", [_NAMESPACE, key]):
        yield False
        return
    try:
        statement = "SELECT 1 FROM stored_file WHERE workspace_id = %s AND storage_key = %s"
        yield scalar(connection, statement, [workspace_id, key]) is None
    finally:
        if not connection.closed:
            connection.execute(f"SELECT pg_advisory_unlock({_LOCK})", [_NAMESPACE, key])
