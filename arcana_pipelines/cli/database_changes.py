"""What commands do to the schema: it is brought to this release, or back, and what changes is dumped first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from arcana_pipelines.db import rewrite, schema
from arcana_pipelines.db.dump import dump_tables
from arcana_pipelines.db.engine import Database

log = logging.getLogger(__name__)


def upgrade(database: Database, backup: bool = True, statement_seconds: float | None = None) -> Path | None:
    """Bring the schema up to this release, and rows with it. Tables that change are dumped first; returns the dump.

    Raises:
        BackupFailed: it cannot be dumped. Nothing was changed.
    """
    dumps: list[Path] = []
    schema.upgrade(database, before=_dumper(database, dumps, backup), statement_seconds=statement_seconds)
    rewrite.rewrite(database, rewrite.REWRITES, statement_seconds=statement_seconds)
    return dumps[-1] if dumps else None


def downgrade(database: Database, revision: str, backup: bool = True) -> Path | None:
    """Take migrations back, down to a revision. The tables are dumped first; returns the dump, or None without one.

    Raises:
        BackupFailed: they cannot be dumped. Nothing was changed.
    """
    dumps: list[Path] = []
    schema.downgrade(database, revision, before=_dumper(database, dumps, backup))
    return dumps[-1] if dumps else None


def _dumper(database: Database, dumps: list[Path], backup: bool) -> Callable[[str, str], object]:
    """What is done before tables change: they are dumped, and the file is appended to `dumps`."""

    def dump(current: str, target: str) -> None:
        log.warning("the tables change from %s to %s; they are dumped first", current, target)
        dumps.append(dump_tables(database, current))
        log.warning('the old tables are in %s (docs/operating.md, "Upgrading", says how to go back)', dumps[-1])

    return dump if backup else lambda current, target: None
