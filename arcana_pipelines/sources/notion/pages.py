"""Notion's page and data source objects as page references."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.lists import items
from arcana_pipelines.sources.notion.properties import (
    complete_property,
    incomplete_properties,
    read_properties,
    title_of,
)
from arcana_pipelines.sources.notion.rich_text import plain
from arcana_pipelines.sources.protocol import PageRef

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def page_ref(page: Mapping[str, Any]) -> PageRef:
    """The reference of a page object (https://developers.notion.com/reference/page)."""
    raw = page.get("properties")
    raw = raw if isinstance(raw, dict) else {}
    properties = read_properties(raw)
    for name, property_id in incomplete_properties(raw):
        if name in properties:
            properties[name] = {**properties[name], "incomplete": property_id}
    kind, parent = parent_of(page.get("parent"))
    return PageRef(
        external_id=canonical_id(str(page.get("id"))),
        kind="row" if kind in ("data_source", "database") else "page",
        parent_kind=kind,
        parent_id=parent,
        title=title_of(raw),
        url=page.get("url"),
        revision=str(page.get("last_edited_time")),
        last_edited_at=parse_time(page.get("last_edited_time")),
        in_trash=bool(page.get("in_trash") or page.get("archived")),
        properties=properties,
    )


def data_source_ref(item: Mapping[str, Any]) -> PageRef:
    """The reference of a data source object. Its parent is the page its database stands on."""
    kind, parent = parent_of(item.get("database_parent") or item.get("parent"))
    return PageRef(
        external_id=canonical_id(str(item.get("id"))),
        kind="data_source",
        parent_kind=kind,
        parent_id=parent,
        title=plain(item.get("title") or []),
        url=item.get("url"),
        revision=str(item.get("last_edited_time")),
        last_edited_at=parse_time(item.get("last_edited_time")),
        in_trash=bool(item.get("in_trash") or item.get("archived")),
    )


def completed_properties(api: NotionApi, ref: PageRef) -> Mapping[str, Mapping[str, Any]] | None:
    """The reference's properties with long relations and people read to their end, or None if none is cut."""
    cut = {name: value for name, value in ref.properties.items() if "incomplete" in value}
    if not cut:
        return None
    whole = {name: dict(value) for name, value in ref.properties.items()}
    for name, value in cut.items():
        kind = str(value["type"])
        references = list(items(api, f"pages/{ref.external_id}/properties/{value['incomplete']}"))
        completed = complete_property({"id": value["incomplete"], "type": kind, kind: []}, references)
        whole[name] = read_properties({name: completed}).get(name, whole[name])
    return whole


def canonical_id(value: str) -> str:
    """Notion's ids come with and without dashes: always with, in lower case."""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return value


def parse_time(value: Any) -> datetime:
    """An ISO time as aware UTC; something unreadable is long ago, so that it never hides an edit."""
    try:
        when = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return LONG_AGO
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def parent_of(parent: Any) -> tuple[str, str | None]:
    """(kind, id) of a parent object; kinds we do not know are kept under their own name."""
    if not isinstance(parent, dict):
        return "workspace", None
    kind = str(parent.get("type") or "workspace")
    value = parent.get(kind)
    if not isinstance(value, str):
        return "workspace", None
    return kind.removesuffix("_id"), canonical_id(value)
