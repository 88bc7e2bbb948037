"""Files of a workspace over HTTP: which there are, and adding and removing ones that no page has.

A company's role changes nothing of them: they are added as the application, with the function of the command line, once
the gate has seen that the key may. A server that is given no such connection lists them, and no more.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path as File
from typing import Annotated, ClassVar, Literal, TypeVar
from uuid import UUID

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import FastAPI, Path, Query, Request, Response
from pydantic import ConfigDict, StringConstraints
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from arcana_pipelines.audit.record import by_key
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import FileNotAllowed, FileStoreUnreachable
from arcana_pipelines.files.stores.incoming import incoming_file
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.keys.access import Access
from arcana_pipelines.ledger.added_files import AddedFile, Called, remove
from arcana_pipelines.ledger.listed_files import ListedFile, find_file, listed_files
from arcana_pipelines.pipeline.added_files import add_file, require_files
from arcana_pipelines.retrieval.limits import LONGEST_VALUE
from arcana_pipelines.retrieval.places import find_living_page
from arcana_pipelines.retrieval.results import DESCRIBED
from arcana_pipelines.taxonomy import labels
from arcana_pipelines.taxonomy.labels import read_path
from arcana_pipelines.taxonomy.lookup import lookup
from arcana_pipelines.web import cursors
from arcana_pipelines.web.cursors import Cursors
from arcana_pipelines.web.gate import BYTES, Gate, Keyed, KeyedBytes, Slug
from arcana_pipelines.web.problems import RETRY_SECONDS, Refused, described
from arcana_pipelines.workspaces import workspaces

log = logging.getLogger(__name__)

MOST_LISTED = 200
# At once: each may take a part of the disk.
MOST_UPLOADS = 4
LONGEST_NAME = 1000
MOST_TOPICS = 20
LONGEST_TOPIC = 4000
STORE_SECONDS = 30.0
_PATH = re.compile(r"/v1/workspaces/[^/]+/files")
_BODY = {"required": True, "content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}}
Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file of a workspace, and what became of it."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    document_id: UUID | None
    """None: it was seen a moment ago, and the next sync makes its document."""

    name: str

    folder: str
    """The folder that it was added with; empty: it was added alone, or is its page's."""

    state: Literal["pending", "stored", "parsed", "skipped", "quarantined"]
    """`pending`: it is to be fetched; `stored`: its bytes are kept, and are read next; `parsed`: its text is searched;
    `skipped`: it has none; `quarantined`: it is tried again."""

    reason: str | None

    is_added: bool
    """It was added through this API or the command line: its page does not have it."""

    page_id: str | None
    """The page that it hangs on."""

    kind: str | None
    """What its bytes are, such as `pdf`; None: they are not kept."""

    size: int | None
    """In bytes."""

    @classmethod
    def of(cls, file: ListedFile) -> ServedFile:
        """One of the ledger."""
        is_added = file.origin == "added"
        return cls(
            file.document_id, file.name, file.caption if is_added else "", file.state, file.reason,  # type: ignore[arg-type]
            is_added, file.page_id, file.kind, file.size,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListedFiles:
    """Files of a workspace."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    files: list[ServedFile]

    cursor: str | None
    """For what follows: `cursor` of the next request, with the same state. None where nothing does."""


@dataclass(frozen=True, slots=True)
class Added:
    """A file that was added. The next sync reads it; then it is found."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    document_id: UUID

    name: str

    folder: str

    outcome: Literal["new", "changed", "same"]
    """`changed`: it was there with other bytes, and gets a version; `same`: it was there, and nothing is done."""

    @classmethod
    def of(cls, added: AddedFile) -> Added:
        """What the ledger says."""
        return cls(added.document_id, added.name, added.folder, added.outcome)


def is_upload(scope: Scope) -> bool:
    """Whether a request brings a file: its body has a limit of its own."""
    return scope["method"] == "POST" and _PATH.fullmatch(scope["path"]) is not None


def add_listing(app: FastAPI, gate: Gate, database: Database) -> None:
    """Which files there are, for keys that may read."""
    pages = Cursors(database.settings)

    @app.get("/v1/workspaces/{slug}/files", summary="The files of a workspace, and what became of each",
             tags=["documents"], responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def files(
        access: Keyed,
        slug: Slug,
        state: Annotated[
            Literal["pending", "stored", "parsed", "skipped", "quarantined"] | None,
            Query(description="Only files in this state."),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED, description="Files of one answer.")] = 50,
        cursor: Annotated[
            str | None, Query(description="That of the answer before.", max_length=cursors.LONGEST)
        ] = None,
    ) -> ListedFiles:
        opened = gate.workspace(access, "read", slug)
        list_ = {"company": access.company_id, "workspace": opened.workspace_id, "files": state}
        after = pages.read(list_, cursor) if cursor is not None else ""
        with database.connection(access.company_id, opened.sees_internal) as connection:
            found = listed_files(connection, opened.workspace_id, state, after, limit + 1)
        following = pages.write(list_, found[limit - 1].external_id) if len(found) > limit else None
        return ListedFiles([ServedFile.of(file) for file in found[:limit]], following)


def add_uploads(app: FastAPI, gate: Gate, database: Database, administered: Database) -> None:
    """Adding and removing files, for administrators' keys, as the application (`administered`).

    What is meant is looked up as the company, which is told of nothing that the key does not see.
    """
    settings = administered.settings
    under_way = 0
    # The threads of searches do not wait for a store.
    threads = CapacityLimiter(MOST_UPLOADS)

    def open_(access: Access, slug: str, page: str | None, topics: Sequence[labels.Path]) -> str | None:
        opened = gate.workspace(access, "admin", slug)
        require_files(settings)
        if page is None and not topics:
            return None
        with database.connection(access.company_id, opened.sees_internal) as connection:
            if topics:
                lookup.require(connection, opened.workspace_id, topics)
            return find_living_page(connection, opened.workspace_id, page).external_id if page is not None else None

    def store(access: Access, slug: str, file: File, called: Called, topics: Sequence[labels.Path]) -> AddedFile:
        with open_file_store(settings, hurried_seconds=STORE_SECONDS) as kept:
            with administered.connection() as connection:
                workspace = workspaces.find(connection, slug)
            return add_file(administered, kept, workspace, file, called, by_key(access.key_id), topics)

    @app.post("/v1/workspaces/{slug}/files", summary="Add a file that no page has", tags=["administration"],
              status_code=201, openapi_extra={"requestBody": _BODY},
              responses={200: {"model": Added, "description": "It was there: as it is, or with other bytes."},
                         **described(401, 403, 404, 413, 415, 422, 503)})  # fmt: skip
    async def add(
        request: Request,
        response: Response,
        access: KeyedBytes,
        slug: Slug,
        name: Annotated[
            str,
            Query(
                description="What it is called, after the folders that it lies in: `contracts/2026/lease.pdf`. The "
                "same name is the same document.",
                min_length=1,
                max_length=LONGEST_NAME,
            ),
        ],
        page: Annotated[
            str | None,
            Query(description="The page that it hangs on: its id, address or exact title.", max_length=LONGEST_VALUE),
        ] = None,
        topic: Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TOPIC)]],
            Query(
                description="What it is about: the path of a topic, such as `Law/Leases`; may be given several times. "
                "They are its topics in place of those that it was added with before; none: those stay.",
                max_length=MOST_TOPICS,
            ),
        ] = [],  # noqa: B006 - FastAPI copies it
    ) -> Added:
        nonlocal under_way
        topics = [read_path(each) for each in topic]
        called = Called.of(name.replace("\\", "/").split("/"), await run_sync(open_, access, slug, page, topics))
        if under_way >= MOST_UPLOADS:
            said = f"{MOST_UPLOADS} files are being added now: try again in a moment."
            raise Refused(503, "unavailable", said, {"Retry-After": str(RETRY_SECONDS)})
        under_way += 1
        try:
            async with _received(request, administered) as file:
                added = await run_sync(_asked, lambda: store(access, slug, file, called, topics), limiter=threads)
        finally:
            under_way -= 1
        response.status_code = 201 if added.outcome == "new" else 200
        return Added.of(added)

    @app.delete("/v1/workspaces/{slug}/files/{document_id}", summary="Remove a file that was added",
                tags=["administration"], status_code=204,
                responses=described(401, 403, 404, 409, 422, 503))  # fmt: skip
    def take_away(
        access: Keyed, slug: Slug, document_id: Annotated[UUID, Path(description="Of its document.")]
    ) -> Response:
        opened = gate.workspace(access, "admin", slug)
        with database.connection(access.company_id, opened.sees_internal) as connection:
            file = find_file(connection, opened.workspace_id, str(document_id))
        if file.origin != "added":
            said = f"The file '{file.name}' was not added: it goes when what it hangs on has it no more."
            raise Refused(409, "conflict", said)
        with administered.connection() as connection:
            remove(connection, workspaces.find(connection, opened.slug), file, by_key(access.key_id))
        return Response(status_code=204)


