"""What a file says as one text in the normal form of pages, and where in the file each part of it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from arcana_pipelines.files.parsing.blocks import NOWHERE, Block, Place
from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.markdown.inline import compose
from arcana_pipelines.markdown.layout import Layout
from arcana_pipelines.markdown.tables import read_cell, write_table

MOST_CHARACTERS = 8 * 2**20
"""Of the text of one file: half of what a page may have, so that nothing that is done with it refuses it."""
MOST_COLUMNS = 12
"""Wider tables are written a row a paragraph: nobody finds the header of the twentieth column, a machine neither."""
_NUMBER = re.compile(r"(\d{1,9})[.)]\s+")


@dataclass(frozen=True, slots=True)
class At:
    """Where a part of the text begins, and where in the file it stands.

    Attributes:
        offset: in characters of the text.
        continues: a sentence of the part before runs on in this one.
    """

    offset: int
    place: Place
    continues: bool = False


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's text.

    Attributes:
        text: in the normal form (`markdown.normalise` gives the same again).
        places: ascending; each holds until the next one begins. Empty where the format knows of no places.
        notes: what was left out.
    """

    text: str
    places: tuple[At, ...]
    notes: tuple[str, ...] = ()


def written(blocks: Iterable[Block], most_characters: int = MOST_CHARACTERS) -> FileText:
    """Blocks as one text, with the place of each where it changes."""
    layout = Layout()
    starts: list[At] = []
    notes: list[str] = []
    place = NOWHERE
    for block in blocks:
        if layout.length > most_characters:
            notes.append(f"what follows the first {most_characters:,} characters is not read{_said(block.place)}")
            break
        before = layout.length
        _write(layout, block)
        if layout.length == before:
            continue
        if block.place != place:
            place = block.place
            starts.append(At(before, place, block.continues))
    text = layout.text()
    return FileText(text, tuple(At(_begin(text, at.offset), at.place, at.continues) for at in starts), tuple(notes))


def _begin(text: str, offset: int) -> int:
    """Where the block begins that was written at an offset: behind the empty line that ends a list."""
    while offset < len(text) and text[offset] == "\n":
        offset += 1
    return offset


def _said(place: Place) -> str:
    if place.page is not None:
        return f" (from page {place.page})"
    return f" (from slide {place.slide})" if place.slide is not None else ""


def _write(layout: Layout, block: Block) -> None:
    match block.kind:
        case "table":
            _write_table(layout, block.rows)
        case "code":
            layout.code("", clean(block.text))
        case "heading":
            layout.heading(max(block.level, 1), _inline(block.text))
        case "item":
            number = _NUMBER.match(block.text)
            marker, said = (f"{number[1]}. ", block.text[number.end() :]) if number else ("- ", block.text)
            layout.item(marker, block.level, _inline(said))
        case "quote":
            layout.quote(_inline(block.text))
        case _:
            layout.paragraph(_inline(block.text))


def _inline(text: str) -> str:
    return compose([("text", text)])


def _write_table(layout: Layout, rows: Sequence[Sequence[str]]) -> None:
    if max(map(len, rows), default=0) <= MOST_COLUMNS:
        layout.block(write_table([[read_cell(_inline(cell)) for cell in row] for row in rows]))
        return
    header, *others = ([" ".join(cell.split()) for cell in row] for row in rows)
    if not others:
        layout.paragraph(_inline("\n".join(filter(None, header))))
    for row in others:
        named = (
            f"{header[column]}: {cell}" if column < len(header) and header[column] else cell
            for column, cell in enumerate(row)
            if cell
        )
        layout.paragraph(_inline("\n".join(named)))
