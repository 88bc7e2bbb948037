"""What every reranker has to do (see `retrieval.reranking.protocol`)."""

from __future__ import annotations

import math

import pytest

from arcana_pipelines.errors import RerankingFailed
from arcana_pipelines.retrieval.reranking.protocol import Reranker
from arcana_pipelines.testing.conformance.threads import at_once

QUERY = "Which animal says moo?"
TEXTS = ["Cows say moo: the animal that says moo.", "The invoice is due in May.", "휴가는 열다섯 날이다.", "An animal."]


class RerankerConformance:
    """Inherit and give the fixtures `reranker`, and `broken` if its server can be out of reach."""

    @pytest.fixture
    def reranker(self) -> Reranker:
        """A reranker, as its registry opens it."""
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> Reranker:
        """The same kind of reranker, its server out of reach."""
        pytest.skip("no reranker out of reach was given")

    def test_there_is_one_finite_number_a_text(self, reranker: Reranker) -> None:
        scores = reranker.scores(QUERY, TEXTS)
        assert len(scores) == len(TEXTS)
        assert all(isinstance(score, float) and math.isfinite(score) for score in scores)

    def test_numbers_come_in_the_order_of_the_texts(self, reranker: Reranker) -> None:
        assert reranker.scores(QUERY, TEXTS[::-1]) == pytest.approx(reranker.scores(QUERY, TEXTS)[::-1], abs=1e-3)

    def test_what_answers_the_query_is_higher(self, reranker: Reranker) -> None:
        scores = reranker.scores(QUERY, TEXTS)
        assert scores[0] > scores[1]

    def test_several_threads_get_what_one_gets(self, reranker: Reranker) -> None:
        expected = reranker.scores(QUERY, TEXTS)
        for scores in at_once(lambda _: reranker.scores(QUERY, TEXTS), range(16)):
            assert scores == pytest.approx(expected, abs=1e-3)

    def test_a_server_out_of_reach_is_an_error_of_ours(self, broken: Reranker) -> None:
        with pytest.raises(RerankingFailed):
            broken.scores(QUERY, TEXTS)
