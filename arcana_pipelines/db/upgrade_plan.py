"""What an upgrade or a downgrade of the schema would do, read off its migrations. Nothing is changed, or locked."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.db.schema import MIGRATIONS
from arcana_pipelines.db.statements import statements_beside

if TYPE_CHECKING:
    from alembic.script import Script

load_sql = statements_beside(__file__)

_NAME = r'(?:IF EXISTS )?(?:ONLY )?"?(\w+)"?'
# The forms that our migrations use. https://www.postgresql.org/docs/current/explicit-locking.html has what each locks.
_STOPS_SEARCHES = re.compile(
    rf"^(?:ALTER TABLE|ALTER VIEW|DROP TABLE|DROP VIEW|CREATE OR REPLACE VIEW|TRUNCATE|LOCK TABLE) {_NAME}"
    rf"|^(?:CREATE|ALTER|DROP) POLICY (?:IF EXISTS )?\S+ ON {_NAME}|^DROP TRIGGER (?:IF EXISTS )?\S+ ON {_NAME}"
)
_STOPS_WRITES = re.compile(
    rf"^CREATE (?:UNIQUE )?INDEX (?:\S+ )?ON {_NAME}|^CREATE (?:CONSTRAINT )?TRIGGER \S+ .*? ON {_NAME}"
    rf"|\bREFERENCES {_NAME}"
)
_GOES_THROUGH = re.compile(
    rf"^(?:UPDATE|DELETE FROM) {_NAME}|^CREATE (?:UNIQUE )?INDEX (?:\S+ )?ON {_NAME}"
    rf"|^ALTER TABLE {_NAME} (?=.*(?:\bALTER COLUMN \S+ (?:SET DATA )?TYPE\b|\bSET NOT NULL\b|\bSTORED\b))"
    rf"|^ALTER TABLE {_NAME} (?=.*\bADD CONSTRAINT\b)(?!.*\bNOT VALID\b)"
)
_DROPPED_TABLES = re.compile(r"^DROP TABLE (?:IF EXISTS )?(.+?)(?: CASCADE)?$")
_DROPPED_COLUMN = re.compile(r'DROP COLUMN (?:IF EXISTS )?"?(\w+)"?')
_ALTERED_TABLE = re.compile(rf"^ALTER TABLE {_NAME}")
_DELETED_ROWS = re.compile(
    r"^DELETE FROM (?P<table>\w+)(?: (?!WHERE|USING)(?P<alias>\w+))?(?: USING (?P<using>.+?))?"
    r"(?: WHERE (?P<where>.+))?$"
)
_TRUNCATED = re.compile(rf"^TRUNCATE {_NAME}$")
_BODIES = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)  # of functions: what stands in them runs later


@dataclass(frozen=True, slots=True)
class Step:
    """One migration of a plan, up or down.

    Attributes:
        revision: of the migration.
        description: the first line of what it says of itself.
        stops_searches: tables that there are and that nothing else may read until the end of the plan.
        stops_writes: tables that there are and that nothing else may write until the end of the plan.
        goes_through: tables of which each row is read or written: the larger, the longer all this takes.
        asks_first: it asks the database what to do, so that not all it would do can be told.
        statements: what it runs, in order.
    """

    revision: str
    description: str
    stops_searches: tuple[str, ...]
    stops_writes: tuple[str, ...]
    goes_through: tuple[str, ...]
    asks_first: bool
    statements: tuple[str, ...]

    def as_dict(self, with_statements: bool = False) -> dict[str, Any]:
        """JSON-ready."""
        told = asdict(self)
        if not with_statements:
            del told["statements"]
        return told


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that a downgrade deletes, and how much of it there is.

    Attributes:
        what: a table, or a column with its table.
        rows: of the table; of a column those in which it says something else than in a new row.
        is_at_most: fewer rows may go: which, can only be told when the steps before have run.
    """

    what: str
    rows: int
    is_at_most: bool = False


def steps_up(connection: Connection, current: str | None, target: str) -> list[Step]:
    """What an upgrade from `current` (None: an empty database) to `target` would run, in order."""
    return _of_tables_there(connection, [_step(script, "upgrade") for script in reversed(_between(target, current))])


def steps_down(connection: Connection, current: str, target: str) -> list[Step]:
    """What a downgrade from `current` to `target` (`base`: an empty database) would run, in order."""
    steps = [_step(script, "downgrade") for script in _between(current, target)]
    # With a table go its foreign keys, and what they refer to is locked for that.
    dropped = {step.revision: _dropped_tables(step.statements) for step in steps}
    referred: dict[str, list[str]] = {}
    names = [name for names in dropped.values() for name in names]
    for table, other in connection.execute(load_sql("tables_referred_to"), {"names": names}):
        referred.setdefault(table, []).append(other)
    locked = {
        revision: [other for table in tables for other in referred.get(table, ())]
        for revision, tables in dropped.items()
    }
    return _of_tables_there(connection, [
        replace(step, stops_searches=tuple(dict.fromkeys([
            *step.stops_searches, *dropped[step.revision], *sorted(locked[step.revision])
        ]))) for step in steps
    ])  # fmt: skip


