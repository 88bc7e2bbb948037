"""The database for a tick of a sensor or a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from arcana_pipelines.db.engine import Database, is_installed
from arcana_pipelines.db.schema import current_revision, newest_revision
from arcana_pipelines.environment import read_anew
from arcana_pipelines.settings import load_settings

NO_SCHEMA = (
    "The database does not have this release's schema: `arcana db status` says which; an older one, or none, needs "
    "`arcana db upgrade`."
)


@contextmanager
def tick_database() -> Iterator[Database | None]:
    """Closed when the tick is over; None while there is no database, or its schema is of another release."""
    read_anew()
    settings = load_settings()
    if not is_installed(settings):
        yield None
        return
    database = Database(settings)
    try:
        yield database if current_revision(database) == newest_revision() else None
    finally:
        database.close()
