"""Where what is only read is read: from a replica of the database while there is one that is near enough, else from the
database. Keys are looked at in the database, and whatever is written is written there.

An answer says in `X-Arcana-Seq` how often the index that it is of had changed when it was read, or less: that number is
read first, over the same connection. Who knows of a change asks for it in `X-Arcana-Min-Seq`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Literal, TypeVar, cast
from uuid import UUID

import anyio
import psycopg
from anyio.to_thread import run_sync
from fastapi import Depends, Header
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.interruptible import InterruptibleConnection
from arcana_pipelines.db.replica import Replica
from arcana_pipelines.errors import ArcanaError, DatabaseBusy, DatabaseUnreachable, NoRoleForCompany
from arcana_pipelines.keys.asked import AskedIndex, find_asked
from arcana_pipelines.web.beside import done_beside
from arcana_pipelines.web.gate import Opened
from arcana_pipelines.web.use import Use, use_now

log = logging.getLogger(__name__)

SEQ, LEAST_SEQ = "X-Arcana-Seq", "X-Arcana-Min-Seq"
# How often the replica is looked at, and how long an answer of it is waited for.
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 2.0

ReadOutcome = Literal["replica", "behind", "conflict", "failed", "unread"]
"""How a read went that a replica may answer: it did; it lacks what was asked for; what it replayed ended the read; it
failed; or it is not read now. All but the first were answered by the database."""

T = TypeVar("T")
# What only a standby says: it replays what the read is in the way of, or it may not do what was asked of it.
_CONFLICTS = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.ReadOnlySqlTransaction,
)


class Reads:
    """Reads for those who have a key. Safe to share between threads.

    Attributes:
        replica: None: there is none.
    """

    def __init__(self, database: Database, note: Callable[[ReadOutcome], None] = lambda outcome: None) -> None:
        """`note` hears how each read went, where there is a replica."""
        self._database = database
        self._note = note
        self.replica = Replica(database) if database.settings.search_database_url is not None else None
        # Of looks alone: that requests have all other threads says nothing of the replica.
        self._threads = anyio.CapacityLimiter(1)

    def read(self, company_id: UUID, opened: Opened, work: Callable[[Connection], T]) -> T:
        """What `work` reads of an index that the gate has opened, over a connection that acts for the company.

        Where the replica cannot answer it is asked of the database, from its beginning.
        """
        assert opened.index is not None
        found = self.on_replica(company_id, opened, lambda connection, index: work(connection))
        if found is not None:
            return found[0]
        with self._database.connection(company_id, opened.sees_internal) as connection:
            had = work(connection)
        note_seen(opened, opened.index)
        return had

    def on_replica(
        self, company_id: UUID, opened: Opened, work: Callable[[Connection, AskedIndex], T]
    ) -> tuple[T] | None:
        """The same from the replica alone; None: it has to be asked of the database.

        `work` gets the index as the replica has it, too.
        """
        index: AskedIndex | None = None

        def find(connection: Connection) -> Callable[[Connection], T] | None:
            nonlocal index
            index = there = _index_there(connection, company_id, opened)
            return None if there is None else lambda acting: work(acting, there)

        found = self._tried(company_id, opened.sees_internal, find, lambda: index != opened.index)
        if found is not None and index is not None:
            note_seen(opened, index)
        return found

    def read_any(self, company_id: UUID, sees_internal: bool, work: Callable[[Connection], T]) -> T:
        """The same of whatever is the company's. What the replica refuses, for it is not there (yet), the database is
        asked, too."""
        found = self._tried(company_id, sees_internal, lambda connection: work, lambda: True)
        if found is not None:
            return found[0]
        with self._database.connection(company_id, sees_internal) as connection:
            return work(connection)

    def _tried(
        self,
        company_id: UUID,
        sees_internal: bool,
        find: Callable[[Connection], Callable[[Connection], T] | None],
        is_behind: Callable[[], bool],
    ) -> tuple[T] | None:
        """What the replica answers; None: the database has to be asked. `find` says what is to be done, for nobody yet;
        None: it lacks what is asked for. `is_behind`: what it refuses, the database may know."""
        if self.replica is None:
            return None
        if not self.replica.is_read:
            self._note("unread")
            return None
        try:
            with self.replica.database.connection() as connection:
                work = find(connection) if self.replica.is_near(connection) else None
                if work is None:
                    self._note("behind")
                    return None
                with cast(InterruptibleConnection, connection).acting_for(company_id, sees_internal):
                    found = work(connection)
        except (ArcanaError, psycopg.Error) as error:
            self._note(self._outcome_of(error, is_behind()))
            return None
        self._note("replica")
        return (found,)

    def _outcome_of(self, error: ArcanaError | psycopg.Error, is_behind: bool) -> ReadOutcome:
        """What an error means for the read.

        Raises:
            ArcanaError, psycopg.Error: the error, where the database would say the same.
        """
        is_locked = isinstance(error, DatabaseBusy) and isinstance(error.__cause__, psycopg.errors.LockNotAvailable)
        if isinstance(error, _CONFLICTS) or is_locked:
            log.info("the replica ended a read, which the database answers: %s", error)
            return "conflict"
        if isinstance(error, DatabaseUnreachable) and self.replica is not None:
            self.replica.give_up(" ".join(str(error).split()))
            return "failed"
        if isinstance(error, psycopg.Error):
            log.warning("the replica failed in a read, which the database answers: %s", error)
            return "failed"
        if is_behind or isinstance(error, NoRoleForCompany):
            return "behind"  # the database may know what is not there yet
        raise error

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look at the replica now, and every second."""
        if self.replica is None:
            yield
            return
        await self._look(self.replica)
        async with done_beside(self._go_on):
            yield
        self.replica.close()

    async def _go_on(self) -> None:
        assert self.replica is not None
        while True:
            await anyio.sleep(LOOK_SECONDS)
            await self._look(self.replica)

    async def _look(self, replica: Replica) -> None:
        if replica.is_looked_at:  # by one that was given up: each would take a thread for as long as a server hangs
            return
        with anyio.move_on_after(PATIENCE_SECONDS) as patience:
            await run_sync(replica.look, abandon_on_cancel=True, limiter=self._threads)
        if patience.cancelled_caught:
            replica.give_up(f"it did not answer within {PATIENCE_SECONDS:g} seconds")


