"""Who may come in: the key of a request, and whether it opens the workspace and the index that are asked for."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, NoReturn
from uuid import UUID

from fastapi import Depends, Path, Request
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from arcana_pipelines.caching.redis import RedisStore
from arcana_pipelines.db.engine import Database
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys.access import Access, Scope, access_by_id, access_of, begin_use, end_session
from arcana_pipelines.keys.asked import AskedIndex, AskedWorkspace, find_asked
from arcana_pipelines.keys.spelling import OF_ISSUER, id_of
from arcana_pipelines.observing import context
from arcana_pipelines.retrieval.filters import WITHOUT_INTERNAL, Limits
from arcana_pipelines.web.internal import Internal
from arcana_pipelines.web.issuer import IssuerAway
from arcana_pipelines.web.oauth import Granted, OAuth, access_of_granted
from arcana_pipelines.web.problems import RETRY_SECONDS, Refused
from arcana_pipelines.web.quota import Quotas
from arcana_pipelines.web.rates import Buckets, Rate, SharedBuckets, origin_of
from arcana_pipelines.web.tokens import Claims, Tokens
from arcana_pipelines.web.use import Use, use_now
from arcana_pipelines.workspaces.workspaces import SLUG

_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json", re.ASCII)
log = logging.getLogger(__name__)

BYTES = "application/octet-stream"
_REALM = 'Bearer realm="arcana"'


@dataclass(frozen=True, slots=True)
class Opened:
    """A workspace that a request's key opens for what it asks."""

    slug: str
    workspace_id: UUID
    platform: str
    index: AskedIndex | None = None
    """One that was asked for, as it was then."""
    limits: Limits = ()
    """Of the index: what a search there finds nothing beyond."""
    sees_internal: bool = False
    """Private notes and whatever else is internal are the key's business there. Said to the database with the company,
    which hides them else: `database.connection(access.company_id, opened.sees_internal)`."""

    @classmethod
    def of(cls, access: Access, asked: AskedWorkspace) -> Opened:
        """One that was asked for."""
        sees_internal = access.sees_internal(asked.workspace_id)
        return cls(asked.slug, asked.workspace_id, asked.platform, sees_internal=sees_internal)


