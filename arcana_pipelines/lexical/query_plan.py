"""Which chunks to score for a query, and with what: BM25 within a budget of rows.

The rows of the index are found by key (a term and the step of its weight). Keys are taken by what a chunk can gain
by them, strongest first, until they stand for `BUDGET` rows; every row found is scored exactly. What is left out
are common words at weak steps. Chunks that are good by several such words at once are found by their conjunction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from arcana_pipelines.lexical.analysis import K1, LEVELS, TERMS, QueryTerm

BUDGET = 1600  # rows found by single keys,
BUDGET_OF_A_TERM = 60  # and so many more for each term: the score of a long query is the sum of many small gains
TOGETHER = 150  # rows that would have several common words, were words independent; it is three to ten times as many
MOST_TOGETHER = 5
NOTHING = f"{{}}/{TERMS}"  # the vector of no term
# The middle of each step's weights (without idf).
_WEIGHT = (0.6, 0.95, 1.15, 1.4, 1.6, 1.8, 2.0, 2.2)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the statement needs.

    Attributes:
        vector: idf times weight by term, as pgvector reads a sparsevec; its indexes begin with 1.
        keys: chunks with any of these are scored.
        together: a chunk is scored too when it has one key of each of these groups; empty: `keys` are all there are, or
            nothing can have one of each.
        attainable: more than any chunk can score.
        gains: idf times weight by term: what a text gains by it.
    """

    vector: str
    keys: list[int]
    together: list[list[int]]
    attainable: float
    gains: dict[int, float]


def keys_of(question: Mapping[int, QueryTerm]) -> list[int]:
    """All keys of a query's indexed terms: what the statistics are asked for."""
    terms = {part for term in question.values() for part in term.parts}
    return [term * LEVELS + level for term in terms for level in range(LEVELS)]


def plan(question: Mapping[int, QueryTerm], chunks: int, counts: Mapping[int, int]) -> Plan | None:
    """Choose keys for a query; `counts` has the number of chunks of each key that exists. None: nothing matches."""
    frequency = {
        part: sum(counts.get(part * LEVELS + level, 0) for level in range(LEVELS))
        for term in question.values()
        for part in term.parts
    }
    rarity = {part: math.log1p((chunks - held + 0.5) / (held + 0.5)) for part, held in frequency.items()}
    gain = {number: term.weight * max(rarity[part] for part in term.parts) for number, term in question.items()}
    indexed = sorted(
        (number for number, term in question.items() if term.parts == (number,) and frequency[number]),
        key=lambda number: -gain[number],
    )
    if not indexed:
        return None
    steps = sorted(
        (
            (gain[number] * _WEIGHT[level], number * LEVELS + level)
            for number in indexed
            for level in range(LEVELS)
            if number * LEVELS + level in counts
        ),
        reverse=True,
    )
    budget = BUDGET + BUDGET_OF_A_TERM * len(indexed)
    keys: list[int] = []
    rows = 0
    for _, key in steps:
        rows += counts[key]
        if keys and rows > budget:
            break
        keys.append(key)
    together = [] if len(keys) == len(steps) else _together(indexed[:MOST_TOGETHER], chunks, counts)
    vector = ",".join(f"{number + 1}:{weight:.6g}" for number, weight in sorted(gain.items()))
    return Plan(f"{{{vector}}}/{TERMS}", keys, together, (K1 + 1) * sum(gain.values()), gain)


def _together(terms: Iterable[int], chunks: int, counts: Mapping[int, int]) -> list[list[int]]:
    """The keys of each term at one step or a stronger one; a row has to have one of each term."""
    groups: list[list[int]] = []
    for least in range(LEVELS):
        groups = [[key for level in range(least, LEVELS) if (key := term * LEVELS + level) in counts] for term in terms]
        if chunks * math.prod(sum(counts[key] for key in group) / chunks for group in groups) <= TOGETHER:
            break
    return [group for group in groups if group] if all(groups) else []
