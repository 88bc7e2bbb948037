"""Codes of a question, however they are written: E-12, E12, `e 12` and E_12 are one.

A code is a name of letters and digits that begins with a letter: of an error, a model, a form. A number alone is none,
nor is a measure (10kg), a year, or a word with a number behind it (top-10), unless a text has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product

from arcana_pipelines.lexical.analysis import stem_of_english, term_id

MOST = 8  # of a question
_MOST_PIECES = 5  # of a code that is looked for in every way to write it
_JOINED = re.compile(
    r"(?<![A-Za-z0-9@/])(?<![A-Za-z0-9][-_.&])[A-Za-z][A-Za-z0-9]*+(?:[-_./&][A-Za-z0-9]++)*+(?![@:][A-Za-z0-9/])"
)
_APART = re.compile(
    r"(?<![A-Za-z0-9])(?<![A-Za-z0-9][-_./&])([A-Za-z]{1,6}) (\d+(?:\.\d+)*+)(?![A-Za-z0-9]|[-_./:,]\d)"
)
_PIECE = re.compile(r"[a-z]+|[0-9]+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_NUMBER = re.compile(rf"(?!{_YEAR.pattern}$)\d{{3,}}")
# In small letters and with a hyphen a word stands before a number: top-10.
_WORD_AND_NUMBER = re.compile(r"[a-z]{3,}-\d+")
# What else stands in capitals before a number.
_NO_FAMILY = frozenset("AED CHF CNY EUR GBP HKD INR JPY KRW RMB SGD USD GB KB MB TB AM PM AD BC A I".split())


@dataclass(frozen=True)
class AskedCode:
    """A code of a question.

    Attributes:
        written: as the question has it.
        is_likely: it looks like one. Otherwise it is one where a text has it alone.
    """

    written: str
    is_likely: bool = True

    @property
    def pieces(self) -> tuple[str, ...]:
        """Its runs of letters and of digits."""
        return tuple(_PIECE.findall(self.written.lower()))

    @property
    def whole(self) -> tuple[int, ...]:
        """The terms each of which is the code: as it is written, and without what joins its pieces."""
        return tuple(dict.fromkeys(map(term_id, (self.joined.lower(), "".join(self.pieces)))))

    @property
    def apart(self) -> tuple[frozenset[int], ...]:
        """The terms of each way to write it in parts, with blanks or other signs between them."""
        return _ways_apart(self.pieces)

    @property
    def joined(self) -> str:
        """It with hyphens for blanks, as words do not fall apart."""
        return "-".join(self.written.split())

    @property
    def terms(self) -> frozenset[int]:
        """All of these."""
        return frozenset(self.whole).union(*self.apart)

    @property
    def pattern(self) -> re.Pattern[str]:
        """It, in a text."""
        said = r"[-_./&: ]?".join(map(re.escape, self.pieces))
        return re.compile(rf"(?<![a-z0-9]){said}(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class KnownCode:
    """A code of a question, and how texts write it.

    Attributes:
        asked: as the question has it.
        ways: the terms of each way to write it, as far as a text has it; of one that no text has, the first of them.
        is_missing: no text has it.
    """

    asked: AskedCode
    ways: tuple[frozenset[int], ...]
    is_missing: bool


@lru_cache(1_000)
def _ways_apart(pieces: tuple[str, ...]) -> tuple[frozenset[int], ...]:
    if len(pieces) > _MOST_PIECES:
        return (frozenset(map(_term, pieces)),)
    ways = []
    for cuts in product((False, True), repeat=len(pieces) - 1):
        parts = [pieces[0]]
        for (_, piece), is_cut in zip(pairwise(pieces), cuts, strict=True):
            parts = [*parts, piece] if is_cut else [*parts[:-1], parts[-1] + piece]
        ways.append(frozenset(map(_term, parts)))
    return tuple(way for way in ways if len(way) > 1)


def _term(part: str) -> int:
    """The number by which a part is indexed."""
    return term_id(f"~{stem_of_english(part)}" if part.isalpha() else part)


def codes_of(text: str) -> list[AskedCode]:
    """The codes of a text, the first ones, each once."""
    found = {code.written.lower(): code for code in (*_joined(text), *_apart(text))}
    return list(found.values())[:MOST]


def _joined(text: str) -> Iterator[AskedCode]:
    for match in _JOINED.finditer(text):
        written = match[0]
        pieces = _PIECE.findall(written.lower())
        if any(piece.isdigit() for piece in pieces):
            is_word = _WORD_AND_NUMBER.fullmatch(written) is not None
            is_year = len(pieces) == 2 and _YEAR.fullmatch(pieces[1]) is not None
            yield AskedCode(written, not is_word and not is_year)


def _apart(text: str) -> Iterator[AskedCode]:
    for match in _APART.finditer(text):
        family, number = match[1], match[2]
        # In a question in capitals they say nothing.
        is_capital = family.isupper() and family not in _NO_FAMILY and not text.replace(match[0], "").isupper()
        is_numbered = len(family) == 1 or number.count(".") > 1 or _NUMBER.fullmatch(number) is not None
        yield AskedCode(match[0], is_capital and is_numbered)
