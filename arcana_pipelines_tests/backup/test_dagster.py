"""What Dagster does about backups: one a night where there is a place for it, and the proof of it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from arcana_pipelines.backup import manifest
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.defs.backups import backup_is_proven, backups, ship_changes
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.jobs import BACKUP_JOB
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.settings import load_settings
from arcana_pipelines.testing.indexed_workspace import IndexedWorkspace


def _asked(name: str) -> list[object]:
    schedule = next(each for each in build_defs().schedules or () if each.name == name)
    assert isinstance(schedule, dg.ScheduleDefinition)
    data = schedule.evaluate_tick(dg.build_schedule_context())
    return [data.skip_message, len(data.run_requests or ())]


def test_nothing_is_backed_up_where_nobody_said_where_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _asked("backup_sweep") == ["BACKUP_TO is not set: nothing is backed up.", 0]
    assert _asked("backup_log_sweep")[1] == 0
    monkeypatch.setenv("BACKUP_TO", str(tmp_path))
    assert _asked("backup_sweep") == [None, 1]
    assert _asked("backup_log_sweep")[1] == 0
    monkeypatch.setenv("BACKUP_WAL", "on")
    assert _asked("backup_log_sweep") == [None, 1]


def test_the_log_of_changes_waits_for_the_first_backup(
    arcana_index: IndexedWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**arcana_index.environment, "BACKUP_TO": str(tmp_path / "place"), "BACKUP_WAL": "on"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ARCANA_ENV_FILE")
    done = ship_changes.execute_in_process(resources={"arcana": ArcanaResource()})
    assert done.success and done.output_for_node("ship_log") == 0
    assert not (tmp_path / "place").exists()


def test_the_job_has_the_asset_and_its_check() -> None:
    assert {node.name for node in build_defs().resolve_job_def(BACKUP_JOB).nodes} == {
        "backups",
        "backups_backup_is_proven",
    }


@pytest.mark.e2e
@pytest.mark.slow
def test_what_is_backed_up_is_proven(
    arcana_index: IndexedWorkspace, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**arcana_index.environment, "BACKUP_TO": place}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ARCANA_ENV_FILE")
    done = dg.materialize([backups, backup_is_proven], resources={"arcana": ArcanaResource()})
    assert done.success
    (told,) = done.asset_materializations_for_node("backups")
    assert told.metadata["kind"].value == "logical"
    (proof,) = done.get_asset_check_evaluations()
    differences = proof.metadata["differences"]
    assert proof.passed and isinstance(differences, dg.TableMetadataValue) and not differences.records
    with open_vault(place, load_settings()) as vault:
        assert manifest.ids(vault) == [told.metadata["backup_id"].value]
