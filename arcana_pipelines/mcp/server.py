"""The MCP server: its tools and resources, which search and read within a caller's reach."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Annotated, Any, TypeVar
from uuid import UUID

import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

import arcana_pipelines
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.errors import FAULTS_OF_THE_INSTALLATION, ArcanaError, UnknownDocument, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.mcp import sizes
from arcana_pipelines.mcp.answers import (
    MOST_HITS,
    MOST_LISTED,
    NOTICE,
    AddressOf,
    DocumentAnswer,
    DocumentsAnswer,
    RelatedAnswer,
    SearchAnswer,
    WorkspacesAnswer,
    document_answer,
    documents_answer,
    related_answer,
    search_answer,
    workspaces_answer,
)
from arcana_pipelines.mcp.first_passages import first_passages
from arcana_pipelines.mcp.ids import HOW, Named, is_id, read_id
from arcana_pipelines.mcp.reach import Reach, ReachOf, ReadFor
from arcana_pipelines.mcp.several import search_all
from arcana_pipelines.mcp.tickets import MOST_LISTED as MOST_TICKETS
from arcana_pipelines.mcp.tickets import TOOLS as OF_TICKETS
from arcana_pipelines.mcp.tickets import (
    StatsAnswer,
    TicketAnswer,
    TicketsAnswer,
    are_there,
    stats_answer,
    ticket_answer,
    tickets_answer,
    tickets_of,
)
from arcana_pipelines.mcp.topics import TOOLS as OF_TOPICS
from arcana_pipelines.mcp.topics import TopicsAnswer, topics_answer
from arcana_pipelines.mcp.topics import are_there as are_topics_there
from arcana_pipelines.retrieval.chunks import passages_of
from arcana_pipelines.retrieval.filters import Filters, Kind, PropertyCondition
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.retrieval.searchers import Searchers
from arcana_pipelines.retrieval.served import (
    RelatedDocument,
    ServedDocument,
    ServedWorkspace,
    external_id_of,
    path_of,
    related_documents,
    served_documents,
    served_workspaces,
)
from arcana_pipelines.retrieval.topic_facets import topic_facets
from arcana_pipelines.retrieval.whole_document import Document, find_document
from arcana_pipelines.retrieval.workspace_named import workspace_named
from arcana_pipelines.tickets.repository import SyncTicketRepository

log = logging.getLogger(__name__)

_ONLY_READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_INSTRUCTIONS = (
    "Searches and reads the documents of the workspaces that list_workspaces names. Search first, then fetch what "
    "looks right, and cite each document by its url. " + NOTICE
)
# What a description names at most; there may be thousands.
_MOST_NAMED = 10
_DESCRIBED = {"search"}
# The tools that search.
SEARCHES = frozenset({"search", "search_with_filters"})
_MOST_COMPANIES = 100

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Read = TypeVar("_Read")
_PAGE = "a page (its id, its address, or its exact title)"
_Id = Annotated[str, Field(description=HOW, max_length=200)]
_Workspace = Annotated[str, Field(description="As `list_workspaces` names it.")]


def make_server(
    database: Database, reach_of: ReachOf, address_of: AddressOf | None = None, read_for: ReadFor | None = None
) -> MCPServer[Any]:
    """A server whose tools search and read in the workspaces that a request may reach.

    Args:
        database: opened as the role that may only search.
        reach_of: asked for each request, in a thread. It gets the HTTP request, or None over stdio. An `ArcanaError`
            that it raises is told in its words.
        address_of: the address of a document that has none in its source. Without it that of its resource,
            `arcana://handbook/documents/…`.
        read_for: where documents are read: from a replica, maybe. Without it from the database.
    """
    server: MCPServer[Any] = MCPServer(
        "arcana",
        title="Arcana",
        instructions=_INSTRUCTIONS,
        version=arcana_pipelines.__version__,
        subscriptions=False,
        # Descriptions and documents are those of one caller.
        cache_hints={"tools/list": CacheHint(60_000, "private"), "resources/read": CacheHint(0, "private")},
    )
    libraries = _Libraries(database, address_of or (lambda named: named.uri), read_for)
    _add_tools(server, libraries, reach_of)
    _add_resources(server, libraries, reach_of)
    server.middleware.append(_Describing(libraries, reach_of))
    return server


class _Libraries:
    """The library of each company, with and without what is internal."""

    def __init__(self, database: Database, address_of: AddressOf, read_for: ReadFor | None) -> None:
        self._database = database
        self._address_of = address_of
        self._read_for = read_for
        self._searchers = Searchers(database)
        self._of_company = lru_cache(_MOST_COMPANIES)(self._new)

    def of(self, reach: Reach, slug: str | None = None) -> _Library:
        """What a caller reads from, in this workspace; without one, what is told of all of them."""
        return self._of_company(reach.company, slug in reach.internal)

    def page(self, reach: Reach, slugs: tuple[str, ...], page: str | None) -> tuple[tuple[str, ...], str | None]:
        """A page as filters name it, and the workspaces that it may be in: an id of ours says which."""
        if page is None or not is_id(page):
            return slugs, page
        named = read_id(page)
        slug = Reach.of(slugs).readable(named.workspace)
        return (slug,), self.of(reach, slug).page(slug, named)

    def _new(self, company: UUID | None, sees_internal: bool) -> _Library:
        database = self._database if company is None else self._database.for_company(company, sees_internal)
        searcher = partial(self._searchers.of, company, sees_internal=sees_internal)
        read = None if self._read_for is None else partial(self._read_for, company, sees_internal)
        return _Library(database, searcher, self._address_of, read)


class _Library:
    """What the tools do, for a caller whose reach is known."""

    def __init__(
        self,
        database: Database,
        searcher: Callable[..., Searcher],
        address_of: AddressOf,
        read: Callable[[Callable[[Connection], Any]], Any] | None = None,
    ) -> None:
        self._database = database
        self._searcher = searcher
        self._address_of = address_of
        self._read_elsewhere = read

    def _read(self, work: Callable[[Connection], _Read]) -> _Read:
        if self._read_elsewhere is not None:
            read: _Read = self._read_elsewhere(work)
            return read
        with self._database.connection() as connection:
            return work(connection)

    def search(self, reach: Reach, slugs: tuple[str, ...], request: SearchRequest) -> SearchAnswer:
        def search(slug: str) -> Results:
            return reach.find(slug, request) if reach.find else self._searcher((slug,)).search(request)

        return search_answer(search_all(search, slugs, request.k), self._address_of)

    def fetch(self, reach: Reach, named: Named) -> DocumentAnswer:
        slug = reach.readable(named.workspace)

        def read(connection: Connection) -> tuple[Document, list[str], Sequence[int]]:
            workspace_id = workspace_named(connection, slug)
            document = find_document(connection, workspace_id, named.document_id, DEFAULT_INDEX)
            parts = sizes.parts(document.text, sizes.TEXT_TOKENS)
            if len(parts) == 1:
                return document, parts, [1]
            return document, parts, first_passages(parts, passages_of(connection, workspace_id, document.document_id))

        try:
            document, parts, first = self._read(read)
        except UnknownDocument as error:
            raise UnknownDocument(f"{error} {HOW}") from error
        return document_answer(document, named, parts, first, self._address_of)

    def documents(self, slug: str, below: str | None, after: Named | None) -> DocumentsAnswer:
        if after is not None and after.workspace != slug:
            raise WrongUse(f"`after` is the id of a document of another workspace than {slug}.")

        def read(connection: Connection) -> list[ServedDocument]:
            workspace_id = workspace_named(connection, slug)
            last = None if after is None else path_of(connection, workspace_id, UUID(after.document_id))
            return served_documents(connection, workspace_id, Filters(below), last, MOST_LISTED + 1)

        return documents_answer(slug, self._read(read), self._address_of)

    def related(self, slug: str, named: Named) -> RelatedAnswer:
        def read(connection: Connection) -> list[RelatedDocument]:
            return related_documents(connection, workspace_named(connection, slug), UUID(named.document_id))

        return related_answer(slug, self._read(read), self._address_of)

    def page(self, slug: str, named: Named) -> str:
        with self._database.connection() as connection:
            workspace_id = workspace_named(connection, slug)
            return external_id_of(connection, workspace_id, UUID(named.document_id))

    def tickets(self, reach: Reach, slug: str) -> SyncTicketRepository:
        # Without a company it is the database's user who sees them, or not.
        return tickets_of(self._database, slug, reach.company is None or slug in reach.internal)

    def has_tickets(self, reach: Reach) -> bool:
        return are_there(self._database, reach.read)

    def topics(self, reach: Reach, slug: str, topic: str | None) -> TopicsAnswer:
        if reach.topics:
            return topics_answer(reach.topics(slug, topic))
        with self._database.connection() as connection:
            return topics_answer(topic_facets(connection, workspace_named(connection, slug), topic))

    def has_topics(self, reach: Reach) -> bool:
        return are_topics_there(self._database, reach.search)

    def workspaces(self, reach: Reach) -> list[ServedWorkspace]:
        with self._database.connection() as connection:
            return served_workspaces(connection, reach.all)


def _add_tools(server: MCPServer[Any], libraries: _Libraries, reach_of: ReachOf) -> None:
    def tool(title: str) -> Callable[[_Function], _Function]:
        def add(function: _Function) -> _Function:
            said = " ".join((function.__doc__ or "").split())
            server.add_tool(function, title=title, description=said, annotations=_ONLY_READS)
            return function

        return add

    @tool("Search documents")
    def search(
        query: Annotated[str, Field(description="What a person would ask, in any language.")], ctx: Context[Any, Any]
    ) -> SearchAnswer:
        """Search all workspaces for passages of documents that answer a question: at most ten, best first."""
        with _in_words(ctx.request_context.request, ToolError):
            reach = reach_of(ctx.request_context.request)
            return libraries.of(reach).search(reach, reach.searchable([]), SearchRequest(query, MOST_HITS))

    @tool("Read a document")
    def fetch(id: _Id, ctx: Context[Any, Any]) -> DocumentAnswer:
        """Read a document that `search` has found, as Markdown. Of a long one the part with the passage that the id
        names; `metadata.parts` has the ids of the others."""
        with _in_words(ctx.request_context.request, ToolError):
            reach = reach_of(ctx.request_context.request)
            named = read_id(id)
            return libraries.of(reach, named.workspace).fetch(reach, named)

    @tool("List workspaces")
    def list_workspaces(ctx: Context[Any, Any]) -> WorkspacesAnswer:
        """The workspaces that can be searched, with how many documents each has and how fresh they are."""
        with _in_words(ctx.request_context.request, ToolError):
            reach = reach_of(ctx.request_context.request)
            return workspaces_answer(libraries.of(reach).workspaces(reach), reach.search, reach.read)

    @tool("List documents")
    def list_documents(
        workspace: _Workspace,
        ctx: Context[Any, Any],
        below: Annotated[str | None, Field(description=f"Only {_PAGE} and what is below it.")] = None,
        after: Annotated[str | None, Field(description="`next` of the answer before.")] = None,
    ) -> DocumentsAnswer:
        """The documents of a workspace without their texts, in the order of their tree."""
        with _in_words(ctx.request_context.request, ToolError):
            reach = reach_of(ctx.request_context.request)
            slug = reach.readable(workspace)
            _, page = libraries.page(reach, (slug,), below)
            return libraries.of(reach, slug).documents(slug, page, read_id(after) if after else None)

    @tool("List related documents")
    def related_documents(id: _Id, ctx: Context[Any, Any]) -> RelatedAnswer:
        """The documents above a document and directly below it, those that it links to, those that link to it, and
        summaries, translations and copies."""
        with _in_words(ctx.request_context.request, ToolError):
            named = read_id(id)
            reach = reach_of(ctx.request_context.request)
            return libraries.of(reach, named.workspace).related(reach.readable(named.workspace), named)

    @tool("Search with filters")
    def search_with_filters(
        query: Annotated[str, Field(description="What a person would ask, in any language.")],
        ctx: Context[Any, Any],
        workspaces: Annotated[list[str], Field(description="Only these workspaces.", max_length=20)] = [],  # noqa: B006
        below: Annotated[str | None, Field(description=f"Only {_PAGE} and what is below it.")] = None,
        kinds: Annotated[
            list[Kind],
            Field(description="Only such documents; `notes` are private ones of tickets."),
        ] = [],  # noqa: B006
        where: Annotated[
            list[str],
            Field(
                description="Conditions on properties of rows and tickets, which all have to hold: `Status=Done`, "
                "`Cost>=100`, `Owner~Kim` (contains), `Tags!=urgent`, `Due<2026-02-01`, `Due=2026-02`."
            ),
        ] = [],  # noqa: B006
        edited_since: Annotated[datetime | None, Field(description="Only what was edited then or later.")] = None,
        links_to: Annotated[str | None, Field(description=f"Only what links to {_PAGE}.")] = None,
        topic: Annotated[
            str | None, Field(description="Only what is about a topic of `list_topics`, or one below it.")
        ] = None,
        as_of: Annotated[datetime | None, Field(description="What was found at that past time.")] = None,
    ) -> SearchAnswer:
        """Search as `search` does, among some of the documents only."""
        with _in_words(ctx.request_context.request, ToolError):
            reach = reach_of(ctx.request_context.request)
            slugs, page = libraries.page(reach, reach.searchable(workspaces), below)
            slugs, linked = libraries.page(reach, slugs, links_to)
            conditions = [PropertyCondition.parse(condition) for condition in where]
            filters = Filters(page, kinds, conditions, _in_utc(edited_since), linked, topic=topic)
            request = SearchRequest(query, MOST_HITS, filters=filters, as_of=_in_utc(as_of))
            return libraries.of(reach).search(reach, slugs, request)

    @tool("List topics")
    def list_topics(
        workspace: _Workspace,
        ctx: Context[Any, Any],
        topic: Annotated[str | None, Field(description="Those below it; without it the uppermost.")] = None,
    ) -> TopicsAnswer:
        """The topics that documents of a workspace are about, a tree, with how many documents each has."""
        with _in_words(ctx.request_context.request, ToolError):
            reach = reach_of(ctx.request_context.request)
            (slug,) = reach.searchable([workspace])
            return libraries.of(reach, slug).topics(reach, slug, topic)

    @tool("List support tickets")
    def list_tickets(
        workspace: _Workspace,
        ctx: Context[Any, Any],
        status: Annotated[str | None, Field(description="As `ticket_stats` names it: `Open`.")] = None,
        priority: Annotated[str | None, Field(description="As `ticket_stats` names it: `High`.")] = None,
        assignee_email: Annotated[str | None, Field(description="Of who works on it.")] = None,
        updated_since: Annotated[datetime | None, Field(description="Only what changed then or later.")] = None,
        updated_before: Annotated[datetime | None, Field(description="Only what changed before that time.")] = None,
        after: Annotated[str | None, Field(description="`next` of the answer before.", max_length=200)] = None,
    ) -> TicketsAnswer:
        """The support tickets of a workspace without their texts, those that changed last first."""
        with _in_words(ctx.request_context.request, ToolError):
            reach = reach_of(ctx.request_context.request)
            slug = reach.readable(workspace)
            page = (
                libraries.of(reach, slug)
                .tickets(reach, slug)
                .get_tickets(
                    status=status,
                    priority=priority,
                    assignee_email=assignee_email,
                    date_range=(_in_utc(updated_since), _in_utc(updated_before)),
                    limit=MOST_TICKETS,
                    after=after,
                )
            )
            return tickets_answer(page)

    @tool("Read a support ticket")
    def get_ticket(
        workspace: _Workspace,
        ticket: Annotated[str, Field(description="Its number, as `list_tickets` has it.", max_length=200)],
        ctx: Context[Any, Any],
        part: Annotated[int, Field(description="Of a long one: which part.", ge=1)] = 1,
    ) -> TicketAnswer:
        """Read a support ticket: what was asked, and the messages."""
        with _in_words(ctx.request_context.request, ToolError):
            reach = reach_of(ctx.request_context.request)
            slug = reach.readable(workspace)
            return ticket_answer(libraries.of(reach, slug).tickets(reach, slug).get_ticket_by_id(ticket), part)

    @tool("Count support tickets")
    def ticket_stats(workspace: _Workspace, ctx: Context[Any, Any]) -> StatsAnswer:
        """How many support tickets a workspace has, by status and by priority."""
        with _in_words(ctx.request_context.request, ToolError):
            reach = reach_of(ctx.request_context.request)
            slug = reach.readable(workspace)
            return stats_answer(libraries.of(reach, slug).tickets(reach, slug))


def _in_utc(time: datetime | None) -> datetime | None:
    """A time without a zone is one of UTC."""
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


def _add_resources(server: MCPServer[Any], libraries: _Libraries, reach_of: ReachOf) -> None:
    def read(workspace: str, document: str, place: str, request: Any) -> str:
        with _in_words(request, ResourceNotFoundError):
            named = read_id(f"{workspace}/{document}{place}")
            reach = reach_of(request)
            return libraries.of(reach, named.workspace).fetch(reach, named).model_dump_json(indent=2)

    @server.resource("arcana://{workspace}/documents/{document}", title="A document", mime_type="application/json")
    def document(workspace: str, document: str, ctx: Context[Any, Any]) -> str:
        """A document as `fetch` gives it; of a long one the first part."""
        return read(workspace, document, "", ctx.request_context.request)

    @server.resource(
        "arcana://{workspace}/documents/{document}/{passage}",
        title="A part of a document",
        mime_type="application/json",
    )
    def part(workspace: str, document: str, passage: str, ctx: Context[Any, Any]) -> str:
        """The part of a document that has this passage."""
        return read(workspace, document, f"#{passage}", ctx.request_context.request)


class _Describing:
    """Says in the description of `search` what is there for the caller: assistants choose servers by it. Tools for
    tickets and topics are listed where there are some: what is listed takes a part of each conversation.

    Names and numbers of ours alone: nothing that stands on a page gets into a description.
    """

    def __init__(self, libraries: _Libraries, reach_of: ReachOf) -> None:
        self._libraries = libraries
        self._reach_of = reach_of

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> Any:
        listed = await call_next(ctx)
        if ctx.method != "tools/list" or not isinstance(listed, dict):
            return listed
        said, has_tickets, has_topics = await anyio.to_thread.run_sync(self._there, ctx.request)
        unused = (frozenset() if has_tickets else OF_TICKETS) | (frozenset() if has_topics else OF_TOPICS)
        tools = [
            {**tool, "description": f"{tool['description']} {said}".strip()} if tool["name"] in _DESCRIBED else tool
            for tool in listed["tools"]
            if tool["name"] not in unused
        ]
        return {**listed, "tools": tools if has_topics else list(map(_without_topic, tools))}

    def _there(self, request: Any) -> tuple[str, bool, bool]:
        """What to say, and whether there are tickets and topics."""
        try:
            reach = self._reach_of(request)
            library = self._libraries.of(reach)
            return what_is_there(library.workspaces(reach)), library.has_tickets(reach), library.has_topics(reach)
        except ArcanaError as error:
            log.warning("tools are described without what is there: %s", error)
            return "", False, False


def _without_topic(tool: dict[str, Any]) -> dict[str, Any]:
    """The tool without the argument that nobody has a value for."""
    schema = tool["inputSchema"]
    properties = {name: held for name, held in schema.get("properties", {}).items() if name != "topic"}
    return {**tool, "inputSchema": {**schema, "properties": properties}} if "properties" in schema else tool


def what_is_there(workspaces: list[ServedWorkspace]) -> str:
    """A sentence that names workspaces, with their documents and the day of the last sync."""
    if not workspaces:
        return "There is no workspace yet."
    named = [_named(each) for each in workspaces[:_MOST_NAMED]]
    more = len(workspaces) - len(named)
    return f"Workspaces: {', '.join(named)}{f', and {more} more (list_workspaces)' if more else ''}."


def _named(each: ServedWorkspace) -> str:
    documents = "1 document" if each.documents == 1 else f"{each.documents:,} documents"
    synced = f", synced {each.synced_at:%Y-%m-%d}" if each.synced_at else ""
    return f"{each.workspace} ({documents}{synced})"


@contextmanager
def _in_words(request: Any, kind: Callable[[str], ToolError | ResourceError]) -> Iterator[None]:
    """Tell what is raised on purpose in its words: an assistant reads them and corrects its call."""
    try:
        yield
    except FAULTS_OF_THE_INSTALLATION as error:
        if request is None:
            raise kind(str(error)) from error
        log.error("a tool could not be used: %s", error)
        raise kind("The index cannot be used at the moment. Try again later.") from error
    except ArcanaError as error:
        raise kind(str(error)) from error
