"""What `arcana doctor` says of a home and of what a server needs beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.cli.commands import doctor
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.settings import load_settings
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness


def test_an_empty_home_that_others_may_enter_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    monkeypatch.setenv("ARCANA_HOME", str(home))
    settings = load_settings()
    assert "will be closed to others" in doctor._writable(settings)
    (home / "api.log").touch()
    with pytest.raises(ArcanaError, match="chmod 700"):
        doctor._writable(settings)


def test_keys_that_nothing_can_check_are_a_fault_where_the_server_is_this_homes(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serving(database_url: str | None) -> str:
        values = {"api_key_salt": None, "database_url": database_url}
        monkeypatch.setattr(acme.database, "settings", acme.database.settings.model_copy(update=values))
        return doctor._serving(acme.database)

    assert "is not set up" in serving(None)
    with acme.database.connection() as connection:
        company_id = workspaces.find(connection, "acme").company_id
        keys.create(connection, "salt " * 10, company_id, [Permission("read", None, None)], "app")
    with pytest.raises(ArcanaError, match=r"^API_KEY_SALT is not set here.*\(1\)"):
        serving(None)
    assert serving("postgresql://db.internal/arcana").startswith("API_KEY_SALT is not set here")


@pytest.mark.parametrize(("launcher", "told"), [("local", False), ("celery", True)])
def test_what_other_machines_would_not_find_is_told_where_runs_go_to_them(
    acme: Harness, monkeypatch: pytest.MonkeyPatch, launcher: str, told: bool
) -> None:
    acme.rows("UPDATE workspace SET source_config = source_config || %s::jsonb RETURNING 1", '{"path": "/srv/export"}')
    settings = acme.database.settings.model_copy(update={"run_launcher": launcher})
    monkeypatch.setattr(acme.database, "settings", settings)
    found = {name: detail for name, _, detail in doctor._database(acme.database, {}, embeds=False)}
    assert ("machines" in found) is told
    if told:
        assert found["machines"].startswith("the export of acme, ") and "in a folder" in found["machines"]
