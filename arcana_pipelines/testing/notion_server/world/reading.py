"""What a person sees, for checking an index against the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arcana_pipelines.testing.notion_server.model.objects import Block, Json, Node, Page
from arcana_pipelines.testing.notion_server.model.rich_text import RichText
from arcana_pipelines.testing.notion_server.model.tree import Tree
from arcana_pipelines.testing.notion_server.wire import values
from arcana_pipelines.testing.notion_server.wire.wire import Wire


def visible_pages(tree: Tree, *, archived: bool) -> list[str]:
    """Ids of the pages and rows that show in listings; archived rows only when asked."""
    pages = [node for node in tree.nodes.values() if isinstance(node, Page) and tree.is_listed(node)]
    return [page.id for page in pages if archived or not page.is_archived]


def visible_text(wire: Wire, page: Page, *, related: bool) -> list[str]:
    """Title, property values and content in reading order, a piece a line.

    Titles of child pages and databases are left out (they are those pages' text), and so are transcripts,
    which neither the app nor the API shows unless asked. A mention of a person is the name without the `@`.
    """
    pieces = list(_lines(wire, page.title))
    for declared in values.columns(wire.tree, page).values():
        if declared.type != "title" and (related or declared.type != "relation"):
            pieces += _value_text(wire, declared.type, values.whole_value(wire, page, declared))
    for child in wire.tree.live_children(page):
        pieces += _block_text(wire, child)
    return [piece for piece in pieces if piece.strip()]


def _block_text(wire: Wire, node: Node, inside: frozenset[str] = frozenset()) -> Iterator[str]:
    if not isinstance(node, Block) or node.id in inside:
        return
    payload = node.payload
    for part in ("rich_text", "title", "caption"):
        yield from _lines(wire, payload.get(part, []))
    for cell in payload.get("cells", []):
        yield from _lines(wire, cell)
    if node.type == "equation":
        yield from payload["expression"].split("\n")
    hidden = payload.get("children", {}).get("transcript_block_id") if node.type == "meeting_notes" else None
    for child in wire.tree.live_children(wire.content_of(node)):
        if child.id != hidden:
            yield from _block_text(wire, child, inside | {node.id})


def _lines(wire: Wire, segments: RichText) -> Iterator[str]:
    shown = (
        part["plain_text"].removeprefix("@" if part["type"] == "mention" else "") for part in wire.rich_text(segments)
    )
    yield from "".join(shown).split("\n")


def _value_text(wire: Wire, kind: str, value: Any) -> Iterator[str]:
    if value is None or value == []:
        return
    if kind == "rich_text":
        yield from _lines(wire, value)
    elif kind in ("url", "email", "phone_number"):
        yield str(value)
    elif kind == "number":
        yield f"{value:g}" if isinstance(value, float) else str(value)
    elif kind in ("select", "status"):
        yield value["name"]
    elif kind in ("multi_select", "people", "files"):
        yield from (item["name"] for item in value if item.get("name"))
    elif kind == "date":
        yield value["start"]
    elif kind == "relation":
        yield from (title for item in value if (title := wire.title_of(item["id"])))
    elif kind in ("formula", "rollup"):
        yield from _result_text(wire, value)
    elif kind == "unique_id":
        yield f"{value['prefix']}-{value['number']}" if value["prefix"] else str(value["number"])
    elif kind == "place":
        yield from (value[key] for key in ("name", "address") if value[key])


def _result_text(wire: Wire, result: Json) -> Iterator[str]:
    kind = result["type"]
    value = result[kind]
    if kind == "array":
        for entry in value:
            entry_kind = entry["type"]
            if entry_kind == "title":
                yield from _lines(wire, entry["title"])
            else:
                yield from _value_text(wire, entry_kind, entry[entry_kind])
    elif kind == "string" and value:
        yield from value.split("\n")
    elif kind == "number" and value is not None:
        yield f"{value:g}"
    elif kind == "date" and value:
        yield value["start"]
