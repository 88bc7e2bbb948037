"""Delivering to targets what PostgreSQL publishes: a set of documents that wait, not a log of what happened.

A publish puts its documents into `sync_operations` in its own transaction. Who delivers takes some, reads what is
published of them by then, tells the store the difference, and takes them out of the set; killed anywhere, the next does
the same again. Locks are taken in one order: workspace, index, build, target; nothing of the database is held while a
store is talked to, but the right to deliver to this target, which the database frees when its holder's connection ends.
Every transaction here is READ COMMITTED and begins with the index's lock, so that no publish is in between; then it
looks whether the right is still this process's own. What is one statement and takes one row's lock alone needs neither.

A process that was stopped in the middle of a word to a store, and whose connection ended, may say that word after
others have delivered: once it goes on, it finds out, and lets its documents be delivered anew. A collection has the
number of its maker's right in its name, so that nobody makes one in the place of another's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import one, rows, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError, CollectionMissing, RowsRefused, TargetDiffers, TargetUnreachable
from arcana_pipelines.indexes.builds import lock_index
from arcana_pipelines.indexes.targets.names import alias_name, collection_name
from arcana_pipelines.indexes.targets.parity import Parity, compare
from arcana_pipelines.indexes.targets.protocol import Changes, Collection, Document, Row, Store
from arcana_pipelines.indexes.targets.registry import open_store
from arcana_pipelines.indexes.targets.rows import documents_of, rows_of
from arcana_pipelines.indexes.targets.targets import BuildOfTarget, Target, builds_of_target

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# Documents, and chunks, that are told to a store together: a crash repeats little, and memory is bounded.
DOCUMENTS = 200
CHUNKS = 2_000
# So often a document may be refused.
MOST_ATTEMPTS = 5
# So often a collection is compared and mended before it is made anew, and once more before that is given up.
PROOFS = 2
# So long another who delivers to the same target is waited for.
PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_NAMESPACE = 7270034


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was told to a target.

    Attributes:
        target: its name.
        documents: those that it has now as they are published, or has no more.
        put: rows that it was given.
        taken: rows that it was told to forget.
        seconds: how long it took.
        waiting: documents that still wait.
        parked: documents that it refuses.
        error: why it ended before nothing was left; None where it did not.
    """

    target: str
    documents: int = 0
    put: int = 0
    taken: int = 0
    seconds: float = 0.0
    waiting: int = 0
    parked: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Dirty:
    """A document that waits. `held`: chunks that the target has; None: not known. `tried`: those that it may have."""

    document_id: UUID
    seq: int
    held: list[int] | None
    tried: list[int]
    published: list[int]
    is_published: bool

    @property
    def new(self) -> list[int]:
        """Chunks that the target may lack."""
        held = set(self.held or ())
        return [chunk for chunk in self.published if chunk not in held]

    @property
    def gone(self) -> list[int]:
        """Chunks that it may have too many."""
        return sorted({*(self.held or ()), *self.tried} - set(self.published))


@dataclass(frozen=True, slots=True)
class _Told:
    """What is being told to a store, and is not acknowledged."""

    build: int
    collection: str
    documents: list[UUID]


class _BuildDropped(Exception):
    """A build is no more."""


