"""A second opinion on the best hits: the order in which a reranker puts them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

from arcana_pipelines.errors import RerankingFailed
from arcana_pipelines.observing.traces import traced
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.retrieval.results import Hit

log = logging.getLogger(__name__)

RERANKED = 50  # hits; further down little is gained, and a cross-encoder reads every text each time


@traced("rerank")
def reranked(reranker: Reranker, query: str, hits: Sequence[Hit]) -> tuple[list[Hit], bool]:
    """(hits, whether the reranker ordered them): the first `RERANKED` by its scores, the others behind them."""
    best, others = hits[:RERANKED], hits[RERANKED:]
    try:
        scores = reranker.scores(query, [_read(hit) for hit in best])
    except RerankingFailed as error:
        log.warning("searching without the reranker: %s", error)
        return list(hits), False
    # By what it said: numbers that differ may be the same once they are squeezed between 0 and 1.
    order = sorted(range(len(best)), key=lambda number: -scores[number])
    shown = _between_0_and_1(scores)
    lowest = min(shown, default=0.0)
    return [
        *(replace(best[number], score=round(shown[number], 6)) for number in order),
        *(replace(hit, score=round(hit.score * lowest, 6)) for hit in others),
    ], True


def _read(hit: Hit) -> str:
    """What the reranker reads: the text below its title and headings."""
    return " > ".join((hit.title, *hit.heading_path)) + "\n" + hit.text


def _between_0_and_1(scores: Sequence[float]) -> list[float]:
    """Some endpoints answer probabilities, some the numbers before the last step; the order stays."""
    if all(0 <= score <= 1 for score in scores):
        return list(scores)
    return [(1 + math.tanh(score / 2)) / 2 for score in scores]
