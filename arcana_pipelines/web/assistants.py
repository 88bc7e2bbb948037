"""Assistants over MCP: what a key opens, they search and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from mcp.server import MCPServer
from mcp.server.context import CallNext, ServerRequestContext
from mcp_types import CallToolResult, TextContent
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys.access import Access
from arcana_pipelines.mcp.http import PATH, make_http_app
from arcana_pipelines.mcp.ids import read_id
from arcana_pipelines.mcp.reach import Reach
from arcana_pipelines.mcp.server import SEARCHES, make_server
from arcana_pipelines.retrieval.results import Results, TopicFacet
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.topic_facets import topic_facets
from arcana_pipelines.web.gate import Gate, Opened
from arcana_pipelines.web.problems import Refused, answer
from arcana_pipelines.web.reads import Reads
from arcana_pipelines.web.searches import Searches
from arcana_pipelines.web.use import Part, Use
from arcana_pipelines.workspaces.workspaces import slugs_of_company


def assistants(database: Database, gate: Gate, searches: Searches, reads: Reads) -> MCPServer[Any]:
    """The MCP server, whose tools reach what the key of a request opens. Its sessions are the host's to run."""

    def reach_of(request: Any) -> Reach:
        access: Access = request.state.access
        use: Use = request.state.use
        with database.connection(access.company_id) as connection:
            known = slugs_of_company(connection, access.company_id)
        request.state.workspaces = dict(known)
        scopes: tuple[Literal["search", "read", "notes"], ...] = ("search", "read", "notes")
        search, read, internal = (
            tuple(slug for slug, workspace_id in known if access.may_in(scope, workspace_id, DEFAULT_INDEX))
            for scope in scopes
        )

        def open_index(slug: str) -> Opened:
            try:
                return gate.index(access, "search", slug, DEFAULT_INDEX, is_counted=False)
            except Refused as error:  # it was removed meanwhile
                raise WrongUse(error.detail) from error

        def find(slug: str, asked: SearchRequest) -> Results:
            before = use.tokens or 0
            opened = open_index(slug)
            found = searches.search_in(access, opened, asked)
            use.parts[opened.workspace_id] = Part((use.tokens or 0) - before)
            return found

        def topics(slug: str, topic: str | None) -> list[TopicFacet]:
            opened = open_index(slug)
            return reads.read(
                access.company_id,
                opened,
                lambda connection: topic_facets(connection, opened.workspace_id, topic, limits=opened.limits),
            )

        return Reach(search, read, access.company_id, find, internal, topics)

    def read_for(company: UUID | None, sees_internal: bool, work: Callable[[Connection], Any]) -> Any:
        assert company is not None
        return reads.read_any(company, sees_internal, work)

    server = make_server(database, reach_of, read_for=read_for)
    server.middleware.append(_Counted(gate))
    return server


def add_assistants(app: FastAPI, gate: Gate, server: MCPServer[Any], names: Sequence[str]) -> None:
    """Answer them at /mcp. As a route and not mounted: that would take every path, or redirect this one."""
    app.router.routes.append(Route(PATH, _Keyed(gate, make_http_app(server, names))))


class _Keyed:
    """Lets requests in that have a key."""

    def __init__(self, gate: Gate, app: ASGIApp) -> None:
        self._gate, self._app = gate, app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            scope["state"]["use"].action = "mcp"
            scope["state"]["access"] = await run_sync(self._gate.access, request)
        except Refused as error:
            await answer(request, error.status, error.kind, error.detail, error.headers, **error.more)(
                scope, receive, send
            )
            return
        await self._app(scope, receive, send)


class _Counted:
    """Counts the searches of assistants, as those of other programs are counted."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> Any:
        if ctx.method != "tools/call" or (ctx.params or {}).get("name") not in SEARCHES:
            return await call_next(ctx)
        state = cast(Request, ctx.request).state
        use: Use = state.use
        use.action = "search"
        try:
            await run_sync(self._gate.count_search, state.access, use)
        except Refused as error:
            use.status = error.status
            return CallToolResult(content=[TextContent(type="text", text=error.detail)], is_error=True)
        answered = await call_next(ctx)
        if isinstance(answered, dict):
            found = answered.get("structuredContent")
            use.status = 422 if answered.get("isError") else None
            if found:
                _note_shown(use, state.workspaces, found)
        return answered


def _note_shown(use: Use, workspaces: Mapping[str, UUID], found: dict[str, Any]) -> None:
    """Note of each workspace that was searched what the assistant was shown of it. Those of which it was shown nothing,
    while others answered, were asked nothing that has to be known."""
    shown: dict[UUID, list[tuple[str, int]]] = {}
    for each in found["results"] or found["nearest"]:
        named = read_id(each["id"])
        shown.setdefault(workspaces[named.workspace], []).append((named.document_id, (named.passage or 1) - 1))
    is_answered = bool(found["results"])
    use.hits = len(found["results"])
    for workspace_id, part in use.parts.items():
        part.hits = len(shown.get(workspace_id, ())) if is_answered else 0
    use.asked = [
        replace(asked, shown=tuple(shown.get(asked.workspace_id, ())), is_answered=is_answered)
        for asked in use.asked
        if not is_answered or asked.workspace_id in shown
    ]
