"""Text as blocks have it: one line, one blank between words, nothing that no text may hold."""

from __future__ import annotations

import re

# What says nothing: NUL, halves of surrogate pairs, soft hyphens, marks of byte order, characters of symbol fonts.
_NOTHING = re.compile("[\x00\ud800-\udfff\xad\ufeff\uf000-\uf0ff]")
BULLET = re.compile("\\s*[-*•·∙○●◦▪■□◆◇▶‣–ㆍ\uf000-\uf0ff]\\s+(?=\\S)")
"""The mark before an item of a list, in a text that knows of no lists."""


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
