"""The command line with the address of the role that may only search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arcana_pipelines.db.embedded import lease
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e


@pytest.fixture
def reading(arcana: Arcana, tmp_path: Path) -> Arcana:
    """`arcana` as the reader, of an installation with one workspace."""
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / f"Badges {'0' * 31}1.md").write_text("# Badges\n\nA badge opens the door.\n")
    added = arcana.here("workspace", "add", "acme", "--source", "notion-export", "--path", str(tmp_path / "export"))
    assert added.returncode == 0, added.stderr
    url = arcana.environment["DATABASE_URL"].replace(f"{lease.WRITER}@", f"{lease.READER}@")
    return Arcana({**arcana.environment, "DATABASE_URL": url}, tmp_path)


COMMANDS = (
    ["usage"], ["usage", "acme"],
    ["status"], ["status", "acme"], ["status", "--check"], ["sync", "acme"], ["sync"], ["retry", "acme"],
    ["workspace", "list"], ["workspace", "show", "acme"], ["workspace", "pause", "acme"],
    ["workspace", "remove", "acme", "--yes"], ["db", "check"], ["db", "upgrade"], ["eval", "acme", "--suggest"],
    ["index", "list", "acme"], ["index", "create", "acme", "fine"], ["index", "promote", "acme"],
    ["webhooks", "--port", "1"],
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_but_search_says_that_the_user_may_only_search(reading: Arcana, command: list[str]) -> None:
    done = reading.here(*command)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "'arcana_reader' may only search" in done.stderr and "owner" in done.stderr
    assert "GRANT" not in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_it_searches_with_the_slug_left_out_too(reading: Arcana) -> None:
    for arguments in (["search", "acme", "badge"], ["search", "badge"]):
        done = reading.here(*arguments)
        assert done.returncode == 0, done.stderr


def test_doctor_says_what_it_can_do_and_asks_for_no_right(reading: Arcana) -> None:
    done = reading.here("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["database"]["ok"] and "may only search" in checks["database"]["detail"]
    assert checks["schema"]["ok"]
    assert "GRANT" not in done.stdout and "permission denied" not in done.stdout
