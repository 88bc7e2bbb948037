"""What a request may say: checks of bodies and parameters, with the refusals Notion gives."""

from __future__ import annotations

import json
from typing import Any

from arcana_pipelines.testing.notion_server.http.errors import ApiError, failed_validation, invalid
from arcana_pipelines.testing.notion_server.model.objects import Json

_COUNTED = "00000000-0000-4000-8000-"


def json_object(raw: bytes) -> Json:
    """The body of a POST."""
    try:
        body = json.loads(raw) if raw else {}
    except ValueError as error:
        raise ApiError(400, "invalid_json", "Error parsing JSON body.") from error
    if not isinstance(body, dict):
        raise invalid("body failed validation: body should be an object.")
    return body


def only(body: Json, known: set[str]) -> None:
    """Refuse fields that the endpoint does not have."""
    for name, value in body.items():
        if name not in known:
            raise failed_validation("body", name, "not present", value)


def search_direction(sort: Any) -> str:
    """The direction of a search; without a sort, the newest come first."""
    if sort is None:
        return "descending"
    if not isinstance(sort, dict):
        raise failed_validation("body", "sort", "an object or `undefined`", sort)
    if sort.get("property") == "relevance":
        return "descending"
    if sort.get("timestamp") != "last_edited_time":
        raise invalid('body.sort.timestamp should be "last_edited_time" when sorting by timestamp.')
    direction = sort.get("direction", "descending")
    if direction not in ("ascending", "descending"):
        raise failed_validation("body", "sort.direction", '`"ascending"`, `"descending"`, or `undefined`', direction)
    return str(direction)


def search_filter(given: Any) -> tuple[str | None, bool | None]:
    """The kind of object and the trash state that a search asks for, None where it does not say."""
    if given is None:
        return None, None
    if not isinstance(given, dict):
        raise failed_validation("body", "filter", "an object or `undefined`", given)
    in_trash = given.get("in_trash")
    if in_trash is not None and not isinstance(in_trash, bool):
        raise failed_validation("body", "filter.in_trash", "a boolean or `undefined`", in_trash)
    if "property" not in given and "value" not in given and in_trash is not None:
        return None, in_trash
    if given.get("property") != "object":
        raise failed_validation("body", "filter.property", '`"object"`', given.get("property"))
    value = given.get("value")
    if value not in ("page", "data_source"):
        raise failed_validation("body", "filter.value", '`"page"` or `"data_source"`', value)
    return value, in_trash


def search_words(query: Any) -> list[str]:
    """What a title has to contain."""
    if query is None:
        return []
    if not isinstance(query, str):
        raise failed_validation("body", "query", "a string or `undefined`", query)
    return query.casefold().split()


def choice(name: str, raw: str, allowed: tuple[str, ...], should_be: str) -> str:
    """A query parameter with few values."""
    if raw not in allowed:
        raise failed_validation("query", name, f"{should_be} or `undefined`", raw)
    return raw


def counting_cursor(at: int) -> str:
    """A cursor for lists whose items have no ids."""
    return f"{_COUNTED}{at:012d}"


def counted(cursor: str | None, length: int) -> int:
    """Where a counting cursor points."""
    if cursor is None:
        return 0
    digits = cursor.removeprefix(_COUNTED)
    if digits == cursor or not digits.isdigit() or int(digits) > length:
        raise invalid(f"The start_cursor provided is invalid: {cursor}")
    return int(digits)
