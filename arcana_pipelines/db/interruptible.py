"""A connection that an interrupt ends at once, and whose transactions may be checked, or act for a company."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Transaction
from psycopg.pq import TransactionStatus

from arcana_pipelines.db.reader import company_role
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import NoRoleForCompany

load_sql = statements_beside(__file__)


class InterruptibleConnection(psycopg.Connection[Any]):
    """A connection that an interrupt in the middle of a statement ends, there and at the server.

    psycopg does so for Ctrl-C alone; Dagster raises another exception. Left open, the connection would take the late
    answer for that of its next statement.
    """

    # Called in each transaction before it is committed. What it raises keeps the transaction from being committed.
    before_commit: Callable[[], None] | None = None

    # When the pool had it back.
    given_back_at = 0.0

    # Whose rows are seen. Set again in each transaction, for it ends with that.
    company: UUID | None = None

    # Whether private notes and the like are among them.
    sees_internal = False

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Transaction]:
        """See `psycopg.Connection.transaction`."""
        is_outermost = self.info.transaction_status is TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if is_outermost and self.company is not None:
                self._become(self.company)
            yield transaction
            if is_outermost and self.before_commit is not None and not self.read_only:
                self.before_commit()

    @contextmanager
    def acting_for(self, company: UUID, sees_internal: bool = False) -> Iterator[None]:
        """Let every transaction, and each statement outside of one, see what is this company's and nothing else.

        What is internal of it, such as private notes, is seen with `sees_internal` alone.
        """
        self.company, self.sees_internal, self.cursor_factory = company, sees_internal, _CursorOfCompany
        try:
            yield
        finally:
            self.company, self.sees_internal, self.cursor_factory = None, False, psycopg.Cursor

    def _become(self, company: UUID) -> None:
        internal = "on" if self.sees_internal else "off"
        role = {"company_id": str(company), "role": company_role(company), "internal": internal}
        try:
            psycopg.Cursor(self).execute(load_sql("become_company"), role)
        except (psycopg.errors.InvalidParameterValue, psycopg.errors.InsufficientPrivilege) as error:
            raise NoRoleForCompany(
                f"The database's user '{self.info.user}' cannot act for the company {company}: {error}. "
                "docs/operating.md has which roles a database needs that serves companies."
            ) from error

    def has_news(self) -> bool:
        """Whether the server has sent something that nobody has read, the end of the connection for instance."""
        if self.closed:
            return True
        ready = select.poll()  # `select` knows 1,024 descriptors: a server may have more connections
        ready.register(self.fileno(), select.POLLIN)
        return bool(ready.poll(0))

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


def hides_internal(connection: psycopg.Connection[Any]) -> bool:
    """Whether the database shows nothing internal (private notes) over this connection now."""
    if not isinstance(connection, InterruptibleConnection):
        return False
    return connection.company is not None and not connection.sees_internal


class _CursorOfCompany(psycopg.Cursor[Any]):
    """Executes nothing outside a transaction, where it would act for nobody."""

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """See `psycopg.Cursor.execute`."""
        with self._in_transaction():
            return super().execute(*arguments, **options)

    def executemany(self, *arguments: Any, **options: Any) -> None:
        """See `psycopg.Cursor.executemany`."""
        with self._in_transaction():
            super().executemany(*arguments, **options)

    def stream(self, *arguments: Any, **options: Any) -> Any:
        """Refused: its rows would outlast the transaction."""
        raise psycopg.NotSupportedError("for a company rows are fetched, not streamed")

    def copy(self, *arguments: Any, **options: Any) -> Any:
        """Refused: what is a company's is read by statements."""
        raise psycopg.NotSupportedError("for a company nothing is copied")

    def _in_transaction(self) -> AbstractContextManager[Any]:
        is_idle = self.connection.info.transaction_status is TransactionStatus.IDLE
        return self.connection.transaction() if is_idle else nullcontext()


@contextmanager
def ending(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """At an end that hides no error: a connection that cannot be set right is closed, and the pool drops it."""
    try:
        yield
    except psycopg.Error:
        connection.close()
