"""Rows as dataclasses, single values, and large sets page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import find, keyset_pages, one, rows, scalar, scalars


@dataclass(frozen=True)
class Pair:
    number: int
    word: str


PAIRS = "SELECT * FROM (VALUES (1, 'one'), (2, '둘')) AS pair (number, word)"


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.connection() as opened:
        yield opened


def test_rows_are_what_their_columns_are_named_after(connection: Connection) -> None:
    assert rows(connection, Pair, PAIRS) == [Pair(1, "one"), Pair(2, "둘")]
    assert find(connection, Pair, f"{PAIRS} WHERE number = %s", [2]) == Pair(2, "둘")
    assert find(connection, Pair, f"{PAIRS} WHERE number = %s", [3]) is None


def test_one_row_is_neither_none_nor_several(connection: Connection) -> None:
    assert one(connection, Pair, f"{PAIRS} WHERE number = 1") == Pair(1, "one")
    for statement in (PAIRS, f"{PAIRS} WHERE number = 3"):
        with pytest.raises(LookupError):
            one(connection, Pair, statement)


def test_a_value_is_the_first_column(connection: Connection) -> None:
    assert scalar(connection, f"SELECT count(*) FROM ({PAIRS}) x") == 2
    assert scalar(connection, f"{PAIRS} WHERE number = 3") is None
    assert scalars(connection, PAIRS) == [1, 2]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_a_large_set_is_met_once_whatever_becomes_of_its_rows(connection: Connection, limit: int) -> None:
    connection.execute(
        "CREATE TEMPORARY TABLE pile AS SELECT n AS number, n::text AS word FROM generate_series(1, 7) n"
    )
    statement = "SELECT number, word FROM pile WHERE number > %(after)s ORDER BY number LIMIT %(limit)s"
    met = []
    for page in keyset_pages(
        connection, Pair, statement, {"limit": limit}, {"after": 0}, lambda pair: {"after": pair.number}
    ):
        assert len(page) <= limit
        met += [pair.number for pair in page]
        connection.execute("DELETE FROM pile WHERE number = %s", [page[0].number])
    assert met == [1, 2, 3, 4, 5, 6, 7]