class Gate:
    """Looks at the key of each request."""

    def __init__(self, database: Database, salt: str, redis: RedisStore | None = None) -> None:
        """`redis`: where servers share how often keys and companies ask."""
        self._database = database
        self._salt = salt
        self._requests, self._of_companies, self._refused = SharedBuckets(redis), SharedBuckets(redis), Buckets()
        self.tokens = Tokens(database.settings)
        self.oauth = OAuth(database.settings) if database.settings.oauth_issuer else None
        self._quotas = Quotas(database)
        self._internal = Internal(database)

    def access(self, request: HTTPConnection) -> Access:
        """What the request's key may do.

        Raises:
            Refused: 401: there is none, or it is wrong, mistyped, expired or revoked. 429: too many requests were made
                with it, or too many with others that open nothing from the same address. 503: it may be a good token of
                an issuer that cannot be asked.
        """
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Refused(401, "unauthorized", "Send a key: `Authorization: Bearer arc_…`.", self.challenge())
        key = key.strip()
        claims = self.tokens.read(key) if "." in key else None  # which every token has, and no key
        granted = self._granted(key) if "." in key and claims is None else None
        key_id = claims.key_id if claims else granted.name if granted else id_of(key)

        slug = request.path_params.get("slug")
        slug = slug if slug is not None and SLUG.fullmatch(slug) else None

        def find() -> Access | None:
            return access_of_granted(self._database, granted) if granted else self._access(key, claims, slug)

        return self._let_in(request, key_id, find)

    def log_in(self, request: Request, key: str) -> Access:
        """The same for a key that a person has typed. A token is none: its session would be one of its whole key.

        Raises:
            Refused: likewise, and a token is told as one.
        """
        if self.tokens.read(key) is not None:
            raise Refused(401, "is-token", "This is a token: log in with the key itself.")
        return self._let_in(request, id_of(key), lambda: self._access(key, None, None))

    def access_again(
        self, request: HTTPConnection, key_id: str, session_hash: bytes | None = None, is_counted: bool = True
    ) -> Access | None:
        """What the key of a session of ours may do now; None: it is over, or the session was ended.

        Raises:
            Refused: 429: too many requests were made with it, where this one is counted.
        """
        with self._database.connection() as connection:
            access = access_by_id(connection, key_id, session_hash=session_hash)
        if access is not None and is_counted:
            self._take(request, access)
        return access

    def first_use(self, request: Request, key_id: str) -> Access | None:
        """What a key may do that nobody has used before; None: somebody has, or it is over."""
        with self._database.connection() as connection:
            if not begin_use(connection, key_id):
                return None
        return self.access_again(request, key_id)

    def end_session(self, session_hash: bytes, ends_at: datetime) -> None:
        """Have a session of ours open nothing any more, whichever server is asked."""
        with self._database.connection() as connection:
            end_session(connection, session_hash, ends_at)

    def _let_in(self, request: HTTPConnection, key_id: str | None, find: Callable[[], Access | None]) -> Access:
        settings = self._database.settings
        origin = origin_of(request.client.host if request.client else "")
        refused = self._refused.look(origin, settings.refused_keys_per_minute)
        # Whoever guesses is not looked up. Behind a proxy others may come from there: a key that was good still opens.
        if refused.wait and key_id not in self._requests:
            raise _too_many(request, refused, "Too many keys that open nothing came from this address")
        access = find()
        if access is None:
            self._refused.take(origin, settings.refused_keys_per_minute)
            raise Refused(
                401,
                "unauthorized",
                "This key opens nothing (any more). Ask for another.",
                self.challenge("invalid_token"),
            )
        self._take(request, access)
        return access

    def _take(self, request: HTTPConnection, access: Access) -> None:
        """Count a request that is made with a good key."""
        use_now().access = access
        context.note(company=str(access.company_id))
        limit = access.allowance.requests_per_minute or self._database.settings.key_requests_per_minute
        rate = self._requests.take(access.key_id, limit)
        request.state.rate = rate
        if rate.wait:
            raise _too_many(
                request, rate, f"The key {access.key_id} may make {limit:,} requests a minute, and has", "key"
            )
        # Behind the key's own: one that asks too often takes nothing from the others.
        most = access.of_company.requests_per_minute
        if most is None:
            return
        of_company = self._of_companies.take(f"company:{access.company_id}", most)
        if of_company.wait:
            said = f"All keys of the company together may make {most:,} requests a minute, and have"
            raise _too_many(request, of_company, said, "company")
        if of_company.left < rate.left:
            request.state.rate = of_company

    def _access(self, key: str, claims: Claims | None, slug: str | None) -> Access | None:
        with self._database.connection() as connection:
            if claims is None:
                return access_of(connection, key, self._salt, slug)
            access = access_by_id(connection, claims.key_id, slug)
            return None if access is None else claims.of(access)

    def _granted(self, token: str) -> Granted | None:
        try:
            return self.oauth.read(token) if self.oauth else None
        except IssuerAway as error:
            log.warning("a token was not looked at: %s", error)
            said = "The issuer of this token cannot be asked for its keys now: try again in a moment."
            raise Refused(503, "unavailable", said, {"Retry-After": str(RETRY_SECONDS)}) from error

    def challenge(self, error: str | None = None) -> dict[str, str]:
        """What clients read that log in, where they can."""
        if self.oauth is None:
            return {"WWW-Authenticate": _REALM}
        told = f', error="{error}"' if error else ""
        return {"WWW-Authenticate": f'{_REALM}, resource_metadata="{self.oauth.metadata}"{told}'}

    def workspace(self, access: Access, scope: Scope, slug: str) -> Opened:
        """A workspace, which a key opens for this.

        Raises:
            Refused: 404: there is none, or it is not the key's business. 403: the key lacks the scope there.
        """
        return self._opened(access, scope, self._asked(access, slug))

    def index(self, access: Access, scope: Scope, slug: str, index: str | None, is_counted: bool = True) -> Opened:
        """The same for one index of it. With the scope `search` a search is counted, unless none is made now.

        Raises:
            Refused: likewise.
        """
        name = index or DEFAULT_INDEX
        asked = self._asked(access, slug)
        opened = self._opened(access, scope, asked)
        found = asked.index(name)
        if found is None or not access.may_in(scope, opened.workspace_id, name):
            said = (
                f"Workspace '{slug}' has no index of this name that the key opens. "
                f"GET /v1/workspaces/{slug}/indexes lists those that it reads."
            )
            raise Refused(404, "not-found", said)
        if scope == "search" and is_counted:
            self.count_search(access, use_now())
        limits = access.limits(opened.workspace_id, name)
        sees_internal = access.sees_internal(opened.workspace_id, name)
        if scope == "search" and not sees_internal and self._internal.is_in(access.company_id, asked):
            limits = (*limits, WITHOUT_INTERNAL)
        return replace(opened, index=found, limits=limits, sees_internal=sees_internal)

    def is_at_hand(self, access: Access, slug: str, index: str | None) -> bool:
        """Whether `index` opens this one for a search without the database."""
        asked = access.asked
        if asked is None or asked.slug != slug:
            return False
        return access.sees_internal(asked.workspace_id, index or DEFAULT_INDEX) or self._internal.is_known(asked)

    def count_search(self, access: Access, use: Use) -> None:
        """Count a search that is about to be made.

        Raises:
            Refused: 429: the key has made those of the month, or its company has.
        """
        self._quotas.take(access)
        use.undo = partial(self._quotas.give_back, access)

    def administers(self, access: Access) -> None:
        """Whether a key may change what is its whole company's.

        Raises:
            Refused: 403: it may not.
        """
        if not access.administers:
            said = (
                f"The key {access.key_id} lacks the scope 'admin' of its whole company. "
                "`arcana key create --company NAME --scope admin` makes one that has it."
            )
            raise Refused(403, "forbidden", said)

    def seen(self, access: Access, slug: str) -> Opened:
        """A workspace in which a key may do anything at all.

        Raises:
            Refused: 404: there is none, or it is not the key's business.
        """
        return Opened.of(access, self._asked(access, slug))

    def _opened(self, access: Access, scope: Scope, asked: AskedWorkspace) -> Opened:
        if not access.may(scope, asked.workspace_id):
            raise lacking(access, scope, asked.slug)
        context.note(workspace=asked.slug)
        return Opened.of(access, asked)

    def _asked(self, access: Access, slug: str) -> AskedWorkspace:
        asked = access.asked
        # A name that cannot be one is not asked for: PostgreSQL knows no NUL.
        if (asked is None or asked.slug != slug) and SLUG.fullmatch(slug):
            with self._database.connection() as connection:
                asked = find_asked(connection, access.company_id, slug)
        if asked is None or asked.slug != slug or not access.sees(asked.workspace_id):
            _unknown()
        use_now().workspace_id = asked.workspace_id
        return asked


