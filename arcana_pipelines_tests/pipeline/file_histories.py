"""Random histories of files: people change them, sources, stores and parsers fail, syncs are killed.

`FileHistory` takes random steps of one seed. From time to time it lets the faults stop and syncs twice. Then each text
of a live page is published, once among equal bytes, and found below each page that has it; what is gone is gone; the
ledger, the store, the documents and their relations agree; and one more sync fetches, reads and embeds nothing.

`test_file_histories.py` takes some steps, `benchmarks/file_histories.py` as many as one likes. Files are texts and
archives of texts; they are read in this process, which is quicker than in one of their own.
"""

from __future__ import annotations

import io
import os
import random
import signal
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import DownloadExpired, DownloadFailed, DownloadRefused, FileStoreUnreachable
from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Block
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.registry import Options, parser_key
from arcana_pipelines.files.parsing.run import Attachment, Reading
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.operations.reports import counts_agree, served_counts
from arcana_pipelines.pipeline import document_files
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.sources.protocol import Capabilities, FetchedPage, Mode, PageRef
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.pipeline.test_document_files import Shelf
from arcana_pipelines_tests.pipeline.world_machine import HashEmbedder, WatchedDatabase, end_if_it_hangs, in_haste

DEEPEST = 2
_LARGE = 4_000  # bytes; what is smaller is fetched under each limit
_PARSER: dict[str, str] = {}  # what reads texts and archives now


@dataclass
class Desk(Shelf):
    """A shelf whose files can be kept from being listed, as with `FILES=off`."""

    shows_files: bool = True

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        return Capabilities(lists_everything=True, absences_needed=1, lists_files=self.shows_files)

    def fetch(self, ref: PageRef) -> FetchedPage:
        page = super().fetch(ref)
        return page if self.shows_files else FetchedPage(page.markdown, page.fetched_at)


@contextmanager
def read_here(path: Path, name: str, kind: FileKind, options: Options) -> Iterator[Reading]:
    """In the place of `read_file`, in this process."""
    data = path.read_bytes()
    if _Faults.crash and random.Random(data).random() < 0.5:
        raise Unreadable(Reason.CRASHED, "its process crashed")
    with tempfile.TemporaryDirectory() as place:
        blocks: tuple[Block, ...] = ()
        inside: tuple[Attachment, ...] = ()
        if kind is FileKind.TEXT:
            blocks = (Block("text", data.decode()),)
        elif kind is FileKind.ZIP:
            inside = tuple(_unpacked(data, Path(place)))
        else:
            raise Unreadable(Reason.DAMAGED, "it cannot be read")
        yield Reading(parser_key(kind, options), blocks, "", (), inside, 0.0, 0)


def _unpacked(data: bytes, place: Path) -> Iterator[Attachment]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for number, member in enumerate(archive.infolist()):
            (place / str(number)).write_bytes(archive.read(member))
            yield Attachment(member.filename, place / str(number))


class _Faults:
    """What goes wrong now."""

    crash = False
    store = 0.0
    chance = random.Random(0)


@contextmanager
def _shaky_store(settings: Any) -> Iterator[Any]:
    with open_file_store(settings) as store:
        put, fetch = store.put, store.fetch

        def fail() -> None:
            if _Faults.chance.random() < _Faults.store:
                raise FileStoreUnreachable("the store does not answer on purpose")

        def shaky_put(*arguments: Any) -> None:
            fail()
            put(*arguments)

        def shaky_fetch(*arguments: Any) -> Any:
            fail()
            return fetch(*arguments)

        store.put, store.fetch = shaky_put, shaky_fetch  # type: ignore[method-assign]
        yield store


@contextmanager
def quickly() -> Iterator[None]:
    """Everything in this process and in small batches."""
    real = document_files.parsers_of
    with pytest.MonkeyPatch.context() as patch, in_haste():
        patch.setattr("arcana_pipelines.files.parsing.run.read_file", read_here)
        patch.setattr(document_files, "parsers_of", lambda settings: real(settings) | _PARSER)
        patch.setattr(document_files, "open_file_store", _shaky_store)
        patch.setattr(document_files, "SLICE", 3)
        yield


