"""Normal-form Markdown as a flat list of blocks: headings, paragraphs, lists, tables, code, quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"(#{1,6}) +(.*)")
_FENCE = re.compile(r" *(`{3,}|~{3,})")
_LIST_ITEM = re.compile(r" *(?:[-*+]|\d+[.)]) ")


@dataclass(frozen=True, slots=True)
class Block:
    """One block. `level` is the heading's level, 0 for anything else; `kind` names its way of splitting."""

    kind: str
    text: str
    level: int = 0


def read_blocks(text: str) -> Iterator[Block]:
    """The blocks of a text in normal form, in order; their texts joined by blank lines are the text."""
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
    heading = _HEADING.fullmatch(text)
    if heading:
        return Block("heading", text, len(heading.group(1)))
    if _FENCE.match(text):
        return Block("code", text)
    if text.startswith("|"):
        return Block("table", text)
    if _LIST_ITEM.match(text):
        return Block("list", text)
    return Block("text", text)
