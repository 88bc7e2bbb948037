"""The headings that a text stands under."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from arcana_pipelines.chunking.blocks import Block

# Any of them may be as long as a page.
_LONGEST = 200


class Heading(NamedTuple):
    """A heading that is open at some place of a text.

    Attributes:
        level: 1 (outermost) to 6.
        text: as it reads, without its marks.
    """

    level: int
    text: str


def heading_of(block: Block) -> Heading:
    """The heading that a block of this kind is."""
    return Heading(block.level, block.text.lstrip("# ").strip())


def below(headings: Sequence[Heading], heading: Heading) -> tuple[Heading, ...]:
    """What is open behind a heading: it ends those of its level and deeper ones."""
    return (*(held for held in headings if held.level < heading.level), heading)


def lead(title: str, headings: Sequence[str]) -> str:
    """Title and headings in one line: what a text is about that stands below them."""
    return " > ".join(name[:_LONGEST] for name in (title, *headings))
