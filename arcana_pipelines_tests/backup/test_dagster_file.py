"""A `dagster.yaml` that the operator has changed is in a backup, and is put back over nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from arcana_pipelines.backup.create import create
from arcana_pipelines.backup.dagster_file import has_secret
from arcana_pipelines.backup.restore import restore
from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.instance import DAGSTER_YAML, keeps_runs_here
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.backup.conftest import files_of

DEFAULT = DAGSTER_YAML.read_text(encoding="utf-8")
CHANGED = DEFAULT.replace("max_concurrent_runs: 4", "max_concurrent_runs: 16  # 기계가 크다")
PASSWORD = CHANGED + "\ncompute_logs:\n  module: m\n  class: C\n  config: {password: kanarienvogel}\n"
ELSEWHERE = "storage:\n  sqlite:\n    base_dir: /srv/dagster\n"


@pytest.fixture(autouse=True)
def no_dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text(text, encoding="utf-8")
    return folder / "dagster.yaml"


def backed_up(database: Database, place: str, text: str, settings: Settings | None = None) -> None:
    """Make a backup while the file of the installation has this text."""
    database.settings = settings or database.settings
    written(database.settings.dagster_home, text)
    create(database, place)


def test_one_that_was_changed_is_as_it_was_after_a_restore(
    database: Database, encrypted: Settings, place: str, empty: Settings
) -> None:
    backed_up(database, place, PASSWORD, encrypted)
    assert not [file for file in files_of(place) if b"kanarienvogel" in file.read_bytes()]
    empty = empty.model_copy(update={"encryption_key": encrypted.encryption_key})
    done = restore(empty, place)
    file = empty.dagster_home / "dagster.yaml"
    assert file.read_text(encoding="utf-8") == PASSWORD and file.stat().st_mode & 0o777 == 0o600
    assert any(str(file) in note for note in done.notes)


def test_one_that_is_as_arcana_writes_it_is_not_kept(database: Database, place: str, empty: Settings) -> None:
    backed_up(database, place, DEFAULT)
    restore(empty, place)
    assert not list(empty.home.rglob("dagster.yaml*"))


def test_one_with_a_password_is_not_where_anybody_could_read_it(
    database: Database, place: str, empty: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    backed_up(database, place, PASSWORD)
    assert "is not in the backup: there is a password in it" in caplog.text and "kanarienvogel" not in caplog.text
    assert not [file for file in files_of(place) if b"kanarienvogel" in file.read_bytes()]
    restore(empty, place)
    assert not list(empty.home.rglob("dagster.yaml*"))


def test_one_that_anybody_may_have_written_is_used_by_nothing(database: Database, place: str, empty: Settings) -> None:
    backed_up(database, place, CHANGED)
    done = restore(empty, place)
    left = empty.home / "dagster.yaml.restored"
    assert not (empty.dagster_home / "dagster.yaml").exists()
    assert left.read_text(encoding="utf-8") == CHANGED and any(str(left) in note for note in done.notes)


def test_one_that_is_there_is_not_touched(database: Database, encrypted: Settings, place: str, empty: Settings) -> None:
    backed_up(database, place, CHANGED, encrypted)
    empty = empty.model_copy(update={"encryption_key": encrypted.encryption_key})
    theirs = written(empty.dagster_home, "# theirs\n")
    done = restore(empty, place)
    assert theirs.read_text() == "# theirs\n"
    left = empty.home / "dagster.yaml.restored"
    assert left.read_text(encoding="utf-8") == CHANGED and any(str(left) in note for note in done.notes)


def test_one_whose_tables_are_elsewhere_is_not_used_by_what_is_restored(
    database: Database, encrypted: Settings, place: str, empty: Settings
) -> None:
    backed_up(database, place, ELSEWHERE, encrypted)
    empty = empty.model_copy(update={"encryption_key": encrypted.encryption_key})
    restore(empty, place)
    assert keeps_runs_here(empty) and (empty.home / "dagster.yaml.restored").read_text() == ELSEWHERE
    written(empty.dagster_home, ELSEWHERE)
    assert not keeps_runs_here(empty), "so its runs are let alone"


@pytest.mark.parametrize(("text", "is_kept"), [(CHANGED, True), (ELSEWHERE, False)])
def test_of_another_folder_it_is_kept_where_it_is_made_from_ours(
    text: str, is_kept: bool, database: Database, place: str, empty: Settings, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("DAGSTER_HOME", str(written(tmp_path / "dagster", text).parent))
    create(database, place)
    before = os.listdir(tmp_path / "dagster")
    restore(empty, place)
    assert os.listdir(tmp_path / "dagster") == before and not empty.dagster_home.exists()
    assert (empty.home / "dagster.yaml.restored").exists() is is_kept


@pytest.mark.parametrize(
    ("text", "is_secret"),
    [
        (DEFAULT, False),
        ("storage: {postgres: {postgres_db: {password: {env: PG_PASSWORD}}}}", False),
        ("storage: {postgres: {postgres_db: {password: geheim}}}", True),
        ("storage: {postgres: {postgres_url: 'postgresql://arcana@db/dagster'}}", False),
        ("storage: {postgres: {postgres_url: 'postgresql://arcana:geheim@db/dagster'}}", True),
        ("run_launcher: {config: {env_vars: [A, 'B_TOKEN=geheim']}}", True),
        ("no yaml: [", True),
    ],
)
def test_what_is_taken_for_a_password(text: str, is_secret: bool) -> None:
    assert has_secret(text) is is_secret
