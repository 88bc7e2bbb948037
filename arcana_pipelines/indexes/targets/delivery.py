"""Delivering to targets what PostgreSQL publishes: a set of documents that wait, not a log of what happened.

A publish puts its documents into `sync_operations` in its own transaction. Who delivers takes some, reads what is
published of them by then, tells the store the difference, and takes them out of the set; killed anywhere, the next does
the same again. Locks are taken in one order: workspace, index, build, target; nothing of the database is held while a
store is talked to, but the right to deliver to this target, which the database frees when its holder's connection ends.
Every transaction here is READ COMMITTED and begins with the index's lock, so that no publish is in between.
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

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import one, rows, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError, CollectionMissing, RowsRefused, TargetUnreachable
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
    document_id: UUID
    seq: int
    held: list[int] | None
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
        published = set(self.published)
        return [chunk for chunk in self.held or () if chunk not in published]


class Delivering:
    """The right to deliver to one target, with its store open."""

    def __init__(self, connection: Connection, target: Target, store: Store, fence: int) -> None:
        self.connection = connection
        self.target = target
        self.store = store
        self._fence = fence
        self.done = Delivery(target.name)

    def deliver(self, until: float) -> None:
        """Deliver all that waits, of the build that serves first; begin what was not begun.

        Raises:
            TargetUnreachable: the store does not answer, or somebody else has taken over. What was told it, it has.
        """
        for build in builds_of_target(self.connection, self.target):
            if build.collection is None:
                build = self._begin(build)
            if build.is_behind or build.state == "filling":
                try:
                    self._catch_up(build, until)
                except CollectionMissing:
                    log.warning(
                        "target '%s' of workspace '%s' has lost the collection '%s': it is filled again",
                        self.target.name, self.target.slug, build.collection,
                    )  # fmt: skip
                    self._catch_up(self._begin(build), until)
        self._name_serving()

    def compare(self, build: BuildOfTarget) -> Parity:
        """Compare the collection of a build with what is published; what differs waits from then on."""
        return compare(self.connection, self.store, self.target, build)

    def _begin(self, build: BuildOfTarget) -> BuildOfTarget:
        """Make the collection of a build, and let all that is published of it wait."""
        target = self.target
        name = build.collection or collection_name(target.slug, target.index_name, build.build, target.index_target_id)
        published = (
            "SELECT coalesce(sum(cardinality(chunk_ids)), 0) FROM published_document WHERE rag_index_build_id = %s"
        )
        size = int(scalar(self.connection, published, [build.build]))
        collection = Collection(
            name, build.dimensions, size, target.slug, target.index_name, build.build, build.made_by
        )
        self.store.make(collection)
        key = self._key(build)
        # Whoever has the right by now: the collection is empty.
        with self.connection.transaction():
            lock_index(self.connection, target.rag_index_id)
            self.connection.execute(load_sql("note_collection"), {**key, "collection": name})
            self.connection.execute(load_sql("begin_filling"), key)
        return replace(build, collection=name, state="filling", is_behind=True)

    def _catch_up(self, build: BuildOfTarget, until: float) -> None:
        """Deliver until nothing waits; then count, and prove a collection that was filled."""
        before = self.done
        refused: list[UUID] = []
        while time.monotonic() < until and (batch := self._take(build, refused)):
            refused += self._deliver(build, batch)
        is_over = time.monotonic() < until
        if self.done != before:
            self._count(build)
        if is_over and build.state == "filling":
            self._prove(build)

    def _deliver(self, build: BuildOfTarget, batch: Sequence[_Dirty]) -> list[UUID]:
        """Returns the documents that the store refuses: found one by one where it refuses some of them."""
        assert build.collection is not None
        changes = self._changes(build, batch)
        try:
            self.store.apply(build.collection, changes)
        except RowsRefused as error:
            if len(batch) > 1:
                return [document for each in batch for document in self._deliver(build, [each])]
            self._note_refused(build, batch[0], error)
            return [batch[0].document_id]
        self._acknowledge(build, batch)
        self.done = replace(
            self.done,
            documents=self.done.documents + len(batch),
            put=self.done.put + len(changes.rows),
            taken=self.done.taken + len(changes.gone),
        )
        return []

    def _take(self, build: BuildOfTarget, refused: list[UUID]) -> list[_Dirty]:
        with self.connection.transaction():
            lock_index(self.connection, self.target.rag_index_id)
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

    def _acknowledge(self, build: BuildOfTarget, batch: Sequence[_Dirty]) -> None:
        documents = [each.document_id for each in batch]
        told = {"documents": documents, "seqs": [each.seq for each in batch], "fence": self._fence}
        with self.connection.transaction():
            lock_index(self.connection, self.target.rag_index_id)
            self.connection.execute(load_sql("acknowledge"), {**self._key(build), **told})
            fence = scalar(
                self.connection,
                "SELECT fence FROM index_target WHERE index_target_id = %s",
                [self.target.index_target_id],
            )
            if fence != self._fence:
                # What we wrote may have come after what the other wrote: both are written again.
                self.connection.execute(load_sql("mark_unknown"), {**self._key(build), "documents": documents})
        if fence != self._fence:
            raise TargetUnreachable(
                f"Another process has taken over the delivery to target '{self.target.name}' of workspace "
                f"'{self.target.slug}', or the target was dropped. It goes on there."
            )

    def _note_refused(self, build: BuildOfTarget, refused: _Dirty, error: RowsRefused) -> None:
        reason = {"most": MOST_ATTEMPTS, "reason": str(error)[:200]}
        key = {**self._key(build), "document_id": refused.document_id, "seq": refused.seq}
        with self.connection.transaction():
            parked = scalar(self.connection, load_sql("note_refused"), {**key, **reason})
        log.warning(
            "target '%s' of workspace '%s' refuses document %s%s: %s",
            self.target.name, self.target.slug, refused.document_id, ", which is parked now" if parked else "", error,
        )  # fmt: skip

    def _count(self, build: BuildOfTarget) -> None:
        assert build.collection is not None
        vectors = self.store.count(build.collection)
        self.store.settle(build.collection, vectors)
        with self.connection.transaction():
            lock_index(self.connection, self.target.rag_index_id)
            self.connection.execute(load_sql("note_delivered"), {**self._key(build), "vectors": vectors})

    def _prove(self, build: BuildOfTarget) -> None:
        if self.compare(build).is_equal:
            with self.connection.transaction():
                lock_index(self.connection, self.target.rag_index_id)
                self.connection.execute(
                    "UPDATE target_collection SET state = 'live' "
                    "WHERE index_target_id = %(index_target_id)s AND rag_index_build_id = %(build)s",
                    self._key(build),
                )
            self._count(build)

    def _name_serving(self) -> None:
        """Where the build that serves is here and live, let the store's own name for it point there."""
        for build in builds_of_target(self.connection, self.target):
            if build.is_serving and build.state == "live" and build.build != self.target.serving_build_id:
                assert build.collection is not None
                target = self.target
                self.store.name_serving(
                    alias_name(target.slug, target.index_name, target.index_target_id), build.collection
                )
                self._count(build)
                with self.connection.transaction():
                    self.connection.execute(
                        "UPDATE index_target SET serving_build_id = %s WHERE index_target_id = %s",
                        [build.build, target.index_target_id],
                    )

    def _key(self, build: BuildOfTarget) -> dict[str, Any]:
        return {"index_target_id": self.target.index_target_id, "build": build.build}


