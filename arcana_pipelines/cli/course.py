"""The line of a sync: what it has to read and to embed, how fast it goes, and how long it takes yet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from arcana_pipelines.operations.reports import Progress

# Rates are of the last so many seconds: Notion counts requests a minute, so they come in bursts.
WINDOW_SECONDS = 120.0
PUBLISHING, MAKING = "publishing", "making the index of the vectors"


@dataclass(slots=True)
class Course:
    """A sync's figures over time: how much it has to read, and how fast it goes.

    Attributes:
        to_read: the most pages that waited to be read at any look so far.
        to_embed: the most chunks and passages that waited to be embedded.
        stage: what it was at when it was looked at last.
    """

    to_read: int = 0
    to_embed: int = 0
    stage: str = "listing"
    _reading: deque[tuple[float, float]] = field(default_factory=deque)
    _embedding: deque[tuple[float, float]] = field(default_factory=deque)
    _indexing: deque[tuple[float, float]] = field(default_factory=deque)

    def line(self, now: Progress, at: float) -> str:
        """One line about `now`, which was read at `at` (monotonic seconds)."""
        self.to_read = max(self.to_read, now.pending)
        read = self.to_read - now.pending
        parts = [f"{now.listed} listed"]
        if self.to_read:
            parts.append(f"{read} of {self.to_read} read")
        if now.pending and now.served:
            parts.append(f"{now.served} can be found")
        if now.chunks:
            parts += [f"{now.chunks} chunks", f"{now.embedded} embedded"]
        if now.passages:
            parts.append(f"{now.passages} passages to embed")
        to_embed = now.chunks - now.embedded + now.passages
        self.to_embed = max(self.to_embed, to_embed)
        reading = rate(self._reading, at, read)
        embedding = rate(self._embedding, at, self.to_embed - to_embed)
        indexing = rate(self._indexing, at, now.served)
        left = None
        self.stage = _stage(now, to_embed)
        if self.stage in (PUBLISHING, MAKING):
            parts.append(self.stage)
        elif reading and now.pending:
            parts.append(f"{reading * 60:.0f} pages/min")
            left = now.pending / reading
            if now.limited_by == "indexing" and indexing:
                parts.append("indexing limits")
                left = max(left, (now.pending + now.behind) / indexing)
        elif embedding and to_embed:
            left = to_embed / embedding
        if left is not None:
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)


def _stage(now: Progress, to_embed: int) -> str:
    if now.is_indexing:
        return MAKING
    if now.pending:
        return "reading"
    if to_embed:
        return "embedding"
    return PUBLISHING if now.chunks else "listing"


def rate(samples: deque[tuple[float, float]], at: float, count: float) -> float:
    """Adds a sample; returns how many a second there were lately, 0 while that is not known."""
    samples.append((at, count))
    while at - samples[0][0] > WINDOW_SECONDS:
        samples.popleft()
    seconds, grown = at - samples[0][0], count - samples[0][1]
    return grown / seconds if seconds > 0 and grown > 0 else 0.0


def duration(seconds: float) -> str:
    """Minutes and seconds, with the hours where there are any: `2:05`, `1:00:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
