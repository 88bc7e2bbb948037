"""The search of OpenAI's vector stores, over an index: for programs that speak it already.

https://platform.openai.com/docs/api-reference/vector-stores/search. A store's id is a workspace's slug, or with one of
its indexes `slug.index`. Of the filters comparisons and `and` are there; what cannot be meant is refused, and never
left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from arcana_pipelines.errors import ArcanaError, WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.filters import KINDS, Filters, PropertyCondition
from arcana_pipelines.retrieval.hit_files import where_in_words
from arcana_pipelines.retrieval.limits import LONGEST_QUERY, LONGEST_VALUE
from arcana_pipelines.retrieval.results import Hit
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.web.gate import Gate, Keyed
from arcana_pipelines.web.problems import Refused, status_of
from arcana_pipelines.web.reads import ASKS_FOR_SEQ
from arcana_pipelines.web.searches import Searches
from arcana_pipelines.web.use import use_now

MOST_RESULTS = 50
MOST_QUERIES = 5
_LONGEST_ATTRIBUTE = 512  # as OpenAI's
_OPERATORS = {"eq": "=", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# As OpenAI's clients know them.
_CODES = {"rate-limited": "rate_limit_exceeded", "quota-used-up": "insufficient_quota"}
# What is no property, but known of every document.
_KIND = "kind"
# Another word than properties are called by: many have a "topic" of their own.
_TOPIC = "taxonomy_topic"

Query = Annotated[str, Field(min_length=1, max_length=LONGEST_QUERY)]


class Comparison(BaseModel):
    """A condition on a property of rows, on `kind`, or on `taxonomy_topic` (a path as `AI/RAG`: all below it, too)."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte"]
    key: Annotated[str, Field(max_length=LONGEST_VALUE)]
    value: Annotated[str, Field(max_length=LONGEST_VALUE)] | int | float | bool


class All(BaseModel):
    """Conditions that all have to hold."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["and"]
    filters: Annotated[list[Comparison], Field(max_length=10)]


class RankingOptions(BaseModel):
    """How hits are ranked: here always by words and meaning."""

    ranker: Annotated[str, Field(max_length=100)] = "auto"
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="See `min_score` of a search."
    )


class StoreSearch(BaseModel):
    """A search in a vector store."""

    model_config = ConfigDict(json_schema_extra={"example": {"query": "vacation days", "max_num_results": 3}})

    query: Query | Annotated[list[Query], Field(min_length=1, max_length=MOST_QUERIES)]
    max_num_results: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 10
    filters: Comparison | All | None = None
    ranking_options: RankingOptions | None = None
    rewrite_query: bool | None = Field(None, description="Questions are understood as they are; it changes nothing.")


class Text(BaseModel):
    """A piece of a document."""

    type: Literal["text"] = "text"
    text: str


class Found(BaseModel):
    """One hit."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, str | float | bool]
    content: list[Text]


class Page(BaseModel):
    """The hits of all queries, best first."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[Found]
    has_more: bool = False
    next_page: str | None = None


class Mistake(BaseModel):
    """What went wrong, in words."""

    message: str
    type: str
    code: str | None = None
    param: str | None = None


class Failure(BaseModel):
    """An error as OpenAI's clients read it."""

    error: Mistake


class _AsOpenAi(APIRoute):
    """Tells what goes wrong in OpenAI's form."""

    def get_route_handler(self) -> Any:
        handler = super().get_route_handler()

        async def handled(request: Request) -> Any:
            try:
                return await handler(request)
            except Refused as error:
                return _failed(error.status, error.detail, error.headers, code=_CODES.get(error.kind))
            except RequestValidationError as error:
                first = error.errors()[0]
                param = ".".join(map(str, first["loc"][1:]))
                return _failed(422, f"{param}: {first['msg']}", param=param)
            except HTTPException as error:  # what the framework says of a body that is no JSON
                return _failed(422 if error.status_code == 400 else error.status_code, str(error.detail))
            except ArcanaError as error:
                if (status := status_of(error)) >= 500:
                    raise
                return _failed(status, str(error))

        return handled


