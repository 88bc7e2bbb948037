"""Lines of a page as paragraphs.

A page knows lines and their places, and nothing of words and paragraphs that run over them. Korean is broken inside
words and without a hyphen: whether two lines are one word is told by the blank that many programs keep at the end of a
line, by how full a line is, and by the words of the rest of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

_HANGUL = re.compile("[\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f]")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")  # Chinese characters and Kana know no blanks
_SENTENCE_END = re.compile(r"[.!?。:;][\"'”’)\]]*$")
_BULLET = re.compile(r"[•◦○●◎■□▪▫▶▷►◆◇◈★☆※‣∙ㅇ❍⦁\-–*]\s+\S|[①-⑳㉠-㉻⑴-⒇]|[\uf000-\uf0ff]\s")
_NUMBER = re.compile(
    r"(?:\d{1,2}|[가-하]|[a-zA-Z]|[ivxIVX]{1,5})[.)]\s+\S|\((?:\d{1,2}|[가-하]|[a-z])\)\s*\S|제\d+[조장절]"
)
HYPHEN = "\ufffe"
"""Stands for a hyphen at the end of a line: of the line, or of the word."""
KEPT_HYPHEN = "\u2011"
"""Ends a line whose word has a hyphen there."""
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_MOST_WORDS = 300_000

# In sizes of the font.
_NEAR_MARGIN = 1.0
_INDENT = 0.6
_WIDE_INDENT = 2.5
_WIDEST_PITCH = 2.2
_LINES_TO_KNOW_A_PITCH = 4
_LINES_AT_A_MARGIN = 2
_BLANK, _OVERLAP, _WIDEST_GAP = 0.15, 0.3, 3.0
_SHORTEST_FULL = 8  # characters
_WITH_BLANK = 0.1  # of lines: where blanks are kept, a third of the lines end in one


@dataclass(slots=True)
class Line:
    """One line as it stands on its page.

    Attributes:
        text: with the blank at its end, where there is one.
        left, right, bottom, top: in points, as one sees them who turns the page so that the line can be read.
        size: of its font.
        turn: by how many right angles the page is turned for that.
    """

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    turn: int = 0


@dataclass(slots=True)
class Paragraph:
    """Lines that belong together, as text; rows of a list or an address stay lines of it.

    Attributes:
        starts_indented: so no sentence of the paragraph before goes on in it.
        ends_full: the last line reaches the margin and is no end of a sentence.
        continues: a sentence of the page before goes on in it.
        row: how many lines the last line of the text is made of.
    """

    text: str
    first: Line
    last: Line
    lines: int
    size: float
    starts_indented: bool = False
    ends_full: bool = False
    row: int = 1
    continues: bool = False


@dataclass(slots=True)
class Words:
    """What the lines of a document say of how it breaks them.

    Attributes:
        known: words that stand within lines.
        keeps_blanks: lines of Korean that were broken at a blank end with it, so that one without it ends in a word.
    """

    known: set[str] = field(default_factory=set)
    keeps_blanks: bool = False

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Words:
        """Learn from all lines of a document."""
        words = cls()
        korean = with_blank = 0
        for line in lines:
            if len(words.known) < _MOST_WORDS:
                words.known.update(_WORD.findall(line.text)[1:-1])
            if len(_HANGUL.findall(line.text)) >= _SHORTEST_FULL:
                korean += 1
                with_blank += line.text.endswith(" ")
        words.keeps_blanks = with_blank > _WITH_BLANK * korean
        return words


def paragraphs(lines: Sequence[Line], words: Words) -> list[Paragraph]:
    """Lines in reading order as paragraphs."""
    made: list[Paragraph] = []
    lines = _whole(lines)
    for run in _runs(lines):
        margin = _margin(run, lines)
        paragraph = _begun(run[0])
        for number, line in enumerate(run[1:], 1):
            before = paragraph.last
            is_full = _is_full(before, line, margin)
            is_indented = _is_indented(before, line, run[number + 1] if number + 1 < len(run) else None)
            if not _begins(line, paragraph, is_full, is_indented):
                paragraph.text = joined(paragraph.text, line.text, words, is_full)
                paragraph.row += 1
            elif paragraph.row > 1 or is_indented or _ends_sentence(before.text) or opens(line.text):
                made.append(paragraph)
                paragraph = _begun(line)
                paragraph.starts_indented = is_indented
                continue
            else:
                paragraph.text = f"{paragraph.text.rstrip()}\n{line.text}"
                paragraph.row = 1
            paragraph.last = line
            paragraph.lines += 1
        paragraph.ends_full = _is_near(paragraph.last, margin) and not _ends_sentence(paragraph.text)
        made.append(paragraph)
    for each in made:
        each.text = each.text.strip()
    return [each for each in made if each.text]


def in_cell(lines: Sequence[Line], left: float, right: float, words: Words) -> str:
    """The lines of a table's cell as one text."""
    if not lines:
        return ""
    margin = max(*(line.right for line in lines), right - max(lines[0].left - left, 0.0))
    text = lines[0].text
    for before, line in pairwise(lines):
        text = joined(text, line.text, words, margin - before.right < _NEAR_MARGIN * before.size)
    return text.strip()


