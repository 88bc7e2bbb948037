"""Where a text has a question's words."""

from __future__ import annotations

import re
from collections.abc import Set

from arcana_pipelines.chunking.lexemes import LEAST, Token, tokens

_RUN = re.compile(r"\w+")


def terms_of(query: str) -> set[str]:
    """The terms of a question that are worth marking."""
    return {token.term for token in tokens(query) if token.weight > LEAST}


def highlights(text: str, terms: Set[str]) -> list[tuple[int, int]]:
    """Spans (begin, end) of a text that hold one of the terms, in order and apart from each other."""
    spans: list[tuple[int, int]] = []
    for run in _RUN.finditer(text):
        found = [token for token in tokens(run.group()) if token.term in terms]
        if not found:
            continue
        begin, end = _inside(run.group(), found)
        span = (run.start() + begin, run.start() + end)
        if spans and spans[-1][1] >= span[0]:
            spans[-1] = (spans[-1][0], span[1])
        else:
            spans.append(span)
    return spans


def _inside(run: str, found: list[Token]) -> tuple[int, int]:
    """A word whole; of a run of Hangul, kana or ideographs only what matches."""
    places = [(at, at + len(token.term)) for token in found if (at := run.lower().find(token.term)) >= 0]
    if len(places) < len(found) or not places:
        return 0, len(run)
    return min(begin for begin, _ in places), max(end for _, end in places)
