"""Text as blocks have it: one line, one blank between words, nothing that no text may hold."""

from __future__ import annotations

import re

# What takes a place, or stands for nothing: NUL, halves of surrogate pairs, soft hyphens, marks of byte order.
_NOTHING = re.compile("[\x00\ud800-\udfff\xad\ufeff]")


def plain(text: str) -> str:
    """`text` as one line."""
    return " ".join(_NOTHING.sub("", text).split())


def lines(text: str) -> str:
    """`text` with its lines and what they begin with, as code has it."""
    kept = [line.rstrip() for line in _NOTHING.sub("", text).expandtabs(4).splitlines()]
    while kept and not kept[0]:
        del kept[0]
    while kept and not kept[-1]:
        del kept[-1]
    return "\n".join(kept)
