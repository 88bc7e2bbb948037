"""Pages of HTML, as a reader sees them: no scripts, styles, navigation or what is hidden.

Nothing that a page names is fetched. The tree is walked without recursion: a page may nest as deep as it is long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

from selectolax.lexbor import LexborHTMLParser, LexborNode

from arcana_pipelines.files.parsing.blocks import NOWHERE, Block, Place, Said, Title
from arcana_pipelines.files.parsing.decoding import decode_marked_up
from arcana_pipelines.files.parsing.grid import Grid
from arcana_pipelines.files.parsing.packages import number
from arcana_pipelines.files.parsing.plain import lines, plain
from arcana_pipelines.files.parsing.protocol import Job

_Kind = Literal["heading", "text", "item", "code", "quote"]
_LEFT_OUT = frozenset(
    "script style noscript template nav svg head iframe object embed canvas audio video map select button input "
    "textarea datalist annotation rt rp".split()
)
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big br cite code data del dfn em font i img ins kbd label mark math meter mi mn mo "
    "mrow msub msup output picture progress q rb ruby s samp small source span strike strong sub sup time tt u var "
    "wbr".split()
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_SECTIONS = frozenset({"thead", "tbody", "tfoot"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_MOST_OF_HEADING = 300  # characters


def parse(job: Job) -> Iterator[Said]:
    """Say what stands on a page.

    Raises:
        Unreadable: no text.
    """
    page = LexborHTMLParser(decode_marked_up(job.path.read_bytes()))
    if title := _title(page):
        yield Title(title)
    yield from _blocks(page, NOWHERE)


def title_of(text: str) -> str:
    """The title that a page has in its head; empty: none."""
    return _title(LexborHTMLParser(text))


def blocks(text: str, place: Place = NOWHERE) -> Iterator[Block]:
    """The blocks of a page, or of a piece of one, all at one place."""
    return _blocks(LexborHTMLParser(text), place)


def _title(page: LexborHTMLParser) -> str:
    node = page.css_first("head > title")
    return plain(node.text()) if node is not None else ""


def _blocks(page: LexborHTMLParser, place: Place) -> Iterator[Block]:
    if page.body is not None:
        yield from _Reader(place).read(page.body)


class _Reader:
    """One walk over a page: what it has gathered since the last block, and in which lists and quotes it stands."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._pieces: list[str] = []
        self._labels: list[int | None] = []  # of the lists around: the number of the next item, or that it has none
        self._item: str | None = None  # an item has begun and has no text yet; its label
        self._quotes = 0

    def read(self, body: LexborNode) -> Iterator[Block]:
        for node, is_end in _walk(body, self._is_whole):
            if node.is_text_node:
                self._pieces.append(node.text_content or "")
            elif is_end:
                yield from self._end(node)
            else:
                yield from self._begin(node)
        yield from self._flushed()

    def _is_whole(self, node: LexborNode) -> bool:
        """Whether an element is read at once, and not walked into."""
        tag = node.tag
        return tag in _HEADINGS or tag == "pre" or (tag == "table" and not _is_layout(node))

    def _begin(self, node: LexborNode) -> Iterator[Block]:
        tag = node.tag
        if tag == "img":
            self._pieces.append(f" {node.attributes.get('alt') or ''} ")
        elif tag == "br":
            # Two of them part paragraphs.
            if self._pieces and self._pieces[-1] == "\n":
                yield from self._flushed()
            else:
                self._pieces.append("\n")
        elif tag not in _INLINE:
            yield from self._flushed()
            yield from self._opened(node)

    def _opened(self, node: LexborNode) -> Iterator[Block]:
        tag = node.tag
        if tag in _HEADINGS:
            text = _flat(node)
            if text:
                is_short = len(text) <= _MOST_OF_HEADING
                yield self._block("heading", text, int(tag[1])) if is_short else self._block("text", text)
        elif tag == "pre":
            if text := lines(_as_it_stands(node)):
                yield self._block("code", text)
        elif tag == "table" and not _is_layout(node):
            yield from self._table(node)
        elif tag in {"ul", "ol", "menu"}:
            counts = tag == "ol" and (node.attributes.get("type") or "1") == "1"
            self._labels.append(number(node.attributes.get("start"), 1) if counts else None)
            self._item = None
        elif tag == "li":
            self._item = ""
            if self._labels and (count := self._labels[-1]) is not None:
                self._item = f"{count}. "
                self._labels[-1] = count + 1
        elif tag == "blockquote":
            self._quotes += 1

    def _end(self, node: LexborNode) -> Iterator[Block]:
        tag = node.tag
        if tag in _INLINE:
            return
        yield from self._flushed()
        if tag in {"ul", "ol", "menu"} and self._labels:
            self._labels.pop()
        elif tag == "li":
            self._item = None
        elif tag == "blockquote":
            self._quotes -= 1

    def _flushed(self) -> Iterator[Block]:
        text = plain("".join(self._pieces))
        self._pieces.clear()
        if not text:
            return
        if self._item is not None:
            yield self._block("item", f"{self._item}{text}", min(max(len(self._labels) - 1, 0), 8))
            self._item = None
        else:
            yield self._block("quote" if self._quotes else "text", text)

    def _block(self, kind: _Kind, text: str, level: int = 0) -> Block:
        return Block(kind, text, level=level, place=self._place)

    def _table(self, table: LexborNode) -> Iterator[Block]:
        caption = next((child for child in _children(table) if child.tag == "caption"), None)
        if caption is not None and (text := _flat(caption)):
            yield self._block("text", text)
        grid = Grid()
        for row in _rows(table):
            grid.row()
            for cell in _children(row):
                if cell.tag in {"td", "th"}:
                    attributes = cell.attributes
                    columns, rows = (number(attributes.get(name), 1) for name in ("colspan", "rowspan"))
                    grid.cell(_flat(cell), columns, rows)
        if any(grid.rows) and (whole := grid.table()):
            yield Block("table", rows=whole, place=self._place)


