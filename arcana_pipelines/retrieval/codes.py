"""Codes of a question, and numbers with their units: TG-23, ERR_4012, v2.3.1, ISO 9001:2015, 제3조, 2층.

They are marked where a text has all of them. A part says nothing: TG-31 has the letters of TG-23, and 2명 the number of
2층.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from arcana_pipelines.lexical.korean import is_ending
from arcana_pipelines.lexical.korean_marks import marks

MOST_CODES = 32  # of a question; the parts of those behind them are words
_JOINTS = "-_./&:,"
_JOINED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?P<family>[A-Z]{2,6}) (?=\d))?"
    r"(?P<code>[A-Za-z0-9]++(?:(?:[-_./&:]|,(?=\d{3}(?!\d)))[A-Za-z0-9]++)*+)"
)
# A number is one of a family (ISO 9001, RFC 2119) where it is none of a few things, and no year.
_NUMBERED = re.compile(r"(?!(?:19|20)\d\d$)\d{3,}")
# Words, too, are joined by a hyphen or a slash (sick-leave, and/or), and names by the other signs (config.yaml).
_NAME = re.compile(r"\d|[_.&]|^\w(?:\W\w)+$")
# Written with a hyphen, with a blank, or as one. One letter before a blank is often a word (A 4).
_LOOSE = re.compile(r"([A-Za-z]{1,6})(-?)([0-9]+)")
_COUNTED = re.compile(rf"(?<![A-Za-z0-9])(?<![A-Za-z0-9][{_JOINTS}])(\d+)([가-힣]+)(?:(?<=의)(\d+))?")
_IN_A_TEXT = re.compile(
    rf"(?<![A-Za-z0-9])(?<![A-Za-z0-9][{_JOINTS}])(\d+)(?:( ?[가-힣]+)(?:(?<=의)(\d+))?|(?![\w]|[{_JOINTS}]\d))"
)


class Code(Protocol):
    """Something of a question that is marked as a whole."""

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Spans (begin, end) of a text that say the same."""


@dataclass(frozen=True, slots=True)
class _Joined:
    """A code as it stands in texts: another one begins or goes on with a sign that is in it."""

    pattern: re.Pattern[str]

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        return (found.span() for found in self.pattern.finditer(text))


@dataclass(frozen=True, slots=True)
class _Counted:
    """A number with the names of its unit; texts of the other language have it alone."""

    number: str
    units: frozenset[str]

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        for found in _IN_A_TEXT.finditer(text) if self.number in text else ():
            number, unit, article = found[1], found[2], found[3] or ""
            if number != self.number:
                continue
            length = 0 if unit is None else _length(unit.strip(), article, self.units)
            if length is not None:
                begin = found.start() - text.endswith("제", 0, found.start())
                blank = len(unit or "") - len((unit or "").strip())
                yield begin, found.end(1) + blank + length


def codes_of(query: str) -> tuple[tuple[Code, ...], str]:
    """The codes of a question, and the question without them."""
    codes: list[Code] = []

    def take_joined(found: re.Match[str]) -> str:
        family, code = found["family"], found["code"]
        is_joined = not code.isalnum() and _NAME.search(code) is not None
        is_code = is_joined or _LOOSE.fullmatch(code) is not None or bool(family and _NUMBERED.fullmatch(code))
        if not is_code or len(codes) >= MOST_CODES:
            return found[0]
        codes.append(_Joined(_pattern(code, family)))
        return " "

    def take_counted(found: re.Match[str]) -> str:
        if len(codes) >= MOST_CODES:
            return found[0]
        number, unit, article = found[1], found[2], found[3] or ""
        codes.append(_Counted(number, frozenset(name for name, _ in _units(unit, article))))
        return " "

    rest = _COUNTED.sub(take_counted, _JOINED.sub(take_joined, query))
    return tuple(dict.fromkeys(codes)), rest


def _pattern(code: str, family: str | None) -> re.Pattern[str]:
    joints = "".join(re.escape(sign) for sign in _JOINTS if sign in code)
    said = re.escape(code)
    if loose := _LOOSE.fullmatch(code):
        letters, hyphen, number = loose.groups()
        said = f"{letters}{'[- ]?' if hyphen or len(letters) > 1 else '-?'}{number}"
    before = rf"(?<![A-Za-z0-9][{joints}])" if joints else ""
    behind = rf"(?![{joints}][A-Za-z0-9])" if joints else ""
    with_family = rf"(?:(?<![A-Za-z0-9]){family}[- ]?)?" if family else ""
    return re.compile(rf"{with_family}(?<![A-Za-z0-9]){before}{said}(?![A-Za-z0-9]){behind}", re.IGNORECASE)


def _units(word: str, article: str) -> Iterator[tuple[str, int]]:
    """The names by which what stands behind a number may be known again, each with its length."""
    if article:  # 제3조의2 is another one than 제3조
        yield word + article, len(word + article)
        return
    if is_ending(word[1:]):  # behind a number a syllable is a unit
        yield word[0], 1
    yield from ((mark.name, mark.length) for mark in marks(word))


def _length(word: str, article: str, units: frozenset[str]) -> int | None:
    """How much of what stands behind a number is one of the units; None: nothing."""
    return next((length for name, length in _units(word, article) if name in units), None)
