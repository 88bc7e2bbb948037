"""Topics over HTTP: the versions of a workspace's taxonomy, its nodes, what documents are about, and saying so.

What a version holds is the operator's business: it is imported and promoted by the command line alone.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from arcana_pipelines.audit.record import by_key
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.limits import LONGEST_TOPIC
from arcana_pipelines.retrieval.shown import shown, shown_all
from arcana_pipelines.retrieval.topic_facets import topic_facets
from arcana_pipelines.retrieval.whole_document import find_document_id
from arcana_pipelines.retrieval.within import require_within
from arcana_pipelines.taxonomy.counts import topic_counts
from arcana_pipelines.taxonomy.given import assign, topics_of, unassign
from arcana_pipelines.taxonomy.labels import read_path, spell_path
from arcana_pipelines.taxonomy.lookup import lookup, no_active_version
from arcana_pipelines.taxonomy.named import texts_of
from arcana_pipelines.taxonomy.stored_versions import Version, active_version, find_version, versions
from arcana_pipelines.taxonomy.topics import one_topic
from arcana_pipelines.web import examples
from arcana_pipelines.web.documents import DocumentNamed
from arcana_pipelines.web.etags import Seen, tagged
from arcana_pipelines.web.gate import Gate, Keyed, Opened, Slug
from arcana_pipelines.web.problems import described
from arcana_pipelines.web.topic_answers import (
    DocumentTopic,
    DocumentTopics,
    FoundPath,
    FoundPaths,
    Taxonomy,
    TopicNode,
    TopicNodes,
)

MOST_NODES = 1000
MOST_PATHS = 1000

TopicNamed = Annotated[
    str,
    Path(
        description=r"Its path in the active version, or its id. A label's own `/` and `\` are written `\/` and `\\`.",
        max_length=LONGEST_TOPIC,
        examples=["People/Time off"],
    ),
]
"""A route's parameter: a topic as people name it."""


class PathsAsked(BaseModel):
    """Paths whose topics are asked for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"paths": ["People/Time off", "Robots/Power/Batteries"]}}
    )

    paths: Annotated[list[Annotated[str, Field(max_length=LONGEST_TOPIC)]], Field(min_length=1, max_length=MOST_PATHS)]
    version: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="In which version; without it in the active one. A path may mean another topic in another."
    )


def add_taxonomy(app: FastAPI, gate: Gate, database: Database) -> None:
    """What is read of topics, and what people say that documents are about."""
    _add_reading(app, gate, database)
    _add_saying(app, gate, database)


def _add_reading(app: FastAPI, gate: Gate, database: Database) -> None:
    def answers(example: object, *more: int) -> dict[int | str, dict[str, Any]]:
        return {
            200: {"model": type(example), "content": examples.shown(example)},
            304: {"description": "As it was."},
            **described(401, 403, 404, *more, 422, 503),
        }

    @app.get("/v1/workspaces/{slug}/taxonomy", summary="A workspace's topics: versions, and how much has one",
             tags=["taxonomy"], responses=answers(examples.TAXONOMY))  # fmt: skip
    def taxonomy(access: Keyed, slug: Slug, seen: Seen = None) -> Response:
        opened = gate.workspace(access, "read", slug)
        with database.connection(access.company_id, opened.sees_internal) as connection:
            counts = topic_counts(connection, opened.workspace_id)
            known = versions(connection, opened.workspace_id)
        return tagged(Taxonomy.of(next(iter(counts), None), known), seen)

    @app.get("/v1/workspaces/{slug}/taxonomy/nodes", summary="The topics below one, with their documents",
             tags=["taxonomy"], responses=answers(examples.TOPIC_NODES))  # fmt: skip
    def nodes(
        access: Keyed,
        slug: Slug,
        topic: Annotated[
            str | None,
            Query(
                description="Those directly below this topic: its path or its id. Without it the uppermost.",
                max_length=LONGEST_TOPIC,
            ),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_NODES, description="Topics of one answer.")] = 200,
        index: Annotated[str, Query(description="Whose documents are counted.", max_length=63)] = DEFAULT_INDEX,
        seen: Seen = None,
    ) -> Response:
        """Counted are all documents that the key may find, and not those that wait for a person's word."""
        opened = gate.index(access, "read", slug, index)
        workspace_id = opened.workspace_id
        with database.connection(access.company_id, opened.sees_internal) as connection:
            active = _active(connection, workspace_id)
            found = topic_facets(connection, workspace_id, topic, index=index)
            texts = texts_of(connection, workspace_id, active.version, [UUID(each.node_id) for each in found[:limit]])
        listed = [
            TopicNode(
                text.node_id, each.path, each.label, text.labels, text.definition, text.synonyms, each.documents,
                each.has_children,
            )
            for each in found[:limit]
            if (text := texts.get(UUID(each.node_id))) is not None
        ]  # fmt: skip
        return tagged(shown_all(TopicNodes(active.version, listed, len(found) - len(found[:limit]))), seen)

    @app.post("/v1/workspaces/{slug}/taxonomy/lookup", summary="The topics at paths", tags=["taxonomy"],
              responses={200: {"content": examples.shown(examples.FOUND_PATHS)},
                         **described(401, 403, 404, 413, 415, 422, 503)})  # fmt: skip
    def look_up(access: Keyed, slug: Slug, asked: PathsAsked) -> FoundPaths:
        """All of them, or a problem that names the first path at which there is none (`path`, `version`), five that
        there are (`available`) and those that may have been meant (`similar`)."""
        opened = gate.workspace(access, "read", slug)
        workspace_id = opened.workspace_id
        with database.connection(access.company_id, opened.sees_internal) as connection:
            if asked.version is None:
                version = _active(connection, workspace_id).version
            else:
                version = find_version(connection, workspace_id, asked.version).version
            paths = [read_path(each) for each in asked.paths]
            found = lookup.require(connection, workspace_id, paths, version)
        return FoundPaths(version, [FoundPath(shown(spell_path(path)), found[path]) for path in paths])

    @app.get("/v1/workspaces/{slug}/documents/{document}/topics", summary="What a document is about",
             tags=["taxonomy"], responses=answers(examples.DOCUMENT_TOPICS))  # fmt: skip
    def topics(access: Keyed, slug: Slug, document: DocumentNamed, seen: Seen = None) -> Response:
        opened = gate.workspace(access, "read", slug)
        workspace_id = opened.workspace_id
        with database.connection(access.company_id, opened.sees_internal) as connection:
            document_id = find_document_id(connection, workspace_id, document)
            active = active_version(connection, workspace_id)
            found = topics_of(connection, workspace_id, [document_id])[document_id]
        version = active.version if active else None
        return tagged(DocumentTopics(document_id, version, [DocumentTopic.of(each) for each in found]), seen)


