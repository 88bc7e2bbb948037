"""Build the wheel, install it elsewhere, load the definitions and find the data files from there."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

_LOADS = """
import pathlib, arcana_pipelines.defs.instance, arcana_pipelines.definitions
from arcana_pipelines.cli.commands.up import DEMO_SOURCE
from arcana_pipelines.db.schema import newest_revision
from arcana_pipelines.demo.helpdesk_account import HelpdeskAccount
here = pathlib.Path(arcana_pipelines.__file__)
assert here.is_relative_to(pathlib.Path.cwd()), here
assert len(list(DEMO_SOURCE.rglob("*.md"))) > 30, "the sample handbook is missing"
for kind in ("pdf", "docx", "xlsx", "hwpx"):
    assert list(DEMO_SOURCE.rglob(f"*.{kind}")), f"the sample's {kind} is missing"
assert len(HelpdeskAccount().answer("tickets", {})) > 20, "the sample helpdesk is missing"
assert arcana_pipelines.defs.instance.DAGSTER_YAML.exists()
newest_revision()
print("the wheel loads")
"""


def main() -> None:
    files = (ROOT / "arcana_pipelines").rglob("*.*")
    kinds = (".sql", ".npz", ".txt", ".html", ".css", ".js", ".svg", ".yaml")
    data = {str(file.relative_to(ROOT)) for file in files if file.suffix in kinds}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT],
            check=True,
        )
        (wheel,) = Path(folder).glob("*.whl")
        target = Path(folder) / "installed"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
            missing = data.difference(archive.namelist())
        assert not missing, f"the wheel lacks {sorted(missing)}"
        code = f"import sys; sys.path.insert(0, {str(target)!r}); " + f"exec({_LOADS!r})"
        subprocess.run([sys.executable, "-P", "-c", code], check=True, cwd=target)


if __name__ == "__main__":
    main()
