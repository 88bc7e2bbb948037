"""A streaming replica of the database, and whether it may be read in the database's place.

How far it is behind is not asked of its clock, nor of its connection to the primary, which may be cut: the primary's
place in the log of changes is noted at each look, and the replica is as old as the first of these that it has not
reached.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import psycopg

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.pool import Pool
from arcana_pipelines.db.query import one, scalar
from arcana_pipelines.db.schema import newest_revision
from arcana_pipelines.db.server import refuse_unbound
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.settings import Settings

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

CONNECT_SECONDS = 2
_NOT_KNOWN = "how far it is behind is not known yet"
# Why one is not read that has more of the log than the database, which was asked after it.
OTHER_HISTORY = (
    "it has replayed more than the database has written: it follows another server, or the database was restored to an "
    "earlier moment; make another (SEARCH_DATABASE_URL)"
)
# Places of the primary that are remembered: an hour of looks.
_MOST_PLACES = 3600


@dataclass(frozen=True, slots=True)
class Position:
    """Where a server is in the log of changes.

    Attributes:
        is_standby: it replays the log of another one.
        position: bytes of the log, from its beginning.
        origin: which database of which installation it is. A replica has its primary's.
        revision: of the schema.
    """

    is_standby: bool
    position: int
    origin: str
    revision: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What was seen of a replica.

    Attributes:
        problem: why it is not read; None: it is.
        lag: seconds that it is behind; None: not known.
    """

    problem: str | None
    lag: float | None = None


class Replica:
    """The replica at SEARCH_DATABASE_URL. Safe to share between threads.

    It is read while the last look found it near enough; `look` is to be called about once a second.

    Attributes:
        database: the replica, as the server reads it.
        standing: what the last look found.
    """

    def __init__(self, primary: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._most_lag = primary.settings.search_replica_lag
        self._places: deque[tuple[float, int]] = deque()
        # Those of as long as it may be behind, and the last one before.
        self._recent: deque[tuple[float, int]] = deque()
        self._has_caught_up = False
        self._primary: Position | None = None
        # What the replica had when it had more than the primary.
        self._ahead = 0
        self._looking = threading.Lock()
        self.database = replica_database(primary.settings)
        # That all connections of those who read are in use says nothing of the servers.
        self._looked_at = [each.apart(connect_timeout=CONNECT_SECONDS) for each in (primary, self.database)]
        self.standing = Standing("it was not looked at yet")

    @property
    def is_read(self) -> bool:
        """Whether it may be read now."""
        return self.standing.problem is None

    @property
    def is_looked_at(self) -> bool:
        """Whether a look waits for one of the servers now."""
        return self._looking.locked()

    def look(self) -> None:
        """Look where it is. What is wrong is in `standing`, and logged when that changes."""
        with self._looking:
            try:
                self._stands(self._seen())
            except (ArcanaError, psycopg.Error) as error:
                self._stands(Standing(" ".join(str(error).split())))

    def _seen(self) -> Standing:
        primary, replica = self._looked_at
        with primary.connection() as connection:
            self._note_place(position_of(connection).position)
        with replica.connection() as connection:
            has = position_of(connection)
            refuse_unbound(connection)
        # Asked again: what the replica has by now, the primary had before.
        with primary.connection() as connection:
            self._primary = position_of(connection)
        return self._standing(self._primary, has)

    def is_near(self, connection: Connection) -> bool:
        """Whether the server of one connection may be read.

        At an address there may be several, and another one than was looked at.
        """
        has, primary = position_of(connection), self._primary
        return primary is not None and problem_of(primary, has) is None and has.position >= self._recent[0][1]

    def give_up(self, why: str) -> None:
        """Read it no more until a look finds it good. Whoever waits for an answer of it finds the connection ended."""
        self._stands(Standing(why))
        for each in (self.database, self._looked_at[1]):
            each.pool.abort()

    def close(self) -> None:
        """Close its connections."""
        for each in (self.database, *self._looked_at):
            each.close()

    def _standing(self, primary: Position, replica: Position) -> Standing:
        if replica.position > primary.position:
            self._ahead = replica.position
        elif replica.position < self._ahead:
            self._ahead = 0  # it was made anew
        # It stays what it is when the primary has written as much of its own.
        if problem := problem_of(primary, replica) or (OTHER_HISTORY if self._ahead else None):
            return Standing(problem)
        while self._places and self._places[0][1] <= replica.position:
            self._places.popleft()
            self._has_caught_up = True
        if not self._has_caught_up:
            return Standing(_NOT_KNOWN)
        lag = self._clock() - self._places[0][0] if self._places else 0.0
        if lag > self._most_lag:
            return Standing(f"it is more than {self._most_lag:g} seconds behind (SEARCH_REPLICA_LAG)", lag)
        return Standing(None, lag)

    def _note_place(self, position: int) -> None:
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
            self._has_caught_up = False
        now = self._clock()
        for places in (self._places, self._recent):
            places.append((now, position))
        while len(self._recent) > 1 and self._recent[1][0] <= now - self._most_lag:
            self._recent.popleft()

    def _stands(self, standing: Standing) -> None:
        before, self.standing = self.standing, standing
        if standing.problem is not None and standing.problem != before.problem:
            log.warning("the replica is not read, the database is: %s", standing.problem)
        elif standing.problem is None and before.problem is not None:
            log.info("searches and documents are read from the replica")


def replica_database(settings: Settings) -> Database:
    """The database at SEARCH_DATABASE_URL, opened to serve."""
    of_replica = {"database_url": settings.search_database_url, "serve_database_url": None}
    database = Database(settings.model_copy(update=of_replica), serves=True)
    kept = settings.database_pool_size
    # Nobody waits long for a server that there is another one for.
    connect = partial(database.connect, connect_timeout=CONNECT_SECONDS)
    database.pool = Pool(connect, kept, kept + settings.database_max_overflow)
    return database


def position_of(connection: Connection) -> Position:
    """Where a server is."""
    return one(connection, Position, load_sql("server_position"))


def history_of(connection: Connection) -> str:
    """Which history of which database a server goes on in: a restore begins another one."""
    return str(scalar(connection, load_sql("server_history")))


def problem_of(primary: Position, replica: Position) -> str | None:
    """Why a server is no replica that may be read in the place of the primary, whatever it has replayed."""
    if primary.origin != replica.origin:
        return "it holds another database than DATABASE_URL (SEARCH_DATABASE_URL)"
    if not replica.is_standby:
        return "it is no standby: what it holds is a history of its own (SEARCH_DATABASE_URL)"
    if replica.revision != newest_revision():
        return f"it has the schema {replica.revision}, and this release needs {newest_revision()}"
    return None
