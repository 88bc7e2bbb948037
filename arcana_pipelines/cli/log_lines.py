"""What is told where no terminal is: plain lines, few enough for a log or a cron job's mail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from arcana_pipelines.cli.output import printable

EVERY_SECONDS = 30.0


@dataclass(slots=True)
class LogLines:
    """Lets a line through at the beginning of each stage, and else twice a minute.

    Attributes:
        write: writes a text, at once.
    """

    write: Callable[[str], object]
    _stages: set[str] = field(default_factory=set)
    _last: float = float("-inf")

    def tell(self, line: str, stage: str, at: float) -> None:
        """Tell of what is done at `at` (monotonic seconds). A stage that comes again is no news."""
        if stage in self._stages and at - self._last < EVERY_SECONDS:
            return
        self._stages.add(stage)
        self._last = at
        # Whoever read them may have gone, or the disk of the log is full: what is told of goes on.
        with suppress(OSError):
            self.write(f"{printable(' '.join(line.split()))}\n")
