"""Who looks at the page: the session of the browser with what its key may do now, and its language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, cast
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.requests import HTTPConnection

from arcana_pipelines.keys.access import Access
from arcana_pipelines.ui.address import is_below
from arcana_pipelines.web.gate import Gate
from arcana_pipelines.web.people.languages import COOKIE, Language, Words, accepted, is_language
from arcana_pipelines.web.people.rendering import render
from arcana_pipelines.web.people.sessions import SESSION_SECONDS, Session, Sessions
from arcana_pipelines.web.problems import Refused

SEARCH, STATE, DOCUMENT, REVIEW, LOG_IN, LOG_OUT, LINK, FEEDBACK = (
    "/", "/state", "/document", "/review", "/log-in", "/log-out", "/link", "/feedback"
)  # fmt: skip
_LANGUAGE_SECONDS = 365 * 24 * 3600
_LONGEST_NEXT = 8000  # characters
_MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser.

    Attributes:
        session: what its cookie says, or a new session.
        access: what the session's key may do; None: nobody has logged in.
        was_logged_in: a session or its key is over.
        words: the page in its language.
    """

    session: Session
    access: Access | None
    was_logged_in: bool
    words: Words

    @property
    def key(self) -> Access:
        """What the key may do of somebody who has logged in."""
        assert self.access is not None
        return self.access


class LogInFirst(Exception):
    """Somebody who has not logged in asks for what needs it."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__()
        self.visitor = visitor


class ComesFromElsewhere(Exception):
    """A link of another site leads here: asked for again by a page of ours, the browser says who it is."""


class Visitors:
    """Finds out who asks, and answers them."""

    def __init__(self, gate: Gate, sessions: Sessions) -> None:
        self._gate = gate
        self.sessions = sessions
        # Whether a key opens Dagster's UI, where that is served here.
        self.opens_ui: Callable[[Access], bool] = lambda access: False

    def session_of(self, request: HTTPConnection) -> Session | None:
        """The session that a cookie says; None where there is none that holds."""
        cookie = request.cookies.get(_cookie(request))
        return self.sessions.read(cookie) if cookie else None

    def access_of(self, request: HTTPConnection, session: Session, is_counted: bool = True) -> Access | None:
        """What the key of a session may do now; None: nobody has logged in, or it is over.

        Raises:
            Refused: 429: too many requests were made with the key, where this one is counted.
        """
        if session.key_id is None:
            return None
        return self._gate.access_again(request, session.key_id, session.hash, is_counted)

    def of(self, request: Request, is_counted: bool = True) -> Visitor:
        """Who asks.

        Raises:
            ComesFromElsewhere: a link of another site was followed, with which no browser sends the cookie.
            Refused: 429: too many requests were made with the key.
        """
        cookie = request.cookies.get(_cookie(request))
        if cookie is None and request.method == "GET" and _is_of_another_site(request):
            raise ComesFromElsewhere
        session = self.session_of(request)
        access = None if session is None else self.access_of(request, session, is_counted)
        was_logged_in = bool(cookie) and access is None and (session is None or session.key_id is not None)
        if session is None or was_logged_in:
            session = self.sessions.new()
        return Visitor(session, access, was_logged_in, words_of(request))

    def require_form(self, visitor: Visitor, form: Mapping[str, str]) -> None:
        """Refuse a form that this browser was not shown: another site's, say.

        Raises:
            Refused: 403.
        """
        if not self.sessions.is_of(visitor.session, form.get("form_token", "")):
            raise Refused(403, "form-over", "This form is over, or another's.")

    def logged_in(self, visitor: Visitor, access: Access) -> Visitor:
        """The visitor with a session of a key that opened something."""
        return replace(visitor, session=self.sessions.new(access.key_id), access=access)

    def logged_out(self, visitor: Visitor) -> Visitor:
        """The visitor with a session of nobody. The one before is over, also where its cookie was copied."""
        if visitor.access is not None:
            self._gate.end_session(visitor.session.hash, datetime.fromtimestamp(visitor.session.ends_at, UTC))
        return replace(visitor, session=self.sessions.new(), access=None)

    def page(self, request: Request, visitor: Visitor, template: str, status: int = 200, **given: Any) -> Response:
        """A page for a visitor."""
        response = render(
            template, visitor.words, status,
            access=visitor.access, form_token=self.sessions.form_token(visitor.session),
            opens_ui=visitor.access is not None and self.opens_ui(visitor.access),
            here=request.url.path, in_language=_in_language(request, visitor.words.language), **given,
        )  # fmt: skip
        self._remember(request, response, visitor)
        return response

    def go(self, request: Request, visitor: Visitor, where: str) -> Response:
        """Send a visitor on, by a page of ours."""
        response = RedirectResponse(where, 303)
        self._remember(request, response, visitor)
        return response

    def _remember(self, request: Request, response: Response, visitor: Visitor) -> None:
        is_secure = request.url.scheme == "https"
        if not _is_of_another_site(request):  # which would log out whoever is logged in
            response.set_cookie(
                _cookie(request), self.sessions.write(visitor.session), SESSION_SECONDS, path="/", secure=is_secure,
                httponly=True, samesite="strict",
            )  # fmt: skip
        if is_language(chosen := request.query_params.get("lang")):
            response.set_cookie(
                COOKIE, cast(str, chosen), _LANGUAGE_SECONDS, path="/", secure=is_secure, httponly=True, samesite="lax"
            )


def words_of(request: Request) -> Words:
    """The page in the language that was chosen now, or before, or that the browser prefers."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if is_language(chosen):
            return Words(cast(Language, chosen))
    return Words(accepted(request.headers.get("accept-language", "")))


def safe_next(where: str) -> str:
    """A place of the page to go on to: what was asked for if it is one, else the search. Never another host."""
    if len(where) > _LONGEST_NEXT or not where.isascii() or not where.isprintable() or "\\" in where:
        return SEARCH
    try:
        parts = urlsplit(where)
    except ValueError:
        return SEARCH
    if parts.scheme or parts.netloc or where.startswith("//"):
        return SEARCH
    if parts.path not in (SEARCH, STATE, DOCUMENT, REVIEW) and not is_below(parts.path):
        return SEARCH
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _logged_in(request: Request) -> Visitor:
    visitors: Visitors = request.app.state.visitors
    visitor = visitors.of(request)
    if visitor.access is None:
        raise LogInFirst(visitor)
    return visitor


async def form_of(request: Request) -> dict[str, str]:
    """What a form has sent.

    Raises:
        Refused: 422: it is no form of ours, which have few fields.
    """
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise Refused(422, "invalid-request", "") from error


LoggedIn = Annotated[Visitor, Depends(_logged_in)]
"""A route's parameter: somebody who has logged in."""

Form = Annotated[dict[str, str], Depends(form_of)]
"""A route's parameter: what a form has sent."""


def _is_of_another_site(request: Request) -> bool:
    return request.headers.get("sec-fetch-site") == "cross-site"


def _cookie(request: HTTPConnection) -> str:
    """Its name: with https one that no other host of the same domain can set."""
    return "__Host-arcana" if request.url.scheme in ("https", "wss") else "arcana"


def _in_language(request: Request, now: Language) -> dict[str, str]:
    """The address of this page in each language."""
    kept = request.url.remove_query_params("lang")
    # A form that was sent cannot be asked for again.
    path = SEARCH if request.method == "POST" and request.url.path not in (LOG_IN, LINK) else kept.path
    query = "" if request.method == "POST" else kept.query
    return {language: f"{path}?{query + '&' if query else ''}lang={language}" for language in ("en", "ko")}
