"""What a long sync is doing, read from the database while it works."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from arcana_pipelines.cli.output import error_console, printable
from arcana_pipelines.db.engine import Database
from arcana_pipelines.operations.reports import Progress, progress_of
from arcana_pipelines.workspaces.workspaces import Workspace

REFRESH_SECONDS = 0.5
# Asking costs time at the database; it asks at most this part of the time.
SHARE_OF_TIME = 0.05
# Rates are of the last so many seconds: Notion counts requests a minute, so they come in bursts.
WINDOW_SECONDS = 120.0


@contextmanager
def progress(database: Database, workspace: Workspace, wanted: bool) -> Iterator[None]:
    """Show a line that says how far the workspace's sync is, on a terminal."""
    if not (wanted and error_console().is_terminal):
        yield
        return
    from rich.console import Console
    from rich.text import Text

    # Dagster may take standard error away while it runs assets; a copy of it still leads to the terminal.
    with open(os.dup(2), "w", encoding="utf-8", errors="replace") as terminal:
        console = Console(file=terminal, force_terminal=True, highlight=False)
        stop = threading.Event()

        def shown(line: str) -> Text:
            return Text(printable(f"{workspace.slug}: {line}"), no_wrap=True, overflow="ellipsis")

        with console.status(shown("listing …")) as status:

            def watch() -> None:
                course, pause = Course(), 0.0
                try:
                    with database.connect() as connection:
                        while not stop.wait(max(REFRESH_SECONDS, pause)):
                            asked = time.monotonic()
                            now = progress_of(connection, workspace.workspace_id)
                            pause = (time.monotonic() - asked) / SHARE_OF_TIME
                            status.update(shown(course.line(now, asked)))
                except psycopg.OperationalError:
                    return  # the database went away: the run itself says so

            watcher = threading.Thread(target=watch, daemon=True)
            watcher.start()
            try:
                yield
            finally:
                stop.set()
                watcher.join(timeout=2)


@dataclass(slots=True)
class Course:
    """A sync's figures over time: how much it has to read, and how fast it goes.

    Attributes:
        to_read: the most pages that waited to be read at any look so far.
        to_embed: the most chunks and passages that waited to be embedded.
    """

    to_read: int = 0
    to_embed: int = 0
    _reading: deque[tuple[float, int]] = field(default_factory=deque)
    _embedding: deque[tuple[float, int]] = field(default_factory=deque)
    _indexing: deque[tuple[float, int]] = field(default_factory=deque)

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
        reading = _rate(self._reading, at, read)
        embedding = _rate(self._embedding, at, self.to_embed - to_embed)
        indexing = _rate(self._indexing, at, now.served)
        left = None
        if now.is_indexing:
            parts.append("making the index of the vectors")
        elif now.chunks and not now.pending and not to_embed:
            parts.append("publishing")
        elif reading and now.pending:
            parts.append(f"{reading * 60:.0f} pages/min")
            left = now.pending / reading
            if now.limited_by == "indexing" and indexing:
                parts.append("indexing limits")
                left = max(left, (now.pending + now.behind) / indexing)
        elif embedding and to_embed:
            left = to_embed / embedding
        if left is not None:
            parts.append(f"{_duration(left)} left")
        return ", ".join(parts)


def _rate(samples: deque[tuple[float, int]], at: float, count: int) -> float:
    """Adds a sample; returns how many a second there were lately, 0 while that is not known."""
    samples.append((at, count))
    while at - samples[0][0] > WINDOW_SECONDS:
        samples.popleft()
    seconds, grown = at - samples[0][0], count - samples[0][1]
    return grown / seconds if seconds > 0 and grown > 0 else 0.0


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
