"""A key is exchanged for a token that may do less, for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.web.gate import Gate, Keyed, lacking
from arcana_pipelines.web.problems import Refused, described
from arcana_pipelines.web.tokens import MOST_SECONDS, Claims, TokenScope

_EXAMPLE: dict[str, Any] = {"workspace": "handbook", "scopes": ["search"], "seconds": 900}


class TokenRequest(BaseModel):
    """How much of the key a token is to be for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    workspace: Annotated[str, Field(max_length=63)] | None = Field(
        None, description="The slug of one workspace. Without it all that the key opens."
    )
    index: Annotated[str, Field(max_length=63)] | None = Field(None, description="One index of that workspace.")
    scopes: Annotated[list[TokenScope], Field(min_length=1, max_length=10)] | None = Field(
        None, description="Some of the key's. Without it all of them but `admin`, which no token has."
    )
    seconds: Annotated[int, Field(ge=1, le=MOST_SECONDS)] = Field(900, description="How long it is good.")


class Token(BaseModel):
    """A token, which is sent as a key is."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_at: datetime
    scopes: list[TokenScope] = Field(description="What it may do.")


def add_tokens(app: FastAPI, gate: Gate) -> None:
    """Add the route."""

    @app.post("/v1/tokens", summary="Make a token of a key, for less than the key may", tags=["keys"],
              status_code=201, responses=described(401, 403, 404, 413, 415, 422, 501, 503))  # fmt: skip
    def make(access: Keyed, asked: TokenRequest, response: Response) -> Token:
        if not gate.tokens.are_made:
            said = "This server makes no tokens: JWT_SECRET is not set, which `arcana config init` makes."
            raise Refused(501, "not-set-up", said)
        if access.is_handed_on:
            raise Refused(403, "forbidden", "A token is made of a key: send the key itself.")
        workspace_id = None
        if asked.index is not None and asked.workspace is None:
            raise WrongUse("index names an index of a workspace: give workspace with it.")
        if asked.workspace is not None:
            workspace_id = gate.seen(access, asked.workspace).workspace_id
        narrowed = access.narrowed(workspace_id, asked.index, asked.scopes or get_args(TokenScope))
        has = {each.scope for each in narrowed.permissions}
        missing = [scope for scope in asked.scopes or () if scope not in has]
        if missing:
            raise lacking(access, missing[0], asked.workspace or "SLUG")
        scopes: list[TokenScope] = [scope for scope in get_args(TokenScope) if scope in has]
        if not scopes:
            said = (
                f"The key {access.key_id} has no scope there that a token can have. `arcana key create --workspace "
                f"{asked.workspace or 'SLUG'} --scope search` makes one that has."
            )
            raise Refused(403, "forbidden", said)
        token, ends = gate.tokens.make(Claims(access.key_id, scopes, workspace_id, asked.index), asked.seconds)
        response.headers["Cache-Control"] = "no-store"
        return Token(token=token, expires_at=ends, scopes=scopes)
