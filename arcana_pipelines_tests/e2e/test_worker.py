"""`arcana worker` as a machine runs it: it takes a run from a broker, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines_tests.caching.valkey import Valkey
from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.e2e.test_guest import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.long]


def members(group: int) -> list[str]:
    """The processes of a group."""
    told = subprocess.run(["ps", "-o", "pid=,args=", "-g", str(group)], capture_output=True, text=True, check=False)
    return told.stdout.splitlines()


def test_takes_no_more_runs_on_sigterm_and_ends_with_all_its_processes(
    arcana: Arcana, tmp_path: Path, valkey: Valkey
) -> None:
    variables: dict[str, str | None] = {"RUN_LAUNCHER": "celery", "CELERY_BROKER_URL": valkey.url}
    log = tmp_path / "worker.log"
    workers: list[subprocess.Popen[Any]] = []
    try:
        for runs in (2, 1):  # of one machine and one name
            with log.open("ab") as output:
                worker: subprocess.Popen[Any] = subprocess.Popen(
                    [sys.executable, "-m", "arcana_pipelines.cli", "worker", "--runs", str(runs)],
                    env=arcana.merged(variables), cwd=tmp_path, stdout=output, stderr=output, start_new_session=True,
                )  # fmt: skip
            workers.append(worker)
            until(lambda: f"Ready for {runs} runs at once" in log.read_text(), log)  # noqa: B023
        assert len(members(workers[0].pid)) >= 3
        told = json.loads(arcana.here("doctor", "--json", **variables).stdout)
        checks = {check["name"]: check for check in told["checks"]}
        assert checks["runs"]["ok"] and "2 workers take 3 runs at once" in checks["runs"]["detail"]
        assert arcana.json("status", "--check", **variables)["causes"] == []
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        assert [worker.wait(60) for worker in workers] == [0, 0]
        until(lambda: not any(members(worker.pid) for worker in workers), log)
        told = arcana.json("status", "--check", code=1, **variables)
        assert [cause["cause"] for cause in told["causes"]] == ["runs_not_started"]
    finally:
        for worker in workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
