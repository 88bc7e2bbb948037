"""The database of one command: opened from the settings, closed when the command ends, however it ends."""

from __future__ import annotations

import click

from arcana_pipelines.db import embedded
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.settings import Settings, load_settings


def open_database(may_create: bool = False) -> Database:
    """The database that the settings name. Only with `may_create` is an embedded one made where there is none.

    Raises:
        WrongUse: there is no installation here.
    """
    settings = load_settings()
    if not may_create:
        require_installation(settings)
    database = Database(settings)
    click.get_current_context().call_on_close(database.close)
    return database


def require_installation(settings: Settings) -> None:
    """Refuse to go on where nothing was installed yet: a wrong directory is no reason to make a database.

    Raises:
        WrongUse: DATABASE_URL is not set, and ARCANA_HOME holds no embedded database.
    """
    if settings.database_url is None and not embedded.exists(settings.home):
        raise WrongUse(
            f"There is no installation in {settings.home} (ARCANA_HOME; by default .arcana in the current directory), "
            "and DATABASE_URL is not set. Go to the directory of your installation or set ARCANA_HOME. `arcana up`, "
            "`arcana workspace add` and `arcana db upgrade` make a new one."
        )
