"""The queue of topics as a page: what is suggested, why, and buttons to decide with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.keys.access import Access
from arcana_pipelines.retrieval.shown import safe_address, shown
from arcana_pipelines.taxonomy.labels import spell_path
from arcana_pipelines.taxonomy.named import all_named
from arcana_pipelines.web.people.asked import topic_typed
from arcana_pipelines.web.people.failures import Failure, failure_of
from arcana_pipelines.web.people.languages import Language
from arcana_pipelines.web.people.places import Place, reviewed_places
from arcana_pipelines.web.people.sentences import in_korean
from arcana_pipelines.web.people.topics import names_of
from arcana_pipelines.web.people.visitors import REVIEW, Form, LoggedIn, Visitor, Visitors
from arcana_pipelines.web.problems import Refused
from arcana_pipelines.web.review import Reviews, Said, Waiting

ROWS = 20
# Paths that a field proposes: more are typed.
MOST_PROPOSED = 500
_OF_FORM = ("document_id", "node_id", "decision", "instead")


@dataclass(frozen=True, slots=True)
class AskedQueue:
    """What part of which queue, as the address says it; empty where nothing does."""

    workspace: str
    topic: str
    after: str

    @classmethod
    def of(cls, parameters: Mapping[str, str], places: Sequence[Place]) -> AskedQueue:
        """That of an address or a form; of the first workspace where none is named."""
        given = {name: parameters.get(name, "").strip() for name in cls.__slots__}
        workspace = given["workspace"] or (places[0].name if places else "")
        return cls(**{**given, "workspace": workspace, "topic": topic_typed(given["topic"])})

    def address(self, **changed: str) -> str:
        """Another part."""
        fields = {name: getattr(self, name) for name in self.__slots__} | changed
        return f"{REVIEW}?" + urlencode({name: value for name, value in fields.items() if value})


@dataclass(frozen=True, slots=True)
class NamedTopic:
    """A topic in the page's language."""

    node_id: UUID
    named: str


@dataclass(frozen=True, slots=True)
class Row:
    """A suggestion."""

    document_id: UUID
    title: str
    url: str | None
    node_id: UUID
    named: str
    origin: str
    reason: str | None
    confidence: float
    alternatives: Sequence[NamedTopic]
    created_at: datetime


def add_review(router: APIRouter, visitors: Visitors, reviews: Reviews, database: Database) -> None:
    """Add the routes."""

    def page(
        request: Request, visitor: Visitor, asked: AskedQueue, places: Sequence[Place], done: str = "",
        failure: Failure | None = None,
    ) -> Response:  # fmt: skip
        place = next((each for each in places if each.name == asked.workspace), None)
        waiting: Waiting | None = None
        rows: Sequence[Row] = ()
        proposed: Sequence[tuple[str, str]] = ()
        try:
            if places and place is None:
                raise Refused(404, "not-found", "")
            if place is not None:
                waiting = reviews.waiting(
                    visitor.key, place.slug, asked.topic or None, None, ROWS, asked.after or None
                )  # fmt: skip
                with database.connection(visitor.key.company_id, place.sees_internal) as connection:
                    rows = _rows(connection, place.workspace_id, waiting, visitor.words.language)
                    proposed = _proposed(connection, place.workspace_id, visitor.words.language)
        except (Refused, ArcanaError) as error:
            failure = failure or failure_of(request, error)
        response = visitors.page(
            request, visitor, "review.html", failure.status if failure else 200, asked=asked, places=places,
            place=place, waiting=waiting, rows=rows, proposed=proposed, done=done, failure=failure,
        )  # fmt: skip
        response.headers.update(failure.headers if failure else {})
        return response

    def places(access: Access) -> Sequence[Place]:
        with database.connection(access.company_id) as connection:
            return reviewed_places(connection, access)

    @router.get(REVIEW, tags=["review"])
    def review(request: Request, visitor: LoggedIn) -> Response:
        known = places(visitor.key)
        done = request.query_params.get("done", "")
        asked = AskedQueue.of(request.query_params, known)
        return page(request, visitor, asked, known, done if done in ("accept", "reject", "instead") else "")

    @router.post(REVIEW, tags=["review"])
    def say(request: Request, visitor: LoggedIn, form: Form) -> Response:
        visitors.require_form(visitor, form)
        known = places(visitor.key)
        asked = AskedQueue.of(form, known)
        try:
            given = {name: form[name] for name in _OF_FORM if name in form}
            if "instead" in given:
                given["instead"] = topic_typed(given["instead"].strip())
            said = Said.model_validate(given)
            reviews.decide(visitor.key, asked.workspace, said)
        except (Refused, ArcanaError, ValidationError) as error:
            return page(request, visitor, asked, known, failure=failure_of(request, error))
        return visitors.go(request, visitor, asked.address(done=said.decision))


def _rows(connection: Connection, workspace_id: UUID, waiting: Waiting, language: Language) -> list[Row]:
    found = waiting.page.rows
    nodes = {row.node_id for row in found} | {each.node_id for row in found for each in row.alternatives}
    names = names_of(connection, workspace_id, nodes, language)

    def named(node_id: UUID, path: tuple[str, ...]) -> str:
        return names.get(node_id) or shown(" › ".join(path))

    return [
        Row(
            row.document_id, shown(row.title), safe_address(row.url), row.node_id, named(row.node_id, row.path),
            row.origin, row.rule or _reason(row.reason, language), row.confidence,
            [NamedTopic(each.node_id, named(each.node_id, each.path)) for each in row.alternatives], row.created_at,
        )
        for row in found
    ]  # fmt: skip


def _reason(reason: str | None, language: Language) -> str | None:
    """Why a person is asked, in the page's language where it is a sentence of ours."""
    return in_korean(reason) or reason if reason and language == "ko" else reason


def _proposed(connection: Connection, workspace_id: UUID, language: Language) -> Sequence[tuple[str, str]]:
    """Paths to type, each with its name in the page's language; none where there are too many."""
    named = all_named(connection, workspace_id, language, MOST_PROPOSED + 1)
    if len(named) > MOST_PROPOSED:
        return ()
    return [(shown(spell_path(path)), shown(" › ".join(labels))) for path, labels in named]
