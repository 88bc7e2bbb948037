"""From paths to nodes: one statement for a batch, and from memory what was asked before.

A released version never changes, so its paths are kept for as long as there is room, an hour at most. Which version is
the active one is read with every batch, and so is when the asked one was released: what is kept of another release, or
of a workspace that whoever asks may not see, answers nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.errors import TaxonomyNodeNotFoundError, UnknownTaxonomyVersion
from arcana_pipelines.taxonomy.labels import Path, spell_path
from arcana_pipelines.taxonomy.near import Near, near

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

MOST_KEPT = 1000
KEPT_SECONDS = 3600.0
# A path that is nowhere is asked for again and again by whoever misspells it.
NOWHERE_SECONDS = 60.0
MOST_OF_A_STATEMENT = 1000
# How long somebody waits for what another asks.
PATIENCE_SECONDS = 5.0

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class LookupReport:
    """What a process has looked up.

    Attributes:
        asked: paths, each as often as it was asked for.
        distinct: paths, each once a batch.
        hits: of those asked, they that needed no question to the database: asked before, by another thread now, or
            twice in a batch.
        misses: of those asked, they that were asked of the database.
        missing: distinct ones that are no node's.
        expired: paths that were kept for as long as they may be.
        evicted: paths that had to make room.
        size: paths that are kept now.
    """

    asked: int = 0
    distinct: int = 0
    hits: int = 0
    misses: int = 0
    missing: int = 0
    expired: int = 0
    evicted: int = 0
    size: int = 0

    @property
    def hit_rate(self) -> float | None:
        """The share of hits, from 0 to 1; None: nothing was asked."""
        return round(self.hits / self.asked, 4) if self.asked else None

    def since(self, before: LookupReport) -> LookupReport:
        """What was looked up after another report; `size` is that of now."""
        return LookupReport(
            self.asked - before.asked,
            self.distinct - before.distinct,
            self.hits - before.hits,
            self.misses - before.misses,
            self.missing - before.missing,
            self.expired - before.expired,
            self.evicted - before.evicted,
            self.size,
        )


@dataclass(frozen=True, slots=True)
class _Release:
    """A version as it was found: a draft has no `released_at`."""

    workspace_id: UUID
    version: str
    released_at: datetime | None


# A path in a version, or None where it is no node's.
_Answers = dict[Path, UUID | None]


class TopicLookup:
    """Finds the nodes at paths, and keeps what it found. Safe to share by threads."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, most: int = MOST_KEPT, seconds: float = KEPT_SECONDS
    ) -> None:
        """Keep at most so many paths for so long; `clock` gives seconds that only grow."""
        self._lock = threading.Lock()
        self._nodes: _Kept[UUID] = _Kept(most, seconds, clock)
        self._nowhere: _Kept[bool] = _Kept(most, NOWHERE_SECONDS, clock)
        self._near: _Kept[Near] = _Kept(most, NOWHERE_SECONDS, clock)
        self._under_way: dict[Hashable, Future[_Answers]] = {}
        self._asked = self._distinct = self._misses = self._missing = 0
        self._clock = clock
        # Is told how many seconds each call took.
        self.on_found: Callable[[float], object] | None = None

    def find(
        self, connection: Connection, workspace_id: UUID, paths: Collection[Path], version: str | None = None
    ) -> Mapping[Path, UUID]:
        """The nodes at those of the paths that are there, in a version: by default in the active one.

        Raises:
            UnknownTaxonomyVersion: there is no such version, or no active one.
        """
        return self._find(connection, _release(connection, workspace_id, version), paths)

    def require(
        self, connection: Connection, workspace_id: UUID, paths: Collection[Path], version: str | None = None
    ) -> Mapping[Path, UUID]:
        """The nodes at all of the paths.

        Raises:
            TaxonomyNodeNotFoundError: one of them, the first, is no node's.
            UnknownTaxonomyVersion: there is no such version, or no active one.
        """
        release = _release(connection, workspace_id, version)
        found = self._find(connection, release, paths)
        for path in paths:
            if path not in found:
                slug = slug_of(connection, workspace_id)
                log.warning("there is no topic %s in version %s of '%s'", spell_path(path), release.version, slug)
                raise self._not_found(connection, release, path)
        return found

    def one(self, connection: Connection, workspace_id: UUID, path: Path, version: str | None = None) -> UUID:
        """The node at a path. For errors see `require`."""
        return self.require(connection, workspace_id, [path], version)[path]

    def report(self) -> LookupReport:
        """What was looked up since this process began."""
        with self._lock:
            kept = self._nodes
            return LookupReport(
                self._asked, self._distinct, self._asked - self._misses, self._misses, self._missing,
                kept.expired, kept.evicted, len(kept),
            )  # fmt: skip

    def _find(self, connection: Connection, release: _Release, paths: Collection[Path]) -> Mapping[Path, UUID]:
        began = self._clock()
        wanted = dict.fromkeys(paths)
        # A draft is another one tomorrow.
        answers = self._kept(connection, release, wanted) if release.released_at else _ask(connection, release, wanted)
        found = {path: node for path in wanted if (node := answers[path]) is not None}
        with self._lock:
            self._asked += len(paths)
            self._distinct += len(wanted)
            self._missing += len(wanted) - len(found)
            self._misses += 0 if release.released_at else len(wanted)
        if self.on_found is not None:
            self.on_found(self._clock() - began)
        return found

    def _kept(self, connection: Connection, release: _Release, wanted: Iterable[Path]) -> _Answers:
        """From memory, from the database, or from a thread that asks the database for it now."""
        answers: _Answers = {}
        mine: list[Path] = []
        others: dict[Path, Future[_Answers]] = {}
        coming: Future[_Answers] = Future()
        with self._lock:
            for path in wanted:
                key = (release, path)
                if (node := self._nodes.get(key)) is not None or self._nowhere.get(key):
                    answers[path] = node
                elif (under_way := self._under_way.get(key)) is not None:
                    others[path] = under_way
                else:
                    mine.append(path)
                    self._under_way[key] = coming
        if mine:
            answers |= self._asked_for_all(connection, release, mine, coming)
        left = []
        for path, future in others.items():
            try:
                answers[path] = future.result(PATIENCE_SECONDS)[path]
            except (CancelledError, TimeoutError):  # whoever asks has failed, or hangs: this one asks by itself
                left.append(path)
        if left:
            answers |= _ask(connection, release, left)
            with self._lock:
                self._misses += len(left)
        return answers

    def _asked_for_all(
        self, connection: Connection, release: _Release, mine: Sequence[Path], coming: Future[_Answers]
    ) -> _Answers:
        """Ask for paths that other threads may be waiting for, and keep the answers."""
        answers: _Answers | None = None
        try:
            answers = _ask(connection, release, mine)
            return answers
        finally:
            with self._lock:
                self._misses += len(mine)
                for path in mine:
                    del self._under_way[release, path]
                for path, node in (answers or {}).items():
                    if node is not None:
                        self._nodes.put((release, path), node)
                    else:
                        self._nowhere.put((release, path), True)
            if answers is None:
                coming.cancel()
            else:
                coming.set_result(answers)

    def _not_found(self, connection: Connection, release: _Release, path: Path) -> TaxonomyNodeNotFoundError:
        key = (release, path)
        with self._lock:
            known = self._near.get(key) if release.released_at else None
        if known is None:
            known = near(connection, release.workspace_id, release.version, path)
            with self._lock:
                self._near.put(key, known)
        return _error(connection, release, path, known)


