"""The ledger of files: which hang on pages, where their bytes are, what was read of them, and what became of each."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import keyset_pages, scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.documents.read_file import FILE_FORM, ReadFile
from arcana_pipelines.sources.protocol import FetchedPage, FileRef

load_sql = statements_beside(__file__)

# Reasons of a parser that may be another one next time.
AGAIN = ("crashed", "timeout", "service_failed")
# Of a file's id at its source, in bytes: an index holds no longer ones.
_LONGEST_ID = 1000
# How deep files lie in files whose own files are looked into: an archive in a mail, and no further.
DEEPEST = 2


@dataclass(frozen=True, slots=True)
class FileToFetch:
    """A file whose bytes are wanted.

    Attributes:
        external_id: our own id, which stays when its bytes are replaced.
        page_external_id: the page that it hangs on.
        file_id, name, origin, caption, is_external, expires_at: as in `FileRef`, whose `version` is `revision` here.
        address: as in `FileRef`; None: its page has to be asked for it.
    """

    external_id: str
    page_external_id: str
    file_id: str
    name: str
    origin: str
    caption: str
    is_external: bool
    revision: str
    address: str | None
    expires_at: datetime | None

    @property
    def ref(self) -> FileRef:
        """As the source gave it."""
        return FileRef(
            self.file_id, self.name, self.address or "", self.expires_at, self.origin, self.caption, self.is_external,
            self.revision,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file whose bytes are in the store.

    Attributes:
        sha256: of the bytes, in hex.
        size: in bytes.
    """

    external_id: str
    sha256: str
    size: int
    kind: str
    mime_type: str
    storage_key: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A file without bytes.

    It is `skipped` because it is not allowed, `quarantined` because it could not be had now, or `pending`: once more.
    """

    external_id: str
    state: Literal["skipped", "quarantined", "pending"]
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class FileToParse:
    """Bytes to be read.

    Attributes:
        name: that one of the files with these bytes has.
        parser: what is to read them (`registry.parser_key`).
        attempts: how often that was tried.
    """

    sha256: bytes
    kind: str
    parser: str
    storage_key: str
    size: int
    name: str
    attempts: int


@dataclass(frozen=True, slots=True)
class FileCount:
    """How many files are in one state for one reason; `bytes` of those that are stored."""

    state: str
    reason: str | None
    files: int
    bytes: int


def files_in(counts: Iterable[FileCount], *states: str) -> int:
    """How many files are in one of these states."""
    return sum(count.files for count in counts if count.state in states)


def record(connection: Connection, workspace_id: UUID, read: Mapping[str, FetchedPage]) -> None:
    """Record which files hang on pages that were read, by the pages' ids. In the caller's transaction.

    A file that takes the place of another one under the same name, or in the same place of the page, is that file with
    other bytes: its document gets a new version. What a page lists twice under one id counts once.
    """
    pages = {page: _storable(got.files) for page, got in read.items() if got.files is not None}
    known: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    key = {"workspace_id": workspace_id, "pages": list(pages)}
    for page, *held in connection.execute(load_sql("files_of_pages"), key):
        known[page].append(tuple(held))
    files = [
        {
            "external_id": external_id,
            "page": page,
            "file_id": ref.file_id,
            "position": position,
            "name": ref.name,
            "origin": ref.origin,
            "caption": ref.caption,
            "is_external": ref.is_external,
            "revision": ref.version,
            "address": ref.address,
            # Of addresses that end the source's clock says when: here it counts how long they last.
            "lasts": (ref.expires_at - read[page].fetched_at).total_seconds() if ref.expires_at else None,
        }
        for page, refs in pages.items()
        for position, (ref, external_id) in enumerate(zip(refs, _same(page, refs, known[page]), strict=True))
    ]
    if files or any(known.values()):
        connection.execute(load_sql("files_record"), {**key, "files": storable_json(files)})


def _storable(refs: Sequence[FileRef]) -> Sequence[FileRef]:
    """Each file once, under an id that the ledger can hold and look up."""
    held: dict[str, FileRef] = {}
    for ref in refs:
        file_id = _stored(ref.file_id)
        if len(file_id.encode()) > _LONGEST_ID:
            file_id = f"blake2b:{hashlib.blake2b(file_id.encode(), digest_size=32).hexdigest()}"
        held.setdefault(file_id, replace(ref, file_id=file_id, name=_stored(ref.name)))
    return list(held.values())


def _stored(text: str) -> str:
    """As PostgreSQL gives it back (see `storable_json`)."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def _same(page: str, refs: Sequence[FileRef], known: Sequence[tuple[Any, ...]]) -> list[str]:
    """Of each file our id: that of the row which it is, or whose place it takes; else a new one."""
    found: dict[str, str] = {file_id: external_id for external_id, file_id, *_ in known}
    listed = {ref.file_id for ref in refs}
    vanished = [row for row in known if row[1] not in listed and row[5]]
    # By the name first: a file that was put before another one of the same kind does not take its place.
    for is_by_name in (True, False):
        for position, ref in enumerate(refs):
            if ref.file_id in found:
                continue
            for row in vanished:
                external_id, _, name, origin, place, _ = row
                if name == ref.name if is_by_name else (origin, place) == (ref.origin, position):
                    found[ref.file_id] = external_id
                    vanished.remove(row)
                    break
    return [found.get(ref.file_id) or f"{page}#{secrets.token_hex(8)}" for ref in refs]


