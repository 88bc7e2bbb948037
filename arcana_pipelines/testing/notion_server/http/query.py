"""Data source queries: filters and sorts.

Timestamps are supported as the API has them. Of property filters, the usual ones are; any other is refused
with a 400 rather than ignored, so that no caller mistakes a whole table for an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import unquote

from arcana_pipelines.testing.notion_server.http.errors import invalid
from arcana_pipelines.testing.notion_server.http.listing import Descending, SortKey
from arcana_pipelines.testing.notion_server.model.objects import DataSource, Json, Page, Property
from arcana_pipelines.testing.notion_server.model.rich_text import plain
from arcana_pipelines.testing.notion_server.wire import values
from arcana_pipelines.testing.notion_server.wire.wire import Wire

Test: TypeAlias = Callable[[Page], bool]

_TIMESTAMPS = ("created_time", "last_edited_time")
_TEXT = ("title", "rich_text", "url", "email", "phone_number")
_MAX_NESTING = 2


def compile_filter(wire: Wire, source: DataSource, given: Any, depth: int = 0) -> Test:
    """A test for rows from a filter object."""
    if not isinstance(given, dict):
        raise invalid("body failed validation: body.filter should be an object.")
    for joined, combine in (("and", all), ("or", any)):
        if joined in given:
            if depth >= _MAX_NESTING:
                raise invalid("body failed validation: compound filters may be nested two levels deep.")
            parts = [compile_filter(wire, source, part, depth + 1) for part in given[joined]]
            return _joined(parts, combine)
    if "timestamp" in given:
        stamp = given["timestamp"]
        if stamp not in _TIMESTAMPS or not isinstance(given.get(stamp), dict):
            raise invalid("body failed validation: body.filter.timestamp does not match its condition.")
        return _by_time(given[stamp], stamp)
    if "property" in given:
        return _by_property(wire, source, given)
    raise invalid("body failed validation: body.filter should name a property or a timestamp, or be and/or.")


def sort_key(wire: Wire, source: DataSource, sorts: Any) -> Callable[[Page], SortKey]:
    """A key that puts rows into the order asked for; without sorts, the newest row comes first."""
    if not isinstance(sorts, list):
        raise invalid("body failed validation: body.sorts should be an array.")
    parts: list[Callable[[Page], Any]] = []
    for at, each in enumerate(sorts):
        direction = each.get("direction", "ascending") if isinstance(each, dict) else None
        if direction not in ("ascending", "descending"):
            raise invalid(
                f'body failed validation: body.sorts[{at}].direction should be `"ascending"` or `"descending"`.'
            )
        parts.append(_directed(_sort_value(wire, source, each), direction))
    if not parts:
        parts = [lambda row: Descending(row.created)]
    return lambda row: (*(part(row) for part in parts), row.id)


def _directed(value: Callable[[Page], Any], direction: str) -> Callable[[Page], Any]:
    return value if direction == "ascending" else lambda row: Descending(value(row))


def _sort_value(wire: Wire, source: DataSource, sort: Json) -> Callable[[Page], Any]:
    if sort.get("timestamp") in _TIMESTAMPS:
        return _time_of(sort["timestamp"])
    declared = _column(source, sort.get("property"))
    if declared is None:
        raise invalid(f"Could not find sort property with name or id: {sort.get('property')}")
    return lambda row: _comparable(values.whole_value(wire, row, declared), declared.type)


def _comparable(value: Any, kind: str) -> tuple[int, Any]:
    if kind in ("title", "rich_text"):
        value = plain(value) or None
    elif isinstance(value, dict):
        value = value.get("start") or value.get("name") or value.get("number") or str(value)
    elif isinstance(value, list):
        value = ",".join(str(item.get("name", "")) for item in value) or None
    # Empty values come last, whatever the type of the others.
    return (1, "") if value is None else (0, value)


def _joined(parts: list[Test], combine: Callable[[Any], bool]) -> Test:
    return lambda row: combine(part(row) for part in parts)


def _time_of(stamp: str) -> Callable[[Page], datetime]:
    def whole_minute(row: Page) -> datetime:
        moment = row.created if stamp == "created_time" else row.edited
        return moment.replace(second=0, microsecond=0)

    return whole_minute


def _by_time(condition: Json, stamp: str) -> Test:
    when = _time_of(stamp)
    compare = [_time_condition(name, limit) for name, limit in condition.items()]
    return lambda row: all(test(when(row)) for test in compare)


def _time_condition(name: str, limit: Any) -> Callable[[datetime], bool]:
    if name == "is_not_empty":
        return lambda moment: True
    if name == "is_empty":
        return lambda moment: False
    try:
        bound = datetime.fromisoformat(limit)
    except (TypeError, ValueError) as error:
        raise invalid(
            f"body failed validation: body.filter: {name} should be a valid ISO 8601 date string, "
            f"instead was `{limit!r}`."
        ) from error
    whole_day = isinstance(limit, str) and "T" not in limit
    bound = bound if bound.tzinfo else bound.replace(tzinfo=UTC)

    def seen(moment: datetime) -> datetime:
        return moment.replace(hour=0, minute=0) if whole_day else moment

    tests: dict[str, Callable[[datetime], bool]] = {
        "on_or_after": lambda moment: seen(moment) >= bound,
        "on_or_before": lambda moment: seen(moment) <= bound,
        "after": lambda moment: seen(moment) > bound,
        "before": lambda moment: seen(moment) < bound,
        "equals": lambda moment: seen(moment) == bound,
    }
    if name not in tests:
        raise invalid(f"The stand-in does not know the date condition {name!r}.")
    return tests[name]


def _by_property(wire: Wire, source: DataSource, given: Json) -> Test:
    declared = _column(source, given["property"])
    if declared is None:
        raise invalid(f"Could not find property with name or id: {given['property']}")
    kinds = [key for key in given if key not in ("property", "type")]
    if len(kinds) != 1 or not isinstance(given[kinds[0]], dict):
        raise invalid("body failed validation: body.filter should have exactly one condition.")
    kind = kinds[0]
    if kind in _TIMESTAMPS:
        return _by_time(given[kind], kind)
    if kind != declared.type:
        raise invalid(
            "The property type in the database does not match the property type of the filter provided: "
            f"database property {declared.type} does not match filter {kind}"
        )
    tests = [_value_condition(kind, name, wanted) for name, wanted in given[kind].items()]
    return lambda row: all(test(values.whole_value(wire, row, declared)) for test in tests)


def _value_condition(kind: str, name: str, wanted: Any) -> Callable[[Any], bool]:
    def shown(value: Any) -> Any:
        if kind in ("title", "rich_text"):
            return plain(value)
        if kind in ("select", "status"):
            return value["name"] if value else None
        if kind in ("multi_select", "people", "relation"):
            return [item["name" if kind == "multi_select" else "id"] for item in value]
        return value

    tests: dict[str, Callable[[Any], bool]] = {
        "equals": lambda value: shown(value) == wanted,
        "does_not_equal": lambda value: shown(value) != wanted,
        "is_empty": lambda value: shown(value) in (None, "", []),
        "is_not_empty": lambda value: shown(value) not in (None, "", []),
        "contains": lambda value: wanted in (shown(value) or ""),
        "does_not_contain": lambda value: wanted not in (shown(value) or ""),
    }
    if kind in _TEXT:
        tests["starts_with"] = lambda value: str(shown(value) or "").startswith(wanted)
        tests["ends_with"] = lambda value: str(shown(value) or "").endswith(wanted)
    if kind == "number":
        tests["greater_than"] = lambda value: value is not None and value > wanted
        tests["less_than"] = lambda value: value is not None and value < wanted
        tests["greater_than_or_equal_to"] = lambda value: value is not None and value >= wanted
        tests["less_than_or_equal_to"] = lambda value: value is not None and value <= wanted
    if name not in tests:
        raise invalid(f"The stand-in does not know the condition {name!r} of a {kind} filter.")
    return tests[name]


def _column(source: DataSource, wanted: Any) -> Property | None:
    for declared in source.schema.values():
        if wanted in (declared.name, declared.id, unquote(declared.id)):
            return declared
    return None
