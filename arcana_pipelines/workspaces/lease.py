"""One run at a time a workspace: a lease, which is a row that its holder renews.

A lease is a run's, not a process's: the steps of a run may have a process each, one after the other or side by side.
Each acquisition by another run, or after a crash, counts the row's fencing number up, and each commit of a holder
checks its number in the same transaction: one that was overtaken writes nothing.

Who holds it is alive by two signs. Each of its processes has an advisory lock of its own session, shared by the run's
other processes, which PostgreSQL frees with the connection: after a crash the lease is free at once. And a thread
renews the row: where a host has gone without closing its connection, the lease is free `EXPIRES` after the last time.
A step that ends while others of its run are still to come leaves the lease resting: no process is alive, and it is the
run's for `EXPIRES` all the same.

All times are the database's. Dagster's run queue runs one run a partition as well; this covers what does not pass it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import psycopg

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError, LeaseLost, UnknownWorkspace

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# After the last sign of life. A process may be held up (a laptop sleeps); overtaken, it writes nothing.
EXPIRES = timedelta(seconds=60)
BEAT_SECONDS = 10.0
# How often a run that holds no lease sees whether its session is there still.
SHOWN_SECONDS = 1.0
LOOK_SECONDS = 0.5
# A holder that cannot renew the row, or let go of it, does not wait for the session that keeps it from doing so.
_PATIENCE_SECONDS = 5.0
_NAMESPACE = 7270003  # the first half of the advisory lock's key; the other is the run with the workspace
_ALIVE = "%(namespace)s, hashtext(%(run)s || %(workspace_id)s::text)"


# In the place of a workspace, of a run that works for the whole installation.
NO_WORKSPACE = UUID(int=0)


class Role(StrEnum):
    """What a holder is at: reading the source (and all that follows), or the indexes alone. Both exclude each other."""

    READ = "read"
    INDEX = "index"


def is_alive(connection: Connection, workspace_id: UUID, run: str) -> bool:
    """Whether a process of a run is alive that has, or has had, a workspace's lease, or waits for it.

    Of one without a workspace (`NO_WORKSPACE`): that is `shown_alive`.
    """
    key = {"workspace_id": workspace_id, "run": run, "namespace": _NAMESPACE, "expires": EXPIRES}
    return bool(scalar(connection, load_sql("run_is_alive"), key))


def locked(connection: Connection) -> set[str]:
    """The slugs of the workspaces that a run is at work on, in whatever process. Looks without taking a lease."""
    return set(scalars(connection, load_sql("lease_held"), {"expires": EXPIRES, "namespace": _NAMESPACE}))


@contextmanager
def workspace_lease(
    database: Database,
    workspace_id: UUID,
    slug: str,
    run: str,
    role: Role = Role.READ,
    *,
    rests: bool = False,
    is_over: Callable[[str], bool] = lambda run: False,
) -> Iterator[Lease]:
    """Hold a workspace's lease for a run; waits for the run that holds it now, for hours if need be.

    Args:
        run: the id of the run; another process that names the same shares the lease.
        rests: other steps of the run are to come, in processes of their own.
        is_over: whether a run has ended; asked of one whose lease rests.

    Raises:
        UnknownWorkspace: it was removed.
    """
    connection = database.connect()
    try:
        with database.telling_in_words(connection):
            fencing = _wait_for(connection, workspace_id, slug, run, role, is_over)
    except BaseException:
        connection.close()
        raise
    lease = Lease(database, connection, workspace_id, slug, run, fencing)
    with lease.renewed(rests):
        yield lease


@contextmanager
def shown_alive(database: Database, run: str) -> Iterator[None]:
    """Let `is_alive` say of a run without a workspace that this process works for it, until the block ends.

    Nothing is held. A session that is lost, as when the server is started anew, is made anew before who looks for it
    looks twice.
    """
    key = {"workspace_id": NO_WORKSPACE, "run": run, "namespace": _NAMESPACE}
    connection = database.connect()
    is_ending = threading.Event()

    def show() -> None:
        nonlocal connection
        is_told = False
        while not is_ending.wait(SHOWN_SECONDS):
            try:
                if connection.closed:
                    connection = database.connect()
                    _show_alive(connection, key)
                connection.execute("SELECT 1")
                is_told = False
            except (psycopg.Error, ArcanaError) as error:
                if not is_told:
                    log.warning("run %s cannot show that it is alive: %s", run, error)
                is_told = True

    beat = threading.Thread(target=show, name="alive", daemon=True)
    try:
        _show_alive(connection, key)
        beat.start()
        yield
    finally:
        is_ending.set()
        if beat.ident is not None:
            beat.join(2 * _PATIENCE_SECONDS)
        connection.close()


class Lease:
    """A held lease.

    Attributes:
        slug: of the workspace.
        run: the id of the run that holds it.
        fencing: the number of this acquisition.
    """

    def __init__(
        self, database: Database, connection: Connection, workspace_id: UUID, slug: str, run: str, fencing: int
    ) -> None:
        self.slug = slug
        self.run = run
        self.fencing = fencing
        self._database = database
        self._connection = connection
        self._is_ending = threading.Event()
        self._change = threading.Lock()  # of the connection, and of whether it is to end
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._key = {"workspace_id": workspace_id, "run": run, "fencing": fencing, "namespace": _NAMESPACE}

    def check(self, connection: Connection) -> None:
        """Refuse to commit what this transaction has written, unless the lease is still held.

        The row stays locked until the transaction's end, so that no other run overtakes in between.

        Raises:
            LeaseLost: another run has overtaken.
            UnknownWorkspace: the workspace was removed.
        """
        if not scalar(connection, load_sql("lease_check"), self._key):
            raise self._lost(connection)

    def require(self, connection: Connection) -> None:
        """Refuse to go on unless the lease is still held: before what no transaction of the holder covers.

        Raises:
            LeaseLost: another run has overtaken.
            UnknownWorkspace: the workspace was removed.
        """
        if not scalar(connection, load_sql("lease_is_held"), self._key):
            raise self._lost(connection)

    def _lost(self, connection: Connection) -> ArcanaError:
        if not _is_there(connection, self._key["workspace_id"]):
            return UnknownWorkspace.named(self.slug)
        return LeaseLost(
            f"Another run has taken over workspace '{self.slug}', because this one gave no sign of life for "
            f"{EXPIRES.total_seconds():.0f} seconds or lost its connection. What it committed before is kept, and the "
            "other goes on from there."
        )

    @contextmanager
    def renewed(self, rests: bool) -> Iterator[None]:
        """Renew the lease from a thread; in the end let go of it, or let it rest."""
        self._thread.start()
        try:
            yield
        finally:
            if not self.is_over:
                self._end(rests)
            self._connection.close()

    @property
    def is_over(self) -> bool:
        """Whether it was let go: nothing more is written for the workspace."""
        return self._is_ending.is_set()

    def let_go(self) -> None:
        """Free the workspace for other runs before the block ends. Who asks still sees that this process is alive."""
        if not self.is_over:
            self._end(rests=False, is_seen=True)

    def _end(self, rests: bool, is_seen: bool = False) -> None:
        with self._change:
            self._is_ending.set()
        self._thread.join(2 * _PATIENCE_SECONDS)
        # What goes wrong here is no fault of the run: the connection's end frees the lease as well.
        if not self._thread.is_alive():
            with suppress(psycopg.Error):
                self._free(rests, is_seen)

    def _renew(self) -> None:
        while not self._is_ending.wait(BEAT_SECONDS):
            try:
                if self._connection.closed:
                    made = self._database.connect()
                    with self._change:
                        if self._is_ending.is_set():
                            made.close()
                            return
                        self._connection = made
                    _show_alive(made, self._key)
                if self._connection.execute(load_sql("lease_renew"), self._key).rowcount == 0:
                    log.error("workspace '%s' is another run's now, or was removed", self.slug)
                    return
            except (psycopg.Error, ArcanaError) as error:
                log.warning("the lease on workspace '%s' could not be renewed: %s", self.slug, error)

    def _free(self, rests: bool, is_seen: bool) -> None:
        """Free the lease, or let it rest, unless another process of the run is at work."""
        with self._connection.transaction():
            # One process after the other: of two that end at once, the second sees that it is the last.
            self._connection.execute(
                "SELECT FROM workspace_lease WHERE workspace_id = %(workspace_id)s FOR UPDATE", self._key
            )
            if not is_seen:
                self._connection.execute(f"SELECT pg_advisory_unlock_shared({_ALIVE})", self._key)
            self._connection.execute(load_sql("lease_end"), {**self._key, "rests": rests})


def _wait_for(
    connection: Connection, workspace_id: UUID, slug: str, run: str, role: Role, is_over: Callable[[str], bool]
) -> int:
    """Returns the fencing number.

    Asks again and again: a statement that waited would have a snapshot, which CREATE INDEX CONCURRENTLY waits for. A
    holder that makes an index and who waits for the holder would wait for each other.
    """
    _show_alive(connection, {"workspace_id": workspace_id, "run": run, "namespace": _NAMESPACE})
    is_told = False
    while (fencing := _take(connection, workspace_id, slug, run, role)) is None:
        if not is_told:
            log.warning("workspace '%s' %s", slug, _who(connection, workspace_id))
            is_told = True
        _end_rest(connection, workspace_id, is_over)
        time.sleep(LOOK_SECONDS)
    return fencing


def _who(connection: Connection, workspace_id: UUID) -> str:
    """Who holds the lease that is waited for, and until when at the longest."""
    since = "'YYYY-MM-DD HH24:MI:SS'"
    row = connection.execute(
        f"SELECT l.run, to_char(l.heartbeat_at AT TIME ZONE 'UTC', {since}), "
        f"(SELECT to_char(max(g.started_at) AT TIME ZONE 'UTC', {since}) FROM sync_generation g "
        "WHERE g.workspace_id = l.workspace_id AND g.counters->>'run' = l.run) "
        "FROM workspace_lease l WHERE l.workspace_id = %s AND l.run IS NOT NULL",
        [workspace_id],
    ).fetchone()
    if row is None:
        return "is being synced by another run; waiting for it to end"
    run, alive_at, began = row
    begun = f", which began at {began} UTC" if began else ""
    return (
        f"is being synced by another run ({run}{begun}; its last sign of life was at {alive_at} UTC); waiting for it "
        f"to end, or to give no sign of life for {EXPIRES.total_seconds():.0f} seconds, when this one takes over"
    )


def _show_alive(connection: Connection, key: Mapping[str, object]) -> None:
    """Before the row is taken: a holder without it counts as crashed."""
    # Nothing waits for the disk: a commit of the run that does takes the lease's rows before it along.
    connection.execute(
        f"SELECT set_config('lock_timeout', '{_PATIENCE_SECONDS:.0f}s', false), "
        f"set_config('synchronous_commit', 'off', false), pg_advisory_lock_shared({_ALIVE})",
        key,
    )


def _is_there(connection: Connection, workspace_id: object) -> bool:
    return scalar(connection, "SELECT 1 FROM workspace WHERE workspace_id = %s", [workspace_id]) is not None


def _take(connection: Connection, workspace_id: UUID, slug: str, run: str, role: Role) -> int | None:
    """The fencing number, or None while another run holds the lease."""
    parameters = {
        "workspace_id": workspace_id, "run": run, "role": role, "expires": EXPIRES, "namespace": _NAMESPACE
    }  # fmt: skip
    try:
        fencing: int | None = scalar(connection, load_sql("lease_take"), parameters)
        if fencing is None and _make_row(connection, workspace_id):
            fencing = scalar(connection, load_sql("lease_take"), parameters)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.ForeignKeyViolation):  # busy; just now being removed
        return None
    if fencing is None and not _is_there(connection, workspace_id):
        raise UnknownWorkspace.named(slug)
    return fencing


def _make_row(connection: Connection, workspace_id: UUID) -> bool:
    """False where there is one, or no such workspace."""
    made = connection.execute(
        "INSERT INTO workspace_lease (workspace_id) SELECT workspace_id FROM workspace WHERE workspace_id = %s "
        "ON CONFLICT DO NOTHING",
        [workspace_id],
    )
    return made.rowcount == 1


def _end_rest(connection: Connection, workspace_id: UUID, is_over: Callable[[str], bool]) -> None:
    """Free a lease that rests for a run which has ended meanwhile."""
    run = scalar(connection, "SELECT run FROM workspace_lease WHERE workspace_id = %s AND is_resting", [workspace_id])
    if run is not None and is_over(run):
        connection.execute(
            "UPDATE workspace_lease SET run = NULL WHERE workspace_id = %s AND run = %s AND is_resting",
            [workspace_id, run],
        )
