"""A tree of Notion blocks as Markdown in the normal form of `markdown.normalise`.

Block types and their payloads: docs reference/block, and notion-sdk-js `src/api-endpoints/blocks.ts`. An
unknown type is data, not an error: its text is kept, its type counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from arcana_pipelines.errors import PageRejected, PageUnavailable
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.inline import compose
from arcana_pipelines.markdown.layout import Layout
from arcana_pipelines.markdown.media import FILES, MEDIA, media_label
from arcana_pipelines.markdown.tables import read_cell, write_table
from arcana_pipelines.markdown.urls import canonical_id, page_id_of
from arcana_pipelines.sources.notion.files import Medium, block_medium
from arcana_pipelines.sources.notion.rich_text import code_text, inline, page_links, pieces, plain

Block = Mapping[str, Any]
Children = Callable[[str], Iterable[dict[str, Any]]]

_HEADINGS = {f"heading_{level}": level for level in range(1, 7)}
_LISTS = frozenset({"bulleted_list_item", "numbered_list_item", "to_do"})
_TEXTS = frozenset({"paragraph", "toggle", "template"})
_SILENT = frozenset({"breadcrumb", "column", "column_list", "tab", "table_of_contents"})
_CHILD_PAGES = frozenset({"child_page", "child_database"})
# What a block says of itself besides its content.
_ENVELOPE = frozenset(
    {
        "archived", "created_by", "created_time", "has_children", "id", "in_trash", "last_edited_by",
        "last_edited_time", "object", "parent", "request_id", "type",
    }
)  # fmt: skip
# Texts of unknown blocks that are not rich text.
_NAMES = ("title", "name", "expression", "text", "rich_text", "caption")
_SECTIONS = ("notes_block_id", "summary_block_id", "transcript_block_id")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a block tree says.

    Attributes:
        links: the ids of pages and databases that it contains or names.
        unknown_types: how many blocks of each type could not be shown in full.
        problems: whose children could not be read, and why; in words.
        media: pictures, files, recordings and films, in their order.
    """

    markdown: str
    links: tuple[str, ...] = ()
    unknown_types: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    media: tuple[Medium, ...] = ()


@dataclass(slots=True)
class _Level:
    """The children of one block, partly read."""

    blocks: Iterator[dict[str, Any]]
    owner: str  # the block whose children these are; a synced copy goes by its original
    depth: int  # of the list they stand in
    name: str = ""
    spare: str | None = None  # where else the same children can be read
    started: bool = False
    number: int = 0  # of the numbered item that was read last; 0 where another block was


def render(root_id: str, children: Children) -> Rendered:
    """The blocks below `root_id`; child pages and databases give a line and a link, not their content.

    Args:
        root_id: a page or block.
        children: gives a block's children in order. It may raise `PageUnavailable` or `PageRejected` for one
            block, whose other children are then missing and named in `problems`; for the root, and for any
            other error, the error is the caller's.
    """
    renderer = _Renderer(children)
    renderer.walk(root_id)
    return Rendered(
        renderer.layout.text(),
        tuple(renderer.links),
        dict(renderer.unknown),
        tuple(renderer.problems),
        tuple(renderer.found),
    )


