"""Assistants over MCP: what a key opens, they search and read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from mcp.server import MCPServer
from mcp.server.context import CallNext, ServerRequestContext
from mcp_types import CallToolResult, TextContent
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from arcana_pipelines.db.engine import Database
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys.access import Access
from arcana_pipelines.learning.answers import Asked
from arcana_pipelines.learning.questions import kept
from arcana_pipelines.mcp.http import PATH, make_http_app
from arcana_pipelines.mcp.ids import read_id
from arcana_pipelines.mcp.reach import Reach
from arcana_pipelines.mcp.server import SEARCHES, make_server
from arcana_pipelines.settings import Settings
from arcana_pipelines.web.gate import Gate
from arcana_pipelines.web.problems import Refused, answer
from arcana_pipelines.web.use import Use
from arcana_pipelines.workspaces.workspaces import slugs_of_company


def assistants(database: Database, gate: Gate) -> MCPServer[Any]:
    """The MCP server, whose tools reach what the key of a request opens. Its sessions are the host's to run."""

    def reach_of(request: Any) -> Reach:
        access: Access = request.state.access
        with database.connection(access.company_id) as connection:
            known = slugs_of_company(connection, access.company_id)
        request.state.workspaces = dict(known)
        search, read = (
            tuple(slug for slug, workspace_id in known if access.may_in(scope, workspace_id, DEFAULT_INDEX))
            for scope in ("search", "read")
        )
        limits = {slug: access.limits(workspace_id, DEFAULT_INDEX) for slug, workspace_id in known}
        return Reach(search, read, access.company_id, limits)

    server = make_server(database, reach_of)
    server.middleware.append(_Counted(gate, database.settings))
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
            await answer(request, error.status, error.kind, error.detail, error.headers)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class _Counted:
    """Counts the searches of assistants, as those of other programs are counted."""

    def __init__(self, gate: Gate, settings: Settings) -> None:
        self._gate, self._settings = gate, settings

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
            use.hits = len(found["results"]) if found else None
            if found and use.status is None and not use.asked:  # the search may have noted it itself
                use.asked += _asked(self._settings, state.access, state.workspaces, ctx.params or {}, found)
        return answered


def _asked(
    settings: Settings, access: Access, workspaces: Mapping[str, UUID], params: Mapping[str, Any], found: dict[str, Any]
) -> Iterator[Asked]:
    """What an assistant asked, and what it was shown: of several workspaces those that had something, or else all."""
    arguments = params.get("arguments") or {}
    question = kept(str(arguments.get("query", "")), access.company_id, settings)
    shown: dict[str, list[tuple[str, int]]] = {}
    if not found["results"]:
        opened = (slug for slug, each in workspaces.items() if access.may_in("search", each, DEFAULT_INDEX))
        shown = {slug: [] for slug in arguments.get("workspaces") or opened}
    for each in found["results"] or found["nearest"]:
        named = read_id(each["id"])
        shown.setdefault(named.workspace, []).append((named.document_id, (named.passage or 1) - 1))
    for slug, chunks in shown.items():
        yield Asked(workspaces[slug], DEFAULT_INDEX, question, tuple(chunks), bool(found["results"]), False, False)
