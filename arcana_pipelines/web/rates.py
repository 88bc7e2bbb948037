"""How often somebody may ask: a bucket of tokens each, which fills evenly and of which a request takes one.

The buckets are this process's own, and several processes let that many times as much through, unless they share a
Redis: then the buckets are there as long as it answers.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from arcana_pipelines.caching.redis import RedisStore

# A bucket in Redis is the time at which it is full, in microseconds by the clock there: whoever takes a token puts that
# off. What is no such time counts as full, and what is too late as empty; either is a bucket again after it.
_TAKE = """
local limit, minute = tonumber(ARGV[1]), 60000000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local token = minute / limit
local held = redis.pcall('GET', KEYS[1])
held = type(held) == 'string' and tonumber(held) or now
if held ~= held then
    held = now
end
local full = math.min(math.max(held, now), now + minute)
local wait = full + token - minute - now
if wait <= 1 then
    full, wait = full + token, 0
end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
return {math.max(0, math.floor((now + minute - full + 1) / token)), math.ceil(wait), math.ceil(full - now)}
"""
# Those that were used last are kept. One that is forgotten begins full.
MOST_BUCKETS = 10_000
# Who waits as long as was said finds a token, whatever floating point makes of it.
_ONE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left in a bucket.

    Attributes:
        limit: requests a minute, and as many at once.
        left: requests that may be made now.
        wait: seconds until the next may be made; 0: it may now.
        full: seconds until all are there again.
    """

    limit: int
    left: int
    wait: int
    full: int

    @property
    def headers(self) -> Mapping[str, str]:
        """What an answer says of it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.left),
            "X-RateLimit-Reset": str(self.full),
        }


class Buckets:
    """Buckets by name. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __contains__(self, name: str | None) -> bool:
        return name in self._held

    def take(self, name: str, limit: int) -> Rate:
        """Take a token for one request; `wait` of the answer is above 0 where there is none."""
        with self._lock:
            held = self._tokens(name, limit)
            taken = held >= _ONE
            left = held - 1 if taken else held
            self._held[name] = left, self._clock()
            self._held.move_to_end(name)
            if len(self._held) > MOST_BUCKETS:
                self._held.popitem(last=False)
        return _rate(left, limit, 0 if taken else _seconds(1 - left, limit))

    def look(self, name: str, limit: int) -> Rate:
        """What is left, without taking any."""
        with self._lock:
            held = self._tokens(name, limit)
        return _rate(held, limit, 0 if held >= _ONE else _seconds(1 - held, limit))

    def _tokens(self, name: str, limit: int) -> float:
        held, at = self._held.get(name, (float(limit), 0.0))
        # The limit of a key may have changed.
        return min(float(limit), held + (self._clock() - at) * limit / 60)


class SharedBuckets:
    """Buckets that servers share in a Redis; while it does not answer, and without one, this process's own."""

    def __init__(self, redis: RedisStore | None = None) -> None:
        self._redis = redis
        self._own = Buckets()

    def __contains__(self, name: str | None) -> bool:
        """Whether a request was made here by this name."""
        return name in self._own

    def take(self, name: str, limit: int) -> Rate:
        """See `Buckets.take`."""
        # Counted here, too: the limit goes on where it was when Redis goes away.
        own = self._own.take(name, limit)
        if self._redis is None:
            return own
        match self._redis.run(_TAKE, f"arcana:v1:rate:{name}", limit):
            case [int(left), int(wait), int(full)]:
                return Rate(limit, left, math.ceil(wait / 1e6), math.ceil(full / 1e6))
            case _:
                return own


def _rate(held: float, limit: int, wait: int) -> Rate:
    return Rate(limit, int(held), wait, _seconds(limit - held, limit))


def _seconds(tokens: float, limit: int) -> int:
    return math.ceil(tokens * 60 / limit)


def origin_of(host: str) -> str:
    """What of an address stands for whoever asks: of IPv6 the network, in which everybody has as many as they like."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host
