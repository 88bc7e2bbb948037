"""Programs hear of it when what an index serves has changed: `GET /v1/events`, as server-sent events.

A message of the database wakes whoever waits, and nothing of it is believed: what has changed is read, for the company
of the key. Servers that share a Redis tell each other there, too: one that hears nothing of the database (behind a
pooler that hands on no messages) is woken by what another has heard.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from anyio import move_on_after
from anyio.to_thread import run_sync
from fastapi import FastAPI, Header, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from arcana_pipelines.caching.caches import Tenant
from arcana_pipelines.caching.channel import Channel
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.publishes import CHANNEL, Publish, publishes_of
from arcana_pipelines.keys.access import Access, access_by_id
from arcana_pipelines.keys.spelling import OF_ISSUER
from arcana_pipelines.web.gate import Keyed, lacking
from arcana_pipelines.web.outcomes import STREAM_TYPE
from arcana_pipelines.web.problems import Refused, described

log = logging.getLogger(__name__)

# Then the client asks again, with its key: one that is revoked hears no more.
STREAM_SECONDS = 300.0
# A comment says so often that the stream is alive, or proxies would end it.
ALIVE_SECONDS = 15.0
# Of one key, of one company, and of all.
MOST_OF_KEY, MOST_OF_COMPANY, MOST = 10, 40, 200
_RETRY_MS = 3000
# How often the listener looks whether it is to stop, and how long it waits for a database that is away.
_LOOK_SECONDS, _AWAY_SECONDS = 1.0, 3.0


class Published(BaseModel):
    """An index, and how often what it serves has changed."""

    workspace: str
    index: str
    version: int
    published_at: datetime


class AllPublished(BaseModel):
    """The indexes that the key sees."""

    indexes: list[Published]


@dataclass(eq=False, slots=True)
class Waiting:
    """The place of a stream that waits. `changed` belongs to the event loop."""

    company_id: UUID
    key_id: str
    changed: asyncio.Event


class Events:
    """Listens to the database and to other servers, and wakes the streams of a company."""

    def __init__(self, database: Database, channel: Channel | None = None) -> None:
        """`channel` is where servers tell each other of changes."""
        self._database = database
        self._channel = channel
        self._waiting: set[Waiting] = set()
        self._is_over = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: list[threading.Thread] = []

    @property
    def is_over(self) -> bool:
        """Whether the server is about to end."""
        return self._is_over.is_set()

    def end_streams(self) -> None:
        """Let every stream end, so that a server that stops does not wait for them."""
        self._is_over.set()
        self._wake(None)

    def stop(self) -> None:
        """Listen no more."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(2 * _LOOK_SECONDS)

    async def begin(self) -> None:
        """Listen from now on, where other servers are to be told of changes: else the first stream begins it."""
        if self._channel is not None:
            self._begin(asyncio.get_running_loop())

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        works = [self._listen] if self._channel is None else [self._listen, self._listen_to_servers]
        self._threads = [threading.Thread(target=work, name="arcana-events", daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def take_place(self, access: Access) -> Waiting:
        """A place for a stream, which is to be given back. The first to wait begins to listen.

        Raises:
            Refused: 429: the key has as many as it may have, its company, or the server.
        """
        if not self._threads:
            self._begin(asyncio.get_running_loop())
        of_key = sum(each.key_id == access.key_id for each in self._waiting)
        of_company = sum(each.company_id == access.company_id for each in self._waiting)
        if of_key >= MOST_OF_KEY or of_company >= MOST_OF_COMPANY or len(self._waiting) >= MOST:
            said = (
                f"A key may have {MOST_OF_KEY} streams at once and a company {MOST_OF_COMPANY}; the key "
                f"{access.key_id} has {of_key}. End one, or try again."
            )
            raise Refused(429, "rate-limited", said, {"Retry-After": "15"})
        place = Waiting(access.company_id, access.key_id, asyncio.Event())
        self._waiting.add(place)
        return place

    def give_back(self, place: Waiting) -> None:
        """At the end of a stream, also of one that nobody began to read."""
        self._waiting.discard(place)

    def _wake(self, company_id: UUID | None) -> None:
        """Those of a company; None: all."""
        for each in tuple(self._waiting):
            if company_id in (None, each.company_id):
                each.changed.set()

    def _listen(self) -> None:
        is_away = False
        while not self._is_over.is_set():
            try:
                with self._database.connect() as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    if is_away:
                        log.warning("messages of the database are heard again")
                        is_away = False
                    # What was published meanwhile was not heard.
                    self._told(None)
                    while not self._is_over.is_set():
                        for notice in connection.notifies(timeout=_LOOK_SECONDS):
                            change = _change_of(notice.payload)
                            self._told(change.company_id if change else None)
                            self._announce(change)
            except Exception as error:  # whatever it is, streams go on and hear of changes later
                if not is_away:
                    log.warning("messages of the database are not heard: %s", error)
                is_away = True
                self._is_over.wait(_AWAY_SECONDS)

    def _listen_to_servers(self) -> None:
        if self._channel is not None:
            self._channel.listen(self._is_over, self._told)

    def _announce(self, change: _Change | None) -> None:
        """Tell other servers of what a message was about, as the database has it: anybody may send one."""
        if self._channel is None or change is None:
            return
        try:
            with self._database.connection(change.company_id) as connection:
                known = publishes_of(connection, change.company_id)
        except ArcanaError as error:
            log.info("a change is not announced: %s", error)
            return
        for each in known:
            if (each.workspace_id, each.index) == (change.workspace_id, change.index):
                tenant = Tenant(change.company_id, each.platform, each.workspace_id)
                self._channel.announce(tenant, each.index_id, each.version)

    def _told(self, company_id: UUID | None) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, company_id)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a message of the database says."""

    company_id: UUID
    workspace_id: UUID
    index: str


def _change_of(payload: str) -> _Change | None:
    """None where it says none, and so may be about anything: anybody may send one."""
    try:
        said = json.loads(payload)
        return _Change(UUID(said["company_id"]), UUID(said["workspace_id"]), str(said["index"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def add_events(app: FastAPI, events: Events, database: Database) -> None:
    """Add the route."""

    def seen(access: Access) -> list[Publish]:
        with database.connection(access.company_id) as connection:
            known = publishes_of(connection, access.company_id)
        return [
            each
            for each in known
            if any(access.may_in(scope, each.workspace_id, each.index) for scope in ("search", "read"))
        ]

    def still_seen(access: Access) -> list[Publish] | None:
        """None: the key is over. People who log in elsewhere have none: their streams end with their time."""
        with database.connection() as connection:
            is_over = not access.key_id.startswith(OF_ISSUER) and access_by_id(connection, access.key_id) is None
        return None if is_over else seen(access)

    async def changes(access: Access, changed: asyncio.Event) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + STREAM_SECONDS
        told: dict[tuple[str, str], int] = {}
        yield f"retry: {_RETRY_MS}\n\n"
        while loop.time() < ends and not events.is_over:
            changed.clear()
            try:
                known = await run_sync(still_seen, access)
            except ArcanaError:
                return  # the client comes again
            if known is None:
                return
            for each in known:
                if told.get((each.workspace, each.index)) != each.version:
                    told[each.workspace, each.index] = each.version
                    yield _event(each)
            for gone in told.keys() - {(each.workspace, each.index) for each in known}:
                del told[gone]
            try:
                await asyncio.wait_for(changed.wait(), min(ALIVE_SECONDS, max(0.0, ends - loop.time())))
            except TimeoutError:
                yield ": alive\n\n"

    @app.get("/v1/events", summary="Hear of it when an index has changed", tags=["workspaces"],
             response_model=AllPublished,
             responses={200: {"content": {STREAM_TYPE: {}}}, **described(401, 403, 422, 429, 503)})  # fmt: skip
    async def listen(
        access: Keyed, accept: Annotated[str, Header(include_in_schema=False)] = "*/*"
    ) -> Response | AllPublished:
        """With `Accept: text/event-stream` a stream: what each index is at, and then each change of it."""
        if not any(each.scope in ("search", "read") for each in access.permissions):
            raise lacking(access, "search")
        if STREAM_TYPE not in accept:
            known = await run_sync(seen, access)
            return AllPublished(indexes=[_told_of(each) for each in known])
        return _Stream(events, events.take_place(access), lambda changed: changes(access, changed))


class _Stream(StreamingResponse):
    """Gives its place back, whatever becomes of it."""

    def __init__(self, events: Events, place: Waiting, content: Callable[[asyncio.Event], AsyncIterator[str]]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content(place.changed), media_type=STREAM_TYPE, headers=headers)
        self._events, self._place = events, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `StreamingResponse`. One that nobody reads ends, too: it waits to be sent, and would not see its time."""
        try:
            with move_on_after(STREAM_SECONDS + ALIVE_SECONDS):
                await super().__call__(scope, receive, send)
        finally:
            self._events.give_back(self._place)


def _told_of(publish: Publish) -> Published:
    return Published(
        workspace=publish.workspace,
        index=publish.index,
        version=publish.version,
        published_at=publish.published_at,
    )


def _event(publish: Publish) -> str:
    data = _told_of(publish).model_dump_json()
    return f"event: index.published\nid: {publish.workspace}/{publish.index}:{publish.version}\ndata: {data}\n\n"
