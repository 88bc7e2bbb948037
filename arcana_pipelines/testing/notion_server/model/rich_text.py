"""Rich text: the segments that titles, paragraphs and comments are made of.

A segment is stored in the shape the API sends it, except that a mention's label is filled in when it is
sent, because the title it shows may have changed since.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

Segment: TypeAlias = dict[str, Any]
RichText: TypeAlias = list[Segment]
TextLike: TypeAlias = "str | Segment | Iterable[str | Segment]"

MAX_SEGMENT = 2000


def text(
    content: str,
    *,
    bold: bool = False,
    italic: bool = False,
    strikethrough: bool = False,
    underline: bool = False,
    code: bool = False,
    color: str = "default",
    link: str | None = None,
) -> Segment:
    """A piece of styled text."""
    annotations = _annotations(bold, italic, strikethrough, underline, code, color)
    return {
        "type": "text",
        "text": {"content": content, "link": {"url": link} if link else None},
        "annotations": annotations,
        "plain_text": content,
        "href": link,
    }


def inline_equation(expression: str) -> Segment:
    """A formula inside a line."""
    return _plain("equation", {"expression": expression}, expression)


def mention_user(user_id: str) -> Segment:
    """A mention of a user."""
    return _mention("user", {"id": user_id})


def mention_page(page_id: str) -> Segment:
    """A link to a page that shows the page's title of the moment."""
    return _mention("page", {"id": page_id})


def mention_database(database_id: str) -> Segment:
    """A link to a database that shows its title of the moment."""
    return _mention("database", {"id": database_id})


def mention_date(start: str, end: str | None = None, time_zone: str | None = None) -> Segment:
    """A date in a line, ISO 8601."""
    label = start if end is None else f"{start} → {end}"
    return _mention("date", {"start": start, "end": end, "time_zone": time_zone}, label)


def mention_link(url: str, title: str) -> Segment:
    """A web address that shows the title of what it points to."""
    return {**_mention("link_mention", {"href": url, "title": title}, title), "href": url}


def custom_emoji(emoji_id: str, name: str, url: str) -> Segment:
    """One of the workspace's own emoji."""
    return _mention("custom_emoji", {"id": emoji_id, "name": name, "url": url}, f":{name}:")


def rich(value: TextLike) -> RichText:
    """Segments from a string, a segment, or a mixture; long strings are cut at Notion's 2,000 characters."""
    if isinstance(value, str):
        return [text(value[at : at + MAX_SEGMENT]) for at in range(0, len(value), MAX_SEGMENT)]
    if isinstance(value, dict):
        return [value]
    return [segment for item in value for segment in rich(item)]


def plain(segments: RichText) -> str:
    """The text without its styling, mentions as they were labelled when they were made."""
    return "".join(segment["plain_text"] for segment in segments)


def _mention(kind: str, value: dict[str, Any], label: str = "") -> Segment:
    return _plain("mention", {"type": kind, kind: value}, label)


def _plain(kind: str, value: dict[str, Any], label: str) -> Segment:
    return {
        "type": kind,
        kind: value,
        "annotations": _annotations(False, False, False, False, False, "default"),
        "plain_text": label,
        "href": None,
    }


def _annotations(
    bold: bool, italic: bool, strikethrough: bool, underline: bool, code: bool, color: str
) -> dict[str, Any]:
    return {
        "bold": bold,
        "italic": italic,
        "strikethrough": strikethrough,
        "underline": underline,
        "code": code,
        "color": color,
    }
