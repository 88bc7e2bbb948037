"""Words that no text has, and what was probably meant.

What everybody knows is no typing error, only because no text has it. `common_stems.txt` has the English stems of the
words and names of four letters and more among the first 50,000 tokens of OpenAI's vocabulary `cl100k_base` (MIT), where
the commonest stand first, but for those of `goverment` and `seperate`. Of the words of 160 sentences that people wrote
to try searches 5 % are missing; with all tokens it would be 2 %, in a file twice as large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from arcana_pipelines.lexical.analysis import keys_of_term, query_terms, tokens, words_of

MOST = 5  # words of one query
WEIGHT = 0.7  # of a word that was not asked for
_MOST_EDITS = 2
_SHORT = 5  # letters of a word that by two edits may become any other


def unknown_words(query: str, counts: Mapping[int, int]) -> list[str]:
    """The query's words of letters that no chunk has in any form and few people know; `counts` are of its keys."""
    return sorted(word for word in words_of(query) if not is_known(word, counts) and not is_common(word))


def is_known(word: str, counts: Mapping[int, int]) -> bool:
    """Whether a chunk has a word in any form; `counts` are of its keys."""
    parts = {part for term in query_terms(word).values() for part in term.parts}
    return any(key in counts for part in parts for key in keys_of_term(part))


def nearest(word: str, candidates: Sequence[str]) -> str | None:
    """The candidate with the fewest edits (optimal string alignment): at most two, or one of a short word."""
    from rapidfuzz.distance import OSA

    ranked = sorted((OSA.distance(word, each), at, each) for at, each in enumerate(candidates) if each != word)
    most = 1 if len(word) <= _SHORT else _MOST_EDITS
    return ranked[0][2] if ranked and ranked[0][0] <= most else None


def is_common(word: str) -> bool:
    """Whether everybody knows a word."""
    return any(token.term.removeprefix("~") in common_stems() for token in tokens(word))


@cache
def common_stems() -> frozenset[str]:
    """The English stems that everybody knows."""
    return frozenset(Path(__file__).with_name("common_stems.txt").read_text(encoding="ascii").split())