def _walk(root: LexborNode, is_whole: Callable[[LexborNode], bool] | None = None) -> Iterator[tuple[LexborNode, bool]]:
    """Nodes below `root` that are shown: texts, and elements as they begin and as they end (True)."""
    node, depth = root.child, 0
    while node is not None:
        goes_down = False
        if node.is_text_node:
            yield node, False
        elif node.is_element_node and not _is_hidden(node):
            yield node, False
            goes_down = node.child is not None and not (is_whole and is_whole(node))
            if not goes_down:
                yield node, True
        if goes_down:
            node, depth = node.child, depth + 1
            continue
        while node.next is None and depth:
            parent = node.parent
            assert parent is not None  # we came down from it
            node, depth = parent, depth - 1
            yield node, True
        node = node.next


def _flat(root: LexborNode) -> str:
    """All text of an element as one line."""
    return plain(_as_it_stands(root))


def _as_it_stands(root: LexborNode) -> str:
    """All text of an element, blocks in it parted by line ends."""
    pieces: list[str] = []
    for node, is_end in _walk(root):
        if node.is_text_node:
            pieces.append(node.text_content or "")
        elif node.tag == "img":
            pieces.append("" if is_end else f" {node.attributes.get('alt') or ''} ")
        elif node.tag not in _INLINE or (node.tag == "br" and not is_end):
            pieces.append("\n")
    return "".join(pieces)


def _is_hidden(node: LexborNode) -> bool:
    if node.tag in _LEFT_OUT:
        return True
    attributes = node.attributes
    return bool(attributes) and (
        "hidden" in attributes
        or attributes.get("role") == "navigation"
        or _HIDDEN.search(attributes.get("style") or "") is not None
    )


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.child
    while child is not None:
        if child.is_element_node and not _is_hidden(child):
            yield child
        child = child.next


def _rows(table: LexborNode) -> Iterator[LexborNode]:
    for part in _children(table):
        if part.tag == "tr":
            yield part
        elif part.tag in _SECTIONS:
            yield from (row for row in _children(part) if row.tag == "tr")


def _is_layout(table: LexborNode) -> bool:
    """Whether a table only arranges the page: it says so, has one cell a row, or holds tables and has no header."""
    if table.attributes.get("role") in {"presentation", "none"}:
        return True
    cells = [[cell for cell in _children(row) if cell.tag in {"td", "th"}] for row in _rows(table)]
    if all(len(row) <= 1 for row in cells):
        return True
    has_header = any(cell.tag == "th" for row in cells for cell in row)
    return not has_header and any(cell.css_first("table") is not None for row in cells for cell in row)
