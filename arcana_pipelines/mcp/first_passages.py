"""Which part of a long document has which of its passages."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


def first_passages(parts: Sequence[str], passages: Sequence[str]) -> list[int]:
    """The number (from 1) of the first passage that begins in each part, rising from part to part.

    Passages are in the order of the text but are not quite its words: one of a table repeats its header, one of code
    its fence. So each is looked for by its longest line, behind the one before.

    Args:
        parts: of the document's text; joined they are it.
        passages: the texts of its chunks.
    """
    text = "".join(parts)
    ends = list(accumulate(map(len, parts)))
    first = [0] * len(parts)
    at = 0
    for number, passage in enumerate(passages, start=1):
        line = max(passage.split("\n"), key=len)
        found = text.find(line, at)
        at = found if found >= 0 else at
        part = min(bisect_right(ends, at), len(parts) - 1)
        first[part] = first[part] or number
    # Each part has a number of its own, also where none was found in it.
    first[0] = 1
    for part in range(1, len(first)):
        first[part] = max(first[part], first[part - 1] + 1)
    return first
