"""`arcana file` as people and programs use it: files that no page has are added, listed, shown, read again, removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from arcana_pipelines.cli import one_workspace
from arcana_pipelines.cli.commands import file as file_command
from arcana_pipelines.db.query import scalar
from arcana_pipelines.errors import FileStoreUnreachable, UnknownDocument, UnknownWorkspace, WrongUse
from arcana_pipelines.files.stores.directory import DirectoryStore
from arcana_pipelines.files.stores.registry import open_file_store, prefix_of
from arcana_pipelines.ledger import added_files, files, polling
from arcana_pipelines.ledger.added_files import Called
from arcana_pipelines.pipeline import document_files, registration
from arcana_pipelines.pipeline.added_files import add_file
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import Workspace
from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.harness import Harness

LEASE = "The lease of the office ends in March. 사무실 임대차 계약은 3월에 끝난다."


@pytest.fixture
def acme(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    acme.world.add_page("Handbook", blocks="Everyone has thirty days of vacation.")
    acme.settle()
    acme.sync()
    for module in (file_command, one_workspace):
        monkeypatch.setattr(module, "open_database", lambda: acme.database)
    return acme


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`contracts` with two files in it, one of them a folder deeper; a hidden one, and a link to somewhere else."""
    folder = tmp_path / "contracts"
    (folder / "2026" / ".git").mkdir(parents=True)
    (folder / "2026" / "lease.txt").write_text(LEASE)
    (folder / "terms.md").write_text("# Terms\n\nInvoices are paid within thirty days.")
    (folder / ".DS_Store").write_bytes(b"\0\1")
    (folder / "2026" / ".git" / "config").write_text("[core]")
    (tmp_path / "secret.txt").write_text("Nobody is to read this.")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