def add_vector_stores(app: FastAPI, gate: Gate, searches: Searches) -> None:
    """Add the route."""
    router = APIRouter(route_class=_AsOpenAi)
    failures = {status: {"model": Failure} for status in (401, 403, 404, 422, 429)}

    @router.post("/v1/vector_stores/{store}/search", summary="Search as in OpenAI's vector stores", tags=["search"],
                 dependencies=[ASKS_FOR_SEQ],
                 responses={**failures})  # type: ignore[dict-item]  # fmt: skip
    def search(
        access: Keyed,
        store: Annotated[str, Path(description="A workspace's slug, or `slug.index`.", max_length=200)],
        asked: StoreSearch,
    ) -> Page:
        slug, _, index = store.partition(".")
        opened = gate.index(access, "search", slug, index or None)
        queries = [asked.query] if isinstance(asked.query, str) else asked.query
        best: dict[tuple[str, int], Hit] = {}
        for query in queries:
            request = SearchRequest(
                query,
                asked.max_num_results,
                filters=_filters(asked.filters),
                index=index or DEFAULT_INDEX,
                min_score=asked.ranking_options.score_threshold if asked.ranking_options else None,
            )
            for hit in searches.search_in(access, opened, request).hits:
                key = (hit.document_id, hit.position)
                if key not in best or best[key].score < hit.score:
                    best[key] = hit
        hits = sorted(best.values(), key=lambda hit: -hit.score)[: asked.max_num_results]
        use_now().hits = len(hits)
        return Page(search_query=queries, data=[_found(hit) for hit in hits])

    app.include_router(router)


def _filters(asked: Comparison | All | None) -> Filters | None:
    if asked is None:
        return None
    kinds: list[str] = []
    topic: str | None = None
    properties = []
    for each in asked.filters if isinstance(asked, All) else [asked]:
        value = each.value if isinstance(each.value, str) else str(each.value).lower()
        if each.key == _TOPIC:
            if each.type != "eq" or topic not in (None, value):
                raise WrongUse(f"'{_TOPIC}' can be equal to one path of a topic, and nothing else can be asked of it.")
            topic = value
        elif each.key != _KIND:
            properties.append(PropertyCondition(each.key, _OPERATORS[each.type], value))
        elif each.type == "eq" and value in KINDS and kinds in ([], [value]):
            kinds = [value]
        else:
            raise WrongUse(f"'{_KIND}' can be equal to one of {', '.join(KINDS)}, and nothing else can be asked of it.")
    return Filters(kinds=kinds, properties=properties, topic=topic)


def _found(hit: Hit) -> Found:
    return Found(
        file_id=hit.document_id,
        filename=hit.title,
        score=hit.score,
        attributes=dict(_attributes(hit)),
        content=[Text(text=hit.text)],
    )


def _attributes(hit: Hit) -> Iterator[tuple[str, str | float | bool]]:
    known = {
        "workspace": hit.workspace,
        "url": hit.link or hit.url,
        "external_id": hit.external_id,
        _KIND: hit.kind,
        "heading": " > ".join(hit.passage.heading_path if hit.passage else hit.heading_path),
        "last_edited_at": hit.last_edited_at,
        "file": where_in_words(hit.file) if hit.file else None,
    }
    yield from ((name, value[:_LONGEST_ATTRIBUTE]) for name, value in known.items() if value)
    yield "version", hit.version


def _failed(
    status: int,
    said: str,
    headers: dict[str, str] | None = None,
    param: str | None = None,
    code: str | None = None,
) -> JSONResponse:
    kinds = {401: "authentication_error", 403: "permission_error", 429: "requests"}
    body = Failure(error=Mistake(message=said, type=kinds.get(status, "invalid_request_error"), code=code, param=param))
    return JSONResponse(body.model_dump(), status, headers)