class Delivering:
    """The right to deliver to one target, with its store open."""

    def __init__(self, connection: Connection, target: Target, store: Store, fence: int) -> None:
        self.connection = connection
        self.target = target
        self.store = store
        self.fence = fence
        self.done = Delivery(target.name)
        self.told: _Told | None = None

    def deliver(self, until: float) -> None:
        """Deliver all that waits, of the build that serves first; begin what was not begun.

        Raises:
            TargetUnreachable: the store does not answer, or somebody else has taken over. What was told it, it has.
            TargetDiffers: the collection that serves does not become equal.
        """
        for build in builds_of_target(self.connection, self.target):
            try:
                try:
                    self._follow(build if build.collection else self.begin(build), until)
                except CollectionMissing:
                    log.warning(
                        "target '%s' of workspace '%s' has lost the collection '%s': it is filled again",
                        self.target.name, self.target.slug, build.collection,
                    )  # fmt: skip
                    self._follow(self.begin(build), until)
            except (_BuildDropped, errors.UndefinedTable) as error:
                log.info("build %s is dropped, and goes from target '%s': %s", build.build, self.target.name, error)

    def compare(self, build: BuildOfTarget) -> Parity:
        """Compare the collection of a build with what is published; what differs waits from then on."""
        parity = compare(self.connection, self.store, self.target, build)
        self._note_parity(build, parity)
        return parity

    def _note_parity(self, build: BuildOfTarget, parity: Parity) -> bool:
        """Returns whether the collection is live now."""
        key = self._key(build)
        with self.changing():
            self.connection.execute(load_sql("mark_different"), key)
            proof = {"is_equal": parity.is_equal, "proof": Jsonb(parity.as_dict())}
            return bool(scalar(self.connection, load_sql("note_parity"), {**key, **proof}) == "live")

    def begin(self, build: BuildOfTarget) -> BuildOfTarget:
        """Let all that is published of a build wait for a collection of a new name, and make that."""
        target = self.target
        name = collection_name(target.slug, target.index_name, build.build, target.index_target_id, self.fence)
        key = self._key(build)
        # First noted and then made: killed in between, who comes next finds it missing.
        with self.changing():
            if not self.connection.execute(load_sql("note_collection"), {**key, "collection": name}).rowcount:
                raise _BuildDropped
            self.connection.execute(load_sql("begin_filling"), key)
            size = scalar(
                self.connection,
                "SELECT coalesce(sum(cardinality(chunk_ids)), 0) FROM published_document WHERE rag_index_build_id = %s",
                [build.build],
            )
        self.told = _Told(build.build, name, [])
        self.store.make(
            Collection(name, build.dimensions, int(size), target.slug, target.index_name, build.build, build.made_by)
        )
        return replace(build, collection=name, state="filling", is_counted=False, is_named=False)

    def _follow(self, build: BuildOfTarget, until: float) -> None:
        self._catch_up(build, until)
        if build.is_serving:
            self._name_serving()

    def _catch_up(self, build: BuildOfTarget, until: float) -> None:
        """Deliver until nothing waits; then count, and prove what serves unless it is live."""
        for proof in range(PROOFS + 1):
            if proof == PROOFS:
                # What no chunk's number names cannot be told to go.
                build = self.begin(build)
            before = self.done.documents
            is_whole = self._empty(build, until)
            state = build.state
            if not build.is_counted or self.done.documents != before:
                state = self._count(build)
            if state == "live" or not (is_whole and build.is_serving):
                return
            parity = compare(self.connection, self.store, self.target, build)
            if self._note_parity(build, parity) or parity.is_equal:
                return
            build = replace(build, is_counted=False)
        raise TargetDiffers(
            f"The target '{self.target.name}' of workspace '{self.target.slug}' does not hold what it was given: "
            f"{parity.missing} rows are missing, {parity.extra} too many and {parity.different} different. Does "
            "somebody else write to its collections? PostgreSQL answers searches until it is equal."
        )

    def _empty(self, build: BuildOfTarget, until: float) -> bool:
        """Deliver batch by batch; true when nothing is left and nothing is refused."""
        refused: list[UUID] = []
        while not self._is_over(until):
            batch = self._take(build, refused)
            if not batch:
                refusing = (
                    "SELECT EXISTS (SELECT FROM sync_operations WHERE index_target_id = %(index_target_id)s "
                    "AND rag_index_build_id = %(build)s AND attempts > 0)"
                )
                return not scalar(self.connection, refusing, self._key(build))
            refused += self._deliver(build, batch)
        return False

    def _is_over(self, until: float) -> bool:
        """No batch is begun any more: for want of time, or because the target was paused meanwhile."""
        paused = "SELECT is_paused FROM index_target WHERE index_target_id = %s"
        return time.monotonic() >= until or bool(scalar(self.connection, paused, [self.target.index_target_id]))

    def _deliver(self, build: BuildOfTarget, batch: Sequence[_Dirty]) -> list[UUID]:
        """Returns the documents that the store refuses: where it refuses some of a batch, halves find them."""
        assert build.collection is not None
        changes = self._changes(build, batch)
        documents = [each.document_id for each in batch]
        self.told = _Told(build.build, build.collection, documents)
        try:
            self.store.apply(build.collection, changes)
        except RowsRefused as error:
            if half := len(batch) // 2:
                return self._deliver(build, batch[:half]) + self._deliver(build, batch[half:])
            self._note_refused(build, batch[0], error)
            return documents
        with self.changing():
            told = {"documents": documents, "seqs": [each.seq for each in batch]}
            self.connection.execute(load_sql("acknowledge"), {**self._key(build), **told})
        self.told = None
        self.done = replace(
            self.done,
            documents=self.done.documents + len(batch),
            put=self.done.put + len(changes.rows),
            taken=self.done.taken + len(changes.gone),
        )
        return []

    def _take(self, build: BuildOfTarget, refused: list[UUID]) -> list[_Dirty]:
        with self.changing():
            limits = {"documents": DOCUMENTS, "chunks": CHUNKS, "except": refused}
            return rows(self.connection, _Dirty, load_sql("take_dirty"), {**self._key(build), **limits})

    def _changes(self, build: BuildOfTarget, batch: Sequence[_Dirty]) -> Changes:
        wanted = [chunk for each in batch for chunk in each.new]
        published = [each.document_id for each in batch if each.is_published]
        return Changes(
            rows=self._rows(build, wanted) if wanted else [],
            gone=[chunk for each in batch for chunk in each.gone],
            whole=[each.document_id for each in batch if each.held is None],
            documents=self._documents(build, published) if published else [],
            removed=[each.document_id for each in batch if not each.is_published],
        )

    def _rows(self, build: BuildOfTarget, wanted: list[int]) -> list[Row]:
        return rows_of(
            self.connection, build.build, wanted, self.target.with_text, with_details=self.store.answers_alone
        )

    def _documents(self, build: BuildOfTarget, published: list[UUID]) -> list[Document]:
        with_text = self.store.answers_alone and self.target.with_text
        return documents_of(self.connection, build.build, published, with_text)

    def _note_refused(self, build: BuildOfTarget, refused: _Dirty, error: RowsRefused) -> None:
        reason = {"most": MOST_ATTEMPTS, "reason": str(error)[:200]}
        key = {**self._key(build), "document_id": refused.document_id, "seq": refused.seq}
        parked = scalar(self.connection, load_sql("note_refused"), {**key, **reason})
        log.warning(
            "target '%s' of workspace '%s' refuses document %s%s: %s",
            self.target.name, self.target.slug, refused.document_id, ", which is parked now" if parked else "", error,
        )  # fmt: skip

    def _count(self, build: BuildOfTarget) -> str | None:
        """Returns the state of the collection: one that has another number of rows than it should is live no more."""
        assert build.collection is not None
        vectors = self.store.count(build.collection)
        self.store.settle(build.collection, vectors)
        with self.changing():
            counted = {**self._key(build), "vectors": vectors}
            state: str | None = scalar(self.connection, load_sql("note_delivered"), counted)
        return state

    def _name_serving(self) -> None:
        """Where the build that serves is here and live, let the store's own name for it point there."""
        target = self.target
        for build in builds_of_target(self.connection, target):
            if build.is_serving and build.state == "live" and not build.is_named:
                assert build.collection is not None
                alias = alias_name(target.slug, target.index_name, target.index_target_id)
                self.store.name_serving(alias, build.collection)
                with self.changing():
                    self.connection.execute(
                        "UPDATE index_target SET serving_build_id = %s WHERE index_target_id = %s",
                        [build.build, target.index_target_id],
                    )
                # The index's own counts are those of what serves.
                self._count(build)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A transaction in which nobody else publishes to the index or delivers to the target.

        Raises:
            TargetUnreachable: the right to deliver is not this process's any more.
        """
        target = self.target
        with self.connection.transaction():
            lock_index(self.connection, target.rag_index_id)
            fence = "SELECT fence FROM index_target WHERE index_target_id = %s"
            if scalar(self.connection, fence, [target.index_target_id]) != self.fence:
                raise TargetUnreachable(
                    f"Another process has taken over the delivery to target '{target.name}' of workspace "
                    f"'{target.slug}', or the target was dropped. It goes on there."
                )
            yield

    def _key(self, build: BuildOfTarget) -> dict[str, Any]:
        return {"index_target_id": self.target.index_target_id, "build": build.build}


def deliver(database: Database, target: Target, *, seconds: float, waits: bool = True) -> Delivery:
    """Deliver to a target what waits for it, unless it is paused; what fails is noted, and told in the report.

    Args:
        seconds: no batch is begun after so long.
        waits: where another process delivers to it, wait for that; otherwise leave it to that one.
    """
    started = time.monotonic()
    with database.own_connection() as connection:
        done = Delivery(target.name)
        has_something = has_work(connection, target)
        if has_something:
            try:
                with delivering(
                    database, connection, target, min(seconds, PATIENCE_SECONDS) if waits else 0.0
                ) as right:
                    try:
                        right.deliver(started + seconds)
                    finally:
                        done = right.done
            except ArcanaError as error:
                done = replace(done, error=str(error))
        left = one(connection, dict, load_sql("waiting"), {"index_target_id": target.index_target_id})
    return replace(done, **left, seconds=time.monotonic() - started if has_something else 0.0)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a comparison found of the build that serves, after all that waited was delivered.

    Attributes:
        parity: None where the target has nothing of it, because no build serves or the store does not answer.
        delivery: what was delivered before.
        repair: what was delivered because it differed.
    """

    parity: Parity | None
    delivery: Delivery
    repair: Delivery


