"""Every statement that the documentation shows can be run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arcana_pipelines_tests.harness import Harness

DOCS = Path(__file__).parents[2] / "docs"
STATEMENTS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in sorted(DOCS.glob("*.md"))
    for number, block in enumerate(re.findall(r"^```sql\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))
    if not block.startswith("BEGIN;")  # as a company: `db/test_tenants` runs it, as one that is there
]
VECTOR = f"'[{','.join(['0.1'] * 256)}]'"


def test_there_are_statements() -> None:
    assert len(STATEMENTS) > 5


@pytest.mark.parametrize("block", STATEMENTS)
def test_a_documented_statement_runs(acme: Harness, block: str) -> None:
    for_a_superuser = "CREATE ROLE" in block or "CREATE EXTENSION" in block
    with (
        acme.superuser() if for_a_superuser else acme.database.connection() as connection,
        connection.transaction(force_rollback=True),
    ):
        connection.execute(block.replace("$1", VECTOR))