def _add_saying(app: FastAPI, gate: Gate, database: Database) -> None:
    @app.put("/v1/workspaces/{slug}/documents/{document}/topics/{topic:path}",
             summary="Say that a document is about a topic; no machine says otherwise", tags=["review"],
             status_code=204, responses=described(401, 403, 404, 415, 422, 503))  # fmt: skip
    def say(access: Keyed, slug: Slug, document: DocumentNamed, topic: TopicNamed) -> Response:
        """May be repeated. A path of an earlier version means what took its place."""
        opened = gate.index(access, "review", slug, None)
        with database.connection(access.company_id, opened.sees_internal) as connection:
            document_id = _reviewed(connection, opened, document)
            path = one_topic(connection, opened.workspace_id, topic).path
            assign(connection, opened.workspace_id, document_id, [path], by_key(access.key_id))
        return Response(status_code=204)

    @app.delete("/v1/workspaces/{slug}/documents/{document}/topics/{topic:path}",
                summary="Say that a document is not about a topic; no machine says so again", tags=["review"],
                status_code=204, responses=described(401, 403, 404, 415, 422, 503))  # fmt: skip
    def deny(access: Keyed, slug: Slug, document: DocumentNamed, topic: TopicNamed) -> Response:
        """May be repeated."""
        opened = gate.index(access, "review", slug, None)
        with database.connection(access.company_id, opened.sees_internal) as connection:
            document_id = _reviewed(connection, opened, document)
            path = one_topic(connection, opened.workspace_id, topic).path
            unassign(connection, opened.workspace_id, document_id, [path], by_key(access.key_id))
        return Response(status_code=204)


def _active(connection: Connection, workspace_id: UUID) -> Version:
    active = active_version(connection, workspace_id)
    if active is None:
        raise no_active_version(connection, workspace_id)
    return active


def _reviewed(connection: Connection, opened: Opened, document: str) -> UUID:
    """The id of a document that the key may find.

    Raises:
        UnknownDocument: there is none; which others there are is told to who may find all.
    """
    if opened.limits:
        return require_within(connection, opened.workspace_id, document, opened.limits, DEFAULT_INDEX)
    return find_document_id(connection, opened.workspace_id, document)
