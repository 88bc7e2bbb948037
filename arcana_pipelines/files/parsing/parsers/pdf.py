"""PDF, by PDFium: the text layer of its pages as paragraphs, ruled tables, pictures of pages without usable text."""

from __future__ import annotations

import ctypes
import math
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pypdfium2
import pypdfium2.raw as pdfium

from arcana_pipelines.files.parsing.blocks import Block, Note, Picture, Place, Said
from arcana_pipelines.files.parsing.lines import (
    HYPHEN,
    KEPT_HYPHEN,
    Line,
    Paragraph,
    Words,
    in_cell,
    joined,
    opens,
    paragraphs,
    rest_of_word,
)
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable
from arcana_pipelines.files.parsing.ruled import Box, Grid, Ruled

Owner = TypeVar("Owner")

# A PDF may name a Korean font and not bring it. Without one PDFium leaves characters out (119,600 of 119,600원), and
# which fonts a machine has is chance. So it gets one that has a box for each CJK character: a text needs no more, and
# reads the same on each machine (`arcana_pipelines_tests.files.make_boxes` makes it).
_FONTS = (ctypes.c_char_p * 2)(str(Path(__file__).parents[1] / "fonts").encode(), None)
pdfium.FPDF_DestroyLibrary()
pdfium.FPDF_InitLibraryWithConfig(
    pdfium.FPDF_LIBRARY_CONFIG(
        version=2,
        m_pUserFontPaths=ctypes.cast(_FONTS, dict(pdfium.FPDF_LIBRARY_CONFIG._fields_)["m_pUserFontPaths"]),
    )
)

MOST_SECONDS = 45.0
"""Of the processor: what has not been read by then is said to be missing, instead of all being lost."""
MOST_PAGES = 10_000
MOST_PICTURES = 50
_REOPEN = 100  # pages; PDFium keeps what it has read of them for as long as a document is open
_MOST_DAMAGED = 50
_DPI = 200  # at which tesseract reads Korean best
_MOST_PIXELS = 20_000_000
_A_LINE_LOWER = 0.5  # sizes of the font
_MOST_ANNOTATIONS = 2_000
_LONGEST_PAGE = 200_000  # characters
_MOST_SECONDS_OF_TABLES = 25.0  # of the same
_FEWEST_PATHS = 4  # of a page with a table
_FILLED = 0.6
_LONGEST_CELL = 2_000

_NO_TEXT = 20  # characters, fewer than which beside a large image are none
_LARGE, _SMALL = 0.5, 0.05  # of the page
_ODD = 0.1  # of the characters
_PLAIN = 0.6  # of the lines
_LETTERS_TO_JUDGE = 40
_ODD_CATEGORIES = frozenset({"Co", "Cn", "Cc", "Cs"})
_MOST_OBJECTS = 5_000
_LOGOS = re.compile(r"(?<!\S)[\uf000-\uf0ff](?!\S)")  # bullets of Wingdings and Symbol
_OF_ONE_FONT = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]+")
_LATIN_WORD = re.compile(r"[A-Za-z\xc0-\u024f]{4,}")
_VOWEL = re.compile("[aeiouyAEIOUY]")
_INNER_CAPITAL = re.compile("[a-z][A-Z]")
_HYPHENATED = re.compile(rf"(\w*){HYPHEN}(\w*)")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+[^\W\d_]")
_GAP = re.compile(r"-(?=\w)|\s(?=\S)")
_DIGITS = re.compile(r"[0-9]{1,6}")

_HEADS = 2  # lines at the top and at the bottom of a page that may be running heads
_NUMBERS_IN_A_HEAD = 4
_LETTERS_OF_A_HEAD = 4
_PAGES_WITH_HEADS = 5
_SHARE_WITH_HEADS = 0.6
_SMALLER = 0.95  # than the text: a footnote
_LARGER = 1.15  # than the text: a heading
_A_LITTLE_LARGER = 1.05  # with a number before it
_LONGEST_HEADING = 150


