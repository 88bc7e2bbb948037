"""One property of one page, read to its end: what a page object cuts at 25 references the property endpoint has whole.

https://developers.notion.com/reference/property-item-object
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from arcana_pipelines.errors import AnswerUnusable
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.lists import follow
from arcana_pipelines.sources.notion.properties import read_value

# Functions that the endpoint does not compute: it lists what they are about instead.
_LISTED = frozenset({"unsupported", "incomplete"})


def read_property(api: NotionApi, page_id: str, property_id: str, held: Mapping[str, Any]) -> dict[str, Any]:
    """A property as `properties.read_value` gives it. `held` is what the page object says of it.

    Raises:
        AnswerUnusable: the endpoint answers with a property of another type, or does not compute it.
        SourceUnavailable, PageRejected, PageUnavailable, TokenRevoked: see `NotionApi.request`.
    """
    kind = held["type"]
    path = f"pages/{page_id}/properties/{property_id}"
    read = partial(api.pages.properties.retrieve, page_id, property_id)
    first: dict[str, Any] = read(page_size=100)
    if first["object"] == "property_item":  # a formula, for one, is not a list
        return _expected(first, kind, path)
    results: list[dict[str, Any]] = []
    about: Any = None
    for answer in follow(read, path, first):
        results += answer["results"]
        about = answer.get("property_item")
    if kind == "rollup":
        return _rollup(about, results, held, path)
    if not all(item.get("type") == kind and kind in item for item in results):
        raise AnswerUnusable(f"{path} answered with something other than {kind}")
    return read_value({"type": kind, kind: [item[kind] for item in results]})


def _expected(item: Mapping[str, Any], kind: str, path: str) -> dict[str, Any]:
    if item.get("type") != kind or kind not in item:
        raise AnswerUnusable(f"{path} answered with something other than {kind}")
    expected = read_value(item)
    if expected.get("unsupported"):
        raise AnswerUnusable(f"{path}: it depends on more than Notion's API computes")
    return expected


def _rollup(about: object, results: list[dict[str, Any]], held: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A computed rollup stands in what the last answer says about the list, a shown one is the list itself.

    Entries come flattened: one of several segments or people is several items. Those that the page object has are
    known as wholes; among the rest each item counts as one.
    """
    rollup = about.get("rollup") if isinstance(about, Mapping) else None
    if not isinstance(rollup, Mapping):
        if not isinstance(held.get("value"), list):
            raise AnswerUnusable(f"{path} answered with something other than rollup")
        rollup = {"type": "array"}  # what is listed beside others in the page object is a list here as well
    if rollup.get("type") in _LISTED:
        raise AnswerUnusable(f"{path}: it depends on more than Notion's API computes")
    if rollup.get("type") != "array":
        return read_value({"type": "rollup", "rollup": rollup})
    cells = [read_value(_listed(item)) for item in results]
    texts = [str(cell["text"]) for cell in cells]
    values = [cell["value"] for cell in cells]
    known = held["value"] if isinstance(held.get("value"), list) else []
    if covered := _covered(known, values):
        texts = [str(held["text"]), *texts[covered:]]
        values = [*known, *values[covered:]]
    return {"type": "rollup", "text": ", ".join(text for text in texts if text), "value": values}


def _listed(item: Mapping[str, Any]) -> dict[str, Any]:
    """A flattened entry as it would stand in a page object: texts, people and relations are lists there."""
    kind = item.get("type")
    if kind not in ("title", "rich_text", "people", "relation"):
        return dict(item)
    return {"type": kind, kind: [item.get(kind)]}


def _covered(known: list[Any], values: list[Any]) -> int:
    """How many flattened values the known entries are made of, in their order; 0 when they are others."""
    at = 0
    for entry in known:
        if isinstance(entry, str):
            text = ""
            while text != entry and at < len(values) and isinstance(values[at], str) and entry.startswith(text):
                text += values[at]
                at += 1
            if text != entry:
                return 0
            continue
        parts = [[part] for part in entry] if isinstance(entry, list) else [entry]
        if values[at : at + len(parts)] != parts:
            return 0
        at += len(parts)
    return at
