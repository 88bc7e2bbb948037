"""Which chunks to score for a query, and with what: BM25 within a budget of rows.

The rows of the index are found by key (a term and the step of its weight). Keys are taken by what a chunk can gain
by them, strongest first, until they stand for `BUDGET` rows; every row found is scored exactly. What is left out
are common words at weak steps. Chunks that are good by several such words at once are found by their conjunction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from arcana_pipelines.lexical.analysis import K1, LEVELS, TERMS, QueryTerm, keys_of_term

BUDGET = 1600  # rows found by single keys,
BUDGET_OF_A_TERM = 60  # and so many more for each term: the score of a long query is the sum of many small gains
TOGETHER = 150  # rows that would have several common words, were words independent; it is three to ten times as many
MOST_TOGETHER = 5
# An index of fewer chunks is taken for one of so many: in a single one whatever it has would be no rare word.
FEWEST = 10
NOTHING = f"{{}}/{TERMS}"  # the vector of no term
# The middle of each step's weights (without idf).
_WEIGHT = (0.6, 0.95, 1.15, 1.4, 1.6, 1.8, 2.0, 2.2)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the statement needs.

    Attributes:
        vector: idf times weight by term, as pgvector reads a sparsevec; its indexes begin with 1.
        other_vector: the same of the question as texts of the other language have it; None: no word of it is known. A
            text is in one language: what counts is the better score of both.
        keys: chunks with any of these are scored.
        together: a chunk is scored too when it has one key of each of these groups; empty: `keys` are all there are, or
            nothing can have one of each.
        attainable: more than any chunk can score by the question's own words.
        gains: idf times weight by term: what a text gains by it.
        other_gains: the same in the other language.
    """

    vector: str
    other_vector: str | None
    keys: list[int]
    together: list[list[int]]
    attainable: float
    gains: dict[int, float]
    other_gains: dict[int, float]

    @property
    def all_gains(self) -> dict[int, float]:
        """What a text gains by each term, whatever language it is in."""
        return self.other_gains | self.gains


def keys_of(question: Mapping[int, QueryTerm]) -> list[int]:
    """All keys of a query's indexed terms: what the statistics are asked for."""
    terms = {part for term in question.values() for part in term.parts}
    return [key for term in terms for key in keys_of_term(term)]


_NO_TERMS: Mapping[int, QueryTerm] = MappingProxyType({})


def rarity_of(terms: Iterable[int], chunks: int, counts: Mapping[int, int]) -> dict[int, float]:
    """The idf of indexed terms, above 0: the fewer chunks of an index have one, the more it says."""
    chunks = max(chunks, FEWEST)
    frequency = {term: _frequency(term, counts) for term in terms}
    return {term: math.log1p((chunks - held + 0.5) / (held + 0.5)) for term, held in frequency.items()}


def _frequency(term: int, counts: Mapping[int, int]) -> int:
    return sum(counts.get(key, 0) for key in keys_of_term(term))


def plan(
    question: Mapping[int, QueryTerm],
    chunks: int,
    counts: Mapping[int, int],
    same: Mapping[int, QueryTerm] = _NO_TERMS,
    other: Mapping[int, QueryTerm] = _NO_TERMS,
) -> Plan | None:
    """Choose keys for a query; `counts` has the number of chunks of each key that exists. None: nothing matches.

    Args:
        same: terms that mean the same in the same language, looked for beside those of the question.
        other: the question in the other language. All are found within the budget of the question's own terms.
    """
    looked_for = {**other, **same, **question}
    parts = {part for terms in (question, same, other) for term in terms.values() for part in term.parts}
    rarity = rarity_of(parts, chunks, counts)

    def gains(terms: Mapping[int, QueryTerm]) -> dict[int, float]:
        return {number: term.weight * max(rarity[part] for part in term.parts) for number, term in terms.items()}

    own, in_other = gains({**same, **question}), gains(other)
    gain = in_other | own
    indexed = sorted(
        (number for number, term in looked_for.items() if term.parts == (number,) and _frequency(number, counts)),
        key=lambda number: -gain[number],
    )
    if not indexed:
        return None
    of_question = [number for number in indexed if number in question]
    steps = sorted(
        (
            (gain[number] * weight, key)
            for number in indexed
            for weight, key in zip(_WEIGHT, keys_of_term(number), strict=True)
            if key in counts
        ),
        reverse=True,
    )
    budget = BUDGET + BUDGET_OF_A_TERM * len(of_question)
    keys: list[int] = []
    rows = 0
    for _, key in steps:
        rows += counts[key]
        if keys and rows > budget:
            break
        keys.append(key)
    together = [] if len(keys) == len(steps) else _together(of_question[:MOST_TOGETHER], chunks, counts)
    attainable = (K1 + 1) * sum(own[number] for number in question)
    return Plan(vector_of(own), vector_of(in_other) if in_other else None, keys, together, attainable, own, in_other)


def vector_of(gains: Mapping[int, float]) -> str:
    """Numbers by term, as pgvector reads a sparsevec; its indexes begin with 1."""
    return f"{{{','.join(f'{number + 1}:{gain:.6g}' for number, gain in sorted(gains.items()))}}}/{TERMS}"


def _together(terms: Iterable[int], chunks: int, counts: Mapping[int, int]) -> list[list[int]]:
    """The keys of each term at one step or a stronger one; a row has to have one of each term."""
    groups: list[list[int]] = []
    for least in range(LEVELS):
        groups = [[key for key in keys_of_term(term)[least:] if key in counts] for term in terms]
        if chunks * math.prod(sum(counts[key] for key in group) / chunks for group in groups) <= TOGETHER:
            break
    return [group for group in groups if group] if all(groups) else []
