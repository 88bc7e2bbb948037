"""A process that is killed at a point which is counted, so that every point of an action has its turn."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


class Killed:
    """Counts points, and ends its process with SIGKILL at one of them."""

    def __init__(self, at: int) -> None:
        self._left = at

    def point(self) -> None:
        """One that is passed, unless it is the last."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def is_killed(action: Callable[[Killed], object], at: int) -> bool:
    """Whether a process that does this is killed at that point, counted from one; False: it ends before."""
    child = os.fork()
    if child == 0:
        try:
            action(Killed(at))
        finally:
            # Without what pytest would do at its end. A failure is one of the parent, whose next process ends well.
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