def ask_for_unknown(connection: Connection, workspace_id: UUID) -> None:
    """Let pages be read again whose files nobody has asked for: those that were read before files were."""
    with connection.transaction():
        connection.execute(
            "UPDATE source_page SET state = 'pending', fetched_revision = NULL "
            "WHERE workspace_id = %s AND files_unknown AND state = 'unchanged'",
            [workspace_id],
        )


def look_at_external(connection: Connection, workspace_id: UUID) -> None:
    """Let files be fetched again that lie elsewhere, once a day: nothing says when such a one is another one."""
    with connection.transaction():
        connection.execute(
            "UPDATE source_file SET state = 'pending', attempts = 0 WHERE workspace_id = %s AND is_external "
            "AND fetched_at < now() - interval '1 day' "
            "AND (state IN ('parsed', 'skipped') OR state = 'quarantined' AND next_attempt_at IS NULL)",
            [workspace_id],
        )


def has_unknown(connection: Connection, workspace_id: UUID) -> bool:
    """Whether pages would be read again because nobody has asked for their files."""
    statement = (
        "SELECT EXISTS (SELECT 1 FROM source_page WHERE workspace_id = %s AND files_unknown AND state = 'unchanged')"
    )
    return bool(scalar(connection, statement, [workspace_id]))


def follow_pages(connection: Connection, workspace_id: UUID) -> int:
    """Hide the files of removed pages, and bring back those of pages that are back; returns how many."""
    with connection.transaction():
        changed: int = scalar(connection, load_sql("files_follow"), {"workspace_id": workspace_id})
    return changed


def to_fetch(
    connection: Connection, workspace_id: UUID, policy: str, only: Sequence[str] | None = None
) -> list[FileToFetch]:
    """The files whose bytes are wanted, those of one page together, the newest pages first.

    `policy` is what is allowed: what it forbade under another one is looked at again. `only`: of these (our ids).
    """
    key = {"workspace_id": workspace_id, "policy": policy, "only": None if only is None else list(only)}
    return query.rows(connection, FileToFetch, load_sql("files_to_fetch"), key)


def store_outcomes(
    connection: Connection,
    workspace_id: UUID,
    fetched: Sequence[Fetched],
    failed: Sequence[Failed] = (),
    policy: str = "",
) -> None:
    """Note what became of files to be fetched, in one transaction. `policy` is what forbade those that are skipped."""
    with connection.transaction():
        if fetched:
            rows = [{name: getattr(each, name) for name in Fetched.__slots__} for each in fetched]
            key = {"workspace_id": workspace_id, "files": storable_json(rows)}
            connection.execute(load_sql("files_fetched"), key)
        if failed:
            rows = [{name: getattr(each, name) for name in Failed.__slots__} for each in failed]
            key = {"workspace_id": workspace_id, "policy": policy, "files": storable_json(rows)}
            connection.execute(load_sql("files_failed"), key)


def note_uploading(connection: Connection, workspace_id: UUID, files: Sequence[str]) -> None:
    """They are being fetched: their documents say so until `show` says what came of it."""
    with connection.transaction():
        # What was forbidden and is not any more waits like a new one, so that its page may give its address.
        connection.execute(
            "UPDATE source_file SET state = 'pending', reason = NULL, detail = NULL "
            "WHERE workspace_id = %s AND external_id = ANY(%s) AND state = 'skipped'",
            [workspace_id, list(files)],
        )
        connection.execute(
            "UPDATE document d SET upload_status = 'uploading' FROM source_file f "
            "WHERE f.workspace_id = %s AND f.external_id = ANY(%s) AND d.document_id = f.document_id",
            [workspace_id, list(files)],
        )


def to_parse(connection: Connection, workspace_id: UUID, parsers: Mapping[str, str]) -> list[FileToParse]:
    """Bytes that no parser of now has read, the smallest first. `parsers` has what reads each kind now."""
    key = {"workspace_id": workspace_id, "parsers": json.dumps(dict(parsers)), "again": list(AGAIN)}
    return query.rows(connection, FileToParse, load_sql("files_to_parse"), key)


def store_parsed(
    connection: Connection,
    workspace_id: UUID,
    sha256: bytes,
    parser: str,
    *,
    text: str = "",
    title: str | None = None,
    places: Sequence[Any] = (),
    notes: Sequence[str] = (),
    inside: Sequence[Mapping[str, str]] = (),
    reason: str | None = None,
    detail: str | None = None,
    seconds: float = 0,
) -> None:
    """Keep what a parser made of some bytes: their text, or a reason."""
    connection.execute(
        load_sql("files_parsed"),
        {
            "workspace_id": workspace_id,
            "sha256": sha256,
            "parser": parser,
            "text": text,
            "title": title,
            "places": storable_json(list(places)),
            "notes": storable_json(list(notes)),
            "inside": storable_json([dict(each) for each in inside]),
            "reason": reason,
            "detail": detail,
            "seconds": seconds,
        },
    )


