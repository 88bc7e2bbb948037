"""The database of one command: opened from the settings, closed when the command ends, however it ends."""

from __future__ import annotations

import click

from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import load_settings


def open_database() -> Database:
    """The database that the settings name."""
    database = Database(load_settings())
    click.get_current_context().call_on_close(database.close)
    return database
