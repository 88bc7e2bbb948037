"""Workspaces at the command line: left-out slugs, changed sources, hostile texts, and what other runs do meanwhile."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e

Rows = Callable[..., list[tuple[Any, ...]]]

EVIL = "[/bold]\x1b[31m :x: \u202eevil"


@pytest.fixture
def world() -> NotionWorld:
    world = seed_world(pages=6, rows=0)
    world.clock.advance(600)
    return world


@pytest.fixture
def export(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / f"Badges {'0' * 31}1.md").write_text("# Badges\n\nA badge opens the door.\n")
    return folder


def added(arcana: Arcana, slug: str, export: Path) -> None:
    done = arcana.here("workspace", "add", slug, "--source", "notion-export", "--path", str(export))
    assert done.returncode == 0, done.stderr


class TestTheSlugThatIsLeftOut:
    def test_one_workspace_alone_is_meant(self, arcana: Arcana, export: Path) -> None:
        added(arcana, "acme", export)
        assert arcana.json("sync")["workspace"] == "acme"
        assert json.loads(arcana.here("search", "badge", "--json").stdout)["hits"][0]["title"] == "Badges"
        assert json.loads(arcana.here("search", "acme", "badge", "--json").stdout)["hits"]
        assert json.loads(arcana.here("index", "list", "--json").stdout)["workspace"] == "acme"
        assert json.loads(arcana.here("workspace", "show", "--json").stdout)["workspace"] == "acme"
        assert json.loads(arcana.here("workspace", "budget", "5", "--json").stdout)["limit_usd"] == 5

    def test_of_several_each_has_to_be_named(self, arcana: Arcana, export: Path) -> None:
        added(arcana, "acme", export)
        added(arcana, "globex", export)
        done = arcana.here("sync")
        assert done.returncode == 2 and "There are 2: acme, globex" in done.stderr

    @pytest.mark.parametrize("command", [["search", "vacation"], ["search"], ["index", "create", "fine"]], ids=" ".join)
    def test_of_several_none_is_guessed_from_too_few_arguments(
        self, arcana: Arcana, export: Path, command: list[str]
    ) -> None:
        added(arcana, "acme", export)
        added(arcana, "globex", export)
        done = arcana.here(*command)
        assert done.returncode == 2 and "Which workspace? There are 2: acme, globex" in done.stderr, done.stderr

    @pytest.mark.parametrize(
        "command", [["index", "rollback"], ["index", "promote"], ["index", "drop"], ["workspace", "budget"], ["eval"]],
        ids=" ".join,
    )  # fmt: skip
    def test_both_readings_of_a_wrong_argument_are_said(self, arcana: Arcana, export: Path, command: list[str]) -> None:
        added(arcana, "acme", export)
        done = arcana.here(*command, "bakery")
        assert done.returncode == 2 and "no workspace 'bakery' either" in done.stderr, done.stderr
        assert "'acme', the only one" in done.stderr

    @pytest.mark.parametrize("command", [["search"], ["sync"], ["index", "rollback"], ["eval"], ["workspace", "show"]])
    def test_usage_shows_that_it_may_be(self, arcana: Arcana, command: list[str]) -> None:
        assert "[SLUG]" in arcana.here(*command, "--help").stdout.splitlines()[0]

    def test_without_any_the_next_step_is_said(self, arcana: Arcana) -> None:
        assert arcana.here("db", "upgrade").returncode == 0
        done = arcana.here("sync")
        assert done.returncode == 2 and "arcana workspace add" in done.stderr

    def test_a_slug_without_its_query_is_not_taken_for_the_query(self, arcana: Arcana, export: Path) -> None:
        added(arcana, "acme", export)
        done = arcana.here("search", "acme")
        assert done.returncode == 2 and "QUERY" in done.stderr

    def test_a_misspelt_slug_is_not_replaced(self, arcana: Arcana, export: Path) -> None:
        added(arcana, "acme", export)
        done = arcana.here("sync", "acne")
        assert done.returncode == 2 and "no workspace 'acne'" in done.stderr

    def test_a_workspace_is_never_removed_unnamed(self, arcana: Arcana, export: Path) -> None:
        added(arcana, "acme", export)
        assert arcana.here("workspace", "remove", "--yes").returncode == 2
        assert json.loads(arcana.here("workspace", "list", "--json").stdout)["workspaces"]


class TestChangingAWorkspace:
    def test_an_export_that_was_moved_goes_on_with_the_same_documents(
        self, arcana: Arcana, export: Path, tmp_path: Path
    ) -> None:
        added(arcana, "acme", export)
        arcana.json("sync")
        moved = shutil.move(export, tmp_path / "elsewhere")
        changed = json.loads(
            arcana.here("workspace", "set", "acme", "--path", str(moved), "--name", "ACME 회사", "--json").stdout
        )
        assert (changed["source"], changed["name"]) == (str(moved), "ACME 회사")
        report = arcana.json("sync")
        assert (report["pages"]["unchanged"], report["pages"]["removed"]) == (1, 0)
        assert report["embeddings"]["computed"] == 0

    def test_a_token_may_stand_in_another_variable(self, arcana: Arcana, world: NotionWorld) -> None:
        arcana.json("workspace", "add", "acme", "--source", "notion")
        arcana.json("sync")
        missing = arcana.here("workspace", "set", "acme", "--token-env", "OTHER_TOKEN")
        assert missing.returncode == 2 and "OTHER_TOKEN" in missing.stderr
        assert (
            arcana.here("workspace", "set", "acme", "--token-env", "OTHER_TOKEN", OTHER_TOKEN=world.token).returncode
            == 0
        )
        assert arcana.json("sync", NOTION_TOKEN=None, OTHER_TOKEN=world.token)["pages"]["unchanged"] == 6

    def test_a_workspace_is_paused_and_resumed(self, arcana: Arcana, export: Path) -> None:
        added(arcana, "acme", export)
        for command, status in (("pause", "paused"), ("resume", "active")):
            assert json.loads(arcana.here("workspace", command, "acme", "--json").stdout)["status"] == status
            assert json.loads(arcana.here("workspace", "show", "--json").stdout)["status"] == status
        assert arcana.here("workspace", "pause", "nobody").returncode == 2

    @pytest.mark.parametrize("options", [["--token-env", "X"], ["--path", "no/such/folder"], []])
    def test_what_does_not_fit_the_source_changes_nothing(
        self, arcana: Arcana, export: Path, options: list[str]
    ) -> None:
        added(arcana, "acme", export)
        assert arcana.here("workspace", "set", "acme", *options).returncode == 2
        assert json.loads(arcana.here("workspace", "show", "--json").stdout)["source"] == str(export)


class TestWrongUse:
    """Found before a run exists: nothing red in Dagster for a typing error."""

    def test_starts_no_run(self, arcana: Arcana, export: Path, rows: Rows) -> None:
        added(arcana, "acme", export)
        arcana.json("sync")
        runs = rows("SELECT count(*) FROM dagster.runs")
        shutil.rmtree(export)
        for arguments in (["sync"], ["retry"], ["retry", "--page", "0" * 32], ["sync", "nobody"]):
            done = arcana.here(*arguments)
            assert done.returncode == 2, done.stderr
            assert "Traceback" not in done.stderr
        assert rows("SELECT count(*) FROM dagster.runs") == runs


class TestStatus:
    def test_a_search_before_the_first_sync_says_so(self, arcana: Arcana, export: Path) -> None:
        added(arcana, "acme", export)
        assert "arcana sync acme" in arcana.here("search", "acme", "badge").stderr
        (note,) = json.loads(arcana.here("search", "acme", "badge", "--json").stdout)["notes"]
        assert note.endswith("arcana sync acme")

    def test_an_export_that_is_gone_is_told_at_once(self, arcana: Arcana, export: Path, tmp_path: Path) -> None:
        added(arcana, "acme", export)
        arcana.json("sync")
        assert arcana.here("status", "--check").returncode == 0
        moved = shutil.move(export, tmp_path / "elsewhere")
        for arguments in (["status"], ["status", "--check"]):
            said = arcana.here(*arguments)
            assert str(export) in said.stdout, said.stdout
        assert said.returncode == 1 and "workspace set acme --path" in said.stdout
        assert json.loads(arcana.here("status", "acme", "--json").stdout)["source"]["problem"]
        assert arcana.here("workspace", "set", "acme", "--path", str(moved)).returncode == 0
        assert arcana.here("status", "--check").returncode == 0
        assert "could not be read" not in arcana.here("status").stdout

    def test_hostile_texts_are_shown_as_they_are(self, arcana: Arcana, arcana_database_url: str, export: Path) -> None:
        added(arcana, "acme", export)
        arcana.json("sync")
        with psycopg.connect(arcana_database_url) as connection:
            for statement in (
                "UPDATE workspace SET name = %(evil)s, poll_problem = %(evil)s, credential_ref = %(evil)s",
                "UPDATE source_page SET state = 'quarantined', reason = %(evil)s, title = %(evil)s, "
                "unknown_types = ARRAY[%(evil)s]",
                "UPDATE sync_generation SET problems = jsonb_build_array(%(evil)s::text)",
                "INSERT INTO source_limit (credential_hash, per_minute, configured, paused_until, reason) "
                "SELECT 'x', 1, 1, now() + interval '1 hour', %(evil)s",
                "UPDATE workspace SET credential_hash = 'x'",
            ):
                connection.execute(statement, {"evil": EVIL})
        for arguments in (["status"], ["workspace", "show"], ["workspace", "list"], ["search", "badge"]):
            done = arcana.here(*arguments)
            assert done.returncode == 0, done.stderr
            assert done.stdout.replace("\n", "").replace("\t", "").isprintable(), arguments
        assert arcana.here("status").stdout.count("[/bold]\ufffd[31m :x: \ufffdevil") == 6

    def test_a_sync_that_runs_is_shown_as_running(self, arcana: Arcana, database: Database, export: Path) -> None:
        added(arcana, "acme", export)
        arcana.json("sync")
        with workspace_session(database, "acme") as session:
            with session.connection.transaction():
                session.connection.execute("UPDATE sync_generation SET finished_at = NULL")
            assert "a sync is running" in arcana.here("status").stdout
            assert json.loads(arcana.here("status", "acme", "--json").stdout)["last_sync"]["state"] == "running"
        assert json.loads(arcana.here("status", "acme", "--json").stdout)["last_sync"]["state"] == "not finished"

    def test_removals_that_wait_are_shown_with_the_command_that_allows_them(
        self, arcana: Arcana, tmp_path: Path
    ) -> None:
        folder = tmp_path / "many"
        folder.mkdir()
        for number in range(80):
            (folder / f"Page {number:032x}.md").write_text(f"# Page {number}\n\nText {number}.\n")
        added(arcana, "acme", folder)
        arcana.json("sync")
        for number in range(70):
            (folder / f"Page {number:032x}.md").unlink()
        arcana.json("sync", "--mode", "full", code=3)
        said = arcana.here("status").stdout
        assert "70 pages are gone from the source" in said
        command = next(line.split() for line in said.splitlines() if "--allow-removals" in line)
        assert command[0] == "arcana"
        assert arcana.json(*command[1:])["pages"]["removed"] == 70
        assert "--allow-removals" not in arcana.here("status").stdout


def test_a_sync_reports_its_own_generation_and_not_that_of_a_run_that_came_after_it(
    arcana: Arcana, export: Path, arcana_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arcana_pipelines.defs import run

    added(arcana, "acme", export)
    execute = run.execute

    def overtaken(*arguments: Any) -> int | None:
        generation = execute(*arguments)
        with psycopg.connect(arcana_database_url) as other:
            other.execute("INSERT INTO sync_generation (workspace_id, generation, mode) "
                          "SELECT workspace_id, generation + 1, 'incremental' FROM workspace")  # fmt: skip
            other.execute("UPDATE workspace SET generation = generation + 1")
        return generation

    monkeypatch.setattr(run, "execute", overtaken)
    report = json.loads(arcana.here("sync", "--mode", "full", "--json").stdout)
    assert (report["generation"], report["mode"], report["pages"]["added"]) == (1, "full", 1)
