"""What each request was, written down off its way: who asked, for what, how it went, and what was shown.

What it asked is kept as far as the settings say (`learning.questions`), and nothing of what was answered.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

import anyio
import psycopg
from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Receive, Scope, Send

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import DatabaseUnreachable
from arcana_pipelines.keys.access import Access
from arcana_pipelines.keys.usage import Action, Used, record
from arcana_pipelines.learning.answers import Answer, Asked
from arcana_pipelines.learning.answers import record as record_answers
from arcana_pipelines.web.beside import done_beside
from arcana_pipelines.web.outcomes import answered, route_of

log = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
# How long a stop waits for the last rows.
STOP_SECONDS = 10.0
# What waits for a database that does not answer: some minutes of a busy server, a few megabytes.
MOST_WAITING = 20_000
MOST_ANSWERS = 5_000
_ACTIONS: dict[str, Action] = {
    "search": "search", "documents": "read", "tickets": "read", "workspaces": "read", "taxonomy": "read",
    "syncs": "sync", "administration": "admin",
}  # fmt: skip
_OTHER = "other"
_TOO_MANY = 429

Row = TypeVar("Row")


@dataclass(slots=True)
class Part:
    """What one of several workspaces gave to a search.

    Attributes:
        tokens: of the question, as the workspace's model counts them.
        hits: that were shown.
    """

    tokens: int
    hits: int = 0


@dataclass(slots=True)
class Use:
    """What is known of a request while it is answered.

    Attributes:
        access: what its key may do; None: it had none that is good.
        workspace_id: which workspace it asks for.
        parts: by workspace, where a search asks several.
        action: what it does, where its route does not say it.
        status: how it went, where the answer's own status does not say it.
        hits: that it was given.
        tokens: of its questions.
        asked: what it asked, and what was shown.
        undo: what was counted beforehand, where it is not answered.
        least_seq: it is to be answered from what an index serves after so many changes.
        seen_seqs: how often each index had changed that it was answered from, by `slug/index`.
    """

    access: Access | None = None
    workspace_id: UUID | None = None
    parts: dict[UUID, Part] = field(default_factory=dict)
    action: Action | None = None
    status: int | None = None
    hits: int | None = None
    tokens: int | None = None
    asked: list[Asked] = field(default_factory=list)
    undo: Callable[[], None] | None = None
    least_seq: int = 0
    seen_seqs: dict[str, int] = field(default_factory=dict)

    def take_back(self) -> None:
        """Note an answer no more that nobody is given, because another is made. What it took stays."""
        if self.undo is not None:
            self.undo()
        self.undo = self.hits = None
        self.asked.clear()
        self.seen_seqs.clear()


_NOW: ContextVar[Use | None] = ContextVar("use", default=None)


def use_now() -> Use:
    """The use that is being made, for those that answer to note what they know; also in their threads."""
    return _NOW.get() or Use()


class Log(Generic[Row]):
    """Rows that wait to be written, and the task that writes them. Safe to share between threads."""

    # What the rows are, in words.
    of: ClassVar[str]

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        # One writes at a time, and who flushes knows afterwards that what waited before is written.
        self._writing = threading.Lock()
        self._waiting: deque[Row] = deque()
        self._dropped = 0
        self.is_away = False

    @property
    def waiting(self) -> int:
        """How many rows wait."""
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """How many rows were dropped since rows were last written."""
        return self._dropped

    def add(self, *rows: Row) -> None:
        """Have rows written soon. The oldest are dropped where too many wait."""
        with self._lock:
            self._waiting.extend(rows)
            self._shorten()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write every few seconds, and what is left at the end."""
        async with done_beside(self._go_on):
            yield
        with anyio.move_on_after(STOP_SECONDS):
            await run_sync(self.flush, abandon_on_cancel=True)
        if left := len(self._waiting):
            log.warning("%d rows of %s are lost: the database did not take them.", left, self.of)

    async def _go_on(self) -> None:
        while True:
            await anyio.sleep(FLUSH_SECONDS)
            # What is written is not written twice because of a stop.
            with anyio.CancelScope(shield=True):
                await run_sync(self.flush)

    def flush(self) -> None:
        """Write what waits. It goes on waiting while the database does not answer."""
        with self._writing:
            with self._lock:
                rows, dropped = list(self._waiting), self._dropped
                self._waiting.clear()
            left: list[Row] = []
            error: Exception | None = None
            for group in self._groups(rows) if rows else []:
                if not isinstance(error, DatabaseUnreachable):  # which the others would meet, too
                    error = self._tried(group)
                left += group if error else []
            with self._lock:
                self.is_away = bool(left)
                self._waiting.extendleft(reversed(left))
                self._shorten()
                if rows and not left:
                    self._dropped -= dropped
            if rows and not left and dropped:
                log.warning("%d rows of %s were dropped while the database was away", dropped, self.of)

    def _tried(self, rows: list[Row]) -> Exception | None:
        """Write rows, all or none; returns why they have to wait."""
        try:
            self._write(rows)
        except (psycopg.DataError, psycopg.IntegrityError):
            log.exception("%d rows of %s could not be written, and are lost", len(rows), self.of)
        except Exception as error:  # whatever it is, requests are answered and the next attempt may succeed
            if not self.is_away:
                log.warning("%s waits (%d rows): %s", self.of, len(rows), error)
            return error
        return None

    def _groups(self, rows: list[Row]) -> Iterable[list[Row]]:
        """What is written together."""
        return [rows]

    def _write(self, rows: list[Row]) -> None:
        """Write rows, all or none."""
        raise NotImplementedError

    @property
    def most(self) -> int:
        """How many rows may wait."""
        return MOST_WAITING

    def _shorten(self) -> None:
        while len(self._waiting) > self.most:
            self._waiting.popleft()
            self._dropped += 1