@asynccontextmanager
async def _received(request: Request, database: Database) -> AsyncIterator[File]:
    """The body as a file of this machine, until the block ends.

    Raises:
        Refused: 413: it is larger than a file may be, which is seen while it comes. 422: it ended before it was whole.
    """
    most = database.settings.file_max_bytes
    said = request.headers.get("content-length", "")
    if said.isdecimal() and (len(said) > 18 or int(said) > most):
        raise _too_large(most)
    with incoming_file(database.settings) as (path, file):
        size = 0
        try:
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise _too_large(most)
                await run_sync(file.write, piece)
        except ClientDisconnect as error:
            raise Refused(422, "invalid-request", "The body ended before it was whole.") from error
        await run_sync(file.flush)
        yield path


def _too_large(most: int) -> Refused:
    return Refused(413, "too-large", f"The file is larger than {most:,} bytes, the most that is read (FILE_MAX_BYTES).")


def _asked(ask: Callable[[], Asked]) -> Asked:
    """What came of it, or a problem that does not name the store; the log has the rest."""
    try:
        return ask()
    except FileNotAllowed as error:
        raise Refused(422, "invalid-request", str(error)) from error
    except FileStoreUnreachable as error:
        log.error("%s", error)
        said = "Files cannot be kept now: try again in a moment."
        raise Refused(503, "unavailable", said, {"Retry-After": str(RETRY_SECONDS)}) from error
