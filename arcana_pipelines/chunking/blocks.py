"""Normal-form Markdown as a flat list of blocks, and a block as the parts it may be cut between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

_BLANK_LINES = re.compile(r"\n\s*\n")
_HEADING = re.compile(r"(#{1,6}) +(.*)")
_FENCE = re.compile(r" *(`{3,}|~{3,})")
_LIST_ITEM = re.compile(r" *(?:[-*+]|\d+[.)]) ")
_SENTENCE = re.compile(r"""(?<![.!?…])[.!?…]++["'”’)\]*_]*+\s+|[。！？]+[」』”’）]*\s*""")
_WORD = re.compile(r"\s+")
# Of a line without a blank: what parts its values and clauses first, then any sign but those inside a number or name.
_VALUE = re.compile(r"[,;|&?!)\]}>\"'、，；？！。」』）》]+")
_NAME = re.compile(r"(?:[^\w\s.]|\.(?!\w))+")

# How good a place to cut is, best first; headings stand before these with their level, 1 to 6.
AT_BLOCK = 7
AT_LINE = 8  # of a list, table, code or text; deeper items and indented code come after
AT_SENTENCE = 40
AT_WORD = 50
AT_VALUE = 52
AT_NAME = 54
AT_LETTER = 60
NOWHERE = 99  # only where there is no other place


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a text in normal form.

    Attributes:
        kind: names its way of splitting: `heading`, `text`, `list`, `table` or `code`.
        text: its lines as they stand, marks included.
        level: of a heading, 1 to 6; 0 for anything else.
    """

    kind: str
    text: str
    level: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What every piece of a long table or code block repeats.

    Attributes:
        opening: the two lines of a table's header, or the line of the opening fence.
        closing: the closing fence; empty for a table.
    """

    opening: str
    closing: str = ""


class Part(NamedTuple):
    """A part of a block.

    Attributes:
        joint: what stands between it and the part before: a line break, blank line or nothing.
        rank: how good it is to cut before it, from 1 (best: a heading of level 1) to `NOWHERE`.
    """

    text: str
    joint: str
    rank: int


def read_blocks(text: str) -> Iterator[Block]:
    """The blocks of a text in normal form, in order; their texts joined by blank lines are the text."""
    if "```" not in text and "~~~" not in text:
        yield from (_block(piece) for piece in _BLANK_LINES.split(text.strip("\n")) if piece.strip())
        return
    lines = text.split("\n")
    start = 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        end = _end_of_block(lines, start)
        yield _block("\n".join(lines[start:end]))
        start = end


def _end_of_block(lines: list[str], start: int) -> int:
    fence = _FENCE.match(lines[start])
    if fence:
        closing = fence.group(1)
        for index in range(start + 1, len(lines)):
            if lines[index].strip().startswith(closing) and not lines[index].strip(" `~"):
                return index + 1
        return len(lines)
    end = start + 1
    while end < len(lines) and lines[end].strip() and not _FENCE.match(lines[end]):
        end += 1
    return end


def _block(text: str) -> Block:
    if text[0].isalpha():
        return Block("text", text)
    heading = _HEADING.fullmatch(text)
    if heading:
        return Block("heading", text, len(heading.group(1)))
    if _FENCE.match(text):
        return Block("code", text)
    if text.startswith("|"):
        return Block("table", text)
    if is_item(text):
        return Block("list", text)
    return Block("text", text)


def is_item(line: str) -> bool:
    """True where a line begins an item of a list; others go on with the one before."""
    return _LIST_ITEM.match(line) is not None


def split_block(block: Block) -> tuple[Frame | None, list[Part]]:
    """A block as its lines, and what each piece of it has to repeat. A table's header is not among its lines."""
    lines = block.text.split("\n")
    if block.kind == "table" and len(lines) > 2:
        return Frame("\n".join(lines[:2])), [Part(line, "\n", AT_LINE) for line in lines[2:]]
    if block.kind == "code" and len(lines) > 2:
        fence = _FENCE.match(lines[0])
        assert fence is not None
        closed = not lines[-1].strip(" `~")
        return Frame(lines[0], fence.group(1)), list(_code_lines(lines[1 : -1 if closed else None]))
    if block.kind == "list":
        return None, list(_items(lines))
    return None, [Part(line, "\n", AT_LINE) for line in lines]


def _code_lines(lines: Iterable[str]) -> Iterator[Part]:
    after_blank = False
    for line in lines:
        blank = not line.strip()
        indented = line[:1].isspace()
        yield Part(line, "\n", NOWHERE if blank else AT_LINE + (not after_blank) + 2 * indented)
        after_blank = blank


def _items(lines: Iterable[str]) -> Iterator[Part]:
    for line in lines:
        # A line without a marker goes on with its item.
        rank = AT_LINE + (len(line) - len(line.lstrip(" "))) // 2 if is_item(line) else AT_SENTENCE
        yield Part(line, "\n", min(rank, AT_SENTENCE))


def sentences(part: Part) -> list[Part]:
    """A part by its sentences."""
    return _split_behind(part, _SENTENCE, AT_SENTENCE)


def words(part: Part) -> list[Part]:
    """A part by its words."""
    return _split_behind(part, _WORD, AT_WORD)


def values(part: Part) -> list[Part]:
    """A part without a space by its values: `5185,6874` behind the comma."""
    return _split_behind(part, _VALUE, AT_VALUE)


def names(part: Part) -> list[Part]:
    """A part without a space behind its signs; numbers and dotted names stay whole."""
    return _split_behind(part, _NAME, AT_NAME)


def _split_behind(part: Part, separator: re.Pattern[str], rank: int) -> list[Part]:
    ends = [match.end() for match in separator.finditer(part.text)]
    return _slices(part, ends, rank)


def letters(part: Part, longest: int) -> list[Part]:
    """A part without a space in pieces of at most `longest` characters, cut behind characters of some values."""
    import numpy as np

    codes = np.frombuffer(part.text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    ends: list[int] = []
    start = 0
    for end in [*(np.flatnonzero(codes % 32 == 7) + 1).tolist(), len(part.text)]:
        ends += range(start + longest, end, longest)
        ends.append(end)
        start = end
    return _slices(part, ends, AT_LETTER)


def _slices(part: Part, ends: Iterable[int], rank: int) -> list[Part]:
    bounds = [0, *(end for end in ends if end < len(part.text)), len(part.text)]
    return [
        Part(part.text[start:end], "" if start else part.joint, rank if start else part.rank)
        for start, end in pairwise(bounds)
    ]
