"""Files of pages: fetched once, read once, versioned, found below every page that has them, gone with their page."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import pytest
from pydantic import SecretStr

from arcana_pipelines.errors import DownloadExpired, DownloadFailed, DownloadRefused, PageUnavailable
from arcana_pipelines.ledger import files
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, fetch_files, read_pages, sync
from arcana_pipelines.sources.protocol import (
    Capabilities,
    FetchedPage,
    FileRef,
    Listing,
    Mode,
    PageRef,
    Presence,
    Source,
)
from arcana_pipelines_tests.files.buckets import BucketServer
from arcana_pipelines_tests.harness import Harness

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass
class Shelf(Source):
    """A source of pages with files, all in memory: what is fetched of it is counted."""

    pages: dict[str, dict[str, str]] = field(default_factory=dict)  # page → file_id → name
    bytes_of: dict[str, bytes] = field(default_factory=dict)  # by file_id
    revisions: dict[str, int] = field(default_factory=dict)
    fails: dict[str, Exception] = field(default_factory=dict)
    ends: timedelta | None = None
    is_external: bool = False
    downloads: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    now: datetime = NOON  # pages were edited at noon: read within that minute they are read again
    capabilities = Capabilities(lists_everything=True, absences_needed=1, lists_files=True)

    def put(self, page: str, name: str, data: bytes | str, file_id: str | None = None) -> str:
        file_id = file_id or f"/{page}/{name}"
        self.pages.setdefault(page, {})[file_id] = name
        self.bytes_of[file_id] = data if isinstance(data, bytes) else data.encode()
        self.revisions[page] = self.revisions.get(page, 0) + 1
        return file_id

    def take_off(self, page: str, file_id: str) -> None:
        del self.pages[page][file_id]
        self.revisions[page] += 1

    def _ref(self, page: str) -> PageRef:
        return PageRef(page, "page", "workspace", None, page.title(), f"https://example.com/{page}",
                       str(self.revisions[page]), NOON)  # fmt: skip

    def enumerate(
        self, mode: Mode, cursor: str | None, is_unchanged: Callable[[Sequence[PageRef]], Sequence[bool]]
    ) -> Listing:
        return Listing(
            iter([[self._ref(page) for page in self.pages]]), complete=True, cursor="1", source_time=self.now
        )

    def fetch(self, ref: PageRef) -> FetchedPage:
        self.reads.append(ref.external_id)
        if ref.external_id not in self.pages:
            raise PageUnavailable("gone")
        until = NOON + self.ends if self.ends is not None else None
        refs = tuple(
            FileRef(file_id, name, f"{file_id}?signed={len(self.reads)}", until, is_external=self.is_external)
            for file_id, name in self.pages[ref.external_id].items()
        )
        return FetchedPage("Text of the page.", NOON, files=refs)

    def confirm(self, external_id: str) -> tuple[Presence, PageRef | None]:
        there = external_id in self.pages
        return (Presence.ALIVE, self._ref(external_id)) if there else (Presence.GONE, None)

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        file_id = file.address.partition("?signed=")[0]
        self.downloads.append(file_id)
        if (error := self.fails.get(file_id)) is not None:
            raise error
        if len(self.bytes_of[file_id]) > most:
            raise DownloadRefused("it is larger than FILE_MAX_BYTES allows")
        target.write(self.bytes_of[file_id])


@dataclass
class Shelves:
    """The workspace `acme` with such a source."""

    acme: Harness
    shelf: Shelf
    given: dict[str, Any] = field(default_factory=dict)

    def sync(self, mode: Mode = Mode.INCREMENTAL) -> dict[str, Any]:
        self.shelf.downloads.clear()
        self.shelf.reads.clear()
        settings = self.acme.database.settings.model_copy(update=self.given)
        with workspace_session(
            self.acme.database, "acme", settings=settings, open_source=lambda workspace, database: self.shelf
        ) as session:
            return sync(session, SyncRequest(mode)).as_dict()

    def outcomes(self) -> dict[str, tuple[str, str | None]]:
        return {
            name: (state, reason)
            for name, state, reason in self.acme.rows(
                "SELECT name, state, reason FROM source_file WHERE state <> 'removed' ORDER BY name"
            )
        }

    def texts(self) -> dict[str, str]:
        """What can be found of files, by their names."""
        return {
            title: "\n".join(chunks)
            for title, chunks in self.acme.rows(
                "SELECT c.contents->>'title', array_agg(k.chunk_content ORDER BY k.position) FROM document_chunk k "
                "JOIN document_content c USING (document_content_id) JOIN document d ON d.document_id = c.document_id "
                "JOIN rag_indexes i ON i.active_build_id = k.rag_index_build_id "
                "WHERE k.deleted_at IS NULL AND d.kind = 'file' GROUP BY c.document_id, 1"
            )
        }

    def count(self, what: str) -> int:
        ((number,),) = self.acme.rows(f"SELECT count(*) FROM {what}")
        return int(number)


@pytest.fixture
def shelves(acme: Harness) -> Shelves:
    return Shelves(acme, Shelf(pages={}, bytes_of={}, revisions={}, fails={}, downloads=[], reads=[]))


def zipped(**members: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return held.getvalue()


class TestAFileOfAPage:
    def test_is_a_document_below_its_page_whose_text_is_found(self, shelves: Shelves) -> None:
        shelves.shelf.put(
            "handbook", "leave.txt", "Everyone has thirty days of vacation.\n\n모든 직원은 휴가를 받는다."
        )
        shelves.sync()
        assert "thirty days" in shelves.texts()["leave.txt"] and "휴가" in shelves.texts()["leave.txt"]
        ((kind, meta, status, below, relation),) = shelves.acme.rows(
            "SELECT d.kind, d.file_meta, d.upload_status, d.path <@ page.path, r.relation_type "
            "FROM document d JOIN source_file f USING (document_id) "
            "JOIN source_page p ON p.external_id = f.page_external_id "
            "JOIN document page ON page.document_id = p.document_id "
            "JOIN document_relation r ON r.base_document_id = page.document_id "
            "AND r.related_document_id = d.document_id AND r.deleted_at IS NULL"
        )
        assert (kind, status, below, relation) == ("file", "uploaded", True, "derived")
        assert meta["name"] == "leave.txt" and meta["mimeType"] == "text/plain" and meta["fileSize"] > 50
        assert meta["storageKey"].endswith(meta["sha256"]) and len(meta["sha256"]) == 64
        hit = shelves.acme.search("thirty days of vacation")[0]
        assert (hit.kind, hit.title) == ("file", "leave.txt")

    def test_costs_nothing_when_nothing_changed(self, shelves: Shelves) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.")
        shelves.sync()
        before = shelves.count("document_content")
        report = shelves.sync()
        assert shelves.shelf.downloads == [] and report["embeddings"]["computed"] == 0
        assert shelves.count("document_content") == before and shelves.count("parsed_file") == 1

    def test_is_not_fetched_again_because_its_page_was_edited(self, shelves: Shelves) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.")
        shelves.sync()
        shelves.shelf.revisions["handbook"] += 1
        shelves.sync()
        assert shelves.shelf.reads == ["handbook"] and shelves.shelf.downloads == []

    def test_that_is_replaced_is_one_download_and_a_new_version(self, shelves: Shelves) -> None:
        old = shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.", "/a/leave.txt")
        shelves.shelf.put("handbook", "trips.txt", "Trains are booked by the office.")
        shelves.sync()
        shelves.shelf.take_off("handbook", old)
        shelves.shelf.put("handbook", "leave.txt", "Everyone has forty days of vacation.", "/b/leave.txt")
        shelves.sync()
        assert shelves.shelf.downloads == ["/b/leave.txt"]
        assert "forty" in shelves.texts()["leave.txt"] and "thirty" not in shelves.texts()["leave.txt"]
        assert shelves.acme.rows(
            "SELECT count(*), max(c.version) FROM document_content c JOIN source_file f USING (document_id) "
            "WHERE f.name = 'leave.txt'"
        ) == [(2, 2)]

    def test_that_is_saved_again_with_the_same_text_is_no_new_version(self, shelves: Shelves) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.", "/a")
        shelves.sync()
        shelves.shelf.take_off("handbook", "/a")
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days.\n", "/b")
        report = shelves.sync()
        assert shelves.shelf.downloads == ["/b"] and report["embeddings"]["computed"] == 0
        assert shelves.count("document_content c JOIN source_file f USING (document_id)") == 1

    def test_goes_with_its_page_and_comes_back_with_it_for_nothing(self, shelves: Shelves) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.")
        shelves.shelf.put("other", "else.txt", "Something else that stays.")
        shelves.sync()
        page = shelves.shelf.pages.pop("handbook")
        shelves.sync(Mode.FULL)
        assert set(shelves.texts()) == {"else.txt"}
        shelves.shelf.pages["handbook"] = page
        report = shelves.sync(Mode.FULL)
        assert "thirty days" in shelves.texts()["leave.txt"]
        assert shelves.shelf.downloads == [] and report["embeddings"]["computed"] == 0

    def test_goes_when_its_page_has_it_no_more(self, shelves: Shelves) -> None:
        file_id = shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.")
        shelves.sync()
        shelves.shelf.take_off("handbook", file_id)
        shelves.sync()
        assert shelves.texts() == {} and shelves.outcomes() == {}
        assert shelves.count("document_relation WHERE relation_type = 'derived' AND deleted_at IS NULL") == 0


class TestTheSameBytes:
    def test_on_many_pages_are_kept_read_and_embedded_once(self, shelves: Shelves) -> None:
        for number in range(50):
            shelves.shelf.put(f"page {number}", f"plan {number}.txt", "The plan of the year is to grow slowly.")
        shelves.sync()
        assert shelves.count("stored_file") == shelves.count("parsed_file") == 1
        assert len(shelves.texts()) == 1 and set(shelves.outcomes().values()) == {("parsed", None)}
        assert shelves.count("document_relation WHERE relation_type = 'duplicate' AND deleted_at IS NULL") == 49
        assert shelves.count("document WHERE kind = 'file' AND latest_content_id IS NOT NULL") == 50

    def test_are_found_by_the_next_file_when_the_first_goes(self, shelves: Shelves) -> None:
        for page in ("first", "second"):
            shelves.shelf.put(page, f"{page}.txt", "The plan of the year is to grow slowly.")
            shelves.sync()
        ((chosen,),) = shelves.acme.rows("SELECT page_external_id FROM source_file WHERE copy_of IS NULL")
        assert chosen == "first"
        del shelves.shelf.pages["first"]
        report = shelves.sync(Mode.FULL)
        assert set(shelves.texts()) == {"second.txt"} and report["embeddings"]["computed"] <= 1


class TestBytesThatTheStoreDamaged:
    @pytest.mark.parametrize("left", [b"Everyone has thirty days of vacation!", b"Everyone has"], ids=["other", "half"])
    def test_are_fetched_and_read_again(self, shelves: Shelves, left: bytes) -> None:
        """When a newer parser asks for them."""
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.")
        shelves.sync()
        ((key,),) = shelves.acme.rows("SELECT storage_key FROM stored_file")
        stored = shelves.acme.database.settings.storage_root / "files" / key
        stored.write_bytes(left)
        with shelves.acme.database.connection() as connection:
            connection.execute("DELETE FROM parsed_file")
            connection.execute("UPDATE source_file SET parser = NULL, state = 'stored'")
        shelves.sync()
        shelves.sync()
        assert stored.read_bytes() == b"Everyone has thirty days of vacation."
        assert shelves.outcomes() == {"leave.txt": ("parsed", None)} and shelves.count("parsed_file") == 1
        assert "thirty days" in shelves.texts()["leave.txt"]


class TestFilesInFiles:
    def test_are_documents_below_the_file_that_holds_them(self, shelves: Shelves) -> None:
        shelves.shelf.put("handbook", "all.zip", zipped(**{"보고서.txt": "분기 보고서는 금요일까지 낸다."}))
        shelves.sync()
        assert "금요일까지" in shelves.texts()["보고서.txt"]
        assert shelves.acme.rows(
            "SELECT inside.path <@ outer_one.path FROM source_file f JOIN document inside USING (document_id) "
            "JOIN source_file c ON c.external_id = f.container JOIN document outer_one "
            "ON outer_one.document_id = c.document_id"
        ) == [(True,)]
        shelves.shelf.take_off("handbook", "/handbook/all.zip")
        shelves.sync()
        assert shelves.texts() == {}


class TestWhatCannotBeHadOrRead:
    def test_says_why_and_others_go_on(self, shelves: Shelves) -> None:
        shelf = shelves.shelf
        shelf.put("handbook", "good.txt", "This one can be read.")
        shelf.put("handbook", "old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
        shelf.put("handbook", "broken.pdf", b"%PDF-1.4\nthis is no more")
        shelf.put("handbook", "large.txt", "x" * 2000)
        shelves.given = {"file_max_bytes": 1000}
        failing = shelf.put("handbook", "slow.txt", "Never here.")
        shelf.fails[failing] = DownloadFailed("the server answered 503")
        shelves.sync()
        outcomes = shelves.outcomes()
        assert outcomes["good.txt"] == ("parsed", None)
        assert outcomes["broken.pdf"] == ("skipped", "damaged")
        assert outcomes["large.txt"] == ("skipped", "not fetched")
        assert outcomes["slow.txt"] == ("quarantined", "download failed")
        assert outcomes["old.doc"][0] == "skipped"
        assert set(shelves.texts()) == {"good.txt"}

    def test_stays_as_it_was_while_its_new_bytes_cannot_be_had(self, shelves: Shelves) -> None:
        shelf = shelves.shelf
        shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.", "/a")
        shelves.sync()
        shelf.take_off("handbook", "/a")
        shelf.put("handbook", "leave.txt", "Everyone has forty days of vacation.", "/b")
        shelf.fails["/b"] = DownloadFailed("the server answered 503")
        shelves.sync()
        assert "thirty" in shelves.texts()["leave.txt"]
        shelf.fails.clear()
        with shelves.acme.database.connection() as connection:
            connection.execute("UPDATE source_file SET next_attempt_at = now()")
        shelves.sync()
        assert "forty" in shelves.texts()["leave.txt"] and shelf.downloads == ["/b"]

    def test_is_looked_at_again_when_more_is_allowed(self, shelves: Shelves) -> None:
        shelves.shelf.put("handbook", "large.txt", "A long text. " * 200)
        shelves.given = {"file_max_bytes": 1000}
        shelves.sync()
        shelves.sync()
        assert shelves.shelf.downloads == []
        shelves.given = {"file_max_bytes": 10_000}
        shelves.sync()
        assert "A long text" in shelves.texts()["large.txt"]


class TestAFileElsewhere:
    """An address that a person gave says nothing of what lies behind it."""

    def put(self, shelves: Shelves, text: str) -> str:
        file_id = shelves.shelf.put("handbook", "price list.txt", text, "https://example.com/prices")
        shelves.shelf.is_external = True
        shelves.sync()
        with shelves.acme.database.connection() as connection:
            connection.execute("UPDATE source_file SET fetched_at = now() - interval '2 days'")
        return file_id

    def test_is_fetched_again_by_an_audit_and_only_then(self, shelves: Shelves) -> None:
        file_id = self.put(shelves, "A battery costs forty.")
        shelves.shelf.bytes_of[file_id] = b"A battery costs fifty."
        shelves.sync(Mode.FULL)
        assert shelves.shelf.downloads == [] and "forty" in shelves.texts()["price list.txt"]
        shelves.sync(Mode.AUDIT)
        assert shelves.shelf.downloads == [file_id] and "fifty" in shelves.texts()["price list.txt"]
        shelves.sync(Mode.AUDIT)
        assert shelves.shelf.downloads == []

    def test_keeps_its_text_while_it_cannot_be_had(self, shelves: Shelves) -> None:
        file_id = self.put(shelves, "A battery costs forty.")
        shelves.shelf.fails[file_id] = DownloadFailed("the server answered 503")
        shelves.sync(Mode.AUDIT)
        assert "forty" in shelves.texts()["price list.txt"]
        shelves.shelf.fails.clear()
        with shelves.acme.database.connection() as connection:
            connection.execute("UPDATE source_file SET next_attempt_at = now()")
        report = shelves.sync()
        assert shelves.shelf.downloads == [file_id] and report["embeddings"]["computed"] == 0
        assert shelves.outcomes() == {"price list.txt": ("parsed", None)}


class TestAddresses:
    def test_that_have_ended_are_asked_of_the_page_again(self, shelves: Shelves) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.")
        shelves.shelf.ends = timedelta(hours=1)
        with workspace_session(
            shelves.acme.database, "acme", open_source=lambda workspace, database: shelves.shelf
        ) as session:
            read_pages(session, SyncRequest())
            with session.connection.transaction():
                session.connection.execute("UPDATE source_file SET expires_at = now() - interval '1 minute'")
            fetch_files(session)
        assert shelves.shelf.reads == ["handbook", "handbook"] and len(shelves.shelf.downloads) == 1
        assert shelves.acme.rows("SELECT address, state FROM source_file") == [(None, "parsed")]

    def test_that_end_while_they_are_used_are_tried_once_more(self, shelves: Shelves) -> None:
        file_id = shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.")
        shelves.shelf.ends = timedelta(hours=1)
        shelves.shelf.fails[file_id] = DownloadExpired("403")
        shelves.sync()
        assert len(shelves.shelf.downloads) == 2
        assert shelves.outcomes() == {"leave.txt": ("quarantined", "download failed")}
        assert shelves.count("source_file WHERE address IS NOT NULL") == 0


def test_a_file_in_the_place_of_another_is_that_file_with_other_bytes(shelves: Shelves) -> None:
    shelves.shelf.put("handbook", "a.txt", "The first text.", "/1")
    shelves.sync()
    ((before,),) = shelves.acme.rows("SELECT external_id FROM source_file")
    refs = [FileRef("/2", "b.txt", "x"), FileRef("/3", "a.txt", "x")]
    with (
        workspace_session(
            shelves.acme.database, "acme", open_source=lambda workspace, database: shelves.shelf
        ) as session,
        session.connection.transaction(),
    ):
        files.record(
            session.connection, session.workspace.workspace_id, {"handbook": FetchedPage("", NOON, files=tuple(refs))}
        )
    assert dict(shelves.acme.rows("SELECT file_id, external_id FROM source_file"))["/3"] == before


class TestABucket:
    """The same with the bytes in a bucket, which may be away."""

    @pytest.fixture
    def shelves(self, shelves: Shelves, nanio: BucketServer) -> Shelves:
        self.bucket = nanio.new_bucket()
        shelves.given = {
            "s3_endpoint_url": nanio.endpoint,
            "s3_bucket_name": self.bucket,
            "s3_access_key": SecretStr(nanio.access_key),
            "s3_secret_key": SecretStr(nanio.secret_key),
        }
        return shelves

    def keys(self, nanio: BucketServer) -> set[str]:
        found = nanio.client().list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {each["Key"] for each in found}

    def test_holds_each_file_once_under_its_hash(self, shelves: Shelves, nanio: BucketServer) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.")
        shelves.shelf.put("other", "the same.txt", "Everyone has thirty days of vacation.")
        shelves.sync()
        ((key,),) = shelves.acme.rows("SELECT storage_key FROM stored_file")
        assert self.keys(nanio) == {key} and len(shelves.texts()) == 1
        shelves.sync(Mode.FULL)
        assert shelves.shelf.downloads == [] and self.keys(nanio) == {key}

    def test_that_is_away_fails_no_sync_and_has_the_file_when_it_is_back(
        self, shelves: Shelves, nanio: BucketServer
    ) -> None:
        shelves.shelf.put("handbook", "leave.txt", "Everyone has thirty days of vacation.")
        away = {**shelves.given, "s3_endpoint_url": "http://127.0.0.1:9"}
        back, shelves.given = shelves.given, away
        shelves.sync()
        assert shelves.outcomes() == {"leave.txt": ("pending", None)} and shelves.texts() == {}
        assert shelves.acme.search("text of the page"), "pages are found meanwhile"
        shelves.given = back
        shelves.sync()
        assert "thirty" in shelves.texts()["leave.txt"] and len(self.keys(nanio)) == 1
