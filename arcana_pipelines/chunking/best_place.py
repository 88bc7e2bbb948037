"""Which place of a row is the best to cut at, asked again and again for parts of the row."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

Key = tuple[int, ...]


def best_of_few(
    ranks: Sequence[int],
    beginning: Callable[[int], Key],
    positions: Sequence[int],
    low: int,
    high: int,
    twice_middle: int,
) -> int | None:
    """What `Places.best` finds, by comparing all places: faster in a short row, for few beginnings are read."""
    if low >= high:
        return None
    best = min(ranks[low:high])
    places = [at for at in range(low, high) if ranks[at] == best]
    if len(places) > 1:
        first = min(map(beginning, places))
        places = [at for at in places if beginning(at) == first]
    return min(places, key=lambda at: abs(2 * positions[at] - twice_middle))


class Places:
    """Finds the least key in a part of a row in logarithmic time, however often and wherever it is cut."""

    def __init__(self, keys: Sequence[Key], positions: Sequence[int]) -> None:
        """`keys` say how good each place is, least is best; `positions` ascend and say where it lies."""
        order = {key: number for number, key in enumerate(sorted(set(keys)))}
        numbers = [order[key] for key in keys]
        self._positions = positions
        self._where: dict[int, list[int]] = defaultdict(list)
        for at, number in enumerate(numbers):
            self._where[number].append(at)
        # Row n holds the least of each 2**n neighbours.
        self._least = [np.array(numbers, dtype=np.int64)]
        width = 1
        while 2 * width <= len(keys):
            row = self._least[-1]
            self._least.append(np.minimum(row[:-width], row[width:]))
            width *= 2

    def best(self, low: int, high: int, twice_middle: int) -> int | None:
        """The best place from `low` to before `high`, of equals the nearest to the middle; None if there is none."""
        if low >= high:
            return None
        level = (high - low).bit_length() - 1
        row = self._least[level]
        places = self._where[int(min(row[low], row[high - (1 << level)]))]
        first, last = bisect_left(places, low), bisect_left(places, high)
        at = bisect_left(places, twice_middle, first, last, key=lambda place: 2 * self._positions[place])
        near = places[max(at - 1, first) : min(at + 1, last)]
        return min(near, key=lambda place: abs(2 * self._positions[place] - twice_middle))
