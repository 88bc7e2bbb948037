"""Rich Text Format: its paragraphs and tables, without pictures and what is hidden in groups of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from striprtf.striprtf import rtf_to_text

from arcana_pipelines.files.parsing.blocks import Block, Said
from arcana_pipelines.files.parsing.plain import BULLET, plain
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable

# Pictures and objects are written as digits. striprtf takes a time for each of them.
_DIGITS = re.compile(r"(?<![0-9a-fA-F\r\n])[0-9a-fA-F\r\n]{256,}+")
# Of the Macintosh, in encodings that Python lacks: those of Windows have the same letters.
_CHARACTER_SETS = {"78": "128", "79": "136", "80": "129", "85": "134", "82": "177", "84": "204", "87": "222"}
_CHARACTER_SET = re.compile(r"\\fcharset(78|79|80|82|84|85|87)(?!\d)")
# `\cell` within a paragraph and `\row` behind it: a bar ends each cell, a line each row.
_ROW_END = "|"


def parse(job: Job) -> Iterator[Said]:
    """Say what stands in a document.

    Raises:
        Unreadable: damaged.
    """
    source = job.path.read_bytes().decode("latin-1")
    source = _CHARACTER_SET.sub(lambda found: f"\\fcharset{_CHARACTER_SETS[found[1]]}", _DIGITS.sub("", source))
    try:
        text: str = rtf_to_text(source, errors="ignore")  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise Unreadable(Reason.DAMAGED, f"the RTF is broken ({type(error).__name__})") from error
    # Characters beyond the first plane are written as two halves.
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    yield from _blocks(text)


def _blocks(text: str) -> Iterator[Block]:
    rows: list[list[str]] = []
    for line in text.split("\n"):
        if line.rstrip(" \t\r").endswith(_ROW_END):
            rows.append([plain(cell) for cell in line.rstrip(" \t\r").removesuffix(_ROW_END).split(_ROW_END)])
            continue
        yield from _table(rows)
        rows = []
        bullet = BULLET.match(line)
        if paragraph := plain(line[bullet.end() if bullet else 0 :]):
            yield Block("item" if bullet else "text", paragraph)
    yield from _table(rows)


def _table(rows: list[list[str]]) -> Iterator[Block]:
    filled = [row for row in rows if any(row)]
    if not filled:
        return
    width = max(map(len, filled))
    if width == 1:
        yield from (Block("text", row[0]) for row in filled)
    else:
        yield Block("table", rows=[row + [""] * (width - len(row)) for row in filled])