@dataclass(slots=True)
class _Table:
    grid: Grid
    cells: dict[Box, list[Line]] = field(default_factory=dict)

    def blocks(self, words: Words, place: Place) -> Iterator[Block]:
        """The table, with what stands across all of its columns above and below as text of its own."""
        rows = list(self.grid.rows)
        above: list[Box | None] = []
        below: list[Box | None] = []
        while rows and len(set(rows[0])) == 1:
            above.append(rows.pop(0)[0])
        while rows and len(set(rows[-1])) == 1:
            below.insert(0, rows.pop()[0])
        texts = {cell: _plain(in_cell(lines, cell[0], cell[2], words), words) for cell, lines in self.cells.items()}
        yield from self._texts(above, words, place)
        yield Block("table", rows=[[texts.get(cell, "") if cell else "" for cell in row] for row in rows], place=place)
        yield from self._texts(below, words, place)

    def _texts(self, cells: list[Box | None], words: Words, place: Place) -> Iterator[Block]:
        for cell in dict.fromkeys(cells):
            for paragraph in paragraphs(self.cells.get(cell, []) if cell else [], words):
                yield Block("text", _plain(paragraph.text, words), place=place)


@dataclass(slots=True)
class _Page:
    number: int
    label: str | None
    parts: list[list[Line] | _Table] = field(default_factory=list)
    picture: str | None = None
    why: str = ""

    @property
    def lines(self) -> list[Line]:
        """All that stand in no table."""
        return [line for part in self.parts if isinstance(part, list) for line in part]

    @property
    def has_text(self) -> bool:
        """Whether anything stands on it."""
        return any(part for part in self.parts)

    @property
    def length(self) -> int:
        """Characters of its lines."""
        return sum(len("".join(line.text.split())) for line in self.lines)

    @property
    def place(self) -> Place:
        return Place(page=self.number, label=self.label)


def parse(job: Job) -> Iterator[Said]:
    """Say what stands on each page. Raises as `protocol.ParserModule.parse`."""
    with closing(Ruled(job.path)) as ruled:
        pages, left = _read(job, ruled)
    unreadable = [page for page in pages if page.why and page.picture is None]
    if not any(page.picture or (page.length >= _NO_TEXT if page.why else page.has_text) for page in pages):
        if unreadable:
            reason = Reason.DAMAGED if unreadable[0].why == _DAMAGED else Reason.NEEDS_OCR
            raise Unreadable(reason, unreadable[0].why)
        if left:
            raise Unreadable(Reason.TIMEOUT, "its first pages take too long")
        raise Unreadable(Reason.NO_TEXT, "its pages are empty")
    if unreadable:
        yield Note(f"{_pages(len(unreadable))} not read in full: {unreadable[0].why}")
    if left:
        yield Note(f"{_pages(left)} at the end not read: the file is too long")
    _drop_running_heads(pages)
    words = Words.of(_all_lines(pages))
    body = _size_of_text(pages)
    for page, part in _flowing(pages, words, body):
        if part is None:
            yield Picture(page.picture or "", page.place, page.why)
        elif isinstance(part, _Table):
            yield from part.blocks(words, page.place)
        else:
            yield _block(part, body, words, page.place)


def _pages(count: int) -> str:
    return "1 page was" if count == 1 else f"{count} pages were"


