"""The text of a document as a page shows it: headings, lists, quotes, tables and code as such, all else in lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from arcana_pipelines.chunking.blocks import Block, read_blocks
from arcana_pipelines.chunking.headings import heading_of
from arcana_pipelines.markdown.tables import pipe_cells

_ITEM = re.compile(r"( *)(?:[-*+]|(\d{1,9})[.)]) (?:\[([ x])\] )?(.*)")
_QUOTED = re.compile(r"^> ?", re.MULTILINE)


@dataclass(slots=True)
class Item:
    """An item of a list.

    Attributes:
        text: of one or more lines.
        value: its number, where that is not the one behind the item before; None: it counts on.
        is_done: of a task; None: it is none.
        lists: below it.
    """

    text: str
    value: int | None = None
    is_done: bool | None = None
    lists: list[Listing] = field(default_factory=list)


@dataclass(slots=True)
class Listing:
    """A list, with numbers or without."""

    is_numbered: bool
    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shown:
    """A block.

    Attributes:
        kind: `heading`, `table`, `code`, `list`, `quote`, `rule` or `text`.
        text: of a heading, code, a quote or a text.
        rows: of a table, its head first.
        lists: of a list, one behind the other where bullets and numbers take turns.
    """

    kind: str
    text: str = ""
    rows: Sequence[Sequence[str]] = ()
    lists: Sequence[Listing] = ()


def read_text(text: str) -> Iterator[Shown]:
    """The blocks of a text, in its order."""
    return map(_shown, read_blocks(text))


def _shown(block: Block) -> Shown:
    lines = block.text.split("\n")
    if block.kind == "heading":
        return Shown("heading", heading_of(block).text)
    if block.kind == "table":
        head, _, *rows = (*lines, "")
        said = [line for line in (head, *rows) if line.strip()]
        return Shown("table", rows=[[cell.strip() for cell in pipe_cells(line)] for line in said])
    if block.kind == "list":
        return Shown("list", lists=_lists(lines))
    if block.kind == "code" or lines[0] == "$$":
        is_closed = len(lines) > 1 and not lines[-1].strip(" `~$")
        return Shown("code", "\n".join(lines[1 : -1 if is_closed else None]))
    if block.text == "---":
        return Shown("rule")
    if block.text.startswith(">"):
        return Shown("quote", _QUOTED.sub("", block.text).strip())
    return Shown("text", block.text)


def _lists(lines: Iterable[str]) -> list[Listing]:
    levels: list[list[Listing]] = [[]]  # where the lists of each depth stand now
    last = Item("")
    for line in lines:
        found = _ITEM.fullmatch(line)
        if found is None:  # it goes on with the item before
            last.text += f"\n{line.strip()}"
            continue
        indent, number, task, text = found.groups()
        depth = min(len(indent) // 2, len(levels) - 1)
        del levels[depth + 1 :]
        lists = levels[depth]
        if not lists or lists[-1].is_numbered != (number is not None):
            lists.append(Listing(number is not None))
        # Numbers that count on are written as 1 (markdown/layout.py).
        value = int(number) if number is not None and int(number) != 1 else None
        last = Item(text, value, None if task is None else task == "x")
        lists[-1].items.append(last)
        levels.append(last.lists)
    return levels[0]
