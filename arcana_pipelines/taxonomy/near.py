"""What is near a path that is no node's: for the error that says so.

Labels are compared one by one, as they are heard of: without case and width, and Hangul by its letters, so that one
wrong vowel is one slip. A label stands beside the other names of its node, its synonyms and those in other languages.
"""

from __future__ import annotations

import heapq
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import storable_json
from arcana_pipelines.taxonomy.labels import Path

load_sql = statements_beside(__file__)

MOST_SHOWN = 5
# Of letters that are the same in both. Less is another word.
LEAST_LIKE = 0.6
# Children of one node that are compared, and ways down the tree that are followed at once.
_MOST_CHILDREN = 5000
_MOST_WAYS = 5
_MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Near:
    """What may have been meant, the likeliest first, and what there is: below the part of the path that is there."""

    available: tuple[Path, ...]
    similar: tuple[Path, ...]


def near(connection: Connection, workspace_id: UUID, version: str, path: Path) -> Near:
    """What is near a path that is no node's in this version; at most five of each, the same in every process."""
    tree = _Tree(connection, {"workspace_id": workspace_id, "version": version})
    start = tree.deepest(path)
    available = [node.path for node in tree.below([start] if start else [])[:MOST_SHOWN]]
    if len(available) < MOST_SHOWN:
        available += [top for top in tree.topmost(MOST_SHOWN) if top not in available]
    whole, parts = _followed(tree, start, path)
    similar = dict.fromkeys([*whole, *tree.named_like(path), *parts])
    return Near(tuple(available[:MOST_SHOWN]), tuple(similar)[:MOST_SHOWN])


@dataclass(frozen=True, slots=True)
class _Node:
    node_id: UUID
    parent_id: UUID | None
    path: Path
    names: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", tuple(self.path))


@dataclass(frozen=True, slots=True)
class _Way:
    """A way down the tree that may be the meant one; `slips` is how far its labels are from those asked, in all."""

    slips: float
    node: _Node | None


class _Tree:
    """The nodes of one version, as far as they are asked for."""

    def __init__(self, connection: Connection, key: dict[str, Any]) -> None:
        self._connection, self._key = connection, key

    def deepest(self, path: Path) -> _Node | None:
        """The longest part of a path that is there, without its end; None: not even its root."""
        parts = [path[:length] for length in range(1, len(path))]
        rows = self._connection.execute(load_sql("lookup"), {**self._key, "paths": storable_json(parts)}).fetchall()
        if not rows:
            return None
        position, node_id = max(rows)
        return _Node(node_id, None, parts[position - 1], ())

    def below(self, nodes: Sequence[_Node]) -> list[_Node]:
        """The children of nodes, in the order of the tree; of none: the roots."""
        given = {"parents": [node.node_id for node in nodes], "of_roots": not nodes, "most": _MOST_CHILDREN}
        return query.rows(self._connection, _Node, load_sql("near_children"), {**self._key, **given})

    def topmost(self, most: int) -> list[Path]:
        """The first nodes from the top: roots, then what is below them, and so on."""
        paths: list[Path] = []
        level = self.below([])
        while level and len(paths) < most:
            paths += [node.path for node in level]
            level = self.below(level[:_MOST_WAYS])
        return paths[:most]

    def named_like(self, path: Path) -> list[Path]:
        """Nodes anywhere whose own name is like the last one of a path: those of its branch before others."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        asked = folded(path[-1])
        span = {"shortest": (len(path[-1]) + 1) // 2, "longest": 2 * len(path[-1])}
        row = self._connection.execute(load_sql("near_named"), {**self._key, **span}).fetchone()
        assert row is not None
        at: dict[str, list[int]] = defaultdict(list)  # nodes of one name are many, and it is compared once
        for name, place in zip(*row, strict=True):
            at[name].append(place)
        found = process.extract(
            asked, {name: folded(name) for name in at}, scorer=OSA.normalized_distance, score_cutoff=1 - LEAST_LIKE,
            limit=None,
        )  # fmt: skip
        nearest = ((distance, place) for _, distance, name in found for place in at[name])
        slips: dict[int, float] = {}
        for distance, place in heapq.nsmallest(_MOST_NAMED, nearest):
            slips.setdefault(place, distance)
        paths = self._connection.execute(
            "SELECT lft, canonical_path FROM taxonomy_nodes "
            "WHERE workspace_id = %(workspace_id)s AND version = %(version)s AND lft = ANY(%(places)s)",
            {**self._key, "places": list(slips)},
        )
        ranked = sorted((slips[place], -_shared(path, held), place, tuple(held)) for place, held in paths)
        return [held for *_, held in ranked]


def _followed(tree: _Tree, start: _Node | None, path: Path) -> tuple[list[Path], list[Path]]:
    """Ways that are like the asked path to its end, and those that end before; fewer slips before more."""
    ways = [_Way(0.0, start)]
    ended: list[_Way] = []
    for label in path[len(start.path) if start else 0 :]:
        by_parent: dict[UUID | None, list[_Node]] = {}
        for child in tree.below([way.node for way in ways if way.node]):
            by_parent.setdefault(child.parent_id, []).append(child)
        further: list[_Way] = []
        for way in ways:
            children = by_parent.get(way.node.node_id if way.node else None, [])
            next_ways = [_Way(way.slips + slips, child) for slips, child in _like(label, children)]
            further += next_ways
            if not next_ways:
                ended.append(way)
        ways = sorted(further, key=_rank)[:_MOST_WAYS]
        if not ways:
            break
    parts = [way.node.path for way in sorted(ended, key=_rank) if way.node and way.node is not start]
    return [way.node.path for way in ways if way.node], parts


def _rank(way: _Way) -> tuple[float, Path]:
    return way.slips, way.node.path if way.node else ()


def _like(label: str, children: Sequence[_Node]) -> list[tuple[float, _Node]]:
    """The children with a name that is like a label, and how far it is, from 0 to 1."""
    from rapidfuzz.distance import OSA

    asked = folded(label)
    found = []
    for child in children:
        slips = min(OSA.normalized_distance(asked, folded(name)) for name in child.names)
        if slips <= 1 - LEAST_LIKE:
            found.append((slips, child))
    return found


def _shared(path: Path, other: Sequence[str]) -> int:
    """How many of the labels above its end a path shares with another."""
    return len({folded(label) for label in path[:-1]} & {folded(label) for label in other[:-1]})


def folded(label: str) -> str:
    """A label as it is compared here: without case and width, letters of Hangul apart."""
    if label.isascii():
        return label.casefold()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", label).casefold())
