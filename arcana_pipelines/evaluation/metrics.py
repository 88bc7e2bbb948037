"""Measures of a ranking, by the definitions of trec_eval (https://github.com/usnistgov/trec_eval).

`gains` are the grades of what was found, best rank first (0: irrelevant); `ideal` those of all there is to find,
highest first. Every measure is between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

RECALL_AT = (5, 10, 50)
DECISIVE = "ndcg@10"


def measure(gains: Sequence[int], ideal: Sequence[int]) -> dict[str, float]:
    """Every measure of one ranking, by name."""
    return {
        DECISIVE: ndcg(gains, ideal, 10),
        "mrr@10": reciprocal_rank(gains, 10),
        **{f"recall@{k}": recall(gains, len(ideal), k) for k in RECALL_AT},
    }


def ndcg(gains: Sequence[int], ideal: Sequence[int], k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`: sum of grade / log2(rank + 1), over that of the ideal.

    The gain is the grade itself, as in Järvelin and Kekäläinen (2002), trec_eval, BEIR and MTEB, and not
    2^grade - 1 as in web search (Burges et al., 2005).
    """
    return _dcg(gains[:k]) / _dcg(ideal[:k])


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def reciprocal_rank(gains: Sequence[int], k: int) -> float:
    """1 / rank of the first relevant one among the first `k`, else 0. Its mean is MRR@k (Voorhees, 1999)."""
    return next((1 / rank for rank, gain in enumerate(gains[:k], start=1) if gain > 0), 0.0)


def recall(gains: Sequence[int], relevant: int, k: int) -> float:
    """The share of all relevant ones that is among the first `k`."""
    return sum(gain > 0 for gain in gains[:k]) / relevant


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed (nearest rank)."""
    return sorted(values)[max(ceil(len(values) * percent / 100), 1) - 1]
