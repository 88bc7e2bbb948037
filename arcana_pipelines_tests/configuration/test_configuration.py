"""`arcana config`: nothing secret leaves it, nothing that is set is lost, and what is made is ours alone."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.environment import read_env_files
from arcana_pipelines.installation_secrets import PURPOSES, make
from arcana_pipelines.settings import load_settings
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.slow


@pytest.fixture
def arcana(tmp_path: Path) -> Arcana:
    """`arcana` with an ARCANA_HOME that is not there yet, and no database."""
    return Arcana({"ARCANA_HOME": str(tmp_path / "home")}, tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file that secrets are written into."""
    return tmp_path / "home" / ".env"


@pytest.fixture
def write(file: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8", newline="")

    return write


def said(arcana: Arcana, *arguments: str, code: int = 0, **variables: str | None) -> Any:
    done = arcana.here("config", *arguments, "--json", **variables)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def values(file: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a process finds that reads the file."""
    before = dict(os.environ)
    monkeypatch.setenv("ARCANA_ENV_FILE", str(file))
    try:
        (found,) = read_env_files()
        assert found.refused is None and found.unread_lines == ()
        load_settings()
        return {name: os.environ[name] for name in found.taken}
    finally:
        os.environ.clear()
        os.environ.update(before)


class TestInit:
    def test_makes_what_is_missing_for_us_alone_and_shows_none_of_it(
        self, arcana: Arcana, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = arcana.here("config", "init")
        assert done.returncode == 0 and all(name in done.stdout for name in PURPOSES)
        made = values(file, monkeypatch)
        assert made.keys() == PURPOSES.keys() and len(set(made.values())) == 4
        assert not [value for value in made.values() if value in done.stdout + done.stderr]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert [path.name for path in file.parent.iterdir()] == [".env"]

    def test_a_second_time_changes_nothing(self, arcana: Arcana, file: Path) -> None:
        said(arcana, "init")
        before = (file.read_bytes(), file.stat().st_ino)
        assert said(arcana, "init") == {"path": str(file), "made": [], "kept": list(PURPOSES)}
        assert said(arcana, "init", "--force")["made"] == []
        assert (file.read_bytes(), file.stat().st_ino) == before

    @pytest.mark.parametrize(
        "text",
        ["BATCH_SIZE=7", "# mine\r\nA_TOKEN='x#y z'\r\n\r\nBATCH_SIZE=7 # seven\r\n", "\ufeffB_TOKEN=\"a\\\"b\"\n",
         "SECRET_KEY=\nC_TOKEN=x#y\n", "export D_TOKEN='two\nlines'", "# SECRET_KEY=\nno value\nE_TOKEN=$X"],
    )  # fmt: skip
    def test_keeps_what_else_stands_in_the_file(
        self, arcana: Arcana, file: Path, write: Callable[[str], None], text: str
    ) -> None:
        write(text)
        assert said(arcana, "init")["made"] == list(PURPOSES)
        new = file.read_bytes().decode()
        kept = text.removeprefix("\ufeff").replace("SECRET_KEY=\nC", "C")
        assert new.startswith(kept), new
        assert ("\r\n" in text) == (new.count("\r\n") == new.count("\n"))

    def test_makes_nothing_that_is_set_anywhere(
        self, arcana: Arcana, file: Path, tmp_path: Path, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "salt").touch(mode=0o600)
        (tmp_path / "salt").write_text(make())
        write(f"ENCRYPTION_KEY={make()}\n")
        (tmp_path / "home" / ".env.local").touch(mode=0o600)
        (tmp_path / "home" / ".env.local").write_text(f"JWT_SECRET={make()}\n")
        told = said(arcana, "init", SECRET_KEY=make(), API_KEY_SALT_FILE=str(tmp_path / "salt"))
        assert told["made"] == [] and told["kept"] == list(PURPOSES)
        assert values(file, monkeypatch).keys() == {"ENCRYPTION_KEY"}

    def test_replaces_what_cannot_be_used_only_when_it_is_told_to(
        self, arcana: Arcana, file: Path, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = make()
        write(f"SECRET_KEY=hunter2\nBATCH_SIZE=7\nJWT_SECRET={kept}\nSECRET_KEY='change-me'\n")
        refused = said(arcana, "init", code=2)["error"]
        assert "SECRET_KEY in" in refused and "--force" in refused and "hunter2" not in refused
        assert "hunter2" in file.read_text() and "ENCRYPTION_KEY" not in file.read_text()
        assert said(arcana, "init", "--force")["kept"] == ["JWT_SECRET"]
        found = values(file, monkeypatch)
        assert found["JWT_SECRET"] == kept and found["BATCH_SIZE"] == "7"
        assert file.read_text().count("SECRET_KEY=") == 1 and "hunter2" not in file.read_text()

    @pytest.mark.parametrize("value", ["hunter2", ""])
    def test_says_where_to_correct_what_no_file_can_change(self, arcana: Arcana, file: Path, value: str) -> None:
        refused = said(arcana, "init", "--force", code=2, JWT_SECRET=value)["error"]
        assert "JWT_SECRET is set" in refused and "environment" in refused and "hunter2" not in refused
        assert not file.exists()

    @pytest.mark.parametrize("how", ["a link", "open to others", "its folder open to others", "a folder", "no folder"])
    def test_writes_only_where_nobody_else_can(
        self, arcana: Arcana, file: Path, tmp_path: Path, write: Callable[[str], None], how: str
    ) -> None:
        write("BATCH_SIZE=7\n")
        real = tmp_path / "real"
        variables: dict[str, str | None] = {}
        if how == "a link":
            file.rename(real)
            file.symlink_to(real)
        elif how == "open to others":
            file.chmod(0o666)
        elif how == "its folder open to others":
            file.parent.chmod(0o777)
        elif how == "a folder":
            file.unlink()
            file.mkdir()
        else:
            variables = {"ARCANA_ENV_FILE": str(tmp_path / "none" / ".env")}
        refused = arcana.here("config", "init", **variables)
        assert refused.returncode == 2 and refused.stdout == "" and "Traceback" not in refused.stderr
        assert refused.stderr.strip().splitlines()[-1].startswith("Error: ")
        left = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert all(path.read_text() == "BATCH_SIZE=7\n" for path in left)

    def test_closes_a_file_that_others_can_read(self, arcana: Arcana, file: Path, write: Callable[[str], None]) -> None:
        write("BATCH_SIZE=7\n")
        file.chmod(0o644)
        said(arcana, "init")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_refuses_a_default_home_that_was_unpacked(self, arcana: Arcana, tmp_path: Path) -> None:
        (tmp_path / ".arcana").mkdir()
        refused = arcana.here("config", "init", ARCANA_HOME=None)
        assert refused.returncode == 2 and "export ARCANA_HOME" in refused.stderr
        assert list((tmp_path / ".arcana").iterdir()) == []

    @pytest.mark.e2e
    def test_several_at_once_make_each_secret_once(
        self, arcana: Arcana, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started = [arcana.start("config", "init", "--json") for _ in range(4)]
        outputs = [process.communicate(timeout=120)[0] for process in started]
        assert [process.returncode for process in started] == [0] * 4, outputs
        made = [name for output in outputs for name in json.loads(output)["made"]]
        assert sorted(made) == sorted(PURPOSES)
        assert values(file, monkeypatch).keys() == PURPOSES.keys()
        assert len(file.read_text().splitlines()) == 5


SECRETS = {
    "DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x?sslpassword=hunter2",
    "NOTION_TOKEN": "ntn_hunter2",
    "OPENAI_API_KEY": "hunter2",
    "OPENAI_BASE_URL": "https://hunter2:hunter2@127.0.0.1/v1?key=hunter2#hunter2",
    "RERANKER_URL": "https://hunter2@127.0.0.1/v1",
    "ALERT_WEBHOOK_URL": "https://alerts.example/hunter2",
    "NOTION_WEBHOOK_TOKEN": "hunter2",
    "BATCH_SIZE": "hunter2",
    "SECRET_KEY": "hunter2",
}


class TestShow:
    def test_says_where_each_value_comes_from(
        self, arcana: Arcana, file: Path, tmp_path: Path, write: Callable[[str], None]
    ) -> None:
        (tmp_path / "secret").touch(mode=0o600)
        (tmp_path / "secret").write_text("sk-x")
        write("BATCH_SIZE=7\nGLOBEX_TOKEN=ntn_x\nRETENTION_DAYS=3\n")
        found = said(arcana, "show", OPENAI_API_KEY_FILE=str(tmp_path / "secret"), RETENTION_DAYS="4")["variables"]
        by_name = {each["name"]: (each["value"], each["source"], each["path"]) for each in found}
        assert by_name["BATCH_SIZE"] == ("7", "env_file", str(file))
        assert by_name["RETENTION_DAYS"] == ("4", "environment", None)
        assert by_name["OPENAI_API_KEY"] == ("***", "secret_file", str(tmp_path / "secret"))
        assert by_name["GLOBEX_TOKEN"] == ("***", "env_file", str(file))
        assert by_name["OPENAI_MAX_RETRIES"] == ("3", "default", None)
        assert by_name["JWT_SECRET"] == (None, "unset", None)

    def test_shows_of_an_address_all_but_its_secrets(self, arcana: Arcana) -> None:
        variables = {name: value for name, value in SECRETS.items() if name.endswith("URL")}
        by_name = {each["name"]: each["value"] for each in said(arcana, "show", **variables)["variables"]}
        assert by_name["DATABASE_URL"] == "postgresql://u@127.0.0.1:1/x"
        assert by_name["OPENAI_BASE_URL"] == "https://***@127.0.0.1/v1?***"
        assert by_name["RERANKER_URL"] == "https://***@127.0.0.1/v1"
        assert by_name["ALERT_WEBHOOK_URL"] == "***"


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"], ["check"], ["check", "--json"], ["init"]])
@pytest.mark.parametrize("place", ["environment", "file"])
def test_no_secret_is_printed_whatever_is_wrong_with_it(
    arcana: Arcana, write: Callable[[str], None], arguments: list[str], place: str
) -> None:
    variables: dict[str, str | None] = dict(SECRETS) if place == "environment" else {}
    if place == "file":
        write("".join(f"{name}='{value}'\n" for name, value in SECRETS.items()) + "hunter2 hunter2\nhunter2\n")
    for leave in (set(), {"BATCH_SIZE"}, {"BATCH_SIZE", "SECRET_KEY"}):
        done = arcana.here("-v", "config", *arguments, **{**variables, **dict.fromkeys(leave)})
        assert "hunter2" not in done.stdout + done.stderr


class TestCheck:
    def test_is_content_with_a_new_installation_and_says_what_makes_its_secrets(self, arcana: Arcana) -> None:
        told = said(arcana, "check")
        assert told["ok"] and told["problems"] == [] and "arcana config init" in told["notes"][0]
        said(arcana, "init")
        assert said(arcana, "check")["notes"] == []

    def test_names_all_that_is_wrong_at_once(
        self, arcana: Arcana, file: Path, tmp_path: Path, write: Callable[[str], None]
    ) -> None:
        write("BATCH_SIZE=many\nno value here\nLD_PRELOAD=/x\n")
        file.chmod(0o644)
        other = file.with_name(".env.local")
        other.touch()
        other.chmod(0o666)
        told = said(arcana, "check", code=2, JWT_SECRET="short", ARCANA_ENV="production", NOTION_TOKEN="ntn_x",
                    NOTION_TOKEN_FILE="/x")  # fmt: skip
        problems, notes = "\n".join(told["problems"]), "\n".join(told["notes"])
        for part in [
            f"{other} is not read",
            f"{file} has lines",
            "left out: 2",
            "chmod 600",
            "BATCH_SIZE:",
            "JWT_SECRET:",
        ]:
            assert part in problems
        for part in ["LD_PRELOAD", ".env.production", "NOTION_TOKEN_FILE is not looked at"]:
            assert part in notes
        assert arcana.here("config", "check", JWT_SECRET="short").returncode == 2

    def test_names_each_secrets_file_that_is_not_read(self, arcana: Arcana) -> None:
        told = said(arcana, "check", code=2, OPENAI_API_KEY_FILE="/no/such", NOTION_TOKEN_FILE="relative")
        assert [problem.partition(":")[0] for problem in told["problems"]] == [
            "NOTION_TOKEN_FILE",
            "OPENAI_API_KEY_FILE",
        ]
