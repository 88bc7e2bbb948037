"""A passage as the lines of a terminal: lists keep their nesting, and what is broken stands below its beginning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_LEFT = 3  # blanks before every line
_A_LEVEL = 2
_NARROWEST = 10  # columns that are left for the text, however far in it stands
_MARKER = re.compile(r"( *)((?:[-*+]|\d{1,9}[.)]) +)")
_BLANKS = re.compile(" *")


def heading_lines(out: Console, heading: Text, facts: Text) -> Iterator[Text]:
    """The lines of what stands above a passage, with its facts behind it. Only a terminal's are broken, and no facts
    that fit into one.
    """
    from rich.text import Text

    if out.is_terminal:
        room = max(out.width - _LEFT, _NARROWEST)
        broken = list(heading.wrap(out, room)) or [heading]
        broken[-1].rstrip()
        if broken[-1].cell_len + 2 + facts.cell_len <= room:
            broken[-1] += Text("  ") + facts
        else:
            broken += facts.wrap(out, room)
    else:
        broken = [heading + Text("  ") + facts]
    for number, part in enumerate(broken):
        shown = Text(" " * _LEFT if number else "") + part
        shown.rstrip()
        yield shown


def passage_lines(out: Console, passage: Text) -> Iterator[Text]:
    """The lines, none with blanks behind it. Only a terminal's are broken."""
    from rich.text import Text

    for before, line in _indented(passage):
        room = max(out.width - len(before), _NARROWEST)
        broken = list(line.wrap(out, room)) if out.is_terminal else [line]
        for number, part in enumerate(broken or [line]):
            shown = Text(before if number == 0 else " " * len(before)) + part
            shown.rstrip()
            yield shown


def _indented(passage: Text) -> Iterator[tuple[str, Text]]:
    """Each line without its indentation and marker, with what stands before it: blanks, and the marker of an item."""
    lines = list(passage.split("\n", allow_blank=True))
    indents = [len(found[1]) for line in lines if (found := _MARKER.match(line.plain))]
    # A passage may begin with an inner item, and go on with those that its parent stands among.
    above = sorted({indent for indent in indents if indent < indents[0]})
    text_at, shown_at = 0, 0  # where the text of the last item stands: in the passage, and here
    for line in lines:
        item = _MARKER.match(line.plain)
        if item:
            indent = len(item[1])
            above = [level for level in above if level < indent]
            before = " " * (_LEFT + _A_LEVEL * len(above)) + item[2]
            above.append(indent)
            text_at, shown_at = item.end(), len(before) - _LEFT
            yield before, line[item.end() :]
        else:
            blanks = _BLANKS.match(line.plain)
            inside = blanks.end() if blanks else 0
            if line.plain and inside < min(text_at, 2):
                text_at, shown_at, above = 0, 0, []
            yield " " * (_LEFT + shown_at + max(inside - text_at, 0)), line[inside:]
