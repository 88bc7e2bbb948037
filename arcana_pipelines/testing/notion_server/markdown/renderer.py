"""A page's content as Markdown: what both versions share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote

from arcana_pipelines.testing.notion_server.model.ids import block_url
from arcana_pipelines.testing.notion_server.model.objects import Block, Database, Json, Node, Page
from arcana_pipelines.testing.notion_server.model.rich_text import RichText
from arcana_pipelines.testing.notion_server.wire.wire import Wire

MAX_UNKNOWN_IDS = 100
# A Unicode noncharacter: no text may hold one.
FILE = "\ufdd0"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A block that is not shown: not loaded, not accessible, or of a kind Markdown has no words for.

    Attributes:
        block_id: leads to it in the address of its tag: a reader may ask for the block by it.
        alt: what the tag calls it: the type of the block, `alias` for a link to a page.
    """

    block_id: str
    alt: str


class MarkdownLimits(Protocol):
    """What the world says of the endpoint (see `NotionWorld`)."""

    markdown_block_limit: int
    unshared_child_in_markdown: Literal["unknown", "vanishes"]
    files_in_markdown: Literal["signed", "referred"]


class Renderer:
    """One rendering of one page or block. The versions differ in `blocks`."""

    def __init__(self, wire: Wire, limits: MarkdownLimits, *, transcript: bool) -> None:
        self.wire = wire
        self.tree = wire.tree
        self.limits = limits
        self.transcript = transcript
        self.left = limits.markdown_block_limit
        self.unknown_ids: list[str] = []
        self.truncated = False
        # The pages whose changes would change this text, with their revisions.
        self.read: dict[str, int] = {}
        self._open: set[str] = set()
        self._page_id = ""

    def render(self, node: Page | Block) -> str:
        """The content of a page, or the subtree of a block."""
        page = node if isinstance(node, Page) else self.tree.page_of(node)
        self._page_id = page.id if page else node.id
        self.depends_on(node)
        if isinstance(node, Page):
            return self.blocks(self.children(node))
        self.left -= 1
        return self.blocks([node])

    def blocks(self, nodes: list[Node | Unknown]) -> str:
        """Sibling blocks as text."""
        raise NotImplementedError

    def depends_on(self, node: Node | None) -> None:
        """Remember that a change of this node, or of the page it is on, changes the text."""
        page = node if node is None or isinstance(node, Page) else self.tree.page_of(node)
        for each in (node, page):
            if each is not None:
                self.read[each.id] = each.revision

    def children(self, node: Node) -> list[Node | Unknown]:
        """The children of a block as far as they are loaded and accessible."""
        content = self.wire.content_of(node)
        if content.id in self._open:
            return []
        self.depends_on(content)
        self._open.add(content.id)
        shown: list[Node | Unknown] = []
        for child_id in content.children:
            child = self.tree.nodes.get(child_id)
            if child is None or child.in_trash:
                continue
            if not self.tree.is_shared(child):
                if self.limits.unshared_child_in_markdown == "unknown":
                    shown.append(self._withheld(child))
            elif self.left <= 0:
                shown.append(self._withheld(child))
            else:
                self.left -= 1
                shown.append(child)
        return shown

    def leave(self, node: Node) -> None:
        """The children of this block are rendered; only nested repetitions are cycles."""
        self._open.discard(self.wire.content_of(node).id)

    def inside(self, node: Node) -> str:
        """The children of a block as text."""
        text = self.blocks(self.children(node))
        self.leave(node)
        return text

    def unknown(self, block: Unknown) -> str:
        """The tag that stands for a block that is not shown."""
        return f'<unknown url="{block_url(self._page_id, block.block_id)}" alt="{block.alt}"/>'

    def media_url(self, node: Block) -> str:
        """Where a file is; for files that Notion keeps, a mark that is replaced on every read, or a reference."""
        payload = node.payload
        if payload["type"] == "file" and node.type != "image" and self.limits.files_in_markdown == "referred":
            space, file, name = payload["file"]["key"].split("/", 2)
            record = {"table": "block", "id": node.id, "spaceId": space}
            said = {"source": f"attachment:{file}:{name}", "permissionRecord": record}
            return "file://" + quote(json.dumps(said, ensure_ascii=False, separators=(",", ":")), safe="()_-.!~*'")
        if payload["type"] == "file":
            return f"{FILE}{payload['file']['key']}{FILE}"
        url: str = payload["external"]["url"]
        return url

    def labelled(self, segments: RichText) -> RichText:
        """Segments with their mentions' labels of the moment."""
        for segment in segments:
            if segment["type"] == "mention":
                target = segment["mention"].get(segment["mention"]["type"])
                if isinstance(target, dict) and "id" in target:
                    self.depends_on(self.tree.nodes.get(target["id"]))
        return self.wire.rich_text(segments)

    def _withheld(self, node: Node) -> Unknown:
        self.truncated = True
        if len(self.unknown_ids) < MAX_UNKNOWN_IDS:
            self.unknown_ids.append(node.id)
        kind = node.type if isinstance(node, Block) else "database" if isinstance(node, Database) else "page"
        return Unknown(node.id, kind)


def color_name(color: str) -> str:
    """`gray_background` as Markdown writes it, empty for the default."""
    return "" if color == "default" else color.replace("_background", "_bg")


def attributes(**given: str | None) -> str:
    """Attributes of a tag, the empty ones left out; `_` in names becomes `-`."""
    return "".join(
        f' {name.replace("_", "-")}="{value.replace(chr(34), "&quot;")}"' for name, value in given.items() if value
    )


def icon_name(icon: Json | None) -> str:
    """An icon as an attribute's value."""
    if icon is None:
        return ""
    kind = icon["type"]
    if kind == "emoji":
        return str(icon["emoji"])
    if kind == "custom_emoji":
        return f":{icon['custom_emoji']['name']}:"
    return str(icon[kind].get("url", ""))
