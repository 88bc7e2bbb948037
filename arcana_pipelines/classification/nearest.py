"""The topics that a text is nearest to, of similarities that are known: pure arithmetic.

A topic is scored by the mean of two cosines: of the document's first chunk, which begins with its title, and of the
chunk that is nearest to the topic. What counts is the margin to the next topic, in standard deviations of the
document's scores of all topics: cosines of one model are of another size than those of another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.embedding.protocol import Vectors
from arcana_pipelines.taxonomy.nodes import Node

# Children of one parent that are no further apart are told apart by a person, if at all: the parent is suggested.
TIE = 0.1
# Suggested for a document: the nearest topic, and others that a person may choose instead.
MOST = 3
# Scores that differ by less are equal: sums of 32-bit products come out otherwise on another processor.
_ROUNDING = 1e-5
# So many of the nearest are looked at for one that is neither above nor below the first.
_LOOKED_AT = 64
_DECIMALS = 4  # the same vectors give the same numbers, whatever they were multiplied with at once


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A topic that a document may be about.

    Attributes:
        at: its place among the topics.
        score: how near it is; comparable within one model only.
        margin: how much nearer than the next one that is neither above nor below it; below 0 of those behind the first.
    """

    at: int
    score: float
    margin: float


@dataclass(frozen=True)
class Topics:
    """The topics of a version that have a vector.

    Attributes:
        nodes: in the order of the tree.
        vectors: of their texts, of unit length, of shape (texts, dimensions). A topic is as near as its nearest text.
        begins: of each node the place of its first text among the vectors.
    """

    nodes: Sequence[Node]
    vectors: Vectors
    begins: NDArray[np.int64]

    @cached_property
    def parents(self) -> NDArray[np.int64]:
        """The place of what is above each; -1 where nothing is, or it has no vector."""
        places = {node.node_id: at for at, node in enumerate(self.nodes)}
        return np.array(
            [-1 if n.parent_id is None else places.get(n.parent_id, -1) for n in self.nodes], dtype=np.int64
        )

    def are_related(self, one: int, other: int) -> bool:
        """Whether one of two stands above the other, or they are the same."""
        first, second = self.nodes[one].path, self.nodes[other].path
        shorter = min(len(first), len(second))
        return first[:shorter] == second[:shorter]


def scores(of_first: NDArray[Any], of_best: NDArray[Any]) -> NDArray[Any]:
    """How near each topic is to a document."""
    mean: NDArray[Any] = (of_first + of_best) / 2
    return mean


def suggestions(near: NDArray[Any], topics: Topics, without: Collection[int] = ()) -> list[Suggestion]:
    """The nearest topics of one document, the nearest first; none where there is nothing to compare.

    Args:
        near: the score of each topic.
        without: places of topics that people have refused for the document.
    """
    spread = float(near.std()) if len(near) else 0.0
    if spread < _ROUNDING:
        return []
    few = _nearest(near, _LOOKED_AT + len(without))
    found = _ranked([at for at in few if at not in without], near, spread, topics, without)
    if len(found) < MOST and len(few) < len(near):  # many stand below the first
        every = _nearest(near, len(near))
        found = _ranked([at for at in every if at not in without], near, spread, topics, without)
    return found


def _ranked(
    ranked: Sequence[int], near: NDArray[Any], spread: float, topics: Topics, without: Collection[int]
) -> list[Suggestion]:
    rival = _unrelated(ranked, ranked[:1], topics)
    if rival is None:
        return []
    first = chosen = ranked[0]
    parent = int(topics.parents[first])
    is_tie = parent != -1 and parent == topics.parents[rival] and (near[first] - near[rival]) / spread < TIE
    if is_tie and parent not in without and (above := _unrelated(ranked, [parent], topics)) is not None:
        chosen, rival = parent, above
    found = [_suggestion(chosen, near[first], near[first] - near[rival], spread)]
    taken = [chosen]
    while len(found) < MOST and (other := _unrelated(ranked, taken, topics)) is not None:
        found.append(_suggestion(other, near[other], near[other] - near[first], spread))
        taken.append(other)
    return found


def _nearest(near: NDArray[Any], most: int) -> list[int]:
    if most >= len(near):
        return [int(at) for at in np.argsort(-near, kind="stable")]
    some = np.sort(np.argpartition(-near, most)[:most])
    return [int(at) for at in some[np.argsort(-near[some], kind="stable")]]


def _unrelated(ranked: Sequence[int], taken: Sequence[int], topics: Topics) -> int | None:
    return next((at for at in ranked if not any(topics.are_related(at, held) for held in taken)), None)


def _suggestion(at: int, score: float, ahead: float, spread: float) -> Suggestion:
    # No negative zero: it would be another number than the one that is kept.
    return Suggestion(at, round(float(score), _DECIMALS) + 0.0, round(float(ahead) / spread, _DECIMALS) + 0.0)
