"""What a person is shown in place of what was asked for."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response

from arcana_pipelines.web.people.failures import failure_of
from arcana_pipelines.web.people.rendering import HEADERS, render
from arcana_pipelines.web.people.visitors import (
    LOG_IN,
    SEARCH,
    ComesFromElsewhere,
    LogInFirst,
    Visitor,
    Visitors,
    safe_next,
    words_of,
)
from arcana_pipelines.web.problems import request_id


def shown_instead(visitors: Visitors, request: Request, error: Exception) -> Response:
    """The log-in where that is what is missing, else a page that says what went wrong."""
    response: Response
    if isinstance(error, LogInFirst):
        response = visitors.go(request, error.visitor, _log_in_before(request, error.visitor))
    elif isinstance(error, ComesFromElsewhere):
        response = render("again.html", words_of(request), where=_asked_for(request))
        response.headers["Refresh"] = f"0; url={_asked_for(request)}"
    else:
        failure = failure_of(request, error)
        response = render("error.html", words_of(request), failure.status, failure=failure, id=request_id(request))
        response.headers.update(failure.headers)
    response.headers.update(HEADERS)
    return response


def _asked_for(request: Request) -> str:
    path = request.scope["raw_path"].decode("ascii")  # as it was written
    return f"{path}?{request.url.query}" if request.url.query else path


def _log_in_before(request: Request, visitor: Visitor) -> str:
    where = safe_next(_asked_for(request))
    asked = {"next": where} if request.method == "GET" and where != SEARCH else {}
    if visitor.was_logged_in:
        asked["over"] = "1"
    return f"{LOG_IN}?{urlencode(asked)}" if asked else LOG_IN
