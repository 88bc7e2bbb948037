"""Conversations over HTTP: questions that go on from those before, without the client sending them along."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from arcana_pipelines.conversations import conversations
from arcana_pipelines.conversations.conversations import Conversation, Standing
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError, CursorRefused, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys.access import Access
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.web.gate import Gate, Keyed, lacking
from arcana_pipelines.web.kept_conversations import KeptConversations
from arcana_pipelines.web.problems import Refused, described
from arcana_pipelines.web.reads import ASKS_FOR_SEQ
from arcana_pipelines.web.search_answer import SEARCH_ANSWERS, answer_of
from arcana_pipelines.web.searches import Searches
from arcana_pipelines.web.use import use_now

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


def add_conversations(
    app: FastAPI, gate: Gate, database: Database, searches: Searches, kept: KeptConversations
) -> None:
    """Add the routes."""

    def found(access: Access, conversation_id: UUID) -> Conversation:
        _require_search(access)
        with database.connection(access.company_id) as connection:
            held = conversations.find(connection, conversation_id, access.key_id)
        # A token of the key may be for another workspace.
        if held is None or not access.sees(held.workspace_id):
            kept.drop(access, conversation_id)
            said = (
                "There is no conversation of this id that the key began (any more). POST /v1/conversations begins one."
            )
            raise Refused(404, "not-found", said)
        if not access.may_in("search", held.workspace_id, held.index):
            raise lacking(access, "search", held.workspace)
        return held

    def searched(
        access: Access, conversation_id: UUID, asked: SearchRequest, standing: Standing, is_kept: bool = False
    ) -> dict[str, Any] | None:
        """What is found after the questions so far, to which this is added; None: they were kept, and are others."""
        _require_fitting(asked, standing.index)
        told = searches.told(access, standing.workspace, replace(asked, index=standing.index, earlier=standing.earlier))
        as_kept = (standing, access.key_id) if is_kept else None
        with database.connection(access.company_id) as connection:
            added = conversations.add_turn(connection, conversation_id, asked.query, standing.turn, as_kept)
        if added is None:
            return None if is_kept else told
        after = standing.after(asked.query, added)
        if after is not None:
            kept.keep(access, conversation_id, after)
        return told

    def searched_as_kept(access: Access, conversation_id: UUID, asked: SearchRequest) -> dict[str, Any] | None:
        """The same without reading the conversation; None: it has to be read."""
        standing = kept.standing(access, conversation_id)
        if standing is None or not access.may_in("search", standing.workspace_id, standing.index):
            return None
        try:
            told = searched(access, conversation_id, asked, standing, is_kept=True)
        except (ArcanaError, Refused):
            if found(access, conversation_id).standing == standing:
                raise
            told = None
        if told is None:
            use_now().take_back()
            kept.was_wrong(access, conversation_id)
        return told

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
              dependencies=[ASKS_FOR_SEQ],
              openapi_extra={"requestBody": {"content": {"application/json": {"example": _EXAMPLE}}}})  # fmt: skip
    def search(request: Request, access: Keyed, conversation_id: _Id, asked: SearchRequest) -> Response:
        if asked.after is not None:
            held = found(access, conversation_id)
            _require_fitting(asked, held.index)
            earlier = held.asked_up_to(_asked_after(held, asked))
            further = searches.told(access, held.workspace, replace(asked, index=held.index, earlier=earlier))
            return answer_of(further, request)
        told = searched_as_kept(access, conversation_id, asked)
        if told is None:
            told = searched(access, conversation_id, asked, found(access, conversation_id).standing)
        assert told is not None
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
        kept.drop(access, conversation_id)


def _require_search(access: Access) -> None:
    """Refuse a key that may search nowhere, whatever it asks for.

    Raises:
        Refused: 403.
    """
    if not any(each.scope == "search" for each in access.permissions):
        raise lacking(access, "search")


def _require_fitting(asked: SearchRequest, index: str) -> None:
    """Refuse a request that says what the conversation says itself.

    Raises:
        WrongUse: it does.
    """
    if asked.earlier:
        raise WrongUse("A conversation has its own earlier questions: leave `earlier` out.")
    if asked.index not in (None, index):
        raise WrongUse(f"This conversation searches the index '{index}': leave `index` out, or begin another.")


def _asked_after(held: Conversation, asked: SearchRequest) -> int:
    """The number of the last turn that a question came after of which further hits are asked for.

    Raises:
        CursorRefused: it was not asked here.
    """
    turn = held.turn_of(asked.query)
    if turn is None:
        raise CursorRefused("This cursor belongs to no question of this conversation. Search again without it.")
    return turn.asked_after
