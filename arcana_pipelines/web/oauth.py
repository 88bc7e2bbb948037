"""Tokens of somebody else's issuer (OAuth 2.0, RFC 9068): whose they are, and what they may do here.

This is a resource server and nothing more: who logs in, and what they are told to be, is the issuer's business. What
a token does not say expressly it does not allow.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import urlsplit
from uuid import UUID

import jwt
from fastapi import FastAPI

from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.query import scalars
from arcana_pipelines.keys.access import Access, Allowance, Permission
from arcana_pipelines.keys.spelling import OF_ISSUER
from arcana_pipelines.settings import Settings
from arcana_pipelines.web.issuer import ALGORITHMS, Issuer
from arcana_pipelines.web.tokens import TokenScope
from arcana_pipelines.workspaces.workspaces import SLUG

METADATA = "/.well-known/oauth-protected-resource"
# What the names of those begin with who log in elsewhere: no key has such an id.
_LONGEST = 16_000  # characters
_NAME = re.compile("[^\0\ud800-\udfff]{1,200}")  # what a database can be asked for
_LEEWAY_SECONDS = 30  # that clocks may differ


@dataclass(frozen=True, slots=True)
class Granted:
    """What a good token of the issuer says.

    Attributes:
        name: stands for whose it is, in place of a key's id.
        company: the name of a company.
        scopes: those of ours.
        workspaces: slugs; None: all of the company's.
    """

    name: str
    company: str
    scopes: tuple[TokenScope, ...]
    workspaces: tuple[str, ...] | None


class OAuth:
    """Reads tokens of the issuer that the settings name."""

    def __init__(self, settings: Settings) -> None:
        assert settings.oauth_issuer is not None and settings.oauth_audience is not None
        self.issuer = Issuer(settings)
        self.audience = settings.oauth_audience
        self._company, self._workspaces = settings.oauth_company_claim, settings.oauth_workspaces_claim

    @property
    def metadata(self) -> str:
        """The address at which clients read where to log in (RFC 9728)."""
        parts = urlsplit(self.audience)
        return f"{parts.scheme}://{parts.netloc}{METADATA}{parts.path}"

    def read(self, token: str) -> Granted | None:
        """What a token grants; None where it is not good here, for whatever reason.

        Raises:
            IssuerAway: the key that would say so cannot be had.
        """
        if len(token) > _LONGEST:
            return None
        try:
            head = jwt.get_unverified_header(token)
            said = jwt.decode(token, options={"verify_signature": False})
            # Nobody is asked for keys because of what is not of this issuer anyway.
            if head.get("alg") not in ALGORITHMS or "kid" not in head or said.get("iss") != self.issuer.name:
                return None
            key = self.issuer.key(head["kid"])
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self.issuer.name,
                audience=self.audience,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        return self._granted(claims)

    def _granted(self, claims: Mapping[str, Any]) -> Granted | None:
        company = claims.get(self._company)
        said = _words(claims.get("scope", claims.get("scp")))
        scopes = tuple(scope for scope in get_args(TokenScope) if scope in said)
        workspaces = None if self._workspaces is None else _words(claims.get(self._workspaces))
        if not isinstance(company, str) or not _NAME.fullmatch(company) or not scopes or workspaces == ():
            return None
        name = hashlib.sha256(f"{self.issuer.name} {claims['sub']}".encode()).hexdigest()[:12]
        return Granted(f"{OF_ISSUER}{name}", company, scopes, workspaces)


def access_of_granted(database: Database, granted: Granted) -> Access | None:
    """What a token may do here; None where there is no such company, or none of the workspaces."""
    with database.connection() as connection:
        found: tuple[UUID, int | None, int | None] | None = connection.execute(
            "SELECT company_id, requests_per_minute, searches_per_month FROM company WHERE name = %s", [granted.company]
        ).fetchone()
    if found is None:
        return None
    company_id, *limits = found
    places: list[UUID | None] = [None]
    if granted.workspaces is not None:
        slugs = [slug for slug in granted.workspaces if SLUG.fullmatch(slug)]
        with database.connection(company_id) as connection:
            places = scalars(
                connection,
                "SELECT workspace_id FROM workspace WHERE company_id = %s AND slug = ANY(%s)",
                [company_id, slugs],
            )
    permissions = tuple(Permission(scope, place, None) for place in places for scope in granted.scopes)
    return (
        Access(granted.name, company_id, permissions, is_handed_on=True, of_company=Allowance(*limits))
        if permissions
        else None
    )


def add_metadata(app: FastAPI, oauth: OAuth) -> None:
    """Tell clients where to log in (RFC 9728)."""

    @app.get(f"{METADATA}/{{resource:path}}", include_in_schema=False)
    @app.get(METADATA, include_in_schema=False)
    def metadata() -> dict[str, Any]:
        return {
            "resource": oauth.audience,
            "authorization_servers": [oauth.issuer.name],
            "scopes_supported": list(get_args(TokenScope)),
            "bearer_methods_supported": ["header"],
        }


def _words(claim: object) -> tuple[str, ...]:
    """Words of a claim, which is a list of them or one text."""
    if isinstance(claim, str):
        return tuple(claim.split())
    return tuple(each for each in claim if isinstance(each, str)) if isinstance(claim, list) else ()
