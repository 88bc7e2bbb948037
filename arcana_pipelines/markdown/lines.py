"""Which lines of a page, and which places of a line, are literal."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

FENCE = re.compile(r"(`{3,})([^`]*)$|(~{3,})(.*)$")


def in_code(lines: Iterable[str]) -> Iterator[bool]:
    """Of each line, whether it belongs to a code block, fences included."""
    fence = ""
    in_quote = False
    for line in lines:
        stripped = line.strip()
        is_quoted = stripped.startswith(">")
        if fence and in_quote and not is_quoted:
            fence = ""  # it ends with its quote
        if is_quoted and (in_quote or not fence):
            stripped = stripped.lstrip("> \t")
        if fence:
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                fence = ""
            yield True
        elif match := FENCE.match(stripped):
            fence = match.group(1) or match.group(3)
            in_quote = is_quoted
            yield True
        else:
            yield False


def is_literal(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a place lies in one of the spans, which ascend."""
    span = bisect_left(spans, (at + 1, 0)) - 1
    return span >= 0 and spans[span][0] <= at < spans[span][1]


def count_item(written: int, last_written: int = 0, last_counted: int = 0) -> int:
    """Which item of its list a numbered one is, behind one with these numbers; 0 where it does not count from 1.

    Where all are written `1.`, each is the next one, whatever stands in them (CommonMark, section 5.3).
    """
    following = last_counted + 1
    is_next = written == following or (written == 1 and last_written == 1)
    return following if is_next else int(written == 1)
