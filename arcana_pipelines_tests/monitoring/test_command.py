"""`arcana metrics`: once, at an address, or in a file for node_exporter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from arcana_pipelines.cli.main import cli
from arcana_pipelines.db.engine import Database


@pytest.fixture
def here(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """An environment that names the database of this test."""
    assert database.settings.database_url is not None
    named = {
        "DATABASE_URL": database.settings.database_url.get_secret_value(),
        "ARCANA_HOME": str(database.settings.arcana_home),
    }
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    return named


def test_it_writes_a_file_that_another_user_can_read(here: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "arcana.prom"
    assert CliRunner().invoke(cli, ["metrics", "--textfile", str(file)], catch_exceptions=False).exit_code == 0
    assert "\narcana_database_up 1.0\n" in file.read_text() and file.stat().st_mode & 0o777 == 0o644
    assert sorted(tmp_path.glob("arcana.prom*")) == [file]


def test_it_prints_them_once(here: dict[str, str]) -> None:
    said = CliRunner().invoke(cli, ["metrics"], catch_exceptions=False)
    assert said.exit_code == 0 and "# TYPE arcana_database_bytes gauge" in said.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--listen", "9101"], "'9101' is no address: --listen 127.0.0.1:9101"),
        (["--listen", "127.0.0.1:99999"], "is no address"),
        (["--listen", "127.0.0.1:9101", "--textfile", "a.prom"], "choose one"),
        (["--textfile", "/dev/null/a.prom"], "/dev/null/a.prom cannot be written (Not a directory)"),
    ],
)
def test_what_cannot_be_is_said(here: dict[str, str], arguments: list[str], says: str) -> None:
    said = CliRunner().invoke(cli, ["metrics", *arguments])
    assert says in str(said.exception)


@pytest.mark.e2e
def test_it_answers_at_an_address_until_it_is_told_to_end(here: dict[str, str]) -> None:
    command = [sys.executable, "-P", "-m", "arcana_pipelines.cli", "metrics", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env={**os.environ, **here}, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = process.stderr.readline().split()[-1]
        assert "arcana_database_up 1.0" in httpx.get(address, trust_env=False).text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
