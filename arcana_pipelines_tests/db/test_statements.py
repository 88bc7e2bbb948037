"""Every statement in a file is run by the code beside it, and every one that is named is there."""

from __future__ import annotations

import re
from pathlib import Path

import arcana_pipelines

PACKAGE = Path(arcana_pipelines.__file__).parent
_NAMED = re.compile(r"""(?:load_sql|statements_beside\(__file__\))\(\s*["'](\w+)["']""")


def test_each_file_is_named_beside_it_and_each_name_has_a_file() -> None:
    there = {(file.parents[1], file.stem) for file in PACKAGE.rglob("sql/*.sql")}
    named = {
        (module.parent, name) for module in PACKAGE.rglob("*.py") for name in _NAMED.findall(module.read_text("utf-8"))
    }
    assert there == named
