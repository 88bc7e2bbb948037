"""A workspace of a ticket platform in a real Dagster: its daemon, its code server, a process for each run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from arcana_pipelines_tests.conformance.conftest import PLUGIN, TICKETS
from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.e2e.test_guest import daemon, launch, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FAILURE, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


@pytest.fixture
def desk(arcana: Arcana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of tickets of the workspace `desk`, in an installation with the plug-in that reads them."""
    home = tmp_path / "host"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    arcana.environment["DAGSTER_HOME"] = str(home)
    arcana.clean["PYTHONPATH"] = os.pathsep.join([str(PLUGIN), arcana.clean.get("PYTHONPATH", "")])
    (tmp_path / "workspace.yaml").write_text(
        "load_from:\n  - python_module:\n      module_name: arcana_pipelines.definitions\n      location_name: arcana\n"
    )
    path = tmp_path / "tickets.json"
    path.write_text(json.dumps(TICKETS))
    arcana.json("workspace", "add", "desk", "--source", "ticket-desk", "--path", str(path))
    return path


def ended(instance: dg.DagsterInstance, job: str) -> Callable[[int], bool]:
    """Whether so many runs of the job are over."""
    runs = dg.RunsFilter(job_name=job, statuses=[FAILURE, SUCCESS])
    return lambda count: len(instance.get_runs(runs)) >= count


def test_its_sensors_sync_it_a_change_is_seen_and_a_run_of_the_wrong_job_is_told_the_right_one(
    arcana: Arcana, tmp_path: Path, desk: Path
) -> None:
    with daemon(arcana, tmp_path) as log, dg.DagsterInstance.get() as instance:
        synced = ended(instance, "sync_tickets")
        until(lambda: synced(1), log)
        desk.write_text(json.dumps({key: ticket for key, ticket in TICKETS.items() if key != "T-2"}))
        until(lambda: synced(2), log)
        launch(arcana, tmp_path, "arcana", "sync_workspace", "--tags", '{"dagster/partition": "desk"}')
        until(lambda: ended(instance, "sync_workspace")(1), log)
        (refused,) = instance.get_runs(dg.RunsFilter(job_name="sync_workspace"))
        assert refused.status is FAILURE and refused.tags["arcana/read-by"] == "support_tickets"
        assert {run.status for run in instance.get_runs(dg.RunsFilter(job_name="sync_tickets"))} == {SUCCESS}
    assert arcana.json("status", "--check") == {"ok": True, "exit_code": 0, "causes": []}
    audited = arcana.json("sync", "desk", "--mode", "audit")
    assert (audited["pages"]["enumerated"], audited["pages"]["added"], audited["pages"]["updated"]) == (2, 0, 0)
    assert [hit["title"] for hit in arcana.json("search", "desk", "heating")["hits"]][:1] == ["No heating"]