def _open(job: Job) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(job.path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable(Reason.ENCRYPTED, "it opens with a password") from error
        raise Unreadable(Reason.DAMAGED, "it is no PDF that can be opened") from error


def _read(job: Job, ruled: Ruled) -> tuple[list[_Page], int]:
    """All pages, and how many were not come to."""
    pages: list[_Page] = []
    began = time.process_time()
    document = _open(job)
    count = len(document)
    pictures = 0
    damaged = 0  # pages in a row
    for index in range(count):
        spent = time.process_time() - began
        if spent > MOST_SECONDS or index == MOST_PAGES or damaged == _MOST_DAMAGED:
            document.close()
            return pages, count - index
        if index and index % _REOPEN == 0:
            document.close()
            document = _open(job)
        label = document.get_page_label(index)
        page = _Page(index + 1, label if label and label != str(index + 1) else None)
        pages.append(page)
        try:
            source = _page(document, index)
        except pypdfium2.PdfiumError:
            page.why = _DAMAGED
            damaged += 1
            continue
        damaged = 0
        text = _text(source, page, ruled if spent < _MOST_SECONDS_OF_TABLES else None)
        page.why = _why_unusable(text, source)
        if page.why and job.pictures and pictures < MOST_PICTURES:
            pictures += 1
            page.picture = f"page-{page.number}.png"
            _draw(source, job, page.picture)
            page.parts = []
        elif page.why:
            page.parts = [] if _is_gibberish(text) else [_plain_lines(page.lines)]
        source.close()
    document.close()
    return pages, 0


# --- a page ----------------------------------------------------------------------------------------


def _page(document: pypdfium2.PdfDocument, index: int) -> pypdfium2.PdfPage:
    """A page, with what was filled into its forms and written over it as if it had been printed on it."""
    page = document[index]
    count = min(pdfium.FPDFPage_GetAnnotCount(page.raw), _MOST_ANNOTATIONS)
    if any(_is_written(page, number) for number in range(count)):
        pdfium.FPDFPage_Flatten(page.raw, pdfium.FLAT_NORMALDISPLAY)
        page.close()
        return document[index]
    return page


def _is_written(page: pypdfium2.PdfPage, number: int) -> bool:
    annotation = pdfium.FPDFPage_GetAnnot(page.raw, number)
    if not annotation:
        return False
    kind = pdfium.FPDFAnnot_GetSubtype(annotation)
    pdfium.FPDFPage_CloseAnnot(annotation)
    return kind in (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT)


def _text(source: pypdfium2.PdfPage, page: _Page, ruled: Ruled | None) -> str:
    """The text of a page as it stands; its lines and tables become the page's."""
    textpage = source.get_textpage()
    try:
        text = str(textpage.get_text_range(0, min(textpage.count_chars(), _LONGEST_PAGE)))
        tables = _tables(source, textpage, text, page.number - 1, ruled) if ruled is not None else []
        owners = {index: table for table, indices in tables for index in indices}
        lines: list[Line] = []
        page.parts.append(lines)
        for part, at in _parts(text):
            for row, begin, table in _segments(part, at, owners):
                if table is not None and table not in page.parts:
                    lines = []
                    page.parts += [table, lines]
                if table is None:
                    lines += _lines(textpage, row, begin)
        page.parts = [each for each in page.parts if each]
        return text
    finally:
        textpage.close()


def _parts(text: str) -> Iterator[tuple[str, int]]:
    """Lines, and the number of their first characters.

    Where a line ends in a hyphen PDFium puts both halves of the word together, in one row.
    """
    at = 0
    for row in text.split("\r\n"):
        for part in re.split(f"(?<={HYPHEN})", row):
            yield part, at
            at += _units(part)
        at += 2


def _segments(row: str, at: int, owners: Mapping[int, Owner]) -> Iterator[tuple[str, int, Owner | None]]:
    """Pieces of a line that stand in one cell each, or in none. A blank belongs to what stands before it."""
    if not owners:
        yield row, at, None
        return
    begin, index, owner = 0, at, owners.get(at)
    started = at
    for number, character in enumerate(row):
        if not character.isspace() and (other := owners.get(index)) is not owner:
            if row[begin:number].strip():
                yield row[begin:number], started, owner
            begin, started, owner = number, index, other
        index += _units(character)
    yield row[begin:], started, owner


def _tables(
    source: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, text: str, index: int, ruled: Ruled
) -> list[tuple[_Table, list[int]]]:
    """The tables of a page that hold all that stands in them, with the numbers of the characters that do."""
    if not text.strip() or pdfium.FPDFPage_CountObjects(source.raw) > _MOST_OBJECTS or _paths(source) < _FEWEST_PATHS:
        return []
    grids = ruled.on_page(index)
    if not grids:
        return []
    middles = _middles(textpage, text)
    tables = []
    for grid in grids:
        inside = {at: middle for at, middle in middles.items() if _is_in(middle, grid.box)}
        cells = {cell for row in grid.rows for cell in row if cell is not None}
        owners = {at: next((cell for cell in cells if _is_in(middle, cell)), None) for at, middle in inside.items()}
        if not owners or None in owners.values():
            continue  # a table must not lose a word
        table = _Table(grid)
        for part, at in _parts(text):
            for row, begin, cell in _segments(part, at, owners):
                if cell is not None and (lines := _lines(textpage, row, begin)):
                    table.cells.setdefault(cell, []).extend(lines)
        filled = sum(cell in table.cells for row in grid.rows for cell in row)
        if filled >= _FILLED * sum(map(len, grid.rows)) and all(map(_is_cell, table.cells.values())):
            tables.append((table, list(owners)))
            middles = {at: middle for at, middle in middles.items() if at not in owners}
    return tables


def _paths(source: pypdfium2.PdfPage) -> int:
    """How many lines and areas are drawn, or a few more than a page with a table has."""
    return sum(1 for _ in islice(_objects(source, pdfium.FPDF_PAGEOBJ_PATH), 2 * _FEWEST_PATHS))


def _middles(textpage: pypdfium2.PdfTextPage, text: str) -> dict[int, tuple[float, float]]:
    """Where the characters are that one sees."""
    middles: dict[int, tuple[float, float]] = {}
    at = 0
    for character in text:
        if not character.isspace():
            left, bottom, right, top = _box(textpage, at)
            middles[at] = (left + right) / 2, (bottom + top) / 2
        at += _units(character)
    return middles


def _is_in(middle: tuple[float, float], box: Box) -> bool:
    return box[0] <= middle[0] <= box[2] and box[1] <= middle[1] <= box[3]


def _is_cell(lines: list[Line]) -> bool:
    return sum(len(line.text) for line in lines) <= _LONGEST_CELL


def _units(text: str) -> int:
    """How many characters PDFium counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _lines(textpage: pypdfium2.PdfTextPage, row: str, at: int) -> list[Line]:
    """The line that a row of the text is, or the lines: PDFium puts some together, at a hyphen or a blank."""
    text = row.rstrip(HYPHEN).rstrip()
    if not text.strip():
        return []
    first = at + len(text) - len(text.lstrip())
    last = at + _units(text) - 1
    size, turn = _size_and_turn(textpage, first)
    begin, end = (_turned(_box(textpage, each), turn) for each in (first, last))
    left, bottom, _, top = begin
    size = size or abs(top - bottom) or 10.0
    if bottom - end[1] > _A_LINE_LOWER * size:
        for gap in _GAP.finditer(text, len(text) - len(text.lstrip()) + 1):
            behind = at + _units(text[: gap.end()])
            here = _turned(_box(textpage, at + _units(text[: gap.start()]) - 1), turn)
            there = _turned(_box(textpage, behind), turn)
            if here[1] - there[1] > _A_LINE_LOWER * size and there[0] < here[0]:
                whole = text[: gap.start()] + (KEPT_HYPHEN if gap.group() == "-" else " ")
                return [
                    Line(whole, left, here[2], bottom, top, size, turn),
                    *_lines(textpage, row[gap.end() :], behind),
                ]
    return [Line(row, left, max(begin[2], end[2]), bottom, top, size, turn)]


def _box(textpage: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of a character with the room that its font gives to all."""
    box = pdfium.FS_RECTF()
    if not pdfium.FPDFText_GetLooseCharBox(textpage.raw, index, box):
        return 0.0, 0.0, 0.0, 0.0
    return box.left, box.bottom, box.right, box.top


def _turned(box: tuple[float, float, float, float], turn: int) -> tuple[float, float, float, float]:
    left, bottom, right, top = box
    if turn == 1:  # it runs upwards
        return bottom, -right, top, -left
    if turn == 2:
        return -right, -top, -left, -bottom
    return (-top, left, -bottom, right) if turn == 3 else box


def _size_and_turn(textpage: pypdfium2.PdfTextPage, index: int) -> tuple[float, int]:
    """Of the font as it appears on the page, and in which direction the line runs."""
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFText_GetMatrix(textpage.raw, index, matrix):
        return 0.0, 0
    size = math.hypot(matrix.c, matrix.d) * float(pdfium.FPDFText_GetFontSize(textpage.raw, index))
    return size, round(math.atan2(matrix.b, matrix.a) / (math.pi / 2)) % 4


_DAMAGED = "damaged pages"
_NO_LAYER = "no text layer"
_UNUSABLE = "no usable text layer"


def _why_unusable(text: str, page: pypdfium2.PdfPage) -> str:
    """Why a page's text says nothing, or not all; empty: it does, or there is nothing to say."""
    solid = "".join(_LOGOS.sub("", text).split())
    if not solid:
        # Letters may be drawn as lines.
        is_drawn = _share_of_images(page) >= _SMALL or _paths(page) >= _FEWEST_PATHS
        return _NO_LAYER if is_drawn else ""
    if len(solid) < _NO_TEXT:
        return _NO_LAYER if _share_of_images(page) >= _LARGE else ""
    return _UNUSABLE if _is_odd_text(text) or _is_gibberish(text) else ""


def _plain_lines(lines: list[Line]) -> list[Line]:
    """Lines that say something, where these are most."""
    plain = [line for line in lines if not _is_odd_text(line.text)]
    return plain if len(plain) > _PLAIN * len(lines) else []


def _is_odd_text(text: str) -> bool:
    """Whether more than a few of its characters are none."""
    solid = "".join(_LOGOS.sub("", text).split())
    return sum(map(_is_odd, solid)) > _ODD * len(solid)


def _is_odd(character: str) -> bool:
    return character == "\ufffd" or (character != HYPHEN and unicodedata.category(character) in _ODD_CATEGORIES)


def _is_gibberish(text: str) -> bool:
    """Whether a text in Latin letters is none: shifted letters of a font that does not say which is which."""
    words = _LATIN_WORD.findall(text)
    letters = sum(map(len, words))
    if len(words) < 5 or letters < _LETTERS_TO_JUDGE or letters < 0.5 * sum(character.isalpha() for character in text):
        return False
    plain = [unicodedata.normalize("NFD", word) for word in words]
    if sum(len(_VOWEL.findall(word)) for word in plain) < 0.2 * letters:
        return True
    return sum(not _VOWEL.search(word) or bool(_INNER_CAPITAL.search(word)) for word in plain) > 0.5 * len(words)


def _share_of_images(page: pypdfium2.PdfPage) -> float:
    width, height = page.get_size()
    covered = 0.0
    for image in _objects(page, pdfium.FPDF_PAGEOBJ_IMAGE):
        try:
            left, bottom, right, top = image.get_bounds()
        except pypdfium2.PdfiumError:
            continue
        covered += abs(right - left) * abs(top - bottom)
    return float(covered / max(width * height, 1.0))


def _objects(page: pypdfium2.PdfPage, kind: int) -> Iterator[pypdfium2.PdfObject]:
    """What is drawn of one kind, among the first objects: forms in forms may be any number of these."""
    return (each for each in islice(page.get_objects(max_depth=3), _MOST_OBJECTS) if each.type == kind)


def _draw(page: pypdfium2.PdfPage, job: Job, name: str) -> None:
    width, height = page.get_size()
    scale = min(_DPI / 72, (_MOST_PIXELS / max(width * height, 1.0)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True)
    bitmap.to_pil().save(job.directory / name, "PNG", compress_level=1)
    bitmap.close()


# --- the document ----------------------------------------------------------------------------------


def _drop_running_heads(pages: list[_Page]) -> None:
    """Drop the lines at the top and bottom that most pages have, or most left or right ones, but for their numbers.

    What they say in words stays once, where it comes first: it may stand nowhere else.
    """
    seen: Counter[tuple[int, bool, str]] = Counter()
    edges = [(page, list(_edges(page))) for page in pages if page.has_text]
    many = max(_PAGES_WITH_HEADS, _SHARE_WITH_HEADS * len(edges))
    for page, lines in edges:
        seen.update({(page.number % 2, is_top, form) for is_top, line in lines for form in _forms(line, page.number)})
    kept: set[tuple[bool, str]] = set()
    for page, lines in edges:
        heads = []
        for is_top, line in lines:
            for form in _forms(line, page.number):
                own, other = (seen[side, is_top, form] for side in (page.number % 2, 1 - page.number % 2))
                if own + other < many and own < max(_PAGES_WITH_HEADS, many / 2):
                    continue
                if (is_top, form) in kept or sum(map(str.isalpha, form)) < _LETTERS_OF_A_HEAD:
                    heads.append(line)
                kept.add((is_top, form))
        page.parts = [
            [line for line in part if not any(line is head for head in heads)] if isinstance(part, list) else part
            for part in page.parts
        ]


def _edges(page: _Page) -> Iterator[tuple[bool, Line]]:
    if len(lines := page.lines) > 2 * _HEADS:
        by_height = sorted(lines, key=lambda line: line.bottom)
        yield from ((False, line) for line in by_height[:_HEADS])
        yield from ((True, line) for line in by_height[-_HEADS:])


def _forms(line: Line, page: int) -> Iterator[str]:
    """A line as it stands, and with each of its numbers as what it is more than that of its page."""
    text = "".join(line.text.split())
    yield text
    for number in islice(_DIGITS.finditer(text), _NUMBERS_IN_A_HEAD):
        yield f"{text[: number.start()]}\0{int(number.group()) - page}\0{text[number.end() :]}"


def _all_lines(pages: list[_Page]) -> Iterator[Line]:
    for page in pages:
        for part in page.parts:
            if isinstance(part, list):
                yield from part
            else:
                for lines in part.cells.values():
                    yield from lines


def _size_of_text(pages: list[_Page]) -> float:
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def _flowing(pages: list[_Page], words: Words, body: float) -> list[tuple[_Page, Paragraph | _Table | None]]:
    """The paragraphs and tables of all pages; None stands for a page that is a picture.

    What goes on in the next column is put together again, over the footnotes between; over the end of a page the last
    word is, and the rest stays where it can be found.
    """
    flow: list[tuple[_Page, Paragraph | _Table | None]] = []
    before: Paragraph | None = None  # which may go on
    home = -1  # where in the flow it is
    for page in pages:
        if page.picture is not None:
            flow.append((page, None))
            before = None
        for part in _from_the_top(page, words):
            if isinstance(part, _Table):
                flow.append((page, part))
                continue
            if before is not None and part.size < _SMALLER * before.size:
                flow.append((page, part))  # a footnote, it may be
                continue
            if before is not None and _goes_on(part, before):
                if flow[home][0] is not page:
                    _take_rest_of_word(before, part, words)
                    part.continues = home == len(flow) - 1
                elif part.first.bottom > before.last.bottom:
                    before.text = joined(_with_blank(before), part.text, words, is_full=True)
                    before.last = part.last
                    before = before if part.ends_full else None
                    continue
            before = None
            if part.text:
                flow.append((page, part))
                if part.ends_full and part.lines > 1 and part.size < _LARGER * body:
                    before, home = part, len(flow) - 1
    return flow


def _from_the_top(page: _Page, words: Words) -> list[Paragraph | _Table]:
    """The paragraphs and tables of a page. Some programs write a title after the text below it: it goes before that."""
    first: list[Paragraph | _Table] = []
    others: list[Paragraph | _Table] = []
    left = bottom = right = top = 0.0  # of the others
    for part in page.parts:
        for each in [part] if isinstance(part, _Table) else paragraphs(part, words):
            box = each.grid.box if isinstance(each, _Table) else _box_of(each)
            if others and box[1] >= top and box[0] < right and left < box[2]:
                first.append(each)
                continue
            left, bottom, right, top = _around((left, bottom, right, top), box) if others else box
            others.append(each)
    return first + others


def _box_of(paragraph: Paragraph) -> Box:
    first, last = paragraph.first, paragraph.last
    return min(first.left, last.left), last.bottom, max(first.right, last.right), first.top


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _take_rest_of_word(before: Paragraph, paragraph: Paragraph, words: Words) -> None:
    length = rest_of_word(_with_blank(before), paragraph.text, words)
    before.text = joined(_with_blank(before), paragraph.text[:length], words, is_full=True)
    paragraph.text = paragraph.text[length:].lstrip()


def _with_blank(paragraph: Paragraph) -> str:
    return paragraph.text + " " if paragraph.last.text.endswith(" ") else paragraph.text


def _goes_on(paragraph: Paragraph, before: Paragraph) -> bool:
    return (
        paragraph.first.turn == before.last.turn
        and not (paragraph.starts_indented or opens(paragraph.text))
        and paragraph.size < before.size / _SMALLER
    )


def _block(paragraph: Paragraph, body: float, words: Words, place: Place) -> Block:
    text = _plain(paragraph.text, words)
    if level := _level(paragraph, text, body):
        return Block("heading", " ".join(text.split()), level, place=place)
    return Block("text", text, place=place, continues=paragraph.continues)


def _level(paragraph: Paragraph, text: str, body: float) -> int:
    """Of the heading that a paragraph is by its size; 0: it is none."""
    larger = paragraph.size / max(body, 1.0)
    if paragraph.lines > 3 or len(text) > _LONGEST_HEADING or paragraph.first.turn or text.endswith((".", ",", ";")):
        return 0
    if sum(character.isalpha() for character in text) < 2:
        return 0
    if (number := _NUMBERED.match(text)) and larger >= _A_LITTLE_LARGER:
        return min(2 + number.group(1).count("."), 6)
    return 0 if larger < _LARGER else 1 if larger >= 1.6 else 2 if larger >= 1.3 else 3


def _plain(text: str, words: Words) -> str:
    """With the hyphens of words, without those of lines and without signs that only one font knows."""
    text = _HYPHENATED.sub(lambda found: _rejoined(found, words), text)
    return _OF_ONE_FONT.sub("", text.replace(KEPT_HYPHEN, "-"))


def _rejoined(found: re.Match[str], words: Words) -> str:
    left, right = found.groups()
    # A line's hyphen stands between small letters, and not behind a single one: x-axis, GPT-4.
    is_of_word = f"{left}-{right}" in words.known or len(left) == 1 or not right[:1].islower()
    return f"{left}-{right}" if is_of_word else left + right
