"""Where a text has a question's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
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
from arcana_pipelines.lexical.english_marks import apart
from arcana_pipelines.lexical.korean_marks import is_counted, marks, names_of
from arcana_pipelines.retrieval.codes import Code, codes_of

# A word, with what is written inside of it and nobody sees, and accents that stand behind their letter; with the signs
# that may belong to a name: `C++`, `.NET`, `--flag`.
_RUN = re.compile(
    rf"\b(?:{HYPHENATED})\b"
    rf"|(?:(?<![\w.])[.@#]|(?<![\w-])--)?\w[\w\u0300-\u036f{UNSEEN}]*(?:\+{{1,2}}|#)?|{PICTURE}",
    re.IGNORECASE,
)

_PART = re.compile("[가-힣]+|[^가-힣]+")


_ENGLISH = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]+(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class Marks:
    """What of a question is worth marking in texts.

    Attributes:
        words: the numbers of its words; none where all of them only ask or join others.
        codes: what is marked as a whole or not at all.
    """

    words: frozenset[int] = frozenset()
    codes: tuple[Code, ...] = ()


@lru_cache(20_000)
def _number_of_mark(name: str) -> int:
    """Apart from the terms of texts: those say what is found, this what is marked."""
    return term_id(f"|{name}")


def terms_of(query: str) -> set[int]:
    """The numbers of a question's terms that say what is asked for; none where all its words only ask or join."""
    return {term_id(token.term) for token in tokens(query) if token.weight > LEAST}


def marks_of(query: str) -> Marks:
    """What is marked for a question."""
    codes, words = codes_of(query)
    english = {own for word in _ENGLISH.findall(words) if (own := apart(word.lower()))}
    words = _ENGLISH.sub(lambda found: " " if apart(found[0].lower()) else found[0], words) if english else words
    return Marks(frozenset(terms_of(words) | set(map(_number_of_mark, (*names_of(words), *english)))), codes)


def highlights(text: str, asked: Marks) -> list[tuple[int, int]]:
    """Spans (begin, end) of a text that hold what is marked, in order and apart from each other."""
    spans: list[tuple[int, int]] = []
    marked_in = _marked(asked.words)
    marked = [span for code in asked.codes for span in code.places(text)]
    marked += [
        (at + begin, at + end)
        for piece in set(text.split())
        if marked_in[piece]
        for at in _places(text, piece)
        for begin, end, may_count in marked_in[piece]
        if not (may_count and is_counted(text, at + begin))
    ]
    for begin, end in sorted(marked):
        if spans and spans[-1][1] >= begin:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
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


class _Marked(dict[str, Sequence[tuple[int, int, bool]]]):
    """Where in a piece without blanks some terms are, and whether it may be a unit there that is counted."""

    def __init__(self, terms: Set[int]) -> None:
        super().__init__()
        self._terms = terms

    def __missing__(self, piece: str) -> Sequence[tuple[int, int, bool]]:
        named = _names_before(piece) if len(piece) <= _LONGEST_CACHED else _names(piece)
        self[piece] = spans = () if self._terms.isdisjoint(named) else tuple(_spans(piece, self._terms))
        return spans


def _names(piece: str) -> tuple[int, ...]:
    """The numbers of all terms for which something in a piece is marked."""
    found: list[int] = []
    for word in _RUN.findall(piece):
        if not has_cjk(word):
            found += _numbers_of_word(word)
            continue
        for part in _PART.findall(word):
            found += [_number_of_mark(mark.name) for mark in marks(part)] if part >= "가" else numbers(part)
    return tuple(found)


def _numbers_of_word(word: str) -> tuple[int, ...]:
    """By what a word is known again, other forms of it included."""
    own = apart(word.lower()) if word.isascii() and word.isalpha() else None
    return (_number_of_mark(own),) if own else numbers(word)


_names_before = lru_cache(20_000)(_names)  # most pieces come again in the texts of other answers
_marked = lru_cache(8)(_Marked)


def _spans(piece: str, terms: Set[int]) -> Iterator[tuple[int, int, bool]]:
    for run in _RUN.finditer(piece):
        word = run.group()
        if not has_cjk(word):
            if not terms.isdisjoint(_numbers_of_word(word)):
                yield run.start(), run.end(), False
            continue
        for part in _PART.finditer(word):
            at = run.start() + part.start()
            if part.group() >= "가":
                found = next((mark for mark in marks(part.group()) if _number_of_mark(mark.name) in terms), None)
                if found is not None:
                    yield at, at + found.length, found.may_count
            elif not terms.isdisjoint(numbers(part.group())):
                begin, end = _inside(part.group(), terms)
                yield at + begin, at + end, False


def _places(text: str, piece: str) -> Iterator[int]:
    """Where a piece stands in a text, with blanks around it."""
    at = text.find(piece)
    while at >= 0:
        around = chain(text[at - 1 : at], text[at + len(piece) : at + len(piece) + 1])
        if all(character.isspace() for character in around):
            yield at
        at = text.find(piece, at + 1)


def _inside(word: str, terms: Set[int]) -> tuple[int, int]:
    """What matches of a run of kana or ideographs; all of it where that cannot be said."""
    terms_inside = [token.term.lstrip("=") for token in tokens(word) if term_id(token.term) in terms]
    places = [(at, at + len(term)) for term in terms_inside if (at := word.lower().find(term)) >= 0]
    if not places:
        return 0, len(word)
    return min(begin for begin, _ in places), max(end for _, end in places)
