"""A pause that all threads of one client sit out."""

from __future__ import annotations

import threading
import time

from arcana_pipelines.net import workers


class SharedPause:
    """What one thread was asked to wait, all wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0

    def begin(self, seconds: float) -> None:
        """From now on, all wait so long, or until the end of a longer pause that has begun."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def sit_out(self) -> None:
        """Wait for its end."""
        workers.pause(self._until - time.monotonic())
