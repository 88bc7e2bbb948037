"""How bad each cause is."""

from __future__ import annotations

from typing import Literal

Severity = Literal["broken", "waiting"]

BROKEN, WAITING = 1, 3
# What an open cause means for a monitor outside: the exit code of `arcana status --check`.
LEVELS = {
    "failed_run": BROKEN,
    "source_unreachable": BROKEN,
    "embedder_unreachable": BROKEN,
    "disk_full": BROKEN,
    "incomplete_listing": WAITING,
    "waiting_removals": WAITING,
    "quarantine_growing": WAITING,
    "files_unread": WAITING,
    "budget_reached": WAITING,
    "stale": WAITING,
    "unknown_topic": WAITING,
    "unknown_topics": WAITING,
    "target_behind": WAITING,
    "target_refuses": WAITING,
    "target_wiped": WAITING,
}
# The embedding provider is not asked at every evaluation, and the disk is that of the machine that looks.
OF_OUR_ROWS = frozenset(LEVELS) - {"embedder_unreachable", "disk_full"}


def severity_of(cause: str) -> Severity:
    """`broken`, or `waiting` for a person; the latter also of a cause that only another release knows."""
    return "broken" if LEVELS.get(cause) == BROKEN else "waiting"
