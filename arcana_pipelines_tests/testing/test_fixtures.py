"""The fixtures for users: in a folder that knows nothing of this repository, as docs/testing.md shows them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from arcana_pipelines.testing import fixtures

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "testing.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.e2e

STRANGER = '''
import os

import httpx
import psycopg
import pytest


@pytest.fixture
def settings():
    """A stranger's own, as other plug-ins have one."""
    return "theirs"


def test_a_database_has_the_tables_and_nothing_in_them(arcana_database, arcana_database_url, settings):
    assert settings == "theirs"
    with arcana_database.connection() as connection:
        assert connection.execute("SELECT count(*) FROM workspace").fetchone() == (0,)
        connection.execute(
            "INSERT INTO workspace (company_id, slug, name, platform, storage_path) "
            "SELECT company_id, 'a', 'a', 'p', '/a' FROM company"
        )
    with psycopg.connect(arcana_database_url) as connection:
        assert connection.execute("SELECT slug FROM workspace").fetchall() == [("a",)]


def test_another_test_has_another_database(arcana_database):
    with arcana_database.connection() as connection:
        assert connection.execute("SELECT count(*) FROM workspace").fetchone() == (0,)


def test_what_the_person_configured_is_left_out(arcana_settings, tmp_path):
    assert arcana_settings.openai_api_key is None and "OPENAI_API_KEY" not in os.environ
    assert arcana_settings.home == tmp_path / "home"


def test_but_only_where_ours_is_asked_for():
    assert os.environ["OPENAI_API_KEY"] == "sk-of-the-person"


def test_the_stand_ins_answer(arcana_world, arcana_notion, arcana_embeddings, arcana_reranking):
    headers = {"Authorization": f"Bearer {arcana_world.token}", "Notion-Version": "2026-03-11"}
    with httpx.Client(verify=False) as http:
        assert http.get(f"{arcana_notion.base_url}/v1/users/me", headers=headers).json()["object"] == "user"
        body = {"model": "m", "input": "a text"}
        assert http.post(f"{arcana_embeddings.base_url}/embeddings", json=body).json()["data"]
        body = {"query": "a text", "documents": ["a text", "none"]}
        assert http.post(arcana_reranking.url, json=body).json()["results"][0]["index"] == 0


def test_the_index_is_found_by_other_processes(arcana_index, monkeypatch):
    import json
    import subprocess
    import sys

    command = [sys.executable, "-m", "arcana_pipelines.cli", "search", "acme", "robot", "--min-score", "0", "--json"]
    found = subprocess.run(command, env={**os.environ, **arcana_index.environment}, capture_output=True, text=True)
    assert json.loads(found.stdout)["hits"], found.stderr
'''


def run_in(folder: Path, *arguments: str) -> str:
    """What pytest says of the files in a folder."""
    kept = ("PATH", "HOME", "ARCANA_TEST_DATABASE_URL", "COVERAGE_PROCESS_CONFIG")
    clean = {name: os.environ[name] for name in kept if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(REPOSITORY), "OPENAI_API_KEY": "sk-of-the-person", "RETENTION_DAYS": "7"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout + done.stderr


def test_the_page_s_example_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for name, text in blocks:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert [name for name, _ in blocks] == ["conftest.py", "test_answers.py"]
    said = run_in(tmp_path, "-W", "error::pytest.PytestUnraisableExceptionWarning")
    assert "3 passed" in said, said


def test_a_stranger_s_tests_have_each_of_them(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["arcana_pipelines.testing.fixtures"]\n')
    (tmp_path / "test_stranger.py").write_text(STRANGER)
    said = run_in(tmp_path, "-n", "2")
    assert "6 passed" in said, said


def test_who_does_not_ask_for_them_has_none(tmp_path: Path) -> None:
    (tmp_path / "test_stranger.py").write_text(
        "def test_one(): import sys; assert 'arcana_pipelines' not in sys.modules"
    )
    said = run_in(tmp_path, "--fixtures")
    assert "arcana" not in said.replace(str(tmp_path), ""), said
    assert "1 passed" in run_in(tmp_path)


def test_each_is_on_the_page() -> None:
    assert sorted(re.findall(r"^\| `(arcana_\w+)` \|", PAGE, re.MULTILINE)) == sorted(fixtures.__all__)