class _Renderer:
    __slots__ = ("children", "found", "layout", "levels", "links", "path", "problems", "synced", "unknown")

    def __init__(self, children: Children) -> None:
        self.children = children
        self.layout = Layout()
        self.levels: list[_Level] = []
        self.path: set[str] = set()
        self.synced: set[str] = set()
        self.links: dict[str, None] = {}
        self.unknown: dict[str, int] = {}
        self.problems: list[str] = []
        self.found: list[Medium] = []

    def walk(self, root_id: str) -> None:
        """Depth first over an explicit stack: pages nest deeper than Python recurses."""
        self.path.add(root_id)
        self.levels.append(_Level(iter(self.children(root_id)), root_id, 0))
        while self.levels:
            level = self.levels[-1]
            try:
                block = next(level.blocks, None)
            except (PageUnavailable, PageRejected) as error:
                if len(self.levels) == 1:
                    raise
                if not self.retry(level):
                    self.failed(level.name, level.owner, error)
                    self.leave(level)
                continue
            if block is None:
                self.leave(level)
            elif isinstance(block, Mapping) and block.get("in_trash") is not True and block.get("archived") is not True:
                level.started = True
                self.block(block, level)

    def leave(self, level: _Level) -> None:
        self.levels.pop()
        self.path.discard(level.owner)

    def retry(self, level: _Level) -> bool:
        """Read a synced copy's children at its original, when the copy has not given any."""
        if level.spare is None or level.started:
            return False
        spare, level.spare = level.spare, None
        try:
            level.blocks = iter(self.children(spare))
        except (PageUnavailable, PageRejected):
            return False
        return True

    def failed(self, name: str, block_id: str, error: Exception) -> None:
        self.synced.discard(block_id)
        self.problems.append(f"{clean(name)[:100]} {clean(block_id)[:100]}: {error}")

    def enter(self, name: str, block_id: str, depth: int, owner: str = "", spare: str | None = None) -> None:
        """Go on with the children of a block, unless we are already inside it."""
        owner = owner or block_id
        if not block_id or owner in self.path:
            return
        try:
            blocks = iter(self.children(block_id))
        except (PageUnavailable, PageRejected) as error:
            level = _Level(iter(()), owner, depth, name, spare)
            if not self.retry(level):
                self.failed(name, owner, error)
                return
        else:
            level = _Level(blocks, owner, depth, name, spare)
        self.path.add(owner)
        self.levels.append(level)

    def block(self, block: Block, level: _Level) -> None:
        depth = level.depth
        kind = _string(block.get("type"))
        payload = block.get(kind)
        if not isinstance(payload, Mapping):
            payload = {key: value for key, value in block.items() if key not in _ENVELOPE}
            # With content under another name than its type's it is none that we know.
            kind = "" if any(payload.values()) else kind
        level.number = _number(payload, level.number) if kind == "numbered_list_item" else 0
        block_id = _string(block.get("id"))
        if kind in _CHILD_PAGES:
            self.link(canonical_id(block_id))
            self.layout.paragraph(compose([("text", _string(payload.get("title")))]))
            return
        if kind == "synced_block":
            self.synced_block(block_id, payload, bool(block.get("has_children")), depth)
            return
        if kind == "table":
            if block.get("has_children"):
                self.table(block_id)
            return
        self.links.update(dict.fromkeys(page_links(payload.get("rich_text"))))
        self.links.update(dict.fromkeys(page_links(payload.get("caption"))))
        self.show(kind, payload)
        if kind in ("meeting_notes", "transcription") and (sections := _sections(payload)):
            # Last in, first out; what is missing of the three is simply not there yet.
            for section in reversed(sections):
                self.enter(kind, section, depth)
        elif block.get("has_children"):
            self.enter(kind, block_id, depth + 1 if kind in _LISTS else depth)

    def show(self, kind: str, payload: Block) -> None:
        """Write what a block itself says."""
        layout = self.layout
        text = payload.get("rich_text")
        if kind in _TEXTS:
            layout.paragraph(inline(text))
        elif kind in _HEADINGS:
            layout.heading(_HEADINGS[kind], inline(text))
        elif kind in _LISTS:
            level = self.levels[-1]
            layout.item(_marker(kind, payload, level.number), level.depth, inline(text))
        elif kind == "quote":
            layout.quote(inline(text))
        elif kind == "callout":
            body = inline(text)
            emoji = _emoji(payload.get("icon"))
            layout.paragraph(f"{emoji} {body}" if emoji and body else body)
        elif kind == "code":
            layout.code(_string(payload.get("language")), code_text(text))
            layout.paragraph(inline(payload.get("caption")))
        elif kind == "equation":
            layout.equation(code_text([{"plain_text": payload.get("expression")}]))
        elif kind == "divider":
            layout.block("---")
        elif kind in MEDIA:
            self.media(kind, payload)
        elif kind == "link_to_page":
            self.link(canonical_id(_string(payload.get("page_id")) or _string(payload.get("database_id"))))
        elif kind == "table_row":
            layout.paragraph(" ".join(filter(None, _cells(payload))))
        elif kind in ("meeting_notes", "transcription"):
            layout.paragraph(inline(payload.get("title")))
        elif kind not in _SILENT:
            self.unfamiliar(kind, payload)

    def unfamiliar(self, kind: str, payload: Block) -> None:
        """A type we do not know, or that the API does not show: count it, keep any text it has."""
        name = clean(_string(payload.get("block_type")) or kind or "untyped")[:100]
        self.unknown[name] = self.unknown.get(name, 0) + 1
        for text in _texts(payload):
            self.layout.paragraph(text)
        if isinstance(url := payload.get("url"), str):
            self.media("bookmark", {"url": url})

    def media(self, kind: str, payload: Block) -> None:
        hosted = payload.get(_string(payload.get("type")))
        url = _string(hosted.get("url")) if isinstance(hosted, Mapping) else ""
        url = url or _string(payload.get("url"))
        self.link(page_id_of(url))
        caption = payload.get("caption")
        if kind in FILES and (medium := block_medium(kind, payload, plain(caption))) is not None:
            self.found.append(medium)
        label = media_label(kind, url, plain(caption), _string(payload.get("name")))
        self.layout.paragraph(compose([*pieces(caption), ("text", f" {label}")]))

    def table(self, block_id: str) -> None:
        rows = []
        try:
            for row in self.children(block_id):
                payload = row.get("table_row") if isinstance(row, Mapping) else None
                if isinstance(payload, Mapping):
                    rows.append(_cells(payload))
                    for cell in payload.get("cells") or ():
                        self.links.update(dict.fromkeys(page_links(cell)))
        except (PageUnavailable, PageRejected) as error:
            self.failed("table", block_id, error)
        self.layout.block(write_table(rows))

    def synced_block(self, block_id: str, payload: Block, has_children: bool, depth: int) -> None:
        """Show synced content once a page, wherever it comes first; copies inside themselves end there."""
        source = payload.get("synced_from")
        original = _string(source.get("block_id")) if isinstance(source, Mapping) else ""
        key = canonical_id(original or block_id) or original or block_id
        if not has_children or key in self.synced:
            return
        self.synced.add(key)
        self.enter("synced_block", block_id, depth, owner=key, spare=original or None)

    def link(self, page_id: str | None) -> None:
        if page_id:
            self.links[page_id] = None