@dataclass
class FileHistory:
    """One workspace and its files; `took` counts what was done."""

    acme: Harness
    seed: int
    took: Counter[str] = field(default_factory=Counter)
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        _Faults.chance = random.Random(self.seed)
        _Faults.crash, _Faults.store = False, 0.0
        _PARSER.clear()
        self.desk = Desk(pages={}, bytes_of={}, revisions={}, fails={}, downloads=[], reads=[])
        self.trash: dict[str, dict[str, str]] = {}
        self.given: dict[str, Any] = {}
        self.number = 0
        self.hurt: set[str] = set()  # hashes of objects that were damaged or lost

    # --- what people do ---

    def new_text(self) -> bytes:
        self.number += 1
        return f"The text of number {self.number} 글 {self.number}. ".encode() * self.chance.choice([1, 1, 1, 200])

    def some_bytes(self, depth: int = 0) -> bytes:
        """New ones, ones that are somewhere already, or an archive of such."""
        what = self.chance.random()
        held = list(self.desk.bytes_of.values())
        if what < 0.25 and held:
            return self.chance.choice(held)
        if what < 0.5 and depth <= DEEPEST:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                for number in range(self.chance.randint(1, 3)):
                    archive.writestr(zipfile.ZipInfo(f"member {number}.txt"), self.some_bytes(depth + 1))
            return packed.getvalue()
        if what < 0.55:
            return b"\x00\x01\x02 broken " + str(self.chance.random()).encode()
        return self.new_text()

    def some_file(self) -> tuple[str, str] | None:
        held = [(page, file_id) for page, files in self.desk.pages.items() for file_id in files]
        return self.chance.choice(held) if held else None

    def do_add_page(self) -> None:
        self.number += 1
        page = f"page {self.number}"
        self.desk.pages[page], self.desk.revisions[page] = {}, 1

    def do_add(self) -> None:
        if not self.desk.pages:
            self.do_add_page()
        page = self.chance.choice(sorted(self.desk.pages))
        self.number += 1
        # Two files of a page may be called the same.
        name = f"name {self.chance.choice([self.number, 1, 2])}.txt"
        self.desk.put(page, name, self.some_bytes(), f"/{self.number}")

    def do_replace(self) -> None:
        if found := self.some_file():
            page, file_id = found
            files = self.desk.pages[page]
            data = self.desk.bytes_of[file_id] + b" " if self.chance.random() < 0.2 else self.some_bytes()
            self.number += 1
            new, name = f"/{self.number}", self.chance.choice([files[file_id], f"name {self.number}.txt"])
            self.desk.pages[page] = {
                new if held == file_id else held: name if held == file_id else files[held] for held in files
            }
            self.desk.bytes_of[new] = data
            self.desk.revisions[page] += 1

    def do_rename(self) -> None:
        if found := self.some_file():
            page, file_id = found
            self.number += 1
            self.desk.pages[page][file_id] = f"name {self.number}.txt"
            self.desk.revisions[page] += 1

    def do_remove(self) -> None:
        if found := self.some_file():
            self.desk.take_off(*found)

    def do_trash(self) -> None:
        if self.desk.pages:
            page = self.chance.choice(sorted(self.desk.pages))
            self.trash[page] = self.desk.pages.pop(page)

    def do_restore(self) -> None:
        if self.trash:
            page = self.chance.choice(sorted(self.trash))
            self.desk.pages[page] = self.trash.pop(page)
            if self.chance.random() < 0.4 and self.desk.pages[page]:
                self.desk.take_off(page, self.chance.choice(sorted(self.desk.pages[page])))

    # --- what goes wrong, and what is set ---

    def do_fail_download(self) -> None:
        if found := self.some_file():
            kind = self.chance.choice([DownloadFailed, DownloadRefused, DownloadExpired, ValueError])
            self.desk.fails[found[1]] = kind("on purpose")

    def do_mend_downloads(self) -> None:
        self.desk.fails.clear()

    def do_shake_store(self) -> None:
        _Faults.store = self.chance.choice([0.0, 0.3, 1.0])

    def do_crash_parsers(self) -> None:
        _Faults.crash = not _Faults.crash

    def do_change_parser(self) -> None:
        _PARSER[self.chance.choice(["text", "zip"])] = f"stand-in/{self.chance.randint(1, 3)}"

    def do_hurt_an_object(self) -> None:
        if objects := self.objects():
            path = self.chance.choice(objects)
            self.hurt.add(path.name)
            if self.chance.random() < 0.5:
                path.unlink()
            else:
                path.chmod(0o600)
                path.write_bytes(self.chance.choice([b"", b"x" * path.stat().st_size]))

    def do_limit_sizes(self) -> None:
        self.given["file_max_bytes"] = self.chance.choice([_LARGE, 10**6])

    def do_switch_files(self) -> None:
        self.switch(self.given.get("files") == "off")

    def switch(self, is_on: bool) -> None:
        self.given["files"] = "on" if is_on else "off"
        self.desk.shows_files = is_on

    def do_end_addresses(self) -> None:
        self.run("UPDATE source_file SET expires_at = now() - interval '1 minute' WHERE address IS NOT NULL")

    def do_let_time_pass(self) -> None:
        for statement in (
            "UPDATE source_file SET next_attempt_at = next_attempt_at - interval '1 day', "
            "removed_at = removed_at - interval '1 day'",
            "UPDATE source_page SET next_attempt_at = next_attempt_at - interval '1 day', "
            "removed_at = removed_at - interval '1 day'",
            "UPDATE stored_file SET unwanted_since = unwanted_since - interval '1 day'",
            "UPDATE parsed_file SET parsed_at = parsed_at - interval '1 day' WHERE reason = 'crashed'",
        ):
            self.run(statement)
        for path in self.objects():
            os.utime(path, (path.stat().st_mtime - 90_000,) * 2)

    def do_sync(self) -> None:
        stored = self.rows(
            "SELECT file_id, encode(f.sha256, 'hex') FROM source_file f JOIN stored_file USING (workspace_id, sha256) "
            "WHERE container IS NULL AND state <> 'removed'"
        )
        purpose = self.chance.choice([Purpose.SYNC, Purpose.SYNC, Purpose.SYNC, Purpose.RETRY, Purpose.STAGE])
        self.sync(self.chance.choice(list(Mode)), purpose, self.chance.choice([0, 1, 30]))
        twice = {file_id for file_id, sha256 in stored if sha256 not in self.hurt} & set(self.desk.downloads)
        assert not twice, f"fetched although stored: {twice}"

    def do_kill_a_sync(self) -> None:
        mode, left = self.chance.choice(list(Mode)), self.chance.randint(1, 25)
        child = os.fork()
        if child == 0:

            def die() -> None:
                nonlocal left
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

            with suppress(BaseException):
                end_if_it_hangs()
                database = WatchedDatabase(self.acme.database.settings)
                database.watch = die
                self.sync(mode, database=database)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        self.took["killed"] += os.WIFSIGNALED(status)

    def sync(
        self,
        mode: Mode,
        purpose: Purpose = Purpose.SYNC,
        retention_days: int = 30,
        database: Database | None = None,
    ) -> dict[str, Any]:
        """A sync; returns its report."""
        self.desk.downloads.clear()
        self.desk.reads.clear()
        database = database or self.acme.database
        settings = database.settings.model_copy(update={**self.given, "retention_days": retention_days})
        with workspace_session(
            database,
            self.acme.slug,
            settings=settings,
            open_source=lambda workspace, database: self.desk,
            open_embedder=HashEmbedder,
        ) as session:
            report = sync(session, SyncRequest(mode, purpose, allow_removals=1000))
            if purpose is not Purpose.STAGE:
                assert counts_agree(served_counts(session.connection, session.workspace.workspace_id))
        return report.as_dict()

    # --- how it should be ---

    def take(self, steps: int) -> None:
        """So many random steps, and converge now and then and at the end."""
        names = sorted(name for name in dir(self) if name.startswith("do_"))
        weights = [{"do_add": 8, "do_sync": 8, "do_replace": 5, "do_kill_a_sync": 3}.get(name, 2) for name in names]
        for _ in range(steps):
            (name,) = self.chance.choices(names, weights)
            self.steps.append(name)
            getattr(self, name)()
            self.took[name.removeprefix("do_")] += 1
            if self.chance.random() < 0.04:
                self.converge()
        self.converge()

    def converge(self) -> None:
        """The faults stop; after two syncs all is as it should be, and one more has nothing to do."""
        self.took["converge"] += 1
        self.steps.append("converge")
        self.do_mend_downloads()
        _Faults.crash, _Faults.store = False, 0.0
        # What a source refused is asked for again when something else is allowed, and not before.
        self.given["file_max_bytes"] = 10**6 + self.took["converge"]
        self.switch(True)
        self.do_let_time_pass()
        # Bytes that crashed a parser twice are tried again when a person asks: also where they come again meanwhile.
        self.sync(Mode.AUDIT, Purpose.RETRY)
        self.sync(Mode.AUDIT, Purpose.RETRY)
        self.hurt.clear()
        self._check()
        versions = self.rows("SELECT count(*) FROM document_content")
        report = self.sync(Mode.FULL)
        assert self.desk.downloads == [], "nothing is fetched twice"
        assert report["embeddings"]["computed"] == 0
        assert self.rows("SELECT count(*) FROM document_content") == versions
        self._check()

    def expected(self) -> dict[str, set[bytes]]:
        """Which texts each page has, in its files and in those that lie in them."""
        return {
            page: {text for file_id in files for text in _texts(self.desk.bytes_of[file_id])}
            for page, files in self.desk.pages.items()
        }

    def _check(self) -> None:
        expected = self.expected()
        everything = set().union(*expected.values())
        texts = self.rows(
            "SELECT convert_to(c.contents->>'text', 'UTF8'), d.document_id, encode(f.sha256, 'hex') "
            "FROM published_document s JOIN rag_indexes i ON i.active_build_id = s.rag_index_build_id "
            "JOIN document d USING (document_id) JOIN document_content c USING (document_content_id) "
            "LEFT JOIN source_file f ON f.document_id = d.document_id "
            "WHERE d.kind = 'file' AND cardinality(s.chunk_ids) > 0 AND c.contents->>'text' <> ''"
        )
        published = [text.strip() for text, _, _ in texts]
        assert set(published) == {text.strip() for text in everything}
        assert len({sha256 for *_, sha256 in texts}) == len(texts) == len(everything), "each text once"
        below = self.rows(
            "SELECT page.external_id, array_agg(DISTINCT text.sha256) FROM source_page page "
            "JOIN document above ON above.document_id = page.document_id "
            "JOIN document d ON d.path <@ above.path AND d.deleted_at IS NULL AND d.kind = 'file' "
            "LEFT JOIN document_relation r ON r.base_document_id = d.document_id AND r.relation_type = 'duplicate' "
            "AND r.deleted_at IS NULL "
            "JOIN source_file text ON text.document_id = coalesce(r.related_document_id, d.document_id) "
            "JOIN parsed_file p ON p.sha256 = text.sha256 AND p.parser = text.parser AND p.text <> '' "
            "WHERE page.state <> 'tombstoned' GROUP BY 1"
        )
        found = dict(below)
        for page, wanted in expected.items():
            assert len(found.get(page, ())) == len(wanted), f"below {page}"
        self._none(
            "an orphan document",
            "SELECT d.document_id FROM document d LEFT JOIN source_file f USING (document_id) "
            "WHERE d.kind = 'file' AND f.external_id IS NULL",
        )
        self._none(
            "a document that is shown or hidden wrongly",
            "SELECT f.external_id, f.state FROM source_file f LEFT JOIN document d USING (document_id) "
            "WHERE CASE WHEN d.document_id IS NULL THEN f.state <> 'removed' "
            "ELSE (f.state = 'removed') <> (d.deleted_at IS NOT NULL) END",
        )
        self._none(
            "a file that waits",
            "SELECT external_id, state, reason FROM source_file WHERE state NOT IN ('parsed', 'skipped', 'removed') "
            "OR state = 'skipped' AND reason <> 'damaged'",
        )
        self._none("an address", "SELECT address FROM source_file WHERE address IS NOT NULL")
        self._none(
            "a status that is not true",
            "SELECT d.upload_status, f.state FROM source_file f JOIN document d USING (document_id) "
            "LEFT JOIN stored_file s ON s.workspace_id = f.workspace_id AND s.sha256 = f.sha256 "
            "WHERE f.state <> 'removed' "
            "AND (d.upload_status, d.file_meta->>'storageKey') IS DISTINCT FROM ('uploaded', s.storage_key)",
        )
        self._none(
            "a file that is not below its page or container",
            "SELECT f.external_id FROM source_file f JOIN document d USING (document_id) "
            "LEFT JOIN source_file c ON c.workspace_id = f.workspace_id AND c.external_id = f.container "
            "JOIN source_page p ON p.workspace_id = f.workspace_id AND p.external_id = f.page_external_id "
            "JOIN document above ON above.document_id = coalesce(c.document_id, p.document_id) "
            "WHERE f.state <> 'removed' "
            "AND subpath(d.path, 0, -1) <> above.path",
        )
        related = (
            "(SELECT coalesce(c.document_id, p.document_id) AS base, f.document_id AS related, 'derived' AS type "
            "FROM source_file f LEFT JOIN source_file c ON c.workspace_id = f.workspace_id "
            "AND c.external_id = f.container JOIN source_page p ON p.workspace_id = f.workspace_id "
            "AND p.external_id = f.page_external_id WHERE f.state <> 'removed' UNION "
            "SELECT f.document_id, o.document_id, 'duplicate' FROM source_file f JOIN source_file o "
            "ON o.workspace_id = f.workspace_id AND o.external_id = f.copy_of WHERE f.state <> 'removed')"
        )
        noted = (
            "(SELECT base_document_id, related_document_id, relation_type FROM document_relation "
            "WHERE deleted_at IS NULL AND relation_type IN ('derived', 'duplicate'))"
        )
        self._none("a relation that is missing", f"{related} EXCEPT {noted}")
        self._none("a relation that is wrong", f"{noted} EXCEPT {related}")
        self._none(
            "a version without a reason",
            "WITH told AS (SELECT document_id, version, contents - '{last_edited_at,edited_by}'::text[] "
            "#- '{file,mime_type}' #- '{file,size}' AS now "
            "FROM document_content JOIN document USING (document_id) WHERE kind = 'file') "
            "SELECT a.document_id, a.version FROM told a JOIN told b ON b.document_id = a.document_id "
            "AND b.version = a.version - 1 AND b.now = a.now",
        )
        keys = {path.relative_to(self._root()).as_posix() for path in self.objects()}
        rows = {key for (key,) in self.rows("SELECT storage_key FROM stored_file")}
        assert rows <= keys, f"rows without objects: {rows - keys}"
        young = {path.name for path in self.objects() if path.stat().st_mtime > path.stat().st_ctime - 80_000}
        assert {key.rsplit("/")[-1] for key in keys - rows} <= young, "objects without rows are swept in a day"

    def _none(self, what: str, statement: str) -> None:
        found = self.rows(statement)
        assert not found, f"{what}: {found[:5]}"

    def objects(self) -> list[Path]:
        root = self._root()
        return sorted(path for path in root.rglob("*") if path.is_file() and "incoming" not in path.parts)

    def _root(self) -> Path:
        return self.acme.database.settings.storage_root / "files"

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self.acme.rows(statement)

    def run(self, statement: str) -> None:
        with self.acme.database.connection() as connection:
            connection.execute(statement)  # type: ignore[call-overload]


def _texts(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """The texts that are read of some bytes."""
    if data.startswith(b"PK"):
        if depth < DEEPEST:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for member in archive.infolist():
                    yield from _texts(archive.read(member), depth + 1)
    elif not data.startswith(b"\x00"):
        yield data
