"""The embedder in the process: WordLlama's vectors, without its padding and with another tokeniser."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.embedding.local_small import DIMENSIONS, SmallEmbedder
from arcana_pipelines_tests.blas_kernels import vectors_under

TEXTS = [
    "Remote work policy",
    "  Two   spaces,\ta tab\n\nand lines.  ",
    "연차 휴가는 입사일을 기준으로 계산합니다.",
    "Deploy 절차 v1.2: HR-200 — `kubectl apply -f app.yaml` 🚀",
    "# Heading\n\n| a | b |\n| --- | --- |\n| 1 | 2 |",
    "naïve café ﬁne Ⅳ ㈜ 한글",
    "word " * 400,
]

LONG_TEXTS = [" ".join(f"word {number * 7919 % 100_000}" for number in range(length)) for length in range(1, 200)]


def print_vectors() -> None:
    print(json.dumps(SmallEmbedder().embed(LONG_TEXTS).vectors.tolist()))


@pytest.fixture(scope="module")
def library() -> Any:
    """The library's own embedder: slower, for the same vectors."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    import wordllama

    root.handlers[:], root.level = handlers, level  # it sets up the root logger when it is imported
    # The loader looks for its weights in the home directory; they are in the package.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True, dim=DIMENSIONS)


class TestSmallEmbedder:
    def test_vectors_are_those_of_the_library(self, library: Any) -> None:
        ours = SmallEmbedder().embed(TEXTS).vectors
        for text, vector in zip(TEXTS, ours, strict=True):
            assert vector == pytest.approx(library.embed([text], norm=True)[0], abs=1e-5), text

    @given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200))
    def test_those_of_any_text_are(self, library: Any, text: str) -> None:
        (theirs,) = library.embed([text], norm=True)
        (ours,) = SmallEmbedder().embed([text]).vectors
        if np.isfinite(theirs).all() and theirs.any():
            assert ours == pytest.approx(theirs, abs=1e-5)

    def test_each_is_alone_in_its_batch(self) -> None:
        together = SmallEmbedder().embed(TEXTS)
        for at, text in enumerate(TEXTS):
            alone = SmallEmbedder().embed([text])
            assert (together.vectors[at] == alone.vectors[0]).all() and alone.counts == [together.counts[at]]

    def test_a_text_alone_has_the_vector_that_it_has_among_many_to_the_last_bit(self) -> None:
        alone = np.stack([SmallEmbedder().embed([text]).vectors[0] for text in LONG_TEXTS])
        assert (SmallEmbedder().embed(LONG_TEXTS).vectors == alone).all()

    @pytest.mark.slow
    @pytest.mark.parametrize("kernel", ["Prescott", "Haswell"])  # of OpenBLAS; elsewhere the name is not known
    def test_vectors_are_the_same_on_every_processor(self, kernel: str) -> None:
        assert vectors_under(kernel, __name__) == SmallEmbedder().embed(LONG_TEXTS).vectors.tolist()

    def test_a_text_of_which_nothing_is_known_has_a_direction(self) -> None:
        (vector,) = SmallEmbedder().embed([""]).vectors
        assert np.linalg.norm(vector) == pytest.approx(1)
