"""What `arcana up` makes and starts, and where: never in what is somebody else's."""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from arcana_pipelines.cli import output
from arcana_pipelines.cli.commands import up
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.instance import DAGSTER_YAML
from arcana_pipelines.defs.registration import register
from arcana_pipelines.multilingual_e5 import loaded, weights_file
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def no_dagster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """In the place of Dagster's server stands a process that ends at once."""
    monkeypatch.setattr(up, "_start_dagster", lambda *_: subprocess.Popen([sys.executable, "-c", ""], text=True))
    monkeypatch.setattr(up, "_wait_until_up", lambda *_: True)
    monkeypatch.setattr(up, "_forward_signals", lambda _: [])
    yield
    lease.release_lease(tmp_path / "home")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / f"Badges {'0' * 31}1.md").write_text("# Badges\n\nA badge opens the door.\n")
    return tmp_path / "export"


def started(arcana: Arcana, *options: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
    with socket.socket() as free, socket.socket() as other:
        free.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, api_port = free.getsockname()[1], other.getsockname()[1]
    return arcana.here("up", "--port", str(port), "--api-port", str(api_port), *options, **variables)


def slugs(arcana: Arcana, **variables: str | None) -> list[str]:
    listed = json.loads(arcana.here("workspace", "list", "--json", **variables).stdout)
    return [row["workspace"] for row in listed["workspaces"]]


def only_registered(database: Database, slug: str, platform: str, config: dict[str, str], *_: str) -> None:
    """A sample workspace, without the time that it takes to index it."""
    register(database, slug, platform, config)


class TestTheSampleWorkspaces:
    def test_goes_into_no_database_of_somebody_s_own(self, arcana: Arcana) -> None:
        done = started(arcana)
        assert done.returncode == 0, done.stderr
        assert slugs(arcana) == []
        assert "workspace add SLUG" in done.stdout and "search handbook" not in done.stdout

    def test_goes_into_no_installation_that_has_a_workspace(self, arcana: Arcana, export: Path) -> None:
        own: dict[str, str | None] = {"DATABASE_URL": None}
        added = arcana.here("workspace", "add", "acme", "--source", "notion-export", "--path", str(export), **own)
        assert added.returncode == 0, added.stderr
        assert started(arcana, **own).returncode == 0
        assert slugs(arcana, **own) == ["acme"]

    def test_goes_into_a_new_installation_once(self, arcana: Arcana) -> None:
        for _ in range(2):
            done = started(arcana, DATABASE_URL=None)
            assert done.returncode == 0, done.stderr
            assert "search handbook" in done.stdout and "search support" in done.stdout
        assert slugs(arcana, DATABASE_URL=None) == ["handbook", "support"]
        for slug in ("handbook", "support"):
            topics = json.loads(arcana.here("status", slug, "--json", DATABASE_URL=None).stdout)["topics"]
            assert (topics["version"], topics["nodes"]) == ("1.0.0", 25)
            assert topics["assigned"]["rule"] >= 5 and topics["waiting"] >= 5

    def test_waits_for_the_weights_of_its_model_and_stops_nothing_else(
        self, arcana: Arcana, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = weights_file.find_spec
        monkeypatch.setattr(weights_file, "find_spec", lambda name: None)
        loaded._file.cache_clear()
        own: dict[str, str | None] = {"DATABASE_URL": None, "EMBEDDING_PROVIDER": "local"}
        done = started(arcana, **own)
        assert done.returncode == 0, done.stderr
        assert "no sample workspace" in done.stdout and "make model" in done.stdout
        assert slugs(arcana, **own) == []
        added = arcana.here("workspace", "add", "acme", "--source", "notion", **own)
        assert added.returncode == 2 and "EMBEDDING_PROVIDER=local-small" in added.stderr
        checked = arcana.here("doctor", **own)
        assert checked.returncode == 1 and checked.stdout.count("EMBEDDING_PROVIDER=local-small") == 2
        monkeypatch.setattr(weights_file, "find_spec", found)
        monkeypatch.setattr(up, "_index_sample", only_registered)
        assert started(arcana, DATABASE_URL=None).returncode == 0
        assert slugs(arcana, **own) == ["handbook", "support"]


class TestDagsterHome:
    @pytest.mark.parametrize("yaml", [None, "", "telemetry:\n  enabled: false\n"])
    def test_of_somebody_else_gets_no_second_daemon(self, arcana: Arcana, tmp_path: Path, yaml: str | None) -> None:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        if yaml is not None:
            (theirs / "dagster.yaml").write_text(yaml)
        before = sorted(theirs.iterdir())
        done = started(arcana, DAGSTER_HOME=str(theirs), DATABASE_URL=None)
        assert done.returncode == 2 and "DAGSTER_HOME" in done.stderr and "Unset" in done.stderr, done.stderr
        assert sorted(theirs.iterdir()) == before and not (tmp_path / "home").exists()

    def test_of_ours_may_be_named(self, arcana: Arcana, tmp_path: Path) -> None:
        for home in (tmp_path / "home" / "dagster", tmp_path / "elsewhere"):
            home.mkdir(parents=True, exist_ok=True)
            (home / "dagster.yaml").write_text(DAGSTER_YAML.read_text())
            done = started(arcana, DAGSTER_HOME=str(home))
            assert done.returncode == 0, done.stderr


def test_dagster_is_started_where_it_finds_no_env_file_that_it_would_put_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    (tmp_path / ".env").write_text("FRESHDESK_API_KEY=of-the-file\n")
    folders: list[Path] = []
    monkeypatch.setattr(up.subprocess, "Popen", lambda *_, cwd, **__: folders.append(cwd) or _Silent())
    up._start_dagster("127.0.0.1", 3000, tmp_path)
    assert folders == [tmp_path / "dagster"] and list(folders[0].iterdir()) == []


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("ui", "ui"), ("::1", "[::1]")])
def test_the_api_has_dagsters_ui_where_it_was_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, reached: str
) -> None:
    environments: list[dict[str, str]] = []
    monkeypatch.setattr(up.subprocess, "Popen", lambda *_, env, **__: environments.append(env) or _Silent())
    monkeypatch.delenv("DAGSTER_UI_URL", raising=False)
    up._start_api(host, 3001, 8001, tmp_path)
    monkeypatch.setenv("DAGSTER_UI_URL", "")  # of who wants it off
    up._start_api(host, 3001, 8001, tmp_path)
    assert [each["DAGSTER_UI_URL"] for each in environments] == [f"http://{reached}:3001", ""]


