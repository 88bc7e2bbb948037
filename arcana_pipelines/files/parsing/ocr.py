"""Text of pictures, by tesseract: a program of the system, started by us and confined as a parser is."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median

from arcana_pipelines.files.parsing.blocks import Block, Place
from arcana_pipelines.files.parsing.confinement import confine
from arcana_pipelines.files.parsing.languages import environment, installed_languages
from arcana_pipelines.files.parsing.lines import Line, Words, paragraphs
from arcana_pipelines.files.parsing.processes import exit_code_of, lines_of, started
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.markdown.characters import clean

MOST_PICTURES = 50
"""Of one file."""
SECONDS_A_PICTURE = 60
MOST_SECONDS = 900.0
"""For all pictures of one file."""
_MOST_BYTES = 2 * 2**20
_MOST_LINES = 5000  # of a picture; what is done with them here has no other limit
_SAID = "said"  # what the files are called that tesseract writes
_COLUMNS = 12  # of its table of what it sees; the last six are a place, confidence and text
_LEVEL_OF_WORDS = "5"
_MOST_SKIPPED = 20  # lines of its text that stand for none of the table
# In percent. What it sees in a photograph without text it is seldom sure of.
_SURE_OF_A_LINE = 40.0
_SURE_OF_A_PICTURE = 50.0
# Two columns: a gap in sizes of the font, in how many lines, and how full the columns are.
_GUTTER = 1.0
_LINES_IN_COLUMNS = 8
_SHARE_OF_CUT_LINES = 0.6
_FILLED = 0.7


class Reader:
    """Reads the pictures of one file."""

    def __init__(self, languages: str, directory: Path) -> None:
        self._languages = languages
        self._directory = directory
        self._end = time.monotonic() + MOST_SECONDS
        self._read = 0
        self._left_out = 0
        self._failed: dict[Reason, int] = {}

    def read(self, picture: Path, place: Place) -> list[Block]:
        """What a picture says. One that cannot be read is counted (`notes`), and the others are read."""
        if self._read >= MOST_PICTURES or time.monotonic() > self._end:
            self._left_out += 1
            return []
        self._read += 1
        try:
            return _blocks(*_seen(picture, self._languages, self._directory), place)
        except Unreadable as error:
            self._failed[error.reason] = self._failed.get(error.reason, 0) + 1
            return []

    def notes(self) -> list[str]:
        """What was not read."""
        notes = [f"{_pictures(count)} could not be read by OCR ({reason})" for reason, count in self._failed.items()]
        if self._left_out:
            notes.append(f"{_pictures(self._left_out)} not read: OCR reads {MOST_PICTURES} of a file at most")
        return notes


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


# --- what it sees ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Word:
    """A word or a part of one: of Korean tesseract places single syllables.

    Attributes:
        line: of the picture's table: the numbers of its block, paragraph and line.
        bottom: from the top of the picture.
        sure: in percent.
    """

    line: tuple[str, ...]
    left: int
    right: int
    top: int
    bottom: int
    sure: float
    text: str


def _seen(picture: Path, languages: str, directory: Path) -> tuple[list[list[_Word]], list[str]]:
    """Lines of words with their places, and the same lines as text with the blanks where they belong."""
    job = {
        "program": shutil.which("tesseract"),
        "picture": str(picture),
        "languages": languages,
        # With it pages that lie on their side are turned.
        "layout": "1" if "osd" in installed_languages() else "3",
        "environment": environment(),
        "directory": str(directory),
    }
    texts, table = (directory / f"{_SAID}.{ending}" for ending in ("txt", "tsv"))
    try:
        with started("arcana_pipelines.files.parsing.ocr", directory, job) as process:
            deque(lines_of(process, SECONDS_A_PICTURE, _MOST_BYTES), maxlen=0)
            if exit_code_of(process) != 0 or not (texts.is_file() and table.is_file()):
                raise Unreadable(Reason.DAMAGED, "tesseract cannot read it")
        if texts.stat().st_size + table.stat().st_size > _MOST_BYTES:
            raise Unreadable(Reason.TOO_LARGE, "more text than a page has")
        words = [word for row in _rows(table) if (word := _word(row)) is not None]
        lines = [line for line in map(str.strip, texts.read_text(errors="replace").splitlines()) if line]
    finally:
        texts.unlink(missing_ok=True)
        table.unlink(missing_ok=True)
    seen = [list(line) for _, line in groupby(words, lambda word: word.line)]
    if max(len(seen), len(lines)) > _MOST_LINES:
        raise Unreadable(Reason.TOO_LARGE, "more lines than a page has")
    return seen, lines


def main() -> None:
    """In a process of its own: become tesseract, confined. The job stands on standard input."""
    told = json.loads(sys.stdin.buffer.read())
    program = Path(told["program"])
    data = [Path(told["environment"][name]) for name in ("TESSDATA_PREFIX",) if name in told["environment"]]
    home = [each for each in [program.resolve().parent.parent] if each != Path("/")]
    confine(
        told["parent"],
        [Path(told["picture"]), *data, *home],
        Path(told["directory"]),
        cpu_seconds=SECONDS_A_PICTURE,
        may_start=True,
    )
    arguments = ["-l", told["languages"], "--psm", told["layout"], "txt", "tsv"]
    os.execve(program, [str(program), told["picture"], _SAID, *arguments], told["environment"])


def _rows(table: Path) -> list[list[str]]:
    return [line.split("\t") for line in table.read_text(errors="replace").split("\n")]


def _word(row: list[str]) -> _Word | None:
    if len(row) != _COLUMNS or row[0] != _LEVEL_OF_WORDS or not row[-1].strip():
        return None
    left, top, width, height = map(int, row[6:10])
    return _Word(tuple(row[2:5]), left, left + width, top, top + height, float(row[10]), clean(row[-1]))


# --- what it says ----------------------------------------------------------------------------------


def _blocks(seen: list[list[_Word]], texts: list[str], place: Place) -> list[Block]:
    """What stands in a picture, as far as tesseract is sure of it."""
    letters = sum(len(word.text) for line in seen for word in line)
    if not letters or sum(word.sure * len(word.text) for line in seen for word in line) < _SURE_OF_A_PICTURE * letters:
        return []
    size = float(median(line[0].bottom - line[0].top for line in map(_tallest_first, seen)))
    spaced = dict(zip((id(line) for line in seen), _spaced(seen, texts), strict=True))
    sure = [line for line in seen if sum(word.sure for word in line) >= _SURE_OF_A_LINE * len(line)]
    lines = [_line(words, text, size) for words, text in _in_columns(sure, [spaced[id(line)] for line in sure], size)]
    known = Words.of(lines)
    return [
        Block("text", paragraph.text, place=place)
        for paragraph in paragraphs(lines, known)
        if any(character.isalnum() for character in paragraph.text)
    ]


def _tallest_first(line: list[_Word]) -> list[_Word]:
    return sorted(line, key=lambda word: word.top - word.bottom)


def _spaced(seen: list[list[_Word]], texts: list[str]) -> list[str]:
    """The text of each line, whose letters are those of its words; where that fails, its words with blanks between."""
    spaced: list[str] = []
    at = 0
    for line in seen:
        solid = _solid("".join(word.text for word in line))
        found = next((n for n in range(at, min(at + _MOST_SKIPPED, len(texts))) if _solid(texts[n]) == solid), None)
        spaced.append(" ".join(word.text for word in line) if found is None else clean(texts[found]))
        at = at if found is None else found + 1
    return spaced


def _solid(text: str) -> str:
    return "".join(clean(text).split())


def _letters_before(text: str, at: int) -> int:
    return len(_solid(text[:at]))


def _in_columns(seen: list[list[_Word]], texts: list[str], size: float) -> list[tuple[list[_Word], str]]:
    """Lines in reading order. Of two columns that were taken for one the lines are cut, and the left one goes first."""
    gutter = _gutter(seen, size)
    if gutter is None:
        return list(zip(seen, texts, strict=True))
    ordered: list[tuple[list[_Word], str]] = []
    right: list[tuple[list[_Word], str]] = []
    for words, text in sorted(zip(seen, texts, strict=True), key=lambda line: min(word.top for word in line[0])):
        if any(word.left < gutter < word.right for word in words) or not _is_cut(words, gutter, size):
            ordered += [*right, (words, text)]  # a heading over both
            right = []
            continue
        cut = len(_solid("".join(word.text for word in words if word.right <= gutter)))
        at = bisect_left(range(len(text)), cut, key=partial(_letters_before, text))
        for column, part, side in (
            (ordered, text[:at].strip(), [word for word in words if word.right <= gutter]),
            (right, text[at:].strip(), [word for word in words if word.right > gutter]),
        ):
            if side:
                column.append((side, part))
    return ordered + right


def _is_cut(words: list[_Word], gutter: float, size: float) -> bool:
    """Whether a line has a gap at the gutter, or ends before it, or begins behind it."""
    left = max((word.right for word in words if word.right <= gutter), default=None)
    right = min((word.left for word in words if word.left >= gutter), default=None)
    return left is None or right is None or right - left >= _GUTTER * size


def _gutter(seen: list[list[_Word]], size: float) -> float | None:
    """Where two columns of running text are parted: most lines that reach over it have a gap there.

    Columns of a table are none: what stands in them seldom fills them.
    """
    gaps = [
        (before.right, after.left)
        for line in seen
        for before, after in pairwise(sorted(line, key=lambda word: word.left))
        if after.left - before.right >= _GUTTER * size
    ]
    if len(gaps) < _LINES_IN_COLUMNS:
        return None
    lows, highs = (sorted(ends) for ends in zip(*gaps, strict=True))
    # Of as many gaps as possible: those that begin before it, without those that have ended.
    gutter = max(((low + high) / 2 for low, high in gaps), key=lambda x: bisect_left(lows, x) - bisect_right(highs, x))
    over = [line for line in seen if min(word.left for word in line) < gutter < max(word.right for word in line)]
    cut = [line for line in over if not any(word.left < gutter < word.right for word in line)]
    if len(cut) < max(_LINES_IN_COLUMNS, _SHARE_OF_CUT_LINES * len(over)):
        return None
    for side in (
        [[w for w in line if w.right <= gutter] for line in cut],
        [[w for w in line if w.left >= gutter] for line in cut],
    ):
        widths = [max(word.right for word in words) - min(word.left for word in words) for words in side if words]
        if not widths or median(widths) < _FILLED * max(widths):
            return None
    return gutter


def _line(words: list[_Word], text: str, size: float) -> Line:
    middle = -median((word.top + word.bottom) / 2 for word in words)
    left, right = min(word.left for word in words), max(word.right for word in words)
    return Line(text, left, right, middle - size / 2, middle + size / 2, size)
