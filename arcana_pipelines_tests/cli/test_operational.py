"""What the database said, in one line."""

from __future__ import annotations

import psycopg2
import pytest
import sqlalchemy

from arcana_pipelines.cli.operational import in_a_line
from arcana_pipelines.db.engine import Database


def test_a_full_disk_that_dagster_meets_is_the_same_sentence(database: Database) -> None:
    engine = sqlalchemy.create_engine(database.dagster_url)
    try:
        with pytest.raises(sqlalchemy.exc.OperationalError) as raised, engine.connect() as connection:
            connection.exec_driver_sql("DO $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$")
    finally:
        engine.dispose()
    assert isinstance(raised.value.orig, psycopg2.errors.DiskFull)
    said = in_a_line(raised.value)
    assert said is not None and said.startswith("The database has no space left on its disk. Make some, and run this")


def test_a_fault_of_ours_is_none() -> None:
    assert in_a_line(KeyError("x")) is None
    assert in_a_line(FileNotFoundError(2, "No such file", "x")) == "FileNotFoundError: [Errno 2] No such file: 'x'"
