"""The database of one command: opened from the settings, closed when the command ends, however it ends."""

from __future__ import annotations

import click

from arcana_pipelines.db.engine import Database, require_installation
from arcana_pipelines.settings import load_settings


def open_database(may_create: bool = False) -> Database:
    """The database that the settings name. Only with `may_create` is an embedded one made where there is none.

    Raises:
        WrongUse: there is no installation here.
    """
    settings = load_settings()
    if not may_create:
        require_installation(settings)
    database = Database(settings, may_create=may_create)
    click.get_current_context().call_on_close(database.close)
    return database
