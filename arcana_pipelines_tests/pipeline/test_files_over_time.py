"""What files go through in years: replaced, lost by the store, moved between archives, called what nobody would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.errors import DownloadFailed
from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.run import Reading
from arcana_pipelines.files.parsing.run import read_file as really_read
from arcana_pipelines.ledger import files
from arcana_pipelines.ledger.polling import poll
from arcana_pipelines.pipeline import document_files
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import (
    SyncRequest,
    cut_chunks,
    embed_chunks,
    make_contents,
    publish_indexes,
    read_pages,
    sync,
)
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.pipeline.test_document_files import NOON, Shelf, Shelves, shelves, zipped

__all__ = ["shelves"]


def run(shelves: Shelves, statement: str, *parameters: Any) -> None:
    with shelves.acme.database.connection() as connection:
        connection.execute(statement, parameters)  # type: ignore[call-overload]


def object_of(shelves: Shelves, name: str) -> Path:
    ((key,),) = shelves.acme.rows(
        "SELECT storage_key FROM stored_file s JOIN source_file f USING (workspace_id, sha256) WHERE f.name = %s", name
    )
    return shelves.acme.database.settings.storage_root / "files" / str(key)


class TestAPageThatLists:
    def test_one_file_twice_has_it_once(self, shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.", "/a")
        fetch = Shelf.fetch

        def twice(shelf: Shelf, ref: Any) -> Any:
            page = fetch(shelf, ref)
            return type(page)(page.markdown, page.fetched_at, files=(*page.files, *page.files))  # type: ignore[misc]

        monkeypatch.setattr(Shelf, "fetch", twice)
        shelves.sync()
        assert set(shelves.texts()) == {"leave.txt"} and shelves.count("source_file") == 1

    @pytest.mark.parametrize("name", ["x" * 10_000, "a\0b", "a\ud800b", "two\nlines", "\u202etxt.exe", "../../passwd"])
    def test_a_file_of_any_name_has_its_text(self, shelves: Shelves, name: str) -> None:
        shelves.shelf.put("handbook", f"{name}.txt", "Everyone has thirty days.", "/a")
        shelves.sync()
        ((title, text),) = shelves.texts().items()
        assert "thirty days" in text and len(title) <= 255 and title.isprintable()
        shelves.shelf.revisions["handbook"] += 1
        shelves.sync()
        assert shelves.shelf.downloads == []


class TestAFileThatWentWithItsPage:
    def test_stays_away_when_the_page_comes_back_without_it(self, shelves: Shelves) -> None:
        file_id = shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.")
        shelves.shelf.put("other", "else.txt", "Something else that stays.")
        shelves.sync()
        page = shelves.shelf.pages.pop("handbook")
        shelves.sync(Mode.FULL)
        shelves.shelf.pages["handbook"] = page
        shelves.shelf.take_off("handbook", file_id)
        shelves.sync(Mode.FULL)
        assert set(shelves.texts()) == {"else.txt"}

    def test_is_gone_though_nothing_looked_at_files_until_its_page_was_forgotten(self, shelves: Shelves) -> None:
        """A job without the stage of files."""
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.")
        shelves.shelf.put("other", "else.txt", "Something else that stays.")
        shelves.sync()
        del shelves.shelf.pages["handbook"]
        for _ in range(3):
            with workspace_session(
                shelves.acme.database, "acme", open_source=lambda workspace, database: shelves.shelf
            ) as session:
                read_pages(session, SyncRequest(Mode.FULL))
                make_contents(session)
                cut_chunks(session, Purpose.SYNC)
                embed_chunks(session, Purpose.SYNC)
                publish_indexes(session, Purpose.SYNC)
            run(shelves, "UPDATE source_page SET removed_at = removed_at - interval '90 days'")
        shelves.sync(Mode.FULL)
        shelves.sync(Mode.FULL)
        assert set(shelves.texts()) == {"else.txt"} and shelves.count("document WHERE kind = 'file'") == 1


class TestACopy:
    def test_whose_place_a_file_without_text_takes_is_none_any_more(self, shelves: Shelves) -> None:
        shelves.shelf.put("first", "first.txt", "The plan of the year.")
        shelves.sync()
        shelves.shelf.put("second", "second.txt", "The plan of the year.", "/2")
        shelves.sync()
        shelves.shelf.take_off("second", "/2")
        shelves.shelf.put("second", "second.txt", b"%PDF-1.4\nthis is no more", "/3")
        shelves.sync()
        assert shelves.outcomes()["second.txt"] == ("skipped", "damaged")
        assert shelves.count("document_relation WHERE relation_type = 'duplicate' AND deleted_at IS NULL") == 0

    def test_of_a_file_that_cannot_be_embedded_is_not_tried_in_its_place(self, shelves: Shelves) -> None:
        for page in ("first", "second", "third"):
            shelves.shelf.put(page, f"{page}.txt", "The plan of the year.")
            shelves.sync()
        run(
            shelves,
            "UPDATE source_file SET state = 'quarantined', reason = 'the provider refuses a text of this file' "
            "WHERE name = 'first.txt'",
        )
        shelves.sync()
        assert shelves.acme.rows("SELECT name FROM source_file WHERE copy_of IS NULL") == [("first.txt",)]


class TestAnArchive:
    def test_on_two_pages_is_found_with_what_it_holds_below_each(self, shelves: Shelves) -> None:
        data = zipped(**{"보고서.txt": "분기 보고서는 금요일까지 낸다."})
        shelves.shelf.put("first", "one.zip", data)
        shelves.shelf.put("second", "two.zip", data)
        shelves.sync()
        assert len(shelves.texts()) == 1
        assert shelves.acme.rows(
            "SELECT page_external_id, count(*) FROM source_file WHERE name = '보고서.txt' AND state = 'parsed' "
            "GROUP BY 1 ORDER BY 1"
        ) == [("first", 1), ("second", 1)]
        del shelves.shelf.pages["first"]
        shelves.sync(Mode.FULL)
        assert "금요일까지" in shelves.texts()["보고서.txt"], "in the run in which the first one goes"

    def test_that_lies_too_deep_to_be_read_is_read_where_it_does_not(self, shelves: Shelves) -> None:
        inner = zipped(**{"deep.txt": "The text that lies deep."})
        shelves.shelf.put("first", "outer.zip", _zip("b.zip", _zip("c.zip", inner)))
        shelves.sync()
        assert "deep.txt" not in shelves.texts()
        shelves.shelf.put("second", "c.zip", inner)
        shelves.sync()
        assert "lies deep" in shelves.texts()["deep.txt"]

    @pytest.mark.parametrize("what", ["the file", "the archive", "both"])
    def test_gives_what_it_holds_again_when_the_store_has_lost_it(self, shelves: Shelves, what: str) -> None:
        shelves.shelf.put("handbook", "all.zip", zipped(**{"leave.txt": "Everyone has thirty days."}))
        shelves.sync()
        stored = {"the file": object_of(shelves, "leave.txt"), "the archive": object_of(shelves, "all.zip")}
        lost = stored.values() if what == "both" else [stored[what]]
        for each in lost:
            each.unlink()
        shelves.sync(Mode.AUDIT)
        assert "thirty days" in shelves.texts()["leave.txt"], "what is searched stays meanwhile"
        shelves.sync()
        shelves.sync()
        assert all(each.exists() for each in stored.values())
        assert set(shelves.outcomes().values()) == {("parsed", None)}
        assert "thirty days" in shelves.texts()["leave.txt"]
        assert shelves.count("document_content c JOIN source_file f USING (document_id)") == 2

    def test_holds_again_what_was_forgotten_while_another_parser_did_not_see_it(
        self, shelves: Shelves, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shelves.shelf.put("handbook", "all.zip", zipped(**{"leave.txt": "Everyone has thirty days."}))
        shelves.sync()
        real = document_files.parsers_of
        with monkeypatch.context() as patch:
            patch.setattr(document_files, "parsers_of", lambda settings: real(settings) | {FileKind.ZIP: "zip/blind"})
            patch.setattr("arcana_pipelines.files.parsing.run.read_file", _reading_nothing)
            shelves.sync()
            assert shelves.texts() == {}
            run(shelves, "UPDATE source_file SET removed_at = removed_at - interval '90 days' WHERE state = 'removed'")
            shelves.sync(Mode.FULL)
            run(shelves, "UPDATE stored_file SET unwanted_since = unwanted_since - interval '90 days'")
            shelves.sync(Mode.FULL)
        assert shelves.count("stored_file") == 1
        shelves.sync()
        assert "thirty days" in shelves.texts()["leave.txt"]


def _zip(name: str, data: bytes) -> bytes:
    import io
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(name, data)
    return held.getvalue()


@contextmanager
def _reading_nothing(path: Path, name: str, kind: FileKind, *rest: Any) -> Iterator[Reading]:
    raise Unreadable(Reason.NO_TEXT, "it holds no text")
    yield


class TestAParserThatCrashed:
    def test_and_succeeds_the_next_time_leaves_no_trace(
        self, shelves: Shelves, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.")
        self._crash(shelves, monkeypatch)
        run(shelves, "UPDATE source_file SET next_attempt_at = now()")
        shelves.sync()
        assert shelves.outcomes() == {"leave.txt": ("parsed", None)} and "thirty" in shelves.texts()["leave.txt"]

    def test_twice_is_tried_again_in_another_version_of_it(
        self, shelves: Shelves, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.")
        self._crash(shelves, monkeypatch)
        run(shelves, "UPDATE source_file SET next_attempt_at = NULL")
        run(shelves, "UPDATE parsed_file SET attempts = 2")
        real = document_files.parsers_of
        monkeypatch.setattr(
            document_files, "parsers_of", lambda settings: real(settings) | {FileKind.TEXT: "text/next"}
        )
        shelves.sync()
        assert shelves.outcomes() == {"leave.txt": ("parsed", None)}

    def test_is_tried_again_when_a_person_asks(self, shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.")
        slow = shelves.shelf.put("handbook", "slow.txt", "Here at last.")
        shelves.shelf.fails[slow] = DownloadFailed("the server answered 503")
        self._crash(shelves, monkeypatch)
        shelves.shelf.fails.clear()
        with workspace_session(
            shelves.acme.database, "acme", open_source=lambda workspace, database: shelves.shelf
        ) as session:
            sync(session, SyncRequest(purpose=Purpose.RETRY))
        assert set(shelves.outcomes().values()) == {("parsed", None)}

    def _crash(self, shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
        @contextmanager
        def crashing(path: Path, name: str, kind: FileKind, *rest: Any) -> Iterator[Reading]:
            if b"thirty" in path.read_bytes():
                raise Unreadable(Reason.CRASHED, "its process crashed")
            with really_read(path, name, kind, *rest) as reading:
                yield reading

        with monkeypatch.context() as patch:
            patch.setattr("arcana_pipelines.files.parsing.run.read_file", crashing)
            shelves.sync()
        assert shelves.outcomes()["leave.txt"] == ("quarantined", "crashed")


def test_a_file_whose_page_gives_no_address_is_not_asked_for_at_every_sync(shelves: Shelves) -> None:
    shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.")
    real = Shelf.fetch

    class Silent(Shelf):
        def fetch(self, ref: Any) -> Any:
            page = real(self, ref)
            return type(page)(page.markdown, page.fetched_at, files=None)

    shelves.sync()
    run(shelves, "UPDATE source_file SET state = 'pending', sha256 = NULL")
    shelves.shelf.__class__ = Silent
    shelves.sync()
    assert shelves.outcomes() == {"leave.txt": ("quarantined", "page not read")}
    assert "thirty" in shelves.texts()["leave.txt"]


def test_a_file_of_a_very_long_address_is_found_again(shelves: Shelves) -> None:
    shelves.shelf.put(
        "handbook", "leave.txt", "Everyone has thirty days.", "https://example.com/" + "/".join(map(str, range(3000)))
    )
    shelves.sync()
    assert set(shelves.texts()) == {"leave.txt"}
    shelves.shelf.revisions["handbook"] += 1
    shelves.sync()
    assert shelves.shelf.downloads == [] and shelves.count("source_file") == 1


def test_a_source_that_fails_in_a_way_nobody_expects_fails_for_one_file(shelves: Shelves) -> None:
    bad = shelves.shelf.put("handbook", "bad.txt", "Never here.")
    shelves.shelf.put("handbook", "good.txt", "This one can be read.")
    shelves.shelf.fails[bad] = ValueError("of a library")
    shelves.sync()
    assert shelves.outcomes() == {"bad.txt": ("quarantined", "download failed"), "good.txt": ("parsed", None)}


def test_what_a_killed_run_has_not_put_in_place_the_next_one_does(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.")

    def killed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("arcana_pipelines.pipeline.document_content.put_in_place", killed)
        with pytest.raises(KeyboardInterrupt):
            shelves.sync()
    shelves.sync()
    assert shelves.count("document_relation WHERE relation_type = 'derived' AND deleted_at IS NULL") == 1


class TestASyncWithoutNews:
    def test_compares_no_files(self, shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.")
        shelves.sync()
        shelves.sync()
        monkeypatch.setattr(document_files, "_sync_files", lambda *arguments: pytest.fail("all files were compared"))
        monkeypatch.setattr(files, "to_process", lambda *arguments: pytest.fail("all files were compared"))
        shelves.sync()
        shelves.shelf.revisions["handbook"] += 1
        assert shelves.sync()["embeddings"]["computed"] == 0, "the page was edited, and not its files"

    @pytest.mark.parametrize("what", ["a parser", "a limit", "time"])
    def test_sees_what_is_due(self, shelves: Shelves, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.")
        slow = shelves.shelf.put("handbook", "slow.txt", "Here at last.")
        shelves.shelf.fails[slow] = DownloadFailed("the server answered 503")
        shelves.shelf.now = NOON + timedelta(hours=1)
        shelves.sync()
        shelves.sync()
        compared: list[object] = []
        real = document_files._sync_files
        monkeypatch.setattr(
            document_files, "_sync_files", lambda *arguments: (compared.append(arguments), real(*arguments))
        )
        shelves.sync()
        assert not compared
        if what == "a parser":
            parsers = document_files.parsers_of
            monkeypatch.setattr(document_files, "parsers_of", lambda settings: parsers(settings) | {"text": "next"})
        elif what == "a limit":
            shelves.given = {"file_max_bytes": 10_000}
        else:
            run(shelves, "UPDATE source_file SET next_attempt_at = now() WHERE state = 'quarantined'")
        shelves.sync()
        assert len(compared) == 1


def test_files_that_wait_are_no_work_while_none_are_fetched(shelves: Shelves) -> None:
    slow = shelves.shelf.put("handbook", "slow.txt", "Here at last.")
    shelves.shelf.fails[slow] = DownloadFailed("the server answered 503")
    shelves.shelf.now = NOON + timedelta(hours=1)
    shelves.sync()
    run(shelves, "UPDATE source_file SET next_attempt_at = now() - interval '1 minute'")
    database = shelves.acme.database
    with database.connection() as connection:
        workspace = find(connection, "acme")
    assert poll(database, workspace, shelves.shelf, at_once=True).reason == "files wait to be read"
    database.settings = database.settings.model_copy(update={"files": "off"})
    assert not poll(database, workspace, shelves.shelf, at_once=True).needed
