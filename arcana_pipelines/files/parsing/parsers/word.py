"""Documents of Word (.docx): what a reader sees in the order of reading, with footnotes and comments where they hang.

Not read: what was deleted, is hidden or is computed (`w:del`, `w:vanish`, field codes), running heads, macros,
embedded objects. The same elements have two namespaces (transitional, strict), so only local names are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from arcana_pipelines.files.parsing.blocks import NOWHERE, Block, Note, Said
from arcana_pipelines.files.parsing.drawings import drawing
from arcana_pipelines.files.parsing.grid import MOST_COLUMNS, Grid
from arcana_pipelines.files.parsing.numbering import Numbering
from arcana_pipelines.files.parsing.packages import Element, Package, child, chosen, local, number, value
from arcana_pipelines.files.parsing.plain import plain
from arcana_pipelines.files.parsing.protocol import Job

_LEFT_OUT = frozenset(
    "del moveFrom instrText delText delInstrText pPr rPr sdtPr sdtEndPr tblPr tblGrid trPr tcPr sectPr rt".split()
)
_ASIDES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes", "commentReference": "comments"}
# What stands before a part of a formula on one line: below a fraction line, above and below.
_OF_FORMULAS = {"den": "/", "sup": "^", "sub": "_"}
_BREAKS = frozenset({"tab", "ptab", "br", "cr"})
_HEX = re.compile("[0-9A-Fa-f]{4}")
_BODY_TEXT = 9  # the outline level that is none
_MOST_OF_HEADING = 300  # characters: a longer paragraph with an outline level is text


@dataclass(frozen=True, slots=True)
class _Style:
    """What a style of paragraphs says itself; None: as the one that it is based on."""

    based_on: str | None
    outline: int | None
    list_id: str | None
    depth: int | None
    is_title: bool


def parse(job: Job) -> Iterator[Said]:
    """Say what stands in a document.

    Raises:
        Unreadable: damaged, or larger than it may be.
    """
    with Package.opened(job.path) as package:
        main = next((r.target for r in package.relations().values() if r.kind == "officeDocument"), "word/document.xml")
        reader = _Reader(package, main)
        yield from reader.blocks(package.children(main, "body"))
        for what, count in reader.left_out.items():
            yield Note(f"{what}: {count}")


class _Reader:
    def __init__(self, package: Package, main: str) -> None:
        self.package = package
        self.relations = package.relations(main)
        self.left_out: dict[str, int] = {}
        self._asides = {
            (kind, value(note, "id")): note
            for kind in _ASIDES.values()
            for note in self._part(kind)
            if value(note, "type") not in {"separator", "continuationSeparator", "continuationNotice"}
        }
        numbering = self._part("numbering")
        self._numbering = Numbering(numbering if len(numbering) else None)
        styles = self._part("styles")
        self._styles = {value(style, "styleId"): _style(style) for style in styles if local(style) == "style"}
        self._default = next((value(style, "styleId") for style in styles if _is_default(style)), None)

    def _part(self, kind: str) -> Element:
        name = next((r.target for r in self.relations.values() if r.kind == kind), "")
        return self.package.tree(name) if name in self.package else ()

    def blocks(self, elements: Iterable[Element]) -> Iterator[Block]:
        """The blocks of what stands in a body, a cell, a text box or a note."""
        for element in elements:
            name = local(element)
            if name == "p":
                yield from self._paragraph(element)
            elif name == "tbl":
                yield from self._table(element)
            elif name == "AlternateContent":
                yield from self.blocks(chosen(element))
            elif name == "altChunk":
                self._count("imported documents that were not read")
            elif name not in _LEFT_OUT and not _is_placeholder(element):
                yield from self.blocks(element)

    def _paragraph(self, element: Element) -> Iterator[Block]:
        pieces: list[str] = []
        asides: list[Element] = []
        self._inline(element, pieces, asides)
        text = plain("".join(pieces))
        if text:
            yield self._block(element, text)
        for aside in asides:
            if local(aside) in {"chart", "relIds"}:
                yield from drawing(aside, self.package, self.relations, NOWHERE)
            elif local(aside) == "comment":
                said = " ".join(_words(self.blocks(aside)))
                if said:
                    yield Block("quote", ": ".join(filter(None, [plain(value(aside, "author") or ""), said])))
            else:
                yield from self.blocks(aside)

    def _block(self, element: Element, text: str) -> Block:
        outline, list_id, depth = self._format(element)
        label = self._numbering.next_label(list_id, depth) if list_id else None
        text = f"{label} {text}" if label else text
        if outline is not None and len(text) <= _MOST_OF_HEADING:
            return Block("heading", text, level=min(outline + 1, 6))
        return Block("text", text) if label is None else Block("item", text, level=depth)

    def _format(self, element: Element) -> tuple[int | None, str, int]:
        """The outline level of a paragraph, from 0, its list, and how deep in it: of its own, or of its style."""
        own = child(element, "pPr")
        style_of = child(own, "pStyle") if own is not None else None
        name = value(style_of) if style_of is not None else self._default
        outline, list_id, depth = _own_format(own)
        is_title = False
        seen: set[str | None] = set()
        while (style := self._styles.get(name)) is not None and name not in seen:
            seen.add(name)
            outline = style.outline if outline is None else outline
            if list_id is None and style.list_id is not None:
                list_id = style.list_id
                depth = self._numbering.level_of_style(list_id, name or "") if depth is None else depth
            depth = style.depth if depth is None else depth
            is_title = is_title or style.is_title
            name = style.based_on
        if outline is None and is_title:
            outline = 0
        return outline if outline is None or outline < _BODY_TEXT else None, list_id or "", min(depth or 0, 8)

    def _inline(self, element: Element, pieces: list[str], asides: list[Element]) -> None:
        for part in element:
            name = local(part)
            if name == "t":
                pieces.append(part.text or "")
            elif name in _BREAKS:
                pieces.append(" ")
            elif name == "noBreakHyphen":
                pieces.append("-")
            elif name == "sym":
                pieces.append(_symbol(part))
            elif name in _ASIDES:
                note = self._asides.pop((_ASIDES[name], value(part, "id")), None)
                if note is not None:
                    asides.append(note)
            elif name in {"txbxContent", "chart", "relIds"}:
                asides.append(part)
            elif name == "AlternateContent":
                self._inline(chosen(part), pieces, asides)
            elif name == "r" and _is_hidden(part):
                self._count("hidden pieces of text that were not read")
            elif name == "object":
                self._count("embedded objects that were not read")
            elif name not in _LEFT_OUT and not _is_placeholder(part):
                pieces.append(_OF_FORMULAS.get(name, ""))
                self._inline(part, pieces, asides)

    def _table(self, element: Element) -> Iterator[Block]:
        rows = [row for row in _all(element, "tr") if not _was_deleted(row)]
        cells = [list(_all(row, "tc")) for row in rows]
        if len(cells) == 1 and len(cells[0]) == 1:
            # A frame around text, as Korean documents have them.
            yield from self.blocks(cells[0][0])
            return
        grid = Grid()
        for row, inner in zip(rows, cells, strict=True):
            grid.row()
            before = child(row, "trPr", "gridBefore")
            for _ in range(min(number(value(before), 0), MOST_COLUMNS) if before is not None else 0):
                grid.cell("")
            for cell in inner:
                text = " ".join(_words(self.blocks(cell)))
                span, merge = child(cell, "tcPr", "gridSpan"), child(cell, "tcPr", "vMerge")
                columns = number(value(span), 1) if span is not None else 1
                if merge is not None and value(merge) != "restart" and not text:
                    grid.again(columns)
                else:
                    grid.cell(text, columns)
        if table := grid.table():
            yield Block("table", rows=table)

    def _count(self, what: str) -> None:
        self.left_out[what] = self.left_out.get(what, 0) + 1


def _style(element: Element) -> _Style:
    outline, list_id, depth = _own_format(child(element, "pPr"))
    based_on, name = child(element, "basedOn"), child(element, "name")
    is_title = name is not None and (value(name) or "").lower() == "title"
    return _Style(value(based_on) if based_on is not None else None, outline, list_id, depth, is_title)


def _is_default(style: Element) -> bool:
    return value(style, "type") == "paragraph" and value(style, "default") in {"1", "true", "on"}


def _own_format(properties: Element | None) -> tuple[int | None, str | None, int | None]:
    if properties is None:
        return None, None, None
    outline = child(properties, "outlineLvl")
    list_id, depth = child(properties, "numPr", "numId"), child(properties, "numPr", "ilvl")
    return (
        number(value(outline), _BODY_TEXT) if outline is not None else None,
        # "0" takes a paragraph out of the list of its style.
        {"0": ""}.get(value(list_id) or "", value(list_id)) if list_id is not None else None,
        number(value(depth), 0) if depth is not None else None,
    )


def _all(element: Element, name: str) -> Iterator[Element]:
    """The rows of a table, the cells of a row: directly in it or in what wraps them, not those of tables inside."""
    for inner in element:
        if local(inner) == name:
            yield inner
        elif local(inner) in {"sdt", "sdtContent", "ins", "moveTo", "customXml"}:
            yield from _all(inner, name)


def _was_deleted(row: Element) -> bool:
    return child(row, "trPr", "del") is not None


def _is_hidden(run: Element) -> bool:
    vanish = child(run, "rPr", "vanish")
    return vanish is not None and value(vanish) not in {"0", "false", "off"}


def _is_placeholder(element: Element) -> bool:
    """Whether a field still says that something is to be typed into it."""
    return local(element) == "sdt" and child(element, "sdtPr", "showingPlcHdr") is not None


def _symbol(element: Element) -> str:
    """A character by its number. Those of a font's own, in the private use area, say nothing without it."""
    code = value(element, "char") or ""
    point = int(code, 16) if _HEX.fullmatch(code) else 0
    return chr(point) if 0x20 <= point < 0xD800 or 0xF900 <= point < 0xFFFE else ""


def _words(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        if block.kind == "table":
            yield from (cell for row in block.rows for cell in row if cell)
        else:
            yield block.text
