"""`arcana audit` and `arcana doctor` at the command line."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def arcana(acme: Harness, tmp_path: Path) -> Arcana:
    return Arcana(acme.environment, tmp_path)


def test_what_was_done_is_listed_and_verified(acme: Harness, arcana: Arcana) -> None:
    (entry,) = arcana.json("audit", "list", "--workspace", "acme")["entries"]
    assert (entry["action"], entry["object"], entry["workspace_slug"]) == ("workspace.registered", "acme", "acme")
    unknown = arcana.here("audit", "list", "--workspace", "globex")
    assert unknown.returncode == 2 and "no workspace 'globex'" in unknown.stdout + unknown.stderr
    shown = arcana.here("audit", "list", "--limit", "1")
    assert shown.returncode == 0 and "workspace.registered" in shown.stdout and '"platform": "notion"' in shown.stdout
    found = arcana.json("audit", "verify")
    assert found == {"ok": True, "entries": 1, "head": entry["hash"], "broken_at": None, "problem": ""}
    assert arcana.here("audit", "verify", "--head", entry["hash"]).returncode == 0


def test_what_was_changed_is_told_by_an_exit_code(acme: Harness, arcana: Arcana) -> None:
    assert arcana.here("audit", "verify", "--head", "ab" * 32).returncode == 1
    assert arcana.here("audit", "verify", "--head", "ab").returncode == 2
    with closing(acme.superuser()) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE audit_logs SET actor = 'user:nobody'")
    verified = arcana.here("audit", "verify")
    assert verified.returncode == 1 and "Row 1 was changed" in verified.stdout
    assert arcana.json("audit", "verify", code=1)["broken_at"] == 1
    checks = {check["name"]: check for check in arcana.json("doctor", code=1)["checks"]}
    assert checks["audit log"]["ok"] is False and "Row 1 was changed" in checks["audit log"]["detail"]
