"""A drill: a backup is restored into a server of its own, compared with what was backed up, and thrown away again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from arcana_pipelines.backup import facts, manifest
from arcana_pipelines.backup.scratch import restored
from arcana_pipelines.backup.vault import Vault, open_vault
from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import Settings


@dataclass(frozen=True, slots=True)
class Drill:
    """What a drill found.

    Attributes:
        at: when; aware.
        differences: by what the restored differs from what was backed up, a line each; none: it is equal.
        tables: that were compared, all rows of each.
        rows: in them.
        searches: that were compared.
        files: whose bytes were read and held against their hash.
    """

    backup_id: str
    kind: str
    at: str
    seconds: float
    restore_seconds: float
    differences: list[str]
    tables: int
    rows: int
    searches: int
    files: int

    @property
    def is_equal(self) -> bool:
        """Whether what was restored is what was backed up."""
        return not self.differences

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "equal": self.is_equal}


def drill(settings: Settings, address: str, backup_id: str | None = None) -> Drill:
    """Restore a backup (the newest, or the one with this id) below the home, compare it, and note that in the place.

    The bytes of its files are read, not copied. Targets are not touched. Takes the room of the database.

    Raises:
        ArcanaError: it cannot be restored (see `restore`).
    """
    started = time.monotonic()
    found = _Found()
    with restored(settings, address, backup_id, reads_files=True, before_upgrade=found.of_tables) as (done, database):
        made = done.manifest
        answers = facts.searches(database, database.settings)
        with open_vault(address, settings) as vault:
            expected = json.loads(b"".join(vault.read(made.folder, made.parts[facts.PART])))
            lines = facts.differences(expected["tables"], found.sums)
            lines += facts.other_answers(expected["searches"], answers)
            held = Drill(
                made.backup_id, made.kind, datetime.now(UTC).isoformat(), round(time.monotonic() - started, 3),
                round(done.seconds, 3), lines, len(expected["tables"]),
                sum(rows for rows, _ in expected["tables"].values()), len(expected["searches"]),
                made.objects - len(made.missing),
            )  # fmt: skip
            _note(vault, held)
    return held


def drills(vault: Vault) -> Iterator[Drill]:
    """Those that were held, the oldest first."""
    for kept in sorted(vault.place.names("drills/"), key=lambda kept: kept.name):
        yield Drill(**json.loads(vault.get(kept.name)))


def is_proven(vault: Vault, since: datetime) -> bool:
    """Whether a backup that is not older than that was restored, and was equal."""
    young = {each.backup_id for each in manifest.all_of(vault) if each.at >= since}
    return any(held.is_equal and held.backup_id in young for held in drills(vault))


class _Found:
    """What the restored database holds, before anything is changed in it."""

    def __init__(self) -> None:
        self.sums: facts.Sums = {}

    def of_tables(self, database: Database) -> None:
        """Look."""
        with database.connection() as connection, connection.transaction():
            row = connection.execute("SELECT current_schema()").fetchone()
            assert row is not None
            self.sums = facts.sums(connection, str(row[0]))


def _note(vault: Vault, held: Drill) -> None:
    stamp = datetime.fromisoformat(held.at).strftime("%Y%m%dT%H%M%SZ")
    vault.put(f"drills/{stamp}-{held.backup_id}", json.dumps(asdict(held)).encode())
