"""How old backups are, by the place that BACKUP_TO names, which may be a bucket: asked seldom."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime

from arcana_pipelines.backup import manifest
from arcana_pipelines.backup.drill import drills
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.monitoring.sample import Sample
from arcana_pipelines.settings import Settings

log = logging.getLogger(__name__)


def read_backups(settings: Settings) -> Iterator[Sample]:
    """When the newest backup is of, and the newest that a drill found equal; nothing where BACKUP_TO is unset."""
    if settings.backup_to is None:
        return
    try:
        with open_vault(settings.backup_to, settings) as vault:
            whole = manifest.ids(vault)
            at = manifest.read(vault, whole[-1]).at.timestamp() if whole else 0
            proven = [datetime.fromisoformat(held.at).timestamp() for held in drills(vault) if held.is_equal]
    except ArcanaError as error:
        log.warning("the place of backups is not read: %s", type(error).__name__)
        yield Sample("arcana_backup_place_up", (), 0)
        return
    yield Sample("arcana_backup_place_up", (), 1)
    yield Sample("arcana_backup_timestamp_seconds", (), at)
    yield Sample("arcana_backup_proven_timestamp_seconds", (), max(proven, default=0))
