"""The job that has files of a kind read once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.partitions import workspaces as partitions
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.ledger.added_files import Called
from arcana_pipelines.pipeline.added_files import add_file
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


def add(database: Database, path: Path) -> None:
    with database.connection() as connection:
        workspace = workspaces.find(connection, "acme")
    with open_file_store(database.settings) as store:
        add_file(database, store, workspace, path, Called.of([path.name]))


@pytest.fixture
def filed(installed: Harness, instance: dg.DagsterInstance, tmp_path: Path) -> Harness:
    """`acme` with three files that were read: two texts, and a page of HTML."""
    for name, text in {"a.txt": "One text.", "b.md": "Another one.", "c.html": "<p>A page of HTML.</p>"}.items():
        (tmp_path / name).write_text(text)
        add(installed.database, tmp_path / name)
    installed.sync()
    instance.add_dynamic_partitions(str(partitions.name), ["acme"])
    return installed


def run(instance: dg.DagsterInstance, **config: Any) -> bool:
    job = build_defs().resolve_job_def("parse_files")
    given = {"ops": {"forget_readings": {"config": config}}}
    return job.execute_in_process(instance=instance, partition_key="acme", run_config=given).success


def states(acme: Harness) -> dict[str, str]:
    return dict(acme.rows("SELECT name, state FROM source_file"))


@pytest.mark.parametrize(
    ("config", "due"),
    [
        ({}, set()),
        ({"kind": "html"}, {"c.html"}),
        ({"parser": "texts"}, {"a.txt", "b.md"}),
        ({"kind": "text", "parser": "html"}, set()),
    ],
)
def test_those_that_are_meant_are_read_by_the_next_sync_and_no_others(
    filed: Harness, instance: dg.DagsterInstance, config: dict[str, str], due: set[str]
) -> None:
    assert set(states(filed).values()) == {"parsed"}
    assert run(instance, **config)
    assert {name for name, state in states(filed).items() if state == "stored"} == due
    filed.sync()
    assert set(states(filed).values()) == {"parsed"}


def test_a_kind_that_there_is_not_is_refused_before_anything_is_forgotten(
    filed: Harness, instance: dg.DagsterInstance
) -> None:
    with pytest.raises(ValidationError):
        run(instance, kind="pfd")
    assert set(states(filed).values()) == {"parsed"}
