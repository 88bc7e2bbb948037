"""While a backup copies the bytes of files, nothing deletes any that its snapshot of the database names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar

_LOCK = "7270046"  # an advisory lock


@contextmanager
def copying(connection: Connection) -> Iterator[None]:
    """Keep all bytes that are in the store now until the block ends. `connection` is its own, in autocommit."""
    # Waits for who sweeps, which is done in moments and makes no index meanwhile. Several may copy.
    connection.execute(f"SELECT pg_advisory_lock_shared({_LOCK})")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(f"SELECT pg_advisory_unlock_shared({_LOCK})")


@contextmanager
def unless_copied(connection: Connection) -> Iterator[bool]:
    """Whether bytes may be deleted: no backup copies any until the block ends."""
    if not scalar(connection, f"SELECT pg_try_advisory_lock({_LOCK})"):
        yield False
        return
    try:
        yield True
    finally:
        if not connection.closed:
            connection.execute(f"SELECT pg_advisory_unlock({_LOCK})")
