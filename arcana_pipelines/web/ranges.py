"""The part of a body that a request asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


class NotInside(Exception):
    """Nothing of what is asked for lies inside."""


def part_of(asked: str | None, size: int) -> tuple[int, int] | None:
    """Where the part begins and how long it is; None: the whole, also where it is asked in a way that is not known.

    Raises:
        NotInside: it begins behind the end.
    """
    found = _ONE.fullmatch(asked.replace(" ", "")) if asked else None
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        if not length:
            raise NotInside
        return size - length, length
    first, last = int(found[1]), int(found[2]) if found[2] else size - 1
    if first >= size:
        raise NotInside
    return (first, min(last, size - 1) - first + 1) if first <= last else None
