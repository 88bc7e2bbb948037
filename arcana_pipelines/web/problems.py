"""What is answered instead of what was asked for: problem+json (RFC 9457), whose words name the next step."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from arcana_pipelines.errors import (
    ArcanaError,
    CursorRefused,
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnreachable,
    InvalidSetting,
    ModelMissing,
    NoRoleForCompany,
    NotRemembered,
    OnlySearches,
    TaxonomyNodeNotFoundError,
    TopicDecided,
    UnknownDocument,
    UnknownTaxonomyVersion,
    UnknownTicket,
    UnknownWorkspace,
    WrongUse,
)
from arcana_pipelines.retrieval.shown import shown
from arcana_pipelines.taxonomy.labels import spell_path
from arcana_pipelines.web.request_ids import HEADER

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
CANNOT_ANSWER = "The database cannot answer now: try again in a moment."
RETRY_SECONDS = 5
# The first that an error is one of counts. What is a fault of the installation says no more to strangers.
_STATUSES: tuple[tuple[type[ArcanaError], int, str], ...] = (
    (UnknownWorkspace, 404, "not-found"),
    (UnknownDocument, 404, "not-found"),
    (UnknownTicket, 404, "not-found"),
    (TaxonomyNodeNotFoundError, 404, "unknown-topic"),
    (UnknownTaxonomyVersion, 404, "not-found"),
    (TopicDecided, 409, "conflict"),
    (NotRemembered, 410, "not-remembered"),
    (CursorRefused, 422, "cursor-refused"),
    (DatabaseUnreachable, 503, "unavailable"),
    (DatabaseBusy, 503, "unavailable"),
    (DatabaseFull, 503, "unavailable"),
    (InvalidSetting, 500, "internal"),
    (ModelMissing, 500, "internal"),
    (NoRoleForCompany, 500, "internal"),
    (OnlySearches, 500, "internal"),
    (WrongUse, 422, "invalid-request"),
)
_TITLES = {
    "unauthorized": "No valid key",
    "forbidden": "The key may not do this",
    "not-found": "There is no such thing",
    "unknown-topic": "There is no such topic",
    "not-remembered": "That is not remembered",
    "cursor-refused": "The cursor is over",
    "conflict": "That is not possible now",
    "invalid-request": "The request cannot be meant",
    "too-large": "The request is too large",
    "rate-limited": "Too many requests",
    "quota-used-up": "The searches of the month are used up",
    "unavailable": "Not available now",
    "not-set-up": "The server is not set up for this",
    "bad-gateway": "Another server does not answer",
    "internal": "Something is wrong here",
}


class Pointed(BaseModel):
    """What is wrong with one part of a request."""

    pointer: str = Field(description="The part, as a JSON pointer: `#/filters/kinds/0`.")
    detail: str


class Problem(BaseModel):
    """Why a request was not answered."""

    type: str = Field(description="The kind of the problem: `urn:arcana:problem:not-found`.")
    title: str
    status: int
    detail: str = Field(description="A sentence that names the next step.")
    request_id: str
    errors: list[Pointed] = []
    limit_of: Literal["key", "company"] | None = Field(
        None, description="Of `rate-limited` and `quota-used-up`: whose limit was reached, the key's or its company's."
    )
    path: str | None = Field(None, description="Of `unknown-topic`: at which there is none.")
    version: str | None = Field(None, description="Of `unknown-topic`: of the taxonomy.")
    available: list[str] | None = Field(None, description="Of `unknown-topic`: five paths at most that there are.")
    similar: list[str] | None = Field(None, description="Of `unknown-topic`: those that may have been meant.")


class Refused(Exception):
    """A request that is not answered, with the status and what to say."""

    def __init__(
        self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """`more` are members that a problem of this kind alone has."""
        super().__init__(detail)
        self.status, self.kind, self.detail, self.headers = status, kind, detail, dict(headers or {})
        self.more = more


def handle_problems(app: FastAPI) -> None:
    """Answer everything that goes wrong with a problem."""

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> JSONResponse:
        return answer(request, error.status, error.kind, error.detail, error.headers, **error.more)

    @app.exception_handler(ArcanaError)
    def told(request: Request, error: ArcanaError) -> JSONResponse:
        status, kind = kind_of(error)
        if isinstance(error, TaxonomyNodeNotFoundError):
            return answer(request, status, kind, str(error), **_near(error))
        if status < 500:
            return answer(request, status, kind, str(error))
        log.error("request %s: %s", request_id(request), error)
        if status == 503:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            return answer(request, status, kind, CANNOT_ANSWER, headers)
        return _internal(request)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            Pointed(pointer="#/" + "/".join(map(str, each["loc"][1:])), detail=str(each["msg"]))
            for each in error.errors()
        ]
        said = "A part of the request cannot be meant: `errors` says which, and GET /openapi.json what it may be."
        return answer(request, 422, "invalid-request", said, {}, errors)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 404:
            return answer(request, 404, "not-found", "There is no such route. GET /openapi.json lists them.", headers)
        if error.status_code == 405:
            headers["Allow"] = ", ".join(allowed := _methods(request))
            answered = " and ".join(allowed)
            said = f"{request.method} is not answered here, {answered} is. GET /openapi.json lists the routes."
            return answer(request, 405, "invalid-request", said, headers)
        # What the framework says of JSON that Python does not read, such as 60,000 brackets.
        if error.status_code == 400:
            said = "The body is no JSON that can be read. GET /openapi.json says what it holds."
            return answer(request, 422, "invalid-request", said, headers)
        kind = "too-large" if error.status_code == 413 else "invalid-request"
        return answer(request, error.status_code, kind, str(error.detail), headers)

    @app.exception_handler(Exception)
    def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("request %s failed", request_id(request), exc_info=error)
        return _internal(request)


def status_of(error: ArcanaError) -> int:
    """The status that an error of ours is answered with."""
    return kind_of(error)[0]


def kind_of(error: ArcanaError) -> tuple[int, str]:
    """The status and the kind of problem that an error of ours is answered with."""
    return next(((status, kind) for known, status, kind in _STATUSES if isinstance(error, known)), (500, "internal"))


def _methods(request: Request) -> list[str]:
    """Those that are answered at the address of a request: the framework names those of the first route alone."""
    methods: set[str] = set()
    for route in _routes(request.app.routes):
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods - {"HEAD"})


def _routes(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """All of them, also those of routers that were included, which the framework keeps as they are."""
    for route in routes:
        router = getattr(route, "original_router", None)
        yield from [route] if router is None else _routes(router.routes)


def _internal(request: Request) -> JSONResponse:
    said = "What went wrong stands in the server's log, under the request's id."
    # What nobody expected is answered outside of what puts the header on all other answers.
    return answer(request, 500, "internal", said, {HEADER: request_id(request)})


def answer(
    request: Request,
    status: int,
    kind: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[Pointed] | None = None,
    **more: Any,
) -> JSONResponse:
    """The response of a problem; `more` are members that its kind alone has."""
    problem = Problem(
        type=f"urn:arcana:problem:{kind}", title=_TITLES[kind], status=status, detail=detail,
        request_id=request_id(request), errors=errors or [], **more,
    )  # fmt: skip
    return JSONResponse(problem.model_dump(exclude_none=True), status, dict(headers or {}), MEDIA_TYPE)


def _near(error: TaxonomyNodeNotFoundError) -> dict[str, Any]:
    return {
        "path": shown(spell_path(error.path)),
        "version": error.version,
        "available": [shown(spell_path(path)) for path in error.available],
        "similar": [shown(spell_path(path)) for path in error.similar],
    }


def request_id(request: Request) -> str:
    """The id of a request, which its answer and the log have."""
    given: Any = request.scope["state"]["request_id"]
    return str(given)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, for OpenAPI; where a key is looked at, requests are counted."""
    return {status: {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}, "description": ""}
            for status in (*statuses, *((429,) if 401 in statuses else ()))}  # fmt: skip
