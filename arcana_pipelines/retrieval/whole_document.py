"""A document as a whole, in the version that an index serves or served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row
from pydantic import ConfigDict, TypeAdapter

from arcana_pipelines.chunking.blocks import read_blocks
from arcana_pipelines.chunking.headings import heading_of
from arcana_pipelines.chunking.passages import with_numbers
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import FAULTS_OF_THE_INSTALLATION, NotRemembered, UnknownDocument, WrongUse
from arcana_pipelines.retrieval import past
from arcana_pipelines.retrieval.hit_files import hit_file, holding_page
from arcana_pipelines.retrieval.hit_of_row import link_to
from arcana_pipelines.retrieval.limits import check_text, moment, told
from arcana_pipelines.retrieval.places import find_indexed, find_place
from arcana_pipelines.retrieval.results import DESCRIBED, HitFile
from arcana_pipelines.retrieval.scroll_links import LONGEST_PAGE, has_words
from arcana_pipelines.retrieval.serving import find_serving
from arcana_pipelines.retrieval.shown import safe_address, shown

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class DocumentHeading:
    """A heading of a document."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    level: int
    """1 (outermost) to 6."""

    text: str

    link: str | None
    """The address that leads to it where the browser can."""


@dataclass(frozen=True, slots=True)
class Document:
    """A page, a row of a database or a file, whole, as the index serves it."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    workspace: str
    """The slug of its workspace."""

    document_id: str
    """A UUID; it stays through all versions of the document."""

    external_id: str
    """The page's id in its source; of a file that of its page, `#` and 16 hexadecimal digits."""

    kind: str
    """`page`, `row` of a database, `ticket`, its private `notes`, `article`, or `file` that hangs on one of them."""

    title: str
    """Of a file its name."""

    url: str | None
    """The page's address, where it is one of http, https, mailto or notion. Of a file its page's."""

    path: str
    """The document's place, an ltree of stable labels."""

    version: int
    """The version that is served, from 1."""

    last_edited_at: str | None
    """When the source says that the page was edited, an ISO 8601 time."""

    published_at: datetime
    """Since when this version is served."""

    text: str
    """Markdown, without the title. Items of numbered lists have their numbers."""

    headings: list[DocumentHeading] = field(default_factory=list)
    """Those of the text, in its order."""

    properties: dict[str, str] = field(default_factory=dict)
    """What a row has in the columns of its database, by their names, as it reads."""

    file: HitFile | None = None
    """Of a file, which it is; nothing says where in it."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, as `arcana document --json` prints it."""
        return {**asdict(self), "published_at": self.published_at.isoformat()}

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON schema of what `to_dict` gives, with the meaning of every field."""
        return TypeAdapter(cls).json_schema()


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version of a document that an index served."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    version: int
    """Its number, from 1."""

    title: str

    last_edited_at: str | None
    """When the source says that the page was edited, an ISO 8601 time."""

    published_at: datetime
    """Since when it was served."""

    retired_at: datetime | None
    """Until when. None: it is served now."""


def find_document(
    connection: Connection,
    workspace_id: UUID,
    asked: str,
    index: str,
    *,
    as_of: datetime | None = None,
    version: int | None = None,
) -> Document:
    """The document of a workspace that `asked` means: by its id, its page's id or address, or its exact title.

    Args:
        as_of: in the version that the index served at that time; its place is that of today.
        version: in the version of this number.

    Raises:
        UnknownDocument: there is none, several have this title, or the index does not serve it.
        NotRemembered: what the index showed at that time, or that version, is not known any more.
        WrongUse: the time is still to come, or both a time and a version are given.
    """
    check_text("The name of the index", index)
    if version is not None and (type(version) is not int or not 0 < version < 2**31):
        raise UnknownDocument(f"There is no version {told(version)} of a document: they are numbered from 1.")
    if as_of is not None and version is not None:
        raise WrongUse("Give as_of or version, not both: each says which version of the document is meant.")
    as_of = None if as_of is None else moment("as_of", as_of)
    build = find_serving(connection, workspace_id, index, None, as_of).build
    is_past = as_of is not None or version is not None
    document_id = find_document_id(connection, workspace_id, asked, is_past)
    if version is not None:
        versions = past.versions_remembered()
    elif as_of is not None:
        versions = past.versions_then()
    else:
        versions = sql.SQL("({})").format(sql.SQL(load_sql("versions")))
    key = {"workspace_id": workspace_id, "document_id": document_id, "index": index, "build": build, "as_of": as_of}
    with connection.cursor(row_factory=dict_row) as cursor:
        statement = sql.SQL(load_sql("served_document")).format(versions=versions)
        row = cursor.execute(statement, {**key, "version": version}).fetchone()
    if row is not None:
        return document_of(row)
    if version is not None:
        raise _no_version(connection, document_id, version)
    if as_of is not None:
        then = as_of.isoformat(sep=" ")
        raise UnknownDocument(
            f"The index '{index}' did not show this document at {then}. Its versions say when it did."
        )
    raise UnknownDocument(f"The index '{index}' does not serve this document yet: it will after a sync.")


def find_versions(connection: Connection, workspace_id: UUID, asked: str, index: str) -> list[ServedVersion]:
    """The versions of a document that an index served and remembers, the newest first.

    Raises:
        UnknownDocument: there is no such document, or none of its versions was served.
    """
    document_id = find_document_id(connection, workspace_id, asked, is_past=True)
    statement = sql.SQL(load_sql("document_versions")).format(versions=past.versions_remembered())
    key = {"workspace_id": workspace_id, "document_id": document_id, "index": index}
    versions = rows(connection, ServedVersion, statement, key)
    if not versions:
        raise UnknownDocument(
            f"The index '{index}' remembers no version of this document: it was served never, or longer ago than "
            "RETENTION_DAYS. Search for what says the same now."
        )
    return [replace(each, title=shown(each.title)) for each in versions]


def find_document_id(connection: Connection, workspace_id: UUID, asked: str, is_past: bool = False) -> UUID:
    """The id of the document that `asked` means: by that id, its page's id or address, or its exact title.

    Args:
        is_past: one that was removed is meant, too, as long as something of it is kept.

    Raises:
        UnknownDocument: there is none, or several have this title.
    """
    document_id = _uuid(asked) if isinstance(asked, str) else None
    if document_id is not None and _is_document(connection, workspace_id, document_id, is_past):
        return document_id
    try:
        check_text("The document", asked)
        if not asked.strip():
            raise WrongUse("Which document? Give its id, its address in its source, or its exact title.")
        place = (find_place if is_past else find_indexed)(connection, workspace_id, asked)
    except FAULTS_OF_THE_INSTALLATION:
        raise  # some are wrong uses, too, but not of whoever asks
    except WrongUse as error:
        raise UnknownDocument(str(error)) from error
    if place.is_container:
        raise UnknownDocument(f"'{place.title or place.external_id}' is a database: ask for one of its rows.")
    named: UUID | None = scalar(
        connection,
        "SELECT document_id FROM source_page WHERE workspace_id = %(workspace_id)s AND external_id = %(external_id)s "
        "UNION ALL "
        "SELECT document_id FROM source_file WHERE workspace_id = %(workspace_id)s AND external_id = %(external_id)s",
        {"workspace_id": workspace_id, "external_id": place.external_id},
    )
    if named is None:
        raise UnknownDocument(
            f"'{place.title or place.external_id}' was never in the index: the workspace's status says "
            "what is not indexed."
        )
    return named


def _is_document(connection: Connection, workspace_id: UUID, document_id: UUID, is_past: bool) -> bool:
    statement = "SELECT true FROM document WHERE workspace_id = %s AND document_id = %s AND (%s OR deleted_at IS NULL)"
    return bool(scalar(connection, statement, [workspace_id, document_id, is_past]))


def _no_version(connection: Connection, document_id: UUID, version: int) -> WrongUse:
    latest = scalar(connection, "SELECT max(version) FROM document_content WHERE document_id = %s", [document_id])
    if latest is None or not 1 <= version <= latest:
        return UnknownDocument(
            f"There is no version {version} of this document"
            + (f": they are numbered from 1 to {latest}." if latest else ". Search for what says the same now.")
        )
    return NotRemembered(
        f"Version {version} of this document is not known any more, or the index never served it. The list of "
        "versions says which are."
    )


def document_of(row: Mapping[str, Any]) -> Document:
    """A row with the fields of a document, as they are stored, as one that can be shown."""
    url = safe_address(row["url"])
    properties = row["properties"] or {}
    about, page = row.get("file"), {part: row.get(f"page_{part}") for part in ("external_id", "title", "url")}
    title = shown(row["title"] or "")
    fields = {name: value for name, value in row.items() if not name.startswith("page_")}
    return Document(
        **{
            **fields,
            "document_id": str(row["document_id"]),
            "title": title,
            "url": url,
            "file": hit_file(about, None, title, holding_page(**page)) if row["kind"] == "file" else None,
            "text": shown(with_numbers(row["text"])),
            "headings": list(_headings(row["kind"], url, title, row["text"])),
            "properties": {shown(name): shown(str(held.get("text") or "")) for name, held in properties.items()},
        }
    )


def _headings(kind: str, url: str | None, title: str, text: str) -> Iterator[DocumentHeading]:
    blocks = list(read_blocks(text))
    end = 0
    for block, behind in zip(blocks, [*blocks[1:], None], strict=True):
        begin = text.index(block.text, end)
        end = begin + len(block.text)
        if block.kind != "heading":
            continue
        heading = heading_of(block)
        is_first = len(text) <= LONGEST_PAGE and not has_words(f"{title}\n{text[:begin]}", heading.text)
        below = shown(behind.text) if behind and not is_first else ""
        yield DocumentHeading(heading.level, shown(heading.text), link_to(kind, url, [heading.text], below))


def _uuid(asked: str) -> UUID | None:
    try:
        return UUID(asked.strip())
    except ValueError:
        return None
