"""The words by which a chunk is found: one tokeniser for documents and queries.

Latin words and numbers as written (lower case, compatibility forms folded); runs of Hangul, kana and CJK
ideographs as overlapping pairs of characters, which finds Korean words whatever particle follows them.
Identifiers such as `HR-200` or `user_id` are kept whole and in their parts.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator

# tsvector's limits: https://www.postgresql.org/docs/current/textsearch-limitations.html
_LONGEST_LEXEME = 64
_HIGHEST_POSITION = 16383
_MOST_POSITIONS = 255

_RUN = re.compile(r"[぀-ヿ㐀-鿿豈-﫿가-힣ᄀ-ᇿ]+|[^\W_぀-ヿ㐀-鿿豈-﫿가-힣ᄀ-ᇿ]+")
_IDENTIFIER = re.compile(r"[A-Za-z0-9]+(?:[-_./][A-Za-z0-9]+)+")
_CJK = re.compile(r"[぀-ヿ㐀-鿿豈-﫿가-힣ᄀ-ᇿ]")


def tokens(text: str) -> Iterator[str]:
    """The lexemes of a text, in order, with repetitions."""
    text = unicodedata.normalize("NFKC", text).lower()
    for run in _RUN.findall(text):
        if _CJK.match(run):
            if len(run) == 1:
                yield run
            for index in range(len(run) - 1):
                yield run[index : index + 2]
        else:
            yield run[:_LONGEST_LEXEME]
    for identifier in _IDENTIFIER.findall(text):
        yield identifier[:_LONGEST_LEXEME]


def has_cjk(text: str) -> bool:
    """True when the text has Hangul, kana or ideographs."""
    return _CJK.search(text) is not None


def tsvector(text: str) -> str:
    """The text form of a tsvector with every lexeme's positions."""
    positions: defaultdict[str, list[int]] = defaultdict(list)
    for position, lexeme in enumerate(tokens(text), start=1):
        held = positions[lexeme]
        if len(held) < _MOST_POSITIONS:
            held.append(min(position, _HIGHEST_POSITION))
    return " ".join(f"{_quoted(lexeme)}:{','.join(map(str, held))}" for lexeme, held in positions.items())


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
