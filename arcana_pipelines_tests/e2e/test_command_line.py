"""`arcana` from outside: the contract of its output, its exit codes and its errors."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, seed_world
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e


class TestMainPath:
    @pytest.fixture
    def world(self) -> NotionWorld:
        world = seed_world(pages=12, rows=4)
        texts = ["A battery is charged at night.", "Robots rest. " * 40, "Swollen batteries go into the red box."]
        world.add_page("Battery handling", blocks=[blocks.paragraph(text) for text in texts])
        world.clock.advance(600)
        return world

    def test_a_workspace_is_added_synced_searched_and_removed(
        self, arcana: Arcana, world: NotionWorld, tmp_path: Path
    ) -> None:
        arcana.environment["FILES"] = "on"
        added = arcana.json_apart("workspace", "add", "acme", "--source", "notion")
        assert Path(added["storage_path"]).is_dir()

        report = arcana.json_apart("sync", "acme")
        assert set(report) == {
            "workspace", "generation", "mode", "listing_complete", "pages", "partial", "chunks", "embeddings", "notion",
            "files", "seconds", "run_id",
        }  # fmt: skip
        assert report["pages"]["added"] == len(world.visible_pages())
        files = report["files"]
        assert files["fetched"] > 0 and files["pending"] == files["stored"] == files["quarantined"] == 0

        assert arcana.json("sync", "acme")["notion"]["requests"] == 2

        found = arcana.json_apart("search", "acme", "swollen batteries", "-k", "3")
        assert found["hits"][0]["title"] == "Battery handling"
        assert set(found["hits"][0]) >= {
            "score", "document_id", "external_id", "title", "url", "path", "heading_path", "position", "text",
            "version", "link", "last_edited_at", "highlights",
        }  # fmt: skip
        shown = arcana.here("search", "acme", "swollen batteries", "-k", "1").stdout
        assert "go into the red box" in shown, "people see where the words are, not where the first of them is"

        status = arcana.json("status", "acme")
        assert status["indexes"][0]["object_count"] == report["pages"]["added"] + files["parsed"] + files["skipped"]
        assert status["not_indexed"] == []

        assert arcana.json("sync", "acme", "--estimate")["estimate"]["texts"] == 0
        assert arcana.json("status", "acme")["last_sync"] == status["last_sync"], "an estimate is no sync"

        assert arcana.json("workspace", "remove", "acme", "--yes")["removed"]
        assert not Path(added["storage_path"]).exists()
        assert arcana.json("workspace", "list") == {"workspaces": []}
        again = arcana.here("workspace", "add", "acme", "--source", "notion")
        assert again.returncode == 2
        assert "choose another" in again.stderr

    def test_what_is_done_with_a_build_is_told_while_it_is_done_and_after(self, arcana: Arcana, tmp_path: Path) -> None:
        arcana.json("workspace", "add", "acme", "--source", "notion")
        documents = arcana.json("sync", "acme")["pages"]["added"]
        drafts = tmp_path / "golden.jsonl"
        drafts.write_text(arcana.here("eval", "acme", "--suggest", "--limit", "3").stdout)
        arcana.json("eval", "acme", str(drafts), "--keep")

        piped = arcana("index", "rebuild", "acme")
        assert piped.stderr.startswith("acme: starting …\n") and "\x1b" not in piped.stderr and "\r" not in piped.stderr
        rebuilt = piped.stdout
        assert "verified: " in rebuilt and "verifying" not in rebuilt
        assert "does not serve" not in rebuilt and "index promote acme default" in rebuilt
        verified = arcana.here("index", "verify", "acme")
        assert f"{documents} documents were compared" in verified.stdout and "nothing speaks against" in verified.stdout
        assert verified.stderr == "acme: verifying …\n"

        again = arcana("index", "create", "acme", "other", FORCE_COLOR="1", TERM="xterm", COLUMNS="200")
        assert "acme: starting …" in again.stderr, "which of the stages it sees depends on how fast they are"
        quiet = arcana("index", "create", "acme", "third", "--json", FORCE_COLOR="1", TERM="xterm", COLUMNS="200")
        assert quiet.stderr == ""
        assert arcana.here("-q", "index", "verify", "acme", "third").stderr == ""

        promoted = arcana("index", "promote", "acme", FORCE_COLOR="1")
        assert promoted.returncode == 0
        assert "asking both builds 3 golden questions …" in promoted.stderr

    def test_an_export_says_how_far_it_is(self, arcana: Arcana, tmp_path: Path) -> None:
        arcana.json("workspace", "add", "acme", "--source", "notion")
        documents = arcana.json("sync", "acme")["pages"]["added"]
        terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "200"}
        shown = arcana.here("export", "acme", "--documents", str(tmp_path / "a.jsonl"), **terminal)
        assert shown.returncode == 0 and "acme: writing documents" in shown.stderr
        assert f"{documents}/{documents}" in shown.stderr
        piped = arcana.here("export", "acme", "--documents", str(tmp_path / "b.jsonl"))
        assert piped.stderr == "acme: writing documents …\n"
        assert (
            arcana.here("export", "acme", "--documents", str(tmp_path / "c.jsonl"), "--json", **terminal).stderr == ""
        )

    def test_queries_on_standard_input_are_answered_line_by_line(self, arcana: Arcana) -> None:
        arcana.json("workspace", "add", "acme", "--source", "notion")
        arcana.json("sync", "acme")
        queries = ["red box", "", "배터리", "'; DROP TABLE document; --", "& | ! ( :*", "😀"]
        for options in (["--json"], []):
            done = subprocess.run(
                [sys.executable, "-m", "arcana_pipelines.cli", "search", "acme", "-", *options],
                env=arcana.merged({}),
                input="".join(f"{query}\n" for query in queries),
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            if options:
                assert [json.loads(line)["query"] for line in done.stdout.splitlines()] == queries
            else:
                assert [line[2:] for line in done.stdout.splitlines() if line.startswith("?")] == queries


class TestWrongUse:
    """One sentence on standard error, exit code 2, no traceback."""

    def refused(self, arcana: Arcana, *arguments: str, **variables: str | None) -> str:
        done = arcana.here(*arguments, **variables)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def test_an_unknown_workspace(self, arcana: Arcana) -> None:
        for command in (
            ["sync", "nobody"],
            ["search", "nobody", "x"],
            ["status", "nobody"],
            ["usage", "nobody"],
            ["workspace", "show", "nobody"],
        ):
            assert "no workspace 'nobody'" in self.refused(arcana, *command)

    def test_a_duplicate_slug(self, arcana: Arcana) -> None:
        arcana.here("workspace", "add", "acme", "--source", "notion")
        assert "already a workspace 'acme'" in self.refused(arcana, "workspace", "add", "acme", "--source", "notion")

    @pytest.mark.parametrize("slug", ["Acme", "-acme", "a b", "a/b", "..", "é", "x" * 64])
    def test_a_slug_that_breaks_the_rules(self, arcana: Arcana, slug: str) -> None:
        assert "slug" in self.refused(arcana, "workspace", "add", "--source", "notion", "--", slug)

    def test_a_missing_token(self, arcana: Arcana) -> None:
        message = self.refused(arcana, "workspace", "add", "acme", "--source", "notion", NOTION_TOKEN=None)
        assert "NOTION_TOKEN" in message
        arcana.here("workspace", "add", "acme", "--source", "notion")
        assert "NOTION_TOKEN" in self.refused(arcana, "sync", "acme", NOTION_TOKEN=None)

    def test_an_unreachable_database(self, arcana: Arcana) -> None:
        message = self.refused(arcana, "db", "upgrade", DATABASE_URL="postgresql://u:hush@127.0.0.1:1/x")
        assert "127.0.0.1" in message
        assert "hush" not in message

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("BATCH_SIZE", "many"),
            ("NOTION_BASE_URL", "ftp://example.com"),
            ("DATABASE_URL", "mysql://secret@host/x"),
            ("EMBEDDING_PROVIDER", "magic"),
        ],
    )
    def test_an_invalid_variable_is_named_and_its_value_is_not(self, arcana: Arcana, variable: str, value: str) -> None:
        message = self.refused(arcana, "status", **{variable: value})
        assert variable in message
        assert value not in message

    def test_a_malformed_zip(self, arcana: Arcana, tmp_path: Path) -> None:
        broken = tmp_path / "broken.zip"
        broken.write_bytes(b"PK\x03\x04 not a zip")
        assert "broken.zip" in self.refused(
            arcana, "workspace", "add", "acme", "--source", "notion-export", "--path", str(broken)
        )
        assert json.loads(arcana.here("workspace", "list", "--json").stdout) == {"workspaces": []}

    def test_a_zip_that_reaches_outside(self, arcana: Arcana, tmp_path: Path) -> None:
        evil = tmp_path / "evil.zip"
        with zipfile.ZipFile(evil, "w") as archive:
            archive.writestr("../outside.md", "# Outside")
        self.refused(arcana, "workspace", "add", "acme", "--source", "notion-export", "--path", str(evil))

    def test_json_errors_are_one_object_too(self, arcana: Arcana) -> None:
        done = arcana.here("sync", "nobody", "--json")
        assert "nobody" in json.loads(done.stdout)["error"]


class TestFailures:
    @pytest.fixture
    def world(self) -> NotionWorld:
        return seed_world(pages=8, rows=0)

    def test_a_monitor_is_told_that_the_database_or_the_installation_is_gone(
        self, arcana: Arcana, tmp_path: Path
    ) -> None:
        nowhere = {"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/x"}
        gone = {"DATABASE_URL": None, "ARCANA_HOME": str(tmp_path / "gone")}
        for variables, said in ((nowhere, "127.0.0.1"), (gone, "arcana restore --from PLACE")):
            told = arcana.json("status", "--check", code=1, **variables)
            assert (told["ok"], told["exit_code"]) == (False, 1)
            (cause,) = told["causes"]
            assert (
                cause["cause"] == "installation_unreachable" and said in cause["text"] and "hush" not in cause["text"]
            )
            line = arcana.here("status", "--check", **variables)
            assert line.returncode == 1 and line.stdout.startswith("Arcana: installation_unreachable: "), line.stderr
        for wrong in (["nobody"], ["--nonsense"]):
            assert arcana.here("status", "--check", *wrong).returncode == 2

    def test_a_revoked_token_fails_the_run_and_says_that_nothing_was_removed(
        self, arcana: Arcana, world: NotionWorld
    ) -> None:
        arcana.json("workspace", "add", "acme", "--source", "notion")
        arcana.json("sync", "acme")
        world.tokens.clear()
        failed = arcana.json_apart("sync", "acme", "--mode", "full", code=1)
        assert "Nothing was removed" in failed["error"] and "put it into NOTION_TOKEN, and sync" in failed["error"]
        assert arcana.json("status", "acme")["indexes"][0]["object_count"] == 8

    def test_a_quarantined_page_makes_exit_code_3_and_is_explained(
        self, arcana: Arcana, world: NotionWorld, server: NotionServer
    ) -> None:
        arcana.json("workspace", "add", "acme", "--source", "notion")
        page = world.visible_pages()[0]
        server.faults.add(f"GET /v1/(pages|blocks)/{page}", "403", times=None)
        report = arcana.json_apart("sync", "acme", code=3)
        assert report["pages"]["quarantined"] == 1
        assert report["pages"]["added"] == 7
        (group,) = arcana.json("status", "acme")["not_indexed"]
        assert group["state"] == "quarantined"
        assert group["examples"][0]["external_id"] == page

        failed = arcana.json("retry", "acme", "--page", "0" * 32, code=2)
        assert "no page of this id" in failed["error"]
        assert arcana.json("retry", "acme", code=3)["pages"]["quarantined"] == 1
        server.faults.clear()
        mended = arcana.json("retry", "acme", "--page", page.replace("-", ""))
        assert mended["pages"]["added"] == 1
        assert arcana.json("status", "acme")["not_indexed"] == []

    def test_a_long_pause_is_shown_and_nobody_asks_before_it_is_over(
        self, arcana: Arcana, world: NotionWorld, server: NotionServer
    ) -> None:
        arcana.json("workspace", "add", "acme", "--source", "notion")
        server.faults.add(
            "/markdown", "429", skip=2, retry_after=600, rate_limit_reason="public_api_space_request_rate_limit"
        )
        report = arcana.json("sync", "acme", code=3)
        assert report["pages"]["pending"] > 0
        source = arcana.json("status", "acme")["source"]
        assert source["paused_until"] and source["pause_reason"] == "public_api_space_request_rate_limit"
        server.reset_log()
        assert arcana.json("sync", "acme", code=3)["notion"]["requests"] == 0
        assert not server.requests


@pytest.mark.slow
def test_a_file_that_is_added_is_found_at_once_and_one_that_is_removed_is_not(
    arcana: Arcana, world: NotionWorld, tmp_path: Path
) -> None:
    world.add_page("Handbook", blocks="Everyone has thirty days of vacation.")
    arcana.environment["FILES"] = "on"
    (tmp_path / "lease.txt").write_text("The lease of the office ends in March. 임대차 계약은 3월에 끝난다.")
    arcana.json("workspace", "add", "acme", "--source", "notion")
    added = arcana.json("file", "add", "lease.txt")  # of the only workspace
    assert added["files"][0]["outcome"] == "new" and added["sync"]["workspace"] == "acme"
    assert arcana.json("search", "acme", "office lease")["hits"][0]["title"] == "lease.txt"
    assert arcana.json("file", "add", "acme", "lease.txt")["sync"] is None, "nothing is new"
    for check in (["db", "check"], ["doctor"]):
        assert arcana.here(*check).returncode == 0
    assert arcana.here("file", "show", "acme", "nothing").returncode == 2
    arcana.json("file", "remove", "acme", "lease.txt")
    assert all(hit["title"] != "lease.txt" for hit in arcana.json("search", "acme", "office lease")["hits"])
