"""How much room there is on the disk of ARCANA_HOME."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

# As the alert rules have it (deploy/prometheus/rules.yml).
LEAST_FREE = 0.1
# More is enough, however large the disk.
ENOUGH_BYTES = 20e9


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk.

    Attributes:
        free_bytes: as who reads this may use them.
    """

    free_bytes: int
    bytes: int

    @property
    def is_nearly_full(self) -> bool:
        """Less than a tenth of it is free, and less than `ENOUGH_BYTES`."""
        return self.free_bytes < min(LEAST_FREE * self.bytes, ENOUGH_BYTES)

    @property
    def said(self) -> str:
        """In words: how much is free, and of how much."""
        return f"{self.free_bytes / 1e9:.1f} GB of {self.bytes / 1e9:.1f} GB are free"


def disk_of(folder: Path) -> Disk | None:
    """The disk that a folder is on; None where the folder is not there."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:  # it is on another machine
        return None
    return Disk(usage.free, usage.total)
