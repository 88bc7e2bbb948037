"""A backup in a server of its own, below the home (`room_in`), for a while."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from arcana_pipelines.backup.restore import Restored, restore
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Database
from arcana_pipelines.home import room_in
from arcana_pipelines.settings import Settings

_FOLDER = "drills"


@contextmanager
def restored(
    settings: Settings, address: str, backup_id: str | None, **options: Any
) -> Iterator[tuple[Restored, Database]]:
    """What was restored without its files, and the database of it, until the block ends.

    It takes the room of the database. No target is delivered to from there. `options` are those of `restore`.

    Raises:
        ArcanaError: it cannot be restored (see `restore`).
    """
    folder = room_in(settings.home) / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear(folder)
    scratch = folder / secrets.token_hex(4)
    there = settings.model_copy(
        update={
            "arcana_home": scratch, "database_url": None, "serve_database_url": None, "s3_bucket_name": None,
            "redis_url": None,
        }
    )  # fmt: skip
    try:
        done = restore(there, address, backup_id, with_files=False, **options)
        with closing(Database(there)) as database:
            with database.connection() as connection, connection.transaction():
                # Their stores are the other installation's.
                connection.execute("UPDATE index_target SET is_paused = true, serves = false")
            yield done, database
    finally:
        lease.release_lease(scratch)
        if lease.server_folder(scratch).exists():
            lease.wait_until_stopped(scratch, 120.0)
        shutil.rmtree(scratch, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove what was left by processes that were killed; of one that is at work the server runs."""
    for each in folder.iterdir():
        if not lease.server_folder(each).exists() or lease.wait_until_stopped(each, 1.0):
            shutil.rmtree(each, ignore_errors=True)
