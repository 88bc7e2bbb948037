"""Reading over HTTP: the documents of a workspace, without a search."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from fastapi import FastAPI, Header, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import ConfigDict

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import FAULTS_OF_THE_INSTALLATION, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys.access import Access
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.results import DESCRIBED
from arcana_pipelines.retrieval.searchers import Searchers
from arcana_pipelines.retrieval.served import ServedDocument, served_documents
from arcana_pipelines.retrieval.whole_document import Document
from arcana_pipelines.web import cursors
from arcana_pipelines.web.cursors import Cursors
from arcana_pipelines.web.gate import Gate, Keyed, Slug
from arcana_pipelines.web.problems import Refused, described

MOST_LISTED = 100

_Index = Annotated[str, Query(description="One of the workspace's indexes.", max_length=63)]
_Document = Annotated[
    str, Path(description="Its id (`document_id` or `external_id` of a hit), address or exact title.", max_length=200)
]


@dataclass(frozen=True, slots=True)
class Listed:
    """Documents of a workspace, in the order of their tree: what stands below a page follows it."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    documents: list[ServedDocument]

    cursor: str | None
    """For what follows: `cursor` of the next request, with the same index and filters. None where nothing does."""


def add_documents(app: FastAPI, gate: Gate, database: Database, searchers: Searchers) -> None:
    """Documents: listed, and whole."""
    pages = Cursors(database.settings)

    @app.get("/v1/workspaces/{slug}/documents", summary="The documents of a workspace, without their texts",
             tags=["documents"], responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def documents(
        access: Keyed,
        slug: Slug,
        below: Annotated[
            str | None,
            Query(description="Only this page or database and what is below it: its id, address or exact title."),
        ] = None,
        kind: Annotated[Literal["page", "row"] | None, Query(description="Only pages, or rows of databases.")] = None,
        edited_since: Annotated[
            datetime | None,
            Query(description="Only what was edited then or later; a time with a zone: `2026-01-05T00:00:00Z`."),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED, description="Documents of one answer.")] = 50,
        index: _Index = DEFAULT_INDEX,
        cursor: Annotated[
            str | None, Query(description="That of the answer before.", max_length=cursors.LONGEST)
        ] = None,
    ) -> Listed:
        opened = gate.index(access, "read", slug, index)
        filters = Filters(below, [kind] if kind else (), edited_since=edited_since)
        list_ = _named(access, opened.workspace_id, index, below=below, kind=kind, edited_since=edited_since)
        after = pages.read(list_, cursor) if cursor is not None else None
        with database.connection(access.company_id) as connection:
            found = served_documents(connection, opened.workspace_id, filters, after, limit + 1, index)
        following = pages.write(list_, found[limit - 1].path) if len(found) > limit else None
        return Listed(found[:limit], following)

    @app.get("/v1/workspaces/{slug}/documents/{document}", summary="A whole document", tags=["documents"],
             responses={200: {"model": Document}, 304: {"description": "As it was."},
                        **described(401, 403, 404, 422, 503)})  # fmt: skip
    def document(
        access: Keyed,
        slug: Slug,
        document: _Document,
        index: _Index = DEFAULT_INDEX,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        opened = gate.index(access, "read", slug, index)
        try:
            found = searchers.of(access.company_id, (opened.slug,), index).document(document)
        except FAULTS_OF_THE_INSTALLATION:
            raise
        except WrongUse as error:
            raise Refused(404, "not-found", str(error)) from error
        tag = f'W/"{found.document_id}.{found.version}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if if_none_match is not None and tag in if_none_match:
            return Response(status_code=304, headers=headers)
        return JSONResponse(found.to_dict(), headers=headers)


def _named(access: Access, workspace_id: UUID, index: str, **filters: object) -> dict[str, object]:
    """What tells a list from every other."""
    return {"company": access.company_id, "workspace": workspace_id, "index": index, **filters}
