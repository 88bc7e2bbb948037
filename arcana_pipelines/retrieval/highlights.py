"""Where a text has a question's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from functools import lru_cache
from itertools import chain

from arcana_pipelines.lexical.analysis import (
    HYPHENATED,
    LEAST,
    PICTURE,
    UNSEEN,
    has_cjk,
    numbers,
    term_id,
    tokens,
)

# A word, with what is written inside of it and nobody sees, and accents that stand behind their letter; with the signs
# that may belong to a name: `C++`, `.NET`, `--flag`.
_RUN = re.compile(
    rf"\b(?:{HYPHENATED})\b"
    rf"|(?:(?<![\w.])[.@#]|(?<![\w-])--)?\w[\w\u0300-\u036f{UNSEEN}]*(?:\+{{1,2}}|#)?|{PICTURE}",
    re.IGNORECASE,
)


def terms_of(query: str) -> set[int]:
    """The numbers of a question's terms that are worth marking; none where all its words only ask or join others."""
    return {term_id(token.term) for token in tokens(query) if token.weight > LEAST}


def highlights(text: str, terms: Set[int]) -> list[tuple[int, int]]:
    """Spans (begin, end) of a text that hold one of the terms, in order and apart from each other."""
    spans: list[tuple[int, int]] = []
    held = _held(frozenset(terms))
    marked = [
        (at + begin, at + end)
        for piece in set(text.split())
        if held[piece]
        for begin, end in _spans(piece, terms)
        for at in _places(text, piece)
    ]
    for begin, end in sorted(marked):
        if spans and spans[-1][1] >= begin:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
    return spans


def terms_in(text: str, terms: Set[int]) -> set[int]:
    """Which of the terms a text holds."""
    held = _held(frozenset(terms))
    return {number for piece in set(text.split()) for number in held[piece]}


class _Held(dict[str, Set[int]]):
    """Which of some terms a piece without blanks holds. No word has a blank in it, and most pieces come again."""

    def __init__(self, terms: Set[int]) -> None:
        super().__init__()
        self._terms = terms

    def __missing__(self, piece: str) -> Set[int]:
        in_it = _numbers_before(piece) if len(piece) <= _LONGEST_CACHED else _numbers(piece)
        found = _NONE if self._terms.isdisjoint(in_it) else self._terms & set(in_it)
        self[piece] = found
        return found


def _numbers(piece: str) -> tuple[int, ...]:
    return tuple([number for word in _RUN.findall(piece) for number in numbers(word)])


_NONE: Set[int] = frozenset()
_LONGEST_CACHED = 48
_numbers_before = lru_cache(20_000)(_numbers)
_held = lru_cache(8)(_Held)  # the texts of an answer are read one after the other


def _spans(piece: str, terms: Set[int]) -> Iterator[tuple[int, int]]:
    """Where in a piece one of the terms is."""
    for run in _RUN.finditer(piece):
        word = run.group()
        if not terms.isdisjoint(numbers(word)):
            begin, end = _inside(word, terms) if has_cjk(word) else (0, len(word))
            yield run.start() + begin, run.start() + end


def _places(text: str, piece: str) -> Iterator[int]:
    """Where a piece stands in a text, with blanks around it."""
    at = text.find(piece)
    while at >= 0:
        around = chain(text[at - 1 : at], text[at + len(piece) : at + len(piece) + 1])
        if all(character.isspace() for character in around):
            yield at
        at = text.find(piece, at + 1)


def _inside(word: str, terms: Set[int]) -> tuple[int, int]:
    """What matches of a run of Hangul, kana or ideographs; all of it where that cannot be said."""
    terms_inside = [token.term.lstrip("=") for token in tokens(word) if term_id(token.term) in terms]
    places = [(at, at + len(term)) for term in terms_inside if (at := word.lower().find(term)) >= 0]
    if not places:
        return 0, len(word)
    return min(begin for begin, _ in places), max(end for _, end in places)