class _Silent:
    def __init__(self) -> None:
        self.stdout = io.StringIO()


class TestPrintedCommands:
    @pytest.mark.parametrize(
        ("called", "shown"),
        [
            (".venv/bin/arcana", ".venv/bin/arcana"), ("/my tools/arcana", "'/my tools/arcana'"), ("pytest", "arcana"),
            (str(Path(output.__file__).with_name("__main__.py")), f"{sys.executable} -m arcana_pipelines.cli"),
        ],
    )  # fmt: skip
    def test_are_called_as_this_one_was_where_it_is_not_on_path(
        self, arcana: Arcana, export: Path, monkeypatch: pytest.MonkeyPatch, called: str, shown: str
    ) -> None:
        monkeypatch.setattr("sys.argv", [called])
        added = arcana.here("workspace", "add", "acme", "--source", "notion-export", "--path", str(export), PATH="/")
        assert f"Next: {shown} sync acme" in added.stdout, added.stdout + added.stderr
        assert f"`{shown} workspace list`" in arcana.here("sync", "nobody", PATH="/").stderr

    def test_are_called_by_the_name_that_is_on_path(
        self, arcana: Arcana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "arcana").touch(mode=0o755)
        monkeypatch.setattr("sys.argv", ["/elsewhere/arcana"])
        assert "Next: arcana workspace add SLUG" in started(arcana, PATH=f"/bin:{tmp_path}").stdout


