"""What a run is for."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """What a run over a workspace's stages is for: read off its job or selection, and handed to each stage.

    It is not a state of a process: each stage of a run may have a process of its own.
    """

    SYNC = "sync"  # all stages
    RETRY = "retry"  # the same, which first takes up what waits in quarantine
    STAGE = "stage"  # up to the chunks: nothing is embedded, nothing published
    FILL = "fill"  # from the chunks on, new builds included; the source is not read

    @property
    def fills_new_builds(self) -> bool:
        """A run that reads the source leaves new builds to another: readers wait for what changed."""
        return self is Purpose.FILL