def verify_target(database: Database, target: Target, *, seconds: float = 3600.0) -> Verified:
    """Deliver what waits, compare the collection that serves with what is published, and deliver what differs.

    What the store refused too often is tried once more. To one that is paused nothing is delivered.

    Raises:
        TargetUnreachable: the store does not answer, or another process delivers to it for too long.
    """
    key = {"index_target_id": target.index_target_id}
    with database.own_connection() as connection:
        connection.execute(load_sql("try_again"), key)
        before = deliver(database, target, seconds=seconds)
        if before.error is not None:
            raise TargetUnreachable(before.error)
        parity = None
        serving = next((each for each in builds_of_target(connection, target) if each.is_serving), None)
        if serving is not None and serving.collection is not None:
            with delivering(database, connection, target, PATIENCE_SECONDS) as right:
                parity = right.compare(serving)
    repair = deliver(database, target, seconds=seconds) if parity and not parity.is_equal else Delivery(target.name)
    return Verified(parity, before, repair)


@contextmanager
def delivering(database: Database, connection: Connection, target: Target, patience: float) -> Iterator[Delivering]:
    """The right to deliver to a target, its store open. What fails is noted on the target, and raised."""
    fence = _right_to_deliver(connection, target, patience)
    key = {"index_target_id": target.index_target_id}
    right = None
    try:
        with open_store(database.settings, target.kind, target.location) as store:
            right = Delivering(connection, target, store, fence)
            yield right
    except errors.UndefinedTable as error:
        raise TargetUnreachable(f"The index of target '{target.name}' of '{target.slug}' is being dropped.") from error
    except psycopg.Error:  # it is the database that fails, not the store
        raise
    except Exception as error:  # whatever a library raises, the target waits before it is tried again
        connection.execute(load_sql("note_failure"), {**key, "error": _said(error)})
        log.warning("target '%s' of workspace '%s': %s", target.name, target.slug, error)
        raise
    else:
        connection.execute(load_sql("note_success"), key)
    finally:
        if right is not None and right.told is not None:
            _note_told(database, right, right.told)
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", _lock_of(target))


