"""A connection that an interrupt ends at once, and whose transactions may be checked before they are committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import Transaction
from psycopg.pq import TransactionStatus


class InterruptibleConnection(psycopg.Connection[Any]):
    """A connection that an interrupt in the middle of a statement ends, there and at the server.

    psycopg does so for Ctrl-C alone; Dagster raises another exception. Left open, the connection would take the late
    answer for that of its next statement.
    """

    # Called in each transaction before it is committed. What it raises keeps the transaction from being committed.
    before_commit: Callable[[], None] | None = None

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Transaction]:
        """See `psycopg.Connection.transaction`."""
        is_outermost = self.info.transaction_status is TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as transaction:
            yield transaction
            if is_outermost and self.before_commit is not None and not self.read_only:
                self.before_commit()

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """See `psycopg.Connection.wait`."""
        try:
            return super().wait(gen, *arguments, **options)
        except Exception:
            raise
        except BaseException:
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=1)
            self.close()
            raise

    @contextmanager
    def fenced(self, check: Callable[[], None]) -> Iterator[None]:
        """Write in transactions alone, each checked before it is committed; PostgreSQL refuses any other statement."""
        try:
            self.before_commit, self.read_only = check, False
            self.execute("SET default_transaction_read_only = on")
            yield
        finally:
            self.before_commit = None
            with ending(self):
                self.read_only = None
                self.execute("RESET default_transaction_read_only")


@contextmanager
def ending(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """At an end that hides no error: a connection that cannot be set right is closed, and the pool drops it."""
    try:
        yield
    except psycopg.Error:
        connection.close()
