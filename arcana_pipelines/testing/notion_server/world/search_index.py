"""What search knows, which may be older than what is true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from arcana_pipelines.testing.notion_server.model.objects import DataSource, Json, Node, Page
from arcana_pipelines.testing.notion_server.model.rich_text import plain
from arcana_pipelines.testing.notion_server.wire.wire import Wire

_ALWAYS = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Indexed:
    """A page or data source as search knows it, which may be older than it is.

    Attributes:
        node: as it is now; the other fields are of the time when search took note.
        title: without formatting.
        edited: by the world's clock, aware.
        in_trash: it lay there itself.
        buried: something above it lay in the trash.
        body: its object of the API, as it was then; None while search has no lag: it is made of `node`.
    """

    node: Page | DataSource
    title: str
    edited: datetime
    in_trash: bool
    buried: bool
    body: Json | None = None


class SearchIndex:
    """Search's view of the world: the present, or the past when there is a lag."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._tree = wire.tree
        self._history: dict[str, list[tuple[datetime, Indexed]]] = {}
        self.lag_seconds = 0.0

    def set_lag(self, seconds: float) -> None:
        """Start or stop lagging; what is there now counts as known."""
        self.lag_seconds = seconds
        self._history.clear()
        if seconds:
            for node in self._tree.findable.values():
                self._note(node, _ALWAYS)

    def record(self, nodes: Iterable[Node]) -> None:
        """Remember how these look now."""
        if self.lag_seconds:
            for node in nodes:
                self._note(node, self._tree.clock.now())

    def entries(self) -> list[Indexed]:
        """All that search could return now. Access is always judged by the present."""
        tree = self._tree
        if not self.lag_seconds:
            return [self._entry(node) for node in tree.findable.values() if tree.is_shared(node)]
        horizon = tree.clock.now() - timedelta(seconds=self.lag_seconds)
        known = []
        for node_id, history in self._history.items():
            node = tree.findable.get(node_id)
            if node is None or not tree.is_shared(node):
                continue
            past = [entry for when, entry in history if when <= horizon]
            if past:
                known.append(past[-1])
                # Older entries can never be asked for again unless the clock is set back.
                del history[: len(past) - 1]
        return known

    def _note(self, node: Node, when: datetime) -> None:
        if isinstance(node, Page | DataSource):
            wire = self._wire
            body = wire.page(node) if isinstance(node, Page) else wire.data_source(node)
            self._history.setdefault(node.id, []).append((when, self._entry(node, body)))

    def _entry(self, node: Page | DataSource, body: Json | None = None) -> Indexed:
        # A data source in a trashed database is in the trash itself, not merely under something that is.
        database = self._tree.parent_of(node) if isinstance(node, DataSource) else None
        buried = self._tree.is_buried(database or node)
        return Indexed(node, plain(node.title), node.edited, node.in_trash, buried, body)
