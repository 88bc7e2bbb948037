"""Where a text has a question's words."""

from __future__ import annotations

import re
from collections.abc import Set

from arcana_pipelines.lexical.analysis import (
    HYPHENATED,
    LEAST,
    PICTURE,
    UNSEEN,
    has_cjk,
    numbers,
    query_terms,
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
    """The numbers of a question's terms that are worth marking."""
    return {number for number, term in query_terms(query).items() if term.weight > LEAST}


def highlights(text: str, terms: Set[int]) -> list[tuple[int, int]]:
    """Spans (begin, end) of a text that hold one of the terms, in order and apart from each other."""
    spans: list[tuple[int, int]] = []
    for run in _RUN.finditer(text):
        word = run.group()
        if terms.isdisjoint(numbers(word)):
            continue
        begin, end = _inside(word, terms) if has_cjk(word) else (0, len(word))
        span = (run.start() + begin, run.start() + end)
        if spans and spans[-1][1] >= span[0]:
            spans[-1] = (spans[-1][0], span[1])
        else:
            spans.append(span)
    return spans


def terms_in(text: str, terms: Set[int]) -> set[int]:
    """Which of the terms a text holds."""
    words = {run.group() for run in _RUN.finditer(text)}
    return {number for word in words for number in numbers(word) if number in terms}


def _inside(word: str, terms: Set[int]) -> tuple[int, int]:
    """What matches of a run of Hangul, kana or ideographs; all of it where that cannot be said."""
    terms_inside = [token.term.lstrip("=") for token in tokens(word) if term_id(token.term) in terms]
    places = [(at, at + len(term)) for term in terms_inside if (at := word.lower().find(term)) >= 0]
    if not places:
        return 0, len(word)
    return min(begin for begin, _ in places), max(end for _, end in places)