def _note_told(database: Database, right: Delivering, told: _Told) -> None:
    """What was told and not acknowledged waits still, unless somebody has taken over and acknowledged it.

    On a connection of its own: that of the right may be the reason why somebody could take over.
    """
    target = right.target
    with database.own_connection() as connection, connection.transaction():
        lock_index(connection, target.rag_index_id)
        told_to = {"index_target_id": target.index_target_id, "build": told.build, "fence": right.fence}
        connection.execute(load_sql("mark_unknown"), {**told_to, "documents": told.documents})
        place = {"kind": target.kind, "location": target.location, "collection": told.collection}
        connection.execute(load_sql("note_unwanted"), place)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ArcanaError) else f"{type(error).__name__}: {error}"


def has_work(connection: Connection, target: Target) -> bool:
    """Whether anything is to be told to a target now. Nothing is asked of its store."""
    statement = sql.SQL(
        "SELECT {has_work} FROM index_target t JOIN rag_indexes i USING (rag_index_id) WHERE t.index_target_id = %s"
    ).format(has_work=sql.SQL(load_sql("has_work")))
    return bool(scalar(connection, statement, [target.index_target_id]))


def _lock_of(target: Target) -> list[object]:
    return [_NAMESPACE, str(target.index_target_id)]


def _right_to_deliver(connection: Connection, target: Target, patience: float) -> int:
    """The number of who delivers from now on.

    Raises:
        TargetUnreachable: another process delivers for longer than `patience` (seconds), or the target was dropped.
    """
    until = time.monotonic() + patience
    while not scalar(connection, "SELECT pg_try_advisory_lock(%s, hashtext(%s))", _lock_of(target)):
        if time.monotonic() >= until:
            raise TargetUnreachable(f"Another process is delivering to target '{target.name}' of '{target.slug}'.")
        time.sleep(_LOOK_SECONDS)
    taken = "UPDATE index_target SET fence = fence + 1 WHERE index_target_id = %s RETURNING fence"
    fence: int | None = scalar(connection, taken, [target.index_target_id])
    if fence is None:
        raise TargetUnreachable(f"The target '{target.name}' of workspace '{target.slug}' was dropped.")
    return fence
