"""Answers with a tag of all that they hold, which are not sent again to who has them."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Annotated, Any

from fastapi import Header, Response
from pydantic import TypeAdapter

Seen = Annotated[str | None, Header(alias="If-None-Match", description="The `ETag` of an answer that is kept.")]
"""A route's parameter: what who asks has seen."""


def tagged(found: object, seen: str | None) -> Response:
    """The answer with a tag of all that it holds; nothing but that where it was seen before."""
    kind: Any = type(found)
    body = _adapter(kind).dump_json(found)
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if seen is not None and (tag in seen or seen.strip() == "*"):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
