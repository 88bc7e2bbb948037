"""What a long run is doing, and how long it takes yet, for whoever started it.

On a terminal it is one line that moves; elsewhere (a pipe, cron, CI) a plain line at the beginning, at each stage and
every half minute. All of it goes to standard error, and none of it is told with --json or `arcana -q`.
"""

from __future__ import annotations

import io
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

import psycopg

from arcana_pipelines.cli.course import Course, duration
from arcana_pipelines.cli.fill_course import FillCourse
from arcana_pipelines.cli.log_lines import LogLines
from arcana_pipelines.cli.output import error_console, is_quiet, printable
from arcana_pipelines.cli.step_rates import keep, measured
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.errors import DatabaseUnreachable
from arcana_pipelines.net.workers import cores
from arcana_pipelines.operations.filling import Filling, fillings, followed
from arcana_pipelines.operations.reports import progress_of
from arcana_pipelines.workspaces.workspaces import Workspace

REFRESH_SECONDS = 0.5
# Where no terminal is: a stage that is over before is not told.
LOG_REFRESH_SECONDS = 5.0
# So long the end of a run waits for a look that is under way.
PATIENCE_SECONDS = 2.0
# Asking costs time at the database; each question is asked at most this part of the time.
SHARE_OF_TIME = 0.05
# A glance takes long where it waits for a busy machine: what is seen late is taken for slow.
MOST_SECONDS_TO_GLANCE = 2.0

# Takes a line and its stage.
Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """What is seen of a run. Moments are monotonic seconds.

    Attributes:
        look: asks the database at a moment.
        line: what is to be shown at a moment, and the stage that this is of.
        glance: asks for what takes next to no time, when it is too soon for a look.
        end: hears when a run came to its end.
    """

    look: Callable[[Connection, float], None]
    line: Callable[[float], tuple[str, str]]
    glance: Callable[[Connection, float], None] = lambda connection, at: None
    end: Callable[[float], None] = lambda at: None


@contextmanager
def progress(
    database: Database, workspace: Workspace, wanted: bool, begins: str = "listing", fills: bool = False
) -> Iterator[None]:
    """Say how far the workspace's sync is, or with `fills` its new builds; first of all what it begins with."""
    if not (wanted and _is_heard()):
        yield
        return
    watch = fill_watch(database, workspace, time.monotonic()) if fills else _sync_watch(workspace)
    pause = REFRESH_SECONDS if _is_live() else LOG_REFRESH_SECONDS
    # Dagster may take standard error away while it runs assets; a copy of it still leads where it led.
    copied = io.FileIO(os.dup(2), "w")
    with (
        io.TextIOWrapper(copied, encoding="utf-8", errors="replace", write_through=True) as out,
        _line(out, f"{workspace.slug}: {begins} …") as tell,
        _watched(database, watch, lambda line, stage: tell(f"{workspace.slug}: {line}", stage), pause),
    ):
        yield
    watch.end(time.monotonic())


@contextmanager
def doing(line: str, wanted: bool) -> Iterator[Callable[[str], None]]:
    """Say what is being done, and yield a function that says what is done next."""
    if not (wanted and _is_heard()):
        yield lambda line: None
        return
    with _line(sys.stderr, line) as tell:
        yield lambda line: tell(line, line)


@contextmanager
def counted(
    what: str, wanted: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int, int], None]]:
    """Say how many are done of how many, as the block tells it, and the time left."""
    if not (wanted and _is_heard()):
        yield lambda done, of: None
        return
    from rich import progress as bars
    from rich.console import Console
    from rich.text import Text

    class Left(bars.ProgressColumn):
        """As the line of a sync has it, with tenths of the last seconds: rich's own column rounds these up."""

        def render(self, task: bars.Task) -> Text:
            return Text(_left(task.remaining, task.speed))

    is_live = _is_live()
    columns = (
        bars.TextColumn("{task.description}", markup=False), bars.BarColumn(), bars.MofNCompleteColumn(), Left(),
    )  # fmt: skip
    # Not `error_console`: what is wider than the terminal would go on in a second line.
    console = Console(stderr=True, highlight=False)
    with bars.Progress(*columns, console=console, transient=True, get_time=clock, disable=not is_live) as shown:
        task = shown.add_task(printable(what), total=None)
        if is_live:
            yield lambda done, of: shown.update(task, completed=done, total=of)
            return
        lines = LogLines(_writes(sys.stderr))
        lines.tell(f"{what} …", what, clock())

        def tell(done: int, of: int) -> None:
            shown.update(task, completed=done, total=of)
            left = _left(shown.tasks[0].remaining, shown.tasks[0].speed)
            lines.tell(", ".join(filter(None, (f"{what}: {done} of {of}", left))), what, clock())

        yield tell


