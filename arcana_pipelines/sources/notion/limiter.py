"""One adaptive limiter a token: how fast this process asks Notion.

Notion counts requests in a 60-second window, at any pace inside it
(https://developers.notion.com/reference/request-limits), so this is a sliding window, not a drip. A 429
pauses everybody who shares the token; the allowance shrinks with each and grows back slowly.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 60.0
LOWEST_PER_MINUTE = 10
# Business and Enterprise plans allow 600 a minute; nothing in a response says which plan it is.
HIGHEST_PER_MINUTE = 600


class RateLimiter:
    """Blocks `acquire` until a request may be sent. `per_minute` 0 switches the window off, not the pauses."""

    def __init__(
        self,
        per_minute: int,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._allowed = float(per_minute)
        self._enabled = per_minute > 0
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._sent: deque[float] = deque()
        self._paused_until = 0.0
        self._last_throttle = now()

    def acquire(self) -> None:
        """Wait for a place in the window."""
        while (wait := self._reserve()) > 0:
            self._sleep(wait)

    def throttled(self, pause_seconds: float) -> None:
        """The server said 429: nobody sends for `pause_seconds`, and the window shrinks by a fifth."""
        with self._lock:
            now = self._now()
            self._paused_until = max(self._paused_until, now + pause_seconds)
            if now - self._last_throttle > 1.0:  # a burst of 429s is one event
                self._allowed = max(LOWEST_PER_MINUTE, self._allowed * 0.8)
            self._last_throttle = now

    def _reserve(self) -> float:
        """Take a place and return 0, or return the seconds to wait before asking again."""
        with self._lock:
            now = self._now()
            if now < self._paused_until:
                return self._paused_until - now
            if not self._enabled:
                return 0.0
            while self._sent and self._sent[0] <= now - WINDOW_SECONDS:
                self._sent.popleft()
            if len(self._sent) < int(self._allowed):
                self._sent.append(now)
                return 0.0
            if now - self._last_throttle > 2 * WINDOW_SECONDS and self._allowed < HIGHEST_PER_MINUTE:
                # The window was full for two minutes without a complaint: the plan allows more.
                self._allowed = min(HIGHEST_PER_MINUTE, self._allowed * 1.25)
                self._last_throttle = now
                return 0.001
            return self._sent[0] + WINDOW_SECONDS - now
