"""docs/embedding-in-dagster.md, word for word: its files are written, and Dagster loads and runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e

PAGE = Path(__file__).parents[2] / "docs" / "embedding-in-dagster.md"
FILES = dict(
    re.findall(r"^```[a-z]+ file=(\S+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
)


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=6, rows=2)
    world.clock.advance(600)
    return world


@pytest.fixture
def host(arcana: Arcana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, and an instance with its dagster.yaml."""
    for name in ("definitions.py", "definitions_with_overrides.py", "workspace.yaml"):
        (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    home = tmp_path / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text(FILES["dagster.yaml"] + "telemetry:\n  enabled: false\n", encoding="utf-8")
    arcana.environment["DAGSTER_HOME"] = str(home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return tmp_path


def dagster(arcana: Arcana, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "dagster", *arguments],
        cwd=folder, env={**arcana.merged({}), "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_every_file_of_the_page_loads(arcana: Arcana, host: Path) -> None:
    assert set(FILES) == {"definitions.py", "definitions_with_overrides.py", "workspace.yaml", "dagster.yaml"}
    assert [each["python_module"]["location_name"] for each in yaml.safe_load(FILES["workspace.yaml"])["load_from"]]
    dagster(arcana, host, "definitions", "validate", "-w", "workspace.yaml")
    dagster(arcana, host, "definitions", "validate", "-m", "definitions_with_overrides")


def test_the_commands_of_the_page_work_on_the_hosts_instance_under_the_prefix(arcana: Arcana, host: Path) -> None:
    arcana.environment["ARCANA_KEY_PREFIX"] = "knowledge"
    for arguments in (["db", "upgrade"], ["workspace", "add", "acme", "--source", "notion"], ["sync", "acme"]):
        done = arcana(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    with dg.DagsterInstance.get() as instance:
        assert instance.get_dynamic_partitions("arcana_workspace") == ["acme"]
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.SUCCESS
        key = dg.AssetKey(["knowledge", "rag_indexes"])
        assert instance.get_latest_materialization_event(key) is not None
    listed = dagster(arcana, host, "asset", "list", "-m", "definitions_with_overrides")
    assert "knowledge/rag_indexes" in listed
    assert arcana("workspace", "remove", "acme", "--yes").returncode in (0, 2)
