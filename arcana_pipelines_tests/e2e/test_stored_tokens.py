"""A token that `arcana` keeps in the database: never shown, synced with, and encrypted anew with another key."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.installation_secrets import make
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e

Rows = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def file(arcana: Arcana) -> Path:
    """The installation's file with its own secrets; the token is in no variable."""
    arcana.environment["ARCANA_ENV_FILE"] = ""
    token = arcana.environment.pop("NOTION_TOKEN")
    assert arcana.here("config", "init").returncode == 0
    arcana.environment["_TOKEN_OF_THE_WORLD"] = token
    return Path(arcana.environment["ARCANA_HOME"]) / ".env"


@pytest.fixture
def token(arcana: Arcana, file: Path) -> str:
    return arcana.environment.pop("_TOKEN_OF_THE_WORLD")


@pytest.fixture
def hand_over(arcana: Arcana, monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in this process with a text on its standard input."""

    def run(text: str, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        return arcana.here(*arguments, **variables)

    return run


HandOver = Callable[..., subprocess.CompletedProcess[str]]
ADD = ("workspace", "add", "acme", "--source", "notion", "--token-stdin")


def test_a_workspace_is_synced_with_it_and_it_stands_nowhere_in_the_clear(
    arcana: Arcana, file: Path, token: str, rows: Rows, hand_over: HandOver, tmp_path: Path
) -> None:
    added = hand_over(f"{token}\n", *ADD)
    assert added.returncode == 0, added.stderr
    synced = arcana("sync", "acme", "--json")
    assert synced.returncode == 0, synced.stderr
    shown = [arcana.here(*command) for command in (["workspace", "show", "acme"], ["workspace", "list", "--json"],
             ["status"], ["doctor"], ["config", "show"])]  # fmt: skip
    assert "token in the database, encrypted" in shown[0].stdout
    assert "1 in the database, encrypted with the key" in shown[3].stdout
    said = "".join(each.stdout + each.stderr for each in [added, synced, *shown])
    assert token not in said
    assert rows("SELECT 1 FROM source_credential WHERE position(%s::bytea IN sealed) > 0", token.encode()) == []
    tables = rows(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    assert len(tables) > 50
    assert [table for (table,) in tables if rows(f"SELECT 1 FROM {table} t WHERE t::text LIKE %s", f"%{token}%")] == []
    left = [path for path in tmp_path.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert left == []


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("", ADD, "no token on standard input"),
        ("  \n", ADD, "no token on standard input"),
        ("ntn_hunter2 hunter2", ADD, "characters that no token has"),
        ("ntn_hunter2\nhunter2", ADD, "characters that no token has"),
        ("hunter2" * 2000, ADD, "longer than a token"),
        ("hunter2", (*ADD, "--token-env", "X"), "without --token-env"),
        ("hunter2", ("workspace", "add", "acme", "--source", "notion", "--token-env", "=database"), "holds no ="),
        (
            "hunter2",
            ("workspace", "add", "a", "--source", "notion-export", "--path", ".", "--token-stdin"),
            "a source with",
        ),
    ],
)
def test_what_is_no_token_is_refused_and_nothing_is_registered(
    arcana: Arcana, file: Path, token: str, rows: Rows, hand_over: HandOver, text: str, arguments: list[str], said: str
) -> None:
    done = hand_over(text, *arguments)
    assert done.returncode == 2 and said in done.stderr and "hunter2" not in done.stderr + done.stdout
    assert json.loads(arcana.here("workspace", "list", "--json").stdout) == {"workspaces": []}


def test_without_a_key_the_command_that_makes_one_is_named_and_nothing_is_registered(
    arcana: Arcana, file: Path, token: str, hand_over: HandOver
) -> None:
    done = hand_over(token, *ADD, ARCANA_ENV_FILE=os.devnull)
    assert done.returncode == 2 and "arcana config init" in done.stderr.replace(
        f"{sys.executable} -m arcana_pipelines.cli", "arcana"
    )
    assert json.loads(arcana.here("workspace", "list", "--json").stdout) == {"workspaces": []}


def test_it_is_exchanged_for_another_one_and_for_a_variable(
    arcana: Arcana, file: Path, token: str, rows: Rows, hand_over: HandOver
) -> None:
    assert hand_over("ntn_other", *ADD).returncode == 0
    assert hand_over(token, "workspace", "set", "acme", "--token-stdin").returncode == 0
    assert arcana.json("sync", "acme")["listing_complete"]
    assert arcana.here("workspace", "set", "acme", "--token-env", "GLOBEX_TOKEN", GLOBEX_TOKEN=token).returncode == 0
    assert rows("SELECT * FROM source_credential") == []
    assert rows("SELECT credential_ref FROM workspace") == [("GLOBEX_TOKEN",)]


class TestRotation:
    @pytest.fixture(autouse=True)
    def kept(self, token: str, hand_over: HandOver) -> None:
        assert hand_over(token, *ADD).returncode == 0

    def test_writes_a_new_key_and_everything_is_read_with_it_alone(
        self, arcana: Arcana, file: Path, rows: Rows
    ) -> None:
        before = file.read_text()
        done = arcana.json("config", "rotate-encryption-key")
        assert done["encrypted_anew"] == 1 and done["path"] == str(file)
        assert rows("SELECT key_id FROM source_credential") == [(done["key_id"],)]
        written = dict(line.split("=") for line in file.read_text().splitlines() if "=" in line)
        old = dict(line.split("=") for line in before.splitlines() if "=" in line)
        assert written["ENCRYPTION_KEY_PREVIOUS"] == old["ENCRYPTION_KEY"] != written["ENCRYPTION_KEY"]
        assert {name: written[name] for name in old if name != "ENCRYPTION_KEY"} == {
            name: old[name] for name in old if name != "ENCRYPTION_KEY"
        }
        assert file.stat().st_mode & 0o777 == 0o600
        assert arcana.json("sync", "acme")["listing_complete"]
        again = arcana.json("config", "rotate-encryption-key")
        assert again["key_id"] != done["key_id"] and file.read_text().count("ENCRYPTION_KEY") == 2

    def test_may_end_between_the_file_and_the_table(
        self, arcana: Arcana, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from arcana_pipelines.operations import encryption_key

        real, calls = encryption_key.encrypt_anew, []

        def killed_at_the_second(*arguments: Any) -> int:
            calls.append(arguments)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return real(*arguments)

        monkeypatch.setattr(encryption_key, "encrypt_anew", killed_at_the_second)
        assert arcana.here("config", "rotate-encryption-key").returncode == 130
        monkeypatch.undo()
        assert "1 with the one before" in arcana.here("doctor").stdout
        assert arcana.json("sync", "acme")["listing_complete"], "what is not done yet is read with the key before it"
        assert arcana.json("config", "rotate-encryption-key")["encrypted_anew"] == 1
        assert arcana.json("sync", "acme")["listing_complete"]

    @pytest.mark.long
    def test_of_several_at_once_loses_no_token(self, arcana: Arcana, file: Path) -> None:
        started = [arcana.start("config", "rotate-encryption-key", "--json") for _ in range(3)]
        outputs = [process.communicate(timeout=240)[0] for process in started]
        assert {process.returncode for process in started} <= {0, 2} and started[0].returncode in (0, 2), outputs
        assert any(process.returncode == 0 for process in started), outputs
        assert arcana.json("sync", "acme")["listing_complete"]

    def test_of_a_key_that_stands_elsewhere_says_what_to_set(
        self, arcana: Arcana, file: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = dict(line.split("=") for line in file.read_text().splitlines() if "=" in line)["ENCRYPTION_KEY"]
        new = make()
        refused = arcana.here("config", "rotate-encryption-key", ENCRYPTION_KEY=old)
        assert refused.returncode == 2 and "ENCRYPTION_KEY_PREVIOUS" in refused.stderr
        unknown = arcana.here("config", "rotate-encryption-key", ENCRYPTION_KEY=new)
        assert unknown.returncode == 2 and "ENCRYPTION_KEY_PREVIOUS" in unknown.stderr
        failing = arcana.here("doctor", ENCRYPTION_KEY=new)
        assert failing.returncode == 1 and "FAIL tokens" in failing.stdout
        both: dict[str, str | None] = {"ENCRYPTION_KEY": new, "ENCRYPTION_KEY_PREVIOUS": old}
        done = arcana.json("config", "rotate-encryption-key", **both)
        assert done["encrypted_anew"] == 1 and done["path"] is None
        assert rows("SELECT key_id FROM source_credential") == [(done["key_id"],)]
        assert not [each for each in (old, new) if each in refused.stderr + unknown.stderr + failing.stdout + str(done)]

    def test_refuses_where_the_environment_would_hide_the_key_before_it(self, arcana: Arcana, file: Path) -> None:
        refused = arcana.here("config", "rotate-encryption-key", ENCRYPTION_KEY_PREVIOUS=make())
        assert refused.returncode == 2 and "unset it" in refused.stderr
        assert "ENCRYPTION_KEY_PREVIOUS" not in file.read_text()
