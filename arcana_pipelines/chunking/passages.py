"""A chunk as the passages that may answer a question: paragraphs, items of lists, rows of tables.

A chunk's vector is a mean of all that it says; the vector of the one sentence that answers lies nearer to the question
(docs/evaluation.md). So the best passage of a chunk decides where it ranks, and is what a reader is shown.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, zip_longest

from arcana_pipelines.chunking.blocks import Block, Part, is_item, read_blocks, sentences
from arcana_pipelines.chunking.headings import Heading, below, heading_of, lead
from arcana_pipelines.lexical.analysis import count_cjk
from arcana_pipelines.markdown.tables import pipe_cells

# A paragraph is one passage up to half as much again; of a longer one sentences are taken together up to this.
_WANTED = 320  # characters, as `weight_of` counts them
_LONGEST_CODE = 1200  # characters of it are embedded: names and comments come early
_LONGEST_PARENT = 100  # characters of an item that others stand below
_NUMBER = re.compile(r" *(\d{1,9})\. ")  # the marker of a numbered item


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a chunk's text.

    Attributes:
        begin: where in the chunk's text it begins, in characters.
        end: the first character behind it.
        headings: what it stands under, the outermost first, without the title.
        embedded: the text whose vector is compared with questions: what it stands under, then the passage.
        said: the passage as a reader wants to see it: the cells of a row have the names of their columns and bars
            between them, as commas stand in cells, and the items of a numbered list have their numbers.
    """

    begin: int
    end: int
    headings: tuple[str, ...]
    embedded: str
    said: str

    @property
    def text_hash(self) -> bytes:
        """Names the embedding of `embedded` (16 bytes)."""
        return hashlib.blake2b(self.embedded.encode(), digest_size=16).digest()


def passages(
    text: str, title: str, headings: Sequence[Heading], *, is_first: bool, page: str | None = None
) -> list[Passage]:
    """The passages of a chunk in their order; at least one for a text that is not empty.

    Args:
        headings: those that are open where the chunk begins.
        is_first: it is the first chunk of its document, which begins with the title.
        page: all of the document's text, which tells how a list that began in an earlier chunk is counted.
    """
    found: list[Passage] = []
    end = 0
    for block in read_blocks(text):
        begin = text.index(block.text, end)
        end = begin + len(block.text)
        if is_first and begin == 0 and block.level == 1:
            continue
        if block.level:
            headings = below(headings, heading_of(block))
            continue
        names = tuple(heading.text for heading in headings)
        above = f"{lead(title, names)}\n"
        markers = _markers_of(block, begin > 0 or is_first, page) if block.kind == "list" else {}
        for start, stop, embedded, said in _parts(block):
            written, counted = markers.get(start, ("", ""))
            found.append(
                Passage(begin + start, begin + stop, names, above + embedded, counted + said.removeprefix(written))
            )
    if not found and text:
        names = tuple(heading.text for heading in headings)
        found.append(Passage(0, len(text), names, f"{lead(title, names)}\n", text))
    return found


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the items of a text's numbered lists are counted.

    As they are stored, numbers that only count on are all `1. ` (`markdown.layout`).

    Attributes:
        markers: of each item in their order where it begins, its marker as it is written, and as a reader counts it.
    """

    markers: tuple[tuple[int, str, str], ...]

    def put_into(self, text: str) -> str:
        """The text with the numbers that a reader counts."""
        told: list[str] = []
        end = 0
        for begin, written, counted in self.markers:
            told += [text[end:begin], counted]
            end = begin + len(written)
        return "".join([*told, text[end:]])

    def moved(self, place: int) -> int:
        """Where a place of the text is in the one with the numbers."""
        before = [marker for marker in self.markers if marker[0] + len(marker[1]) <= place]
        return place + sum(len(counted) - len(written) for _, written, counted in before)


def numbers_of(text: str, is_first: bool, page: str | None = None) -> Numbers:
    """The numbers of a chunk's lists. A list at the beginning of a chunk that is not the first one may go on with one
    of the chunk before: `page`, all of the document's text, tells how; where it does not, those items have none.
    """
    found: dict[int, tuple[str, str]] = {}
    end = 0
    for block in read_blocks(text):
        begin = text.index(block.text, end)
        end = begin + len(block.text)
        if block.kind == "list":
            markers = _markers_of(block, begin > 0 or is_first, page)
            found |= {begin + start: marker for start, marker in markers.items()}
    return Numbers(tuple((begin, *found[begin]) for begin in sorted(found)))


def _markers_of(block: Block, is_whole: bool, page: str | None) -> dict[int, tuple[str, str]]:
    """As `_counted`, of a list; not `is_whole`: it may have begun before the chunk, as `page` tells."""
    counted = _counted(block.text, may_go_on=not is_whole)
    if not is_whole and counted and page is not None:
        return _counted_on_page(block.text, page) or counted
    return counted


def _counted_on_page(block: str, page: str) -> dict[int, tuple[str, str]]:
    """As `_counted`, of a part of a list that stands on the page once; empty where it does not."""
    at = f"\n{page}\n".find(f"\n{block}\n")
    if at < 0 or page.count(block) > 1:
        return {}
    markers = numbers_of(page, is_first=True).markers
    return {begin - at: (written, counted) for begin, written, counted in markers if at <= begin < at + len(block)}


def with_numbers(text: str) -> str:
    """A whole document's text in which each item of a numbered list has the number that a reader counts."""
    return numbers_of(text, is_first=True).put_into(text)


