"""Builders for page content: each returns a block description that `NotionWorld` turns into blocks.

A description is `{"type": T, T: payload, "children": [...]}`, the shape the API itself takes, so it can be
written out by hand or sent as JSON to `/_control`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from arcana_pipelines.testing.notion_server.model.rich_text import (
    RichText,
    TextLike,
    custom_emoji,
    inline_equation,
    mention_database,
    mention_date,
    mention_link,
    mention_page,
    mention_user,
    rich,
    text,
)

__all__ = [
    "BlockSpec",
    "audio",
    "bookmark",
    "breadcrumb",
    "bulleted",
    "callout",
    "code",
    "columns",
    "custom_emoji",
    "divider",
    "embed",
    "equation",
    "file",
    "heading",
    "image",
    "inline_equation",
    "link_preview",
    "link_to_database",
    "link_to_page",
    "meeting_notes",
    "mention_database",
    "mention_date",
    "mention_link",
    "mention_page",
    "mention_user",
    "numbered",
    "paragraph",
    "pdf",
    "quote",
    "rich",
    "synced",
    "synced_copy",
    "table",
    "table_of_contents",
    "tabs",
    "template",
    "text",
    "todo",
    "toggle",
    "unsupported",
    "video",
]

BlockSpec: TypeAlias = dict[str, Any]
Children: TypeAlias = "Sequence[BlockSpec] | None"
Hosted: TypeAlias = "str | dict[str, Any] | None"
"""The name of a file that was uploaded, or what `NotionWorld.upload` gave; None: Notion does not keep it."""


def paragraph(content: TextLike = "", *, color: str = "default", children: Children = None) -> BlockSpec:
    """A paragraph; without content, an empty line."""
    return _block("paragraph", {"rich_text": rich(content), "icon": None, "color": color}, children)


def heading(
    content: TextLike,
    level: int = 1,
    *,
    color: str = "default",
    toggleable: bool = False,
    children: Children = None,
) -> BlockSpec:
    """A heading of level 1 to 4; one with children folds."""
    if not 1 <= level <= 4:
        raise ValueError(f"A heading has a level from 1 to 4, not {level}.")
    payload = {"rich_text": rich(content), "is_toggleable": toggleable or bool(children), "color": color}
    return _block(f"heading_{level}", payload, children)


def bulleted(content: TextLike, *, color: str = "default", children: Children = None) -> BlockSpec:
    """An item of a bulleted list."""
    return _block("bulleted_list_item", {"rich_text": rich(content), "color": color}, children)


def numbered(
    content: TextLike,
    *,
    color: str = "default",
    list_format: str | None = None,
    start: int | None = None,
    children: Children = None,
) -> BlockSpec:
    """An item of a numbered list; `list_format` is numbers, letters or roman."""
    payload: dict[str, Any] = {"rich_text": rich(content), "color": color}
    if start is not None:
        payload["list_start_index"] = start
    if list_format is not None:
        payload["list_format"] = list_format
    return _block("numbered_list_item", payload, children)


def todo(content: TextLike, *, checked: bool = False, color: str = "default", children: Children = None) -> BlockSpec:
    """A check box with a label."""
    return _block("to_do", {"rich_text": rich(content), "checked": checked, "color": color}, children)


def toggle(content: TextLike, children: Children = None, *, color: str = "default") -> BlockSpec:
    """A line that unfolds."""
    return _block("toggle", {"rich_text": rich(content), "color": color}, children)


def quote(content: TextLike, *, color: str = "default", children: Children = None) -> BlockSpec:
    """A quotation."""
    return _block("quote", {"rich_text": rich(content), "color": color}, children)


def callout(
    content: TextLike,
    *,
    icon: str | dict[str, Any] | None = "💡",
    color: str = "gray_background",
    children: Children = None,
) -> BlockSpec:
    """A boxed remark with an emoji."""
    return _block("callout", {"rich_text": rich(content), "icon": emoji(icon), "color": color}, children)


def code(content: TextLike, language: str = "plain text", *, caption: TextLike = "") -> BlockSpec:
    """A code listing."""
    return _block("code", {"caption": rich(caption), "rich_text": rich(content), "language": language})


def equation(expression: str) -> BlockSpec:
    """A formula on its own lines."""
    return _block("equation", {"expression": expression})


def divider() -> BlockSpec:
    """A horizontal rule."""
    return _block("divider", {})


def breadcrumb() -> BlockSpec:
    """The path to the page, drawn by the app."""
    return _block("breadcrumb", {})


def table_of_contents(*, color: str = "default") -> BlockSpec:
    """A table of contents, drawn by the app."""
    return _block("table_of_contents", {"color": color})


def table(rows: Sequence[Sequence[TextLike]], *, column_header: bool = True, row_header: bool = False) -> BlockSpec:
    """A simple table; short rows are filled up with empty cells."""
    width = max((len(row) for row in rows), default=1)
    payload = {"table_width": width, "has_column_header": column_header, "has_row_header": row_header}
    return _block("table", payload, [_row(row, width) for row in rows])


def columns(contents: Sequence[Sequence[BlockSpec]], *, ratios: Sequence[float] | None = None) -> BlockSpec:
    """Columns side by side; `ratios` are fractions of the width."""
    made = [
        _block("column", {"width_ratio": ratios[at]} if ratios else {}, content) for at, content in enumerate(contents)
    ]
    return _block("column_list", {}, made)


def tabs(contents: Mapping[str, Sequence[BlockSpec]]) -> BlockSpec:
    """Tabs: a label and the blocks under it."""
    return _block("tab", {}, [paragraph(label, children=list(body)) for label, body in contents.items()])


def synced(children: Sequence[BlockSpec]) -> BlockSpec:
    """The original of a synced block; `synced_copy` shows it elsewhere."""
    return _block("synced_block", {"synced_from": None}, children)


def synced_copy(block_id: str) -> BlockSpec:
    """A copy that shows what the original holds."""
    return _block("synced_block", {"synced_from": {"type": "block_id", "block_id": block_id}})


def link_to_page(page_id: str) -> BlockSpec:
    """A line that links to a page elsewhere."""
    return _block("link_to_page", {"type": "page_id", "page_id": page_id})


def link_to_database(database_id: str) -> BlockSpec:
    """A line that links to a database elsewhere."""
    return _block("link_to_page", {"type": "database_id", "database_id": database_id})


def bookmark(url: str, caption: TextLike = "") -> BlockSpec:
    """A card for a web page."""
    return _block("bookmark", {"caption": rich(caption), "url": url})


def embed(url: str, caption: TextLike = "") -> BlockSpec:
    """Something shown in place."""
    return _block("embed", {"caption": rich(caption), "url": url})


def link_preview(url: str) -> BlockSpec:
    """A link that an integration unfurled; the API can read it but not make it."""
    return _block("link_preview", {"url": url})


def image(url: str | None = None, caption: TextLike = "", *, hosted: Hosted = None) -> BlockSpec:
    """A picture: at `url`, or uploaded to Notion under the file name `hosted`."""
    return _media("image", url, caption, hosted)


def video(url: str | None = None, caption: TextLike = "", *, hosted: Hosted = None) -> BlockSpec:
    """A film: at `url`, or uploaded under the file name `hosted`."""
    return _media("video", url, caption, hosted)


def audio(url: str | None = None, caption: TextLike = "", *, hosted: Hosted = None) -> BlockSpec:
    """A recording: at `url`, or uploaded under the file name `hosted`."""
    return _media("audio", url, caption, hosted)


def pdf(url: str | None = None, caption: TextLike = "", *, hosted: Hosted = None) -> BlockSpec:
    """A PDF: at `url`, or uploaded under the file name `hosted`."""
    return _media("pdf", url, caption, hosted)


def file(
    url: str | None = None, caption: TextLike = "", *, hosted: Hosted = None, name: str | None = None
) -> BlockSpec:
    """Any other file."""
    block = _media("file", url, caption, hosted)
    kept = hosted["name"] if isinstance(hosted, dict) else hosted
    block["file"]["name"] = name or kept or str(url).rsplit("/", 1)[-1]
    return block


def meeting_notes(
    title: TextLike,
    *,
    notes: Sequence[BlockSpec] = (),
    summary: Sequence[BlockSpec] = (),
    transcript: Sequence[BlockSpec] = (),
    status: str = "notes_ready",
) -> BlockSpec:
    """AI meeting notes with their three sections."""
    sections = {"summary": list(summary), "notes": list(notes), "transcript": list(transcript)}
    return {**_block("meeting_notes", {"title": rich(title), "status": status}), "sections": sections}


def template(content: TextLike, children: Children = None) -> BlockSpec:
    """A template button (deprecated, still readable)."""
    return _block("template", {"rich_text": rich(content)}, children)


def unsupported(block_type: str = "button") -> BlockSpec:
    """A block the API does not describe."""
    return _block("unsupported", {"block_type": block_type})


def emoji(icon: str | dict[str, Any] | None) -> dict[str, Any] | None:
    """An emoji as an icon object; an icon object as it is."""
    return {"type": "emoji", "emoji": icon} if isinstance(icon, str) else icon


def _block(kind: str, payload: dict[str, Any], children: Children = None) -> BlockSpec:
    return {"type": kind, kind: payload, "children": list(children or ())}


def _row(cells: Sequence[TextLike], width: int) -> BlockSpec:
    filled: list[RichText] = [rich(cell) for cell in cells]
    filled.extend([] for _ in range(width - len(filled)))
    return _block("table_row", {"cells": filled})


def _media(kind: str, url: str | None, caption: TextLike, hosted: Hosted) -> BlockSpec:
    if (url is None) == (hosted is None):
        raise ValueError(f"A block of type {kind} needs either a url or the name of a hosted file.")
    source = "external" if url else "file"
    kept = hosted["file"] if isinstance(hosted, dict) else {"name": hosted}
    location = {"url": url} if url else kept
    return _block(kind, {"caption": rich(caption), "type": source, source: location})
