"""What a long run is doing, and how long it takes yet, on the terminal of whoever started it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from arcana_pipelines.cli.course import Course, duration
from arcana_pipelines.cli.fill_course import FillCourse
from arcana_pipelines.cli.output import error_console, printable
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.net.workers import cores
from arcana_pipelines.operations.filling import fillings
from arcana_pipelines.operations.reports import progress_of
from arcana_pipelines.workspaces.workspaces import Workspace

REFRESH_SECONDS = 0.5
# Asking costs time at the database; it asks at most this part of the time.
SHARE_OF_TIME = 0.05

# Asks the database at a moment (monotonic seconds) and says what is to be shown.
Look = Callable[[Connection, float], str]


@contextmanager
def progress(database: Database, workspace: Workspace, wanted: bool, fills: bool = False) -> Iterator[None]:
    """Show a line that says how far the workspace's sync is, or with `fills` its new builds, on a terminal."""
    if not (wanted and error_console().is_terminal):
        yield
        return
    from rich.console import Console
    from rich.text import Text

    look = _fill_look(database, workspace) if fills else _sync_look(workspace)
    # Dagster may take standard error away while it runs assets; a copy of it still leads to the terminal.
    with open(os.dup(2), "w", encoding="utf-8", errors="replace") as terminal:
        console = Console(file=terminal, force_terminal=True, highlight=False)
        stop = threading.Event()

        def shown(line: str) -> Text:
            return Text(printable(f"{workspace.slug}: {line}"), no_wrap=True, overflow="ellipsis")

        with console.status(shown("starting …" if fills else "listing …")) as status:

            def watch() -> None:
                pause = 0.0
                try:
                    with database.connect() as connection:
                        while not stop.wait(max(REFRESH_SECONDS, pause)):
                            asked = time.monotonic()
                            line = look(connection, asked)
                            pause = (time.monotonic() - asked) / SHARE_OF_TIME
                            status.update(shown(line))
                except psycopg.OperationalError:
                    return  # the database went away: the run itself says so

            watcher = threading.Thread(target=watch, daemon=True)
            watcher.start()
            try:
                yield
            finally:
                stop.set()
                watcher.join(timeout=2)


def _sync_look(workspace: Workspace) -> Look:
    course = Course()
    return lambda connection, at: course.line(progress_of(connection, workspace.workspace_id), at)


def _fill_look(database: Database, workspace: Workspace) -> Look:
    course = FillCourse(database.settings.worker_processes or cores())
    return lambda connection, at: course.line(fillings(connection, workspace.workspace_id), at)


@contextmanager
def counted(what: str, wanted: bool) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how many are done of how many, as the block tells it, and the time left."""
    if not (wanted and error_console().is_terminal):
        yield lambda done, of: None
        return
    from rich import progress as bars
    from rich.console import Console
    from rich.text import Text

    class Left(bars.ProgressColumn):
        """As the line of a sync has it, with tenths of the last seconds: rich's own column rounds these up."""

        def render(self, task: bars.Task) -> Text:
            if task.remaining is None or not task.speed:
                return Text()
            left = task.remaining / task.speed
            return Text(f"{left:.1f} s left" if left < 10 else f"{duration(left)} left")

    columns = (
        bars.TextColumn("{task.description}", markup=False), bars.BarColumn(), bars.MofNCompleteColumn(), Left(),
    )  # fmt: skip
    # Not `error_console`: what is wider than the terminal would go on in a second line.
    with bars.Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as shown:
        task = shown.add_task(printable(what), total=None)
        yield lambda done, of: shown.update(task, completed=done, total=of)