def _too_many(request: HTTPConnection, rate: Rate, said: str, limit_of: str | None = None) -> Refused:
    request.state.rate = rate
    seconds = "1 second" if rate.wait == 1 else f"{rate.wait:,} seconds"
    return Refused(
        429, "rate-limited", f"{said}: try again in {seconds}.", {"Retry-After": str(rate.wait)}, limit_of=limit_of
    )


def lacking(access: Access, scope: Scope, slug: str = "SLUG") -> Refused:
    """What to say where a key lacks a scope, in the workspace that is named or anywhere."""
    if access.key_id.startswith(OF_ISSUER):
        said = f"The token of {access.key_id} lacks the scope '{scope}' there: ask who runs the log-in for it."
    else:
        made = f"`arcana key create --workspace {slug} --scope {scope}` makes one that has it."
        said = f"The key {access.key_id} lacks the scope '{scope}' there. {made}"
    return Refused(403, "forbidden", said)


def _unknown() -> NoReturn:
    said = "There is no workspace of this name that the key opens. GET /v1/workspaces lists them."
    raise Refused(404, "not-found", said)


def _require_json(request: Request) -> None:
    """Refuse a body of another kind, whatever it holds: forms of web pages can send those, and nothing else.

    Raises:
        Refused: 415.
    """
    if _has_body(request) and not _JSON.fullmatch(_kind(request)):
        raise Refused(415, "invalid-request", "Send the body as JSON: `Content-Type: application/json`.")


def _require_bytes(request: Request) -> None:
    """Refuse a body that is not said to be bytes: forms of web pages cannot say so.

    Raises:
        Refused: 415.
    """
    if _has_body(request) and _kind(request) != BYTES:
        raise Refused(415, "invalid-request", f"Send the file itself as the body: `Content-Type: {BYTES}`.")


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _require_known_parameters(request: Request) -> None:
    """Refuse what a route does not read: a filter that is mistyped would leave out nothing.

    Raises:
        Refused: 422.
    """
    known = {each.alias for each in request.scope["route"].dependant.query_params}
    if unknown := sorted(set(request.query_params) - known):
        said = f"There is no parameter '{unknown[0][:100]}' here. {_listed(known)}"
        raise Refused(422, "invalid-request", said)


def _listed(known: set[str]) -> str:
    return f"It is one of {', '.join(sorted(known))}." if known else "This route reads none."


# HTTPBearer describes the key in OpenAPI; the gate itself looks at it.
_BEARER = HTTPBearer(
    auto_error=False, bearerFormat="arc_…", description="A key that `arcana key create` made, or a token of one."
)


def _access(request: Request, _: Annotated[Any, Depends(_BEARER)]) -> Access:
    _require_json(request)
    gate: Gate = request.app.state.gate
    access = gate.access(request)
    _require_known_parameters(request)
    return access


def _access_with_bytes(request: Request, _: Annotated[Any, Depends(_BEARER)]) -> Access:
    gate: Gate = request.app.state.gate
    access = gate.access(request)
    _require_bytes(request)
    _require_known_parameters(request)
    return access


Keyed = Annotated[Access, Depends(_access)]
"""A route's parameter: what the request's key may do."""

KeyedBytes = Annotated[Access, Depends(_access_with_bytes)]
"""The same for a request whose body is a file."""

Slug = Annotated[str, Path(description="The slug of a workspace.", max_length=63, examples=["handbook"])]
"""A route's parameter: the name of a workspace, which the gate knows or not."""
