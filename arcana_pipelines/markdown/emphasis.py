"""Which `*` and `~~` of a text are emphasis markers, and which are just characters."""

from __future__ import annotations

import re

_STARS = re.compile(r"\*+")
_TILDES = re.compile(r"(?<!~)~~(?!~)")
# Beside these a star is rather an operator or an unpacking: `f(*args, **kw)`, `a = *b`.
_BEFORE_WORD = frozenset("([{,=:;/+<")
_AFTER_WORD = frozenset(")]},.;:?")


def without_emphasis(text: str) -> str:
    """`text` without the markers of bold, italic and struck text; unpaired markers stay.

    Looser than CommonMark where Notion is: its serialiser writes `**bold **text` and `**"말"**은`, whose
    closing markers CommonMark would not accept. An even number of `**` left over is therefore dropped.
    """
    if "*" in text:
        simple = _simply_paired(text)
        text = _without_stars(text) if simple is None else simple
    if "~~" in text:
        text = _without_tildes(text)
    return text


def _simply_paired(text: str) -> str | None:
    """The common case: markers of one length, each pair around a word. None when it is not that."""
    parts = text.split("**")
    if "*" in text.replace("**", ""):
        if len(parts) > 1:
            return None
        parts = text.split("*")
    if len(parts) % 2 == 0:
        return None
    for inside in parts[1::2]:
        if not inside:
            return None
        first, last = inside[0], inside[-1]
        if first.isspace() or last.isspace() or first in _AFTER_WORD or last in _BEFORE_WORD:
            return None
    return "".join(parts)


def _without_stars(text: str) -> str:
    runs = [m.span() for m in _STARS.finditer(text)]
    if len(runs) < 2:
        return text
    left = [end - start for start, end in runs]
    openers: list[int] = []
    length = len(text)
    loose = []
    for number, (start, end) in enumerate(runs):
        before = text[start - 1] if start else " "
        after = text[end] if end < length else " "
        may_close = not before.isspace() and not (before in _BEFORE_WORD and after.isalnum())
        may_open = not after.isspace() and not (after in _AFTER_WORD and not before.isspace())
        if before.isspace() and after.isspace():
            continue
        loose.append(number)
        if may_close:
            while openers and left[number]:
                top = openers[-1]
                if left[top] == 1 and left[number] >= 2 and len(openers) > 1 and left[openers[-2]] >= 2:
                    openers.pop()  # a literal star inside bold text
                    continue
                taken = 2 if left[top] >= 2 and left[number] >= 2 else 1
                left[top] -= taken
                left[number] -= taken
                if not left[top]:
                    openers.pop()
        if left[number] and may_open:
            openers.append(number)
    unmatched = [n for n in loose if left[n] in (2, 3) and left[n] == runs[n][1] - runs[n][0]]
    if len(unmatched) % 2 == 0:
        for number in unmatched:
            left[number] -= 2
    parts = []
    position = 0
    for (start, end), kept in zip(runs, left, strict=True):
        parts.append(text[position : start + kept])
        position = end
    parts.append(text[position:])
    return "".join(parts)


def _without_tildes(text: str) -> str:
    spans = []
    for match in _TILDES.finditer(text):
        start, end = match.span()
        if (start and not text[start - 1].isspace()) or (end < len(text) and not text[end].isspace()):
            spans.append((start, end))
    if len(spans) % 2:
        spans.pop()
    if not spans:
        return text
    parts = []
    position = 0
    for start, end in spans:
        parts.append(text[position:start])
        position = end
    parts.append(text[position:])
    return "".join(parts)