def joined(before: str, after: str, words: Words, is_full: bool) -> str:
    """Two lines of one paragraph as one text."""
    start, rest = before.rstrip(), after.lstrip()
    if not start or not rest or start[-1] == HYPHEN:
        return start + rest
    has_blank = len(start) < len(before) or len(rest) < len(after)
    return (
        start[: -1 if _is_soft(start, rest, words) else None] + _between(start, rest, words, is_full, has_blank) + rest
    )


def _is_soft(start: str, rest: str, words: Words) -> bool:
    """Whether the hyphen that ends a line is one of the line and not of the word."""
    if start[-1] == "\xad":
        return True
    if start[-1] not in "-\u2010" or not rest[0].islower() or len(start) < 2 or not start[-2].isalpha():
        return False
    return f"{_last_word(start[:-1])}-{_first_word(rest)}" not in words.known


def rest_of_word(before: str, after: str, words: Words) -> int:
    """How many characters at the beginning of one paragraph belong to the last word of the one that it goes on from."""
    start, rest = before.rstrip(), after.lstrip()
    if not start or not rest or joined(start, rest, words, is_full=True)[len(start) :].startswith(" "):
        return 0
    return len(after) - len(rest) + len(rest.split(maxsplit=1)[0])


def _between(start: str, rest: str, words: Words, is_full: bool, has_blank: bool) -> str:
    end, begin = start[-1], rest[0]
    if end in "-\u2010\u2011\xad" and len(start) > 1 and start[-2].isalnum():
        return ""
    if has_blank or opens(rest) or (end in ".,:;" and not begin.isdigit()):
        return " "
    if _UNSPACED.match(end) and _UNSPACED.match(begin):
        return ""
    if _HANGUL.match(end) and _HANGUL.match(begin):
        return _between_hangul(_last_word(start), _first_word(rest), words, is_full)
    if is_full and words.keeps_blanks and (_HANGUL.search(start[-20:]) or _HANGUL.search(rest[:20])):
        return ""
    return " "


def _between_hangul(left: str, right: str, words: Words, is_full: bool) -> str:
    if not is_full:
        return " "
    if words.keeps_blanks or left + right in words.known:
        return ""
    return " " if left in words.known and right in words.known else ""


def _last_word(text: str) -> str:
    return found[-1] if (found := _WORD.findall(text[-60:])) else ""


def _first_word(text: str) -> str:
    return found.group() if (found := _WORD.match(text[:60])) else ""


def _whole(lines: Sequence[Line]) -> list[Line]:
    """Lines that a raised sign or a wide gap has cut in two are one again."""
    whole: list[Line] = []
    for line in lines:
        before = whole[-1] if whole else None
        if before is None or not _is_beside(before, line):
            whole.append(line)
            continue
        gap = "" if before.text.endswith(" ") or line.left - before.right < _BLANK * line.size else " "
        is_first_larger = before.size >= line.size
        whole[-1] = Line(
            text=before.text + gap + line.text.lstrip() if gap else before.text + line.text,
            left=before.left,
            right=line.right,
            bottom=before.bottom if is_first_larger else line.bottom,
            top=before.top if is_first_larger else line.top,
            size=max(before.size, line.size),
            turn=line.turn,
        )
    return whole


def _is_beside(before: Line, line: Line) -> bool:
    gap, size = line.left - before.right, max(before.size, line.size)
    overlap = min(before.top, line.top) - max(before.bottom, line.bottom)
    height = min(before.top - before.bottom, line.top - line.bottom)
    return before.turn == line.turn and -_OVERLAP * size < gap < _WIDEST_GAP * size and overlap > 0.4 * height


