"""Values in this process."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from cachetools import TLRUCache


@dataclass(frozen=True, slots=True)
class _Held:
    value: bytes
    seconds: int


class MemoryStore:
    """Values in this process, as many as fit; those that were not asked for longest go first. See `Store`."""

    is_here = True

    def __init__(self, most_bytes: int) -> None:
        self._lock = threading.Lock()
        self._held: TLRUCache[str, _Held] = TLRUCache(
            most_bytes,
            ttu=lambda _, held, now: now + held.seconds,
            timer=time.monotonic,
            getsizeof=lambda held: len(held.value),
        )

    def get(self, key: str) -> bytes | None:
        """See `Store`."""
        with self._lock:
            held = self._held.get(key)
        return None if held is None else held.value

    def put(self, key: str, value: bytes, seconds: int) -> None:
        """See `Store`."""
        with self._lock:
            self._held[key] = _Held(value, seconds)

    def awaited(self, key: str) -> bytes | None:
        """See `Store`. No other process sees it."""
        return None

    def made(self, key: str) -> None:
        """See `Store`."""

    def drop(self, prefix: str) -> None:
        """See `Store`."""
        with self._lock:
            for key in [key for key in self._held if key.startswith(prefix)]:
                self._held.pop(key, None)

    def megabytes(self) -> float:
        """See `Store`."""
        with self._lock:
            return float(self._held.currsize) / 1e6
