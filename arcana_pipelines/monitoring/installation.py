"""How the server below is, for people: what the database takes, what is bloated, slow or open too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.monitoring.statements import SLOW_SECONDS, Statement, slowest
from arcana_pipelines.operations.disk import Disk, disk_of

load_sql = statements_beside(__file__)

# As the alert rules have them (deploy/prometheus/rules.yml).
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
        disk: None where it is not of this machine.
    """

    database_bytes: int
    tables: Sequence[TableSize]
    bloated: Sequence[TableSize]
    oldest_transaction_seconds: float
    slow_statements: Sequence[Statement] | None
    disk: Disk | None

    @property
    def problems(self) -> list[str]:
        """What a person should look at, in words."""
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        if self.disk is not None and self.disk.is_nearly_full:
            yield f"{self.disk.said} on the disk of ARCANA_HOME"
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
    return InstallationState(
        database_bytes=int(told["arcana_database_bytes", ""]),
        tables=sorted(tables, key=lambda each: (-each.bytes, each.table))[:_LARGEST],
        bloated=[each for each in tables if each.is_bloated],
        oldest_transaction_seconds=told["arcana_oldest_transaction_seconds", ""],
        slow_statements=None if counted is None else [each for each in counted if each.mean_seconds >= SLOW_SECONDS],
        disk=disk_of(home),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    labels: list[str]
    value: float
