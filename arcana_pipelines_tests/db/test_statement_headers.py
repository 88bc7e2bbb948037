"""A statement says which parameters it takes, and says no other ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import arcana_pipelines

PACKAGE = Path(arcana_pipelines.__file__).parent
FILES = sorted(PACKAGE.rglob("sql/*.sql"))


def announced(statement: str) -> set[str]:
    """The names behind `-- in:`, without what stands in brackets behind each."""
    header = re.search(r"^-- in:((?:.*\n)(?:--     .*\n)*)-- out: \S", statement, re.MULTILINE)
    assert header, "the statement lacks its lines `-- in:` and `-- out:`"
    names = re.sub(r"\([^)]*\)", "", header[1].replace("--", ""))
    return set(re.findall(r"\w+", names)) - {"nothing"}


def taken(statement: str) -> set[str]:
    """The parameters and fragments in the statement itself."""
    code = re.sub(r"--.*", "", statement)
    return set(re.findall(r"%\((\w+)\)s", code)) | set(re.findall(r"(?<!\{)\{([a-z_]+)\}", code))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_statement_announces_the_parameters_that_it_takes(file: Path) -> None:
    statement = file.read_text(encoding="utf-8")

    assert announced(statement) == taken(statement)
