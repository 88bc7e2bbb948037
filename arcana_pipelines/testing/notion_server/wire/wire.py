"""Objects as the API sends them, key order included."""

from __future__ import annotations

from typing import Any

from arcana_pipelines.testing.notion_server.model.clock import milliseconds, minute
from arcana_pipelines.testing.notion_server.model.ids import page_url
from arcana_pipelines.testing.notion_server.model.objects import (
    Block,
    Comment,
    Database,
    DataSource,
    Json,
    Node,
    Page,
)
from arcana_pipelines.testing.notion_server.model.properties import schema_entry
from arcana_pipelines.testing.notion_server.model.rich_text import plain
from arcana_pipelines.testing.notion_server.model.tree import Tree
from arcana_pipelines.testing.notion_server.wire import values
from arcana_pipelines.testing.notion_server.wire.parts import Parts

VERSIONS = ("2025-09-03", "2026-03-11")
LATEST = VERSIONS[-1]


class Wire(Parts):
    """Turns nodes into JSON for one connection."""

    def page(self, page: Page, version: str = LATEST, only: set[str] | None = None) -> Json:
        """A page object; `only` keeps the properties with these ids or names."""
        body = {
            "object": "page",
            "id": page.id,
            "created_time": minute(page.created),
            "last_edited_time": minute(page.edited),
            "created_by": partial_user(page.created_by),
            "last_edited_by": partial_user(page.edited_by),
            "cover": self.cover(page.cover),
            "icon": page.icon,
            "parent": self.parent(page),
            "in_trash": page.in_trash,
            "is_archived": page.is_archived,
            "is_locked": page.is_locked,
            "properties": values.properties(self, page, only),
            "url": page_url(page.id, plain(page.title)),
            "public_url": None,
        }
        return versioned(body, version)

    def data_source(self, source: DataSource, version: str = LATEST) -> Json:
        """A data source object with its schema."""
        database = self.tree.node(source.parent.id, Database)
        body = {
            "object": "data_source",
            "id": source.id,
            "cover": database.cover,
            "icon": database.icon,
            "created_time": minute(source.created),
            "created_by": partial_user(source.created_by),
            "last_edited_by": partial_user(source.edited_by),
            "last_edited_time": minute(source.edited),
            "title": self.rich_text(source.title),
            "description": self.rich_text(source.description),
            "is_inline": database.is_inline,
            "properties": {
                name: values.resolved_schema(self.tree, source, schema_entry(declared))
                for name, declared in source.schema.items()
            },
            "parent": {"type": "database_id", "database_id": database.id},
            "database_parent": self.parent(database),
            "url": page_url(database.id),
            "public_url": None,
            "in_trash": source.in_trash,
        }
        return versioned(body, version)

    def database(self, database: Database, version: str = LATEST) -> Json:
        """A database object: the container, whose times are never rounded and tell nothing about edits."""
        sources = [self.tree.node(source_id, DataSource) for source_id in database.data_source_ids]
        body = {
            "object": "database",
            "id": database.id,
            "title": self.rich_text(database.title),
            "description": self.rich_text(database.description),
            "parent": self.parent(database),
            "is_inline": database.is_inline,
            "in_trash": database.in_trash,
            "is_locked": database.is_locked,
            "created_time": milliseconds(database.created),
            # Recorded: equal to created_time in 142 of 149 databases, even after updates.
            "last_edited_time": milliseconds(database.created),
            "data_sources": [
                {"id": source.id, "name": plain(source.title)} for source in sources if not source.in_trash
            ],
            "icon": database.icon,
            "cover": database.cover,
            "url": page_url(database.id),
            "public_url": None,
        }
        return versioned(body, version)

    def block(self, node: Node, version: str = LATEST) -> Json:
        """A block object; pages and databases are blocks too."""
        kind, payload = self._block_payload(node, version)
        body = {
            "object": "block",
            "id": node.id,
            "parent": self.parent(node),
            "created_time": minute(node.created),
            "last_edited_time": minute(node.edited),
            "created_by": partial_user(node.created_by),
            "last_edited_by": partial_user(node.edited_by),
            "has_children": self.has_children(node),
            "in_trash": node.in_trash,
            "type": kind,
            kind: payload,
        }
        return versioned(body, version)

    def comment(self, comment: Comment) -> Json:
        """A comment object."""
        author = self.tree.users.get(comment.created_by)
        who = "integration" if author is not None and author.type == "bot" else "user"
        return {
            "object": "comment",
            "id": comment.id,
            "parent": {"type": comment.parent.kind, comment.parent.kind: comment.parent.id},
            "discussion_id": comment.discussion_id,
            "created_time": minute(comment.created),
            "last_edited_time": minute(comment.edited),
            "created_by": partial_user(comment.created_by),
            "rich_text": self.rich_text(comment.rich_text),
            "display_name": {"type": who, "resolved_name": author.name if author else None},
        }

    def parent(self, node: Node) -> Json:
        """The `parent` object."""
        kind, parent_id = node.parent
        if kind == "workspace":
            return {"type": "workspace", "workspace": True}
        if kind == "data_source_id":
            database_id = self.tree.nodes[parent_id].parent.id
            return {"type": kind, "data_source_id": parent_id, "database_id": database_id}
        return {"type": kind, kind: parent_id}

    def has_children(self, node: Node) -> bool:
        """Whether listing its children would give any."""
        return bool(self.tree.live_children(self.content_of(node)))

    def content_of(self, node: Node) -> Node:
        """Where a block's children are: a synced copy shows those of its original while it can see it."""
        source = synced_source(self.tree, node)
        return node if source is None else source

    def _block_payload(self, node: Node, version: str) -> tuple[str, Any]:
        if isinstance(node, Page):
            return "child_page", {"title": plain(node.title)}
        if not isinstance(node, Block):
            return "child_database", {"title": plain(node.title) if isinstance(node, Database) else ""}
        payload: Json = {
            key: self.rich_text(value) if key in ("rich_text", "caption", "title") else value
            for key, value in node.payload.items()
        }
        if node.type == "table_row":
            payload["cells"] = [self.rich_text(cell) for cell in payload["cells"]]
        kind = node.type
        if kind == "meeting_notes" and version < "2026-03-11":
            kind = "transcription"
        return kind, self.media(payload)


def partial_user(user_id: str) -> Json:
    """A user of whom only the id is told."""
    return {"object": "user", "id": user_id}


def versioned(body: Json, version: str) -> Json:
    """Add what only older versions send."""
    if version < "2026-03-11":
        body["archived"] = body["in_trash"]
    return body


def synced_source(tree: Tree, node: Node) -> Node | None:
    """The original that a synced copy shows, if the connection can see it; None for anything else."""
    if not isinstance(node, Block) or node.type != "synced_block" or not node.payload["synced_from"]:
        return None
    source = tree.nodes.get(node.payload["synced_from"]["block_id"])
    return source if source is not None and tree.is_listed(source) else None
