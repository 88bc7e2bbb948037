"""`make newest-dagster`: the definitions load, and the tests of `defs/` pass, on the newest Dagster that is served.

Dagster's own packages are put before those of this environment; what else they need is as locked. Where the newest is
the locked one, or the registry cannot be asked, it says so and there is nothing to do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distributions, version
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ["arcana_pipelines_tests/defs"]


def main() -> int:
    """Exit code 0: passed, or nothing to do."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # Those of extras, too: without its lower bound pip goes back years until a package fits.
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    bounds = {line.split(">")[0]: line for line in wanted if line.startswith("dagster")}
    installed = {each.name for each in distributions() if each.name.startswith("dagster")}
    family = [bounds.get(name, name) for name in sorted(installed)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # A registry may serve some of the packages later than others: the newest that go together are wanted.
    resolve = [*pip, "--dry-run", "--ignore-installed", "--report", "-", *family]
    resolved = subprocess.run(resolve, stdout=subprocess.PIPE)
    if resolved.returncode:
        print("SKIPPED: the registry could not be asked for the newest Dagster.")
        return 0
    packages = [each["metadata"] for each in json.loads(resolved.stdout)["install"]]
    versions = {each["name"]: each["version"] for each in packages if each["name"] in installed}
    newest = versions["dagster"]
    if newest == version("dagster"):
        print(f"SKIPPED: the newest Dagster whose packages are all served is the locked one ({newest}).")
        return 0
    with tempfile.TemporaryDirectory(prefix="newest-dagster-") as folder:
        exact = [f"{name}=={found}" for name, found in versions.items()]
        subprocess.run([*pip, "--no-deps", "--target", folder, *exact], check=True)
        print(f"The newest Dagster is {newest}; locked is {version('dagster')}.", flush=True)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, str(ROOT)])}
        check = (
            "import dagster; from arcana_pipelines.definitions import defs; defs.get_repository_def(); "
            f"assert dagster.__file__.startswith({folder!r}), dagster.__file__"
        )
        for command in (["-c", check], ["-m", "pytest", "-q", "-n", "2", "-m", "not e2e", *TESTS]):
            if subprocess.run([sys.executable, *command], cwd=ROOT, env=environment).returncode:
                print(f"FAILED on Dagster {newest}.")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