# --- where a paragraph begins ----------------------------------------------------------------------


def _begun(line: Line) -> Paragraph:
    return Paragraph(line.text, line, line, 1, line.size)


def _runs(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines that follow each other at one distance in one column."""
    pitches = [
        pitch / after.size
        for before, after in pairwise(lines)
        if _are_alike(before, after) and 0.5 * after.size < (pitch := before.bottom - after.bottom) < 3 * after.size
    ]
    widest = min(1.3 * median(pitches), 3.0) if len(pitches) >= _LINES_TO_KNOW_A_PITCH else _WIDEST_PITCH
    runs: list[list[Line]] = []
    for line in lines:
        before = runs[-1][-1] if runs else None
        if before is not None and _are_alike(before, line) and _follows(before, line, widest):
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


def _are_alike(before: Line, after: Line) -> bool:
    return before.turn == after.turn and 0.85 < before.size / after.size < 1.18


def _follows(before: Line, line: Line, widest: float) -> bool:
    if before.left < line.right and line.left < before.right:
        return 0 < before.bottom - line.bottom <= widest * line.size
    return False


def _margin(run: Sequence[Line], lines: Sequence[Line]) -> float:
    """Where the lines of a run would end if they were full.

    One line that is longer than all others shows no margin: then those tell that begin where it does.
    """
    widest = max(line.right for line in run)
    if sum(_is_near(line, widest) for line in run) >= _LINES_AT_A_MARGIN:
        return widest
    first = min(run, key=lambda line: line.left)
    column = (
        line.right
        for line in lines
        if _are_alike(line, first) and abs(line.left - first.left) < _WIDE_INDENT * first.size
    )
    return max(widest, *column, first.left)


def _is_near(line: Line, margin: float) -> bool:
    return margin - line.right < _NEAR_MARGIN * line.size


def _is_indented(before: Line, line: Line, after: Line | None) -> bool:
    """Whether a line begins a paragraph by standing further in than those around it."""
    indent = _INDENT * line.size
    if abs(line.left - _behind_marker(before)) < indent:
        return False  # it goes on below the text of an item
    return line.left - before.left > indent and (after is None or line.left - after.left > indent)


def _behind_marker(line: Line) -> float:
    """About where the text of an item begins; far away, where a line is none."""
    text = line.text.strip()
    if (found := _BULLET.match(text) or _NUMBER.match(text)) is None:
        return float("inf")
    marker = len(found.group()) - (0 if found.group()[-1].isspace() else 1)
    return line.left + (line.right - line.left) * marker / len(text)


def _is_full(before: Line, after: Line, margin: float) -> bool:
    """Whether a line ends because what follows had no room left in it."""
    text = before.text.rstrip()
    if text.endswith((HYPHEN, KEPT_HYPHEN)):
        return True
    if len(text) < _SHORTEST_FULL:
        return False
    if _is_near(before, margin):
        return True
    if text[-1:].isalnum() and _HANGUL.match(text[-1]) and before.text == text:
        return False  # broken in a word, it would have gone on
    word = after.text.split(maxsplit=1)[0] if after.text.strip() else ""
    width = (after.right - after.left) / max(len(after.text.strip()), 1) * len(word)
    return margin - before.right < width + 0.3 * before.size


def _begins(line: Line, paragraph: Paragraph, is_full: bool, is_indented: bool) -> bool:
    before, text = paragraph.last, line.text.lstrip()
    if before.text.endswith((HYPHEN, KEPT_HYPHEN)):
        return False
    if not is_full:
        return True
    moved = line.left - before.left
    if is_indented or moved > _WIDE_INDENT * line.size or (paragraph.row > 1 and abs(moved) > _INDENT * line.size):
        return True
    if _BULLET.match(text):
        return True
    if (number := _NUMBER.match(text)) is None:
        return False
    in_brackets = before.text.count("(") > before.text.count(")")
    return _ends_sentence(before.text) or (")" in number.group() and not in_brackets)


def opens(text: str) -> bool:
    """Whether a text begins as an item of a list does."""
    return bool(_BULLET.match(text.lstrip()) or _NUMBER.match(text.lstrip()))


def _ends_sentence(text: str) -> bool:
    return _SENTENCE_END.search(text.rstrip()) is not None