def _is_heard() -> bool:
    """Whether there is anybody to tell: standard error may be closed."""
    return sys.stderr is not None and not is_quiet()


def _is_live() -> bool:
    """Whether a line can move there: also a terminal may be one that understands no commands (TERM=dumb)."""
    console = error_console()
    return console.is_terminal and not console.is_dumb_terminal


def _left(remaining: float | None, speed: float | None) -> str:
    if remaining is None or not speed:
        return ""
    left = remaining / speed
    return f"{left:.1f} s left" if left < 10 else f"{duration(left)} left"


@contextmanager
def _line(out: TextIO, first: str) -> Iterator[Tell]:
    """A line that says what is done: it moves on a terminal, and comes again in a log."""
    if not _is_live():
        lines = LogLines(_writes(out))
        lines.tell(first, first, time.monotonic())
        yield lambda line, stage: lines.tell(line, stage, time.monotonic())
        return
    from rich.console import Console
    from rich.text import Text

    def shown(line: str) -> Text:
        return Text(printable(line), no_wrap=True, overflow="ellipsis")

    with Console(file=out, force_terminal=True, highlight=False).status(shown(first)) as status:
        yield lambda line, stage: status.update(shown(line))


def _writes(out: TextIO) -> Callable[[str], None]:
    def write(text: str) -> None:
        out.write(text)
        out.flush()

    return write


@contextmanager
def _watched(database: Database, watch: Watch, tell: Tell, pause: float) -> Iterator[None]:
    """Look how far the block is, again and again, and tell it every `pause` seconds.

    Between two looks time goes by, which is told too.
    """
    stop = threading.Event()

    def watching() -> None:
        asks = {watch.look: math.inf, watch.glance: MOST_SECONDS_TO_GLANCE}
        ask_at, tell_at = dict.fromkeys(asks, 0.0), time.monotonic() + pause
        try:
            with database.connect() as connection:
                while not stop.wait(REFRESH_SECONDS):
                    asked = time.monotonic()
                    for ask, longest in asks.items():
                        if asked >= ask_at[ask]:
                            ask(connection, asked)
                            ask_at[ask] = asked + min((time.monotonic() - asked) / SHARE_OF_TIME, longest)
                            break
                    # Where the run is over what it is told by may be closed.
                    if asked >= tell_at and not stop.is_set():
                        tell(*watch.line(time.monotonic()))
                        tell_at = asked + pause
        except (psycopg.OperationalError, DatabaseUnreachable):
            return  # the run itself says so

    watcher = threading.Thread(target=watching, name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(PATIENCE_SECONDS)


def _sync_watch(workspace: Workspace) -> Watch:
    course = Course()
    lines: list[str] = []

    def look(connection: Connection, at: float) -> None:
        lines[:] = [course.line(progress_of(connection, workspace.workspace_id), at)]

    return Watch(look, lambda at: (lines[0], course.stage))


def fill_watch(database: Database, workspace: Workspace, began: float) -> Watch:
    """What is seen of a run that fills new builds."""
    home, processes = database.settings.home, database.settings.worker_processes or cores()
    course = FillCourse(processes, began, lambda key: measured(home, key))
    known: list[Filling] = []

    def look(connection: Connection, at: float) -> None:
        nonlocal known
        known = fillings(connection, workspace.workspace_id)
        course.look(known, at)

    def end(at: float) -> None:
        if (learned := course.learned(at)) is not None:
            keep(home, *learned)

    return Watch(
        look,
        lambda at: (course.line(at), course.step),
        lambda connection, at: course.look(followed(connection, workspace.workspace_id, known), at, is_counted=False),
        end,
    )