class UseLog(Log[Used]):
    """Requests with a key."""

    of = "what keys were used for"

    def _write(self, rows: list[Used]) -> None:
        with self._database.connection() as connection:
            record(connection, _together(rows))


class SearchLog(Log[Answer]):
    """Answers that keys were given. They are written as their company, so each company's on its own."""

    of = "what was asked"

    @property
    def most(self) -> int:
        """See `Log.most`: one has up to a hundred hits."""
        return MOST_ANSWERS

    def _groups(self, rows: list[Answer]) -> Iterable[list[Answer]]:
        groups: dict[UUID, list[Answer]] = {}
        for row in rows:
            groups.setdefault(row.company_id, []).append(row)
        return groups.values()

    def _write(self, rows: list[Answer]) -> None:
        with self._database.connection(rows[0].company_id) as connection:
            record_answers(connection, rows)


def _together(rows: Sequence[Used]) -> list[Used]:
    """One row of those that were refused alike: whoever does not wait is not written down a thousand times a second."""
    refused = Counter((row.key_id, row.action, row.route) for row in rows if row.status == _TOO_MANY)
    first = {(row.key_id, row.action, row.route): row for row in reversed(rows) if row.status == _TOO_MANY}
    together = [replace(row, requests=refused[key]) for key, row in first.items()]
    return [*(row for row in rows if row.status != _TOO_MANY), *together]


class Noted:
    """An ASGI application in front of another: has what that answers to keys written down."""

    def __init__(self, app: ASGIApp, uses: UseLog, searched: SearchLog) -> None:
        self._app, self._uses, self._searched = app, uses, searched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Noted`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        use = Use()
        before = _NOW.set(use)
        scope["state"]["use"] = use

        def note(status: int, seconds: float) -> None:
            _NOW.reset(before)
            status = use.status or status
            if use.undo is not None and status != 200:
                use.undo()
            if use.access is not None:
                self._uses.add(*_used(scope, use, use.access, status, seconds))
                if status == 200:
                    request_id, access = scope["state"]["request_id"], use.access
                    self._searched.add(
                        *(Answer(access.company_id, access.key_id, request_id, asked) for asked in use.asked)
                    )

        await answered(self._app, scope, receive, send, note)


def _used(scope: Scope, use: Use, access: Access, status: int, seconds: float) -> list[Used]:
    """A row, or one for each of the workspaces that a search asked."""
    route = scope.get("route")
    tags: Sequence[str] = getattr(route, "tags", None) or [_OTHER]
    whole = Used(
        at=datetime.now(UTC),
        key_id=access.key_id,
        company_id=access.company_id,
        workspace_id=use.workspace_id,
        action=use.action or _ACTIONS.get(tags[0], "other"),
        route=route_of(scope),
        status=status,
        milliseconds=round(seconds * 1000),
        hits=use.hits,
        tokens=use.tokens,
        request_id=scope["state"]["request_id"],
    )
    return [
        replace(whole, workspace_id=workspace_id, hits=part.hits, tokens=part.tokens, is_further=number > 0)
        for number, (workspace_id, part) in enumerate(use.parts.items())
    ] or [whole]