def _index_there(connection: Connection, company_id: UUID, opened: Opened) -> AskedIndex | None:
    """The index as a replica has it; None: it lacks it, or what was asked for."""
    assert opened.index is not None
    there = find_asked(connection, company_id, opened.slug)
    index = there.index(opened.index.name) if there is not None else None
    is_same = there is not None and there.workspace_id == opened.workspace_id
    return index if is_same and index is not None and index.publish_seq >= use_now().least_seq else None


def note_seen(opened: Opened, index: AskedIndex) -> None:
    """Have the answer say what it was read from."""
    name, seen = f"{opened.slug}/{index.name}", use_now().seen_seqs
    seen[name] = min(index.publish_seq, seen.get(name, index.publish_seq))  # of several reads the oldest counts


async def _note_least(
    least: Annotated[
        int | None,
        Header(
            alias=LEAST_SEQ,
            ge=0,
            le=2**63 - 1,
            description=f"Answer from what the index serves after so many changes: the `{SEQ}` of an answer, or the "
            "`version` of an event.",
        ),
    ] = None,
) -> None:
    use_now().least_seq = least or 0


ASKS_FOR_SEQ = Depends(_note_least)
"""A dependency of routes that a replica may answer."""


class SeqHeaders:
    """Adds to each answer how often the index had changed that it was read from; of several, each with its name."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_seq(message: Message) -> None:
            use: Use | None = scope.get("state", {}).get("use")
            if message["type"] == "http.response.start" and use is not None and use.seen_seqs:
                MutableHeaders(scope=message)[SEQ] = _told(use.seen_seqs)
            await send(message)

        await self.app(scope, receive, with_seq)


def _told(seqs: dict[str, int]) -> str:
    if len(seqs) == 1:
        return str(*seqs.values())
    return ", ".join(f"{name}:{seq}" for name, seq in sorted(seqs.items()))
