"""What every embedder has to do (see `embedding.protocol`)."""

from __future__ import annotations

import numpy as np
import pytest

from arcana_pipelines.embedding.protocol import Embedder, OffersBatches
from arcana_pipelines.errors import EmbeddingFailed, InputRejected
from arcana_pipelines.testing.conformance.threads import at_once

TEXTS = ["Cows say moo.", "The invoice is due in May.", "휴가는 열다섯 날이다.", "| a | b |\n| - | - |\n| 1 | 2 |", "."]


class EmbedderConformance:
    """Inherit and give the fixtures `embedder`, and `broken` if its provider can be out of reach."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        """An embedder, as its registry opens it."""
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> Embedder:
        """The same kind of embedder, its provider out of reach."""
        pytest.skip("no embedder out of reach was given")

    def test_it_says_what_it_is(self, embedder: Embedder) -> None:
        assert embedder.model and embedder.dimensions >= 1 and embedder.concurrency >= 1

    def test_there_is_one_finite_vector_of_the_size_a_text(self, embedder: Embedder) -> None:
        vectors = embedder.embed(TEXTS).vectors
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(TEXTS), embedder.dimensions)
        assert np.isfinite(vectors).all() and np.any(vectors, axis=1).all()

    def test_vectors_come_in_the_order_of_the_texts_and_do_not_depend_on_their_company(
        self, embedder: Embedder
    ) -> None:
        together = embedder.embed(TEXTS).vectors
        alone = np.stack([embedder.embed([text]).vectors[0] for text in TEXTS])
        turned = embedder.embed(TEXTS[::-1]).vectors[::-1]
        np.testing.assert_allclose(together, alone, atol=1e-3)
        np.testing.assert_allclose(together, turned, atol=1e-3)

    def test_several_threads_get_what_one_gets(self, embedder: Embedder) -> None:
        expected = embedder.embed(TEXTS).vectors
        for embedded in at_once(lambda _: embedder.embed(TEXTS), range(16)):
            np.testing.assert_allclose(embedded.vectors, expected, atol=1e-3)

    def test_tokens_are_counted(self, embedder: Embedder) -> None:
        embedded = embedder.embed(TEXTS)
        assert embedded.tokens > 0
        assert embedded.counts is None or (
            len(embedded.counts) == len(TEXTS) and sum(embedded.counts) == embedded.tokens
        )

    def test_a_text_without_a_word_has_a_vector_or_is_refused_by_type(self, embedder: Embedder) -> None:
        for text in ("", " ", "\x00", "�"):
            try:
                assert embedder.embed([text]).vectors.shape == (1, embedder.dimensions)
            except InputRejected:
                continue

    def test_a_provider_out_of_reach_is_an_error_of_ours(self, broken: Embedder) -> None:
        with pytest.raises(EmbeddingFailed) as failure:
            broken.embed(["hello"])
        assert not isinstance(failure.value, InputRejected), "the text is not to blame"

    def test_a_line_of_a_batch_is_one_line(self, embedder: Embedder) -> None:
        if not isinstance(embedder, OffersBatches):
            pytest.skip("it offers no batches")
        batches = embedder.batches()
        assert batches.most_texts >= 1 and batches.most_bytes >= 1
        line = batches.encode(b"\x01" * 32, "two\nlines")
        assert line.endswith(b"\n") and line.count(b"\n") == 1