def settle(connection: Connection, workspace_id: UUID, parsers: Mapping[str, str]) -> int:
    """Say of each file what the reading of its bytes came to, which files lie in it, and which one has its text.

    Returns how many files that changed.
    """
    key = {"workspace_id": workspace_id}
    reading = {**key, "parsers": json.dumps(dict(parsers)), "again": list(AGAIN)}
    changed = 0
    with connection.transaction():
        # What lies in a file may have been read already, as a file elsewhere: then it has its text in this run.
        for depth in range(DEEPEST + 1):
            changed += scalar(connection, load_sql("files_settle"), reading)
            changed += scalar(connection, load_sql("files_copies"), key)
            if depth < DEEPEST:
                changed += scalar(connection, load_sql("files_inside"), {**key, "depth": depth})
    return changed


def show(connection: Connection, workspace_id: UUID) -> int:
    """Make documents of files that have none, and let all say what the ledger says; returns how many changed."""
    key = {"workspace_id": workspace_id}
    with connection.transaction():
        made: int = scalar(connection, load_sql("files_documents"), key)
        changed: int = scalar(connection, load_sql("files_show"), {**key, "file": None})
    return made + changed


def show_one(connection: Connection, workspace_id: UUID, external_id: str) -> None:
    """Let the document of one file say what the ledger says. In the caller's transaction."""
    connection.execute(load_sql("files_show"), {"workspace_id": workspace_id, "file": external_id})


def read_again(
    connection: Connection,
    workspace_id: UUID,
    files: Sequence[str] | None = None,
    kind: str | None = None,
    parser: str | None = None,
) -> int:
    """Let files be read once more: those of these ids, of this kind, read by the parser of this name; or those in
    quarantine, where nothing is given. Returns how many are due: files with the same bytes are read together.

    Whoever asks has the workspace's lease: a run that reads them meanwhile would say of them what was forgotten.
    """
    given = {"workspace_id": workspace_id, "files": files, "kind": kind, "parser": parser}
    with connection.transaction():
        due: int = scalar(connection, load_sql("files_again"), given)
    return due


def to_process(connection: Connection, workspace_id: UUID, limit: int) -> Iterator[list[ReadFile]]:
    """The files whose version is not made of what is known of them now, in batches."""
    return keyset_pages(
        connection,
        ReadFile,
        load_sql("files_to_process"),
        {"workspace_id": workspace_id, "limit": limit, "form": FILE_FORM},
        {"after": ""},
        lambda file: {"after": file["external_id"]},
    )


def lose(connection: Connection, workspace_id: UUID, sha256: bytes) -> None:
    """Bytes that the store does not have any more: files are fetched again, or what they lie in is read again.

    What is searched of them stays meanwhile.
    """
    with connection.transaction():
        connection.execute(load_sql("files_lost"), {"workspace_id": workspace_id, "sha256": sha256})
        read_holders_again(connection, workspace_id)


def read_holders_again(connection: Connection, workspace_id: UUID) -> None:
    """Let files be read again in which others lie whose bytes are not kept any more. In the caller's transaction."""
    connection.execute(load_sql("files_holders_again"), {"workspace_id": workspace_id})


@dataclass(frozen=True, slots=True)
class FilesState:
    """What the ledger of files holds.

    Attributes:
        state: in one word: another one when anything was written since, or versions have another form.
        is_due: something waits to be fetched or read, or its time to be tried again has come.
    """

    state: str
    is_due: bool


def state_of(connection: Connection, workspace_id: UUID, fetches: bool = True) -> FilesState:
    """The state of the ledger, so that a sync without news need not compare all of it.

    `fetches`: what waits to be fetched is fetched.
    """
    key = {"workspace_id": workspace_id, "form": FILE_FORM, "fetches": fetches}
    return query.one(connection, FilesState, load_sql("files_state"), key)


def counts(connection: Connection, workspace_id: UUID) -> list[FileCount]:
    """How many files there are in each state, for each reason."""
    return query.rows(connection, FileCount, load_sql("files_counts"), {"workspace_id": workspace_id})


def stored_keys(connection: Connection, workspace_id: UUID) -> set[str]:
    """The keys of all bytes that the ledger knows."""
    statement = "SELECT storage_key FROM stored_file WHERE workspace_id = %s"
    return set(scalars(connection, statement, [workspace_id]))


def sample(connection: Connection, workspace_id: UUID, most: int) -> list[tuple[bytes, str]]:
    """Some of the bytes that are kept, others each time: their hash and key."""
    statement = "SELECT sha256, storage_key FROM stored_file WHERE workspace_id = %s ORDER BY random() LIMIT %s"
    return connection.execute(statement, [workspace_id, most]).fetchall()
