"""The HTTP API, for programs that have a key, and a page for people. `arcana serve` serves both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, nullcontext
from typing import Annotated, Any

import anyio.to_thread
from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Request, Response

import arcana_pipelines
from arcana_pipelines.caching.caches import Caches
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import FAULTS_OF_THE_INSTALLATION, ArcanaError, WrongUse
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.indexes.builds import Index, indexes_of
from arcana_pipelines.keys.access import Access
from arcana_pipelines.retrieval.limits import LONGEST_CURSOR, LONGEST_QUERY
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.ui.address import is_of_ui
from arcana_pipelines.web import webhooks
from arcana_pipelines.web.administration import Administration, add_administration
from arcana_pipelines.web.assistants import add_assistants, assistants
from arcana_pipelines.web.bodies import LimitedBodies
from arcana_pipelines.web.conversations import add_conversations
from arcana_pipelines.web.documents import add_documents
from arcana_pipelines.web.events import Events, add_events
from arcana_pipelines.web.feedback import add_feedback
from arcana_pipelines.web.files import add_files
from arcana_pipelines.web.gate import Gate, Keyed, Slug
from arcana_pipelines.web.health import Health
from arcana_pipelines.web.kept_conversations import KeptConversations
from arcana_pipelines.web.metrics import Metered, Metrics
from arcana_pipelines.web.oauth import add_metadata
from arcana_pipelines.web.observed import Observed
from arcana_pipelines.web.people.page import add_page
from arcana_pipelines.web.problems import (
    CANNOT_ANSWER,
    MEDIA_TYPE,
    RETRY_SECONDS,
    Problem,
    Refused,
    described,
    handle_problems,
)
from arcana_pipelines.web.rate_headers import RateHeaders
from arcana_pipelines.web.reads import ASKS_FOR_SEQ, Reads, SeqHeaders
from arcana_pipelines.web.request_ids import RequestIds
from arcana_pipelines.web.review import Reviews, add_review
from arcana_pipelines.web.search_answer import SEARCH_ANSWERS, answer_of
from arcana_pipelines.web.searches import MOST_K, Searches
from arcana_pipelines.web.syncs import add_syncs
from arcana_pipelines.web.taxonomy import add_taxonomy
from arcana_pipelines.web.tickets import add_tickets
from arcana_pipelines.web.token_route import add_tokens
from arcana_pipelines.web.use import Noted, SearchLog, UseLog
from arcana_pipelines.web.vector_stores import add_vector_stores
from arcana_pipelines.web.workspace_files import add_listing, add_uploads, is_upload
from arcana_pipelines.workspaces.workspaces import slugs_of_company

LARGEST_BODY = 64 * 1024
FILE_SECONDS = 5.0
_EXAMPLE = {"query": "How many days of vacation do I have?", "k": 3}
# Which one it has is no business of who has no key.
_OTHER_SCHEMA = "The database does not have this release's schema: `arcana db status`, run there, says what to do."


def make_api(
    database: Database, salt: str, names: Sequence[str] = (), administration: Administration | None = None
) -> FastAPI:
    """The application.

    Args:
        database: opened to serve (`Database(settings, serves=True)`): all but the keys is read for a key's company.
        salt: what the stored hashes of keys are made with.
        names: by which assistants reach it, besides this machine's own.
        administration: what administrators' keys change things by, and webhooks of sources; None: nothing is changed
            through this server.
    """
    uses, searched = UseLog(database), SearchLog(database)
    metrics = Metrics(database)
    caches = Caches(database.settings, metrics.note_cache)
    metrics.watch_caches(caches)
    gate = Gate(database, salt, caches.redis)
    events = Events(database, caches.channel)
    reads = Reads(database, metrics.note_read)
    health = Health(database, (uses, searched), caches.redis, reads.replica)
    if reads.replica is not None:
        metrics.watch_replica(reads.replica)
    searches = Searches(database, gate, caches, reads)
    mcp = assistants(database, gate, searches, reads)
    ui_running: AbstractAsyncContextManager[None] = nullcontext()
    files = ExitStack()
    # A bucket that hangs is not waited for: the threads are those of searches, too.
    store = files.enter_context(open_file_store(database.settings, hurried_seconds=FILE_SECONDS))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        settings = database.settings
        # A thread without a connection would wait for one while others wait for a thread.
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = settings.database_pool_size + settings.database_max_overflow
        async with (
            reads.running(), uses.running(), searched.running(), health.running(), mcp.session_manager.run(),
            ui_running,
        ):  # fmt: skip
            await events.begin()
            yield
        caches.close()
        files.close()

    app = FastAPI(
        title="Arcana Pipelines", version=arcana_pipelines.__version__, lifespan=lifespan,
        summary="Search a company's knowledge, with the places where it stands.",
        # Its page loads programs from elsewhere.
        docs_url=None, redoc_url=None,
        # To another address than was asked for, whose host whoever asks chooses.
        redirect_slashes=False,
    )  # fmt: skip
    app.add_middleware(
        LimitedBodies,
        most=LARGEST_BODY,
        is_free=lambda scope: scope["path"] == webhooks.PATH or is_upload(scope) or is_of_ui(scope["path"]),
    )
    app.add_middleware(RateHeaders)
    app.add_middleware(SeqHeaders)
    app.add_middleware(Noted, uses=uses, searched=searched)
    app.add_middleware(Metered, metrics=metrics)
    app.add_middleware(Observed)
    app.add_middleware(RequestIds)
    handle_problems(app)
    app.state.has_sockets = False
    app.state.gate, app.state.metrics, app.state.events, app.state.reads = gate, metrics, events, reads
    add_health(app, database)
    add_searches(app, searches)
    add_vector_stores(app, gate, searches)
    add_workspaces(app, gate, database)
    add_conversations(app, gate, database, searches, KeptConversations(caches.sessions))
    add_documents(app, gate, database, reads)
    add_tickets(app, gate, database)
    add_files(app, database, store)
    add_listing(app, gate, database)
    add_feedback(app, database, searched)
    add_events(app, events, database)
    add_syncs(app, gate, database)
    add_tokens(app, gate)
    reviews = Reviews(gate, database)
    add_taxonomy(app, gate, database)
    add_review(app, reviews)
    add_page(app, gate, database, searches, searched, reviews, administration.database if administration else None)
    if gate.oauth is not None:
        add_metadata(app, gate.oauth)
    if administration is not None:
        metrics.watch_installation(administration.database)
        add_administration(app, gate, database, administration)
        add_uploads(app, gate, database, administration.database)
        app.router.routes.append(webhooks.make_route(administration.database))
        if (url := database.settings.dagster_ui_url) is not None:
            from arcana_pipelines.web.dagster_ui.routes import add_dagster_ui

            ui_running = add_dagster_ui(app, gate, url, administration.database)
            app.state.has_sockets = True
    add_assistants(app, gate, mcp, names)
    _describe_problems(app)
    return app


def add_health(app: FastAPI, database: Database) -> None:
    """What load balancers ask, without a key."""

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", summary="Whether the process answers", tags=["health"])
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", summary="Whether searches can be answered", tags=["health"], responses=described(503))
    def readyz() -> dict[str, str]:
        try:
            require_current(database)
        except ArcanaError as error:
            is_away = isinstance(error, FAULTS_OF_THE_INSTALLATION) or not isinstance(error, WrongUse)
            why = CANNOT_ANSWER if is_away else _OTHER_SCHEMA
            raise Refused(503, "unavailable", why, {"Retry-After": str(RETRY_SECONDS)}) from error
        return {"status": "ready"}


def add_searches(app: FastAPI, searches: Searches) -> None:
    """Searching a workspace."""

    async def found(request: Request, access: Access, slug: str, asked: SearchRequest) -> Response:
        # What is at hand is given from here: a thread costs as much again.
        told = searches.at_hand(access, slug, asked)
        if told is None:
            told = await run_sync(searches.told, access, slug, asked)
        return answer_of(told, request)

    @app.post("/v1/workspaces/{slug}/search", summary="Search a workspace", tags=["search"], responses=SEARCH_ANSWERS,
              dependencies=[ASKS_FOR_SEQ],
              openapi_extra={"requestBody": {"content": {"application/json": {"example": _EXAMPLE}}}})  # fmt: skip
    async def search(request: Request, access: Keyed, slug: Slug, asked: SearchRequest) -> Response:
        return await found(request, access, slug, asked)

    @app.get(
        "/v1/workspaces/{slug}/search",
        summary="Search a workspace, in short",
        tags=["search"],
        responses=SEARCH_ANSWERS,
        dependencies=[ASKS_FOR_SEQ],
    )
    async def search_in_short(
        request: Request,
        access: Keyed,
        slug: Slug,
        query: Annotated[str, Query(max_length=LONGEST_QUERY, description="What a reader would type.")],
        k: Annotated[int, Query(ge=1, le=MOST_K, description="Hits.")] = 10,
        index: Annotated[str | None, Query(description="One of the workspace's indexes.", max_length=63)] = None,
        per_document: Annotated[bool, Query(description="At most one hit a document.")] = False,
        after: Annotated[
            str | None, Query(description="The `cursor` of an answer to the same request.", max_length=LONGEST_CURSOR)
        ] = None,
    ) -> Response:
        asked = SearchRequest(query, k, index=index, per_document=per_document, after=after)
        return await found(request, access, slug, asked)


def add_workspaces(app: FastAPI, gate: Gate, database: Database) -> None:
    """Workspaces and their indexes."""

    @app.get("/v1/workspaces", summary="The workspaces that the key opens", tags=["workspaces"],
             responses=described(401, 422, 503))  # fmt: skip
    def workspaces(access: Keyed) -> dict[str, list[str]]:
        with database.connection(access.company_id) as connection:
            known = slugs_of_company(connection, access.company_id)
        return {"workspaces": [slug for slug, workspace_id in known if access.sees(workspace_id)]}

    @app.get("/v1/workspaces/{slug}/indexes", summary="The indexes of a workspace, with their counts",
             tags=["workspaces"], responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def indexes(access: Keyed, slug: Slug) -> dict[str, list[Index]]:
        opened = gate.workspace(access, "read", slug)
        with database.connection(access.company_id) as connection:
            known = indexes_of(connection, opened.workspace_id)
        return {"indexes": [each for each in known if access.may_in("read", opened.workspace_id, each.name)]}


def _describe_problems(app: FastAPI) -> None:
    """Put the form of a problem into the OpenAPI document, in place of FastAPI's own."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= {**problem.pop("$defs", {}), "Problem": problem}
            for path in schema["paths"].values():
                for operation in path.values():
                    for answer in operation["responses"].values():
                        if "HTTPValidationError" in str(answer.get("content", {})):
                            answer["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
