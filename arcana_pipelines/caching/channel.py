"""What was published, told in Redis or Valkey on a channel of each workspace: to servers that hear nothing of the
database, and to programs.

The channel is `{company_id}:{platform}:v1:{workspace_id}:published`. A message has the id of an index, how often what
that serves has changed, and a signature, by which servers know each other's messages. Messages get lost and come twice:
what they say is read in the database, for the company of whoever is told.
"""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import redis
from cachetools import LRUCache
from pydantic_core import from_json, to_json

from arcana_pipelines.caching.caches import Tenant
from arcana_pipelines.caching.redis import RedisStore

log = logging.getLogger(__name__)

# For so long an announcement is not made again by another server that has heard of the same change.
_ONCE_SECONDS = 60
# How often whoever listens looks whether it is to stop, and how long it waits for a Redis that is away.
_LOOK_SECONDS, _AWAY_SECONDS = 1.0, 3.0
_LAST = "published"
CHANNELS = f"*:v1:*:{_LAST}"
_MOST_INDEXES = 10_000
_MOST_BYTES = 1000


class Channel:
    """Announces, and hears what others announce. Safe to share between threads."""

    def __init__(self, store: RedisStore, secret: bytes, open_client: Callable[[], redis.Redis]) -> None:
        """
        Args:
            store: over whose client changes are announced.
            secret: what messages are signed with.
            open_client: opens a client for whoever listens, who closes it.
        """
        self._store = store
        self._open_client = open_client
        self._secret = secret
        # The last version of each index that was heard of: what is said again is known.
        self._heard: LRUCache[tuple[str, str], int] = LRUCache(_MOST_INDEXES)

    def announce(self, tenant: Tenant, index_id: UUID, version: int) -> None:
        """Say that an index has changed, unless another server has just said so. Nothing is raised."""
        channel = tenant.prefix + _LAST
        signature = self._sign(channel, str(index_id), version)
        message = to_json({"index_id": index_id, "version": version, "signature": signature})
        client = self._store.client
        if self._store.asked(lambda: client.set(f"{channel}:{index_id}:{version}", b"", nx=True, ex=_ONCE_SECONDS)):
            self._store.asked(lambda: client.publish(channel, message))

    def listen(self, is_over: threading.Event, told: Callable[[UUID | None], None]) -> None:
        """Hear of changes until it is over.

        Args:
            is_over: ends it, a second later at most.
            told: gets the company of each change, and None where some may have been missed.
        """
        is_away = False
        while not is_over.is_set():
            try:
                with self._open_client() as client, client.pubsub() as heard:
                    heard.psubscribe(CHANNELS)
                    while not is_over.is_set():
                        message = heard.get_message(timeout=_LOOK_SECONDS)
                        if message is None:
                            continue
                        if message["type"] == "psubscribe":
                            is_away = False
                            told(None)
                        elif (company_id := self._company_of(message)) is not None:
                            told(company_id)
            except redis.RedisError as error:
                if not is_away and not is_over.is_set():
                    log.warning("messages of Redis are not heard: %s", type(error).__name__)
                is_away = True
                is_over.wait(_AWAY_SECONDS)

    def _company_of(self, message: dict[str, Any]) -> UUID | None:
        """Whose index has changed; None: that was known, or no server of ours says it."""
        channel, data = message["channel"], message["data"]
        if not isinstance(channel, bytes) or not isinstance(data, bytes) or len(data) > _MOST_BYTES:
            return None
        try:
            name, said = channel.decode(), from_json(data)
            index_id, version = str(said["index_id"]), int(said["version"])
            signature = str(said["signature"])
            company_id = UUID(name.split(":")[0])
        except (ValueError, TypeError, KeyError):
            return None
        if not hmac.compare_digest(signature.encode(), self._sign(name, index_id, version).encode()):
            return None
        if version <= self._heard.get((name, index_id), -1):
            return None
        self._heard[name, index_id] = version
        return company_id

    def _sign(self, channel: str, index_id: str, version: int) -> str:
        return hmac.digest(
            self._secret, b"arcana: a change, 1\0" + to_json([channel, index_id, version]), "sha256"
        ).hex()
