"""The endpoints: requests checked as Notion checks them, answered from the world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arcana_pipelines.testing.notion_server.http import request_checks as checks
from arcana_pipelines.testing.notion_server.http.errors import (
    UNDEFINED,
    ApiError,
    failed_validation,
    invalid,
    invalid_url,
    not_found,
    restricted,
)
from arcana_pipelines.testing.notion_server.http.listing import (
    Cursors,
    Descending,
    envelope,
    page_by_id,
    page_size,
)
from arcana_pipelines.testing.notion_server.http.query import compile_filter, sort_key
from arcana_pipelines.testing.notion_server.markdown.pages import MarkdownVersion
from arcana_pipelines.testing.notion_server.model.ids import dashed
from arcana_pipelines.testing.notion_server.model.objects import Block, Database, DataSource, Json, Node, Page
from arcana_pipelines.testing.notion_server.wire import values
from arcana_pipelines.testing.notion_server.wire.wire import versioned
from arcana_pipelines.testing.notion_server.world.search_index import Indexed
from arcana_pipelines.testing.notion_server.world.world import NotionWorld

Answer: TypeAlias = "Json | bytes"
Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
N = TypeVar("N", bound=Node)

_CALLED: dict[type[Node], str] = {
    Page: "page",
    Block: "block",
    Database: "database",
    DataSource: "data_source",
}
_WRITES = (
    ("POST", "/v1/pages"),
    ("PATCH", "/v1/pages/{id}"),
    ("POST", "/v1/pages/{id}/move"),
    ("PATCH", "/v1/pages/{id}/markdown"),
    ("PATCH", "/v1/blocks/{id}"),
    ("DELETE", "/v1/blocks/{id}"),
    ("PATCH", "/v1/blocks/{id}/children"),
    ("POST", "/v1/databases"),
    ("PATCH", "/v1/databases/{id}"),
    ("POST", "/v1/data_sources"),
    ("PATCH", "/v1/data_sources/{id}"),
    ("POST", "/v1/comments"),
    ("POST", "/v1/file_uploads"),
)


class Api:
    """Answers requests.

    `admit` checks who asks and returns the API version; `finish` turns an answer into a response.
    """

    def __init__(
        self,
        world: NotionWorld,
        admit: Callable[[Request], str],
        finish: Callable[[Request, Answer], Response],
    ) -> None:
        self.world = world
        self.wire = world.wire
        self._admit = admit
        self._finish = finish
        self._cursors = Cursors()

    def routes(self) -> list[Route]:
        """The paths of the API, the busiest first."""
        reads: list[tuple[str, str, str | None, Callable[[Request], Answer]]] = [
            ("GET", "/v1/pages/{id}/markdown", "read_content", self.markdown),
            ("POST", "/v1/search", "read_content", self.search),
            ("GET", "/v1/pages/{id}", "read_content", self.page),
            ("POST", "/v1/data_sources/{id}/query", "read_content", self.query),
            ("GET", "/v1/data_sources/{id}", "read_content", self.data_source),
            ("GET", "/v1/databases/{id}", "read_content", self.database),
            ("GET", "/v1/blocks/{id}/children", "read_content", self.children),
            ("GET", "/v1/blocks/{id}", "read_content", self.block),
            ("GET", "/v1/pages/{id}/properties/{property_id}", "read_content", self.property),
            ("GET", "/v1/comments", "read_comments", self.comments),
            ("GET", "/v1/comments/{id}", "read_comments", self.comment),
            ("GET", "/v1/users", "read_users", self.users),
            ("GET", "/v1/users/me", None, self.me),
            ("GET", "/v1/users/{id}", "read_users", self.user),
        ]
        made = [
            Route(path, self._endpoint(handler, capability), methods=[method])
            for method, path, capability, handler in reads
        ]
        # The connection may only read: Notion refuses the rest for lack of a capability.
        return made + [Route(path, self._endpoint(_refuse, None), methods=[method]) for method, path in _WRITES]

    # --- users ---------------------------------------------------------------------------------

    def me(self, request: Request) -> Answer:
        """The connection itself."""
        return self.wire.user(self.world.bot)

    def user(self, request: Request) -> Answer:
        """One user."""
        user = self.world.users.get(_uuid(request.path_params["id"], "user_id"))
        if user is None:
            raise self._missing("user", request.path_params["id"])
        return self.wire.user(user)

    def users(self, request: Request) -> Answer:
        """All users, people first."""
        listed = sorted(self.world.users.values(), key=lambda user: user.type == "bot")
        size = page_size(request.query_params.get("page_size"), "query")
        cursor = request.query_params.get("start_cursor")
        if cursor is not None and dashed(cursor) is None:
            raise invalid(f"The start_cursor provided is invalid: {cursor}")
        page, following = page_by_id(listed, lambda user: user.id, cursor, size)
        return envelope("user", [self.wire.user(user) for user in page], following)

    # --- search and query ----------------------------------------------------------------------

    def search(self, request: Request) -> Answer:
        """Pages and data sources by title."""
        body: Json = request.state.body
        checks.only(body, {"query", "sort", "filter", "start_cursor", "page_size"})
        size = page_size(body.get("page_size"), "body")
        direction = checks.search_direction(body.get("sort"))
        kind, in_trash = checks.search_filter(body.get("filter"))
        words = checks.search_words(body.get("query"))

        def found() -> list[Indexed]:
            entries = self.world.search_index.entries()
            return [entry for entry in entries if _matches(entry, kind, in_trash, words)]

        def key(entry: Indexed) -> tuple[Any, ...]:
            moment = entry.edited.replace(second=0, microsecond=0)
            return (moment if direction == "ascending" else Descending(moment), entry.node.id)

        page, cursor, capped = self._cursors.page(
            found,
            key,
            request=body,
            size=size,
            revision=None if self.world.search_lag_seconds else self.world.revision,
            limit=self.world.search_result_limit,
        )
        results = [self._found(entry, request.state.version) for entry in page]
        return envelope("page_or_data_source", results, cursor, incomplete=capped)

    def query(self, request: Request) -> Answer:
        """The rows of a data source."""
        body: Json = request.state.body
        states = {"is_archived", "archived", "in_trash"}
        checks.only(body, {"filter", "sorts", "start_cursor", "page_size", "result_type", *states})
        source = self._path(request, "data_source_id", DataSource)
        size = page_size(body.get("page_size"), "body")
        wanted = compile_filter(self.wire, source, body["filter"]) if body.get("filter") else None
        order = sort_key(self.wire, source, body.get("sorts") or [])
        archived = bool(body.get("is_archived", body.get("archived", False)))
        trashed = bool(body.get("in_trash", False))
        only = _filter_properties(request, source)
        world = self.world

        def found() -> list[Page]:
            rows = [world.nodes[row] for row in source.children]
            return [
                row
                for row in rows
                if isinstance(row, Page)
                and row.is_archived == archived
                and row.in_trash == trashed
                and world.is_shared(row)
                and not world.is_buried(row)
                and (wanted is None or wanted(row))
            ]

        page, cursor, capped = self._cursors.page(
            found,
            order,
            request={**body, "": source.id},
            size=size,
            revision=world.revision,
            limit=world.query_result_limit,
        )
        results = [self.wire.page(row, request.state.version, only) for row in page]
        return envelope("page_or_data_source", results, cursor, incomplete=capped)

    # --- single objects ------------------------------------------------------------------------

    def page(self, request: Request) -> Answer:
        """A page."""
        page = self._path(request, "page_id", Page)
        source = self.world.parent_of(page)
        only = _filter_properties(request, source if isinstance(source, DataSource) else None)
        return self.wire.page(page, request.state.version, only)

    def data_source(self, request: Request) -> Answer:
        """A data source."""
        return self.wire.data_source(self._path(request, "data_source_id", DataSource), request.state.version)

    def database(self, request: Request) -> Answer:
        """A database."""
        return self.wire.database(self._path(request, "database_id", Database), request.state.version)

    def block(self, request: Request) -> Answer:
        """A block; pages and databases are blocks."""
        return self.wire.block(self._block(request.path_params["id"], "path"), request.state.version)

    def children(self, request: Request) -> Answer:
        """One level of content."""
        block = self._block(request.path_params["id"], "path")
        content = self.wire.content_of(block)
        if content is block and isinstance(block, Block) and block.payload.get("synced_from"):
            # Reported: the children of a copy whose original is out of reach cannot be listed.
            raise self._missing("block", block.payload["synced_from"]["block_id"])
        size = page_size(request.query_params.get("page_size"), "query")
        cursor = request.query_params.get("start_cursor")
        listed = self.world.live_children(content)
        page, following = page_by_id(listed, lambda node: node.id, cursor, size)
        return envelope("block", [self.wire.block(node, request.state.version) for node in page], following)

    def markdown(self, request: Request) -> Answer:
        """The content of a page, or of a block, as Markdown."""
        given = request.query_params
        version = checks.choice(
            "markdown_version", given.get("markdown_version", "v1"), ("v1", "v2"), '`"v1"`, `"v2"`,'
        )
        transcript = checks.choice(
            "include_transcript", given.get("include_transcript", "false"), ("true", "false"), "a boolean"
        )
        node = self._seen(request.path_params["id"], "page_id", "path")
        if isinstance(node, Database | DataSource):
            raise invalid(f"Provided ID {node.id} is a database, not a page. Use the retrieve database API instead.")
        assert isinstance(node, Page | Block)
        buried = node.in_trash or self.world.is_buried(node)
        if buried and not self.world.trashed_page_has_markdown:
            raise self._missing("page", node.id)
        chosen: MarkdownVersion = "v2" if version == "v2" else "v1"
        return self.world.markdown.body(node, chosen, transcript=transcript == "true")

    def property(self, request: Request) -> Answer:
        """The whole value of one property, in pages where it is a list."""
        page = self._path(request, "page_id", Page)
        wanted = request.path_params["property_id"]
        declared = values.find_column(self.world, page, wanted)
        if declared is None:
            raise ApiError(404, "object_not_found", f"Could not find property with name or id: {wanted}")
        if declared.type not in values.PAGED:
            return values.property_item(self.wire, page, declared)
        items, about = values.property_items(self.wire, page, declared)
        size = page_size(request.query_params.get("page_size"), "query")
        start = checks.counted(request.query_params.get("start_cursor"), len(items))
        end = start + size
        cursor = checks.counting_cursor(end) if end < len(items) else None
        body = envelope("property_item", items[start:end], cursor)
        if cursor and about.get("type") in ("number", "date"):
            about = {"type": "incomplete", "incomplete": {}, "function": about["function"]}
        path = f"https://api.notion.com/v1/pages/{page.id}/properties/{declared.id}"
        body["property_item"] = {
            "id": declared.id,
            "next_url": f"{path}?page_size={size}&start_cursor={cursor}" if cursor else None,
            "type": declared.type,
            declared.type: about,
        }
        return body

    # --- comments ------------------------------------------------------------------------------

    def comments(self, request: Request) -> Answer:
        """Open comments exactly at a page or block."""
        raw = request.query_params.get("block_id")
        if raw is None:
            raise failed_validation("query", "block_id", "defined", UNDEFINED)
        node = self._block(raw, "query")
        size = page_size(request.query_params.get("page_size"), "query")
        cursor = request.query_params.get("start_cursor")
        everything = self.world.comments.values()
        listed = [comment for comment in everything if comment.parent.id == node.id and not comment.resolved]
        page, following = page_by_id(listed, lambda comment: comment.id, cursor, size)
        return envelope("comment", [self.wire.comment(comment) for comment in page], following)

    def comment(self, request: Request) -> Answer:
        """One comment."""
        comment = self.world.comments.get(_uuid(request.path_params["id"], "comment_id"))
        parent = self.world.nodes.get(comment.parent.id) if comment else None
        if comment is None or parent is None or not self.world.is_shared(parent):
            raise self._missing("comment", request.path_params["id"])
        return self.wire.comment(comment)

    # --- inside --------------------------------------------------------------------------------

    def _endpoint(self, handler: Callable[[Request], Answer], capability: str | None) -> Handler:
        async def endpoint(request: Request) -> Response:
            if request.method == "POST":
                request.state.body = request.state.entry.body = checks.json_object(await request.body())
            # Recorded: an unknown path and a broken body are refused without a look at the token.
            request.state.version = self._admit(request)
            if capability is not None and capability not in self.world.capabilities:
                raise restricted()
            with self.world.lock:
                return self._finish(request, handler(request))

        return endpoint

    def _found(self, entry: Indexed, version: str) -> Json:
        if entry.body is not None:
            return versioned(dict(entry.body), version)
        if isinstance(entry.node, Page):
            return self.wire.page(entry.node, version)
        return self.wire.data_source(entry.node, version)

    def _path(self, request: Request, name: str, kind: type[N]) -> N:
        node = self._seen(request.path_params["id"], name, "path")
        if isinstance(node, kind):
            return node
        called, other = _CALLED[kind], _CALLED[type(node)]
        if "data_source" in (called, other):
            raise self._missing(called, node.id)
        raise invalid(f"Provided ID {node.id} is a {other}, not a {called}. Use the retrieve {other} API instead.")

    def _block(self, raw: str, where: str) -> Node:
        node = self._seen(raw, "block_id", where)
        if isinstance(node, DataSource):
            raise self._missing("block", node.id)
        return node

    def _seen(self, raw: str, name: str, where: str) -> Node:
        node = self.world.nodes.get(_uuid(raw, name, where))
        if node is None or not self.world.is_shared(node):
            raise self._missing(name.removesuffix("_id"), dashed(raw) or raw)
        return node

    def _missing(self, kind: str, node_id: str) -> ApiError:
        bot = self.world.bot
        return not_found(kind, node_id, integration=bot.name, integration_id=bot.id)


def _matches(entry: Indexed, kind: str | None, in_trash: bool | None, words: list[str]) -> bool:
    is_page = isinstance(entry.node, Page)
    if kind is not None and is_page != (kind == "page"):
        return False
    if in_trash is None:
        # Recorded: data sources in the trash are found by default, pages in the trash are not.
        if entry.buried or (entry.in_trash and is_page):
            return False
    elif entry.in_trash != in_trash or (entry.buried and not in_trash):
        return False
    title = entry.title.casefold()
    return all(word in title for word in words)


def _uuid(raw: str, name: str, where: str = "path") -> str:
    node_id = dashed(raw)
    if node_id is None:
        raise failed_validation(where, name, "a valid uuid", raw)
    return node_id


def _filter_properties(request: Request, source: DataSource | None) -> set[str] | None:
    given = request.query_params.getlist("filter_properties")
    given += request.query_params.getlist("filter_properties[]")
    if not given:
        return None
    known = {"title"}
    for declared in source.schema.values() if source else ():
        known |= {declared.name, declared.id, unquote(declared.id)}
    for wanted in given:
        if wanted not in known:
            raise invalid(f"Could not find property with name or id: {wanted}")
    return set(given)


def _refuse(request: Request) -> Answer:
    raise restricted()


async def unknown_path(request: Request) -> Response:
    """No such endpoint."""
    raise invalid_url()
