"""A page's content as Markdown: what both versions share, and the cache of what was rendered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from arcana_pipelines.testing.notion_server.ids import block_url
from arcana_pipelines.testing.notion_server.objects import Block, Database, Json, Node, Page
from arcana_pipelines.testing.notion_server.rich_text import RichText

if TYPE_CHECKING:
    from arcana_pipelines.testing.notion_server.world import NotionWorld

MarkdownVersion: TypeAlias = Literal["v1", "v2"]

MAX_UNKNOWN_IDS = 100
# A Unicode noncharacter: no text may hold one.
_FILE = "\ufdd0"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A block that is not shown: not loaded, not accessible, or of a kind Markdown has no words for."""

    block_id: str
    alt: str


class Renderer:
    """One rendering of one page or block. The versions differ in `blocks`."""

    def __init__(self, world: NotionWorld, *, transcript: bool) -> None:
        self.world = world
        self.wire = world.wire
        self.transcript = transcript
        self.left = world.markdown_block_limit
        self.unknown_ids: list[str] = []
        self.truncated = False
        # The pages whose changes would change this text, with their revisions.
        self.read: dict[str, int] = {}
        self._open: set[str] = set()
        self._page_id = ""

    def render(self, node: Page | Block) -> str:
        """The content of a page, or the subtree of a block."""
        page = node if isinstance(node, Page) else self.world.page_of(node)
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
        page = node if node is None or isinstance(node, Page) else self.world.page_of(node)
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
            child = self.world.nodes.get(child_id)
            if child is None or child.in_trash:
                continue
            if not self.world.is_shared(child):
                if self.world.unshared_child_in_markdown == "unknown":
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

    def media_url(self, payload: Json) -> str:
        """Where a file is; for files that Notion keeps, a mark that is replaced on every read."""
        if payload["type"] == "file":
            return f"{_FILE}{payload['file']['key']}{_FILE}"
        url: str = payload["external"]["url"]
        return url

    def labelled(self, segments: RichText) -> RichText:
        """Segments with their mentions' labels of the moment."""
        for segment in segments:
            if segment["type"] == "mention":
                target = segment["mention"].get(segment["mention"]["type"])
                if isinstance(target, dict) and "id" in target:
                    self.depends_on(self.world.nodes.get(target["id"]))
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


@dataclass(frozen=True, slots=True)
class _Cached:
    access: int
    read: dict[str, int]
    limit: int
    # JSON; every second piece is the key of a file whose address goes there.
    pieces: list[bytes]


class MarkdownPages:
    """Answers of the Markdown endpoint, rendered once a revision."""

    def __init__(self, world: NotionWorld) -> None:
        self._world = world
        self._cache: dict[tuple[str, str, bool, str], _Cached] = {}

    def body(self, node: Page | Block, version: MarkdownVersion, *, transcript: bool) -> bytes:
        """The JSON body up to its `request_id`, which the caller adds."""
        world = self._world
        key = (node.id, version, transcript, world.unshared_child_in_markdown)
        cached = self._cache.get(key)
        if cached is None or not self._fresh(cached):
            cached = self._cache[key] = self._render(node, version, transcript)
        if len(cached.pieces) == 1:
            return cached.pieces[0]
        now = world.clock.now()
        return b"".join(
            world.wire.signer.url(piece.decode(), now).encode() if at % 2 else piece
            for at, piece in enumerate(cached.pieces)
        )

    def _fresh(self, cached: _Cached) -> bool:
        world = self._world
        if cached.access != world.access_revision or cached.limit != world.markdown_block_limit:
            return False
        return all(world.nodes[node_id].revision == seen for node_id, seen in cached.read.items())

    def _render(self, node: Page | Block, version: MarkdownVersion, transcript: bool) -> _Cached:
        # Imported here because the versions build on this module.
        from arcana_pipelines.testing.notion_server.markdown_v1 import RendererV1
        from arcana_pipelines.testing.notion_server.markdown_v2 import RendererV2

        world = self._world
        chosen = RendererV1 if version == "v1" else RendererV2
        renderer = chosen(world, transcript=transcript)
        body = {
            "object": "page_markdown",
            "id": node.id,
            "markdown": renderer.render(node),
            "truncated": renderer.truncated,
            "unknown_block_ids": renderer.unknown_ids,
        }
        # A lone surrogate cannot travel as UTF-8: it does as its escape.
        text = _LONE_SURROGATE.sub(
            lambda found: f"\\u{ord(found.group()):04x}", json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        )[:-1]
        pieces = [piece.encode() for piece in text.split(_FILE)]
        return _Cached(world.access_revision, renderer.read, world.markdown_block_limit, pieces)
