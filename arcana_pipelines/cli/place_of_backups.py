"""Where backups are, as a command is told it."""

from __future__ import annotations

import click

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.settings import Settings

from_option = click.option("--from", "place", metavar="PLACE", help="Where backups are; by default BACKUP_TO.")


def place_or(given: str | None, settings: Settings, option: str) -> str:
    """The place that is meant.

    Raises:
        WrongUse: none was given, and BACKUP_TO is not set.
    """
    place = given or settings.backup_to
    if place is None:
        raise WrongUse(f"Say where backups are: {option} PLACE, or set BACKUP_TO.")
    return place
