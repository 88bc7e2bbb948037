"""What a search is answered with, whichever route asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.web.problems import described, request_id


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer(Results):
    """Hits, best first; or none, and the nearest."""

    request_id: str
    """The id of the request, which the header X-Request-Id has, too."""


SEARCH_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": SearchAnswer},
    **described(401, 403, 404, 410, 413, 422, 503),
}


def answer_of(told: dict[str, Any], request: Request) -> Response:
    """The response of a search, which `Results.to_dict` has told."""
    content = to_json({**told, "request_id": request_id(request)})
    return Response(content, headers={"Cache-Control": "private, no-store"}, media_type="application/json")
