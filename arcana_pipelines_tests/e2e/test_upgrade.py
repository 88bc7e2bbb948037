"""Upgrading by the command line: what is there is dumped first, and said, and may be left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arcana_pipelines.db import schema
from arcana_pipelines.db.dump import backup_folder
from arcana_pipelines.db.engine import Database
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e


def test_an_upgrade_says_where_the_dump_is_and_makes_none_where_none_is_wanted(
    arcana: Arcana, database: Database
) -> None:
    before = sorted(path.stem.split("_")[0] for path in (schema.MIGRATIONS / "versions").glob("[0-9]*.py"))[-2]
    schema.downgrade(database, before)

    done = arcana("db", "upgrade", "--json")

    said = json.loads(done.stdout)
    assert said["revision"] == schema.newest_revision()
    assert Path(said["backup"]).is_file() and said["backup"] in done.stderr
    assert json.loads(arcana.here("db", "upgrade", "--json").stdout)["backup"] is None
    schema.downgrade(database, before)
    assert json.loads(arcana.here("db", "upgrade", "--no-backup", "--json").stdout)["backup"] is None
    assert schema.current_revision(database) == schema.newest_revision()
    assert list(Path(said["backup"]).parent.iterdir()) == [Path(said["backup"])]


def test_any_command_that_upgrades_dumps_first(arcana: Arcana, database: Database) -> None:
    before = sorted(path.stem.split("_")[0] for path in (schema.MIGRATIONS / "versions").glob("[0-9]*.py"))[-2]
    schema.downgrade(database, before)
    assert arcana.here("workspace", "list").returncode == 0
    (dump,) = backup_folder(Path(arcana.environment["ARCANA_HOME"])).iterdir()
    assert dump.name.startswith(f"arcana-{before}-")
    assert schema.current_revision(database) == schema.newest_revision()
