"""Texts: plain ones, Markdown, and tables of them (CSV, TSV and their kin)."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing import markdown_blocks, sheet_rows
from arcana_pipelines.files.parsing.blocks import Block, Note, Said
from arcana_pipelines.files.parsing.decoding import decode
from arcana_pipelines.files.parsing.plain import BULLET, plain
from arcana_pipelines.files.parsing.protocol import Job
from arcana_pipelines.files.parsing.sheet_rows import Row

_DELIMITERS = ",;\t|"
_NO_DELIMITER = "\x1f"
_SAMPLE = 65_536  # characters
_MOST_OF_FIELD = 1 << 20
_MOST_LINES_OF_FIELD = 200
_SEPARATOR = re.compile(r"sep=(.)\r?\n", re.I)
_EMPTY_LINE = re.compile(r"\n[ \t\f]*(?:\n|\f)|\f")
# Lines of a text that was set in a measure are this wide, in columns of a terminal, all but the last.
_NARROW, _WIDE = 50, 120
# How a line of a log or of a form begins: with a time, a level, or the name of what it says.
_TIME = r"\d{4}[-./년] ?\d{1,2}[-./월]|\d{1,2}[-./]\d{1,2}[-./]\d|\d{1,2}:\d\d|\d{9,}|[A-Z][a-z]{2} +\d{1,2} \d\d:"
_RECORD = re.compile(
    rf"\s*[\[(<]?(?:{_TIME}|(?:TRACE|DEBUG|INFO|NOTICE|WARN|ERROR|FATAL|CRITICAL)\b)"
    r"|\s*[^\s:=.,!?][^:=.,!?]{0,30}[:=](?=\s|$)"
)


def parse(job: Job) -> Iterator[Said]:
    """Say what stands in a text.

    Raises:
        Unreadable: it is no text.
    """
    text = decode(job.path.read_bytes())
    if job.kind is FileKind.CSV:
        yield from _table(text, job.most_rows)
    elif job.kind is FileKind.MARKDOWN:
        yield from markdown_blocks.written(text)
    else:
        yield from _paragraphs(text)


def _paragraphs(text: str) -> Iterator[Block]:
    for paragraph in _EMPTY_LINE.split(text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = [line for line in paragraph.split("\n") if line.strip()]
        if _is_set(lines):
            yield Block("text", plain(" ".join(lines)))
            continue
        for line in lines:
            bullet = BULLET.match(line)
            if written := plain(line[bullet.end() if bullet else 0 :]):
                yield Block("item" if bullet else "text", written)


def _is_set(lines: Sequence[str]) -> bool:
    """Whether the lines of a paragraph end where the measure ended, and not where its writer wanted them to."""
    if len(lines) < 2 or any(BULLET.match(line) for line in lines):
        return False
    if sum(_RECORD.match(line) is not None for line in lines) >= 0.5 * len(lines):
        return False
    widths = [sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line[: _WIDE + 1]) for line in lines]
    widest = max(widths)
    return _NARROW <= widest <= _WIDE and all(width >= 0.75 * widest for width in widths[:-1])


def _table(text: str, most_rows: int) -> Iterator[Block | Note]:
    declared = _SEPARATOR.match(text)
    if declared:
        # A line for Excel, which shows no row for it.
        text = text[declared.end() :]
    delimiter = declared[1] if declared else _delimiter(text)
    rows: list[Row] = []
    has_more = False
    for number, cells in enumerate(_records(text, delimiter), start=1):
        values = [plain(cell) for cell in cells]
        if any(values):
            if len(rows) == most_rows:
                has_more = True
                break
            rows.append(Row(number, values))
    yield from sheet_rows.written(rows)
    if has_more:
        yield Note(f"what follows row {rows[-1].number:,} was not read")


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_MOST_OF_FIELD)

    def read(quoting: Literal[0, 3]) -> Iterator[list[str]]:
        return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)

    try:
        has_quotes = all(cell.count("\n") < _MOST_LINES_OF_FIELD for row in read(csv.QUOTE_MINIMAL) for cell in row)
    except csv.Error:
        has_quotes = False
    # A quote that never ends makes one field of all that follows: then they are no quotes.
    return read(csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE)


def _delimiter(text: str) -> str:
    """The character that cuts most lines of the beginning into equally many fields, and into the most of them."""
    sample = text[:_SAMPLE]
    sample = sample[: sample.rfind("\n") + 1] or sample

    def widths(delimiter: str) -> list[int]:
        try:
            return [len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            return [1]

    def fitness(delimiter: str) -> tuple[float, int]:
        found = widths(delimiter)
        usual = max(set(found), key=lambda width: (found.count(width), width), default=1)
        return (found.count(usual) / len(found), usual) if usual > 1 else (0, 0)

    best = max(_DELIMITERS, key=fitness)
    cut = widths(best)
    # Commas in a few of the lines are those of their sentences.
    return best if sum(width > 1 for width in cut) * 2 >= len(cut) else _NO_DELIMITER
