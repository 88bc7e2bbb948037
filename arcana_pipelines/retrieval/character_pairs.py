"""Which of many texts may be nearly the same as one: told by how often which two characters follow each other.

Comparing each of 200 texts with all others in full takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_BUCKETS = 512


class CharacterPairs:
    """Texts in the order in which they were added."""

    def __init__(self, most: int) -> None:
        """`most` texts can be added."""
        self._counts = np.empty((most, _BUCKETS), dtype=np.int32)
        self._texts = 0

    def add(self, texts: Iterable[str]) -> None:
        """Add texts."""
        for text in texts:
            self._counts[self._texts] = _pairs(text)
            self._texts += 1

    def may_be_alike(self, text: str, alike: float) -> list[int]:
        """Which texts may be as alike as `alike` percent of characters (`rapidfuzz.fuzz.ratio`), by their number.

        A character that is put in or taken out changes three pairs: two go and one comes, or the other way round. So
        texts that differ in D characters of N differ in 3 D pairs at most, and alike ones in 3 (1 - alike / 100) N.
        Counting in buckets makes texts seem more alike than they are, never less. A text has one pair less than
        characters.
        """
        pairs, counts = _pairs(text), self._counts[: self._texts]
        different = np.abs(counts - pairs).sum(axis=1)
        characters = counts.sum(axis=1) + pairs.sum() + 2
        return [int(at) for at in np.flatnonzero(different <= 3 * (1 - alike / 100) * characters + 1)]


def _pairs(text: str) -> NDArray[np.int32]:
    characters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
    counts = np.bincount((characters[:-1] * 31 + characters[1:]) % _BUCKETS, minlength=_BUCKETS)
    return counts.astype(np.int32)
