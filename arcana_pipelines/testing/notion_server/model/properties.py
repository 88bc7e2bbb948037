"""Data source schemas and property values: how they are declared here, and the 24 shapes they are sent in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import quote

from arcana_pipelines.testing.notion_server.model.ids import IdFactory, stable_uuid
from arcana_pipelines.testing.notion_server.model.objects import Json, Property
from arcana_pipelines.testing.notion_server.model.rich_text import rich

PropertySpec: TypeAlias = "str | Mapping[str, Any]"
"""A type's name, or `{"type": name, **options}`; see `declare`."""

TYPES = frozenset(
    {
        "button",
        "checkbox",
        "created_by",
        "created_time",
        "date",
        "email",
        "files",
        "formula",
        "last_edited_by",
        "last_edited_time",
        "multi_select",
        "number",
        "people",
        "phone_number",
        "place",
        "relation",
        "rich_text",
        "rollup",
        "select",
        "status",
        "title",
        "unique_id",
        "url",
        "verification",
    }
)
REFERENCE_LIMIT = 25
"""References of a relation or people property that a page object carries."""

_COLORS = ("gray", "brown", "orange", "yellow", "green", "blue", "purple", "pink", "red")
_GROUPS = (("To-do", "gray"), ("In progress", "blue"), ("Complete", "green"))


def declare(name: str, spec: PropertySpec, ids: IdFactory) -> Property:
    """A column from its description.

    Options by type: `options` (names) for select, multi_select and status; `format` for number; `prefix` for
    unique_id; `data_source_id` and `database_id` for relation; `relation`, `property` and `function` for
    rollup; `expression` and `compute` (a function of the row) for formula; `description` for any.
    """
    given: dict[str, Any] = {"type": spec} if isinstance(spec, str) else dict(spec)
    kind = given.pop("type")
    if kind not in TYPES:
        raise ValueError(f"{name}: there is no property type {kind!r}.")
    description, compute = given.pop("description", None), given.pop("compute", None)
    fixed = kind in ("title", "verification")
    encoded = kind if fixed else quote(ids.property_id(), safe="~_")
    return Property(
        id=encoded,
        name=name,
        type=kind,
        config=_config(kind, name, given),
        description=description,
        compute=compute,
    )


def schema_entry(declared: Property) -> Json:
    """The column as a data source object shows it."""
    return {
        "id": declared.id,
        "name": declared.name,
        "description": declared.description,
        "type": declared.type,
        declared.type: declared.config,
    }


def option(declared: Property, name: str) -> Json:
    """The choice with this name, made when it is new, without what only the schema shows."""
    options: list[Json] = declared.config["options"]
    chosen = next((choice for choice in options if choice["name"] == name), None)
    if chosen is None:
        chosen = _choice(declared.name, name, len(options))
        options.append(chosen)
        if declared.type == "status":
            declared.config["groups"][0]["option_ids"].append(chosen["id"])
    return {key: chosen[key] for key in ("id", "name", "color")}


def date_value(value: Any) -> Json | None:
    """A date from ISO text, a `(start, end)` pair or the API's own shape."""
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, datetime):
        value = value.isoformat(timespec="milliseconds")
    start, end = value if isinstance(value, tuple | list) else (value, None)
    return {"start": str(start), "end": None if end is None else str(end), "time_zone": None}


def formula_value(value: Any) -> Json:
    """A formula's result; Python's type tells which kind it is."""
    if isinstance(value, bool):
        return {"type": "boolean", "boolean": value}
    if isinstance(value, int | float):
        return {"type": "number", "number": value}
    if isinstance(value, dict | tuple | datetime):
        return {"type": "date", "date": date_value(value)}
    return {"type": "string", "string": value}


def empty(kind: str) -> Any:
    """What a type is sent as while nothing was entered, for types whose value is stored as sent."""
    if kind == "checkbox":
        return False
    if kind == "button":
        return {}
    if kind == "verification":
        return {"state": "unverified", "verified_by": None, "date": None}
    return None


def simple(declared: Property, value: Any) -> Any:
    """The value of a type that needs nothing but itself."""
    kind = declared.type
    if value is None:
        return [] if kind in ("rich_text", "multi_select") else empty(kind)
    if kind == "rich_text":
        return rich(value)
    if kind in ("select", "status"):
        return option(declared, value)
    if kind == "multi_select":
        return [option(declared, name) for name in value]
    if kind == "date":
        return date_value(value)
    if kind == "place":
        return {"name": None, "address": None, "aws_place_id": None, "google_place_id": None, **value}
    return value


def _config(kind: str, name: str, given: dict[str, Any]) -> Json:
    if kind in ("select", "multi_select"):
        return {"options": [_choice(name, choice, at) for at, choice in enumerate(given.get("options", ()))]}
    if kind == "status":
        return _status(name, given.get("options") or ["Not started", "In progress", "Done"])
    if kind == "number":
        return {"format": given.get("format", "number")}
    if kind == "unique_id":
        return {"prefix": given.get("prefix")}
    if kind == "relation":
        return {
            "database_id": given["database_id"],
            "data_source_id": given["data_source_id"],
            "type": "single_property",
            "single_property": {},
        }
    if kind == "rollup":
        return {
            "rollup_property_name": given.get("property", "Name"),
            "relation_property_name": given["relation"],
            "rollup_property_id": "",
            "relation_property_id": "",
            "function": given.get("function", "count"),
        }
    if kind == "formula":
        return {"expression": given.get("expression", "")}
    return {}


def _choice(property_name: str, name: str, at: int) -> Json:
    color = _COLORS[at % len(_COLORS)]
    return {
        "id": stable_uuid("option", property_name, name),
        "name": name,
        "color": color,
        "description": None,
    }


def _status(name: str, options: list[str]) -> Json:
    choices = [_choice(name, choice, at) for at, choice in enumerate(options)]
    groups = []
    for at, (group, color) in enumerate(_GROUPS):
        members = [choices[0]] if at == 0 else [choices[-1]] if at == 2 else choices[1:-1]
        groups.append(
            {
                "id": stable_uuid("group", name, group),
                "name": group,
                "color": color,
                "option_ids": [choice["id"] for choice in members],
            }
        )
    return {"options": choices, "groups": groups}
