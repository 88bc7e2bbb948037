"""Turning block descriptions into blocks, and changing a page's content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from arcana_pipelines.testing.notion_server.markdown.written import blocks_from_markdown
from arcana_pipelines.testing.notion_server.model.blocks import BlockSpec
from arcana_pipelines.testing.notion_server.model.files import made_up
from arcana_pipelines.testing.notion_server.model.objects import Block, Database, DataSource, Json, Node, Page
from arcana_pipelines.testing.notion_server.model.rich_text import TextLike, rich
from arcana_pipelines.testing.notion_server.model.tree import Tree

Content: TypeAlias = "str | Sequence[BlockSpec] | None"
"""Markdown text, or block descriptions."""


class ContentEditing(Tree):
    """The world's methods that change what a page says. Each is one edit, at one moment, by one person."""

    acting_user: str
    """Who edits; a user id."""

    def edit_page(self, page_id: str, blocks: Content = None) -> list[str]:
        """Replace a page's content and return the new top-level ids; without `blocks`, only touch the page.

        Child pages and databases stay, after the new content: they are never lost to an edit.
        """
        with self.lock:
            page = self.node(page_id, Page)
            made: list[str] = []
            if blocks is not None:
                kept = [child for child in page.children if not isinstance(self.nodes.get(child), Block)]
                for child in page.children:
                    if child not in kept:
                        self._discard(child)
                made = self._insert(page, blocks, at=0)
                page.children = made + kept
            self.touch(page, self.acting_user)
            return made

    def append_blocks(self, parent_id: str, blocks: Content, *, after: str | None = None) -> list[str]:
        """Add blocks at the end of a page or block, or `after` one of its children; returns their ids."""
        with self.lock:
            parent = self.node(parent_id, Node)
            at = len(parent.children) if after is None else parent.children.index(after) + 1
            made = self._insert(parent, blocks, at=at)
            self.touch(parent, self.acting_user)
            return made

    def insert_blocks_at_top(self, parent_id: str, blocks: Content) -> list[str]:
        """Add blocks before everything else on a page; returns their ids."""
        with self.lock:
            parent = self.node(parent_id, Node)
            made = self._insert(parent, blocks, at=0)
            self.touch(parent, self.acting_user)
            return made

    def set_block_text(self, block_id: str, content: TextLike) -> None:
        """Change the text of a block that has text."""
        with self.lock:
            block = self.node(block_id, Block)
            field = "title" if block.type == "meeting_notes" else "rich_text"
            if field not in block.payload:
                raise ValueError(f"A block of type {block.type} has no text of its own.")
            block.payload[field] = rich(content)
            self.touch(block, self.acting_user)

    def delete_block(self, block_id: str) -> None:
        """Delete a block: its page counts as edited, and the block can still be read, as trash."""
        with self.lock:
            block = self.node(block_id, Block)
            self.touch(block, self.acting_user)
            parent = self.parent_of(block)
            if parent is not None:
                parent.children.remove(block.id)
            self._discard(block.id)

    def new_node(self, parent: Node | None) -> dict[str, Any]:
        """The fields every new node starts with."""
        now = self.clock.now()
        return {
            "id": self.ids.uuid(),
            "parent": self.parent_kind(parent),
            "created": now,
            "edited": now,
            "created_by": self.acting_user,
            "edited_by": self.acting_user,
        }

    def _insert(self, parent: Node, content: Content, *, at: int) -> list[str]:
        if isinstance(parent, Database | DataSource):
            raise ValueError("Blocks go into pages and blocks, not into databases.")
        specs = blocks_from_markdown(content) if isinstance(content, str) else list(content or ())
        made = [self._make(spec, parent) for spec in specs]
        parent.children[at:at] = made
        return made

    def _make(self, spec: BlockSpec, parent: Node) -> str:
        kind = spec["type"]
        # A description may be used twice: what the world writes into a payload must not come back to it.
        block = Block(**self.new_node(parent), type=kind, payload=dict(spec[kind]))
        self.put(block)
        if block.payload.get("type") == "file":
            held = block.payload["file"]
            block.payload["file"] = held if "key" in held else {**held, "key": self.keep_file(held["name"])}
        block.children = [self._make(child, block) for child in spec.get("children") or ()]
        if kind == "meeting_notes":
            self._add_sections(block, spec.get("sections") or {})
        self.changed(block)
        return block.id

    def keep_file(self, name: str, data: bytes | str | None = None) -> str:
        """Keep the bytes of a file, made up where none are given; returns the path of its addresses."""
        key = f"{self.ids.uuid()}/{self.ids.uuid()}/{name}"
        kept = made_up(name) if data is None else data
        self.stored[key] = kept.encode() if isinstance(kept, str) else kept
        return key

    def _add_sections(self, block: Block, sections: dict[str, list[BlockSpec]]) -> None:
        pointers = block.payload["children"] = {}
        for name in ("summary", "notes", "transcript"):
            body: Json = {"rich_text": [], "icon": None, "color": "default"}
            holder = {"type": "paragraph", "paragraph": body, "children": sections.get(name, [])}
            pointers[f"{name}_block_id"] = self._make(holder, block)
            block.children.append(pointers[f"{name}_block_id"])

    def _discard(self, block_id: str) -> None:
        """Put a block that no parent lists any more into the trash, with all that hangs on it."""
        block = self.nodes[block_id]
        block.in_trash = True
        for below in self.descendants(block):
            # Pages inside keep their own state, as they do in Notion: they vanish with what is above them.
            if isinstance(below, Block):
                below.in_trash = True
        self.access_changed()
