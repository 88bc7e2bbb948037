"""What the words of a chunk weigh in it.

They are kept as arrays of numbers: `terms` with `weights`, their BM25 weights without idf, and `keys`, each term with
the step of its weight, so that an index can read a common word's strongest chunks alone.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.lexical.analysis import K1, LEVELS, STEPS, TERMS, read_words

B = 0.75
REFERENCE_LENGTH = 300  # weighted words of a chunk; see `Weights`
HEADING_WEIGHT = 3


@dataclass(frozen=True, slots=True)
class Weights:
    """The terms of one chunk.

    Attributes:
        terms: the number of each term (`term_id`), ascending.
        weights: the BM25 weight of each, without idf; of the same shape.
        keys: of each indexed term `term * LEVELS + step of its weight`, ascending: what rows of the index are found by.
        words: those of title, headings and text as they are written (see `is_word`).
    """

    terms: NDArray[np.int64]
    weights: NDArray[np.float64]
    keys: NDArray[np.int64]
    words: Collection[str]


def chunk_weights(chunks: Sequence[tuple[str, Sequence[str], str]]) -> list[Weights]:
    """BM25 weights of the terms of chunks, without idf (Robertson and Zaragoza, 2009; k1 = 1.5, b = 0.75).

    A chunk is its title, headings and text; words of title and headings count three times (as in BM25F). Lengths are
    compared with a fixed reference, not with the build's mean: with the mean m that is BM25 with k1' = k1 (1 - b + b m
    / reference), so a weight never changes after it was published.
    """
    counted = [_counted(*chunk) for chunk in chunks]
    # All chunks at once, as arrays: of words first, then of their terms, then of the different terms of each chunk.
    words = [read_words(counts) for counts in counted]
    flat = list(itertools.chain.from_iterable(words))
    repeated = _flat((counts.values() for counts in counted), np.float64)
    sizes = np.array([len(word.terms) for word in flat], dtype=np.int64)
    chunk_of_word = np.repeat(np.arange(len(counted)), list(map(len, words)))
    places = np.repeat(chunk_of_word, sizes) * TERMS + _flat((word.terms for word in flat), np.int64)
    places, inverse = np.unique(places, return_inverse=True)
    frequencies = np.bincount(inverse, np.repeat(repeated, sizes), len(places))
    is_indexed = np.bincount(inverse, _flat((word.is_indexed for word in flat), np.float64), len(places)) > 0
    chunk, terms = np.divmod(places, TERMS)
    lengths = np.bincount(chunk, frequencies, len(counted))
    points = (K1 * (1 - B + B * lengths / REFERENCE_LENGTH))[chunk]
    weights = frequencies * (K1 + 1) / (frequencies + points)
    keys = (terms * LEVELS + np.searchsorted(STEPS, frequencies / points, side="right"))[is_indexed]
    borders = np.arange(1, len(counted))
    by_chunk = np.searchsorted(chunk, borders)
    return list(
        map(
            Weights,
            np.split(terms, by_chunk),
            np.split(weights, by_chunk),
            np.split(keys, np.searchsorted(chunk[is_indexed], borders)),
            ({written for word in chunk_words for written in word.words} for chunk_words in words),
        )
    )


def _counted(title: str, headings: Sequence[str], text: str) -> Counter[str]:
    counts = Counter(text.split())
    for part in (title, *headings):
        for word in part.split():
            counts[word] += HEADING_WEIGHT
    return counts


def _flat(parts: Iterable[Iterable[float]], kind: type) -> NDArray[Any]:
    return np.fromiter(itertools.chain.from_iterable(parts), dtype=kind)
