"""What a long sync is doing, read from the database while it works."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from arcana_pipelines.cli.output import error_console
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.sql import load_sql
from arcana_pipelines.pipeline.workspaces import Workspace

REFRESH_SECONDS = 0.5


@contextmanager
def progress(database: Database, workspace: Workspace, wanted: bool) -> Iterator[None]:
    """Show a line that says how far the workspace's sync is, on a terminal."""
    console = error_console()
    if not (wanted and console.is_terminal):
        yield
        return
    stop = threading.Event()
    with console.status(f"{workspace.slug}: listing …") as status:

        def watch() -> None:
            connection = database.connect(autocommit=True)
            with connection:
                while not stop.wait(REFRESH_SECONDS):
                    try:
                        status.update(f"{workspace.slug}: {_line(connection, workspace.workspace_id)}")
                    except psycopg.OperationalError:
                        return  # the database went away: the run itself says so

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join(timeout=5)


def _line(connection: Connection, workspace_id: UUID) -> str:
    row = connection.execute(load_sql("progress"), {"workspace_id": workspace_id}).fetchone()
    assert row is not None
    total, pending, staged, served = row
    return f"{total} pages listed, {total - pending} read, {staged} chunks waiting, {served} documents served"
