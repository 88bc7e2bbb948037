"""`make newest-dagster`: the definitions load and the tests of `defs/` pass on the newest Dagster that pyproject allows.

A small environment of its own, on top of this one: only Dagster's packages are newer. Where the newest is the locked
one, or the registry cannot be asked, it says so and there is nothing to do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("dagster", "dagster-postgres", "dagster-webserver")
TESTS = ["arcana_pipelines_tests/defs"]


def main() -> int:
    """Exit code 0: passed, or nothing to do."""
    bounds = [
        line
        for line in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
        if line.startswith(tuple(f"{name}>" for name in PACKAGES))
    ]
    with tempfile.TemporaryDirectory(prefix="newest-dagster-") as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        probe, target = Path(folder) / "probe", Path(folder) / "packages"
        if subprocess.run([*pip, "--no-deps", "--target", str(probe), bounds[0]]).returncode:
            print("SKIPPED: the registry could not be asked for the newest Dagster.")
            return 0
        newest = next(probe.glob("dagster-*.dist-info")).name.removeprefix("dagster-").removesuffix(".dist-info")
        if newest == version("dagster"):
            print(f"SKIPPED: the newest Dagster is the locked one ({newest}).")
            return 0
        if subprocess.run([*pip, "--upgrade", "--target", str(target), *bounds]).returncode:
            print(f"FAILED: Dagster {newest} cannot be installed beside what pyproject.toml asks for.")
            return 1
        print(f"The newest Dagster is {newest}; locked is {version('dagster')}.", flush=True)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(target), str(ROOT)])}
        check = "import dagster; from arcana_pipelines.definitions import defs; defs.get_repository_def(); "
        check += f"assert dagster.__version__ == {newest!r}, dagster.__version__"
        for command in (["-c", check], ["-m", "pytest", "-q", "-n", "2", "-m", "not e2e", *TESTS]):
            if subprocess.run([sys.executable, *command], cwd=ROOT, env=environment).returncode:
                print(f"FAILED on Dagster {newest}.")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
