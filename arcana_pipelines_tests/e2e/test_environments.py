"""Installations in odd places: each is one sentence, foreseen by `arcana doctor`, and nothing is made by the way."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arcana_pipelines.defs.schedules import schedules
from arcana_pipelines.settings import ScheduleTimes
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e


def doctor(arcana: Arcana, **variables: str | None) -> dict[str, dict[str, Any]]:
    done = arcana.here("doctor", "--json", **variables)
    assert "Traceback" not in done.stderr
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def said_once(arcana: Arcana, *arguments: str, **variables: str | None) -> str:
    """The one sentence that a command ends with."""
    done = arcana.here(*arguments, **variables)
    assert done.returncode in (1, 2), done.stdout
    assert done.stderr.startswith("Error: ") and len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


class TestADirectoryWithoutAnInstallation:
    @pytest.mark.parametrize(
        "command", [["status"], ["sync", "acme"], ["search", "acme", "x"], ["workspace", "list"], ["db", "check"],
                    ["db", "url"], ["index", "list", "acme"], ["retry", "acme"], ["eval", "acme"]]
    )  # fmt: skip
    def test_is_told_and_no_database_is_made(self, arcana: Arcana, tmp_path: Path, command: list[str]) -> None:
        said = said_once(arcana, *command, DATABASE_URL=None)
        assert str(tmp_path / "home") in said and "ARCANA_HOME" in said
        assert not (tmp_path / "home").exists()

    def test_is_told_by_doctor_which_makes_nothing_either(self, arcana: Arcana, tmp_path: Path) -> None:
        checks = doctor(arcana, DATABASE_URL=None)
        assert not checks["installation"]["ok"] and "arcana workspace add" in checks["installation"]["detail"]
        assert "database" not in checks
        assert not (tmp_path / "home").exists()


class TestTimes:
    def test_that_are_none_are_told_by_doctor_and_refused_by_a_sync(self, arcana: Arcana) -> None:
        arcana.here("workspace", "add", "acme", "--source", "notion")
        assert "SCHEDULE_AUDIT" in said_once(arcana, "sync", "acme", SCHEDULE_AUDIT="at night")
        found = doctor(arcana, SCHEDULE_TIME_ZONE="Mars/Olympus")["schedules"]
        assert not found["ok"] and "SCHEDULE_TIME_ZONE" in found["detail"]
        found = doctor(arcana, SCHEDULE_AUDIT="10 2 * * *", SCHEDULE_TIME_ZONE="Asia/Seoul")["schedules"]
        assert found["ok"] and "Asia/Seoul" in found["detail"]
        ours = schedules(ScheduleTimes(schedule_audit="10 2 * * *"))
        assert all(f"{each.name} {each.cron_schedule}" in found["detail"] for each in ours)


class TestDagsterHome:
    @pytest.mark.parametrize("home", ["relative_dir", "~/somewhere", "/no/such/folder"])
    def test_of_a_form_that_dagster_cannot_use(self, arcana: Arcana, home: str) -> None:
        arcana.here("workspace", "add", "acme", "--source", "notion")
        assert "DAGSTER_HOME" in said_once(arcana, "sync", "acme", DAGSTER_HOME=home)
        assert not doctor(arcana, DAGSTER_HOME=home)["dagster"]["ok"]

    @pytest.mark.parametrize(
        ("yaml", "line"),
        [("storage: [", 1), ("nux: {}\nno_such_setting: 1\n", 2), ("nux:\n  enabled: maybe\n", 2), ("storage: 5", 1)],
    )
    @pytest.mark.parametrize("place", ["home/dagster", "theirs"])
    def test_with_a_dagster_yaml_that_is_broken(
        self, arcana: Arcana, tmp_path: Path, yaml: str, line: int, place: str
    ) -> None:
        arcana.here("workspace", "add", "acme", "--source", "notion")
        folder = tmp_path / place
        folder.mkdir(exist_ok=True)
        (folder / "dagster.yaml").write_text(yaml)
        home = None if place == "home/dagster" else str(folder)
        said = said_once(arcana, "sync", "acme", DAGSTER_HOME=home)
        assert f"{folder / 'dagster.yaml'} cannot be used: line {line}: " in said
        assert ("delete it" in said) == (home is None) and ("unset DAGSTER_HOME" in said) == (home is not None)
        found = doctor(arcana, DAGSTER_HOME=home)["dagster"]
        assert not found["ok"] and found["detail"] in said

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("postgresql://bob:hunter2@127.0.0.1:1/theirs", "Connection refused"),
            ("postgresql://127.0.0.1:hunter2/theirs", "ValueError"),
        ],
    )
    def test_whose_storage_does_not_open_is_named_and_no_password_told(
        self, arcana: Arcana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, why: str
    ) -> None:
        monkeypatch.setattr("dagster_postgres.utils.calculate_delay", lambda **_: 0.0)  # six attempts, twice
        arcana.here("workspace", "add", "acme", "--source", "notion")
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        (theirs / "dagster.yaml").write_text(f'storage:\n  postgres:\n    postgres_url: "{url}"\n')
        done = arcana.here("sync", "acme", DAGSTER_HOME=str(theirs))
        said = done.stderr.splitlines()[-1]
        assert done.returncode == 2 and "Traceback" not in done.stderr and "hunter2" not in done.stderr, done.stderr
        assert said.startswith(f"Error: Dagster cannot be opened as {theirs / 'dagster.yaml'} says: ")
        assert why in said and "unset DAGSTER_HOME" in said

    @pytest.mark.parametrize("yaml", [None, "", "nux:\n  enabled: false\n"])
    def test_that_says_little_is_used_as_it_is_and_no_statistics_are_sent(
        self, arcana: Arcana, tmp_path: Path, yaml: str | None
    ) -> None:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        if yaml is not None:
            (theirs / "dagster.yaml").write_text(yaml)
        assert doctor(arcana, DAGSTER_HOME=str(theirs))["dagster"]["ok"]
        assert list(theirs.iterdir()) == ([] if yaml is None else [theirs / "dagster.yaml"])
        assert arcana.here("workspace", "add", "acme", "--source", "notion", DAGSTER_HOME=str(theirs)).returncode == 0
        done = arcana.here("sync", "acme", DAGSTER_HOME=str(theirs))
        assert done.returncode == 0, done.stderr
        assert "Telemetry" not in done.stderr + done.stdout and not (theirs / ".telemetry").exists()
        assert (theirs / "history").is_dir() and not (tmp_path / "home" / "dagster").exists()
        assert (theirs / "dagster.yaml").exists() == (yaml is not None)


class TestArcanaHome:
    @pytest.mark.parametrize("name", ["with a blank", "한글 폴더", "trailing/", "a/b/c", "quote'\"", "per%cent"])
    def test_of_any_form_works(self, arcana: Arcana, tmp_path: Path, name: str) -> None:
        home = f"{tmp_path}/{name}"
        done = arcana.here("workspace", "add", "acme", "--source", "notion", "--json", ARCANA_HOME=home)
        assert Path(json.loads(done.stdout)["storage_path"]).is_dir(), done.stderr
        assert Path(json.loads(done.stdout)["storage_path"]).is_relative_to(home)

    def test_that_is_a_file_is_told(self, arcana: Arcana, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        home = str(tmp_path / "file")
        assert home in said_once(arcana, "workspace", "add", "acme", "--source", "notion", ARCANA_HOME=home)
        assert not doctor(arcana, ARCANA_HOME=home)["home"]["ok"]
        inside = str(tmp_path / "file" / "home")
        assert not doctor(arcana, ARCANA_HOME=inside)["home"]["ok"]

    def test_that_is_read_only_around_folders_that_are_not_is_well(
        self, arcana: Arcana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = tmp_path / "home"
        (home / "storage").mkdir(parents=True, mode=0o700)
        home.chmod(0o700)
        access = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != home and access(path, mode))
        assert doctor(arcana)["home"]["ok"], "as in a container, whose volumes are mounted below a root of its own"
        assert not doctor(arcana, DATABASE_URL=None)["home"]["ok"], "the embedded database writes into it"
        (home / "storage").rmdir()
        assert not doctor(arcana)["home"]["ok"]

    @pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o711, 0o770, 0o710, 0o700])
    @pytest.mark.parametrize("name", ["home", "my home"])
    def test_that_others_can_get_into_is_told_with_what_closes_it(
        self, arcana: Arcana, tmp_path: Path, mode: int, name: str
    ) -> None:
        home = tmp_path / name
        home.mkdir()
        (home / "left").touch()  # an empty one is closed to others when it is used
        home.chmod(mode)
        found = doctor(arcana, ARCANA_HOME=str(home))["home"]
        assert found["ok"] == (mode in (0o700, 0o710)), found
        if not found["ok"]:
            assert f"(mode {mode:o})" in found["detail"]
            subprocess.run(found["detail"].rpartition(": ")[2], shell=True, check=True)
            assert home.stat().st_mode & 0o777 == 0o700
            assert doctor(arcana, ARCANA_HOME=str(home))["home"]["ok"]


class TestEnvFile:
    def test_of_the_current_directory_sends_the_token_nowhere(self, arcana: Arcana, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("NOTION_BASE_URL=http://127.0.0.1:1\nDATABASE_URL=postgresql://127.0.0.1:1/x\n")
        assert arcana.here("db", "upgrade", ARCANA_ENV_FILE=None, NOTION_BASE_URL=None).returncode == 0

    def test_that_others_can_read_is_named_by_doctor(self, arcana: Arcana, tmp_path: Path) -> None:
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / ".env").write_text("BATCH_SIZE=9\nLD_PRELOAD=/x\n")
        (tmp_path / "home" / ".env").chmod(0o644)
        assert "chmod 600" in doctor(arcana, ARCANA_ENV_FILE=None)[".env"]["detail"]
        (tmp_path / "home" / ".env").chmod(0o600)
        found = doctor(arcana, ARCANA_ENV_FILE=None)[".env"]
        assert found["ok"] and "LD_PRELOAD" in found["detail"]


class TestRemovingAWorkspace:
    @pytest.fixture(autouse=True)
    def registered(self, arcana: Arcana) -> None:
        assert arcana.here("workspace", "add", "acme", "--source", "notion").returncode == 0

    def test_deletes_its_directory_wherever_the_row_points(
        self, arcana: Arcana, tmp_path: Path, arcana_database_url: str
    ) -> None:
        precious = tmp_path / "precious"
        precious.mkdir()
        (precious / "file").touch()
        with psycopg.connect(arcana_database_url) as connection:
            connection.execute("UPDATE workspace SET storage_path = %s", [str(precious)])
        assert arcana.here("workspace", "remove", "acme", "--yes").returncode == 0
        assert (precious / "file").exists()
        assert not (tmp_path / "home" / "storage" / "workspace" / "acme").exists()

    def test_follows_no_link(self, arcana: Arcana, tmp_path: Path) -> None:
        precious = tmp_path / "precious"
        precious.mkdir()
        (precious / "file").touch()
        directory = tmp_path / "home" / "storage" / "workspace" / "acme"
        directory.rmdir()
        directory.symlink_to(precious)
        done = arcana.here("workspace", "remove", "acme", "--yes")
        assert done.returncode == 1 and str(directory) in done.stderr
        assert (precious / "file").exists()
        assert json.loads(arcana.here("workspace", "list", "--json").stdout) == {"workspaces": []}

    def test_after_a_move_to_another_machine_the_directory_is_below_the_new_home(
        self, arcana: Arcana, tmp_path: Path
    ) -> None:
        os.rename(tmp_path / "home", tmp_path / "moved")
        home = str(tmp_path / "moved")
        shown = json.loads(arcana.here("workspace", "show", "acme", "--json", ARCANA_HOME=home).stdout)
        assert shown["storage_path"] == str(tmp_path / "moved" / "storage" / "workspace" / "acme")
        assert arcana.here("workspace", "remove", "acme", "--yes", ARCANA_HOME=home).returncode == 0
        assert not Path(shown["storage_path"]).exists()


def test_the_printed_address_leads_where_the_configured_one_does(
    arcana: Arcana, arcana_database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(arcana_database_url) as connection:
        socket = f"{connection.info.host}/.s.PGSQL.{connection.info.port}"
        user, name = connection.info.user, connection.info.dbname
    (tmp_path / ".s.PGSQL.5433").symlink_to(socket)
    options = "options=-c%20search_path%3Dpublic,%22Some%5C%20where%22&application_name=theirs&sslmode=disable"
    url = f"postgresql://{user}:hunter2@/{name}?host={tmp_path}&port=5433&{options}"
    done = arcana.here("db", "url", DATABASE_URL=url)
    assert done.returncode == 0 and "hunter2" not in done.stdout
    with psycopg.connect(done.stdout.strip()) as connection:
        row = connection.execute(
            "SELECT current_setting('search_path'), current_setting('application_name')"
        ).fetchone()
    assert row == ('public,"Some where"', "theirs")


def test_what_the_database_refuses_is_one_line_and_the_traceback_is_a_choice(
    arcana: Arcana, arcana_database_url: str
) -> None:
    arcana.here("workspace", "add", "acme", "--source", "notion")
    with psycopg.connect(arcana_database_url) as connection:
        connection.execute("DROP TABLE sync_generation CASCADE")
    said = said_once(arcana, "status")
    assert "UndefinedTable" in said and "arcana -v" in said
    assert isinstance(json.loads(arcana.here("status", "--json").stdout)["error"], str)
    with pytest.raises(psycopg.errors.UndefinedTable):
        arcana.here("-v", "status")