_Span = tuple[int, int, str, str]  # begin and end in the block, what is embedded, what a reader sees


def _parts(block: Block) -> Iterator[_Span]:
    if block.kind == "code":
        code = block.text[:_LONGEST_CODE]
        yield 0, len(block.text), code, code
    elif block.kind == "table" and block.text.count("\n") > 1:
        yield from _rows(block.text)
    elif block.kind == "list":
        yield from _items(block.text)
    else:
        yield from _paragraph(block.text, 0, "")


def _rows(table: str) -> Iterator[_Span]:
    """Each row with the names of its columns; the first two lines of a table are its header."""
    (header, *_), (_, *_), *rows = _lines(table)
    names = _cells(table[header:].partition("\n")[0])
    is_form = _is_form(names)
    for begin, end in rows:
        cells = _cells(table[begin:end])
        told = [f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=False) if cell]
        yield begin, end, ", ".join(told), " | ".join(_filled_in(cells) if is_form else told)


def _is_form(names: Sequence[str]) -> bool:
    """Whether a table is a form whose first row is none of names: labels with room behind each, or with a colon."""
    labels, values = names[::2], names[1::2]
    return (
        len(labels) == len(values) > 0
        and all(labels)
        and (not any(values) or all(label.endswith((":", "：")) for label in labels))
    )


def _filled_in(cells: Sequence[str]) -> list[str]:
    """What a row of a form says: each label with what is written behind it."""
    pairs = zip_longest(cells[::2], cells[1::2], fillvalue="")
    return [": ".join(filter(None, (label.rstrip(" :："), value))) for label, value in pairs if label or value]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in pipe_cells(row)]


def _items(text: str) -> Iterator[_Span]:
    """Each item with the lines that go on with it, below the items that it stands under."""
    above: list[tuple[int, str]] = []  # how far it is indented, what it says
    for begin, end in _spans_of_items(text):
        item = text[begin:end]
        indent = len(item) - len(item.lstrip(" "))
        above = [held for held in above if held[0] < indent]
        yield from _paragraph(item, begin, "".join(f"{said}\n" for _, said in above))
        above.append((indent, item.strip()[:_LONGEST_PARENT]))


def _spans_of_items(text: str) -> list[tuple[int, int]]:
    items: list[tuple[int, int]] = []
    for begin, end in _lines(text):
        if items and not is_item(text[begin:end]):
            items[-1] = (items[-1][0], end)
        else:
            items.append((begin, end))
    return items


def _counted(text: str, *, may_go_on: bool) -> dict[int, tuple[str, str]]:
    """The markers of a list's numbered items by where they begin: as written, and as a reader counts them.

    Numbers that only count on are all written `1. ` (`markdown.layout`). Where the first item may be the second or the
    tenth (`may_go_on`), those that count on from it are shown without a number.
    """
    found: dict[int, tuple[str, str]] = {}
    last: dict[int, tuple[int, int | None]] = {}  # by indentation: the number before, as written and as counted
    shallowest = math.inf if may_go_on else 0
    for begin, end in _spans_of_items(text):
        item = text[begin:end]
        indent = len(item) - len(item.lstrip(" "))
        last = {level: numbers for level, numbers in last.items() if level <= indent}
        marker = _NUMBER.match(item)
        if marker:
            counted: int | None = int(marker[1])
            written, before = last.get(indent, (0, 0))
            if counted == 1 and written == 1:
                counted = before + 1 if before else None
            elif counted == 1 and indent < shallowest:
                counted = None
            last[indent] = (int(marker[1]), counted)
            found[begin] = (marker[0], " " * indent + (f"{counted}. " if counted else "- "))
        else:
            last.pop(indent, None)
        shallowest = min(shallowest, indent)
    return found


def _paragraph(text: str, begin: int, above: str) -> Iterator[_Span]:
    if weight_of(text) <= 1.5 * _WANTED:
        yield begin, begin + len(text), above + text, text
        return
    parts = [part.text for line in _with_ends(text) for part in sentences(Part(line, "", 0))]
    taken: list[int] = [0]
    size = 0.0
    for part, end in zip(parts, accumulate(map(len, parts)), strict=True):
        weight = weight_of(part)
        if size and size + weight > _WANTED:
            taken.append(end - len(part))
            size = 0.0
        size += weight
    for start, stop in pairwise([*taken, len(text)]):
        part = text[start:stop].rstrip()
        yield begin + start, begin + start + len(part), above + part, part


def _with_ends(text: str) -> list[str]:
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + lines[-1:]


def _lines(text: str) -> list[tuple[int, int]]:
    """Where each line begins and ends."""
    ends = accumulate(len(line) + 1 for line in text.split("\n"))
    return [(begin, end - 1) for begin, end in pairwise([0, *ends])]


def weight_of(text: str) -> float:
    """How much a text says, in characters: one of Hangul, kana or ideographs counts as 2.2 of other scripts."""
    return len(text) + 1.2 * count_cjk(text)
