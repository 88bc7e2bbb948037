"""How much of what a question asks for a text says, in its own words or in others that mean about the same.

A score by words (BM25) sums what each word gains, and only a text of the question's language can have them all. Here a
word counts once, however often a text has it, and in whichever language. So texts of both languages can be compared,
and a text that answers is told from one that has one of the words many times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from arcana_pipelines.lexical.analysis import LEAST, is_asking, runs_of, term_id, tokens
from arcana_pipelines.lexical.codes import KnownCode
from arcana_pipelines.lexical.concepts import Meaning, as_written, meanings

MOST_WORDS = 32  # of a text: those behind them add little to what it asks for
# What it counts to say a word by one of the same meaning, in its language and in the other.
IN_SAME_LANGUAGE, IN_OTHER_LANGUAGE = 0.8, 1.0
_ALL = 0.999  # the shares of the parts of a code, summed

Terms = frozenset[int]


@dataclass(frozen=True, slots=True)
class AskedWord:
    """A word that a question asks for.

    Attributes:
        own: the ways to write it, each as the numbers of its indexed terms.
        alike: ways to write what means about the same, with what each counts of the word itself.
        share: what the text counts that it is a word of.
        is_code: a part of it is not it.
        is_missing: it is a code that no text has.
    """

    own: tuple[Terms, ...]
    alike: tuple[tuple[Terms, float], ...]
    share: float = 1.0
    is_code: bool = False
    is_missing: bool = False

    @property
    def ways(self) -> tuple[tuple[Terms, float], ...]:
        """All of them, with what each counts."""
        return (*((way, 1.0) for way in self.own), *self.alike)


def asked_words(text: str, share: float = 1.0, codes: Sequence[KnownCode] = ()) -> Iterator[AskedWord]:
    """The words of a text that say what is asked for; of a compound, each that is known. `codes` are words of it."""
    for code in codes:
        if code.asked.written in text:
            yield AskedWord(code.ways, (), share, is_code=True, is_missing=code.is_missing)
            text = text.replace(code.asked.written, " ")
    known = defaultdict(list)
    for meaning in meanings(text):
        known[meaning.word].append(meaning)
    for run in [run for run in runs_of(text) if not is_asking(run)][:MOST_WORDS]:
        for meaning in known.get(run) or [Meaning(run, run, (), ())]:
            alike = [(word, IN_SAME_LANGUAGE) for word in meaning.same]
            alike += [(word, IN_OTHER_LANGUAGE) for word in meaning.other]
            ways = ((way, counts) for word, counts in alike for way in _ways(as_written(word)))
            yield AskedWord(_ways(meaning.part), tuple(ways), share)


@lru_cache(4_000)
def _ways(run: str) -> tuple[Terms, ...]:
    """As a noun and as a verb, where Korean may be either."""
    every = list(tokens(run))
    telling = [token for token in every if token.weight > LEAST] or every
    whole = [frozenset(map(term_id, token.parts)) for token in telling if token.parts]
    return tuple(dict.fromkeys(whole)) or (frozenset(term_id(token.term) for token in telling),)


class Coverage:
    """Some words, made ready to be looked for in many texts."""

    def __init__(self, words: Sequence[AskedWord], rarity: Mapping[int, float]) -> None:
        """`rarity` is the idf of each term. A word is as rare as the commonest way to write it.

        `missing` is the share of codes that no text has of all that is asked for.
        """
        self._weights = [word.share * min(max(rarity[term] for term in way) for way in word.own) for word in words]
        self._whole = sum(self._weights)
        missing = sum(weight for word, weight in zip(words, self._weights, strict=True) if word.is_missing)
        self.missing = missing / self._whole if self._whole else 0.0
        self._codes = frozenset(number for number, word in enumerate(words) if word.is_code)
        self._word_of_way: list[int] = []
        self._ways_of_term: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
        for number, word in enumerate(words):
            for terms, counts in word.ways:
                for term in terms:
                    self._ways_of_term[term].append((len(self._word_of_way), counts / len(terms)))
                self._word_of_way.append(number)

    def of(self, terms: Set[int]) -> float:
        """How much of what is asked for a text with these terms says, 0 to 1."""
        covered: defaultdict[int, float] = defaultdict(float)
        for term in terms & self._ways_of_term.keys():
            for way, share in self._ways_of_term[term]:
                covered[way] += share
        best: dict[int, float] = {}
        for way, share in covered.items():
            word = self._word_of_way[way]
            if share < _ALL and word in self._codes:
                continue
            best[word] = max(best.get(word, 0.0), share)
        return sum(share * self._weights[word] for word, share in best.items()) / self._whole if self._whole else 0.0