class TestTheApi:
    def test_is_served_with_secrets_that_are_made_once(
        self, arcana: Arcana, tmp_path: Path, export: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(up, "_index_sample", only_registered)
        own: dict[str, str | None] = {"DATABASE_URL": None, "ARCANA_ENV_FILE": None}
        first, second = started(arcana, **own), started(arcana, **own)
        assert first.returncode == second.returncode == 0, first.stderr + second.stderr
        assert "API: http://localhost:" in first.stdout and "API: http://localhost:" in second.stdout
        made = tmp_path / "home" / ".env"
        assert str(made) in "".join(first.stdout.split("\n")) and made.stat().st_mode & 0o777 == 0o600
        assert "Made in" not in second.stdout
        links = [re.search(r"/link\?once=([\w-]+)", "".join(done.stdout.split())) for done in (first, second)]
        made_keys = json.loads(arcana.here("key", "list", "--json", **own).stdout)["keys"]
        assert all(links) and len({link[1] for link in links if link}) == 2
        assert [key["state"] for key in made_keys] == ["good", "good"] and not any(
            key["last_used_at"] for key in made_keys
        )
        assert {key["name"] for key in made_keys} == {"the page's link of `arcana up`"}
        assert all(key["expires_at"] for key in made_keys)
        added = ("workspace", "add", "acme", "--source", "notion-export", "--path", str(export), "--company", "Globex")
        assert arcana.here(*added, **own).returncode == 0
        told = " ".join(started(arcana, **own).stdout.split())
        assert (
            "no link logs in here: several companies share this database" in told and "key create --workspace" in told
        )
        assert len(json.loads(arcana.here("key", "list", "--json", **own).stdout)["keys"]) == 2

    def test_is_not_served_to_companies_by_who_reads_them_all(self, arcana: Arcana) -> None:
        done = started(arcana)
        assert "not served: SERVE_DATABASE_URL" in " ".join(done.stdout.split())

    def test_is_missed_and_nothing_else_where_its_port_is_taken(self, arcana: Arcana) -> None:
        with socket.socket() as taken, socket.socket() as free:
            for each in (taken, free):
                each.bind(("127.0.0.1", 0))
            taken.listen()
            ports = ["--port", str(free.getsockname()[1]), "--api-port", str(taken.getsockname()[1])]
            free.close()
            done = arcana.here("up", "--no-demo", *ports, DATABASE_URL=None)
        assert done.returncode == 0 and "--api-port chooses another" in done.stdout


def test_a_new_installation_is_not_made_beside_backups_of_one_that_is_lost(arcana: Arcana, tmp_path: Path) -> None:
    own: dict[str, str | None] = {"DATABASE_URL": None, "BACKUP_TO": str(tmp_path / "backups")}
    (tmp_path / "backups" / "backups" / "20261130T010203Z").mkdir(parents=True)
    (tmp_path / "backups" / "backups" / "20261130T010203Z" / "manifest.json").write_text("sealed")
    refused = started(arcana, **own)
    assert refused.returncode == 2, refused.stdout
    assert "`arcana restore`" in refused.stderr and "`arcana db upgrade` makes a new one on purpose" in refused.stderr
    assert not (tmp_path / "home" / "dagster").exists()


@pytest.mark.parametrize("has_folder", [False, True])
def test_a_first_start_with_a_place_that_has_no_backup_yet_goes_on(tmp_path: Path, has_folder: bool) -> None:
    place = tmp_path / "backups"
    if has_folder:
        place.mkdir()
    up._refuse_beside_backups(Settings(arcana_home=tmp_path / "home", database_url=None, backup_to=str(place)))


def test_a_home_that_is_removed_ends_it_with_one_sentence_and_stops_its_server(
    arcana: Arcana, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    number = []

    def lose(*_: object) -> subprocess.Popen[str]:
        number.append(int((lease.server_folder(home) / "data" / "postmaster.pid").read_text().split()[0]))
        # As Dagster is started, and ends: also where whoever runs the tests ignores SIGINT, which children inherit.
        ends = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); time.sleep(600)"
        return subprocess.Popen([sys.executable, "-c", ends], text=True, start_new_session=True)

    def remove(*_: object) -> bool:
        shutil.rmtree(home)
        return False

    monkeypatch.setattr(up, "_start_dagster", lose)
    monkeypatch.setattr(up, "_wait_until_up", lambda *_: True)
    monkeypatch.setattr(up, "_say_where", remove)
    monkeypatch.setattr(up, "_why_no_api", lambda *_: "not here")
    monkeypatch.setattr(up, "LOOK_SECONDS", 0.05)
    done = started(arcana, "--no-demo", DATABASE_URL=None)
    assert done.returncode == 1
    assert "was removed while it was in use" in done.stderr and "Traceback" not in done.stderr
    deadline = time.monotonic() + 30
    while Path(f"/proc/{number[0]}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{number[0]}").exists()


def test_a_log_that_cannot_be_written_is_told_once_and_not_line_by_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(up._Log(tmp_path / "none" / "dagster.log", delay=True)) as log:
        for _ in range(20):
            log.emit(logging.LogRecord("server", logging.INFO, "", 0, "a line", None, None))
    said = capfd.readouterr()
    assert said.err == "" and said.out.count("cannot be written") == 1
