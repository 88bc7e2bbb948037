"""Reading over HTTP without a search: documents, their versions, relations and chunks, an index, how fresh all is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import FastAPI, Path, Query, Response
from pydantic import ConfigDict

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.indexes.builds import DEFAULT_INDEX, find_statistics
from arcana_pipelines.keys.access import Access
from arcana_pipelines.operations.served_status import ServedStatus, served_status
from arcana_pipelines.retrieval.chunks import find_chunk, find_chunks
from arcana_pipelines.retrieval.filters import Filters, Kind
from arcana_pipelines.retrieval.limits import LONGEST_TOPIC, LONGEST_VALUE, MOST_NEIGHBOURS
from arcana_pipelines.retrieval.results import DESCRIBED
from arcana_pipelines.retrieval.served import RelatedDocument, ServedDocument, related_documents, served_documents
from arcana_pipelines.retrieval.whole_document import (
    ServedVersion,
    find_document,
    find_document_id,
    find_versions,
)
from arcana_pipelines.web import cursors
from arcana_pipelines.web.cursors import Cursors
from arcana_pipelines.web.etags import Seen, tagged
from arcana_pipelines.web.examples import CHUNK, CHUNKS, DOCUMENT, LISTED_DOCUMENT, STATISTICS, STATUS, VERSION, shown
from arcana_pipelines.web.gate import Gate, Keyed, Slug
from arcana_pipelines.web.problems import Refused, described
from arcana_pipelines.web.reads import ASKS_FOR_SEQ, Reads

MOST_LISTED = 100
_GREATEST = 2**31 - 1

_Index = Annotated[str, Query(description="One of the workspace's indexes.", max_length=63)]
DocumentNamed = Annotated[
    str,
    Path(
        description="Its id (`document_id` or `external_id` of a hit), address or exact title.",
        max_length=200,
        examples=["Vacation policy"],
    ),
]
"""A route's parameter: a document as people name it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Documents of a workspace, in the order of their tree: what stands below a page follows it."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    documents: list[ServedDocument]

    cursor: str | None
    """For what follows: `cursor` of the next request, with the same index and filters. None where nothing does."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a document that the index served and remembers, the newest first."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    versions: list[ServedVersion]


@dataclass(frozen=True, slots=True)
class Relations:
    """Documents that have to do with one. One may be several things to it, as a page that it links to and has below."""

    __pydantic_config__: ClassVar[ConfigDict] = DESCRIBED

    parents: list[ServedDocument]
    """Those above it, the uppermost first."""

    children: list[ServedDocument]
    """Those directly below it."""

    links_to: list[ServedDocument]

    linked_from: list[ServedDocument]

    others: list[RelatedDocument]
    """What else is known of it, such as its translations."""

    more: list[str]
    """Of which of these there are more than `limit`, by name."""


_GROUPS = {"above": "parents", "below": "children", "links to": "links_to", "linked from": "linked_from"}


def add_documents(app: FastAPI, gate: Gate, database: Database, reads: Reads) -> None:
    """What is read of documents, chunks and an index."""
    pages = Cursors(database.settings)

    def answers(example: object, *more: int) -> dict[int | str, dict[str, Any]]:
        return {
            200: {"model": type(example), "content": shown(example)},
            304: {"description": "As it was."},
            **described(401, 403, 404, *more, 422, 503),
        }

    @app.get("/v1/workspaces/{slug}/documents", summary="The documents of a workspace, without their texts",
             tags=["documents"],
             dependencies=[ASKS_FOR_SEQ],
             responses={200: {"content": shown(Listed([LISTED_DOCUMENT], "GZ3tU0vS4l1xk9fYpQ"))},
                        **described(401, 403, 404, 422, 503)})  # fmt: skip
    def documents(
        access: Keyed,
        slug: Slug,
        below: Annotated[
            str | None,
            Query(
                description="Only this page or database and what is below it: its id, address or exact title.",
                max_length=LONGEST_VALUE,
            ),
        ] = None,
        kind: Annotated[
            Kind | None,
            Query(description="Only pages, rows of databases, files, tickets, private notes of tickets, or articles."),
        ] = None,
        edited_since: Annotated[
            datetime | None,
            Query(description="Only what was edited then or later; a time with a zone: `2026-01-05T00:00:00Z`."),
        ] = None,
        internal: Annotated[
            bool | None, Query(description="`false`: no private notes; `true`: nothing but them and their files.")
        ] = None,
        topic: Annotated[
            str | None,
            Query(
                description="Only what is about this topic, or one below it: `AI/RAG`, or its id.",
                max_length=LONGEST_TOPIC,
            ),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED, description="Documents of one answer.")] = 50,
        index: _Index = DEFAULT_INDEX,
        cursor: Annotated[
            str | None, Query(description="That of the answer before.", max_length=cursors.LONGEST)
        ] = None,
    ) -> Listed:
        opened = gate.index(access, "read", slug, index)
        filters = Filters(below, [kind] if kind else (), edited_since=edited_since, internal=internal, topic=topic)
        later = {"internal": internal, "topic": topic}  # cursors of a release without them are good
        asked = {"below": below, "kind": kind, "edited_since": edited_since} | {
            name: held for name, held in later.items() if held is not None
        }
        list_ = _named(access, opened.workspace_id, index, **asked)
        after = pages.read(list_, cursor) if cursor is not None else None
        found = reads.read(
            access.company_id,
            opened,
            lambda connection: served_documents(connection, opened.workspace_id, filters, after, limit + 1, index),
        )
        following = pages.write(list_, found[limit - 1].path) if len(found) > limit else None
        return Listed(found[:limit], following)

    @app.get("/v1/workspaces/{slug}/documents/{document}", summary="A whole document, now or as it was",
             tags=["documents"], dependencies=[ASKS_FOR_SEQ],
             responses=answers(DOCUMENT, 410))  # fmt: skip
    def document(
        access: Keyed,
        slug: Slug,
        document: DocumentNamed,
        index: _Index = DEFAULT_INDEX,
        as_of: Annotated[
            datetime | None, Query(description="In the version that was served at that time; with a zone.")
        ] = None,
        version: Annotated[int | None, Query(ge=1, le=_GREATEST, description="In the version of this number.")] = None,
        seen: Seen = None,
    ) -> Response:
        opened = gate.index(access, "read", slug, index)
        found = reads.read(
            access.company_id,
            opened,
            lambda connection: find_document(
                connection, opened.workspace_id, document, index, as_of=as_of, version=version
            ),
        )
        return tagged(found, seen)

    @app.get("/v1/workspaces/{slug}/documents/{document}/versions", summary="The versions of a document",
             tags=["documents"], dependencies=[ASKS_FOR_SEQ],
             responses=answers(Versions([VERSION])))  # fmt: skip
    def versions(
        access: Keyed, slug: Slug, document: DocumentNamed, index: _Index = DEFAULT_INDEX, seen: Seen = None
    ) -> Response:
        opened = gate.index(access, "read", slug, index)
        found = reads.read(
            access.company_id,
            opened,
            lambda connection: find_versions(connection, opened.workspace_id, document, index),
        )
        return tagged(Versions(found), seen)

    @app.get("/v1/workspaces/{slug}/documents/{document}/relations", summary="What a document has to do with others",
             tags=["documents"], dependencies=[ASKS_FOR_SEQ],
             responses=answers(Relations([LISTED_DOCUMENT], [], [], [], [], [])))  # fmt: skip
    def relations(
        access: Keyed,
        slug: Slug,
        document: DocumentNamed,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED, description="Documents of each kind.")] = 50,
        index: _Index = DEFAULT_INDEX,
        seen: Seen = None,
    ) -> Response:
        opened = gate.index(access, "read", slug, index)

        def related(connection: Connection) -> list[RelatedDocument]:
            document_id = find_document_id(connection, opened.workspace_id, document)
            return related_documents(connection, opened.workspace_id, document_id, limit + 1, index)

        return tagged(_grouped(reads.read(access.company_id, opened, related), limit), seen)

    @app.get("/v1/workspaces/{slug}/documents/{document}/chunks", summary="The chunks of a document, in its order",
             tags=["documents"], dependencies=[ASKS_FOR_SEQ],
             responses=answers(CHUNKS))  # fmt: skip
    def chunks(
        access: Keyed, slug: Slug, document: DocumentNamed, index: _Index = DEFAULT_INDEX, seen: Seen = None
    ) -> Response:
        opened = gate.index(access, "read", slug, index)
        found = reads.read(
            access.company_id, opened, lambda connection: find_chunks(connection, opened.workspace_id, document, index)
        )
        return tagged(found, seen)

    @app.get("/v1/workspaces/{slug}/chunks/{chunk}", summary="A chunk, with those around it", tags=["documents"],
             dependencies=[ASKS_FOR_SEQ],
             responses=answers(CHUNK))  # fmt: skip
    def chunk(
        access: Keyed,
        slug: Slug,
        chunk: Annotated[str, Path(description="Its id.", max_length=20, examples=["4711"])],
        neighbours: Annotated[
            int, Query(ge=0, le=MOST_NEIGHBOURS, description="So many chunks before it, and behind it.")
        ] = 0,
        index: _Index = DEFAULT_INDEX,
        seen: Seen = None,
    ) -> Response:
        opened = gate.index(access, "read", slug, index)
        found = reads.read(
            access.company_id,
            opened,
            lambda connection: find_chunk(connection, opened.workspace_id, chunk, neighbours, index),
        )
        return tagged(found, seen)

    @app.get("/v1/workspaces/{slug}/status", summary="How fresh a workspace is", tags=["workspaces"],
             responses={200: {"content": shown(STATUS)}, **described(401, 403, 404, 422, 503)})  # fmt: skip
    def status(access: Keyed, slug: Slug) -> ServedStatus:
        opened = gate.workspace(access, "read", slug)
        with database.connection(access.company_id, opened.sees_internal) as connection:
            return served_status(connection, opened.workspace_id)

    @app.get("/v1/workspaces/{slug}/indexes/{index}", summary="An index, with its statistics", tags=["workspaces"],
             dependencies=[ASKS_FOR_SEQ], responses=answers(STATISTICS))  # fmt: skip
    def statistics(
        access: Keyed,
        slug: Slug,
        index: Annotated[str, Path(description="One of the workspace's indexes.", max_length=63, examples=["default"])],
        seen: Seen = None,
    ) -> Response:
        opened = gate.index(access, "read", slug, index)
        found = reads.read(
            access.company_id, opened, lambda connection: find_statistics(connection, opened.workspace_id, index)
        )
        if found is None:
            said = (
                f"The index '{index}' does not serve yet: it will after a sync. GET /v1/workspaces/{slug}/status tells."
            )
            raise Refused(404, "not-found", said)
        return tagged(found, seen)


def _named(access: Access, workspace_id: UUID, index: str, **filters: object) -> dict[str, object]:
    """What tells a list from every other."""
    return {"company": access.company_id, "workspace": workspace_id, "index": index, **filters}


def _grouped(found: list[RelatedDocument], limit: int) -> Relations:
    groups: dict[str, list[RelatedDocument]] = {}
    for each in found:
        groups.setdefault(_GROUPS.get(each.how, "others"), []).append(each)
    known = {name: groups.get(name, []) for name in (*_GROUPS.values(), "others")}
    return Relations(
        **{name: group[:limit] for name, group in known.items()},  # type: ignore[arg-type]
        more=[name for name, group in known.items() if len(group) > limit],
    )
