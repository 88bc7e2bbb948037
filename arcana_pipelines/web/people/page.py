"""The routes of the page for people, at `/` of the API's server.

Whoever has logged in with a key searches and reads what the key opens, by the same functions as the API: its scopes,
filters, rates and quotas hold. The API takes no cookie, and the page no key but in its form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys import keys
from arcana_pipelines.retrieval.excerpts import excerpt, excerpt_too
from arcana_pipelines.retrieval.filters import KINDS
from arcana_pipelines.retrieval.results import Hit
from arcana_pipelines.retrieval.whole_document import find_document, find_versions
from arcana_pipelines.web.feedback import Feedback, take_feedback
from arcana_pipelines.web.gate import Gate
from arcana_pipelines.web.people.asked import Asked
from arcana_pipelines.web.people.document_text import read_text
from arcana_pipelines.web.people.failures import Failure, failure_of
from arcana_pipelines.web.people.instead import shown_instead
from arcana_pipelines.web.people.languages import note_name
from arcana_pipelines.web.people.places import places_of
from arcana_pipelines.web.people.rendering import HEADERS, HERE
from arcana_pipelines.web.people.review import add_review
from arcana_pipelines.web.people.sessions import Sessions
from arcana_pipelines.web.people.states import searches_of_month, states_of
from arcana_pipelines.web.people.topics import ShownTopic, topics_of
from arcana_pipelines.web.people.visitors import (
    DOCUMENT,
    FEEDBACK,
    LINK,
    LOG_IN,
    LOG_OUT,
    SEARCH,
    STATE,
    Form,
    LoggedIn,
    Visitor,
    Visitors,
    safe_next,
)
from arcana_pipelines.web.problems import Refused, request_id
from arcana_pipelines.web.review import Reviews
from arcana_pipelines.web.searches import Searches
from arcana_pipelines.web.use import SearchLog, use_now

_FILES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_OF_FEEDBACK = ("request_id", "document_id", "position", "verdict")
# Characters of a hit, and of its other passage.
_SHOWN, _SHOWN_TOO = 700, 350
# Below this score it is more likely that nothing answers (docs/searching.md). A reranker's scores say nothing of that.
_DOUBTFUL = 0.5
# Of the first hit's score: what has less is folded. Of 100 questions of evaluation/ it hid the page of one.
_FAR = 0.25


def add_page(
    app: FastAPI, gate: Gate, database: Database, searches: Searches, searched: SearchLog, reviews: Reviews,
    administered: Database | None,
) -> None:  # fmt: skip
    """Add the routes.

    Args:
        searched: what was shown, by which it is known what feedback is of.
        administered: as the application, for what administrators may see of a workspace; None: they see no more.
    """
    visitors = app.state.visitors = Visitors(gate, Sessions(database.settings))
    router = APIRouter(route_class=_route_of(visitors), include_in_schema=False)

    _add_files(router)
    _add_log_in(router, visitors, gate, administered)
    _add_search(router, visitors, database, searches)
    _add_document(router, visitors, gate, database)
    _add_feedback(router, visitors, database, searched)
    add_review(router, visitors, reviews, database)

    @router.get(STATE, tags=["workspaces"])
    def state(request: Request, visitor: LoggedIn) -> Response:
        after = request.query_params.get("after", "")[:63].replace("\0", "")
        states, further = states_of(database, administered, visitor.key, after)
        searches = searches_of_month(database, visitor.key)
        return visitors.page(request, visitor, "state.html", states=states, further=further, searches=searches)

    app.include_router(router)


def _route_of(visitors: Visitors) -> type[APIRoute]:
    class ForPeople(APIRoute):
        """Says in words what goes wrong, and gives every answer the headers of the page."""

        def get_route_handler(self) -> Any:
            handler = super().get_route_handler()

            async def handled(request: Request) -> Response:
                try:
                    response: Response = await handler(request)
                except Exception as error:  # the edge of the page: whoever looks at it gets one
                    return shown_instead(visitors, request, error)
                response.headers.update(HEADERS)
                return response

            return handled

    return ForPeople


def _add_files(router: APIRouter) -> None:
    for name, kind in _FILES.items():
        router.add_api_route(f"/assets/{name}", _file(name, kind))


def _file(name: str, kind: str) -> Callable[[], Response]:
    content = (HERE / "static" / name).read_bytes()
    return lambda: Response(content, media_type=kind)


def _add_log_in(router: APIRouter, visitors: Visitors, gate: Gate, administered: Database | None) -> None:
    def shown(request: Request, visitor: Visitor, where: str, failure: Failure | None = None) -> Response:
        told = {"is_over": "over" in request.query_params, "has_left": "left" in request.query_params}
        given = {"next": safe_next(where), "failure": failure, **told}
        response = visitors.page(request, visitor, "log_in.html", failure.status if failure else 200, **given)
        response.headers.update(failure.headers if failure else {})
        return response

    @router.get(LOG_IN, tags=["page"])
    def log_in_form(request: Request) -> Response:
        visitor = visitors.of(request)
        where = request.query_params.get("next", SEARCH)
        if visitor.access is not None:
            return visitors.go(request, visitor, safe_next(where))
        return shown(request, visitor, where)

    @router.post(LOG_IN, tags=["page"])
    def log_in(request: Request, form: Form) -> Response:
        visitor = visitors.of(request)
        key, where = form.get("key", "").strip(), form.get("next", SEARCH)
        try:
            visitors.require_form(visitor, form)
            access = gate.log_in(request, key)
        except (Refused, ArcanaError) as error:
            return shown(request, visitor, where, failure_of(request, error))
        return visitors.go(request, visitors.logged_in(visitor, access), safe_next(where))

    @router.post(LOG_OUT, tags=["page"])
    def log_out(request: Request, form: Form) -> Response:
        visitor = visitors.of(request)
        visitors.require_form(visitor, form)
        if administered is not None and visitor.access is not None:
            with administered.connection() as connection:
                keys.end_link(connection, visitor.access.key_id)
        return visitors.go(request, visitors.logged_out(visitor), f"{LOG_IN}?left=1")

    # Two steps: programs that look at links before people do, such as those of messengers, use up none.
    @router.get(LINK, tags=["page"])
    def link(request: Request) -> Response:
        once = request.query_params.get("once", "")
        failure = None if visitors.sessions.read_link(once) else Failure(401, "link-over")
        status = failure.status if failure else 200
        return visitors.page(request, visitors.of(request), "link.html", status, once=once, failure=failure)

    @router.post(LINK, tags=["page"])
    def follow(request: Request, form: Form) -> Response:
        visitor = visitors.of(request)
        visitors.require_form(visitor, form)
        key_id = visitors.sessions.read_link(form.get("once", ""))
        access = gate.first_use(request, key_id) if key_id is not None else None
        if access is None:
            failure = Failure(401, "link-over")
            return visitors.page(request, visitor, "link.html", failure.status, once="", failure=failure)
        return visitors.go(request, visitors.logged_in(visitor, access), SEARCH)


def _add_search(router: APIRouter, visitors: Visitors, database: Database, searches: Searches) -> None:
    is_reranked = database.settings.reranker_url is not None

    @router.get(SEARCH, tags=["page"])
    def search(request: Request, visitor: LoggedIn) -> Response:
        access, asked = visitor.key, Asked.of(request.query_params)
        with database.connection(access.company_id) as connection:
            places = places_of(connection, access)
        place = next((each for each in places if asked.workspace in ("", each.name)), None)
        results = failure = None
        likely: Sequence[Hit] = ()
        less_likely: Sequence[Hit] = ()
        topics: Sequence[ShownTopic] = ()
        trail: Sequence[ShownTopic] = ()
        if asked.query and places:
            try:
                if place is None:
                    raise Refused(404, "not-found", "")
                wanted = asked.request(place.index, place.has_topics)
                use_now().action = "search"
                results = searches.search(access, place.slug, wanted)
                likely, less_likely = _by_likelihood(results.hits, is_first=not asked.after)
                if place.has_topics:
                    language = visitor.words.language
                    with database.connection(access.company_id, place.sees_internal) as connection:
                        topics, trail = topics_of(connection, place.workspace_id, asked, results, language)
            except (Refused, ArcanaError) as error:
                failure = failure_of(request, error)
        response = visitors.page(
            request, visitor, "search.html", failure.status if failure else 200, asked=asked, places=places,
            place=place, results=results, failure=failure, excerpt=_excerpt, excerpt_too=_excerpt_too,
            note_name=note_name,
            kinds=[kind for kind in KINDS if kind != "notes" or (place and place.sees_internal)],
            request_id=request_id(request), likely=likely, less_likely=less_likely, topics=topics, trail=trail,
            is_doubtful=bool(likely) and not asked.after and not is_reranked and likely[0].score < _DOUBTFUL,
        )  # fmt: skip
        response.headers.update(failure.headers if failure else {})
        return response


def _by_likelihood(hits: Sequence[Hit], is_first: bool) -> tuple[Sequence[Hit], Sequence[Hit]]:
    """Hits that may answer, and those that are far behind the first. What comes after an answer was asked for, and is
    not told apart."""
    number = len(hits)
    if is_first and hits and hits[0].score > 0:
        least = _FAR * hits[0].score
        number = next((number for number, hit in enumerate(hits) if hit.score < least), number)
    return hits[:number], hits[number:]


def _excerpt(hit: Hit) -> tuple[str, list[tuple[int, int]]]:
    return excerpt(hit, _SHOWN)


def _excerpt_too(hit: Hit) -> tuple[str, list[tuple[int, int]]]:
    return excerpt_too(hit, _SHOWN_TOO)


def _add_document(router: APIRouter, visitors: Visitors, gate: Gate, database: Database) -> None:
    @router.get(DOCUMENT, tags=["documents"])
    def document(request: Request, visitor: LoggedIn) -> Response:
        access, asked = visitor.key, Asked.of(request.query_params)
        wanted, number = request.query_params.get("id", ""), request.query_params.get("version", "")
        slug, _, index = asked.workspace.partition(".")
        opened = gate.index(access, "read", slug, index or None)
        with database.connection(access.company_id, opened.sees_internal) as connection:
            versions = find_versions(connection, opened.workspace_id, wanted, index or DEFAULT_INDEX)
            version = int(number) if number.isdecimal() and len(number) < 10 else versions[0].version
            found = find_document(connection, opened.workspace_id, wanted, index or DEFAULT_INDEX, version=version)
        return visitors.page(
            request, visitor, "document.html", asked=asked, found=found, versions=versions, blocks=read_text(found.text)
        )


def _add_feedback(router: APIRouter, visitors: Visitors, database: Database, searched: SearchLog) -> None:
    @router.post(FEEDBACK, tags=["feedback"])
    def feedback(request: Request, visitor: LoggedIn, form: Form) -> Response:
        visitors.require_form(visitor, form)
        said = Feedback.model_validate({name: form.get(name) for name in _OF_FEEDBACK})
        take_feedback(database, searched, visitor.key, said)
        return visitors.page(request, visitor, "thanks.html", back=safe_next(form.get("next", SEARCH)))
