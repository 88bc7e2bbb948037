"""The world: a workspace that tests change as people would, and that the server shows as Notion would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from random import Random
from typing import Any, Literal

from arcana_pipelines.testing.notion_server.markdown.pages import MarkdownPages
from arcana_pipelines.testing.notion_server.model.blocks import emoji
from arcana_pipelines.testing.notion_server.model.clock import Clock
from arcana_pipelines.testing.notion_server.model.files import made_up
from arcana_pipelines.testing.notion_server.model.ids import IdFactory
from arcana_pipelines.testing.notion_server.model.objects import (
    Comment,
    Database,
    DataSource,
    Json,
    Node,
    Page,
    User,
)
from arcana_pipelines.testing.notion_server.model.rich_text import TextLike, rich
from arcana_pipelines.testing.notion_server.wire.wire import Wire
from arcana_pipelines.testing.notion_server.world import reading
from arcana_pipelines.testing.notion_server.world.content import Content
from arcana_pipelines.testing.notion_server.world.databases import DatabaseChanges
from arcana_pipelines.testing.notion_server.world.search_index import SearchIndex
from arcana_pipelines.testing.notion_server.world.uploads import FileChanges

DEFAULT_TOKEN = "ntn_stand_in_token"
CAPABILITIES = frozenset({"read_content", "read_comments", "read_users", "read_emails"})


class NotionWorld(FileChanges, DatabaseChanges):
    """A Notion workspace with one connection.

    Where the real behaviour is not known, an attribute chooses:

    * `unshared_child_in_markdown`: `"unknown"` shows an `<unknown>` tag for a child page the connection
      cannot see (as documented), `"vanishes"` shows nothing (as block listings do);
    * `files_in_markdown`: `"signed"` shows signed addresses (as documented), `"referred"` a `file://` reference to
      the block of what is no picture (as seen in answers of 2026);
    * `trash_marks_descendants`: whether pages under a trashed page say `in_trash` themselves;
    * `trashed_page_has_markdown`: whether the Markdown of a page in the trash can still be read.
    """

    def __init__(
        self,
        *,
        start: datetime | None = None,
        real_time: bool = False,
        seed: int = 0,
        workspace_name: str = "Acme",
    ) -> None:
        super().__init__(Clock(start, real_time=real_time), IdFactory(seed))
        self.token = DEFAULT_TOKEN
        # The tokens that are accepted; clear it to revoke them.
        self.tokens: set[str] = {self.token}
        self.capabilities: set[str] = set(CAPABILITIES)
        self.workspace_id = self.ids.uuid()
        self.workspace_name = workspace_name
        self.query_result_limit = 10_000
        self.search_result_limit: int | None = None
        self.markdown_block_limit = 20_000
        self.unshared_child_in_markdown: Literal["unknown", "vanishes"] = "unknown"
        self.files_in_markdown: Literal["signed", "referred"] = "signed"
        self.trash_marks_descendants = False
        self.trashed_page_has_markdown = True
        self.noise = Random(f"noise {seed}")
        self.bot = User(id=self.ids.uuid(), name="Arcana stand-in connection", type="bot")
        self.users[self.bot.id] = self.bot
        self.wire = Wire(
            self,
            self.bot,
            workspace=(self.workspace_id, workspace_name),
            capabilities=self.capabilities,
        )
        self.search_index = SearchIndex(self.wire)
        self.markdown = MarkdownPages(self.wire, self)
        self.acting_user = self.add_user("Ada Lovelace", "ada@example.com")

    @property
    def search_lag_seconds(self) -> float:
        """How long search takes to notice a change; set it before the changes it should delay."""
        return self.search_index.lag_seconds

    @search_lag_seconds.setter
    def search_lag_seconds(self, seconds: float) -> None:
        with self.lock:
            self.search_index.set_lag(seconds)

    # --- people and comments -------------------------------------------------------------------

    def add_user(self, name: str, email: str | None = None, *, bot: bool = False) -> str:
        """A member of the workspace, or another bot; returns its id."""
        with self.lock:
            user = User(id=self.ids.uuid(), name=name, type="bot" if bot else "person", email=email)
            self.users[user.id] = user
            self.revision += 1
            return user.id

    def add_comment(self, node_id: str, content: TextLike, *, by: str | None = None, inline: bool = False) -> str:
        """An open comment on a page or block; `inline` marks the block's text with it. Nothing is edited."""
        with self.lock:
            node = self.node(node_id, Node)
            now = self.clock.now()
            comment = Comment(
                id=self.ids.uuid(),
                parent=self.parent_kind(node),
                discussion_id=self.ids.uuid(),
                created=now,
                edited=now,
                created_by=by or self.acting_user,
                rich_text=rich(content),
                inline=inline,
            )
            self.comments[comment.id] = comment
            self.changed(node)
            return comment.id

    def resolve_comment(self, comment_id: str) -> None:
        """Close a comment: it is listed no more."""
        with self.lock:
            comment = self.comments[comment_id]
            comment.resolved = True
            self.changed(self.node(comment.parent.id, Node))

    # --- pages ---------------------------------------------------------------------------------

    def add_page(
        self,
        title: TextLike,
        parent: str | None = None,
        blocks: Content = None,
        *,
        icon: str | Json | None = None,
        cover: str | None = None,
        shared: bool | None = None,
    ) -> str:
        """A page at the top of the workspace, or in a page or block; returns its id.

        A page at the top is shared with the connection unless `shared=False`; others follow their parent.
        """
        with self.lock:
            above = None if parent is None else self.node(parent, Node)
            if isinstance(above, Database | DataSource):
                raise ValueError("Rows are made with add_row.")
            return self._new_page(title, above, blocks, icon, cover, shared, {}).id

    def add_row(
        self,
        data_source_id: str,
        title: TextLike,
        properties: Mapping[str, Any] | None = None,
        blocks: Content = None,
        *,
        icon: str | Json | None = None,
    ) -> str:
        """A row of a data source; returns its page id."""
        with self.lock:
            source = self.node(data_source_id, DataSource)
            values = {name: self._checked(source, name, value) for name, value in (properties or {}).items()}
            row = self._new_page(title, source, blocks, icon, None, None, values)
            source.last_row_number += 1
            row.row_number = source.last_row_number
            return row.id

    def set_title(self, node_id: str, title: TextLike) -> None:
        """Rename a page, database or data source."""
        with self.lock:
            node = self.node(node_id, Node)
            if not isinstance(node, Page | Database | DataSource):
                raise ValueError("Only pages, databases and data sources have titles.")
            node.title = rich(title)
            self.touch(node, self.acting_user)

    def set_icon(self, node_id: str, icon: str | Json | None) -> None:
        """Give a page or database an emoji."""
        with self.lock:
            node = self.node(node_id, Node)
            if not isinstance(node, Page | Database):
                raise ValueError("Only pages and databases have icons.")
            node.icon = emoji(icon)
            self.touch(node, self.acting_user)

    def set_property(self, page_id: str, name: str, value: Any) -> None:
        """Enter a row's value; see `properties` for what each type takes."""
        with self.lock:
            page = self.node(page_id, Page)
            source = self.node(page.parent.id, DataSource)
            page.values[name] = self._checked(source, name, value)
            self.touch(page, self.acting_user)

    def archive_row(self, page_id: str, archived: bool = True) -> None:
        """Archive a row (not trash): queries leave it out unless asked."""
        with self.lock:
            page = self.node(page_id, Page)
            page.is_archived = archived
            self.changed(page)

    # --- what a person sees --------------------------------------------------------------------

    def visible_pages(self, *, archived: bool = False) -> list[str]:
        """Ids of the pages and rows that the connection can see now, oldest first."""
        with self.lock:
            return reading.visible_pages(self, archived=archived)

    def visible_text(self, page_id: str, *, related: bool = False) -> list[str]:
        """The pieces of plain text a person sees on a page: title, property values, lines of content.

        The titles that a relation shows count only when `related`: the API sends ids for them.
        """
        with self.lock:
            return reading.visible_text(self.wire, self.node(page_id, Page), related=related)

    # --- inside --------------------------------------------------------------------------------

    def noticed(self, nodes: Iterable[Node]) -> None:
        """Let search know, sooner or later."""
        self.search_index.record(nodes)

    def _new_page(
        self,
        title: TextLike,
        above: Node | None,
        blocks: Content,
        icon: str | Json | None,
        cover: str | None,
        shared: bool | None,
        values: dict[str, Any],
    ) -> Page:
        fields = self.new_node(above)
        fields["shared"] = True if above is None and shared is None else shared
        picture: Json | None = {"type": "external", "external": {"url": cover}} if cover else None
        page = Page(**fields, title=rich(title), icon=emoji(icon), cover=picture, values=values)
        self.put(page)
        self._attach(page, above)
        if blocks is not None:
            self._insert(page, blocks, at=0)
        self.changed(page)
        if above is not None and not isinstance(above, DataSource):
            self.touch(above, self.acting_user)
        return page

    def _checked(self, source: DataSource, name: str, value: Any) -> Any:
        column = source.schema.get(name)
        if column is None:
            raise KeyError(f"{name!r} is not a property of this data source: {sorted(source.schema)}.")
        if column.type == "files":
            return [self._stored_file(item) for item in value]
        return value

    def _stored_file(self, item: Any) -> Json:
        if isinstance(item, str) and "://" in item:
            return {"name": item.rsplit("/", 1)[-1], "type": "external", "external": {"url": item}}
        if isinstance(item, str):
            key = f"{self.workspace_id}/{self.ids.uuid()}/{item}"
            self.stored[key] = made_up(item)
            return {"name": item, "type": "file", "file": {"name": item, "key": key}}
        return dict(item)
