"""How the server below is, for people: what the database takes, what is bloated, slow or open too long."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.monitoring.statements import SLOW_SECONDS, Statement, slowest

load_sql = statements_beside(__file__)

# As the alert rules have them (deploy/prometheus/rules.yml).
LEAST_FREE = 0.1
# More is enough, however large the disk.
ENOUGH_BYTES = 20e9
BLOATED_ROWS, BLOATED_SHARE = 100_000, 0.3
LONG_TRANSACTION_SECONDS = 7200
_LARGEST = 5


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table with its indexes and parts.

    Attributes:
        rows: as the server estimates.
        dead_rows: gone, and taking space until they are vacuumed.
    """

    table: str
    bytes: int
    rows: int
    dead_rows: int

    @property
    def is_bloated(self) -> bool:
        """Much of it is rows that are gone."""
        return self.dead_rows > BLOATED_ROWS and self.dead_rows / (self.rows + self.dead_rows) > BLOATED_SHARE


@dataclass(frozen=True, slots=True)
class InstallationState:
    """The server below, and the disk of ARCANA_HOME.

    Attributes:
        database_bytes: what the database takes.
        tables: the largest, the largest first.
        bloated: tables of which much is gone.
        oldest_transaction_seconds: 0 where none is open.
        slow_statements: kinds that take a second on average; None: the server does not count (pg_stat_statements).
        disk_free_bytes: None where the disk is not of this machine.
        disk_bytes: what the disk holds.
    """

    database_bytes: int
    tables: Sequence[TableSize]
    bloated: Sequence[TableSize]
    oldest_transaction_seconds: float
    slow_statements: Sequence[Statement] | None
    disk_free_bytes: int | None
    disk_bytes: int | None

    @property
    def is_disk_full(self) -> bool:
        """Less than a tenth of the disk is free, and less than `ENOUGH_BYTES`."""
        if self.disk_free_bytes is None or self.disk_bytes is None:
            return False
        return self.disk_free_bytes < min(LEAST_FREE * self.disk_bytes, ENOUGH_BYTES)

    @property
    def problems(self) -> list[str]:
        """What a person should look at, in words."""
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        if self.is_disk_full:
            free, of = (self.disk_free_bytes or 0) / 1e9, (self.disk_bytes or 0) / 1e9
            yield f"{free:.1f} GB of {of:.1f} GB are free on the disk of ARCANA_HOME"
        for table in self.bloated:
            yield f"{table.dead_rows:,} rows of {table.table} are gone and still take space"
        if self.oldest_transaction_seconds > LONG_TRANSACTION_SECONDS:
            yield f"a transaction has been open for {self.oldest_transaction_seconds / 3600:.1f} hours"
        for each in self.slow_statements or ():
            yield f"statement {each.query_id} takes {each.mean_seconds:.1f} s on average ({each.calls:,} calls)"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "problems": self.problems}


def installation_state(connection: Connection, home: Path) -> InstallationState:
    """How the server is now: two statements."""
    told: dict[tuple[str, str], float] = {}
    for row in rows(connection, _Row, load_sql("server")):
        told[row.name, row.labels[0] if row.labels else ""] = row.value
    tables = [
        TableSize(table, int(size), int(told["arcana_table_rows", table]), int(told["arcana_table_dead_rows", table]))
        for (name, table), size in told.items()
        if name == "arcana_table_bytes"
    ]
    counted = slowest(connection)
    try:
        disk = shutil.disk_usage(home)
    except OSError:  # it is on another machine
        disk = None
    return InstallationState(
        database_bytes=int(told["arcana_database_bytes", ""]),
        tables=sorted(tables, key=lambda each: (-each.bytes, each.table))[:_LARGEST],
        bloated=[each for each in tables if each.is_bloated],
        oldest_transaction_seconds=told["arcana_oldest_transaction_seconds", ""],
        slow_statements=None if counted is None else [each for each in counted if each.mean_seconds >= SLOW_SECONDS],
        disk_free_bytes=disk.free if disk else None,
        disk_bytes=disk.total if disk else None,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    labels: list[str]
    value: float
