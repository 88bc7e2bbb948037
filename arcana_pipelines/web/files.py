"""Files over HTTP: the bytes of one that a key may read, and links that give them to anybody for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, ParamSpec, TypeVar
from uuid import UUID

from fastapi import FastAPI, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import FileMissing, FileStoreUnreachable
from arcana_pipelines.files.stores.links import disposition, is_link, link_key, make_link, mime_type_of
from arcana_pipelines.files.stores.protocol import FileStore
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys.access import Access
from arcana_pipelines.retrieval.kept_files import KeptFile, find_kept_file
from arcana_pipelines.retrieval.results import DESCRIBED
from arcana_pipelines.web.gate import Keyed, lacking
from arcana_pipelines.web.problems import RETRY_SECONDS, Refused, described
from arcana_pipelines.web.ranges import NotInside, part_of
from arcana_pipelines.web.use import use_now

log = logging.getLogger(__name__)

# Beside what needs a key.
LINKED = "/linked-files"
# Whoever gets hold of an address that was passed on has it in vain.
MOST_SECONDS = 300
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")

_UNKNOWN = "There is no file of this id whose bytes are kept and that the key opens."
_OVER = "This link is none of this server's, or is over. GET /v1/files/{document_id}/link makes another."
# It is another's file: whatever it is, a browser saves it, and runs nothing of it.
_GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Accept-Ranges": "bytes",
}

_Document = Annotated[UUID, Path(description="The `document_id` of a hit that is a file.")]
_Index = Annotated[str, Query(description="One of the workspace's indexes.", max_length=63)]
_Range = Annotated[
    str | None, Header(alias="Range", description="`bytes=0-1023`: so much of it. One part, not several.")
]
_IfRange = Annotated[str | None, Header(alias="If-Range", description="Only of the bytes that this `ETag` is of.")]
_Seen = Annotated[str | None, Header(alias="If-None-Match", description="The `ETag` of bytes that are kept.")]
_BYTES: dict[str, Any] = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of it.", **_BYTES},
    206: {"description": "The part.", **_BYTES},
    304: {"description": "As it was."},
}


@dataclass(frozen=True, slots=True)
class Link:
    """Where a file can be had without a key, for a while."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    url: str
    """An address, or one at the server of this API that begins with `/`. Whoever has it has the file."""

    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Bytes:
    storage_key: str
    sha256: str
    size: int
    name: str
    mime_type: str = ""


def add_files(app: FastAPI, database: Database, store: FileStore) -> None:
    """The routes."""
    settings = database.settings

    def signed_with() -> bytes:
        return link_key(settings.require("SECRET_KEY").get_secret_value())

    @app.get("/v1/files/{document_id}/content", summary="The bytes of a file", tags=["documents"],
             response_class=StreamingResponse,
             responses={**_CONTENT, **described(401, 403, 404, 416, 422, 503)})  # fmt: skip
    def content(
        access: Keyed,
        document_id: _Document,
        index: _Index = DEFAULT_INDEX,
        part: _Range = None,
        if_range: _IfRange = None,
        seen: _Seen = None,
    ) -> Response:
        file = _found(database, access, document_id, index)
        held = _Bytes(file.storage_key, file.sha256, file.size, file.name, file.mime_type)
        return _sent(store, held, part, if_range, seen)

    @app.get("/v1/files/{document_id}/link", summary="An address of a file that needs no key", tags=["documents"],
             responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def link(
        access: Keyed,
        document_id: _Document,
        index: _Index = DEFAULT_INDEX,
        seconds: Annotated[int, Query(ge=1, le=MOST_SECONDS, description="How long it holds.")] = MOST_SECONDS,
    ) -> Link:
        file = _found(database, access, document_id, index)
        expires = int(time.time()) + seconds
        url = None
        if settings.file_cdn_base_url is None:
            url = _asked(store.address, file.storage_key, file.name, file.mime_type, seconds)
        if url is None:
            base = settings.file_cdn_base_url or LINKED
            url = make_link(base, signed_with(), file.storage_key, file.name, expires)
        return Link(url, datetime.fromtimestamp(expires, UTC))

    @app.get(LINKED + "/{key:path}", summary="The bytes of a file, by a link", tags=["documents"],
             response_class=StreamingResponse,
             responses={**_CONTENT, **described(403, 404, 416, 422, 503)})  # fmt: skip
    def linked(
        key: Annotated[str, Path(max_length=300)],
        expires: Annotated[str, Query(max_length=12)],
        name: Annotated[str, Query(max_length=300)],
        signature: Annotated[str, Query(max_length=64)],
        part: _Range = None,
        if_range: _IfRange = None,
        seen: _Seen = None,
    ) -> Response:
        if not is_link(signed_with(), key, expires, name, signature, time.time()):
            raise Refused(403, "forbidden", _OVER)
        size = _asked(store.size, key)
        if size is None:
            raise Refused(404, "not-found", "This file is not kept any more.")
        return _sent(store, _Bytes(key, key[-64:], size, name), part, if_range, seen)


def _found(database: Database, access: Access, document_id: UUID, index: str) -> KeptFile:
    """A file that the key may read.

    Raises:
        Refused: 403: it may read nothing at all. 404: there is none, or it is not the key's business.
    """
    if all(each.scope != "read" for each in access.permissions):
        raise lacking(access, "read")
    # Which workspace it is of is known when it is found.
    may_be_internal = any(each.scope == "notes" for each in access.permissions)
    with database.connection(access.company_id, may_be_internal) as connection:
        file = find_kept_file(connection, document_id, index)
    if (
        file is None
        or not access.may_in("read", file.workspace_id, index)
        or (file.is_internal and not access.sees_internal(file.workspace_id, index))
    ):
        raise Refused(404, "not-found", _UNKNOWN)
    use_now().workspace_id = file.workspace_id
    return file


def _sent(
    store: FileStore,
    file: _Bytes,
    part: str | None,
    if_range: str | None,
    seen: str | None,
) -> Response:
    """The bytes, or those that are asked for. What is damaged ends before its end.

    Raises:
        Refused: 404: they are not there. 416: there is no such part. 503: the store does not answer.
    """
    tag = f'"{file.sha256}"'
    headers = {
        **_GUARDED,
        "ETag": tag,
        "Content-Disposition": disposition(file.name),
        # Not as a media type, to which the framework adds a character set.
        "Content-Type": mime_type_of(file.mime_type),
    }
    if seen is not None and (tag in seen or seen.strip() == "*"):
        return Response(status_code=304, headers=headers)
    try:
        wanted = part_of(part, file.size) if if_range in (None, tag) else None
    except NotInside:
        said = f"It has {file.size:,} bytes, and none there."
        raise Refused(416, "invalid-request", said, {"Content-Range": f"bytes */{file.size}"}) from None
    pieces = _asked(store.read, file.storage_key, *(wanted or ()))
    start, length = wanted or (0, file.size)
    headers["Content-Length"] = str(length)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{file.size}"
    return StreamingResponse(pieces, 200 if wanted is None else 206, headers)


def _asked(ask: Callable[Asked, Answer], *arguments: Asked.args, **named: Asked.kwargs) -> Answer:
    """What a store says, or a problem that does not name it; the log has the rest."""
    try:
        return ask(*arguments, **named)
    except FileMissing as error:
        log.error("%s", error)
        raise Refused(404, "not-found", _UNKNOWN) from error
    except FileStoreUnreachable as error:
        log.error("%s", error)
        said = "Files cannot be had now: try again in a moment."
        raise Refused(503, "unavailable", said, {"Retry-After": str(RETRY_SECONDS)}) from error
