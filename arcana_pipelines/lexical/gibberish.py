"""Questions that mean nothing: letters by chance, of which no text has any.

To a model of meaning some text is the nearest to whatever was typed. What is looked at: which letters follow each
other in the common English stems, and whether a Hangul syllable is one of the 2,350 of KS X 1001, which have all that
Korean is written with, of 11,172 that can be formed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from statistics import fmean

from arcana_pipelines.lexical.analysis import is_asking, runs_of
from arcana_pipelines.lexical.typos import common_stems, is_common, is_known

# Bits a letter costs behind the two before it, in the mean of a word; behind two that nothing common has, `_UNSEEN`.
# 84 % of words of random letters cost more. Of the words that people asked with 5 in 800 do, `nginx` among them.
_MOST_BITS = 5.4
_UNSEEN = 8.0
_SHORTEST = 4  # letters of a word that can be told
_LONG_NUMBER = 5  # digits of one that no text has
_SMOOTHING, _LETTERS = 0.3, 27
_LATIN = re.compile(r"[a-z]+")
_HANGUL = re.compile(r"[가-힣ᄀ-ᇿ]+")


def is_gibberish(query: str, counts: Mapping[int, int]) -> bool:
    """True when no word of a query is known to the index, and most of their letters are by chance.

    `counts` are of the query's keys.
    """
    words = [word for word in runs_of(query) if not is_asking(word)]
    if any(is_known(word, counts) for word in words):
        return False
    return 2 * sum(len(word) for word in words if _is_by_chance(word)) > sum(map(len, words))


def _is_by_chance(word: str) -> bool:
    if word.isdecimal():
        return len(word) >= _LONG_NUMBER
    if _HANGUL.fullmatch(word):
        return not _is_written(word)
    return (
        _LATIN.fullmatch(word) is not None
        and len(word) >= _SHORTEST
        and not is_common(word)
        and _bits(word) > _MOST_BITS
    )


def _is_written(letters: str) -> bool:
    """Whether all syllables are of KS X 1001, which has two bytes for each; single letters are none."""
    return all(letter >= "가" and len(letter.encode("euc_kr")) == 2 for letter in letters)


def _bits(word: str) -> float:
    threes, twos = _follow()
    marked = f"^{word}"
    bits = [
        math.log2((twos[two] + _SMOOTHING * _LETTERS) / (threes[three] + _SMOOTHING)) if twos[two] else _UNSEEN
        for two, three in ((marked[at : at + 2], marked[at : at + 3]) for at in range(len(marked) - 2))
    ]
    return fmean(bits)


@cache
def _follow() -> tuple[Counter[str], Counter[str]]:
    """How often letters follow each other at the beginning of and inside the common stems: three of them, and two."""
    threes: Counter[str] = Counter()
    for stem in common_stems():
        marked = f"^{stem}"
        threes.update(marked[at : at + 3] for at in range(len(marked) - 2))
    twos: Counter[str] = Counter()
    for letters, times in threes.items():
        twos[letters[:2]] += times
    return threes, twos
