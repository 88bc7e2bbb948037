"""Documents of Hangul (한/글): HWP 5, its XML (HWPX) and the older one (HWPML), read by hwp2md.

The layout is not in these files, so nothing has a page. What only hwp2md knows is asked here alone: another reader
takes its place by yielding blocks from the same kinds.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress

from hwp2md import blocks as hwp
from hwp2md import errors, skips
from hwp2md.convert import read_blocks
from lxml import etree

from arcana_pipelines.files.parsing.blocks import Block, Note, Said
from arcana_pipelines.files.parsing.hwp2md_bounds import AS_ABOVE, AS_LEFT, bounded, too_large
from arcana_pipelines.files.parsing.parsers import image
from arcana_pipelines.files.parsing.plain import plain
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable

# What stands in for the text of a document for distribution, for programs that cannot read it.
_STUB = "이 문서는 상위 버전의 배포용 문서입니다"
_LONGEST_STUB = 300

# A longer cell is a frame around a page, as forms and press releases have them, and no cell of a table.
_LONGEST_CELL = 1000
# A longer text of a merged cell stands once: it is no label of rows and columns.
_LONGEST_REPEATED = 80
# A longer row by itself is a page in a frame, not a line.
_LONGEST_LINE = 200
# A longer paragraph of an outline is text.
_LONGEST_HEADING = 300
_MOST_PICTURES = 20

_MARKS = re.compile(f"[{AS_LEFT}{AS_ABOVE}]")
# Bullets and ornaments of Hangul's own fonts (Unicode's private use), which nobody types into a search.
_ORNAMENTS = re.compile("[\uf000-\uf0ff\U000f0000-\U0010fffd]")

_NOTE_NAMES = {"footnote": "각주", "endnote": "미주"}
_SKIPPED = {
    "header_footer": "headers and footers",
    "memo": "memos",
    "hidden_comment": "hidden comments",
    "chart_legacy": "charts",
    "ole": "embedded objects",
    "textart": "text art",
    "form_control": "form controls",
    "image_link": "linked pictures",
    "image_missing": "missing pictures",
}

_DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, ValueError, LookupError, TypeError, RuntimeError, EOFError,
    etree.LxmlError,
)  # fmt: skip


def parse(job: Job) -> Iterator[Said]:
    """Say a document's headings, paragraphs, lists and tables; a note stands behind what it is a note to.

    Raises:
        Unreadable: encrypted, damaged, too large, or without text.
    """
    skipped = skips.SkipCounter()
    read = _read(job, skipped)
    blocks = list(_blocks(read))
    if _is_stub(blocks):
        raise Unreadable(Reason.UNSUPPORTED, "a document for distribution, whose text could not be read")
    pictures = {found.file_name: found.data for found in hwp.iter_images(read)}
    notes = [Note(f"{_SKIPPED.get(kind, kind)}: {count}") for kind, count in skipped.items()]
    if blocks:
        yield from blocks
        notes += [Note(f"pictures: {len(pictures)}")] if pictures else []
    elif pictures:
        yield from _scanned(list(pictures.values()), job)
    else:
        raise Unreadable(Reason.NO_TEXT, "; ".join(["it holds no text", *(note.text for note in notes)]))
    yield from notes


def _read(job: Job, skipped: skips.SkipCounter) -> list[hwp.Block]:
    try:
        with bounded():
            return read_blocks(job.path, skipped)
    except errors.DrmProtectedError as error:
        raise Unreadable(Reason.ENCRYPTED, "protected by rights management (DRM)") from error
    except errors.EncryptedDocumentError as error:
        raise Unreadable(Reason.ENCRYPTED, "it opens with a password") from error
    except errors.UnsupportedHwpError as error:
        raise Unreadable(Reason.UNSUPPORTED, "a document for distribution of a kind that is not read") from error
    except errors.Hwp2mdError as error:
        if "too large" in str(error):
            raise too_large() from error
        raise Unreadable(Reason.DAMAGED, "no readable document of Hangul") from error
    except MemoryError as error:
        raise too_large() from error
    except _DAMAGED as error:
        raise Unreadable(Reason.DAMAGED, "the document is damaged") from error


def _blocks(read: Sequence[hwp.Block]) -> Iterator[Block]:
    notes = {(block.kind, block.number): block for block in read if isinstance(block, hwp.Note)}
    for block in read:
        if isinstance(block, hwp.Paragraph):
            yield from _paragraph(block)
            yield from _notes(block.inlines, notes)
        elif isinstance(block, hwp.Table):
            yield from _table(block)
            yield from _notes([part for row in block.cells for cell in row for part in cell], notes)
    for left in notes.values():
        yield from _note(left)


def _paragraph(paragraph: hwp.Paragraph) -> Iterator[Block]:
    text = _clean(_plain(paragraph.inlines) if paragraph.inlines else paragraph.text)
    if not text:
        return
    listed = paragraph.list_info
    if paragraph.level and len(text) <= _LONGEST_HEADING:
        yield Block("heading", text, min(paragraph.level, 6))
    elif listed:
        yield Block("item", f"{listed.label} {text}".strip(), listed.depth)
    else:
        yield Block("text", text)


def _notes(parts: Sequence[hwp.Inline], notes: dict[tuple[hwp.NoteKind, int], hwp.Note]) -> Iterator[Block]:
    for part in parts:
        if isinstance(part, hwp.NoteRef) and (part.kind, part.number) in notes:
            yield from _note(notes.pop((part.kind, part.number)))


def _note(note: hwp.Note) -> Iterator[Block]:
    texts = [_clean(_plain(said.inlines) if said.inlines else said.text) for said in note.paragraphs]
    if text := " ".join(filter(None, texts)):
        yield Block("text", f"{_NOTE_NAMES[note.kind]} {note.number}: {text}")


def _table(table: hwp.Table) -> Iterator[Block]:
    raw = [[_plain(cell) for cell in row] for row in table.cells] if table.cells else table.rows
    rows = _without_empty(_filled(raw))
    longest = max((len(cell) for row in rows for cell in row), default=0)
    # What says one thing a row is a frame.
    says_several = any(sum(bool(_clean(cell)) for cell in row) > 1 for row in raw)
    if len(rows) > 1 and says_several and longest <= _LONGEST_CELL:
        yield Block("table", rows=rows)
    elif len(rows) == 1 and longest <= _LONGEST_LINE:
        yield Block("text", " ".join(filter(None, (_clean(cell) for row in raw for cell in row))))
    else:
        for cell in (cell for row in raw for cell in row):
            for line in filter(None, map(_clean, cell.split("\n"))):
                yield Block("text", line)


def _filled(raw: Sequence[Sequence[str]]) -> list[list[str]]:
    rows: list[list[str]] = []
    for row in raw:
        filled: list[str] = []
        for column, cell in enumerate(row):
            if cell == AS_LEFT and filled:
                text = filled[-1]
            elif cell == AS_ABOVE and rows and column < len(rows[-1]):
                text = rows[-1][column]
            else:
                filled.append(_clean(cell))
                continue
            filled.append(text if len(text) <= _LONGEST_REPEATED else "")
        rows.append(filled)
    return rows


def _without_empty(rows: list[list[str]]) -> list[list[str]]:
    """Without the rows and columns that are there for the eye only."""
    width = max(map(len, rows), default=0)
    kept = [column for column in range(width) if any(column < len(row) and row[column] for row in rows)]
    return [[row[column] if column < len(row) else "" for column in kept] for row in rows if any(row)]


def _plain(parts: Sequence[hwp.Inline]) -> str:
    said: list[str] = []
    for part in parts:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, hwp.Link):
            said.append(part.text)
        elif isinstance(part, hwp.Math):
            said.append(f"${part.latex}$" if part.latex else part.script)
    return "".join(said)


def _clean(text: str) -> str:
    return plain(_ORNAMENTS.sub(" ", _MARKS.sub("", text)))


def _is_stub(blocks: Sequence[Block]) -> bool:
    text = " ".join(block.text for block in blocks)
    return _STUB in text and len(text) <= _LONGEST_STUB and all(not block.rows for block in blocks)


def _scanned(pictures: Sequence[bytes], job: Job) -> Iterator[Said]:
    """A document without text whose pages are pictures."""
    if not job.pictures:
        raise Unreadable(Reason.NEEDS_OCR, "the document is made of pictures, which only OCR can read")
    found = 0
    for number, data in enumerate(pictures[:_MOST_PICTURES], 1):
        with suppress(Unreadable):  # an icon, or of a format of Windows
            for said in image.pictures(io.BytesIO(data), job.directory, f"picture-{number}"):
                found += 1
                yield said
    if not found:
        raise Unreadable(Reason.NO_TEXT, "it holds no text, and pictures too small for any")
    if len(pictures) > _MOST_PICTURES:
        yield Note(f"pictures after the first {_MOST_PICTURES}")
