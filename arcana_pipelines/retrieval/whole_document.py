"""A document as a whole, in the version that an index serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from psycopg.rows import dict_row
from pydantic import ConfigDict, TypeAdapter

from arcana_pipelines.chunking.blocks import read_blocks
from arcana_pipelines.chunking.headings import heading_of
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.hit_of_row import link_to
from arcana_pipelines.retrieval.limits import check_text
from arcana_pipelines.retrieval.places import find_indexed
from arcana_pipelines.retrieval.results import DESCRIBED
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
    """A page or a row of a database, whole, as the index serves it."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    workspace: str
    """The slug of its workspace."""

    document_id: str
    """A UUID; it stays through all versions of the document."""

    external_id: str
    """The page's id in its source."""

    kind: str
    """`page`, or `row` of a database."""

    title: str

    url: str | None
    """The page's address, where it is one of http, https, mailto or notion."""

    path: str
    """The document's place, an ltree of stable labels."""

    version: int
    """The version that is served, from 1."""

    last_edited_at: str | None
    """When the source says that the page was edited, an ISO 8601 time."""

    published_at: datetime
    """Since when this version is served."""

    text: str
    """Markdown, without the title."""

    headings: list[DocumentHeading] = field(default_factory=list)
    """Those of the text, in its order."""

    properties: dict[str, str] = field(default_factory=dict)
    """What a row has in the columns of its database, by their names, as it reads."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, as `arcana document --json` prints it."""
        return {**asdict(self), "published_at": self.published_at.isoformat()}

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON schema of what `to_dict` gives, with the meaning of every field."""
        return TypeAdapter(cls).json_schema()


def find_document(connection: Connection, workspace_id: UUID, asked: str, index: str) -> Document:
    """The document of a workspace that `asked` means: by its id, its page's id or address, or its exact title.

    Raises:
        WrongUse: there is none, several have this title, or the index does not serve it.
    """
    check_text("The document", asked)
    check_text("The name of the index", index)
    if not asked.strip():
        raise WrongUse("Which document? Give its id, its address in Notion, or its exact title.")
    build = find_serving(connection, workspace_id, index, None, None).build
    key = {"workspace_id": workspace_id, "build": build}
    row = _row(connection, {**key, "document_id": _uuid(asked), "external_id": None})
    if row is None:
        place = find_indexed(connection, workspace_id, asked)
        if place.is_container:
            raise WrongUse(f"'{place.title or place.external_id}' is a database: ask for one of its rows.")
        row = _row(connection, {**key, "document_id": None, "external_id": place.external_id})
        if row is None:
            raise WrongUse(f"The index '{index}' does not serve '{place.title or place.external_id}' yet.")
    return _document(row)


def _row(connection: Connection, key: Mapping[str, Any]) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load_sql("served_document"), key).fetchone()


def _document(row: dict[str, Any]) -> Document:
    url = safe_address(row["url"])
    headings = [heading_of(block) for block in read_blocks(row["text"]) if block.kind == "heading"]
    properties = row["properties"] or {}
    return Document(
        **{
            **row,
            "document_id": str(row["document_id"]),
            "title": shown(row["title"] or ""),
            "url": url,
            "text": shown(row["text"]),
            "headings": [
                DocumentHeading(heading.level, shown(heading.text), link_to(url, [heading.text]))
                for heading in headings
            ],
            "properties": {shown(name): shown(str(held.get("text") or "")) for name, held in properties.items()},
        }
    )


def _uuid(asked: str) -> UUID | None:
    try:
        return UUID(asked.strip())
    except ValueError:
        return None
