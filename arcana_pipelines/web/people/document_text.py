"""The text of a document as a page shows it: headings and tables as such, all else in its own lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from arcana_pipelines.chunking.blocks import Block, read_blocks
from arcana_pipelines.chunking.headings import heading_of
from arcana_pipelines.markdown.tables import pipe_cells


@dataclass(frozen=True, slots=True)
class Shown:
    """A block.

    Attributes:
        kind: `heading`, `table`, `code`, `list` or `text`.
        text: of anything but a table.
        rows: of a table, its head first.
    """

    kind: str
    text: str = ""
    rows: Sequence[Sequence[str]] = ()


def read_text(text: str) -> Iterator[Shown]:
    """The blocks of a text, in its order."""
    return map(_shown, read_blocks(text))


def _shown(block: Block) -> Shown:
    if block.kind == "heading":
        return Shown("heading", heading_of(block).text)
    if block.kind == "table":
        head, _, *rows = (*block.text.split("\n"), "")
        lines = [line for line in (head, *rows) if line.strip()]
        return Shown("table", rows=[[cell.strip() for cell in pipe_cells(line)] for line in lines])
    return Shown(block.kind, block.text)
