"""The tree of nodes: where things hang, what the connection may see, what lies in the trash."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from arcana_pipelines.testing.notion_server.model.clock import Clock
from arcana_pipelines.testing.notion_server.model.ids import IdFactory, dashed
from arcana_pipelines.testing.notion_server.model.objects import (
    Block,
    Comment,
    Database,
    DataSource,
    Node,
    Page,
    Parent,
    User,
)

N = TypeVar("N", bound=Node)


class Tree:
    """Storage and the questions about it that do not depend on how anything is sent.

    All changes happen under `lock`; the server reads under it too.
    """

    def __init__(self, clock: Clock, ids: IdFactory) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.ids = ids
        self.nodes: dict[str, Node] = {}
        # The nodes that search can find, in the order they were made.
        self.findable: dict[str, Page | DataSource] = {}
        self.users: dict[str, User] = {}
        self.comments: dict[str, Comment] = {}
        # The bytes of files, by the path of their addresses.
        self.stored: dict[str, bytes] = {}
        self.revision = 0
        # Counts the changes that can show or hide things far from where they happen.
        self.access_revision = 0
        self._shared: dict[str, bool] = {}
        self._buried: dict[str, bool] = {}

    def put(self, node: Node) -> None:
        """Store a new node."""
        self.nodes[node.id] = node
        if isinstance(node, Page | DataSource):
            self.findable[node.id] = node

    def drop(self, node: Node) -> None:
        """Forget a node."""
        del self.nodes[node.id]
        self.findable.pop(node.id, None)

    def noticed(self, nodes: Iterable[Node]) -> None:
        """Called with nodes that just changed; the world tells its search index."""

    def node(self, node_id: str, kind: type[N]) -> N:
        """The node of this kind, for the Python API: a wrong id is the caller's mistake."""
        held = self.nodes.get(dashed(node_id) or node_id)
        if not isinstance(held, kind):
            raise KeyError(f"There is no {kind.__name__} with id {node_id}.")
        return held

    def parent_of(self, node: Node) -> Node | None:
        """The node it hangs on, None at the top of the workspace."""
        return self.nodes.get(node.parent.id)

    def ancestors(self, node: Node) -> Iterator[Node]:
        """Parents from the nearest upwards."""
        above = self.parent_of(node)
        while above is not None:
            yield above
            above = self.parent_of(above)

    def descendants(self, node: Node) -> Iterator[Node]:
        """Everything below, the data sources of databases and their rows included."""
        below = list(node.children)
        if isinstance(node, Database):
            below += node.data_source_ids
        for child_id in below:
            child = self.nodes.get(child_id)
            if child is not None:
                yield child
                yield from self.descendants(child)

    def page_of(self, node: Node) -> Page | None:
        """The page whose content holds this node."""
        for above in self.ancestors(node):
            if isinstance(above, Page):
                return above
            if isinstance(above, Database | DataSource):
                return None
        return None

    def is_shared(self, node: Node) -> bool:
        """Whether the connection may see it: the nearest decision upwards counts, none means no."""
        known = self._shared.get(node.id)
        if known is None:
            above = self.parent_of(node)
            inherited = above is not None and self.is_shared(above)
            known = inherited if node.shared is None else node.shared
            self._shared[node.id] = known
        return known

    def is_buried(self, node: Node) -> bool:
        """Whether something above it lies in the trash."""
        known = self._buried.get(node.id)
        if known is None:
            above = self.parent_of(node)
            known = above is not None and (above.in_trash or self.is_buried(above))
            self._buried[node.id] = known
        return known

    def is_listed(self, node: Node) -> bool:
        """Whether it shows in listings: shared, and neither it nor anything above it is in the trash."""
        return self.is_shared(node) and not node.in_trash and not self.is_buried(node)

    def live_children(self, node: Node) -> list[Node]:
        """The content a reader with this connection's access gets, in reading order."""
        children = [self.nodes[child_id] for child_id in node.children if child_id in self.nodes]
        return [child for child in children if not child.in_trash and self.is_shared(child)]

    def changed(self, node: Node) -> None:
        """Give the node and the page that shows it a new revision."""
        self.revision += 1
        node.revision = self.revision
        page = self.page_of(node)
        if page is not None:
            page.revision = self.revision
        self.noticed([node] if page is None else [node, page])

    def access_changed(self) -> None:
        """Something was shared, hidden, trashed, moved or removed: forget what was worked out."""
        self.revision += 1
        self.access_revision += 1
        self._shared.clear()
        self._buried.clear()

    def touch(self, node: Node, editor: str) -> datetime:
        """Record an edit: its time and editor go to the node and to the page whose content it is."""
        now = self.clock.now()
        page = node if isinstance(node, Page) else self.page_of(node)
        for edited in (node, page):
            if edited is not None:
                edited.edited, edited.edited_by = now, editor
        self.changed(node)
        return now

    def parent_kind(self, node: Node | None) -> Parent:
        """How a child of this node names it."""
        if node is None:
            return Parent("workspace")
        if isinstance(node, Page):
            return Parent("page_id", node.id)
        if isinstance(node, Block):
            return Parent("block_id", node.id)
        if isinstance(node, Database):
            return Parent("database_id", node.id)
        return Parent("data_source_id", node.id)
