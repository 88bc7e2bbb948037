"""The three caches: embeddings of questions, answers of searches, and sessions: how far conversations are."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from pydantic_core import from_json, to_json

from arcana_pipelines import plugins
from arcana_pipelines.caching.protocol import MOST_BYTES, Store
from arcana_pipelines.settings import Settings

Level = Literal["embeddings", "searches", "sessions"]
Outcome = Literal["hit", "miss", "shared", "stale"]

# How long somebody waits for what another makes.
PATIENCE_SECONDS = 5.0
# Of this process: some ten thousand vectors, some thousand answers, some thousand conversations.
_MEMORY_BYTES: dict[Level, int] = {"embeddings": 32_000_000, "searches": 64_000_000, "sessions": 4_000_000}


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose a value is: keys begin with it, and nobody else's key can."""

    company_id: UUID
    platform: str
    workspace_id: UUID

    @property
    def prefix(self) -> str:
        """What all its keys begin with."""
        return f"{self.company_id}:{self.platform}:v1:{self.workspace_id}:"


class Cache:
    """One level: JSON values, each made once for all that ask for it at the same time. Safe to share by threads."""

    def __init__(
        self, level: Level, store: Store, seconds: int, secret: bytes, note: Callable[[Outcome], None]
    ) -> None:
        """`note` hears of each value how it was had."""
        self.level: Level = level
        self.store = store
        self.note = note
        self._seconds = seconds
        self._secret = secret
        self._lock = threading.Lock()
        self._being_made: dict[tuple[str, str], Future[Any]] = {}

    def key(self, tenant: Tenant, *parts: object) -> str:
        """A key of a tenant's: `parts` are told in a hash, as questions may be nobody else's business."""
        digest = hmac.new(self._secret, to_json(parts), hashlib.sha256).hexdigest()
        return f"{tenant.prefix}{self.level}:{digest}"

    def get(self, key: str) -> Any:
        """A value; None: it is not there."""
        return _read(self.store.get(key)) if self._seconds else None

    def put(self, key: str, value: Any) -> None:
        """Keep a value, unless it is too large. None: what was kept is not any more."""
        told = to_json(value)
        if self._seconds and len(told) <= MOST_BYTES:
            self.store.put(key, told, self._seconds)

    def megabytes(self) -> float:
        """What its store holds; 0 where that cannot be asked. In Redis all levels are in one."""
        return self.store.megabytes() or 0.0

    @property
    def is_at_hand(self) -> bool:
        """Whether its values are in this process, and had without waiting."""
        return self.store.is_here

    def kept(self, key: str) -> Any:
        """A value that is kept, counted as a hit; None: it is not there."""
        held = self.get(key)
        if held is not None:
            self.note("hit")
        return held

    def looked_up(self, key: str) -> Any:
        """The same, and counted as a miss where it is not there: nobody makes it."""
        held = self.kept(key)
        if held is None:
            self.note("miss")
        return held

    def had(self, key: str, make: Callable[[], tuple[Any, bool]], by: str = "") -> Any:
        """A value that is kept, or that is made now: by one of those who ask at the same time, for all of them.

        Where servers share a store, it is one of all of them, unless it takes longer than they wait for each other.

        Args:
            key: of the value.
            make: makes it, and says whether it may be kept. What it raises, all who wait raise; nothing is kept then.
            by: which of several ways it makes it in. Whoever makes it in another one is not waited for: what goes wrong
                there says nothing here.
        """
        if (held := self.kept(key)) is not None:
            return held
        with self._lock:
            being_made = self._being_made.get((key, by))
            if being_made is None:
                mine = self._being_made[key, by] = Future()
        if being_made is not None:
            try:
                value = being_made.result(PATIENCE_SECONDS)
            except TimeoutError:
                # Whoever makes it hangs: this one tries, and nobody waits for it.
                self.note("miss")
                return make()[0]
            self.note("shared")
            return value
        try:
            value = self._made_for_all(key, make, mine)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._being_made[key, by]
        return value

    def _made_for_all(self, key: str, make: Callable[[], tuple[Any, bool]], mine: Future[Any]) -> Any:
        """By another server, or by this one."""
        if self._seconds and (value := _read(self.store.awaited(key))) is not None:
            self.note("shared")
            mine.set_result(value)
            return value
        self.note("miss")
        try:
            value, may_be_kept = make()
            mine.set_result(value)
            if may_be_kept:
                self.put(key, value)
        finally:
            self.store.made(key)
        return value


def _read(held: bytes | None) -> Any:
    try:
        return None if held is None else from_json(held)
    except ValueError:
        return None


class Caches:
    """All of them, in this process or in Redis, as the settings say.

    Attributes:
        redis: where they are; None: in this process.
        channel: where servers that share it tell each other of changes.
    """

    def __init__(
        self, settings: Settings, note: Callable[[Level, Outcome], None] = lambda level, outcome: None
    ) -> None:
        """`note` hears of each value how it was had.

        Raises:
            InvalidSetting: REDIS_URL cannot be an address, or SECRET_KEY, which it needs, is not set.
        """
        secret = settings.secret_key.get_secret_value().encode() if settings.secret_key else b""
        self.redis, self.channel = None, None
        if settings.redis_url is not None:
            from arcana_pipelines.caching.channel import Channel
            from arcana_pipelines.caching.redis import RedisStore, client_of

            settings.require("SECRET_KEY")
            self.redis = RedisStore(client_of(settings), secret)
            self.channel = Channel(self.redis, secret, lambda: client_of(settings))

        def cache(level: Level, seconds: int) -> Cache:
            # Not needed by who searches without a cache.
            from arcana_pipelines.caching.memory import MemoryStore

            store = self.redis or MemoryStore(_MEMORY_BYTES[level])
            return Cache(level, store, seconds, secret, lambda outcome: note(level, outcome))

        self.embeddings = cache("embeddings", settings.embedding_cache_ttl)
        self.searches = cache("searches", settings.search_cache_ttl)
        self.sessions = cache("sessions", settings.cache_ttl)

    @property
    def levels(self) -> tuple[Cache, ...]:
        """Each of them."""
        return self.embeddings, self.searches, self.sessions

    def close(self) -> None:
        """End the connections to Redis."""
        if self.redis is not None:
            self.redis.close()


def forget(settings: Settings, tenant: Tenant) -> None:
    """Delete what Redis, if there is one, holds of a tenant. What servers hold in their memory, nobody can ask for.

    Raises:
        WrongUse: the libraries of the extra `serve` are not installed.
    """
    if settings.redis_url is not None:
        with plugins.optional("REDIS_URL", "serve"):
            from arcana_pipelines.caching.redis import RedisStore, client_of
        store = RedisStore(client_of(settings), b"")
        store.drop(tenant.prefix)
        store.close()
