"""A command is run in folders that others filled, as that of an unpacked export."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("flags", [[], ["-P"]], ids=["plain", "safe"])
def test_no_module_of_the_current_directory_is_imported(tmp_path: Path, flags: list[str]) -> None:
    for name in ("yaml", "click", "psycopg", "pydantic", "rich", "dagster", "json", "dataclasses", "_pytest"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'a').write(__name__)\n")
    done = subprocess.run(
        [sys.executable, *flags, "-m", "arcana_pipelines.cli", "doctor", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ARCANA_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not (tmp_path / "imported").exists()
    assert done.stdout.startswith("{"), done.stderr