def _texts(payload: Block) -> Iterator[str]:
    """Every text in a payload of a shape that we do not know, in order."""
    waiting: list[object] = [payload]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            if any(isinstance(part, Mapping) and "plain_text" in part for part in item):
                yield inline(item)
            else:
                waiting.extend(reversed(item))
        elif isinstance(item, Mapping):
            yield from (compose([("text", _string(item.get(key)))]) for key in _NAMES)
            # An icon has a name too, but it is nothing to read.
            inside = [value for key, value in item.items() if key != "icon" and isinstance(value, list | Mapping)]
            waiting.extend(reversed(inside))


def _number(payload: Block, before: int) -> int:
    """The number of an item; Notion's have none but the first one's, where it is not 1."""
    start = payload.get("list_start_index")
    return before + 1 if before else start if isinstance(start, int) and 0 <= start < 10**9 else 1


def _marker(kind: str, payload: Block, number: int) -> str:
    if kind == "to_do":
        return "- [x] " if payload.get("checked") is True else "- [ ] "
    if kind == "bulleted_list_item":
        return "- "
    return f"{number}. "


def _cells(payload: Block) -> list[str]:
    cells = payload.get("cells")
    return [read_cell(inline(cell)) for cell in cells] if isinstance(cells, list) else []


def _sections(payload: Block) -> list[str]:
    children = payload.get("children")
    if not isinstance(children, Mapping):
        return []
    return [section for key in _SECTIONS if (section := _string(children.get(key)))]


def _emoji(icon: object) -> str:
    return _string(icon.get("emoji")) if isinstance(icon, Mapping) else ""


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
