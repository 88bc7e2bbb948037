"""The plain text of a mail: paragraphs whose lines were broken for the screen, lists, and what is quoted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal

from arcana_pipelines.files.parsing.blocks import Block
from arcana_pipelines.files.parsing.plain import BULLET, plain

_QUOTE = re.compile(r"\s?(?:>\s?)+")
_NUMBER = re.compile(r"\s*\d{1,3}[.)]\s+(?=\S)")
# Columns. Mail that breaks its lines does so at 72 to 78.
_FULL_LINE = 60


def paragraphs(text: str, flowed: bool) -> Iterator[Block]:
    """The blocks of a text; `flowed` as in `letter.Text`."""
    paragraph: list[str] = []
    kind: Literal["text", "item", "quote"] = "text"
    for line in [*(_joined(text.splitlines()) if flowed else text.splitlines()), ""]:
        quoted = _QUOTE.match(line)
        said = plain(line[quoted.end() :] if quoted else line)
        bullet = None if quoted else BULLET.match(line)
        item = bullet or (None if quoted else _NUMBER.match(line))
        goes_on = paragraph and said and not item and bool(quoted) == (kind == "quote") and _is_full(paragraph[-1])
        if paragraph and not goes_on:
            yield Block(kind, " ".join(paragraph))
            paragraph = []
        if said and not paragraph:
            kind = "quote" if quoted else "item" if item else "text"
            said = plain(line[bullet.end() :]) if bullet else said
        if said:
            paragraph.append(said)


def _is_full(line: str) -> bool:
    """Whether a line ends because it is full, and not because its writer ended it. Hangul takes two columns."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line) >= _FULL_LINE


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Lines of flowed text. Quoted ones stay as they are."""
    begun = ""
    for line in lines:
        goes_on = line.endswith(" ") and line != "-- " and not line.startswith(">")
        if begun and line.startswith((">", "-- ")):
            yield begun
            begun = ""
        begun += line.removeprefix(" ")
        if not goes_on:
            yield begun
            begun = ""
    if begun:
        yield begun
