"""Conversations over HTTP: questions that go on from those before, without the client sending them along."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from arcana_pipelines.conversations import conversations
from arcana_pipelines.conversations.conversations import Conversation
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import CursorRefused, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys.access import Access
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.web.gate import Gate, Keyed, lacking
from arcana_pipelines.web.problems import Refused, described
from arcana_pipelines.web.search_answer import SEARCH_ANSWERS, answer_of
from arcana_pipelines.web.searches import Searches

_EXAMPLE: dict[str, Any] = {"query": "and in Berlin?", "k": 3}

_Id = Annotated[UUID, Path(description="The `conversation_id` that beginning it gave.")]


class Begins(BaseModel):
    """Where a conversation is to search."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"workspace": "handbook"}})

    workspace: Annotated[str, Field(max_length=63)] = Field(description="The slug of a workspace.")
    index: Annotated[str, Field(max_length=63)] | None = Field(
        None, description="One of its indexes. Without it `default`."
    )


class Begun(BaseModel):
    """A conversation."""

    conversation_id: UUID
    workspace: str
    index: str
    expires_at: datetime = Field(description="From then on it is not there any more.")


class Asked(BaseModel):
    """A question of a conversation."""

    turn: int = Field(description="Its number in the conversation, from 1.")
    question: str
    asked_at: datetime


class Held(Begun):
    """A conversation with the last of its questions."""

    turns: list[Asked] = Field(description="The last 20 at most, oldest first.")


def add_conversations(app: FastAPI, gate: Gate, database: Database, searches: Searches) -> None:
    """Add the routes."""

    def found(access: Access, conversation_id: UUID) -> Conversation:
        _require_search(access)
        with database.connection(access.company_id) as connection:
            held = conversations.find(connection, conversation_id, access.key_id)
        # A token of the key may be for another workspace.
        if held is None or not access.sees(held.workspace_id):
            said = (
                "There is no conversation of this id that the key began (any more). POST /v1/conversations begins one."
            )
            raise Refused(404, "not-found", said)
        if not access.may_in("search", held.workspace_id, held.index):
            raise lacking(access, "search", held.workspace)
        return held

    @app.post("/v1/conversations", summary="Begin a conversation", tags=["conversations"], status_code=201,
              responses=described(401, 403, 404, 413, 415, 422, 503))  # fmt: skip
    def begin(access: Keyed, asked: Begins, response: Response) -> Begun:
        _require_search(access)
        index = asked.index or DEFAULT_INDEX
        opened = gate.index(access, "search", asked.workspace, index, is_counted=False)
        with database.connection(access.company_id) as connection:
            conversation_id, expires_at = conversations.begin(
                connection, access.company_id, opened.workspace_id, index, access.key_id,
                database.settings.conversation_days,
            )  # fmt: skip
        response.headers["Location"] = f"/v1/conversations/{conversation_id}"
        return Begun(conversation_id=conversation_id, workspace=opened.slug, index=index, expires_at=expires_at)

    @app.post("/v1/conversations/{conversation_id}/search", summary="Search with the questions before",
              tags=["search"], responses=SEARCH_ANSWERS,
              openapi_extra={"requestBody": {"content": {"application/json": {"example": _EXAMPLE}}}})  # fmt: skip
    def search(request: Request, access: Keyed, conversation_id: _Id, asked: SearchRequest) -> Response:
        held = found(access, conversation_id)
        if asked.earlier:
            raise WrongUse("A conversation has its own earlier questions: leave `earlier` out.")
        if asked.index not in (None, held.index):
            raise WrongUse(f"This conversation searches the index '{held.index}': leave `index` out, or begin another.")
        asked_after = _asked_after(held, asked)
        told = searches.told(
            access, held.workspace, replace(asked, index=held.index, earlier=held.asked_up_to(asked_after))
        )
        if asked.after is None:
            with database.connection(access.company_id) as connection:
                conversations.add_turn(connection, conversation_id, asked.query, asked_after)
        return answer_of(told, request)

    @app.get("/v1/conversations/{conversation_id}", summary="A conversation with its questions",
             tags=["conversations"], responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def look(access: Keyed, conversation_id: _Id, response: Response) -> Held:
        held = found(access, conversation_id)
        response.headers["Cache-Control"] = "private, no-store"
        return Held(
            conversation_id=conversation_id, workspace=held.workspace, index=held.index, expires_at=held.expires_at,
            turns=[Asked(turn=each.turn, question=each.question, asked_at=each.asked_at) for each in held.turns],
        )  # fmt: skip

    @app.delete("/v1/conversations/{conversation_id}", summary="Delete a conversation with its questions",
                tags=["conversations"], status_code=204, responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def delete(access: Keyed, conversation_id: _Id) -> None:
        found(access, conversation_id)
        with database.connection(access.company_id) as connection:
            conversations.delete(connection, conversation_id)


def _require_search(access: Access) -> None:
    """Refuse a key that may search nowhere, whatever it asks for.

    Raises:
        Refused: 403.
    """
    if not any(each.scope == "search" for each in access.permissions):
        raise lacking(access, "search")


def _asked_after(held: Conversation, asked: SearchRequest) -> int:
    """The number of the last turn that a question comes after; further hits of one come where it came.

    Raises:
        CursorRefused: further hits are asked for of what was not asked here.
    """
    if asked.after is None:
        return held.last
    turn = held.turn_of(asked.query)
    if turn is None:
        raise CursorRefused("This cursor belongs to no question of this conversation. Search again without it.")
    return turn.asked_after
