"""Notion's page and data source objects as page references."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from arcana_pipelines.errors import AnswerUnusable, PageRejected, PageUnavailable
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.sources.notion.properties import (
    incomplete_properties,
    read_properties,
    read_schema,
    title_of,
)
from arcana_pipelines.sources.notion.property_items import read_property
from arcana_pipelines.sources.notion.rich_text import plain
from arcana_pipelines.sources.protocol import PageRef

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def page_ref(page: Mapping[str, Any]) -> PageRef:
    """The reference of a page object (https://developers.notion.com/reference/page).

    Raises:
        AnswerUnusable: it has no proper id.

    One that is not a page object in another way gives a reference that says so (`problem`).
    """
    raw = page.get("properties")
    raw = raw if isinstance(raw, dict) else {}
    title = title_of(raw)
    properties = read_properties(raw)
    for name, property_id in incomplete_properties(raw):
        # The title is none of the properties, unless it has to be read to its end.
        held = properties.get(name, {"type": "title", "text": title, "value": title})
        properties[name] = {**held, "incomplete": property_id}
    kind, parent = parent_of(page.get("parent"))
    editor_id, editor_name = _editor_of(page.get("last_edited_by"))
    return PageRef(
        external_id=page_id_of(page),
        kind="row" if kind in ("data_source", "database") else "page",
        parent_kind=kind,
        parent_id=parent,
        title=title,
        url=_string(page.get("url")) or None,
        revision=_string(page.get("last_edited_time")),
        last_edited_at=parse_time(page.get("last_edited_time")),
        in_trash=is_trashed(page),
        properties=properties,
        editor_id=editor_id,
        editor_name=editor_name,
        problem=_problem(page, ("properties", dict), ("parent", dict), ("last_edited_time", str)),
    )


def data_source_ref(item: Mapping[str, Any]) -> PageRef:
    """The reference of a data source object. Its parent is the page its database stands on.

    Raises:
        AnswerUnusable: it has no proper id.
    """
    kind, parent = parent_of(item.get("database_parent") or item.get("parent"))
    return PageRef(
        external_id=page_id_of(item),
        kind="data_source",
        is_container=True,
        parent_kind=kind,
        parent_id=parent,
        title=plain(item.get("title") or []),
        url=_string(item.get("url")) or None,
        revision=_string(item.get("last_edited_time")),
        last_edited_at=parse_time(item.get("last_edited_time")),
        in_trash=is_trashed(item),
        properties=read_schema(item.get("properties")),
    )


@dataclass(frozen=True, slots=True)
class Completed:
    """What a page says of itself once properties that the listing cut short are read to their end.

    Attributes:
        title: None: the listing had all of it.
        properties: all of them, the title apart, in the place of the listed ones.
        partial: see `FetchedPage`.
    """

    title: str | None
    properties: Mapping[str, Mapping[str, Any]]
    partial: tuple[str, ...] = ()


def completed(api: NotionApi, ref: PageRef) -> Completed | None:
    """The reference's title and properties read to their end, or None if none is cut.

    Raises:
        SourceUnavailable, TokenRevoked: see `NotionApi.request`.
    """
    cut = [name for name, value in ref.properties.items() if "incomplete" in value]
    hopeless = [name for name, value in ref.properties.items() if value.get("unsupported")]
    if not cut and not hopeless:
        return None
    title = None
    whole = {name: dict(value) for name, value in ref.properties.items()}
    partial = [f"property '{name}' depends on more than Notion's API computes" for name in hopeless]
    for name in cut:
        held = whole[name]
        property_id = quote(_string(held["incomplete"]), safe="%~")  # encoded by the API, as a rule
        try:
            whole_value = read_property(api, path_id(ref.external_id), property_id, held)
        except (PageRejected, PageUnavailable, AnswerUnusable) as error:
            partial.append(f"property '{name}' could not be read to its end: {error}")
            continue
        if held["type"] == "title":
            title = whole_value["text"]
        whole[name] = {key: value for key, value in whole_value.items() if key != "incomplete"}
    shown = {name: value for name, value in whole.items() if value["type"] != "title"}
    return Completed(title, shown, tuple(partial))


def notion_id(value: object) -> str | None:
    """Notion's ids come with and without dashes: always with, in lower case. None for what is not an id."""
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def path_id(value: object) -> str:
    """An id as a part of a path.

    Raises:
        PageRejected: it is none; it would lead elsewhere on the API's host.
    """
    page_id = notion_id(value)
    if page_id is None:
        raise PageRejected(f"{clean(str(value)[:100])!r} is not an id of Notion's")
    return page_id


def parse_time(value: object) -> datetime:
    """An ISO time as aware UTC; something unreadable is long ago, so that it never hides an edit."""
    try:
        when = datetime.fromisoformat(_string(value))
        when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return LONG_AGO
    return max(when, LONG_AGO)


def parent_of(parent: object) -> tuple[str, str | None]:
    """(kind, id) of a parent object; kinds we do not know are kept under their own name."""
    if not isinstance(parent, dict):
        return "workspace", None
    kind = _string(parent.get("type"))
    value = notion_id(parent.get(kind))
    return (kind.removesuffix("_id"), value) if value else ("workspace", None)


def page_id_of(item: Mapping[str, Any]) -> str:
    """The id of a page or data source object.

    Raises:
        AnswerUnusable: it is none.
    """
    item_id = notion_id(item.get("id"))
    if item_id is None:
        raise AnswerUnusable(f"the id of a {clean(_string(item.get('object'))[:50])} is not an id of Notion's")
    return item_id


def _editor_of(user: object) -> tuple[str | None, str | None]:
    """(id, name) of a user object; page objects give most users by their id alone."""
    if not isinstance(user, dict) or (user_id := notion_id(user.get("id"))) is None:
        return None, None
    return user_id, clean(_string(user.get("name"))).strip() or None


def is_trashed(item: Mapping[str, Any]) -> bool:
    """True when a page or data source says of itself that it is in the trash."""
    # Only a plain yes: what is not a boolean says nothing, and a page that is taken for trashed is removed.
    return item.get("in_trash") is True or item.get("archived") is True


def _problem(page: Mapping[str, Any], *needed: tuple[str, type]) -> str:
    wrong = [name for name, kind in needed if not isinstance(page.get(name), kind)]
    return f"the source lists it without {' and '.join(wrong)} that can be read" if wrong else ""


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
