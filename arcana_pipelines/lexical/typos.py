"""Words that no text has, and what was probably meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rapidfuzz.distance import OSA

from arcana_pipelines.lexical.analysis import LEVELS, query_terms, words_of

MOST = 5  # words of one query
WEIGHT = 0.7  # of a word that was not asked for
_MOST_EDITS = 2


def unknown_words(query: str, counts: Mapping[int, int]) -> list[str]:
    """The query's words of letters that no chunk has in any form; `counts` are those of its keys."""
    return sorted(
        word
        for word in words_of(query)
        if not any(
            part * LEVELS + level in counts
            for term in query_terms(word).values()
            for part in term.parts
            for level in range(LEVELS)
        )
    )


def nearest(word: str, candidates: Sequence[str]) -> str | None:
    """The candidate with the fewest edits (optimal string alignment), if that is two at most."""
    ranked = sorted((OSA.distance(word, each), at, each) for at, each in enumerate(candidates) if each != word)
    return ranked[0][2] if ranked and ranked[0][0] <= _MOST_EDITS else None