def losses(connection: Connection, steps: list[Step]) -> list[Loss]:
    """What the steps of a downgrade delete of what there is. Counts rows: seconds, where tables are large."""
    found: dict[str, Loss] = {}
    for statement in (statement for step in steps for statement in step.statements):
        for what, table, count in _deleted(connection, statement):
            if what not in found and scalar(connection, "SELECT to_regclass(quote_ident(%s)) IS NOT NULL", [table]):
                found[what] = _loss(connection, what, table, count)
    return [loss for loss in found.values() if loss.rows]


def sizes_of(connection: Connection, steps: list[Step]) -> dict[str, int]:
    """Bytes of each table that the steps lock or go through, its indexes included."""
    names = {table for step in steps for table in (*step.stops_searches, *step.stops_writes, *step.goes_through)}
    return dict(connection.execute(load_sql("sizes_of_tables"), {"names": sorted(names)}).fetchall())


def dump_is_at_most(connection: Connection) -> int:
    """Bytes of our tables without their indexes: a dump, which is compressed, is smaller."""
    from arcana_pipelines.db.dump import names_of_ours

    return int(scalar(connection, load_sql("bytes_to_dump"), {"names": names_of_ours()}))


def _between(upper: str, lower: str | None) -> list[Script]:
    """The migrations above `lower` (None, `base`: all) up to `upper`, the newest first."""
    from alembic.script import ScriptDirectory

    # A plan writes nothing: of what the database has already, no migration is one.
    return list(ScriptDirectory(str(MIGRATIONS)).iterate_revisions(upper, lower or "base"))


def _step(script: Script, direction: str) -> Step:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    written = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written})
    asks_first = False
    with Operations.context(context):
        try:
            getattr(script.module, direction)()
        except AttributeError:
            # There is no connection that it could ask (`op.get_bind()` is None).
            asks_first = True
    statements = tuple(
        part.strip().replace("%%", "%")  # it is escaped for a driver
        for part in written.getvalue().split(";\n\n")
        if part.strip()
    )
    return Step(
        script.revision,
        next(iter((script.doc or "").splitlines()), ""),
        _tables(_STOPS_SEARCHES, statements),
        _tables(_STOPS_WRITES, statements),
        _tables(_GOES_THROUGH, statements),
        asks_first,
        statements,
    )


def _tables(pattern: re.Pattern[str], statements: tuple[str, ...]) -> tuple[str, ...]:
    found = (
        name for statement in statements for match in pattern.finditer(_flat(statement)) for name in match.groups()
    )
    return tuple(dict.fromkeys(name for name in found if name))


def _dropped_tables(statements: tuple[str, ...]) -> list[str]:
    found = (_DROPPED_TABLES.match(_flat(statement)) for statement in statements)
    return [table.strip(' "') for match in found if match for table in match[1].split(",")]


def _flat(statement: str) -> str:
    return " ".join(_BODIES.sub("", statement).split())


def _of_tables_there(connection: Connection, steps: list[Step]) -> list[Step]:
    """The steps with no table that only the plan itself makes: no one waits for those."""
    there = sizes_of(connection, steps)

    def kept(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in there)

    return [
        replace(
            step,
            stops_searches=kept(step.stops_searches),
            stops_writes=kept(tuple(name for name in step.stops_writes if name not in step.stops_searches)),
            goes_through=kept(step.goes_through),
        )
        for step in steps
    ]


def _loss(connection: Connection, what: str, table: str, count: sql.SQL | sql.Composed) -> Loss:
    try:
        return Loss(what, scalar(connection, count))
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable):
        # It names what an earlier step makes.
        return Loss(what, scalar(connection, _all_rows(table)), is_at_most=True)


def _deleted(connection: Connection, statement: str) -> Iterator[tuple[str, str, sql.SQL | sql.Composed]]:
    """What a statement deletes: its name, the table, and the statement that counts it."""
    flat = _flat(statement)
    for table in _dropped_tables((statement,)):
        yield table, table, _all_rows(table)
    if altered := _ALTERED_TABLE.match(flat):
        for column in _DROPPED_COLUMN.findall(flat):
            default = scalar(connection, load_sql("column_default"), {"table": altered[1], "column": column})
            if default is not None:
                says_more = sql.SQL(" WHERE {} IS DISTINCT FROM ({})").format(sql.Identifier(column), sql.SQL(default))
                yield f"{altered[1]}.{column}", altered[1], _all_rows(altered[1]) + says_more
    if truncated := _TRUNCATED.match(flat):
        yield f"rows of {truncated[1]}", truncated[1], _all_rows(truncated[1])
    if deleted := _DELETED_ROWS.match(flat):
        table, alias = deleted["table"], deleted["alias"] or deleted["table"]
        tables = f"{table} AS {alias}" + (f", {deleted['using']}" if deleted["using"] else "")
        count = f"SELECT count(DISTINCT {alias}.ctid) FROM {tables} WHERE {deleted['where'] or 'true'}"
        yield f"rows of {table}", table, sql.SQL(count)  # the migration's own words


def _all_rows(table: str) -> sql.Composed:
    return sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
