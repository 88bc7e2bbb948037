"""The forward pass: a BERT of 12 layers in float32, then the mean of a text's tokens at unit length.

Wang et al.: Multilingual E5 Text Embeddings: A Technical Report. 2024, https://arxiv.org/abs/2402.05672. Short texts
are bound by the weights, 85 MB that are read once a call, so the tokens of several lie below each other, without
padding (padded to the longest it was slower than one by one). Only attention is computed for each text by itself. What
float32 rounds depends on how many rows there are: a text has the same vector in any company to 1e-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcana_pipelines.multilingual_e5.blas import one_thread_each
from arcana_pipelines.multilingual_e5.learned import Learned
from arcana_pipelines.multilingual_e5.tokenizer import Tokenizer
from arcana_pipelines.multilingual_e5.weights import Weights, unpacked

Matrix = NDArray[np.float32]

_EPSILON = np.float32(1e-12)
# Rows whose inner layer is made at once, so that what comes between stays in the processor's cache.
_ROWS = 32
# Likewise so many weights of attention, of one head at least.
_WEIGHTS = 2**18


class _Layer(NamedTuple):
    """Of one layer: attention (queries, keys and values side by side), its norm, the inner layer, its norm."""

    attention: Matrix
    attention_bias: Matrix
    attended: Matrix
    attended_bias: Matrix
    norm: tuple[Matrix, Matrix]
    inner: Matrix
    inner_bias: Matrix
    outer: Matrix
    outer_bias: Matrix
    last_norm: tuple[Matrix, Matrix]


class Model:
    """The model in memory: 85 MB of float32, and the table of words mapped. Safe to share between threads."""

    def __init__(self, weights: Weights, tokenizer: Tokenizer, learned: Learned | None = None) -> None:
        self.dimensions = weights.width
        self._tokenizer = tokenizer
        self._marks = weights.pieces.first, weights.pieces.last
        self._longest = weights.longest
        self._heads, self._size = weights.heads, weights.width // weights.heads
        self._words = weights.blocks("emb.word", weights.width)
        self._places = (
            weights.floats("emb.pos").reshape(-1, weights.width) + weights.floats("emb.type")[: weights.width]
        )
        self._norm = weights.floats("emb.ln.w").copy(), weights.floats("emb.ln.b").copy()
        self._layers = [self._layer(weights, number, learned) for number in range(weights.layers)]

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text with its prefix, marks around them: 512 at most, and nothing behind them."""
        first, last = self._marks
        return [first, *self._tokenizer.tokens(text, self._longest - 2), last]

    def embed_together(self, texts: Sequence[Sequence[int]]) -> list[Matrix]:
        """The vector of each text, given as its `tokens`. Memory and time grow with the tokens of all together."""
        ends = list(accumulate(map(len, texts)))
        spans = [slice(end - len(text), end) for text, end in zip(texts, ends, strict=True)]
        with one_thread_each():
            rows: Matrix = unpacked(self._words[[token for text in texts for token in text]])
            for text, span in zip(texts, spans, strict=True):
                rows[span] += self._places[: len(text)]
            rows = _normed(rows, self._norm)
            for layer in self._layers:
                rows = self._through(rows, spans, layer)
        means = [rows[span].mean(0) for span in spans]
        return [mean / np.linalg.norm(mean) for mean in means]

    def _through(self, rows: Matrix, spans: Sequence[slice], layer: _Layer) -> Matrix:
        count = len(rows)
        parts = rows @ layer.attention
        parts += layer.attention_bias
        queries, keys, values = parts.reshape(count, 3, self._heads, self._size).transpose(1, 2, 0, 3)
        seen = np.empty((count, self._heads, self._size), np.float32)
        for span in spans:
            _attend(queries[:, span], keys[:, span], values[:, span], seen[span])
        attended: Matrix = seen.reshape(count, -1) @ layer.attended
        attended += layer.attended_bias
        attended += rows
        rows = _normed(attended, layer.norm)
        inner: Matrix = rows @ layer.inner
        for start in range(0, count, _ROWS):
            part = inner[start : start + _ROWS]
            part += layer.inner_bias
            _gelu(part)
        outer: Matrix = inner @ layer.outer
        outer += layer.outer_bias
        outer += rows
        return _normed(outer, layer.last_norm)

    def _layer(self, weights: Weights, number: int, learned: Learned | None) -> _Layer:
        def matrix(name: str, columns: int = weights.width) -> Matrix:
            found = np.ascontiguousarray(unpacked(weights.blocks(f"l{number}.{name}.w", columns)).T)
            if learned is not None:
                found += learned.change(number, name)
            return found

        def floats(name: str) -> Matrix:
            return weights.floats(f"l{number}.{name}").copy()

        scale = np.float32(self._size**-0.5)  # of the products of queries and keys
        return _Layer(
            np.concatenate([matrix("q") * scale, matrix("k"), matrix("v")], 1),
            np.concatenate([floats("q.b") * scale, floats("k.b"), floats("v.b")]),
            matrix("ao"),
            floats("ao.b"),
            (floats("aln.w"), floats("aln.b")),
            matrix("fi"),
            floats("fi.b"),
            matrix("fo", weights.inner),
            floats("fo.b"),
            (floats("oln.w"), floats("oln.b")),
        )


def _attend(queries: Matrix, keys: Matrix, values: Matrix, seen: Matrix) -> None:
    """What each token of one text sees of the text, into `seen`; of shape (heads, tokens, size), there turned."""
    heads, count, _ = queries.shape
    together = max(1, _WEIGHTS // count**2)
    for first in range(0, heads, together):
        some = slice(first, first + together)
        weights = queries[some] @ keys[some].transpose(0, 2, 1)
        weights -= weights.max(2, keepdims=True)
        np.exp(weights, out=weights)
        found = weights @ values[some]
        found /= weights.sum(2, keepdims=True)
        seen[:, some] = found.transpose(1, 0, 2)


def _normed(rows: Matrix, norm: tuple[Matrix, Matrix]) -> Matrix:
    """Each row with mean 0 and variance 1, then scaled and moved; in place."""
    rows -= rows.mean(1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows)
    variance /= np.float32(rows.shape[1])
    rows /= np.sqrt(variance + _EPSILON)[:, None]
    rows *= norm[0]
    rows += norm[1]
    return rows


def _gelu(rows: Matrix) -> None:
    """x·Φ(x), in place; Φ by formula 7.1.26 of Abramowitz and Stegun, which is right to 1.5e-7."""
    size = np.abs(rows)
    size *= np.float32(0.5**0.5)
    step = size * np.float32(0.3275911)
    step += np.float32(1)
    np.reciprocal(step, out=step)
    series = step * np.float32(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series += np.float32(factor)
        series *= step
    np.square(size, out=size)
    np.negative(size, out=size)
    np.exp(size, out=size)
    series *= size
    np.subtract(np.float32(1), series, out=series)
    np.copysign(series, rows, out=series)
    series += np.float32(1)
    rows *= np.float32(0.5)
    rows *= series