def not_found(connection: Connection, workspace_id: UUID, version: str, path: Path) -> TaxonomyNodeNotFoundError:
    """The error that there is no node at a path, with what is near it."""
    release = _Release(workspace_id, version, None)
    return _error(connection, release, path, near(connection, workspace_id, version, path))


def no_active_version(connection: Connection, workspace_id: UUID) -> UnknownTaxonomyVersion:
    """The error that no version of a workspace's taxonomy is active."""
    slug = slug_of(connection, workspace_id)
    return UnknownTaxonomyVersion(
        f"The workspace '{slug}' has no active taxonomy: `arcana taxonomy import {slug} FILE` makes a version, and "
        f"`arcana taxonomy promote {slug} VERSION` puts it into force."
    )


class _Kept(Generic[Value]):
    """Values for so long, as many as fit: the one that was asked for longest ago makes room. Not safe for threads."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._held: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self.expired = self.evicted = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable) -> Value | None:
        held = self._held.get(key)
        if held is None:
            return None
        ends, value = held
        if ends <= self._clock():
            del self._held[key]
            self.expired += 1
            return None
        self._held.move_to_end(key)
        return value

    def put(self, key: Hashable, value: Value) -> None:
        self._held[key] = (self._clock() + self._seconds, value)
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
            self.evicted += 1


def _release(connection: Connection, workspace_id: UUID, version: str | None) -> _Release:
    row = query.find(
        connection, _Release, load_sql("lookup_version"), {"workspace_id": workspace_id, "version": version}
    )
    if row is None:
        if version is None:
            raise no_active_version(connection, workspace_id)
        raise _unknown(connection, workspace_id, version)
    return row


def _unknown(connection: Connection, workspace_id: UUID, version: str) -> UnknownTaxonomyVersion:
    slug = slug_of(connection, workspace_id)
    return UnknownTaxonomyVersion(
        f"The taxonomy of '{slug}' has no version '{version}': `arcana taxonomy status {slug}` lists those there are."
    )


def _ask(connection: Connection, release: _Release, paths: Iterable[Path]) -> _Answers:
    wanted = list(paths)
    answers: _Answers = dict.fromkeys(wanted)
    for first in range(0, len(wanted), MOST_OF_A_STATEMENT):
        part = wanted[first : first + MOST_OF_A_STATEMENT]
        rows = connection.execute(
            load_sql("lookup"),
            {"workspace_id": release.workspace_id, "version": release.version, "paths": storable_json(part)},
        )
        answers.update((part[position - 1], node_id) for position, node_id in rows)
    return answers


def slug_of(connection: Connection, workspace_id: UUID) -> str:
    """What people call a workspace; its id where it is gone, or is another company's."""
    slug = query.scalar(connection, "SELECT slug FROM workspace WHERE workspace_id = %s", [workspace_id])
    return slug or str(workspace_id)


def _error(connection: Connection, release: _Release, path: Path, known: Near) -> TaxonomyNodeNotFoundError:
    slug = slug_of(connection, release.workspace_id)
    meant = f" (did you mean {_or(known.similar)}?)" if known.similar else ""
    there = f"there are {', '.join(map(_quoted, known.available))}, …, and " if known.available else ""
    return TaxonomyNodeNotFoundError(
        f"There is no topic {_quoted(path)} in version {release.version} of the taxonomy of '{slug}'{meant}: {there}"
        f"`arcana taxonomy show {slug}` lists all.",
        path,
        release.version,
        known.available,
        known.similar,
    )


def _quoted(path: Path) -> str:
    return f"'{spell_path(path)}'"


def _or(paths: Sequence[Path]) -> str:
    *first, last = map(_quoted, paths)
    return f"{', '.join(first)} or {last}" if first else last


# Of this process.
lookup = TopicLookup()