def arcana(*arguments: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(file_command.command, [str(each) for each in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def told(*arguments: str | Path, code: int = 0) -> Any:
    return json.loads(arcana(*arguments, "--json", code=code))


def add(*arguments: str | Path, code: int = 0) -> Any:
    return told("add", "acme", *arguments, "--no-sync", code=code)


def outcomes(added: dict[str, Any]) -> dict[str, str]:
    return {"/".join(filter(None, (each["folder"], each["name"]))): each["outcome"] for each in added["files"]}


def texts(acme: Harness) -> dict[str, str]:
    """What can be found of files, by their names."""
    return {
        str(title): str(text)
        for title, text in acme.rows(
            "SELECT c.contents->>'title', string_agg(k.chunk_content, ' ') FROM document_chunk k "
            "JOIN document_content c USING (document_content_id) JOIN document d ON d.document_id = c.document_id "
            "WHERE k.deleted_at IS NULL AND d.kind = 'file' GROUP BY c.document_id, 1"
        )
    }


def audited(acme: Harness) -> list[tuple[str, str]]:
    return [
        (action, details["name"])
        for action, details in acme.rows(
            "SELECT action, details FROM audit_logs WHERE action LIKE 'file.%%' ORDER BY audit_log_id"
        )
    ]


def workspace_of(acme: Harness) -> Workspace:
    with acme.database.connection() as connection:
        return workspaces.find(connection, acme.slug)


def work_left(acme: Harness) -> object:
    """What a look at the workspace finds to do, without a word of its source."""
    key = {"workspace_id": workspace_of(acme).workspace_id, "at_once": True, "fetches": True}
    with acme.database.connection() as connection:
        return scalar(connection, polling.load_sql("work_left"), key)


class TestAFolderThatIsAdded:
    def test_is_found_by_searches_after_the_next_sync_which_is_asked_for(self, acme: Harness, folder: Path) -> None:
        added = add(folder)
        assert outcomes(added) == {"contracts/2026/lease.txt": "new", "contracts/terms.md": "new"}
        assert {(Path(each["path"]).name, each["reason"]) for each in added["left_out"]} == {
            (".DS_Store", "is hidden"), (".git", "is hidden"), ("link.txt", "is a link"),
        }  # fmt: skip
        assert work_left(acme) == "files wait to be read"
        acme.sync()
        assert "임대차" in texts(acme)["lease.txt"] and "Nobody" not in str(texts(acme))
        hit = acme.search("when does the office lease end")[0]
        assert (hit.kind, hit.title) == ("file", "lease.txt")
        assert audited(acme) == [("file.added", "contracts/2026/lease.txt"), ("file.added", "contracts/terms.md")]

    def test_costs_nothing_when_it_is_added_again(self, acme: Harness, folder: Path) -> None:
        first = add(folder)
        acme.sync()
        again = add(folder)
        assert set(outcomes(again).values()) == {"same"}
        assert [each["document_id"] for each in again["files"]] == [each["document_id"] for each in first["files"]]
        assert work_left(acme) is None
        assert len(audited(acme)) == 2

    def test_with_other_bytes_in_a_file_makes_a_version_of_its_document(self, acme: Harness, folder: Path) -> None:
        first = add(folder)
        acme.sync()
        (folder / "2026" / "lease.txt").write_text("The lease of the office ends in October.")
        assert outcomes(add(folder))["contracts/2026/lease.txt"] == "changed"
        assert "March" in texts(acme)["lease.txt"], "what was read stays until the rest is"
        acme.sync()
        assert "October" in texts(acme)["lease.txt"] and "March" not in texts(acme)["lease.txt"]
        shown = told("show", "acme", first["files"][0]["document_id"])
        assert [each["version"] for each in shown["versions"]] == [2, 1]

    def test_says_on_a_terminal_what_was_left_out_and_what_comes_next(self, acme: Harness, folder: Path) -> None:
        said = arcana("add", "acme", folder, "--no-sync")
        assert "2 new, 0 changed, 0 already there" in said
        assert "2 files, as each is hidden" in said and "1 file, as each is a link" in said
        assert "sync acme" in said


class TestAFileThatIsAdded:
    def test_below_a_page_stands_below_it(self, acme: Harness, folder: Path) -> None:
        add(folder / "terms.md", "--below", "Handbook")
        acme.sync()
        (listed,) = told("list", "acme")["files"]
        assert (listed["page"], listed["state"], listed["kind"]) == ("Handbook", "parsed", "markdown")
        assert acme.rows(
            "SELECT d.path <@ page.path FROM source_file f JOIN document d USING (document_id) "
            "JOIN source_page p ON p.external_id = f.page_external_id JOIN document page "
            "ON page.document_id = p.document_id"
        ) == [(True,)]
        # A listing of its page's files is none of added ones.
        acme.sync(Mode.FULL)
        assert told("list", "acme")["files"][0]["state"] == "parsed"

    def test_goes_with_its_page(self, acme: Harness, folder: Path) -> None:
        page = acme.world.add_page("Contracts", blocks="All of them.")
        acme.settle()
        acme.sync()
        add(folder / "terms.md", "--below", "Contracts")
        acme.sync()
        acme.world.trash(page)
        acme.settle()
        acme.sync(Mode.AUDIT)
        acme.sync(Mode.AUDIT)
        assert texts(acme) == {} and told("list", "acme")["files"] == []

    def test_may_have_another_name(self, acme: Harness, folder: Path) -> None:
        assert outcomes(add(folder / "terms.md", "--name", "AGB.md")) == {"AGB.md": "new"}
        assert set(outcomes(add(folder, "--name", "계약"))) == {"계약/2026/lease.txt", "계약/terms.md"}

    def test_of_a_decomposed_name_is_the_file_of_the_composed_one(self, acme: Harness, tmp_path: Path) -> None:
        for form in ("NFD", "NFC"):
            place = tmp_path / form
            place.mkdir()
            (place / unicodedata.normalize(form, "휴가 규정.txt")).write_text("모든 직원은 휴가를 받는다.")
        assert outcomes(add(*(tmp_path / "NFD").iterdir())) == {"휴가 규정.txt": "new"}
        assert outcomes(add(*(tmp_path / "NFC").iterdir())) == {"휴가 규정.txt": "same"}

    def test_with_files_in_it_brings_them_and_takes_them_along(self, acme: Harness, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.writestr("보고서.txt", "분기 보고서는 금요일까지 낸다.")
        add(tmp_path / "all.zip")
        acme.sync()
        assert "금요일까지" in texts(acme)["보고서.txt"]
        inside = next(each for each in told("list", "acme")["files"] if each["origin"] == "inside")
        with pytest.raises(WrongUse, match="lies in another file"):
            arcana("remove", "acme", inside["document_id"], "--no-sync")
        arcana("remove", "acme", "all.zip", "--no-sync")
        acme.sync()
        assert texts(acme) == {}


class TestWhatIsNotAdded:
    def test_is_too_large_or_of_a_kind_that_is_not_read_and_the_others_are(
        self, acme: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "large.txt").write_text("x" * 2000)
        (tmp_path / "page.html").write_text("<html><body>No.</body></html>")
        (tmp_path / "none.txt").write_text("")
        (tmp_path / "good.txt").write_text("This one is.")
        os.mkfifo(tmp_path / "pipe")
        given = acme.database.settings.model_copy(update={"file_max_bytes": 1000, "file_types": "text,markdown"})
        monkeypatch.setattr(acme.database, "settings", given)
        added = add(tmp_path, "--name", "all", code=3)
        assert outcomes(added) == {"all/good.txt": "new"}
        reasons = {Path(each["path"]).name: each["reason"] for each in added["left_out"]}
        assert "FILE_MAX_BYTES" in reasons["large.txt"] and "FILE_TYPES" in reasons["page.html"]
        assert "empty" in reasons["none.txt"] and "no file" in reasons["pipe"]
        assert add(tmp_path / "large.txt", code=1)["files"] == []

    def test_is_called_as_another_one_of_the_same_call(self, acme: Harness, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "terms.txt").write_text(name)
        with pytest.raises(WrongUse, match=r"2 files would be called 'terms.txt'"):
            add(tmp_path / "a" / "terms.txt", tmp_path / "b" / "terms.txt")
        assert set(outcomes(add(tmp_path / "a", tmp_path / "b"))) == {"a/terms.txt", "b/terms.txt"}

    @pytest.mark.parametrize(
        ("given", "said"),
        [(("--below", "Nowhere"), "no page 'Nowhere'"), (("--name", " .. "), "needs a name")],
    )
    def test_is_meant_wrongly(self, acme: Harness, folder: Path, given: tuple[str, ...], said: str) -> None:
        with pytest.raises(WrongUse, match=said):
            add(folder / "terms.md", *given)
        assert told("list", "acme")["files"] == []

    def test_is_anything_while_files_are_off(
        self, acme: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(acme.database, "settings", acme.database.settings.model_copy(update={"files": "off"}))
        with pytest.raises(WrongUse, match="FILES is off"):
            add(folder)


class TestBetweenBytesAndRows:
    @pytest.mark.slow
    @pytest.mark.parametrize("where", ["add", "record"])  # before the transaction, and at its end
    def test_a_kill_leaves_bytes_that_the_next_try_takes_and_nothing_else(
        self, acme: Harness, folder: Path, tmp_path: Path, where: str
    ) -> None:
        code = (
            "import os, signal\nfrom arcana_pipelines.cli.main import main\n"
            "from arcana_pipelines.ledger import added_files\n"
            f"added_files.{where} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
            f"main(['file', 'add', 'acme', {str(folder / 'terms.md')!r}])"
        )
        environment = Arcana(acme.environment, tmp_path).merged({})
        killed = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, timeout=60, check=False)
        assert killed.returncode == -signal.SIGKILL and len(kept(acme)) == 1
        assert acme.rows("SELECT count(*) FROM source_file") == [(0,)]
        assert outcomes(add(folder / "terms.md")) == {"terms.md": "new"} and len(kept(acme)) == 1

    def test_an_error_leaves_bytes_that_the_next_try_takes_and_nothing_else(
        self, acme: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(*_: object, **__: object) -> None:
            raise FileStoreUnreachable("the machine is gone")

        with monkeypatch.context() as patched:
            patched.setattr(added_files, "record", crash)  # the last of the transaction
            with pytest.raises(FileStoreUnreachable):
                add(folder / "terms.md")
        assert acme.rows("SELECT count(*) FROM source_file") == [(0,)]
        assert acme.rows("SELECT count(*) FROM document WHERE kind = 'file'") == [(0,)]
        assert len(kept(acme)) == 1
        assert outcomes(add(folder / "terms.md")) == {"terms.md": "new"}
        assert len(kept(acme)) == 1

    def test_nobody_sweeps_them_meanwhile_though_they_lay_there_for_days(
        self, acme: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(folder / "terms.md")
        with acme.database.connection() as connection:
            connection.execute("DELETE FROM source_file")
            connection.execute("DELETE FROM document WHERE kind = 'file'")
            connection.execute("DELETE FROM stored_file")
        monkeypatch.setattr(document_files, "ORPHANED_AFTER", timedelta(0) - timedelta(minutes=1))
        put = DirectoryStore.put
        swept: list[int] = []

        def sweeping(store: DirectoryStore, *arguments: Any) -> None:
            put(store, *arguments)
            with acme.session() as session:
                swept.append(document_files._sweep(session, store))

        with monkeypatch.context() as patched:
            patched.setattr(DirectoryStore, "put", sweeping)
            add(folder / "terms.md")
        assert swept == [0] and len(kept(acme)) == 1
        acme.sync(Mode.FULL)
        assert "Invoices" in texts(acme)["terms.md"]

    def test_bytes_that_the_store_lost_are_asked_of_whoever_added_them(self, acme: Harness, folder: Path) -> None:
        add(folder / "terms.md")
        acme.sync()
        with open_file_store(acme.database.settings) as store:
            for key in kept(acme):
                store.delete(key)
        acme.sync(Mode.FULL)
        (listed,) = told("list", "acme")["files"]
        assert (listed["state"], listed["reason"]) == ("quarantined", "bytes lost")
        assert "Invoices" in texts(acme)["terms.md"], "what was read of it stays"
        assert outcomes(add(folder / "terms.md")) == {"terms.md": "changed"}
        acme.sync()
        assert told("list", "acme")["files"][0]["state"] == "parsed"


class TestTwoAtOnce:
    def test_who_add_the_same_file_add_one(self, acme: Harness, folder: Path) -> None:
        with ThreadPoolExecutor(4) as pool:
            added = list(pool.map(lambda _: add_one(acme, folder / "terms.md"), range(4)))
        assert sorted(outcome for outcome, _ in added) == ["new", "same", "same", "same"]
        assert len({document for _, document in added}) == 1
        assert acme.rows("SELECT count(*) FROM document WHERE kind = 'file'") == [(1,)]

    def test_one_reads_what_the_other_replaces_and_removes_and_does_not_say_that_it_was_read(
        self, acme: Harness, folder: Path
    ) -> None:
        add(folder)
        acme.sync()
        workspace_id, parsers = workspace_of(acme).workspace_id, document_files.parsers_of(acme.database.settings)
        with acme.database.connection() as reading, acme.database.connection() as adding, ThreadPoolExecutor(1) as pool:
            reading.execute("UPDATE source_file SET state = 'stored'")
            with adding.transaction():
                adding.execute("UPDATE source_file SET sha256 = sha256(sha256) WHERE name = 'terms.md'")
                adding.execute("UPDATE source_file SET state = 'removed' WHERE name = 'lease.txt'")
                settled = pool.submit(files.settle, reading, workspace_id, parsers)
                while not acme.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                    assert not settled.done()
            settled.result()
        assert dict(acme.rows("SELECT name, state FROM source_file")) == {"terms.md": "stored", "lease.txt": "removed"}


class TestAFileThatIsRemoved:
    def test_is_found_no_more_after_the_next_sync_which_is_asked_for(self, acme: Harness, folder: Path) -> None:
        add(folder)
        acme.sync()
        assert told("remove", "acme", "contracts/terms.md", "--no-sync")["sync"] is None
        assert work_left(acme) == "documents wait to be published"
        acme.sync()
        assert set(texts(acme)) == {"lease.txt"}
        assert [file["name"] for file in told("list", "acme", "--state", "removed")["files"]] == ["terms.md"]
        assert audited(acme)[-1] == ("file.removed", "contracts/terms.md")

    def test_is_there_again_when_it_is_added_again_and_nothing_is_embedded(self, acme: Harness, folder: Path) -> None:
        first = add(folder / "terms.md")
        acme.sync()
        arcana("remove", "acme", "terms.md", "--no-sync")
        acme.sync()
        again = add(folder / "terms.md")
        assert outcomes(again) == {"terms.md": "new"}
        assert again["files"][0]["document_id"] == first["files"][0]["document_id"]
        assert acme.sync()["embeddings"]["computed"] == 0 and "Invoices" in texts(acme)["terms.md"]

    def test_leaves_the_text_to_the_next_file_with_the_same_bytes(self, acme: Harness, folder: Path) -> None:
        add(folder / "terms.md")
        acme.sync()
        add(folder / "terms.md", "--name", "copy.md")
        acme.sync()
        arcana("remove", "acme", "terms.md", "--no-sync")
        acme.sync()
        assert set(texts(acme)) == {"copy.md"}

    def test_is_one_that_was_added_and_all_that_are_named_go_or_none(self, acme: Harness, folder: Path) -> None:
        add(folder / "terms.md")
        with pytest.raises(UnknownDocument, match="no file 'nothing'"):
            arcana("remove", "acme", "terms.md", "nothing", "--no-sync")
        assert [file["state"] for file in told("list", "acme")["files"]] == ["stored"]


class TestAFileThatIsShown:
    def test_says_what_became_of_it(self, acme: Harness, folder: Path) -> None:
        (folder / "broken.pdf").write_bytes(b"%PDF-1.4\nthis is no more")
        add(folder)
        acme.sync()
        said = arcana("show", "acme", "contracts/2026/lease.txt")
        assert "parsed, text" in said and "version 1:" in said and "임대차" in said
        broken = told("show", "acme", "broken.pdf")
        assert (broken["state"], broken["reason"], broken["text"]) == ("skipped", "damaged", "")
        assert "damaged" in arcana("list", "acme", "--state", "skipped")
        assert "no files in the state 'pending'" in arcana("list", "acme", "--state", "pending")


class TestFilesThatAreReadAgain:
    def test_are_those_of_a_kind_and_nothing_is_embedded_where_the_text_is_the_same(
        self, acme: Harness, folder: Path
    ) -> None:
        add(folder)
        acme.sync()
        ((before,),) = acme.rows(
            "SELECT parsed_at FROM parsed_file JOIN stored_file USING (sha256) WHERE kind = 'text'"
        )
        assert told("retry", "acme", "--kind", "markdown", "--no-sync")["due"] == 1
        assert set(texts(acme)) == {"lease.txt", "terms.md"}
        report = acme.sync()
        assert report["embeddings"]["computed"] == 0 and set(texts(acme)) == {"lease.txt", "terms.md"}
        parsed = dict(acme.rows("SELECT kind, parsed_at FROM parsed_file JOIN stored_file USING (sha256)"))
        assert parsed["text"] == before < parsed["markdown"]
        assert acme.rows("SELECT max(version) FROM document_content c JOIN source_file USING (document_id)") == [(1,)]

    def test_are_without_a_word_those_in_quarantine_at_once(self, acme: Harness, folder: Path) -> None:
        add(folder)
        acme.sync()
        assert told("retry", "acme", "--no-sync")["due"] == 0
        with acme.database.connection() as connection:
            connection.execute(
                "UPDATE source_file SET state = 'quarantined', reason = 'crashed', next_attempt_at = %s "
                "WHERE name = 'terms.md'",
                [datetime.now(UTC) + timedelta(days=1)],
            )
            connection.execute(
                "UPDATE parsed_file p SET reason = 'crashed', text = '', attempts = 2 FROM source_file f "
                "WHERE f.sha256 = p.sha256 AND f.name = 'terms.md'"
            )
        assert told("retry", "acme", "--no-sync")["due"] == 1
        acme.sync()
        assert {file["state"] for file in told("list", "acme")["files"]} == {"parsed"}

    def test_are_those_that_are_named(self, acme: Harness, folder: Path) -> None:
        add(folder)
        acme.sync()
        assert told("retry", "acme", "lease.txt", "--no-sync")["due"] == 1
        with pytest.raises(UnknownDocument):
            arcana("retry", "acme", "nothing", "--no-sync")


class TestAWorkspaceThatIsRemoved:
    def test_takes_the_bytes_of_its_files_along_and_no_others(
        self, acme: Harness, folder: Path, another: Callable[[str], Harness]
    ) -> None:
        other = another("globex")
        add(folder)
        add_one(other, folder / "terms.md")
        acme.sync()
        assert len(kept(acme)) == 2
        workspace = workspace_of(acme)
        registration.remove(acme.database, "acme", lambda slug: None)
        with open_file_store(acme.database.settings) as store:
            prefix = prefix_of(workspace.company_id, workspace.platform, workspace.workspace_id)
            assert list(store.listing(prefix)) == [] and len(kept(other)) == 1
        with pytest.raises(UnknownWorkspace), open_file_store(acme.database.settings) as store:
            add_file(acme.database, store, workspace, folder / "terms.md", Called.of(["terms.md"]))
        with open_file_store(acme.database.settings) as store:
            assert list(store.listing(prefix)) == [], "nor does who adds one at that moment leave any"

    def test_is_removed_by_the_next_try_where_the_store_does_not_answer(
        self, acme: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object) -> None:
            raise FileStoreUnreachable("the bucket does not answer")

        add(folder)
        with monkeypatch.context() as patched:
            patched.setattr(DirectoryStore, "listing", away)
            with pytest.raises(FileStoreUnreachable):
                registration.remove(acme.database, "acme", lambda slug: None)
        registration.remove(acme.database, "acme", lambda slug: None)
        assert acme.rows("SELECT count(*) FROM workspace") == [(0,)]


def add_one(acme: Harness, path: Path) -> tuple[str, str]:
    with open_file_store(acme.database.settings) as store:
        added = add_file(acme.database, store, workspace_of(acme), path, Called.of([path.name]))
    return added.outcome, str(added.document_id)


def kept(acme: Harness) -> list[str]:
    workspace = workspace_of(acme)
    with open_file_store(acme.database.settings) as store:
        prefix = prefix_of(workspace.company_id, workspace.platform, workspace.workspace_id)
        return [each.key for each in store.listing(prefix)]
