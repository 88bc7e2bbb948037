"""Tags that a person typed, as words of a text: they are shielded, so that no reader takes them for markup.

Notion's API escapes what a person typed; an export does not. What Notion writes can be told from it: its tags are
closed, a tag of a block stands where a line begins or beside another tag, and one inside a line touches the words that
it is about. `the <hr> tag`, `<b> and </b>`, `Vec<u>` are text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import NamedTuple

from arcana_pipelines.markdown.inline import SHIELDED_ANGLE, literal_spans
from arcana_pipelines.markdown.lines import in_code, is_literal
from arcana_pipelines.markdown.share import Share
from arcana_pipelines.markdown.tags import CELL_NAMES, HOLDERS, SPANS, TAG

# What stands before a word, behind it, and on both sides.
_BEFORE = frozenset(" \t([{「『（")
_BEHIND = frozenset(" \t,.;:!?)]}…」』）。，、/|-")
_AROUND = frozenset("\"'“”‘’«»*_~|/-")
_ENDS_SENTENCE = frozenset(",.;:!?)]}…。，、")
# Korean particles have no blank before them. (Not 이, which is `this` as well.)
_PARTICLE = re.compile(
    "(?:은|는|을|를|가|의|에|로|와|과|도|만|나|에서|으로|까지|부터|처럼|보다|하고|이나|이다|입니다|이?라[고는]|이?란)(?![가-힣])"
)
_MARKERS = re.compile(r"[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])(?:[ \t]+\[[ xX]\])?[ \t]+)?")
_CLOSING = re.compile(r"</([a-z][\w-]*+)")
_REST = re.compile(r"[ \t]*+$|<")
_END = re.compile(r"[ \t]*+$")
_IN_CELL = re.compile(r"[ \t]++[^|]")


class _Opening(NamedTuple):
    """An opening tag that waits for its end. `is_sure`: if it is closed, it is not a word."""

    line: int  # where its line begins
    start: int
    end: int
    is_sure: bool
    is_bare: bool
    cells: list[int] | None  # of a table: they are tags if it is one


def shield_typed(markdown: str, share: Share) -> str:
    """`markdown` with a shield in place of the `<` of each tag that a person typed or that stands in code."""
    if "<" not in markdown or TAG.search(markdown) is None:
        return markdown
    lines = markdown.split("\n")
    goes_on = [*(bool(line.strip()) for line in lines[1:]), False]
    walk = _Walk(frozenset(_CLOSING.findall(markdown)))
    suspects: list[int] = []
    at = 0
    for line, is_code, has_more in zip(lines, in_code(lines), goes_on, strict=True):
        if is_code or not line or line.isspace():
            walk.end_of_paragraph()
        elif "<" in line and (tags := list(TAG.finditer(line))):
            share.check()
            spans = literal_spans(line)
            outside = [match for match in tags if not is_literal(match.start(), spans)] if spans else tags
            walk.line(at, line, outside, has_more)
            # What is escaped stays so, and a mention with its label is literal as a whole.
            suspects += [
                at + match.start()
                for match in (tags if spans else outside)
                if not line.startswith("\\", match.start() - 1, match.start())
                and not (spans and match["name"] == "mention" and is_literal(match.start(), spans))
            ]
        at += len(line) + 1
    parts: list[str] = []
    position = 0
    for typed in suspects:
        if typed not in walk.real:
            parts.append(markdown[position:typed])
            position = typed + 1
    return SHIELDED_ANGLE.join([*parts, markdown[position:]])


class _Walk:
    """Pairs the tags of a page, line by line."""

    def __init__(self, closed: frozenset[str]) -> None:
        self.closed = closed  # names of which some tag is closed: of the others only empty tags can be any
        self.real: set[int] = set()  # where the tags begin that are markup
        self.open: dict[str, list[_Opening]] = defaultdict(list)

    def line(self, at: int, line: str, tags: list[re.Match[str]], has_more: bool) -> None:
        """Read the tags of the line that begins at `at`. `has_more`: its paragraph goes on below."""
        markers = _MARKERS.match(line)
        first = markers.end() if markers else 0
        behind = 0  # the tag before
        tables = self.open["table"]
        for match in tags:
            name = match["name"]
            start = match.start()
            if name == "br":
                if not match["closing"] and (
                    not _is_word(line, match) or _is_alone(line, match, first) or _breaks(line, match, first, has_more)
                ):
                    self.real.add(at + start)
            elif name == "img" and "src=" in match["attributes"]:
                self.real.add(at + start)  # HTML's has no end
            elif name not in self.closed and not match["self"] and not tables:
                pass
            elif name in SPANS:
                self.span(at, line, match)
            elif name in CELL_NAMES and tables and (not _is_word(line, match) or not line[behind:start].strip()):
                cells = tables[-1].cells
                assert cells is not None
                cells.append(at + start)
            else:
                self.block(at, line, match, first)
            behind = match.end()

    def span(self, at: int, line: str, match: re.Match[str]) -> None:
        """A tag inside a line."""
        name, closing, attributes, is_empty = match.group("name", "closing", "attributes", "self")
        start, end = match.span()
        if closing:
            waiting = self.open[name]
            if waiting and (waiting[-1].is_sure or not _is_word(line, match)):
                opening = waiting.pop()
                if not opening.is_bare or opening.end != at + start:
                    self.real |= {opening.start, at + start}
        elif is_empty:
            if attributes:
                self.real.add(at + start)
        elif attributes:
            self.push(at, match, is_sure=True)
        elif not _is_word(line, match):
            after = line[end : end + 1]
            touches = after != "" and not after.isspace() and after not in _ENDS_SENTENCE
            self.push(at, match, is_sure=touches and not line[start - 1 : start].isalnum())

    def block(self, at: int, line: str, match: re.Match[str], first: int) -> None:
        """A tag that stands on a line of its own or around other blocks."""
        name, closing, attributes, is_empty = match.group("name", "closing", "attributes", "self")
        start, end = match.span()
        begins = start == first or line[start - 1] == ">"
        touches = begins or not line[start - 1].isspace()
        ends = _REST.match(line, end) is not None
        if closing:
            if ends:
                self.close(name, at, at + start, touches)
        elif is_empty:
            if attributes or (begins and ends):
                self.real.add(at + start)
        elif attributes:
            self.push(at, match, is_sure=True)
        elif begins or (touches and line.startswith("<", first)):
            if ends:
                self.push(at, match, is_sure=True)
            elif name not in HOLDERS:
                after = line[end]
                self.push(at, match, is_sure=not after.isspace() and after not in _ENDS_SENTENCE)

    def close(self, name: str, at: int, start: int, touches: bool) -> None:
        """Pair the closing tag of a block; where blanks part it from its text, the opening one must be sure."""
        waiting = self.open[name]
        while waiting:
            opening = waiting[-1]
            is_same_line = opening.line == at
            if not opening.is_sure and not is_same_line:
                waiting.pop()
                continue
            holds_nothing = start - opening.end < 2
            if touches or holds_nothing or (opening.is_sure and (is_same_line or not opening.is_bare)):
                waiting.pop()
                self.real |= {opening.start, start, *(opening.cells or ())}
            return

    def push(self, at: int, match: re.Match[str], is_sure: bool) -> None:
        """Remember an opening tag until it is closed."""
        name, attributes = match.group("name", "attributes")
        start, end = match.span()
        cells: list[int] | None = [] if name == "table" else None
        self.open[name].append(_Opening(at, at + start, at + end, is_sure, not attributes, cells))

    def end_of_paragraph(self) -> None:
        """What is open inside a line ends with its paragraph."""
        for name in [name for name in self.open if name in SPANS]:
            del self.open[name]


def _is_alone(line: str, match: re.Match[str], first: int) -> bool:
    return match.start() == first and _REST.match(line, match.end()) is not None


def _breaks(line: str, match: re.Match[str], first: int, has_more: bool) -> bool:
    """Whether a `<br>` with blanks around it ends a line that goes on below, or parts two lines of a table's cell."""
    start, end = match.span()
    if _END.match(line, end):
        return has_more and start > first
    return line.startswith("|", first) and _IN_CELL.match(line, end) is not None and _in_cell_before(line, start)


def _in_cell_before(line: str, at: int) -> bool:
    """Whether a blank stands before a place, and before that something of the same cell."""
    begin = at
    while line[at - 1] in " \t":
        at -= 1
    return at < begin and line[at - 1] != "|"


def _is_word(line: str, match: re.Match[str]) -> bool:
    """Whether a tag stands in a line as a word does: apart from others, or between quotation marks."""
    start, end = match.span()
    before = line[start - 1] if start else " "
    after = line[end] if end < len(line) else " "
    if before in _BEFORE:
        return after in _BEHIND or (after >= "가" and _PARTICLE.match(line, end) is not None)
    return before in _AROUND and (after in _AROUND or (after in _BEHIND and not match.group("closing")))
