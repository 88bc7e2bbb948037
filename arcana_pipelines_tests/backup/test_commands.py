"""`arcana backup` and `arcana restore`, with embedded servers of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines_tests.backup.conftest import ANOTHER_KEY, KEY, files_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class Machine:
    """A home with its own embedded server, and commands that are run there."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.home = home
        self.environment = {
            **os.environ,
            "ARCANA_HOME": str(home),
            "EMBEDDING_PROVIDER": "local-small",
            "PYTHONPATH": os.pathsep.join(sys.path),
            **variables,
        }

    def run(self, *arguments: str, code: int = 0, **variables: str) -> dict[str, Any]:
        """What a command prints as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "arcana_pipelines.cli", *arguments, "--json"],
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """An installation with a workspace of two pages."""
    export = tmp_path / "export"
    export.mkdir()
    (export / "Onboarding 0123456789abcdef0123456789abcdef.md").write_text("# Onboarding\n\nGreet everybody.\n")
    (export / "휴가 1123456789abcdef0123456789abcdef.md").write_text("# 휴가\n\n연차는 15일입니다.\n")
    machine = Machine(tmp_path / "home", ENCRYPTION_KEY=KEY)
    machine.run("workspace", "add", "acme", "--source", "notion-export", "--path", str(export))
    machine.run("sync", "acme")
    return machine


def test_what_was_backed_up_is_searched_in_another_home(machine: Machine, place: str, tmp_path: Path) -> None:
    machine.run("target", "add", "acme", "sqlite")
    made = machine.run("backup", "create", "--to", place, "--logical")
    assert made["kind"] == "logical" and made["bytes"] > 0 and made["encrypted"]
    assert [each["backup_id"] for each in machine.run("backup", "list", "--from", place)["backups"]] == [
        made["backup_id"]
    ]
    assert machine.run("backup", "verify", "--from", place)["damaged"] == 0
    for file in files_of(place):
        assert b"Onboarding" not in file.read_bytes() and b"PGDMP" not in file.read_bytes()

    other = Machine(tmp_path / "other", ENCRYPTION_KEY=ANOTHER_KEY)
    assert "does not open" in other.run("restore", "--from", place, code=2)["error"]
    assert not other.home.exists()

    done = other.run("restore", "--from", place, ENCRYPTION_KEY=KEY)
    assert done["backup_id"] == made["backup_id"]
    assert done["targets"] == [{"workspace": "acme", "target": "sqlite", "error": None}]
    (target,) = other.run("target", "list", "acme")["targets"]
    assert target["location"].startswith(str(other.home)) and target["state"] == "live" and target["vector_count"] == 2
    found = {each["name"]: each for each in other.run("doctor", code=1, BACKUP_TO=place)["checks"]}
    assert not found["backups"]["ok"] and "does not open" in found["backups"]["detail"]
    found = {each["name"]: each for each in machine.run("doctor", BACKUP_TO=place)["checks"]}
    assert found["backups"]["ok"] and "(logical), encrypted" in found["backups"]["detail"]
    for query in ("greet everybody", "연차"):
        hits, before = (each.run("search", "acme", query)["hits"] for each in (other, machine))
        assert [hit["text"] for hit in hits] == [hit["text"] for hit in before] != []
    assert "is not empty" in other.run("restore", "--from", place, code=2, ENCRYPTION_KEY=KEY)["error"]


@pytest.mark.long
def test_the_files_of_the_server_are_restored_with_what_changed_since(
    machine: Machine, place: str, tmp_path: Path
) -> None:
    full = machine.run("backup", "create", "--to", place)
    (tmp_path / "export" / "Coffee 2123456789abcdef0123456789abcdef.md").write_text("# Coffee\n\nIn the kitchen.\n")
    machine.run("sync", "acme")
    later = machine.run("backup", "create", "--to", place, "--incremental")
    assert (full["kind"], later["kind"], later["parent"]) == ("full", "incremental", full["backup_id"])
    assert later["bytes"] < full["bytes"] / 2
    assert machine.run("backup", "verify", "--from", place)["damaged"] == 0

    other = Machine(tmp_path / "other", ENCRYPTION_KEY=KEY)
    assert other.run("restore", "--from", place)["backup_id"] == later["backup_id"]
    assert other.run("search", "acme", "coffee kitchen")["hits"][0]["title"] == "Coffee"
    assert other.run("db", "check")["drift"] == []
    # It has a history of its own from now on, and can be backed up to the same place.
    assert other.run("backup", "create", "--to", place, "--incremental")["bytes"] > 0


def test_a_drill_says_that_a_backup_is_equal_and_by_what_another_one_differs(
    machine: Machine, place: str, tmp_path: Path
) -> None:
    machine.run("backup", "create", "--to", place)
    held = machine.run("backup", "drill", "--from", place)
    assert held["equal"] and held["differences"] == [] and held["searches"] == 2 and held["tables"] > 30
    assert not list((machine.home / "drills").iterdir())


@pytest.mark.long
def test_a_server_is_restored_as_it_was_at_any_moment(machine: Machine, place: str, tmp_path: Path) -> None:
    machine.environment["BACKUP_WAL"] = "on"
    machine.run("backup", "create", "--to", place)
    page = tmp_path / "export" / "Coffee 2123456789abcdef0123456789abcdef.md"
    page.write_text("# Coffee\n\nIn the kitchen.\n")
    machine.run("sync", "acme")
    moment = datetime.now(UTC).isoformat()
    page.write_text("# Coffee\n\nThere is none.\n")
    machine.run("sync", "acme")
    shipped = machine.run("backup", "wal", "--to", place)
    assert shipped["segments"] >= 1 and shipped["until"] > moment

    other = Machine(tmp_path / "other", ENCRYPTION_KEY=KEY)
    assert "does not reach" in other.run("restore", "--from", place, "--at", "2099-01-01T00:00Z", code=2)["error"]
    assert "from before" in other.run("restore", "--from", place, "--at", "2001-01-01T00:00Z", code=2)["error"]
    assert not other.home.exists()
    other.run("restore", "--from", place, "--at", moment)
    assert "In the kitchen." in other.run("search", "acme", "coffee")["hits"][0]["text"]


@pytest.mark.long
def test_one_workspace_comes_back_and_the_others_are_as_they_are(machine: Machine, place: str, tmp_path: Path) -> None:
    machine.run("workspace", "add", "globex", "--source", "notion-export", "--path", str(tmp_path / "export"))
    machine.run("sync", "globex")
    before = machine.run("search", "acme", "연차")["hits"]
    machine.run("backup", "create", "--to", place)
    assert (
        "There is a workspace 'acme'" in machine.run("restore", "--from", place, "--workspace", "acme", code=2)["error"]
    )
    assert "no workspace 'other'" in machine.run("restore", "--from", place, "--workspace", "other", code=2)["error"]

    machine.run("workspace", "remove", "acme", "--yes")
    (tmp_path / "export" / "Coffee 2123456789abcdef0123456789abcdef.md").write_text("# Coffee\n\nIn the kitchen.\n")
    machine.run("sync", "globex")
    done = machine.run("restore", "--from", place, "--workspace", "acme")
    assert done["builds"] == 1 and done["rows"] > 10

    assert machine.run("search", "acme", "연차")["hits"] == before
    assert machine.run("search", "globex", "coffee")["hits"][0]["title"] == "Coffee"
    assert machine.run("db", "check")["drift"] == []
    synced = machine.run("sync", "acme")
    assert synced["listing_complete"] and synced["pages"]["added"] == 1, "what came since is read by the next sync"
