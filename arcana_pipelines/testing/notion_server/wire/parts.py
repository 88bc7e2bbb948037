"""What objects are put together of: texts with their mentions, files with their addresses, people."""

from __future__ import annotations

from arcana_pipelines.testing.notion_server.model.files import Signer
from arcana_pipelines.testing.notion_server.model.ids import page_url
from arcana_pipelines.testing.notion_server.model.objects import Database, Json, Page, User
from arcana_pipelines.testing.notion_server.model.rich_text import RichText, Segment, plain
from arcana_pipelines.testing.notion_server.model.tree import Tree

UNTITLED = "Untitled"


class Parts:
    """Turns parts of nodes into JSON for one connection."""

    def __init__(self, tree: Tree, bot: User, *, workspace: tuple[str, str], capabilities: set[str]) -> None:
        self.tree = tree
        self.signer = Signer()
        self.bot = bot
        self.workspace_id, self.workspace_name = workspace
        self.capabilities = capabilities

    def user(self, user: User) -> Json:
        """A whole user object; only the connection's own bot shows what is behind it."""
        body: Json = {"object": "user", "id": user.id, "name": user.name, "avatar_url": user.avatar_url}
        if user.type == "person":
            shown = {"email": user.email} if user.email and "read_emails" in self.capabilities else {}
            return {**body, "type": "person", "person": shown}
        if user.id != self.bot.id:
            return {**body, "type": "bot", "bot": {}}
        bot = {
            "owner": {"type": "workspace", "workspace": True},
            "workspace_name": self.workspace_name,
            "workspace_id": self.workspace_id,
            "workspace_limits": {"max_file_upload_size_in_bytes": 5_242_880},
        }
        return {**body, "type": "bot", "bot": bot}

    def rich_text(self, segments: RichText) -> RichText:
        """Segments with the labels of mentions as they are now."""
        return [self._segment(part) if part["type"] == "mention" else part for part in segments]

    def media(self, payload: Json) -> Json:
        """A file with a fresh address if Notion keeps it; anything else as it is."""
        if payload.get("type") != "file":
            return payload
        return {**payload, "file": self.signer.file(payload["file"]["key"], self.tree.clock.now())}

    def cover(self, cover: Json | None) -> Json | None:
        """A picture at the top of a page, as `media`, without a name."""
        if cover is None:
            return None
        return {key: value for key, value in self.media(cover).items() if key != "name"}

    def title_of(self, node_id: str) -> str | None:
        """The title of a page or database that the connection can see, else None."""
        node = self.tree.nodes.get(node_id)
        if not isinstance(node, Page | Database) or not self.tree.is_shared(node):
            return None
        return plain(node.title) or UNTITLED

    def _segment(self, segment: Segment) -> Segment:
        mention = segment["mention"]
        kind = mention["type"]
        if kind in ("page", "database"):
            target = mention[kind]["id"]
            label, href = self.title_of(target) or UNTITLED, page_url(target)
            return {**segment, "plain_text": label, "href": href}
        if kind == "user":
            user = self.tree.users.get(mention["user"]["id"])
            if user is None:
                return {**segment, "plain_text": "@Anonymous"}
            whole = {"type": "user", "user": self.user(user)}
            return {**segment, "mention": whole, "plain_text": f"@{user.name}"}
        return segment
