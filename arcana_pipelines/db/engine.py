"""One database: where it is, and pooled connections to it.

What callers get is the psycopg connection, because the work is COPY and plain SQL. SQLAlchemy is imported for the
models and for migrations alone: it takes a third of a search's time to start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg import IsolationLevel

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.interruptible import InterruptibleConnection, ending
from arcana_pipelines.db.pool import NoneIsFree, Pool
from arcana_pipelines.db.server import refuse_reader
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError, DatabaseBusy, DatabaseFull, DatabaseUnreachable, WrongUse
from arcana_pipelines.home import refuse_unfinished
from arcana_pipelines.postgres_address import Address
from arcana_pipelines.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection as SqlalchemyConnection

load_sql = statements_beside(__file__)

Connection = psycopg.Connection[Any]

DAGSTER_SCHEMA = "dagster"
# Has the address of that schema, and stands in each `dagster.yaml` whose tables are in it.
DAGSTER_VARIABLE = "ARCANA_DAGSTER_PG_URL"


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """A transaction that writes nothing and sees the database as it is now, whatever is committed meanwhile."""
    before = connection.isolation_level, connection.read_only
    connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
    try:
        with connection.transaction():
            yield
    finally:
        with ending(connection):
            connection.isolation_level, connection.read_only = before


@contextmanager
def outside_transactions(connection: Connection) -> Iterator[None]:
    """For statements that change something and that no transaction may hold, such as CREATE INDEX CONCURRENTLY."""
    before = connection.execute("SELECT current_setting('default_transaction_read_only')").fetchone()
    assert before is not None
    connection.execute("SET default_transaction_read_only = off")
    try:
        yield
    finally:
        with ending(connection):
            connection.execute("SELECT set_config('default_transaction_read_only', %s, false)", before)


_TAKES_TOO_LONG = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.IdleInTransactionSessionTimeout,
)

# How long a statement, a wait for a lock, and a transaction that does nothing may take ('0': for ever). A sync holds a
# transaction while it asks others, and waits for the readers that an index is made beside. What the server, the
# database or the role says already is left.
_OF_WORK = {"statement_timeout": "0", "lock_timeout": "15min", "idle_in_transaction_session_timeout": "1h"}
_OF_SEARCHES = {"statement_timeout": "30s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "10min"}
_LIMIT = "SELECT set_config('{0}', '{1}', false) WHERE current_setting('{0}') = '0'"
# Who is gone without a word, or whose link was cut, is noticed within a minute: the server by us, and we by the server,
# which then frees what our session had (its transaction, and the sign that a run is alive). Over a Unix socket none of
# it counts. What the address says of it is left.
_AT_US = {"keepalives_idle": "20", "keepalives_interval": "10", "keepalives_count": "3", "tcp_user_timeout": "50000"}
_AT_THE_SERVER = (
    "SELECT set_config('tcp_keepalives_idle', '20', false), set_config('tcp_keepalives_interval', '10', false), "
    "set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '50000', false)"
)
# A schema that is made later and that comes first on the path (one named like the user, say) hides no table of
# ours and gets none.
_OUR_SCHEMA_FIRST = (
    "SELECT set_config('search_path', format('%I, %s', ours.name, current_setting('search_path')), false) "
    f"FROM ({load_sql('our_schema')}) ours WHERE ours.name <> current_schema()"
)


def is_installed(settings: Settings) -> bool:
    """Is there a database to open: one of DATABASE_URL, or an embedded one in ARCANA_HOME?"""
    return settings.database_url is not None or lease.exists(settings.home)


def require_installation(settings: Settings) -> None:
    """Refuse to go on where nothing was installed yet.

    Raises:
        WrongUse: DATABASE_URL is not set, and ARCANA_HOME holds no embedded database, or a half restored one.
    """
    if settings.database_url is None:
        refuse_unfinished(settings.home)
    if not is_installed(settings):
        raise WrongUse(
            f"There is no installation in {settings.home} (ARCANA_HOME; by default .arcana in the current directory), "
            "and DATABASE_URL is not set. Go to the directory of your installation or set ARCANA_HOME. "
            "`arcana restore --from PLACE` brings back one that is lost; `arcana up`, `arcana workspace add` and "
            "`arcana db upgrade` make a new one."
        )


_WHEN_DOWN = 'docs/incidents.md, "PostgreSQL is down"'
# libpq's words for an address, and for a socket, behind which there is no server.
_NOTHING_LISTENS = ("Connection refused", "No such file or directory")

NO_SPACE = (
    "has no space left on its disk. Make some, and run this again: what was stored is kept, and searches show the last "
    "whole version."
)


class Database:
    """The PostgreSQL that holds everything: the one at `DATABASE_URL`, or the embedded one of `ARCANA_HOME`.

    An embedded one that is not there yet is made with `may_create` only: a wrong directory is no reason to make one.

    For searches alone (`only_searches`) the embedded one is used as a role that can read what they need and nothing
    else, and nothing takes long: 30 seconds a statement, 5 seconds for a lock. For a server (`serves`) the same holds,
    and its role reads nothing but for one company at a time (`connection(company=…)`); it may have a URL of its own
    (`SERVE_DATABASE_URL`).
    """

    def __init__(
        self, settings: Settings, only_searches: bool = False, may_create: bool = False, serves: bool = False
    ) -> None:
        self.settings = settings
        # The URL that was given; None: the embedded one is used.
        self._given = (settings.serve_database_url if serves else None) or settings.database_url
        self.only_searches = only_searches or serves
        self._serves = serves
        self._may_create = may_create
        # Set by who restores into it: for everybody else a half restored one is not to be used.
        self.is_being_restored = False
        self._company: UUID | None = None
        self._sees_internal = False

    def for_company(self, company: UUID, sees_internal: bool = False) -> Database:
        """The same database on the same pool, whose every connection acts for this company (see `connection`)."""
        pool = self.pool
        seen = copy(self)
        seen.pool, seen._company, seen._sees_internal = pool, company, sees_internal
        return seen

    def apart(self, **options: Any) -> Database:
        """The same database over one connection of its own (see `connect`), for who may not wait for what others do."""
        seen = copy(self)
        seen.pool = Pool(partial(self.connect, **options), 1, 1)
        return seen

    @cached_property
    def url(self) -> str:
        """The libpq URL, with its password. Starts the embedded server when there is no other.

        Raises:
            WrongUse: there is no embedded database, and none may be made.
            DatabaseUnreachable: the embedded server does not start.
        """
        return self._found(asks=True)

    def _found(self, asks: bool) -> str:
        """The URL; `asks`: the embedded server answers there."""
        if self._given is not None:
            return self._given.get_secret_value()
        if not self._may_create:
            require_installation(self.settings)
        return lease.acquire_lease(self.settings.home, self._role, asks)

    @cached_property
    def address(self) -> Address:
        """The parts of the URL."""
        return Address.parse(self.url)

    @property
    def safe_url(self) -> str:
        """The URL without secrets, for people to read."""
        return self.address.shown

    @property
    def dagster_url(self) -> str:
        """The URL for Dagster's own tables: the same database, the schema `dagster`, psycopg 2.

        psycopg 2 is named because dagster-postgres closes psycopg 3 connections
        (https://github.com/dagster-io/dagster/issues/33958).
        """
        return self.address.sqlalchemy("psycopg2", f"-c search_path={DAGSTER_SCHEMA}", _AT_US)

    @cached_property
    def pool(self) -> Pool:
        """The pool of connections."""
        kept = self.settings.database_pool_size
        return Pool(self.connect, kept, kept + self.settings.database_max_overflow)

    def connect(self, **options: Any) -> InterruptibleConnection:
        """A connection of its own, outside the pool, in autocommit.

        Raises:
            DatabaseUnreachable: nothing answers, or it refuses us.
        """
        try:
            options.setdefault("connect_timeout", 10)
            if "url" not in self.__dict__:
                self.url = self._found(asks=False)
            try:
                return self._connected(**options)
            except psycopg.OperationalError:
                if self._given is not None:
                    raise
                lease.acquire_lease(self.settings.home, self._role)  # it was killed, and is started again
                return self._connected(**options)
        except psycopg.Error as error:
            said = " ".join(self.address.without_secrets(str(error)).split())
            if not said.endswith((".", "?", "!")):
                said += "."
            raise DatabaseUnreachable(
                f"The database at {self.safe_url} cannot be used: {said} {self._what_to_do(said)}"
            ) from error

    def _what_to_do(self, said: str) -> str:
        """About a server that does not let us in, by what libpq says of it."""
        if self._given is None:
            return f"`arcana db check` starts the embedded PostgreSQL, or says why it does not start ({_WHEN_DOWN})."
        if any(words in said for words in _NOTHING_LISTENS):
            return f"Nothing listens there: start that server, or correct DATABASE_URL ({_WHEN_DOWN})."
        return "Check DATABASE_URL."

    @property
    def _role(self) -> str:
        if self._serves:
            return lease.SERVER
        return lease.READER if self.only_searches else lease.WRITER

    def _connected(self, **options: Any) -> InterruptibleConnection:
        options |= {name: value for name, value in _AT_US.items() if name not in self.address.parts}
        connection = InterruptibleConnection.connect(self.url, application_name="arcana", autocommit=True, **options)
        limits = _OF_SEARCHES if self.only_searches else _OF_WORK
        connection.execute(
            "; ".join([*(_LIMIT.format(*limit) for limit in limits.items()), _AT_THE_SERVER, _OUR_SCHEMA_FIRST])
        )
        return connection

    @contextmanager
    def connection(self, company: UUID | None = None, sees_internal: bool = False) -> Iterator[Connection]:
        """A pooled connection in autocommit: statements that belong together stand in `connection.transaction()`.

        Args:
            company: act for this company. Each transaction, and each statement outside of one, then has the rights of
                its role and sees its rows alone, whoever is logged in. COPY and streams are refused.
            sees_internal: for a company, what is internal (private notes, their files and messages) is seen, too.

        Raises:
            NoRoleForCompany: the database has none, or this user may not act as it.
            DatabaseUnreachable: nothing answers, it refuses us, it ends, or all connections are in use for too long.
            DatabaseBusy: a lock or a statement took longer than it may.
            DatabaseFull: the server's disk is full.
            OnlySearches: the user may only search.
        """
        try:
            connection = self.pool.take()
        except NoneIsFree as error:
            most = self.settings.database_pool_size + self.settings.database_max_overflow
            raise DatabaseUnreachable(
                f"All {most} connections of this process have been in use for 30 seconds. Do less at once, or raise "
                "DATABASE_POOL_SIZE."
            ) from error
        try:
            company, sees_internal = company or self._company, sees_internal or self._sees_internal
            acting = nullcontext() if company is None else connection.acting_for(company, sees_internal)
            with self.telling_in_words(connection), acting:
                yield connection
        finally:
            self.pool.give_back(connection)

    @contextmanager
    def in_transactions(self) -> Iterator[SqlalchemyConnection]:
        """A connection of its own of SQLAlchemy, which begins a transaction by itself, for alembic and the models.

        Raises:
            DatabaseFull: the server's disk is full.
        """
        from sqlalchemy import NullPool, create_engine
        from sqlalchemy.exc import DBAPIError

        engine = create_engine(
            "postgresql+psycopg://", creator=self.connect, isolation_level="READ COMMITTED", poolclass=NullPool
        )
        with engine.connect() as connection:
            try:
                yield connection
            except DBAPIError as error:
                if isinstance(error.orig, psycopg.errors.DiskFull) and (told := self._in_words(error.orig, False)):
                    raise told from error
                raise

    @contextmanager
    def own_connection(self) -> Iterator[Connection]:
        """A connection of its own, for statements that no transaction may hold and for locks.

        Raises:
            ArcanaError: see `connection`.
        """
        with self.connect() as connection, self.telling_in_words(connection):
            yield connection

    @contextmanager
    def telling_in_words(self, connection: Connection) -> Iterator[None]:
        """Raise what PostgreSQL says of itself, and no fault of ours, as a sentence (see `connection`)."""
        try:
            yield
        except psycopg.Error as error:
            if isinstance(error, psycopg.errors.InsufficientPrivilege) and not connection.closed:
                refuse_reader(connection)
            told = self._in_words(error, connection.closed)
            if told is None:
                raise
            raise told from error

    def _in_words(self, error: psycopg.Error, lost: bool) -> ArcanaError | None:
        """What the server said, where it is about the server and no fault of ours."""
        said = " ".join(str(error).split())
        at = f"The database at {self.safe_url}"
        own_disk = lost and self._given is None and lease.disk_was_full(self.settings.home)
        if own_disk or isinstance(error, psycopg.errors.DiskFull):
            return DatabaseFull(f"{at} {NO_SPACE}")
        if isinstance(error, _TAKES_TOO_LONG) and "timeout" in said:
            return DatabaseBusy(
                f"{at} took too long: {said}. Another session may hold a lock: `SELECT pid, state, query, "
                "pg_blocking_pids(pid) FROM pg_stat_activity` shows who. Nothing was changed; try again."
            )
        if lost:
            return DatabaseUnreachable(f"{at} ended the connection in the middle of the work: {said}. Try again.")
        return None

    def close(self) -> None:
        """Close pooled connections (the lease on an embedded server stays until the process ends)."""
        if "pool" in self.__dict__:
            self.pool.close()
