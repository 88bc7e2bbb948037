"""Reading rows: one, several, a single value, or a large set in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from psycopg.abc import QueryNoTemplate as Query
from psycopg.rows import class_row, scalar_row

from arcana_pipelines.db.engine import Connection

Row = TypeVar("Row")
Parameters = Sequence[Any] | Mapping[str, Any]


def rows(connection: Connection, kind: type[Row], statement: Query, parameters: Parameters = ()) -> list[Row]:
    """All rows, each as a `kind`: a dataclass whose fields are named as the columns."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def find(connection: Connection, kind: type[Row], statement: Query, parameters: Parameters = ()) -> Row | None:
    """The first row as a `kind`, or None where there is none."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement, parameters).fetchone()


def one(connection: Connection, kind: type[Row], statement: Query, parameters: Parameters = ()) -> Row:
    """The row of a statement that always has one, such as an aggregate.

    Raises:
        LookupError: it has none, or several: the statement is not what its caller takes it for.
    """
    all_rows = rows(connection, kind, statement, parameters)
    if len(all_rows) != 1:
        raise LookupError(f"{len(all_rows)} rows where there is always one")
    return all_rows[0]


def scalar(connection: Connection, statement: Query, parameters: Parameters = ()) -> Any:
    """The first column of the first row; None where there is no row."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement, parameters).fetchone()


def scalars(connection: Connection, statement: Query, parameters: Parameters = ()) -> list[Any]:
    """The first column of all rows."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def keyset_pages(
    connection: Connection,
    kind: type[Row],
    statement: Query,
    parameters: Mapping[str, Any],
    first: Mapping[str, Any],
    after: Callable[[Row], Mapping[str, Any]],
) -> Iterator[list[Row]]:
    """A large set, some rows at a time, in the order of a unique key (keyset pagination).

    What the caller does with a page may take its rows out of the set, or leave them there: neither is met again.

    Args:
        statement: wants rows behind a key that is given by parameters, in its order, and has a LIMIT.
        parameters: of the statement, all but those of the key.
        first: the parameters of a key below every other.
        after: the parameters of a row's key.
    """
    key = first
    while page := rows(connection, kind, statement, {**parameters, **key}):
        key = after(page[-1])
        yield page
