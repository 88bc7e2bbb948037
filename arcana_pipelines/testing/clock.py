"""The clock of a stand-in's world: it stands still until a test moves it, or runs with the machine's."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

DEFAULT_START = datetime(2026, 1, 5, 9, 0, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is set, or runs with the machine's when `real_time`."""

    def __init__(self, start: datetime | None = None, *, real_time: bool = False) -> None:
        self._running = real_time
        self._now = start or (datetime.now(UTC) if real_time else DEFAULT_START)
        self._anchor = time.monotonic()

    def now(self) -> datetime:
        """The time in the world, aware UTC."""
        if not self._running:
            return self._now
        return self._now + timedelta(seconds=time.monotonic() - self._anchor)

    def set(self, moment: datetime) -> None:
        """Jump to a moment; a naive one is refused because everything here is aware."""
        if moment.tzinfo is None:
            raise ValueError("The clock needs an aware datetime, for example datetime(..., tzinfo=UTC).")
        self._now = moment.astimezone(UTC)
        self._anchor = time.monotonic()

    def advance(self, seconds: float) -> None:
        """Move on (or back, when negative)."""
        self.set(self.now() + timedelta(seconds=seconds))

    def run(self) -> None:
        """Let time pass by itself from now on."""
        self.set(self.now())
        self._running = True
