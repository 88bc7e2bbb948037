"""Tokens: what a key hands on to a program that should not have the key itself, for less and for an hour at most.

A token says which key it is of and how much of it, signed with JWT_SECRET. The key is looked up for each request, so
that a token is over with its key and never may what the key may not (any more).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID, uuid4

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arcana_pipelines.keys.access import Access
from arcana_pipelines.settings import Settings

# What administrators do outlasts an hour: a key that a token had made would be good for ever. So does what reviewers
# decide; and a token for that alone would be without the filters of the key's searches.
TokenScope = Literal["search", "read", "notes", "sync", "feedback"]
MOST_SECONDS = 3600

ISSUER = "urn:arcana"
_AUDIENCE = "urn:arcana:api"
_ALGORITHM = "HS256"
_LONGEST = 4000  # characters


class _Payload(BaseModel):
    """What a token holds, besides what every JWT has."""

    model_config = ConfigDict(extra="ignore", strict=True)

    sub: Annotated[str, Field(pattern="^[a-z2-7]{8}$")]
    scopes: list[TokenScope]
    workspace: str | None = None
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says.

    Attributes:
        key_id: the key that it was made of.
        scopes: what it is for.
        workspace_id: where it is for; None: wherever the key is.
        index: for which index there; None: for all.
    """

    key_id: str
    scopes: Sequence[TokenScope]
    workspace_id: UUID | None
    index: str | None

    def of(self, access: Access) -> Access:
        """What the key and the token both allow."""
        return replace(access.narrowed(self.workspace_id, self.index, self.scopes), is_handed_on=True)


class Tokens:
    """Makes tokens, and reads those that it has made. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else None

    @property
    def are_made(self) -> bool:
        """Whether there is a secret to sign them with."""
        return self._secret is not None

    def make(self, claims: Claims, seconds: int) -> tuple[str, datetime]:
        """A token that is good for so many seconds, and when it ends."""
        assert self._secret is not None
        now = datetime.now(UTC).replace(microsecond=0)
        ends = now + timedelta(seconds=seconds)
        payload: dict[str, object] = {
            "iss": ISSUER,
            "aud": _AUDIENCE,
            "iat": now,
            "exp": ends,
            "jti": str(uuid4()),
            "sub": claims.key_id,
            "scopes": list(claims.scopes),
        }
        if claims.workspace_id is not None:
            payload["workspace"] = str(claims.workspace_id)
        if claims.index is not None:
            payload["index"] = claims.index
        return jwt.encode(payload, self._secret, _ALGORITHM), ends

    def read(self, token: str) -> Claims | None:
        """What a token says; None where it is forged, over, or none of ours: which of these is nobody's business."""
        if self._secret is None or len(token) > _LONGEST:
            return None
        try:
            held = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=ISSUER,
                audience=_AUDIENCE,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
            payload = _Payload.model_validate(held)
            workspace_id = UUID(payload.workspace) if payload.workspace is not None else None
        except (jwt.InvalidTokenError, ValidationError, ValueError):
            return None
        return Claims(payload.sub, payload.scopes, workspace_id, payload.index)
