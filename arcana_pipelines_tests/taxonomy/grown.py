"""Large trees and what people do to them, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from arcana_pipelines.taxonomy.nodes import GivenNode

SPECIFIED = (1, 30, 900, 30_000)


@dataclass
class Grown:
    """Rows of an import, each with its id and that of the row above.

    Attributes:
        levels: how many nodes each level has, from the top.
    """

    levels: Sequence[int] = SPECIFIED
    seed: int = 1
    rows: dict[UUID, GivenNode] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        above: list[UUID] = []
        for level, count in enumerate(self.levels):
            ids = [self._id() for _ in range(count)]
            for number, node_id in enumerate(ids):
                label = f"주제 {level}-{number}" if number % 2 else f"Topic {level}-{number}"
                self._put(node_id, label, above[number % len(above)] if above else None)
            above = ids
        self.leaves = above

    def changed(self, renames: int, moves: int, splits: int, merges: int) -> list[GivenNode]:
        """The rows of the next version: so many nodes of any level are renamed; leaves are moved, split, merged."""
        changed = dict(self.rows)
        chosen = self._random.sample(self.leaves, moves + splits + 2 * merges)
        moved, split, merged = chosen[:moves], chosen[moves : moves + splits], chosen[moves + splits :]
        inner = sorted({row.parent for row in self.rows.values() if isinstance(row.parent, UUID)})
        for node_id in moved:
            others = [parent for parent in inner if parent != changed[node_id].parent]
            changed[node_id] = replace(changed[node_id], parent=self._random.choice(others))
        for node_id in split:
            gone = changed.pop(node_id)
            for part in "AB":
                new = self._id()
                changed[new] = replace(gone, node_id=new, path=(f"{gone.path[0]} {part}",), replaces=(node_id,))
        for first, second in zip(merged[::2], merged[1::2], strict=True):
            gone = changed.pop(first)
            changed.pop(second)
            new = self._id()
            changed[new] = replace(gone, node_id=new, path=(f"{gone.path[0]} both",), replaces=(first, second))
        others = sorted(set(self.rows) - set(chosen))
        for node_id in self._random.sample(others, renames):
            changed[node_id] = replace(changed[node_id], path=(f"{changed[node_id].path[0]} renamed",))
        return list(changed.values())

    def _put(self, node_id: UUID, label: str, parent: UUID | None) -> None:
        self.rows[node_id] = GivenNode((label,), node_id=node_id, parent=parent)

    def _id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)
