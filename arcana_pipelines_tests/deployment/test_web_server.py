"""The command of Dagster's chart, which cannot be changed, starts the guarded web server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from arcana_pipelines_tests.deployment.manifests import documents

pytestmark = pytest.mark.long


def _status(address: str, host: str | None = None) -> int:
    """Of an answer; 0 without one."""
    request = urllib.request.Request(address, headers={} if host is None else {"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_the_shell_finds_ours_under_the_name_that_the_chart_calls(tmp_path: Path) -> None:
    (script,) = [each["data"] for each in documents() if each["metadata"]["name"] == "arcana-guarded-webserver"]
    guarded = tmp_path / "dagster-webserver"
    guarded.write_text(script["dagster-webserver"].replace("/opt/arcana/venv/bin/python", sys.executable))
    guarded.chmod(0o555)
    (tmp_path / "workspace.yaml").write_text("load_from: []\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = f"dagster-webserver -h 127.0.0.1 -p {port} -w {tmp_path}/workspace.yaml"
    here = {name: value for name, value in os.environ.items() if name in ("PYTHONPATH", "HOME")}
    path = f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin"
    here |= {
        "PATH": path,
        "DAGSTER_HOME": str(tmp_path),
        "ARCANA_HOME": str(tmp_path),
        "ARCANA_UI_HOSTS": "ui.example.com",
    }
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(["/bin/bash", "-c", command], cwd=tmp_path, env=here, stdout=log, stderr=log) as web,
    ):
        try:
            address = f"http://127.0.0.1:{port}/server_info"
            deadline = time.monotonic() + 120
            while (status := _status(address)) == 0:
                assert web.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.2)
            assert (status, _status(address, "ui.example.com"), _status(address, "evil.example.com")) == (200, 200, 403)
        finally:
            web.terminate()
