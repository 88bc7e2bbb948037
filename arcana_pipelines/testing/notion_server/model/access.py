"""Sharing, trash, moves and removal: changes that show and hide things far from where they happen."""

from __future__ import annotations

from arcana_pipelines.testing.notion_server.model.objects import Database, DataSource, Node, Page, Parent
from arcana_pipelines.testing.notion_server.model.tree import Tree


class AccessChanges(Tree):
    """The world's methods that change where things are and who can reach them. No timestamp changes.

    That trashing leaves `last_edited_time` alone is recorded of the real service. That all of this leaves the
    parent's alone too is the harder case for a reader, and therefore the one chosen here.
    """

    trash_marks_descendants: bool
    """Whether pages under a trashed page say `in_trash` themselves (unknown of the real service)."""

    def trash(self, node_id: str) -> None:
        """Move to the trash. A data source goes with its database."""
        self._set_trash(node_id, True)

    def restore(self, node_id: str) -> None:
        """Take out of the trash."""
        self._set_trash(node_id, False)

    def share(self, node_id: str) -> None:
        """Connect a page or database, and what is below it."""
        self._set_shared(node_id, True)

    def unshare(self, node_id: str) -> None:
        """Disconnect a page or database, and what is below it: from now on it looks deleted."""
        self._set_shared(node_id, False)

    def delete_forever(self, node_id: str) -> None:
        """Remove something, and what is below it, so that nothing is left to read."""
        with self.lock:
            node = self.node(node_id, Node)
            above = self.parent_of(node)
            gone = [node, *self.descendants(node)]
            self._detach(node)
            if isinstance(above, Database):
                above.data_source_ids.remove(node.id)
            for each in gone:
                self.drop(each)
            ids = {each.id for each in gone}
            self.comments = {key: kept for key, kept in self.comments.items() if kept.parent.id not in ids}
            if above is not None:
                self.changed(above)
            self.access_changed()

    def move(self, node_id: str, parent: str | None) -> None:
        """Hang a page or database elsewhere; a page may also become a row."""
        with self.lock:
            node = self.node(node_id, Node)
            above = None if parent is None else self.node(parent, Node)
            if above is not None and (above is node or node in self.ancestors(above)):
                raise ValueError("A page cannot be moved into itself.")
            old = self.parent_of(node)
            self._detach(node)
            self._attach(node, above)
            if isinstance(above, DataSource) and isinstance(node, Page):
                above.last_row_number += 1
                node.row_number = above.last_row_number
            for parent_node in (old, above, node):
                if parent_node is not None:
                    self.changed(parent_node)
            self._everything_below_changed(node)

    def _set_trash(self, node_id: str, in_trash: bool) -> None:
        with self.lock:
            node = self.node(node_id, Node)
            marked = [node]
            if isinstance(node, Database):
                marked += [self.nodes[source_id] for source_id in node.data_source_ids]
            if self.trash_marks_descendants:
                marked = [node, *self.descendants(node)]
            for each in marked:
                each.in_trash = in_trash
            self.changed(node)
            self._everything_below_changed(node)

    def _set_shared(self, node_id: str, shared: bool) -> None:
        with self.lock:
            node = self.node(node_id, Node)
            node.shared = shared
            self._everything_below_changed(node)

    def _everything_below_changed(self, node: Node) -> None:
        self.access_changed()
        self.noticed([node, *self.descendants(node)])

    def _attach(self, node: Node, parent: Node | None) -> None:
        node.parent = self.parent_kind(parent)
        if parent is not None and node.id not in parent.children:
            parent.children.append(node.id)

    def _detach(self, node: Node) -> None:
        above = self.parent_of(node)
        if above is not None and node.id in above.children:
            above.children.remove(node.id)
        node.parent = Parent("workspace")
