"""A page's property values as the API sends them, worked out from what was entered and from other pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from arcana_pipelines.testing.notion_server.model.clock import minute
from arcana_pipelines.testing.notion_server.model.objects import DataSource, Json, Page, Property
from arcana_pipelines.testing.notion_server.model.properties import (
    REFERENCE_LIMIT,
    formula_value,
    simple,
)
from arcana_pipelines.testing.notion_server.model.rich_text import RichText
from arcana_pipelines.testing.notion_server.model.tree import Tree
from arcana_pipelines.testing.notion_server.wire.parts import Parts

TITLE = Property(id="title", name="title", type="title")
PAGED = frozenset({"title", "rich_text", "people", "relation", "rollup"})
"""Types whose values the property endpoint sends as a list, one item an entry."""


def columns(tree: Tree, page: Page) -> dict[str, Property]:
    """The properties of a page: its data source's schema, or nothing but a title."""
    source = tree.nodes.get(page.parent.id)
    return source.schema if isinstance(source, DataSource) else {"title": TITLE}


def find_column(tree: Tree, page: Page, wanted: str) -> Property | None:
    """The property with this id, encoded or not."""
    for declared in columns(tree, page).values():
        if wanted in (declared.id, unquote(declared.id)):
            return declared
    return None


def properties(parts: Parts, page: Page, only: set[str] | None = None) -> Json:
    """The `properties` of a page object: nothing in it counts more than 25 references."""
    sent = {}
    for name, declared in columns(parts.tree, page).items():
        if only is not None and not only & {name, declared.id, unquote(declared.id)}:
            continue
        entry = {"id": declared.id, "type": declared.type, declared.type: _shown_value(parts, page, declared)}
        if declared.type == "relation":
            entry["has_more"] = len(page.values.get(name) or ()) > REFERENCE_LIMIT
        sent[name] = entry
    return sent


def _shown_value(parts: Parts, page: Page, declared: Property) -> Any:
    """What a page object has of a property; only a relation says there that it is cut."""
    kind = declared.type
    if kind in ("rollup", "formula"):
        return whole_value(parts, _with_few_references(page), declared)
    value = whole_value(parts, page, declared)
    if kind in ("relation", "people"):
        return value[:REFERENCE_LIMIT]
    return _with_few_names(value) if kind in ("title", "rich_text") else value


def _with_few_references(page: Page) -> Page:
    values = page.values.items()
    return replace(
        page, values={name: value[:REFERENCE_LIMIT] if isinstance(value, list) else value for name, value in values}
    )


def _with_few_names(segments: RichText) -> RichText:
    """Mentions beyond the limit are there, but their names are not looked up."""
    seen = 0
    shown = []
    for segment in segments:
        seen += segment["type"] == "mention"
        shown.append(
            {**segment, "plain_text": "Untitled"}
            if segment["type"] == "mention" and seen > REFERENCE_LIMIT
            else segment
        )
    return shown


def whole_value(parts: Parts, page: Page, declared: Property) -> Any:
    """Everything a property holds, as it is sent under its type's name."""
    given = page.values.get(declared.name)
    kind = declared.type
    if kind == "title":
        return parts.rich_text(page.title)
    if kind == "rich_text":
        return parts.rich_text(simple(declared, given))
    if kind == "created_time":
        return minute(page.created)
    if kind == "last_edited_time":
        return minute(page.edited)
    if kind in ("created_by", "last_edited_by"):
        return _user(parts, page.created_by if kind == "created_by" else page.edited_by)
    if kind == "people":
        return [_user(parts, user_id) for user_id in given or ()]
    if kind == "files":
        return [parts.media(item) for item in given or ()]
    if kind == "relation":
        return [{"id": page_id} for page_id in given or () if page_id in parts.tree.nodes]
    if kind == "unique_id":
        return {"prefix": declared.config["prefix"], "number": page.row_number}
    if kind == "formula":
        return formula_value(declared.compute(page) if declared.compute else given)
    if kind == "rollup":
        return _rollup(parts, page, declared)
    return simple(declared, given)


def property_item(parts: Parts, page: Page, declared: Property) -> Json:
    """The answer of the property endpoint for a type that is not a list."""
    return _item(declared.id, declared.type, whole_value(parts, page, declared))


def property_items(parts: Parts, page: Page, declared: Property) -> tuple[list[Json], Json]:
    """The items of a property that is a list, and what the list says about them."""
    value = whole_value(parts, page, declared)
    if declared.type != "rollup":
        return [_item(declared.id, declared.type, item) for item in value], {}
    if value["type"] != "array":
        related = page.values.get(declared.config["relation_property_name"]) or []
        return [_item(declared.id, "relation", {"id": page_id}) for page_id in related], value
    items = []
    for entry in value["array"]:
        kind = entry["type"]
        held = entry[kind] if kind in PAGED and kind != "rollup" else [entry[kind]]
        items += [_item(declared.id, kind, part) for part in held]
    return items, {**value, "array": []}


def _item(property_id: str, kind: str, value: Any) -> Json:
    return {"object": "property_item", "type": kind, "id": property_id, kind: value}


def resolved_schema(tree: Tree, source: DataSource, entry: Json) -> Json:
    """A schema entry in which a rollup names the ids of the columns it uses."""
    if entry["type"] != "rollup":
        return entry
    config = dict(entry["rollup"])
    relation = source.schema.get(config["relation_property_name"])
    if relation is not None:
        config["relation_property_id"] = relation.id
        target = tree.nodes.get(relation.config["data_source_id"])
        rolled = target.schema.get(config["rollup_property_name"]) if isinstance(target, DataSource) else None
        config["rollup_property_id"] = rolled.id if rolled else "title"
    return {**entry, "rollup": config}


def _user(parts: Parts, user_id: str) -> Json:
    user = parts.tree.users.get(user_id)
    return {"object": "user", "id": user_id} if user is None else parts.user(user)


def _rollup(parts: Parts, page: Page, declared: Property) -> Json:
    function = declared.config["function"]
    related = page.values.get(declared.config["relation_property_name"]) or []
    pages = [target for target in map(parts.tree.nodes.get, related) if isinstance(target, Page)]
    entries = []
    for target in pages:
        column = columns(parts.tree, target).get(declared.config["rollup_property_name"], TITLE)
        value = whole_value(parts, target, column)
        entries.append({"type": column.type, column.type: value})
    if function == "show_original":
        return {"type": "array", "array": entries, "function": function}
    if function in ("earliest_date", "latest_date"):
        dates = [entry["date"] for entry in entries if entry.get("date")]
        pick = min if function == "earliest_date" else max
        chosen = pick(dates, key=lambda date: date["start"]) if dates else None
        return {"type": "date", "date": chosen, "function": function}
    return {"type": "number", "number": _number(function, entries), "function": function}


def _number(function: str, entries: list[Json]) -> float | None:
    if function == "count":
        return len(entries)
    numbers = list(_numbers(entries))
    if not numbers:
        return 0 if function == "sum" else None
    if function == "average":
        return sum(numbers) / len(numbers)
    totals: dict[str, Callable[[list[float]], float]] = {"sum": sum, "min": min, "max": max}
    if function in totals:
        return totals[function](numbers)
    raise ValueError(f"The stand-in does not work out rollups with {function!r}.")


def _numbers(entries: Iterable[Json]) -> Iterable[float]:
    for entry in entries:
        value = entry[entry["type"]]
        if entry["type"] == "formula":
            value = value.get("number")
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield value
