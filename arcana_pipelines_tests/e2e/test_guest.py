"""In a Dagster that somebody else runs: real code servers, a real daemon, the host's runs beside ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e

# The host's job: daily partitions, and longer under way than our grace and than the interval of a sensor.
HOST = """
import time
import dagster as dg

@dg.asset(partitions_def=dg.DailyPartitionsDefinition(start_date="2026-01-01"))
def orders(context: dg.AssetExecutionContext) -> None:
    time.sleep({seconds})

daily_orders = dg.define_asset_job("daily_orders", selection=[orders])
defs = dg.Definitions(assets=[orders], jobs=[daily_orders], executor=dg.multiprocess_executor)
"""
# What is patched is `GRACE`, and how often sensors look, so that the test needs seconds instead of minutes.
OURS = """
import datetime as dt
import dagster as dg

sensor = dg.sensor
dg.sensor = lambda **said: sensor(**{**said, "minimum_interval_seconds": 5})
from arcana_pipelines.defs import runs
from arcana_pipelines.defs.build import build_defs

runs.GRACE = dt.timedelta(seconds=1)
runs.SECOND_LOOK_SECONDS = 0.5
defs = build_defs()
"""
MERGED = """
import dagster as dg
import host, ours

defs = dg.Definitions.merge(host.defs, ours.defs)
"""


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=8, rows=2)
    world.clock.advance(600)
    return world


@pytest.fixture
def dagster_home(arcana: Arcana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An instance of the host's own, with Dagster's defaults but for telemetry."""
    home = tmp_path / "host"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
    arcana.environment["DAGSTER_HOME"] = str(home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return home


@contextmanager
def daemon(arcana: Arcana, folder: Path) -> Iterator[Path]:
    """Dagster's daemon over the folder's workspace, and the code servers that it starts."""
    log = folder / "daemon.log"
    environment = {**arcana.merged({}), "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "dagster._daemon", "run", "-w", "workspace.yaml"],
            cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            yield log
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def launch(arcana: Arcana, folder: Path, module: str, job: str, *options: str) -> None:
    """Put a run into the queue, as the UI does."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "dagster", "job", "launch", "-w", "workspace.yaml", "-l", module,
         "-j", job, *options],
        cwd=folder, env={**arcana.merged({}), "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def until(condition: Callable[[], bool], log: Path, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-4000:]
        time.sleep(0.5)


@pytest.mark.parametrize(
    "modules",
    [["merged"], pytest.param(["host", "ours"], marks=pytest.mark.long)],
    ids=["one code location", "two code locations"],
)
def test_a_long_run_of_the_host_succeeds_beside_our_sensors_and_a_sync(
    modules: list[str], arcana: Arcana, tmp_path: Path, dagster_home: Path
) -> None:
    for name, text in (("host", HOST.format(seconds=15)), ("ours", OURS), ("merged", MERGED)):
        (tmp_path / f"{name}.py").write_text(text)
    lines = [f"  - python_module:\n      module_name: {name}\n      location_name: {name}\n" for name in modules]
    (tmp_path / "workspace.yaml").write_text("load_from:\n" + "".join(lines))
    arcana.json("workspace", "add", "acme", "--source", "notion")
    with daemon(arcana, tmp_path) as log, dg.DagsterInstance.get() as instance:
        tags = '{"dagster/partition": "2026-01-06"}'
        launch(arcana, tmp_path, modules[0], "daily_orders", "--tags", tags)

        def statuses(job: str) -> list[dg.DagsterRunStatus]:
            return [run.status for run in instance.get_runs(dg.RunsFilter(job_name=job))]

        until(lambda: statuses("sync_workspace")[:1] == [dg.DagsterRunStatus.SUCCESS], log)
        until(lambda: all(run.is_finished for run in instance.get_runs()), log)
        assert statuses("daily_orders") == [dg.DagsterRunStatus.SUCCESS]
        (ours,) = instance.get_runs(dg.RunsFilter(job_name="sync_workspace"))
        assert ours.tags["arcana/workspace"] == "acme"
        ticks = [
            tick
            for state in instance.all_instigator_state()
            if state.instigator_name == "workspace_registry"
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
        ]
        assert len([tick for tick in ticks if tick.status.value in ("SKIPPED", "SUCCESS")]) >= 2, "it has looked twice"
    assert arcana.json("sync", "acme")["pages"]["added"] == 0, "all was there already"


@pytest.mark.long
def test_our_assets_work_in_a_host_that_gives_each_step_a_process(
    arcana: Arcana, tmp_path: Path, dagster_home: Path
) -> None:
    for name, text in (("host", HOST.format(seconds=0)), ("ours", OURS), ("merged", MERGED)):
        (tmp_path / f"{name}.py").write_text(text)
    arcana.json("workspace", "add", "acme", "--source", "notion")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "dagster", "asset", "materialize", "-m", "merged", "--partition", "acme",
         "--select", "key:notion_pages or key:document_content or key:document_chunks or key:chunk_embeddings or "
         "key:rag_indexes"],
        cwd=tmp_path, env={**arcana.merged({}), "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "multiprocess" in (done.stdout + done.stderr).lower() or "STEP_WORKER" in done.stdout + done.stderr
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        assert run.tags["arcana/workspace"] == "acme" and run.tags["arcana/at-work"].startswith("ended/")
    assert arcana.json("sync", "acme")["pages"]["added"] == 0, "all was there already"
