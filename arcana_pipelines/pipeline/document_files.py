"""The stage `document_files`: fetch the files of pages, keep their bytes, and read what they say."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import psycopg

from arcana_pipelines.backup.copying import unless_copied
from arcana_pipelines.errors import (
    ArcanaError,
    DownloadExpired,
    DownloadFailed,
    DownloadRefused,
    FileDamaged,
    FileMissing,
    FileStoreRefused,
    FileStoreUnreachable,
    PageRejected,
    PageUnavailable,
    ReadersBroken,
    SourceUnavailable,
    TranscriptionFailed,
)
from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Block, Place
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.files.parsing.registry import Options, parser_key
from arcana_pipelines.files.stores.protocol import FileStore
from arcana_pipelines.files.stores.registry import open_file_store, prefix_of
from arcana_pipelines.files.transcript_key import transcript_key
from arcana_pipelines.ledger import files, generations, pages
from arcana_pipelines.ledger.counters import Counters, FileWork
from arcana_pipelines.ledger.files import Failed, Fetched, FileCount, FilesState, FileToFetch, FileToParse, files_in
from arcana_pipelines.net.in_flight import in_flight
from arcana_pipelines.net.workers import worker_threads
from arcana_pipelines.pipeline.being_stored import unless_being_stored
from arcana_pipelines.pipeline.session import Session
from arcana_pipelines.pipeline.stored_bytes import bytes_of, is_allowed, put_bytes
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.protocol import FetchedPage, Mode

if TYPE_CHECKING:
    from arcana_pipelines.files.text import FileText

log = logging.getLogger(__name__)

DOWNLOADS = 4
"""At once."""
PARSERS = 2
"""Processes that read files at once: each may take a GiB."""
# Files fetched between two commits: what a crash fetches again at most.
SLICE = 50
# An address that ends so soon is asked for again first.
MARGIN = timedelta(minutes=2)
# An object without a row that is younger may be one whose row is about to be written.
ORPHANED_AFTER = timedelta(hours=24)
SAMPLE = 20
RECORDINGS = (FileKind.AUDIO, FileKind.VIDEO)
# Kinds whose title is part of what a person reads: a subject, a name of a book.
_TITLED = frozenset({FileKind.EML, FileKind.MSG, FileKind.EPUB, FileKind.HTML})


@dataclass
class KindRead:
    """What was read of one kind of file.

    Attributes:
        files: how many, those without text among them.
        bytes: that they have.
        seconds: that it took, by the clock, all of them together.
        failed: those without text.
    """

    files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    failed: int = 0


@dataclass
class FilesReport:
    """What the stage did, and how the files of the workspace are now.

    Attributes:
        fetched: files whose bytes were fetched.
        bytes: that these have.
        read: bytes that were read, by kind.
        swept: objects that were deleted from the store, as nothing refers to them.
        sampled: objects whose bytes were compared with their hash (in full and audit syncs).
        damaged: the keys of those of them that are missing or have other bytes; they are fetched again.
        problem: why not all could be fetched or stored now, in a sentence; empty: nothing stood in the way.
        counts: the files of the workspace by state and reason.
        seconds_fetching, seconds_reading: by the clock.
    """

    fetched: int = 0
    bytes: int = 0
    read: dict[str, KindRead] = field(default_factory=lambda: defaultdict(KindRead))
    swept: int = 0
    sampled: int = 0
    damaged: list[str] = field(default_factory=list)
    problem: str = ""
    counts: list[FileCount] = field(default_factory=list)
    seconds_fetching: float = 0.0
    seconds_reading: float = 0.0

    def of(self, *states: str) -> int:
        """How many files are in one of these states."""
        return files_in(self.counts, *states)


def sync_files(session: Session) -> FilesReport:
    """Fetch what pages have and the store lacks, and read what no parser of now has read.

    Each slice of files is one transaction: first the bytes are in the store, then the ledger says so. What cannot be
    had now is tried again by a later sync, and what is searched of it stays.

    Raises:
        TokenRevoked: nothing can be read with the source's token.
    """
    report = FilesReport()
    connection, workspace_id = session.connection, session.workspace.workspace_id
    state = _state_of(session)
    if not _is_known(session, state):
        _sync_files(session, report)
        state = _state_of(session)
    report.counts = files.counts(connection, workspace_id)
    done = Counters(files_seen=state.state, files_reading=reading_of(session.settings))
    if report.fetched or report.read:
        read = sum(kind.files for kind in report.read.values())
        done = replace(done, files=FileWork(report.fetched, report.bytes, read))
    with connection.transaction():
        generations.merge_counters(connection, session.generation, done)
    return report


def _is_known(session: Session, state: FilesState) -> bool:
    """Whether nothing was written since the last sync has left the ledger, nothing is due, and all is read as it was.

    To compare all files takes seconds where there are tens of thousands.
    """
    if session.generation.mode is not Mode.INCREMENTAL or state.is_due:
        return False
    before = generations.counters_before(session.connection, session.generation)
    # What the versions of files are made of, making them does not change.
    is_same = state.state in (before.files_seen, before.files_made)
    return is_same and before.files_reading == reading_of(session.settings)


def _state_of(session: Session) -> FilesState:
    return files.state_of(session.connection, session.workspace.workspace_id, session.settings.files == "on")


def reading_of(settings: Settings) -> str:
    """What decides which files are fetched and how they are read, as a hash."""
    reading = f"{settings.files} {policy_of(settings)} {sorted(parsers_of(settings).items())}"
    return hashlib.blake2b(reading.encode(), digest_size=16).hexdigest()


def _sync_files(session: Session, report: FilesReport) -> None:
    connection, workspace_id = session.connection, session.workspace.workspace_id
    files.follow_pages(connection, workspace_id)
    files.show(connection, workspace_id)
    if session.generation.mode is Mode.AUDIT and session.settings.files == "on":
        files.look_at_external(connection, workspace_id)
    parsers = parsers_of(session.settings)
    policy = policy_of(session.settings)
    waiting = session.settings.files == "on" and bool(files.to_fetch(connection, workspace_id, policy))
    if waiting or files.to_parse(connection, workspace_id, parsers) or session.generation.mode is not Mode.INCREMENTAL:
        with open_file_store(session.settings) as store:
            try:
                if waiting:
                    _fetch(session, store, policy, report)
                _parse(session, store, parsers, report)
                if session.generation.mode is not Mode.INCREMENTAL:
                    report.swept = _sweep(session, store)
                    _sample(session, store, report)
            except (FileStoreUnreachable, FileStoreRefused, ReadersBroken) as error:
                report.problem = str(error)
    files.settle(connection, workspace_id, parsers)
    files.show(connection, workspace_id)


def options_of(settings: Settings) -> Options:
    """How files are read."""
    return Options(ocr_languages=settings.file_ocr_languages if settings.file_ocr == "on" else "")


def parsers_of(settings: Settings) -> dict[str, str]:
    """What reads each kind of file now."""
    options = options_of(settings)
    parsers = {kind.value: parser_key(kind, options) for kind in FileKind}
    return parsers | {kind.value: transcript_key(settings) for kind in RECORDINGS}


def policy_of(settings: Settings) -> str:
    """What is allowed to be fetched: what another one forbade is looked at again."""
    return f"{settings.file_max_bytes} {settings.file_types} {settings.file_external_hosts}"


def _fetch(session: Session, store: FileStore, policy: str, report: FilesReport) -> None:
    began = time.monotonic()
    connection, workspace = session.connection, session.workspace
    todo: list[str] = []
    tried: set[str] = set()
    expired: set[str] = set()
    with worker_threads(DOWNLOADS, "download") as pool, tempfile.TemporaryDirectory(prefix="arcana-files-") as place:
        while not report.problem:
            if not todo:
                left = files.to_fetch(connection, workspace.workspace_id, policy)
                todo = [file.external_id for file in left if file.external_id not in tried]
            if not todo:
                break
            ids, todo = todo[:SLICE], todo[SLICE:]
            tried.update(ids)
            files.note_uploading(connection, workspace.workspace_id, ids)
            batch = files.to_fetch(connection, workspace.workspace_id, policy, ids)
            batch = _with_addresses(session, batch, policy, report)
            fetched: list[Fetched] = []
            failed: list[Failed] = []

            def take(file: FileToFetch) -> Fetched | Failed:
                return _download(session, store, file, Path(place))

            with closing(in_flight(pool, take, iter(batch), 2 * DOWNLOADS)) as ended:
                try:
                    for file, future in ended:
                        try:
                            outcome = future.result()
                        except DownloadExpired as error:
                            if file.external_id in expired:
                                failed.append(Failed(file.external_id, "quarantined", "download failed", str(error)))
                            else:  # the next slice asks its page for another address
                                expired.add(file.external_id)
                                tried.discard(file.external_id)
                                failed.append(Failed(file.external_id, "pending", "address ended", str(error)))
                            continue
                        if isinstance(outcome, Fetched):
                            fetched.append(outcome)
                            report.bytes += outcome.size
                        else:
                            failed.append(outcome)
                finally:
                    if not connection.closed:
                        files.store_outcomes(connection, workspace.workspace_id, fetched, failed, policy)
            report.fetched += len(fetched)
    report.seconds_fetching = time.monotonic() - began


def _with_addresses(
    session: Session, batch: Sequence[FileToFetch], policy: str, report: FilesReport
) -> list[FileToFetch]:
    """The files with addresses that hold: of those whose address is gone or ends, the page is asked once more."""
    soon = datetime.now(UTC) + MARGIN
    stale = {
        file.page_external_id
        for file in batch
        if file.address is None or (file.expires_at is not None and file.expires_at <= soon)
    }
    if not stale:
        return list(batch)
    connection, workspace_id = session.connection, session.workspace.workspace_id
    failed: list[Failed] = []
    for refs in pages.references(connection, session.generation, sorted(stale)):
        for ref in refs:
            try:
                read: FetchedPage = session.source.fetch(ref)
            except (PageUnavailable, PageRejected) as error:
                failed += [
                    Failed(file.external_id, "quarantined", "page not read", str(error))
                    for file in batch
                    if file.page_external_id == ref.external_id
                ]
            except SourceUnavailable as error:
                report.problem = f"files are fetched later: {error}"
                return [file for file in batch if file.page_external_id not in stale]
            else:
                with connection.transaction():
                    files.record(connection, workspace_id, {ref.external_id: read})
    if failed:
        files.store_outcomes(connection, workspace_id, (), failed, policy)
    wanted = {file.external_id for file in batch} - {each.external_id for each in failed}
    found = files.to_fetch(connection, workspace_id, policy, sorted(wanted))
    lacking = [
        Failed(file.external_id, "quarantined", "page not read", "its page does not say where it is")
        for file in found
        if file.address is None
    ]
    if lacking:
        files.store_outcomes(connection, workspace_id, (), lacking, policy)
    return [file for file in found if file.address is not None]


def _download(session: Session, store: FileStore, file: FileToFetch, place: Path) -> Fetched | Failed:
    """Bring one file into the store. Called in a thread of its own, without the database."""
    settings = session.settings
    try:
        with tempfile.NamedTemporaryFile(dir=place) as target:
            session.source.download(file.ref, cast(IO[bytes], target), settings.file_max_bytes)
            target.flush()
            fetched = bytes_of(session.workspace, Path(target.name), file.name, file.external_id)
            if not is_allowed(settings, fetched.kind):
                detail = f"files of the kind '{fetched.kind}' are not among FILE_TYPES"
                return Failed(file.external_id, "skipped", "type not allowed", detail)
            put_bytes(store, Path(target.name), fetched)
            return fetched
    except DownloadRefused as error:
        return Failed(file.external_id, "skipped", "not fetched", str(error))
    except (DownloadFailed, FileDamaged) as error:
        return Failed(file.external_id, "quarantined", "download failed", str(error))
    except (ArcanaError, OSError, psycopg.Error):
        raise
    except Exception as error:  # the edge of a file: one that cannot be fetched delays no other
        log.exception("file %s cannot be fetched", file.external_id)
        detail = f"cannot be fetched: {type(error).__name__}"
        return Failed(file.external_id, "quarantined", "download failed", detail)


@dataclass(frozen=True, slots=True)
class _Read:
    """What came of reading some bytes: arguments of `files.store_parsed`, and the files that lie in them."""

    text: str = ""
    title: str | None = None
    places: Sequence[object] = ()
    notes: Sequence[str] = ()
    inside: Sequence[Fetched] = ()
    names: Sequence[str] = ()
    reason: str | None = None
    detail: str | None = None
    seconds: float = 0.0


def _parse(session: Session, store: FileStore, parsers: Mapping[str, str], report: FilesReport) -> None:
    began = time.monotonic()
    connection, workspace_id = session.connection, session.workspace.workspace_id

    def read(file: FileToParse) -> _Read:
        return _read(session, store, file)

    with worker_threads(PARSERS, "parse") as pool:
        # Each round finds the files that lay in those of the round before.
        for _ in range(files.DEEPEST + 1):
            todo = files.to_parse(connection, workspace_id, parsers)
            if not todo:
                break
            with closing(in_flight(pool, read, iter(todo), 2 * PARSERS)) as ended:
                for file, future in ended:
                    try:
                        got = future.result()
                    except (FileMissing, FileDamaged) as error:
                        _lose(session, store, file.storage_key, file.sha256, error)
                        continue
                    with connection.transaction():
                        if got.inside:
                            files.store_outcomes(connection, workspace_id, got.inside)
                        files.store_parsed(
                            connection,
                            workspace_id,
                            file.sha256,
                            file.parser,
                            text=got.text,
                            title=got.title,
                            places=got.places,
                            notes=got.notes,
                            inside=[
                                {"name": name, "sha256": each.sha256}
                                for name, each in zip(got.names, got.inside, strict=True)
                            ],
                            reason=got.reason,
                            detail=got.detail,
                            seconds=got.seconds,
                        )
                    done = report.read[file.kind]
                    done.files += 1
                    done.bytes += file.size
                    done.seconds += got.seconds
                    done.failed += got.reason is not None
            files.settle(connection, workspace_id, parsers)
    report.seconds_reading = time.monotonic() - began


def _read(session: Session, store: FileStore, file: FileToParse) -> _Read:
    """Read bytes in a process of their own. Called in a thread of its own, without the database."""
    from arcana_pipelines.files.parsing.run import read_file
    from arcana_pipelines.files.text import written

    began = time.monotonic()
    kind = FileKind(file.kind)
    options = options_of(session.settings)
    with store.fetch(file.storage_key, file.sha256.hex()) as path:
        try:
            if kind in RECORDINGS:
                from arcana_pipelines.files.transcription import transcribe

                return _of_text(written(transcribe(path, file.name, session.settings)), began)
            with read_file(path, file.name, kind, options) as reading:
                blocks = reading.blocks
                if reading.title and kind in _TITLED:
                    blocks = (Block("heading", reading.title, 1), *blocks)
                read = _of_text(written(blocks), began)
                inside = [(each.name, _keep(session, store, each.path, each.name)) for each in reading.attachments]
                return replace(
                    read,
                    title=reading.title or None,
                    notes=(*reading.notes, *read.notes),
                    inside=[kept for _, kept in inside],
                    names=[name for name, _ in inside],
                )
        except Unreadable as error:
            detail = f"{error.detail}; FILE_OCR=on has it read" if error.reason is Reason.NEEDS_OCR else error.detail
            return _Read(reason=str(error.reason), detail=detail, seconds=time.monotonic() - began)
        except TranscriptionFailed as error:
            return _Read(reason="service_failed", detail=str(error), seconds=time.monotonic() - began)
        except (ArcanaError, OSError):
            raise
        except Exception as error:  # the edge of a file: one that cannot be read delays no other
            log.exception("a file of the kind %s cannot be read", kind)
            detail = f"cannot be read: {type(error).__name__}"
            return _Read(reason=str(Reason.CRASHED), detail=detail, seconds=time.monotonic() - began)


def _of_text(text: FileText, began: float) -> _Read:
    places = [[at.offset, place_as_json(at.place), at.continues] for at in text.places]
    return _Read(text=text.text, places=places, notes=text.notes, seconds=time.monotonic() - began)


def place_as_json(place: Place) -> dict[str, object]:
    """What is known of a place, and nothing of what is not."""
    return {name: value for name, value in asdict(place).items() if value is not None}


def _keep(session: Session, store: FileStore, path: Path, name: str) -> Fetched:
    """Bring a file that lay in another one into the store."""
    kept = bytes_of(session.workspace, path, name)
    put_bytes(store, path, kept)
    return kept


def _lose(session: Session, store: FileStore, key: str, sha256: bytes, error: FileMissing | FileDamaged) -> None:
    """Bytes that are missing or damaged are fetched again."""
    log.warning("bytes of a file are fetched again: %s", error)
    if isinstance(error, FileDamaged):
        store.delete(key)  # else they would be taken for what is fetched
    files.lose(session.connection, session.workspace.workspace_id, sha256)


def _sweep(session: Session, store: FileStore) -> int:
    """Delete objects of the workspace that no row knows, and what killed uploads left; returns how many."""
    workspace = session.workspace
    known = files.stored_keys(session.connection, workspace.workspace_id)
    before = datetime.now(UTC) - ORPHANED_AFTER
    prefix = prefix_of(workspace.company_id, workspace.platform, workspace.workspace_id)
    with unless_copied(session.connection) as is_free:
        if not is_free:  # they may be those that the snapshot of a backup names
            return 0
        return _sweep_orphans(session, store, prefix, known, before)


def _sweep_orphans(session: Session, store: FileStore, prefix: str, known: set[str], before: datetime) -> int:
    workspace = session.workspace
    orphans = [kept.key for kept in store.listing(prefix) if kept.key not in known and kept.stored_at < before]
    swept = 0
    for key in orphans:
        # Bytes that lay there without a row may be somebody's who is adding them now.
        with unless_being_stored(session.connection, workspace.workspace_id, key) as is_orphan:
            if is_orphan:
                store.delete(key)
                swept += 1
    # Others read files here, too, for minutes at most.
    from arcana_pipelines.files.parsing.run import sweep_leftovers

    sweep_leftovers(datetime.now(UTC) - timedelta(days=1))
    return swept + store.sweep_leftovers(before)


def _sample(session: Session, store: FileStore, report: FilesReport) -> None:
    """Compare some of what is kept with its hash; what is not as it should be is fetched again."""
    for sha256, key in files.sample(session.connection, session.workspace.workspace_id, SAMPLE):
        report.sampled += 1
        try:
            with store.fetch(key, sha256.hex()):
                pass
        except (FileMissing, FileDamaged) as error:
            report.damaged.append(key)
            _lose(session, store, key, sha256, error)