def deliver(database: Database, target: Target, *, seconds: float, waits: bool = True) -> Delivery:
    """Deliver to a target what waits for it; what fails is noted, and told in the report.

    Args:
        seconds: no batch is begun after so long.
        waits: where another process delivers to it, wait for that; otherwise leave it to that one.
    """
    started = time.monotonic()
    with database.own_connection() as connection:
        if not has_work(connection, target):
            return Delivery(target.name, parked=target.parked)
        done = Delivery(target.name)
        try:
            with _delivering(database, connection, target, min(seconds, PATIENCE_SECONDS) if waits else 0.0) as right:
                try:
                    right.deliver(started + seconds)
                finally:
                    done = right.done
        except ArcanaError as error:
            done = replace(done, error=str(error))
        left = one(connection, dict, load_sql("waiting"), {"index_target_id": target.index_target_id})
    return replace(done, **left, seconds=time.monotonic() - started)


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

    Raises:
        TargetUnreachable: the store does not answer, or another process delivers to it for too long.
    """
    before = deliver(database, target, seconds=seconds)
    if before.error is not None:
        raise TargetUnreachable(before.error)
    parity = None
    with database.own_connection() as connection:
        serving = next((each for each in builds_of_target(connection, target) if each.is_serving), None)
        if serving is not None and serving.collection is not None:
            with _delivering(database, connection, target, PATIENCE_SECONDS) as right:
                parity = right.compare(serving)
    repair = deliver(database, target, seconds=seconds) if parity and not parity.is_equal else Delivery(target.name)
    return Verified(parity, before, repair)


@contextmanager
def _delivering(database: Database, connection: Connection, target: Target, patience: float) -> Iterator[Delivering]:
    """The right to deliver to a target, its store open. What fails is noted on the target, and raised."""
    fence = _right_to_deliver(connection, target, patience)
    if fence is None:
        raise TargetUnreachable(f"Another process is delivering to target '{target.name}' of '{target.slug}'.")
    key = {"index_target_id": target.index_target_id}
    try:
        with open_store(database.settings, target.kind, target.location) as store:
            yield Delivering(connection, target, store, fence)
    except psycopg.Error:  # it is the database that fails, not the store
        raise
    except Exception as error:  # whatever a library raises, the target waits before it is tried again
        with connection.transaction():
            connection.execute(load_sql("note_failure"), {**key, "error": _said(error)})
        log.warning("target '%s' of workspace '%s': %s", target.name, target.slug, error)
        raise
    else:
        with connection.transaction():
            connection.execute(load_sql("note_success"), key)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", _lock_of(target))


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ArcanaError) else f"{type(error).__name__}: {error}"


def has_work(connection: Connection, target: Target) -> bool:
    """Whether anything is to be told to a target. Nothing is asked of its store."""
    builds = builds_of_target(connection, target)
    serving = next((build.build for build in builds if build.is_serving), None)
    return serving != target.serving_build_id or any(
        build.collection is None or build.is_behind or build.state == "filling" for build in builds
    )


def _lock_of(target: Target) -> list[object]:
    return [_NAMESPACE, str(target.index_target_id)]


def _right_to_deliver(connection: Connection, target: Target, patience: float) -> int | None:
    """The number of who delivers from now on; None while another does."""
    until = time.monotonic() + patience
    while not scalar(connection, "SELECT pg_try_advisory_lock(%s, hashtext(%s))", _lock_of(target)):
        if time.monotonic() >= until:
            return None
        time.sleep(_LOOK_SECONDS)
    with connection.transaction():
        fence: int | None = scalar(
            connection,
            "UPDATE index_target SET fence = fence + 1 WHERE index_target_id = %s RETURNING fence",
            [target.index_target_id],
        )
    return fence
