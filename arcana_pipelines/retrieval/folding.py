"""Each text once: pages repeat each other, and a reader wants to read a thing once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from arcana_pipelines.retrieval.results import Hit, Place

# Texts as alike as this are one hit (percent of characters, `rapidfuzz.fuzz.ratio`).
ALIKE = 95.0
_BUCKETS = 512

_Counts = NDArray[np.int32]


def fold(hits: Sequence[Hit], most: int) -> list[Hit]:
    """The first `most` different texts: what is nearly the same on other pages is named with the best of them."""
    kept: list[Hit] = []
    counts = np.empty((min(most, len(hits)), _BUCKETS), dtype=np.int32)
    for hit in hits:
        pairs = _pairs(hit.text)
        twin = next((kept[at] for at in _may_be_alike(pairs, counts[: len(kept)]) if are_alike(hit, kept[at])), None)
        if twin is None:
            counts[len(kept)] = pairs
            kept.append(hit)
        elif twin.document_id != hit.document_id:
            twin.duplicates.append(Place(hit.external_id, hit.title, hit.url))
        if len(kept) == most:
            break
    return kept


def are_alike(one: Hit, other: Hit) -> bool:
    """Are their texts nearly the same?"""
    return one.text == other.text or fuzz.ratio(one.text, other.text, score_cutoff=ALIKE) > 0


def _pairs(text: str) -> _Counts:
    """How often which two characters follow each other, in buckets."""
    characters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
    found = np.bincount((characters[:-1] * 31 + characters[1:]) % _BUCKETS, minlength=_BUCKETS)
    return found.astype(np.int32)


def _may_be_alike(pairs: _Counts, kept: NDArray[np.int32]) -> list[int]:
    """Where in `kept` texts are that may be alike; comparing all of them in full takes seconds for 200 hits.

    A character that is put in or taken out changes three pairs: two go and one comes, or the other way round. So texts
    that differ in D characters of N differ in 3 D pairs at most, and alike ones in 3 (1 - ALIKE / 100) N. Counting in
    buckets makes texts seem more alike than they are, never less. A text has one pair less than characters.
    """
    different = np.abs(kept - pairs).sum(axis=1)
    characters = kept.sum(axis=1) + pairs.sum() + 2
    return [int(at) for at in np.flatnonzero(different <= 3 * (1 - ALIKE / 100) * characters + 1)]
