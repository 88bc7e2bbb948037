"""Delivering to targets: of a workspace at the end of its sync, and of all workspaces whenever something waits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from uuid import UUID

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.targets.delivery import Delivery, deliver, has_work, verify_target
from arcana_pipelines.indexes.targets.parity import Parity
from arcana_pipelines.indexes.targets.targets import Target, due_targets, is_gone, targets_of
from arcana_pipelines.indexes.targets.unwanted import Place, drop_unwanted, due_places
from arcana_pipelines.workspaces import workspaces

log = logging.getLogger(__name__)

# A sync waits so long for targets that answer. One that is slow gets the rest from who follows the publishes.
SECONDS = 600.0
# The rest of a tick after which no store is begun with.
FOLLOW_SECONDS = 15.0
# Stores that are talked to at once: one that hangs costs the others one of these.
THREADS = 16
# A target that is behind for longer is told to people.
LATE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class TargetsReport:
    """What was told to a workspace's targets, and how they are now.

    Attributes:
        deliveries: one a target to which something was to be delivered.
        targets: all of the workspace's.
    """

    deliveries: list[Delivery]
    targets: list[Target]

    @property
    def problems(self) -> dict[str, str]:
        """By the name of a target, why it is not as PostgreSQL is: it failed, is late, or refuses documents."""
        failed = {each.target: each.error for each in self.deliveries if each.error is not None}
        found = {}
        for target in self.targets:
            late = f"{target.waiting} documents wait, for {target.lag_seconds:.0f} s" if is_late(target) else None
            parked = f"it refuses {target.parked} documents" if target.parked else None
            if not target.is_paused and (problem := failed.get(target.name) or late or parked):
                found[target.name] = problem
        return found


def is_late(target: Target) -> bool:
    """Whether somebody should know how long a target has been behind."""
    return not target.is_paused and target.lag_seconds > LATE_SECONDS


def deliver_all(
    database: Database, workspace_id: UUID, seconds: float = SECONDS, *, waits: bool = True
) -> TargetsReport:
    """Deliver to the targets of a workspace that are not paused, all at once.

    What fails is told in the report and noted on the targets: nothing that is published depends on a target.

    Args:
        seconds: no batch is begun after so long.
        waits: see `deliver`.
    """
    with database.connection() as connection:
        targets = targets_of(connection, workspace_id)
        behind = [target for target in targets if not target.is_paused and has_work(connection, target)]
    if not behind:
        return TargetsReport([], targets)
    done: list[Delivery] = []
    _at_once([_deliver(database, target, seconds, waits, done) for target in behind], seconds, None)
    with database.connection() as connection:
        return TargetsReport(done, targets_of(connection, workspace_id))


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison of a target with PostgreSQL found.

    Attributes:
        target: its name.
        parity: None where it could not be compared, or has nothing of a build that serves.
        error: why it could not be compared.
    """

    target: str
    parity: Parity | None
    error: str | None = None

    @property
    def is_well(self) -> bool:
        """True where nothing differed, or there was nothing to compare."""
        return self.error is None and (self.parity is None or self.parity.is_equal)


def compare_all(database: Database, slug: str) -> list[Compared]:
    """Compare the targets of a workspace that are not paused with PostgreSQL; what differs is delivered again."""
    with database.connection() as connection:
        targets = targets_of(connection, workspaces.find(connection, slug).workspace_id)
    return [_compared(database, target) for target in targets if not target.is_paused]


def _compared(database: Database, target: Target) -> Compared:
    try:
        return Compared(target.name, verify_target(database, target).parity)
    except ArcanaError as error:
        return Compared(target.name, None, str(error))


@dataclass(frozen=True, slots=True)
class Followed:
    """What one turn of following did.

    Attributes:
        deliveries: those that ended in its time.
        due: targets to which something was to be delivered.
        dropped: collections that nobody wants any more, and that their stores have no more.
    """

    deliveries: list[Delivery]
    due: int
    dropped: int


def follow_once(database: Database, seconds: float = FOLLOW_SECONDS) -> Followed:
    """Deliver to all targets that are due, and drop collections that nobody wants any more, all at once.

    Returns after so many seconds also where a store has not answered by then: it is left to its thread, and meanwhile
    to nobody else.
    """
    with database.connection() as connection:
        _note_lost(connection)
        targets, places = due_targets(connection), due_places(connection)
    if not targets and not places:
        return Followed([], 0, 0)
    done: list[Delivery] = []
    dropped: list[int] = []
    work = [_deliver(database, target, seconds, False, done) for target in targets]
    _at_once([*work, *(_drop(database, place, dropped) for place in places)], seconds, seconds)
    return Followed(done, len(targets), sum(dropped))


def _note_lost(connection: Connection) -> None:
    """Let what is on record of stores whose file or folder is gone be counted: all of it is missing."""
    kept = connection.execute(
        "SELECT index_target_id, location FROM index_target t WHERE NOT is_paused AND EXISTS (SELECT FROM "
        "target_collection c WHERE c.index_target_id = t.index_target_id AND c.is_counted AND c.vector_count > 0)"
    ).fetchall()
    lost = [target for target, location in kept if is_gone(location)]
    if lost:
        with connection.transaction():
            connection.execute(
                "UPDATE target_collection SET is_counted = false WHERE index_target_id = ANY(%s)", [lost]
            )


def _deliver(
    database: Database, target: Target, seconds: float, waits: bool, done: list[Delivery]
) -> Callable[[], None]:
    def work() -> None:
        try:
            done.append(deliver(database, target, seconds=seconds, waits=waits))
        except Exception as error:  # the edge of a thread: the others go on
            log.exception("target '%s' of workspace '%s'", target.name, target.slug)
            done.append(Delivery(target.name, error=f"{type(error).__name__}: {error}"))

    return work


def _drop(database: Database, place: Place, dropped: list[int]) -> Callable[[], None]:
    def work() -> None:
        try:
            dropped.append(drop_unwanted(database, place))
        except Exception:  # as above
            log.exception("collections at %s", place.location)

    return work


def _at_once(work: Iterable[Callable[[], None]], begun: float, most: float | None) -> None:
    """Do each in a thread; returns when all is done, or after `most` seconds. None is begun after `begun` seconds.

    In threads that do not keep the process from ending: a store that hangs is not waited for.
    """
    waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
    for each in work:
        waiting.put(each)
    started = time.monotonic()

    def run() -> None:
        while time.monotonic() - started < begun:
            try:
                next_one = waiting.get_nowait()
            except Empty:
                return
            next_one()

    threads = [threading.Thread(target=run, name="deliver", daemon=True) for _ in range(min(THREADS, waiting.qsize()))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(None if most is None else max(0.0, most - (time.monotonic() - started)))
