"""Values in Redis or Valkey, which servers share. Whatever is wrong with it, nobody waits for it long."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from arcana_pipelines.caching.protocol import MOST_BYTES
from arcana_pipelines.errors import ArcanaError, InvalidSetting, WrongUse
from arcana_pipelines.settings import Settings

log = logging.getLogger(__name__)

# On a machine that is busy an answer takes a few milliseconds.
TIMEOUT_SECONDS = 0.05
# After it did not answer nobody asks it for so long, and then one does.
REST_SECONDS = 5.0
# How long a server waits for what another makes, and how often it looks; and for how long one says that it makes it: of
# one that is killed meanwhile, that costs the others a wait.
WAIT_SECONDS, _LOOK_SECONDS = 1.0, 0.01
_MAKING_SECONDS = 5.0
_BEING_MADE = ":being-made"
_SIGNATURE = 32
_SCANNED = 1000

Answer = TypeVar("Answer")


class RedisStore:
    """Values in Redis. See `Store`.

    Each value is signed with its key: what somebody else has written there, or moved to another key, is not taken.
    """

    is_here = False

    def __init__(self, client: redis.Redis, secret: bytes) -> None:
        """`client` is one of `client_of`; `secret` is what values are signed with."""
        self.client = client
        self._secret = secret
        self._lock = threading.Lock()
        self._rests_until = 0.0
        self._is_away = False
        # What this process makes, and until when it said so.
        self._making: dict[str, float] = {}

    def get(self, key: str) -> bytes | None:
        """See `Store`."""
        return self._believed(key, self.asked(lambda: self.client.get(key)))

    def _believed(self, key: str, signed: object) -> bytes | None:
        if not isinstance(signed, bytes) or len(signed) > MOST_BYTES + _SIGNATURE:
            return None
        signature, value = signed[:_SIGNATURE], signed[_SIGNATURE:]
        return value if hmac.compare_digest(signature, self._sign(key, value)) else None

    def put(self, key: str, value: bytes, seconds: int) -> None:
        """See `Store`."""
        self.asked(lambda: self.client.set(key, self._sign(key, value) + value, ex=seconds))

    def awaited(self, key: str) -> bytes | None:
        """See `Store`."""
        ends = time.monotonic() + _MAKING_SECONDS
        asked = self.client.pipeline(transaction=False)
        asked.set(key + _BEING_MADE, b"", nx=True, px=round(1000 * _MAKING_SECONDS))
        asked.get(key)
        is_mine, signed = self.asked(asked.execute) or (None, None)
        value = self._believed(key, signed)
        if is_mine:
            with self._lock:
                self._making[key] = ends
            # Another had made it just before.
            if value is not None:
                self.made(key)
            return value
        return value or self._made_elsewhere(key)

    def _made_elsewhere(self, key: str) -> bytes | None:
        ends = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < ends:
            asked = self.client.pipeline(transaction=False)
            asked.pttl(key + _BEING_MADE)
            asked.get(key)
            left, signed = self.asked(asked.execute) or (0, None)
            value = self._believed(key, signed)
            # What nobody of ours has written is not waited for: it would never end.
            if value is not None or not 0 < left <= 1000 * _MAKING_SECONDS:
                return value
            time.sleep(_LOOK_SECONDS)
        return None

    def made(self, key: str) -> None:
        """See `Store`."""
        with self._lock:
            ends = self._making.pop(key, 0.0)
        # By now it may be another's that says so.
        if time.monotonic() < ends:
            self.asked(lambda: self.client.unlink(key + _BEING_MADE))

    def drop(self, prefix: str) -> None:
        """See `Store`."""

        def dropped() -> None:
            for keys in _batches(self.client, prefix):
                self.client.unlink(*keys)

        self.asked(dropped)

    def megabytes(self) -> float | None:
        """See `Store`."""
        memory = self.asked(lambda: self.client.info("memory"))
        return None if not isinstance(memory, dict) else float(memory["used_memory"]) / 1e6

    def run(self, script: str, key: str, *given: int) -> object:
        """What a script answers that is run there in one piece, for one key; None: it does not answer."""
        return self.asked(lambda: self.client.register_script(script)(keys=[key], args=list(given)))

    def close(self) -> None:
        """End its connections."""
        self.client.close()

    @property
    def is_away(self) -> bool:
        """Whether it did not answer when it was asked last."""
        return self._is_away

    def _sign(self, key: str, value: bytes) -> bytes:
        return hmac.digest(self._secret, key.encode() + b"\0" + value, "sha256")

    def asked(self, ask: Callable[[], Answer]) -> Answer | None:
        """What it answers; None: it does not, or refuses. While it is away it is asked once in a while."""
        if self._is_away and not self._may_try():
            return None
        try:
            answer = ask()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            if not self._is_away:
                log.warning("Redis does not answer; searches go on without it: %s", type(error).__name__)
            self._is_away, self._rests_until = True, time.monotonic() + REST_SECONDS
            return None
        except redis.RedisError as error:
            # It is full, or the user may not: the next key may be another matter.
            log.debug("Redis refuses: %s", error)
            return None
        if self._is_away:
            log.warning("Redis answers again.")
            self._is_away = False
        return answer

    def _may_try(self) -> bool:
        """One after each rest."""
        with self._lock:
            now = time.monotonic()
            if now < self._rests_until:
                return False
            self._rests_until = now + REST_SECONDS
            return True


def client_of(settings: Settings) -> redis.Redis:
    """A client of the Redis at REDIS_URL, which waits for nothing long and tries nothing twice.

    By default it would try for seconds.

    Raises:
        InvalidSetting: it cannot be an address.
    """
    assert settings.redis_url is not None
    try:
        return redis.Redis.from_url(
            settings.redis_url.get_secret_value(),
            db=settings.redis_db,
            max_connections=settings.redis_max_connections,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            client_name="arcana",
        )
    except ValueError as error:
        raise InvalidSetting(f"REDIS_URL cannot be used: {error}.") from None


def _batches(client: redis.Redis, prefix: str) -> list[list[bytes]]:
    keys = list(client.scan_iter(match=f"{prefix}*", count=_SCANNED))
    return [keys[start : start + _SCANNED] for start in range(0, len(keys), _SCANNED)]


def looked_at(settings: Settings) -> str:
    """What the Redis at REDIS_URL is, in a sentence.

    Raises:
        ArcanaError: it does not answer as fast as searches wait for it.
        WrongUse: when it is full it would keep what is old in place of what is new, or its user may send no messages.
    """
    client = client_of(settings)
    try:
        server, memory = client.info("server"), client.info("memory")
        client.publish("doctor:-:v1:-:published", b"")  # which nobody believes
    except redis.exceptions.NoPermissionError as error:
        raise WrongUse(
            f"Redis refuses what servers do ({error}): give its user the keys `~*` and the channels "
            "`&*:v1:*:published`, on which servers tell each other of changes"
        ) from error
    except redis.RedisError as error:
        raise ArcanaError(
            f"Redis does not answer within {TIMEOUT_SECONDS * 1000:.0f} ms ({type(error).__name__}), and searches go "
            "on without it: check REDIS_URL, and whether it runs"
        ) from error
    finally:
        client.close()
    policy, most = memory.get("maxmemory_policy", ""), int(memory.get("maxmemory", 0))
    if most and not str(policy).startswith("allkeys"):
        raise WrongUse(f"Redis keeps nothing new when it is full ({policy}): set maxmemory-policy to allkeys-lru")
    name = "Valkey" if "valkey_version" in server else "Redis"
    version = server.get("valkey_version") or server.get("redis_version")
    return f"{name} {version} holds {int(memory['used_memory']) / 1e6:,.0f} MB" + (
        f" of {most / 1e6:,.0f}" if most else "; without maxmemory it grows as far as the machine lets it"
    )
