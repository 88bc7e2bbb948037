"""The log of use has a partition a month, and forgets old ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args
from uuid import uuid4

from arcana_pipelines.db.models.usage import ACTIONS
from arcana_pipelines.db.query import scalars
from arcana_pipelines.keys.usage import Action, Used, keep_partitions, month_of, record
from arcana_pipelines_tests.harness import Harness

NOVEMBER = datetime(2026, 11, 29, 12, tzinfo=UTC)


def used(at: datetime) -> Used:
    return Used(at, "abcdefgh", uuid4(), None, "search", "/v1", 200, 3, 1, None, "r")


def months(acme: Harness) -> dict[str, int]:
    """How many rows each partition has."""
    return {
        name.removeprefix("api_usage_logs_"): acme.rows(f"SELECT count(*) FROM {name}")[0][0]
        for (name,) in acme.rows(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'api_usage_logs'::regclass ORDER BY 1"
        )
    }


def test_months_are_counted_over_the_year() -> None:
    assert month_of(NOVEMBER) == datetime(2026, 11, 1, tzinfo=UTC)
    assert month_of(NOVEMBER, 2) == datetime(2027, 1, 1, tzinfo=UTC)
    assert month_of(NOVEMBER, -13) == datetime(2025, 10, 1, tzinfo=UTC)


def test_the_kinds_of_use_are_those_that_the_table_takes() -> None:
    assert get_args(Action) == ACTIONS


def test_partitions_are_made_ahead_and_take_what_went_into_the_default_one(acme: Harness) -> None:
    with acme.database.connection() as connection:
        record(connection, [used(NOVEMBER), used(NOVEMBER), used(datetime(2027, 1, 1, tzinfo=UTC))])
        assert months(acme) == {"default": 3}
        made, dropped = keep_partitions(connection, 13, NOVEMBER)
        assert (len(made), dropped) == (3, [])
        assert keep_partitions(connection, 13, NOVEMBER) == ([], [])
        record(connection, [used(NOVEMBER), used(datetime(2030, 1, 1, tzinfo=UTC))])
    assert months(acme) == {"2026_11": 3, "2026_12": 0, "2027_01": 1, "default": 1}


def test_what_is_older_than_is_kept_goes_with_its_partition(acme: Harness) -> None:
    with acme.database.connection() as connection:
        record(connection, [used(NOVEMBER), used(datetime(2026, 9, 30, tzinfo=UTC))])
        keep_partitions(connection, 13, NOVEMBER)
        assert months(acme)["default"] == 1
        later = datetime(2027, 1, 15, tzinfo=UTC)
        assert keep_partitions(connection, 2, later)[1] == []
        assert months(acme)["default"] == 0, "older than two months"
        assert keep_partitions(connection, 1, later)[1] == ["api_usage_logs_2026_11"]
        assert scalars(connection, "SELECT count(*) FROM api_usage_logs") == [0]


def test_a_new_partition_is_nobody_s_but_the_owner_s(acme: Harness) -> None:
    with acme.database.connection() as connection:
        (name, *_), _ = keep_partitions(connection, 13, NOVEMBER)
        readers = scalars(
            connection,
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'arcana%%' AND NOT rolsuper "
            "AND NOT pg_has_role(oid, 'arcana_owner', 'MEMBER') AND has_table_privilege(oid, %s, 'SELECT, INSERT')",
            [name],
        )
    assert readers == []
